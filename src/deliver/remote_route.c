/* deliver/remote_route.c - the rules are in remote_route.h. */
#include "deliver/remote_route.h"

#include <stdlib.h>

#include "sys/random.h"
#include "wire/address/endpoint.h"

#define HOST_NAME_MAX_OCTETS ((size_t)253) /* RFC 1035 §2.3.4, without length octets */

static const struct remote_outcome dns_failed = { REMOTE_DEFERRED, STR("4.4.3"), STR("DNS gave no answer for now") };
static const struct remote_outcome null_mx = { REMOTE_REFUSED, STR("5.1.10"),
					       STR("The domain accepts no mail (null MX)") };
static const struct remote_outcome no_domain = { REMOTE_REFUSED, STR("5.1.2"), STR("The domain does not exist") };
static const struct remote_outcome no_host = { REMOTE_REFUSED, STR("5.4.4"),
					       STR("The domain has no mail host with an address") };
static const struct remote_outcome loop = { REMOTE_REFUSED, STR("5.4.6"),
					    STR("Mail for the domain loops back to this host") };
static const struct remote_outcome unusable = {
	REMOTE_REFUSED, STR("5.4.4"), STR("The mail hosts of the domain have no address that mail may be sent to")
};
static const struct remote_outcome bad_relay = { REMOTE_DEFERRED, STR("4.3.5"),
						 STR("The relay setting is not HOST:PORT or lmtp:HOST:PORT") };
static const struct remote_outcome bad_literal = { REMOTE_REFUSED, STR("5.1.2"), STR("Malformed address literal") };
static const struct remote_outcome exhausted = { REMOTE_DEFERRED, STR("4.4.1"), STR("No mail host could be reached") };

static struct str without_dot(struct str name)
{
	return name.n > 0 && name.p[name.n - 1] == '.' ? str_first(name, name.n - 1) : name;
}

/* Letters, digits, "-", "_" and dots, and no IP address. */
static bool is_host_name(struct str name)
{
	struct remote_address ip;

	if (name.n == 0 || name.n > HOST_NAME_MAX_OCTETS || remote_address_parse(name, 0, &ip))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && str_find(STR("-_."), name.p[i]) < 0)
			return false;
	return true;
}

static bool is_localhost(struct str name)
{
	return str_ieq(name, STR("localhost")) || str_iends(name, STR(".localhost"));
}

static bool is_self(const struct remote_route *r, struct str name)
{
	const struct remote_settings *s = &r->remote->settings;

	return str_ieq(name, without_dot(s->hostname)) || (!s->lab && is_localhost(name));
}

/* ST_OK with records, or none of them; ST_TEMP. */
static enum status lookup(struct remote_route *r, struct str name, enum dns_type type, struct dns_lookup_reply *ret)
{
	const struct remote_resolver *dns = &r->remote->resolver;

	if (dns->lookup(dns->ctx, name, type, r->arena, ret) == ST_OK) {
		if (ret->rcode != DNS_NOERROR)
			ret->record_count = 0;
		return ST_OK;
	}
	r->failed = true;
	return ST_TEMP;
}

/* ---- hosts to addresses ---- */

static enum remote_address_use address_add(struct remote_route *r, struct str host,
					   const struct remote_address *address)
{
	enum remote_address_use use =
		r->filter ? remote_address_use(&r->remote->settings, address) : REMOTE_ADDRESS_FINE;

	if (use != REMOTE_ADDRESS_FINE)
		r->unusable = true;
	else if (r->target_count < LEN(r->targets))
		r->targets[r->target_count++] = (struct remote_target){ host, r->port, *address, r->lmtp, r->any_name };
	return use;
}

/* Add a host's addresses, IPv6 and IPv4 by turns. False: the host is ourselves. */
static bool host_resolve(struct remote_route *r, struct str host)
{
	struct dns_lookup_reply found[2] = { 0 };
	struct remote_address   address;
	size_t                  added = 0;

	if (is_localhost(host)) /* RFC 6761 §6.3: not a matter of DNS */
		return remote_address_parse(STR("127.0.0.1"), r->port, &address) &&
		       address_add(r, host, &address) != REMOTE_ADDRESS_SELF;
	if (lookup(r, host, DNS_AAAA, &found[0]) != ST_OK)
		found[0].record_count = 0;
	if (lookup(r, host, DNS_A, &found[1]) != ST_OK)
		found[1].record_count = 0;
	if (found[0].rcode == DNS_NXDOMAIN && found[1].rcode == DNS_NXDOMAIN && r->implicit)
		r->no_domain = true;
	for (size_t i = 0; i < 2 * MAX(found[0].record_count, found[1].record_count); i++) {
		const struct dns_lookup_reply *f = &found[i % 2];

		if (i / 2 >= f->record_count || !remote_address_parse(f->records[i / 2].data, r->port, &address))
			continue;
		switch (added < LIMIT_REMOTE_PER_HOST ? address_add(r, host, &address) : REMOTE_ADDRESS_REFUSED) {
		case REMOTE_ADDRESS_FINE: added++; break;
		case REMOTE_ADDRESS_SELF: return false;
		case REMOTE_ADDRESS_REFUSED: break;
		}
	}
	return true;
}

/* Resolve all hosts of the next preference; if we are among them, drop them and everything after. */
static void group_resolve(struct remote_route *r)
{
	uint32_t preference = r->mx[r->mx_at].preference;
	size_t   before = r->target_count;

	for (; r->mx_at < r->mx_count && r->mx[r->mx_at].preference == preference; r->mx_at++) {
		struct str host = r->mx[r->mx_at].host;

		if (r->filter && (is_self(r, host) || !host_resolve(r, host))) {
			r->self = true;
			r->target_count = before;
			r->mx_at = r->mx_count;
			return;
		}
		if (!r->filter)
			(void)host_resolve(r, host);
	}
}

/* ---- next hop to hosts ---- */

static int mx_order(const void *pa, const void *pb)
{
	const struct remote_mx *a = pa, *b = pb;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return a->shuffle < b->shuffle ? -1 : a->shuffle > b->shuffle;
}

/* Keep the best hosts. *ret_null: there was a record for ".", RFC 7505 §3. */
static void mx_take(struct remote_route *r, const struct dns_lookup_reply *reply, bool *ret_null)
{
	struct remote_mx *all = ARENA_ARRAY(r->arena, struct remote_mx, reply->record_count);
	size_t            count = 0;

	for (size_t i = 0; i < reply->record_count; i++) {
		struct str host = without_dot(reply->records[i].data);

		if (host.n == 0)
			*ret_null = true;
		else if (is_host_name(host))
			all[count++] = (struct remote_mx){ host, reply->records[i].preference, random_u64() };
		else
			r->unusable = true;
	}
	if (count > 0)
		qsort(all, count, sizeof(*all), mx_order);
	r->mx_count = MIN(count, LEN(r->mx));
	for (size_t i = 0; i < r->mx_count; i++)
		r->mx[i] = all[i];
}

static bool open_domain(struct remote_route *r, struct str domain, struct remote_outcome *ret_why)
{
	struct dns_lookup_reply reply;
	bool                    null = false;

	if (!is_host_name(domain)) {
		*ret_why = no_domain;
		return false;
	}
	if (lookup(r, domain, DNS_MX, &reply) != ST_OK) {
		*ret_why = dns_failed;
		return false;
	}
	r->secure = reply.security == DNS_SECURE;
	if (reply.record_count == 0) {
		r->mx[r->mx_count++] = (struct remote_mx){ domain, 0, 0 };
		r->implicit = true;
		return true;
	}
	mx_take(r, &reply, &null);
	if (r->mx_count == 0)
		*ret_why = null ? null_mx : unusable;
	return r->mx_count > 0;
}

/* "host:port", "192.0.2.1:25", "[ip]:port", each with "lmtp:" before it or not. A mail store on this machine may well have our name. */
static bool open_relay(struct remote_route *r, struct str relay, struct remote_outcome *ret_why)
{
	struct remote_address address;
	struct str            host;
	uint32_t              n;

	*ret_why = bad_relay;
	r->secure = true;
	r->lmtp = str_skip(&relay, STR("lmtp:"));
	r->any_name = r->any_name || r->lmtp;
	if (!endpoint_parse(relay, &host, &n))
		return false;
	r->port = n;
	if (remote_address_parse(host, n, &address)) {
		r->targets[r->target_count++] = (struct remote_target){ host, n, address, r->lmtp, r->any_name };
		return true;
	}
	if (!is_host_name(without_dot(host)))
		return false;
	r->mx[r->mx_count++] = (struct remote_mx){ without_dot(host), 0, 0 };
	return true;
}

static bool open_literal(struct remote_route *r, struct str literal, struct remote_outcome *ret_why)
{
	struct remote_address address;

	if (!remote_address_literal(literal, r->port, &address)) {
		*ret_why = bad_literal;
		return false;
	}
	switch (address_add(r, literal, &address)) {
	case REMOTE_ADDRESS_FINE: return true;
	case REMOTE_ADDRESS_SELF: *ret_why = loop; return false;
	case REMOTE_ADDRESS_REFUSED: *ret_why = unusable; return false;
	}
	return false;
}

bool remote_route_open(struct remote_route *route, const struct remote *remote, struct arena *a,
		       const struct remote_deliver_request *q, struct remote_outcome *ret_why)
{
	struct str relay = q->relay.n > 0 ? q->relay : remote->settings.relay;

	*route = (struct remote_route){
		.remote = remote, .arena = a, .port = remote->settings.port, .filter = relay.n == 0,
		.any_name = relay.n > 0 && (q->flags & QUEUE_FLAG_FILTER),
	};
	if (relay.n > 0)
		return open_relay(route, relay, ret_why);
	if (q->domain.n > 0 && q->domain.p[0] == '[')
		return open_literal(route, q->domain, ret_why);
	return open_domain(route, without_dot(q->domain), ret_why);
}

const struct remote_target *remote_route_next(struct remote_route *route)
{
	while (route->target_at == route->target_count && route->mx_at < route->mx_count &&
	       route->target_count < LEN(route->targets))
		group_resolve(route);
	return route->target_at < route->target_count ? &route->targets[route->target_at++] : NULL;
}

struct remote_outcome remote_route_why(const struct remote_route *route)
{
	if (route->failed)
		return dns_failed;
	if (route->target_count > 0 || !route->filter)
		return exhausted;
	if (route->self)
		return loop;
	if (route->unusable)
		return unusable;
	return route->no_domain ? no_domain : no_host;
}
