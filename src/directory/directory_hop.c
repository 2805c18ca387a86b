/* directory/directory_hop.c - see directory_hop.h. */
#include "directory/directory_hop.h"

#include <stdlib.h>
#include <string.h>

#include "directory/directory_int.h"
#include "directory/directory_rule.h"

#define LEVELS (LIMIT_DOMAIN / 2 + 4) /* patterns that one address can match: itself, its domain, what is above it, everything */

/* ---- rules ---- */

static void route_free(struct dir_route *route)
{
	const struct auth_route_rule *r = &route->rule;
	const struct str              texts[] = { r->to, r->from, r->via, r->hop.source4, r->hop.source6, r->hop.helo, r->user };

	for (size_t i = 0; i < LEN(texts); i++)
		free((void *)(uintptr_t)texts[i].p);
	free(route);
}

void dir_routes_init(struct dir_routes *r)
{
	map_init(&r->rules);
	map_init(&r->to);
	map_init(&r->from);
}

void dir_routes_done(struct dir_routes *r)
{
	struct str key;
	void      *value;

	for (size_t at = 0; map_next(&r->rules, &at, &key, &value);)
		route_free(value);
	map_done(&r->rules);
	map_done(&r->to);
	map_done(&r->from);
}

/* "to" LF "from": no pattern has a control character. */
static struct str key_of(struct str to, struct str from, char room[2 * LIMIT_ADDRESS + 1])
{
	CHECK(to.n <= LIMIT_ADDRESS && from.n <= LIMIT_ADDRESS);
	if (to.n > 0)
		memcpy(room, to.p, to.n);
	room[to.n] = '\n';
	if (from.n > 0)
		memcpy(room + to.n + 1, from.p, from.n);
	return str_n(room, to.n + 1 + from.n);
}

struct dir_route *dir_route_find(const struct dir_routes *r, struct str to, struct str from)
{
	char room[2 * LIMIT_ADDRESS + 1];

	return map_find(&r->rules, key_of(to, from, room));
}

static void count_add(struct map *m, struct str pattern, int more)
{
	uintptr_t count = (uintptr_t)map_find(m, pattern) + (uintptr_t)(intptr_t)more;

	if (count == 0)
		map_remove(m, pattern);
	else
		map_put(m, pattern, (void *)count);
}

void dir_route_put(struct dir_routes *r, const struct auth_route_rule *rule)
{
	struct dir_route *route = calloc(1, sizeof(*route)), *before = dir_route_find(r, rule->to, rule->from);
	char              room[2 * LIMIT_ADDRESS + 1];

	CHECK(route != NULL);
	route->rule = *rule;
	route->rule.to = dir_keep(rule->to);
	route->rule.from = dir_keep(rule->from);
	route->rule.via = dir_keep(rule->via);
	route->rule.hop.source4 = dir_keep(rule->hop.source4);
	route->rule.hop.source6 = dir_keep(rule->hop.source6);
	route->rule.hop.helo = dir_keep(rule->hop.helo);
	route->rule.user = dir_keep(rule->user);
	if (before != NULL)
		dir_route_drop(r, before);
	map_put(&r->rules, key_of(route->rule.to, route->rule.from, room), route);
	count_add(&r->to, route->rule.to, 1);
	count_add(&r->from, route->rule.from, 1);
}

void dir_route_drop(struct dir_routes *r, struct dir_route *route)
{
	char room[2 * LIMIT_ADDRESS + 1];

	map_remove(&r->rules, key_of(route->rule.to, route->rule.from, room));
	count_add(&r->to, route->rule.to, -1);
	count_add(&r->from, route->rule.from, -1);
	route_free(route);
}

/* ---- which match ---- */

struct levels {
	struct str items[LEVELS]; /* patterns, the most specific first; the last is "" */
	size_t     count;
	size_t     domain_end; /* those before it are the address and its domain */
};

static void level_add(struct levels *l, const struct map *there, struct str pattern)
{
	if (l->count < LEVELS && map_find(there, pattern) != NULL)
		l->items[l->count++] = pattern;
}

/* The patterns of rules that an address matches. `address` must live as long as *l. */
static void levels_of(struct levels *l, const struct map *there, struct str address)
{
	struct str domain = str_from(address, (size_t)(str_rfind(address, '@') + 1));

	l->count = 0;
	if (address.n > 0) {
		level_add(l, there, address);
		level_add(l, there, domain);
	}
	l->domain_end = l->count;
	for (size_t i = 1; i < domain.n; i++)
		if (domain.p[i] == '.')
			level_add(l, there, str_from(domain, i));
	level_add(l, there, STR(""));
}

/* ---- attributes ---- */

static bool gives(const struct dir_route *route, enum auth_route_given what)
{
	return (route->rule.given & what) != 0;
}

static unsigned bit_of(enum auth_route_given what)
{
	unsigned i = 0;

	while ((1u << i) != (unsigned)what)
		i++;
	return i;
}

static bool take(struct dir_hop *h, uint32_t *open, const struct dir_route *route, enum auth_route_given what)
{
	if (!(*open & what) || !gives(route, what))
		return false;
	*open &= ~(uint32_t)what;
	h->by[bit_of(what)] = route;
	return true;
}

/* With `via` goes whether and how we sign in there. */
static void take_via(struct dir_hop *h, uint32_t *open, const struct dir_route *route)
{
	h->via = route->rule.via;
	*open &= ~(uint32_t)AUTH_ROUTE_LOGIN;
	if (!gives(route, AUTH_ROUTE_LOGIN))
		return;
	*open &= ~(uint32_t)AUTH_ROUTE_TLS;
	h->by[bit_of(AUTH_ROUTE_LOGIN)] = h->by[bit_of(AUTH_ROUTE_TLS)] = route;
	h->hop.login = route->rule.hop.login;
	h->tls_default = !gives(route, AUTH_ROUTE_TLS);
	h->hop.tls = h->tls_default ? dir_route_login_tls(route->rule.via) : route->rule.hop.tls;
}

static void apply(struct dir_hop *h, uint32_t *open, const struct dir_route *route)
{
	const struct hop *from = &route->rule.hop;

	if (take(h, open, route, AUTH_ROUTE_VIA))
		take_via(h, open, route);
	if (take(h, open, route, AUTH_ROUTE_TLS))
		h->hop.tls = from->tls;
	if (take(h, open, route, AUTH_ROUTE_SOURCE)) {
		h->hop.source4 = from->source4;
		h->hop.source6 = from->source6;
	}
	if (take(h, open, route, AUTH_ROUTE_HELO))
		h->hop.helo = from->helo;
	if (take(h, open, route, AUTH_ROUTE_CONNECTIONS))
		h->hop.connections = from->connections;
	if (take(h, open, route, AUTH_ROUTE_RATE)) {
		h->hop.rate = from->rate;
		h->hop.rate_s = from->rate_s;
	}
}

/* The recipient's domain is relayed: no way from a rule for less than the domain. */
static void apply_domain(struct dir_hop *h, uint32_t *open, const struct dir_hop_ask *ask)
{
	if (!ask->relayed || !(*open & AUTH_ROUTE_VIA))
		return;
	*open &= ~(uint32_t)(AUTH_ROUTE_VIA | AUTH_ROUTE_LOGIN);
	h->via = ask->domain_relay;
	h->by_domain = true;
}

/* Folded, in `room`; what is no address stays as it is. */
static struct str folded(struct str address, struct address_canon *room)
{
	return address.n > 0 && address_canon_of(address, true, room) == ADDRESS_OK ? address_text(room) : address;
}

void dir_hop_find(const struct dir_routes *r, const struct dir_hop_ask *ask, struct dir_hop *ret)
{
	struct address_canon to_room, from_room;
	struct levels        to, from;
	uint32_t             open = AUTH_ROUTE_ALL;
	bool                 domain_done = false;

	*ret = (struct dir_hop){ .via = STR("") };
	if (r->rules.count > 0) {
		levels_of(&to, &r->to, folded(ask->to, &to_room));
		if (ask->null_path) {
			from.count = 0;
			level_add(&from, &r->from, STR("<>"));
			level_add(&from, &r->from, STR(""));
		} else {
			levels_of(&from, &r->from, folded(ask->from, &from_room));
		}
		for (size_t i = 0; i < to.count; i++) {
			if (i == to.domain_end) {
				apply_domain(ret, &open, ask);
				domain_done = true;
			}
			for (size_t k = 0; k < from.count; k++) {
				const struct dir_route *route = dir_route_find(r, to.items[i], from.items[k]);

				if (route != NULL)
					apply(ret, &open, route);
			}
		}
	}
	if (!domain_done)
		apply_domain(ret, &open, ask);
}

struct str dir_hop_relay(const struct dir_hop *hop, struct str address, struct arena *a)
{
	struct str domain = str_from(address, (size_t)(str_rfind(address, '@') + 1));

	if (!str_eq(hop->via, STR("direct")))
		return arena_dup(a, hop->via);
	if (str_starts(domain, STR("[")))
		return STR(""); /* an address has no MX */
	return arena_printf(a, "mx:%.*s", STR_FMT(domain));
}

struct hop dir_hop_dup(struct arena *a, const struct hop *hop)
{
	struct hop copy = *hop;

	copy.source4 = arena_dup(a, hop->source4);
	copy.source6 = arena_dup(a, hop->source6);
	copy.helo = arena_dup(a, hop->helo);
	return copy;
}
