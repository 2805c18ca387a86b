/* guard/guard_admin.c - what administrators ask: the bans, why, lift, add. May wait for guard.db: runs in a pool. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "guard/guard_int.h"

/* ---- list ---- */

static int by_place(const void *a, const void *b)
{
	const struct guard_ban_row *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

static void row_fill(struct arena *a, const struct guard_ban *b, struct guard_ban_row *ret)
{
	char where[GUARD_PLACE_TEXT];

	*ret = (struct guard_ban_row){
		.place = b->place, .where = arena_dup(a, guard_place_print(b->place, where)), .reason = arena_dup(a, str_of(b->reason)),
		.since_ms = b->since_ms, .until_ms = b->until_ms, .count = b->count, .manual = b->manual,
	};
}

/* Holds `lock`. All that come after `after`, sorted; then the first page of them. */
static void bans_list(struct guard *g, struct arena *a, uint64_t after, struct guard_list_reply *ret)
{
	size_t at = 0;
	void  *value;

	ret->bans = ARENA_ARRAY(a, struct guard_ban_row, g->bans.count);
	while (map_next(&g->bans, &at, &(struct str){ 0 }, &value)) {
		const struct guard_ban *b = value;

		if (b->place > after && b->until_ms > guard_wall(g))
			row_fill(a, b, &ret->bans[ret->ban_count++]);
	}
	qsort(ret->bans, ret->ban_count, sizeof(*ret->bans), by_place);
	ret->more = ret->ban_count > LIMIT_LIST_PAGE;
	ret->ban_count = MIN(ret->ban_count, LIMIT_LIST_PAGE);
}

static void alarms_list(struct guard *g, struct arena *a, struct guard_list_reply *ret)
{
	ret->alarms = ARENA_ARRAY(a, struct guard_alarm_row, GUARD_ALARMS);
	for (size_t i = 0; i < GUARD_ALARMS; i++) {
		const struct guard_alarm *al = &g->alarms[i];

		if (al->account != 0)
			ret->alarms[ret->alarm_count++] = (struct guard_alarm_row){
				al->account, arena_dup(a, str_of(al->from)), str_of(al->reason), al->when_ms
			};
	}
}

static void on_list(struct guard *g, struct ipc_request *r)
{
	const struct guard_list_request *q = r->body;
	struct guard_list_reply          reply = { 0 };

	guard_lock(g);
	bans_list(g, r->arena, q->after, &reply);
	if (q->after == 0)
		alarms_list(g, r->arena, &reply);
	guard_unlock(g);
	ipc_reply(r, ST_OK, &reply);
}

/* ---- why ---- */

/* The facts of one answer. */
struct facts {
	struct guard        *g;
	struct arena        *a;
	struct guard_why_reply reply;
};

PRINTF_LIKE(3, 4) static void fact(struct facts *f, const char *name, const char *fmt, ...)
{
	char    text[LIMIT_GUARD_FACT + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (f->reply.fact_count < LIMIT_GUARD_FACTS)
		f->reply.facts[f->reply.fact_count++] = (struct guard_fact){ str_of(name), arena_dup(f->a, str_of(text)) };
}

static void facts_counters(struct facts *f, enum guard_subject subject, uint64_t place, const char *whose)
{
	static const char *const what_names[GUARD_WHATS] = { "connections", "messages", "recipients", "KiB", "failures" };
	struct guard            *g = f->g;
	int64_t                  now = guard_mono(g);
	struct guard_counter    *c =
		guard_counts_find(&g->counts[subject], guard_hash(g, subject, &place, sizeof(place)), now);
	struct buf b;

	buf_init(&b, LIMIT_GUARD_FACT);
	for (unsigned i = 0; c != NULL && i < GUARD_WHATS; i++)
		buf_addf(&b, "%s%llu %s", i > 0 ? ", " : "", (unsigned long long)guard_counter_hour(c, (enum guard_what)i, now), what_names[i]);
	fact(f, whose, "%.*s", STR_FMT(c != NULL ? buf_str(&b) : STR("nothing lately")));
	buf_done(&b);
}

static void facts_ban(struct facts *f, const struct guard_ip *ip)
{
	const uint64_t places[] = { ip->address, ip->network };
	struct guard  *g = f->g;

	for (size_t i = 0; i < LEN(places); i++) {
		const struct guard_ban  *b = map_find_u64(&g->bans, places[i]);
		const struct guard_memo *m = guard_recall(g, GUARD_BANNED, places[i], 0, GUARD_BANNED_MS);
		char                     where[GUARD_PLACE_TEXT];

		guard_place_print(places[i], where);
		if (b != NULL && b->until_ms > guard_wall(g))
			fact(f, "banned", "%s%s: %.*s", where, b->manual ? " by an administrator" : "", STR_FMT(guard_ban_text(f->a, b)));
		if (m != NULL)
			fact(f, "bans lately", "%s: %u", where, m->n);
	}
}

static void facts_lists(struct facts *f, const struct guard_ip *ip)
{
	struct guard *g = f->g;

	for (unsigned i = 0; i < g->zones.count; i++) {
		const struct guard_zone    *z = &g->zones.item[i];
		const struct guard_listing *l = guard_known_find(g, guard_known_key(g, z, ip));

		fact(f, "list", "%s: %s (weight %d)", z->name, l == NULL ? "not asked lately" : guard_zone_match(z, l) ? "listed" : "not listed", z->weight);
	}
	if (g->zones.count > 0)
		fact(f, "score", "%d of %u", guard_score(g, ip, NULL), g->set.dnsbl_threshold);
}

static void facts_grey(struct facts *f, const struct guard_ip *ip)
{
	struct guard             *g = f->g;
	const struct guard_memos *pairs = &g->memos[GUARD_PAIR];
	const struct guard_memo  *good = guard_recall(g, GUARD_GOOD, ip->network, 0, GUARD_GOOD_MS);
	unsigned                  waiting = 0;

	for (size_t i = 0; i < (size_t)pairs->sets * 8; i++)
		waiting += pairs->rows[i].a == ip->network && pairs->rows[i].b != 0;
	if (good != NULL)
		fact(f, "greylist", "network is known-good until %.*s", STR_FMT(guard_time(f->a, good->last_ms + GUARD_GOOD_MS)));
	else
		fact(f, "greylist", "%s, %u sender domain%s of this network must try again", g->set.greylist ? "on" : "off", waiting, waiting == 1 ? "" : "s");
}

static void facts_exempt(struct facts *f, const struct guard_ip *ip)
{
	const struct guard_memo *m = guard_recall(f->g, GUARD_SIGNIN, ip->address, 0, GUARD_SIGNIN_MS);
	const char              *why = guard_free(f->g, ip);

	if (why != NULL)
		fact(f, "exempt", "from everything that is about peers: %s", why);
	if (m != NULL)
		fact(f, "exempt", "from bans: somebody signed in there, last about %.*s", STR_FMT(guard_time(f->a, m->last_ms)));
	if (why == NULL && m == NULL)
		fact(f, "exempt", "no");
}

static void on_why(struct guard *g, struct ipc_request *r)
{
	const struct guard_why_request *q = r->body;
	struct facts                    f = { .g = g, .a = r->arena };
	struct guard_ip                 ip;
	char                            text[GUARD_PLACE_TEXT];

	if (!guard_ip_parse(q->address, &ip)) {
		ipc_reply(r, ST_INVALID, NULL);
		return;
	}
	f.reply.facts = ARENA_ARRAY(r->arena, struct guard_fact, LIMIT_GUARD_FACTS);
	guard_lock(g);
	fact(&f, "address", "%s", guard_place_print(ip.address, text).p);
	facts_ban(&f, &ip);
	facts_exempt(&f, &ip);
	facts_counters(&f, GUARD_ADDRESS, ip.address, "address, last hour");
	facts_counters(&f, GUARD_NETWORK, ip.network, "network, last hour");
	if (g->set.ban_failures > 0)
		fact(&f, "ban limit", "%u failures per hour", g->set.ban_failures);
	facts_lists(&f, &ip);
	facts_grey(&f, &ip);
	guard_unlock(g);
	ipc_reply(r, ST_OK, &f.reply);
}

/* ---- lift, add ---- */

/* The ban, and what would bring it back at the next failure. Holds `lock`. */
static void lift(struct guard *g, uint64_t place)
{
	enum guard_subject    subject = guard_place_wide(place) ? GUARD_NETWORK : GUARD_ADDRESS;
	struct guard_counter *c =
		guard_counts_find(&g->counts[subject], guard_hash(g, subject, &place, sizeof(place)), guard_mono(g));
	struct guard_memo    *m = guard_memos_find(&g->memos[GUARD_BANNED], place, 0);

	guard_ban_drop(g, place);
	if (c != NULL)
		guard_counter_forget(c, GUARD_FAILURES);
	if (m != NULL)
		guard_memos_forget(&g->memos[GUARD_BANNED], m);
}

static uint64_t lift_all(struct guard *g)
{
	uint64_t n = 0;
	size_t   at = 0;
	void    *value;

	while (map_next(&g->bans, &at, &(struct str){ 0 }, &value)) {
		lift(g, ((struct guard_ban *)value)->place);
		n++;
	}
	return n;
}

static void on_lift(struct guard *g, struct ipc_request *r)
{
	const struct guard_lift_request *q = r->body;
	struct guard_lift_reply          reply = { 0 };
	uint64_t                         place = 0;
	enum status                      st = ST_OK;

	if (q->where.n > 0 && !guard_place_parse(q->where, &place)) {
		ipc_reply(r, ST_INVALID, NULL);
		return;
	}
	guard_lock(g);
	if (q->where.n == 0) {
		reply.count = lift_all(g);
	} else if (map_find_u64(&g->bans, place) != NULL) {
		lift(g, place);
		reply.count = 1;
	} else {
		st = ST_NOT_FOUND;
	}
	guard_unlock(g);
	log_info("ban lifted", LOG_STR("peer", q->where.n > 0 ? q->where : STR("all")), LOG_U64("count", reply.count));
	if (st == ST_OK)
		st = guard_save(g);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

/* Why a place may not be banned by hand: it, or some part of it, is exempt. Holds `lock`. */
static const char *add_exempt(struct guard *g, struct str where, uint64_t place)
{
	struct guard_ip ip;
	struct str      address;

	str_cut(where, '/', &address, &(struct str){ 0 });
	return !guard_place_wide(place) && guard_ip_parse(address, &ip) ? guard_unbannable(g, &ip) : NULL;
}

static void on_add(struct guard *g, struct ipc_request *r)
{
	const struct guard_add_request *q = r->body;
	struct guard_add_reply          reply = { 0 };
	struct guard_ban                ban = { .count = 1, .manual = true };
	enum status                     st = ST_OK;

	if (!guard_place_parse(q->where, &ban.place) || q->seconds == 0 || q->seconds > LIMIT_GUARD_BAN_S || str_has_ctl(q->reason) ||
	    !str_to_c(q->reason, ban.reason, sizeof(ban.reason))) {
		ipc_reply(r, ST_INVALID, NULL);
		return;
	}
	guard_lock(g);
	ban.since_ms = guard_wall(g);
	ban.until_ms = reply.until_ms = ban.since_ms + (int64_t)q->seconds * 1000;
	reply.exempt = str_of(add_exempt(g, q->where, ban.place));
	if (reply.exempt.n == 0)
		guard_ban_put(g, &ban);
	guard_unlock(g);
	if (reply.exempt.n == 0) {
		log_info("banned", LOG_STR("peer", q->where), LOG_C("reason", ban.reason), LOG_U64("seconds", q->seconds));
		st = guard_save(g);
	}
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

void guard_admin(struct guard *g, struct ipc_request *r)
{
	switch ((unsigned)r->id) {
	case IPC_GUARD_LIST: on_list(g, r); break;
	case IPC_GUARD_WHY: on_why(g, r); break;
	case IPC_GUARD_LIFT: on_lift(g, r); break;
	case IPC_GUARD_ADD: on_add(g, r); break;
	default: ipc_reply(r, ST_INVALID, NULL);
	}
}
