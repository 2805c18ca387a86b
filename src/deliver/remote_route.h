/* deliver/remote_route.h - from a next hop to the addresses to try, in order.
 *
 *   relay "host:port"    that host, no MX, no filter: the administrator named it; "lmtp:host:port": it speaks LMTP, RFC 2033
 *   "[192.0.2.1]"        that address
 *   domain, MX records   hosts by preference, equal ones shuffled; their addresses, IPv6 and IPv4 by turns   RFC 5321
 * §5.1 domain without MX    the domain's own addresses ("implicit MX"), also if MX says NXDOMAIN but A or AAAA exist
 *   null MX              refused, RFC 7505
 *
 * If a host of some preference is ourselves (its name, or an address we listen on or loopback), it and all hosts that
 * are no better are left out, so that mail never circles between backup hosts, RFC 5321 §5.1. Names that are no host
 * names (IP addresses, say) and addresses that the filter refuses are passed over. An MX name that is a CNAME is
 * followed by the resolver: against RFC 2181 §10.3, as everybody does.
 *
 * Hosts are resolved when their turn comes, one preference at a time. A lookup that fails (timeout, SERVFAIL, bogus)
 * can only lead to a deferral, never to a refusal.
 */
#ifndef DELIVER_REMOTE_ROUTE_H
#define DELIVER_REMOTE_ROUTE_H

#include "deliver/remote.h"
#include "deliver/remote_address.h"
#include "deliver/remote_result.h"

struct remote_mx {
	struct str host;
	uint32_t   preference;
	uint64_t   shuffle;
};

struct remote_target {
	struct str            host; /* name, or the literal */
	unsigned              port;
	struct remote_address address;
	bool                  lmtp;
	bool                  any_name; /* may call itself by our name */
};

struct remote_route {
	const struct remote *remote;
	struct arena        *arena;
	struct remote_mx     mx[LIMIT_REMOTE_HOSTS];
	size_t               mx_count, mx_at; /* those before mx_at are resolved */
	struct remote_target targets[LIMIT_REMOTE_ADDRESSES];
	size_t               target_count, target_at;
	unsigned             port;
	bool                 filter;    /* address filter and loop check apply */
	bool                 lmtp, any_name; /* as in the targets */
	bool                 secure;    /* nobody can have forged the names of the hosts: named by the administrator, or DNSSEC */
	bool                 implicit;  /* no MX: the domain is its own host */
	bool                 failed;    /* a lookup gave no answer */
	bool                 self;      /* we are among the hosts */
	bool                 unusable;  /* something was passed over */
	bool                 no_domain; /* the domain does not exist */
};

/* Look the next hop up. False: there is nowhere to go, *ret_why says why. `a` keeps what the route needs. */
MUST_CHECK bool remote_route_open(struct remote_route *route, const struct remote *remote, struct arena *a,
				  const struct remote_deliver_request *q, struct remote_outcome *ret_why);
/* The next address, valid as long as the route; NULL at the end. */
const struct remote_target *remote_route_next(struct remote_route *route);
/* After the end: why there was no (other) address. */
struct remote_outcome remote_route_why(const struct remote_route *route);

#endif
