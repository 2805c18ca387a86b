/* guard/guard_ban.c - bans: what leads to one, how long it lasts, whom it hits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/metric.h"
#include "guard/guard_int.h"

struct str guard_time(struct arena *a, int64_t wall_ms)
{
	time_t    t = (time_t)(wall_ms / 1000);
	struct tm tm;
	char      text[40];

	if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		return STR("an unknown time");
	return arena_dup(a, str_of(text));
}

struct str guard_ban_text(struct arena *a, const struct guard_ban *b)
{
	return arena_printf(a, "banned until %.*s: %s", STR_FMT(guard_time(a, b->until_ms)), b->reason);
}

void guard_ban_drop(struct guard *g, uint64_t place)
{
	struct guard_ban *b = map_remove_u64(&g->bans, place);

	g->bans_changed |= b != NULL;
	free(b);
	metric_set(METRIC_GUARD_BANS, g->bans.count);
}

/* A live one. */
static struct guard_ban *find(struct guard *g, uint64_t place)
{
	struct guard_ban *b = map_find_u64(&g->bans, place);

	return b != NULL && b->until_ms > guard_wall(g) ? b : NULL;
}

const struct guard_ban *guard_ban_of(struct guard *g, const struct guard_ip *ip)
{
	struct guard_ban *b = g->bans.count > 0 ? find(g, ip->address) : NULL;

	if (b == NULL && g->bans.count > 0)
		b = find(g, ip->network);
	return b != NULL && guard_unbannable(g, ip) == NULL ? b : NULL;
}

static struct guard_ban *ends_first(struct guard *g)
{
	struct guard_ban *first = NULL;
	size_t            at = 0;
	void             *value;

	while (map_next(&g->bans, &at, &(struct str){ 0 }, &value)) {
		struct guard_ban *b = value;

		if (first == NULL || b->until_ms < first->until_ms)
			first = b;
	}
	return first;
}

struct guard_ban *guard_ban_put(struct guard *g, const struct guard_ban *ban)
{
	struct guard_ban *b = map_find_u64(&g->bans, ban->place);

	if (b == NULL) {
		if (g->bans.count >= LIMIT_GUARD_BANS)
			guard_ban_drop(g, ends_first(g)->place);
		b = calloc(1, sizeof(*b));
		CHECK(b != NULL);
		map_put_u64(&g->bans, ban->place, b);
	}
	*b = *ban;
	g->bans_changed = true;
	metric_set(METRIC_GUARD_BANS, g->bans.count);
	return b;
}

void guard_bans_expire(struct guard *g)
{
	int64_t now = guard_wall(g);
	size_t  at = 0;
	void   *value;

	while (map_next(&g->bans, &at, &(struct str){ 0 }, &value)) {
		struct guard_ban *b = value;

		if (b->until_ms <= now)
			guard_ban_drop(g, b->place);
	}
}

/* Each ban of a place within a month of the last is twice as long. */
static int64_t time_of(const struct guard *g, uint32_t count)
{
	int64_t ms = (int64_t)g->set.ban_first_s * 1000, most = (int64_t)g->set.ban_max_s * 1000;

	for (uint32_t i = 1; i < count && ms < most; i++)
		ms *= 2;
	return MIN(ms, most);
}

static void start(struct guard *g, uint64_t place, const char *why)
{
	int64_t            now = guard_wall(g);
	struct guard_memo *m = guard_recall(g, GUARD_BANNED, place, 0, GUARD_BANNED_MS);
	struct guard_ban   ban = { .place = place, .since_ms = now, .count = m != NULL ? m->n + 1 : 1 };
	char               where[GUARD_PLACE_TEXT];

	ban.until_ms = now + time_of(g, ban.count);
	snprintf(ban.reason, sizeof(ban.reason), "%s", why);
	m = guard_memos_get(&g->memos[GUARD_BANNED], place, 0, now);
	m->n = ban.count;
	m->last_ms = ban.until_ms;
	guard_memos_touch(&g->memos[GUARD_BANNED], m);
	guard_ban_put(g, &ban);
	log_warn("banned", LOG_STR("peer", guard_place_print(place, where)), LOG_C("reason", ban.reason), LOG_U64("count", ban.count),
		 LOG_I64("seconds", (ban.until_ms - now) / 1000));
}

/* Many banned addresses of one network: it is banned as a whole. Addresses that signed in are let through all the same. */
static void network_check(struct guard *g, uint64_t network)
{
	size_t   at = 0;
	void    *value;
	uint32_t n = 0;
	char     why[LIMIT_GUARD_REASON];

	if (g->set.ban_network == 0 || find(g, network) != NULL)
		return;
	while (map_next(&g->bans, &at, &(struct str){ 0 }, &value)) {
		struct guard_ban *b = value;

		n += b->place != network && guard_place_around(b->place) == network && b->until_ms > guard_wall(g);
	}
	if (n < g->set.ban_network)
		return;
	snprintf(why, sizeof(why), "%u addresses of this network are banned", n);
	start(g, network, why);
}

void guard_failed(struct guard *g, const struct guard_ip *ip, uint32_t n, const char *reason)
{
	struct guard_counter *c = guard_count(g, GUARD_ADDRESS, ip->address);
	char                  why[LIMIT_GUARD_REASON];
	uint64_t              failures;

	guard_counter_add(c, GUARD_FAILURES, n);
	failures = guard_counter_hour(c, GUARD_FAILURES, guard_mono(g));
	guard_counter_add(guard_count(g, GUARD_NETWORK, ip->network), GUARD_FAILURES, n);
	if (g->set.ban_failures == 0 || failures < g->set.ban_failures || find(g, ip->address) != NULL ||
	    guard_unbannable(g, ip) != NULL)
		return;
	snprintf(why, sizeof(why), "%llu failures within an hour, the last: %s", (unsigned long long)failures, reason);
	start(g, ip->address, why);
	network_check(g, ip->network);
}
