/* deliver/remote_route.c - the rules are in remote_route.h. */
#include "deliver/remote_route.h"

#include <stdlib.h>
#include <string.h>

#include "deliver/remote_hosts.h"
#include "sys/random.h"
#include "wire/address/address.h"

#define HOST_NAME_MAX_OCTETS ((size_t)253) /* RFC 1035 §2.3.4, without length octets */

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
						 STR("The next hop is none of " NEXTHOP_FORMS) };
static const struct remote_outcome bad_literal = { REMOTE_REFUSED, STR("5.1.2"), STR("Malformed address literal") };
static const struct remote_outcome exhausted = { REMOTE_DEFERRED, STR("4.4.1"), STR("No mail host could be reached") };

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

	return str_ieq(name, address_without_dot(s->hostname)) || (!s->lab && is_localhost(name));
}

static const char *type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A: return "A";
	case DNS_AAAA: return "AAAA";
	case DNS_CNAME: return "CNAME";
	case DNS_MX: return "MX";
	case DNS_PTR: return "PTR";
	case DNS_SRV: return "SRV";
	case DNS_TLSA: return "TLSA";
	case DNS_TXT: return "TXT";
	}
	return "?";
}

struct remote_outcome remote_lookup_failure(struct arena *a, enum status st, struct str code, struct str name, enum dns_type type)
{
	const char *what = st == ST_CORRUPT ? "DNSSEC validation failed for" : "DNS gave no answer for";

	return (struct remote_outcome){ REMOTE_DEFERRED, code, arena_printf(a, "%s %s %.*s", what, type_name(type), STR_FMT(name)) };
}

/* ST_OK with records, or none of them. The first failure is told, a bogus one before others. */
static enum status lookup(struct remote_route *r, struct str name, enum dns_type type, struct dns_lookup_reply *ret)
{
	const struct remote_resolver *dns = &r->remote->resolver;
	enum status                   st = dns->lookup(dns->ctx, name, type, r->arena, ret);

	if (st == ST_OK) {
		if (ret->rcode != DNS_NOERROR)
			ret->record_count = 0;
		return ST_OK;
	}
	if (!r->failed || st == ST_CORRUPT)
		r->failure = remote_lookup_failure(r->arena, st, STR("4.4.3"), name, type);
	r->failed = true;
	return st;
}

/* ---- hosts to addresses ---- */

static struct remote_host *host_new(const struct remote_route *r, struct str name)
{
	struct remote_host *h = ARENA_NEW(r->arena, struct remote_host);

	*h = (struct remote_host){ .name = name, .domain = r->domain, .secure_name = r->secure, .alias = STR("") };
	return h;
}

static void target_add(struct remote_route *r, struct remote_host *h, const struct remote_address *address)
{
	if (r->target_count < LEN(r->targets))
		r->targets[r->target_count++] = (struct remote_target){
			.host = h->name, .port = r->port, .address = *address, .lmtp = r->hop.lmtp, .any_name = r->any_name || r->hop.lmtp,
			.implicit_tls = r->hop.smtps, .at = h,
		};
}

static enum remote_address_use address_add(struct remote_route *r, struct remote_host *h, const struct remote_address *address)
{
	enum remote_address_use use =
		r->filter ? remote_address_use(&r->remote->settings, address) : REMOTE_ADDRESS_FINE;

	if (use != REMOTE_ADDRESS_FINE)
		r->unusable = true;
	else
		target_add(r, h, address);
	return use;
}

/* RFC 7672 §2.2.2: either family is enough, and that there is nothing of one is an answer too. */
static void security_note(struct remote_host *h, const struct dns_lookup_reply *reply)
{
	if (reply->canonical.n > 0 && (h->alias.n == 0 || reply->security == DNS_SECURE))
		h->alias = reply->canonical;
	h->secure_address = h->secure_address || reply->security == DNS_SECURE;
}

static bool localhost_resolve(struct remote_route *r, struct remote_host *h)
{
	struct remote_address address;

	return remote_address_parse(STR("127.0.0.1"), r->port, &address) && address_add(r, h, &address) != REMOTE_ADDRESS_SELF;
}

/* Add a host's addresses, IPv6 and IPv4 by turns. False: the host is ourselves. */
static bool host_resolve(struct remote_route *r, struct str host)
{
	static const enum dns_type types[] = { DNS_AAAA, DNS_A };
	struct dns_lookup_reply    found[LEN(types)] = { 0 };
	struct remote_host        *h = host_new(r, host);
	struct remote_address      address;
	size_t                     added = 0;

	if (is_localhost(host)) /* RFC 6761 §6.3: not a matter of DNS */
		return localhost_resolve(r, h);
	for (size_t i = 0; i < LEN(types); i++) {
		if (lookup(r, host, types[i], &found[i]) == ST_OK)
			security_note(h, &found[i]);
		else
			found[i] = (struct dns_lookup_reply){ 0 };
	}
	if (found[0].rcode == DNS_NXDOMAIN && found[1].rcode == DNS_NXDOMAIN && r->implicit)
		r->no_domain = true;
	for (size_t i = 0; i < 2 * MAX(found[0].record_count, found[1].record_count); i++) {
		const struct dns_lookup_reply *f = &found[i % 2];

		if (i / 2 >= f->record_count || !remote_address_parse(f->records[i / 2].data, r->port, &address))
			continue;
		switch (added < LIMIT_REMOTE_PER_HOST ? address_add(r, h, &address) : REMOTE_ADDRESS_REFUSED) {
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
		struct str host = address_without_dot(reply->records[i].data);

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
		*ret_why = r->failure;
		return false;
	}
	r->domain = domain;
	r->secure = reply.security == DNS_SECURE; /* also if it says that there is no MX */
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

/* The host of r->hop. A mail store on this machine may well have our name. */
static void open_host(struct remote_route *r)
{
	struct remote_address address;
	struct remote_host   *h;

	r->secure = true;
	if (r->hop.address) {
		CHECK(remote_address_parse(r->hop.host, r->port, &address));
		h = host_new(r, r->hop.host);
		h->is_address = true;
		target_add(r, h, &address);
	} else {
		r->mx[r->mx_count++] = (struct remote_mx){ r->hop.host, 0, 0 };
	}
}

static bool open_literal(struct remote_route *r, struct str literal, struct remote_outcome *ret_why)
{
	struct remote_host   *h = host_new(r, literal);
	struct remote_address address;

	h->is_address = true;
	h->secure_name = false; /* nobody vouches for it */
	if (!remote_address_literal(literal, r->port, &address)) {
		*ret_why = bad_literal;
		return false;
	}
	switch (address_add(r, h, &address)) {
	case REMOTE_ADDRESS_FINE: return true;
	case REMOTE_ADDRESS_SELF: *ret_why = loop; return false;
	case REMOTE_ADDRESS_REFUSED: *ret_why = unusable; return false;
	}
	return false;
}

/* ---- several next hops ---- */

/* What a domain of the recipients would be refused for is here a mistake of ours, which can be mended. */
static struct remote_outcome not_final(const struct remote_route *r, struct remote_outcome o)
{
	if (r->relayed && o.result == REMOTE_REFUSED) {
		o.result = REMOTE_DEFERRED;
		o.code = arena_printf(r->arena, "4%.*s", STR_FMT(str_from(o.code, 1)));
	}
	return o;
}

/* Leave the present next hop for the one after it that leads anywhere; the first is opened like this too. False: there is none, and gave_up
 * says why the last led nowhere. */
static bool relay_next(struct remote_route *r)
{
	struct str bad = STR("");

	while (r->rest.n > 0) {
		r->mx_count = r->mx_at = 0;
		r->self = r->unusable = r->implicit = r->no_domain = false;
		r->domain = STR("");
		if (!nexthop_take(&r->rest, &r->hop, &bad)) {
			r->gave_up = bad_relay;
			r->rest = STR("");
			return false;
		}
		r->port = r->hop.port > 0 ? r->hop.port : r->remote->settings.port;
		r->filter = r->hop.mx; /* the records are a stranger's */
		r->gave_up = (struct remote_outcome){ 0 };
		if (!r->hop.mx)
			open_host(r);
		if (!r->hop.mx || open_domain(r, r->hop.host, &r->gave_up))
			return true;
	}
	return false;
}

bool remote_route_open(struct remote_route *route, const struct remote *remote, struct arena *a,
		       const struct remote_deliver_request *q, struct remote_outcome *ret_why)
{
	struct str relay = q->relay.n > 0 ? q->relay : remote->settings.relay;

	*route = (struct remote_route){
		.remote = remote, .arena = a, .port = remote->settings.port, .relayed = relay.n > 0, .filter = relay.n == 0,
		.any_name = relay.n > 0 && (q->flags & QUEUE_FLAG_FILTER), .rest = relay, .domain = STR(""),
	};
	if (relay.n > 0) {
		bool ok = relay_next(route);

		*ret_why = not_final(route, route->gave_up);
		return ok;
	}
	if (q->domain.n > 0 && q->domain.p[0] == '[')
		return open_literal(route, q->domain, ret_why);
	return open_domain(route, address_without_dot(q->domain), ret_why);
}

/* Of hosts that are equal, one to which somebody else is connecting just now comes behind the others: as long as nobody knows that it answers, one
 * delivery that waits for it is enough. */
static void equals_order(struct remote_route *r)
{
	struct remote_target *first = &r->targets[r->target_at], found;

	for (size_t i = r->target_at; i < r->target_count; i++) {
		if (remote_hosts_marked(r->remote->hosts, &r->targets[i], REMOTE_HOST_TRIED))
			continue;
		found = r->targets[i];
		memmove(first + 1, first, (i - r->target_at) * sizeof(*first));
		*first = found;
		return;
	}
}

const struct remote_target *remote_route_next(struct remote_route *route)
{
	while (route->target_at == route->target_count && route->target_count < LEN(route->targets)) {
		if (route->mx_at < route->mx_count)
			group_resolve(route);
		else if (!relay_next(route))
			break;
	}
	if (route->target_at == route->target_count)
		return NULL;
	equals_order(route); /* what is left was resolved together: one preference */
	return &route->targets[route->target_at++];
}

struct remote_outcome remote_route_why(const struct remote_route *route)
{
	if (route->failed)
		return route->failure;
	if (route->gave_up.code.n > 0)
		return not_final(route, route->gave_up);
	if (route->target_count > 0 || !route->filter)
		return exhausted;
	if (route->self)
		return not_final(route, loop);
	if (route->unusable)
		return not_final(route, unusable);
	return not_final(route, route->no_domain ? no_domain : no_host);
}
