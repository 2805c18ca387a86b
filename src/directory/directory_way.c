/* directory/directory_way.c - by which way a foreign address is reached: the rules of routes, for whoever walks to it or asks again. */
#include <stdio.h>

#include "directory/directory_rule.h"
#include "directory/directory_walk.h"

/* ---- told by the dry run ---- */

static void say_one(struct dir_walk *w, const struct dir_hop *h, enum auth_route_given what, struct str value)
{
	const struct dir_route *by = NULL;
	struct str              to, from;

	for (unsigned i = 0; i < DIR_ROUTE_ATTRIBUTES; i++)
		if ((1u << i) == (unsigned)what)
			by = h->by[i];
	if (by == NULL)
		return;
	to = dir_route_shown(by->rule.to);
	from = dir_route_shown(by->rule.from);
	dir_say(w, "route", "%.*s: rule to %.*s from %.*s", STR_FMT(value), STR_FMT(to), STR_FMT(from));
}

static void say(struct dir_walk *w, const struct dir_hop *h, struct str relay)
{
	struct arena *a = w->trail->a;

	say_one(w, h, AUTH_ROUTE_VIA, arena_printf(a, "next hop %.*s", STR_FMT(relay)));
	if (h->by_domain && h->via.n > 0)
		dir_say(w, "route", "next hop %.*s: the relay of the domain", STR_FMT(h->via));
	say_one(w, h, AUTH_ROUTE_LOGIN, h->hop.login > 0 ? arena_printf(a, "signs in there") : STR(""));
	say_one(w, h, AUTH_ROUTE_TLS, arena_printf(a, "tls %s%s", dir_route_tls_word(h->hop.tls), h->tls_default ? ", because it signs in" : ""));
	say_one(w, h, AUTH_ROUTE_SOURCE, arena_printf(a, "source %.*s%s%.*s", STR_FMT(h->hop.source4), h->hop.source4.n && h->hop.source6.n ? " " : "", STR_FMT(h->hop.source6)));
	say_one(w, h, AUTH_ROUTE_HELO, arena_printf(a, "helo %.*s", STR_FMT(h->hop.helo)));
	say_one(w, h, AUTH_ROUTE_CONNECTIONS, arena_printf(a, "connections %u", h->hop.connections));
	say_one(w, h, AUTH_ROUTE_RATE, arena_printf(a, "rate %u in %us", h->hop.rate, h->hop.rate_s));
}

/* ---- looked up ---- */

static void find(const struct directory *d, struct str address, const struct dir_domain *dom, struct str from, bool null_path, struct dir_hop *ret)
{
	const struct dir_hop_ask ask = {
		.to = address,
		.from = from,
		.null_path = null_path,
		.relayed = dom != NULL && dom->kind == AUTH_DOMAIN_RELAY,
		.domain_relay = dom != NULL ? dom->relay : STR(""),
	};

	dir_hop_find(&d->routes, &ask, ret);
}

void dir_way(struct dir_walk *w, struct auth_target *t, const struct dir_domain *dom)
{
	struct dir_hop h;

	find(w->d, t->address, dom, address_text(&w->from), w->null_path, &h);
	t->relay = dir_hop_relay(&h, t->address, w->a);
	t->hop = h.hop;
	if (w->trail != NULL)
		say(w, &h, t->relay);
}

enum status directory_hop(struct directory *d, const struct auth_hop_request *q, struct arena *a, struct auth_hop_reply *ret)
{
	struct address_canon to, from;
	struct dir_domain   *dom, *from_domain;
	struct dir_hop       h;
	enum status          st = ST_OK;
	bool                 known;

	pthread_rwlock_rdlock(&d->lock);
	known = q->from.n > 0 && dir_canon(d, q->from, &from, &from_domain) == ADDRESS_OK;
	if (dir_canon(d, q->address, &to, &dom) != ADDRESS_OK) {
		st = ST_INVALID;
	} else if (dom != NULL && dom->kind == AUTH_DOMAIN_LOCAL) {
		st = ST_NOT_FOUND;
	} else {
		find(d, address_text(&to), dom, known ? address_text(&from) : STR(""), q->from.n == 0, &h);
		ret->relay = dir_hop_relay(&h, address_text(&to), a);
		ret->hop = dir_hop_dup(a, &h.hop);
	}
	pthread_rwlock_unlock(&d->lock);
	return st;
}
