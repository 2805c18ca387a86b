/* directory/directory_route.c - the dry run: the walk of an address, told step by step. */
#include <stdarg.h>
#include <stdio.h>

#include "directory/directory_walk.h"
#include "directory/probe_known.h"

void dir_say(struct dir_walk *w, const char *what, const char *fmt, ...)
{
	char    text[LIMIT_ROUTE_TEXT];
	va_list ap;
	int     n;

	if (w->trail == NULL || w->trail->count == LIMIT_ROUTE_STEPS)
		return;
	if (w->trail->count == LIMIT_ROUTE_STEPS - 1) {
		w->trail->steps[w->trail->count++] = (struct auth_route_step){ STR("more"), STR("steps that are not shown") };
		return;
	}
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->trail->steps[w->trail->count++] = (struct auth_route_step){
		str_of(what), arena_dup(w->trail->a, str_n(text, (size_t)MIN(MAX(n, 0), (int)sizeof(text) - 1)))
	};
}

/* The account that a reverse-path of ours stands for, as if it were signed in. */
static uint64_t account_of(struct dir_walk *w, struct str from)
{
	struct dir_walk sub;
	struct arena   *a = arena_new(NULL);
	uint64_t        account = 0;

	dir_walk_init(&sub, w->d, a, from);
	if (sub.from_ours && dir_walk_address(&sub, from) == ST_OK && sub.count == 1)
		account = sub.targets[0].account;
	dir_walk_done(&sub);
	arena_free(&a);
	return account;
}

/* A foreign recipient: for whom does it go out? */
static void route_foreign(struct dir_walk *w, const struct auth_route_request *q, const struct dir_writer *writer,
			  struct auth_route_reply *r)
{
	bool may = q->anyone || writer->account != 0;

	r->kind = AUTH_RCPT_FOREIGN;
	r->refused = !may;
	dir_say(w, "domain", "not one of ours: relayed only for who is signed in");
	r->text = may ? STR("goes out, for senders who are signed in") : STR("refused: relaying for a stranger");
}

static void route_relay(struct dir_walk *w, struct str address, const struct dir_domain *dom, struct auth_route_reply *r)
{
	r->kind = AUTH_RCPT_RELAY;
	r->text = STR("taken for its own host");
	if (dom->verify != AUTH_VERIFY_PROBE)
		return;
	switch (probe_known_find(w->d->probes, address, dir_mono_ms(w->d))) {
	case PROBE_EXISTS: dir_say(w, "verify", "its host said that it is there"); break;
	case PROBE_UNKNOWN:
		dir_say(w, "verify", "its host said that there is nobody");
		r->kind = AUTH_RCPT_UNKNOWN;
		r->text = STR("unknown at its own host");
		break;
	case PROBE_LATER:
		dir_say(w, "verify", "its host could not be asked a moment ago");
		r->kind = AUTH_RCPT_LATER;
		r->text = STR("deferred: it cannot be verified now");
		break;
	case PROBE_ASK:
		dir_say(w, "verify", "its host would be asked first");
		r->kind = AUTH_RCPT_PROBE;
		r->text = STR("taken for its own host, if that says that it is there");
		break;
	}
}

static void route_own(struct dir_walk *w, enum status st, struct auth_route_reply *r)
{
	if (st == ST_LIMIT) {
		dir_say(w, "limit", "its aliases lead in a circle, or to too many");
		r->kind = AUTH_RCPT_CLOSED;
		r->text = STR("deferred: its aliases must be repaired");
	} else if (w->count == 0) {
		r->kind = AUTH_RCPT_UNKNOWN;
		r->text = STR("unknown: there is nobody");
	} else if (w->refused) {
		r->kind = AUTH_RCPT_REFUSED;
		r->text = STR("refused: the list is closed to this sender");
	} else if (w->open) {
		r->kind = AUTH_RCPT_LOCAL;
		r->text = STR("delivered");
	} else {
		r->kind = w->full ? AUTH_RCPT_FULL : AUTH_RCPT_CLOSED;
		r->text = w->full ? STR("deferred: the mailbox is full") : STR("deferred: the account is disabled");
	}
}

static enum status route(struct dir_walk *w, const struct auth_route_request *q, struct auth_route_reply *r)
{
	struct dir_writer    writer = { .from = q->from };
	struct address_canon canon;
	struct dir_domain   *dom;
	enum status          st;

	if (dir_canon(w->d, q->address, &canon, &dom) != ADDRESS_OK || (q->from.n > 0 && w->from.n == 0))
		return ST_INVALID;
	writer.account = q->from.n > 0 ? account_of(w, q->from) : 0;
	w->writer = &writer;
	if (!str_eq(q->address, address_text(&canon)))
		dir_say(w, "address", "%.*s, in its canonical form", STR_FMT(address_text(&canon)));
	if (writer.account != 0)
		dir_say(w, "sender", "%.*s, signed in", STR_FMT(q->from));
	else if (!q->anyone)
		dir_say(w, "sender", "%.*s%s", STR_FMT(q->from.n > 0 ? q->from : STR("the null reverse-path")),
			q->from.n > 0 ? ", a stranger" : "");
	if (dom != NULL)
		dir_say(w, "domain", "%.*s is %s", STR_FMT(dom->name), dom->kind == AUTH_DOMAIN_LOCAL ? "ours" : "one that we relay for");
	st = dir_walk_recipient(w, q->address);
	if (st != ST_OK && st != ST_LIMIT)
		return st;
	if (dom == NULL)
		route_foreign(w, q, &writer, r);
	else if (dom->kind == AUTH_DOMAIN_RELAY)
		route_relay(w, address_text(&canon), dom, r);
	else
		route_own(w, st, r);
	return ST_OK;
}

enum status directory_route(struct directory *d, const struct auth_route_request *q, struct arena *a, struct auth_route_reply *ret)
{
	struct dir_trail        trail = { .a = a, .steps = ARENA_ARRAY(a, struct auth_route_step, LIMIT_ROUTE_STEPS) };
	struct auth_route_reply r = { 0 };
	struct dir_walk         w;
	enum status             st;

	pthread_rwlock_rdlock(&d->lock);
	dir_walk_init(&w, d, a, q->from);
	w.trail = &trail;
	if (q->anyone)
		w.null_path = false;
	st = route(&w, q, &r);
	pthread_rwlock_unlock(&d->lock);
	dir_walk_done(&w);
	if (st != ST_OK)
		return st;
	r.steps = trail.steps;
	r.step_count = trail.count;
	r.targets = w.targets;
	r.target_count = w.count;
	*ret = r;
	return ST_OK;
}
