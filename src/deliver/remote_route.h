/* deliver/remote_route.h - from a next hop to the addresses to try, in order.
 *
 *   relay                one or more of wire/address/nexthop.h, in their order: what the administrator named
 *     host:port          that host, no MX, no filter; "lmtp:", "smtps:" say how to speak to it
 *     mx:domain          as a domain below, but nothing about it is final: it is not the recipients' domain
 *   "[192.0.2.1]"        that address
 *   domain, MX records   hosts by preference, equal ones shuffled; their addresses, IPv6 and IPv4 by turns   RFC 5321 §5.1
 *                        (of equal ones, those to which somebody is connecting just now are the last)
 *   domain without MX    the domain's own addresses ("implicit MX"), also if MX says NXDOMAIN but A or AAAA exist
 *   null MX              refused, RFC 7505; beside other records it is passed over
 *
 * If a host of some preference is ourselves (its name, or an address we listen on or loopback), it and all hosts that
 * are no better are left out, so that mail never circles between backup hosts, RFC 5321 §5.1. Names that are no host
 * names (IP addresses, say) and addresses that the filter refuses are passed over. An MX name that is a CNAME is
 * followed by the resolver: against RFC 2181 §10.3, as everybody does.
 *
 * Hosts are resolved when their turn comes, one preference at a time. A lookup that fails (timeout, SERVFAIL, bogus)
 * can only lead to a deferral, never to a refusal; the reason says which name and type it was, and whether it was bogus.
 */
#ifndef DELIVER_REMOTE_ROUTE_H
#define DELIVER_REMOTE_ROUTE_H

#include "deliver/remote.h"
#include "deliver/remote_address.h"
#include "deliver/remote_result.h"
#include "wire/address/nexthop.h"

struct remote_mx {
	struct str host;
	uint32_t   preference;
	uint64_t   shuffle;
};

struct remote_dane;
struct remote_sts;

/* A host, and what DNS says of its name. One for all its addresses. */
struct remote_host {
	struct str name;           /* as MX, route or setting has it; a literal */
	struct str domain;         /* found by MX, or by its absence: of this domain; "" else */
	bool       is_address;     /* it has no name */
	bool       secure_name;    /* nobody can have forged that it is the host: named by the administrator, or DNSSEC */
	bool       secure_address; /* its addresses, or that it has none of one family, are proved by DNSSEC, each CNAME on the way too */
	struct str alias;          /* where its CNAMEs end; "" if it is none */
	const struct remote_dane *dane; /* found once, by remote_dane_find(); NULL: not yet */
	const struct remote_sts  *sts;  /* found once, by remote_policy_find() */
	bool                      reported; /* as one that its policy rules out */
};

struct remote_target {
	struct str            host; /* name, or the literal */
	unsigned              port;
	struct remote_address address;
	bool                  lmtp;
	bool                  any_name;     /* may call itself by our name */
	bool                  implicit_tls; /* TLS from the first octet on, RFC 8314 §3 */
	struct remote_host   *at;
};

struct remote_route {
	const struct remote *remote;
	struct arena        *arena;
	struct str           rest; /* next hops whose turn has not come */
	struct nexthop       hop;  /* the present one, if `relayed` */
	struct str           domain; /* whose MX these are; "" if hosts are named */
	struct remote_mx     mx[LIMIT_REMOTE_HOSTS];
	size_t               mx_count, mx_at; /* those before mx_at are resolved */
	struct remote_target targets[LIMIT_REMOTE_ADDRESSES];
	size_t               target_count, target_at;
	unsigned             port;
	bool                 relayed;   /* the administrator named the next hops: nothing is final */
	bool                 filter;    /* address filter and loop check apply */
	bool                 any_name;  /* as in the targets */
	bool                 secure;    /* struct remote_host.secure_name of what is resolved now */
	bool                 implicit;  /* no MX: the domain is its own host */
	bool                 failed;    /* a lookup gave no answer: `failure` */
	bool                 self;      /* we are among the hosts */
	bool                 unusable;  /* something was passed over */
	bool                 no_domain; /* the domain does not exist */
	struct remote_outcome failure;
	struct remote_outcome gave_up;  /* why the next hop before had nowhere to go; an empty code: it had */
};

/* Look the next hop up. False: there is nowhere to go, *ret_why says why. `a` keeps what the route needs. */
MUST_CHECK bool remote_route_open(struct remote_route *route, const struct remote *remote, struct arena *a,
				  const struct remote_deliver_request *q, struct remote_outcome *ret_why);
/* The next address, valid as long as the route; NULL at the end. */
const struct remote_target *remote_route_next(struct remote_route *route);
/* After the end: why there was no (other) address. */
struct remote_outcome remote_route_why(const struct remote_route *route);

/* What is told of a lookup that gave no answer, ST_CORRUPT or another status: a deferral with `code`. */
struct remote_outcome remote_lookup_failure(struct arena *a, enum status st, struct str code, struct str name, enum dns_type type);

#endif
