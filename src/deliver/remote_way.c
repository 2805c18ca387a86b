/* deliver/remote_way.c - contract is in remote_way.h. */
#include "deliver/remote_way.h"

#include <errno.h>
#include <string.h>

#include "base/metric.h"
#include "deliver/remote_connect.h"
#include "deliver/remote_hosts.h"
#include "deliver/remote_pool.h"
#include "sys/clock.h"

bool remote_ways_open(struct remote_ways *w, struct remote_outcome *ret_why)
{
	return remote_route_open(&w->route, w->remote, w->arena, w->q, ret_why);
}

/* ---- targets ---- */

static bool avoided(const struct remote_ways *w, const struct remote_target *target)
{
	if (w->probe)
		return remote_hosts_marked(w->remote->hosts, target, REMOTE_HOST_SUSPECT);
	return remote_hosts_avoid(w->remote->hosts, target);
}

static void suspect(const struct remote_ways *w, const struct remote_target *target)
{
	if (!w->probe)
		remote_hosts_mark(w->remote->hosts, target, REMOTE_HOST_SUSPECT);
}

/* What became of a connection is known, or will not be. */
static void settled(const struct remote_ways *w, const struct remote_target *target)
{
	remote_hosts_clear(w->remote->hosts, target, REMOTE_HOST_TRIED);
}

static const struct remote_target *target_next(struct remote_ways *w)
{
	const struct remote_target *target = w->again;

	w->again = NULL;
	if (target)
		return target;
	while ((target = remote_route_next(&w->route)) != NULL) {
		if (w->later_count == LEN(w->later) || !avoided(w, target))
			return target;
		w->later[w->later_count++] = target;
	}
	if (w->later_count == 0)
		return NULL;
	target = w->later[0];
	memmove(w->later, w->later + 1, --w->later_count * sizeof(w->later[0]));
	return target;
}

/* `beside`: a connection is under way, and nobody looks at it meanwhile. A policy that must be fetched first is waited for as long as another
 * address would be; *ret_late: it takes longer, and is fetched beside (remote_sts.h). What was found then holds for nothing. */
static bool policy_find(struct remote_ways *w, const struct remote_target *target, bool beside, struct remote_policy *policy, bool *ret_late,
			struct remote_outcome *ret_why)
{
	struct remote           hurried = *w->remote;
	struct remote_timeouts *t = &hurried.settings.timeouts;
	bool                    ok;

	t->policy_ms = MIN(t->policy_ms, t->beside_ms);
	w->route.remote = beside ? &hurried : w->remote;
	ok = remote_policy_find(&w->route, target, w->q, w->arena, policy, ret_why);
	w->route.remote = w->remote;
	*ret_late = beside && target->at->sts && target->at->sts->late;
	if (*ret_late)
		target->at->sts = NULL;
	return ok;
}

/* One that its policy lets have the message. False: there is none; or none now, as the next (`again`) must wait for its policy. */
static bool candidate_next(struct remote_ways *w, bool beside, struct remote_way *ret)
{
	const struct remote_target *target;

	while (clock_mono_ms() < w->deadline_ms && (target = target_next(w)) != NULL) {
		struct remote_policy *policy = ARENA_NEW(w->arena, struct remote_policy);
		struct remote_outcome why;
		bool                  late, fits = policy_find(w, target, beside, policy, &late, &why);

		*ret = (struct remote_way){ target, policy, NULL, -1 };
		if (late) {
			w->again = target;
			return false;
		}
		if (fits)
			return true;
		w->failed(w->ctx, STR(""), false, why);
	}
	return false;
}

/* ---- connections ---- */

struct remote_session *remote_ways_kept(const struct remote_ways *w, const struct remote_target *target, const struct remote_policy *policy)
{
	const struct hop *hop = &w->q->hop;

	if (!w->remote->pool)
		return NULL;
	return remote_pool_take(w->remote->pool, remote_pool_key(w->arena, target, policy, hop, remote_session_helo(w->remote, hop)));
}

/* `tried`: it is not that our own deadline left it no time. */
static void lost(struct remote_ways *w, const struct remote_target *target, const struct remote_connect_why *why, bool tried)
{
	settled(w, target);
	if (tried && !why->ours)
		suspect(w, target);
	w->failed(w->ctx, remote_connect_name(w->arena, target), !why->ours,
		  remote_connect_outcome(w->arena, remote_connect_source(target, &w->q->hop), why));
}

/* While it was looked for somebody has won: it stands in front then, for the case that the winner is of no use. */
static bool won_meanwhile(struct remote_ways *w, struct remote_race *race, struct remote_way *way)
{
	struct remote_attempt got;

	if (!remote_race_won(race, &got))
		return false;
	w->again = way->target;
	*way = (struct remote_way){ got.target, got.policy, NULL, got.fd };
	return true;
}

/* True: a session waits for it, and nothing more is needed. */
static bool candidate_start(struct remote_ways *w, struct remote_race *race, struct remote_way *way)
{
	int64_t                   left = w->deadline_ms - clock_mono_ms();
	struct remote_connect_why why;

	way->kept = remote_ways_kept(w, way->target, way->policy);
	if (way->kept)
		return true;
	metric_add(METRIC_REMOTE_CONNECTIONS, 1);
	w->connects++;
	if (!remote_race_start(race, way->target, way->policy, remote_connect_source(way->target, &w->q->hop),
			       (unsigned)MIN(MAX(left, (int64_t)1), (int64_t)w->remote->settings.timeouts.connect_ms), &why))
		lost(w, way->target, &why, true);
	else if (!w->probe)
		remote_hosts_mark(w->remote->hosts, way->target, REMOTE_HOST_TRIED);
	return false;
}

/* Somebody has won: the slow ones are as if they had failed, but may be tried once more if the winner is of no use. */
static void race_over(struct remote_ways *w, const struct remote_race *race)
{
	for (size_t i = 0; i < race->count; i++) {
		const struct remote_attempt *a = &race->attempts[i];

		settled(w, a->target);
		if (remote_attempt_slow(race, a)) {
			suspect(w, a->target);
			CHECK(w->later_count < LEN(w->later)); /* each target is there once */
			w->slow(w->ctx, remote_connect_name(w->arena, a->target), clock_mono_ms() - a->began_ms);
			w->later[w->later_count++] = a->target;
		} else {
			CHECK(!w->again); /* another is only looked for when all are slow */
			w->again = a->target; /* the youngest: only one has not been slow */
		}
	}
}

static bool asker_gone(const struct remote_ways *w)
{
	return w->asker && w->asker->gone(w->asker->ctx);
}

bool remote_ways_next(struct remote_ways *w, struct remote_way *ret)
{
	struct remote_race        race = { .beside_ms = w->remote->settings.timeouts.beside_ms };
	struct remote_attempt     got;
	struct remote_connect_why why;
	bool                      more = true, found = false;

	while (!found) {
		bool slow = remote_race_slow(&race);

		if (more && slow && remote_race_place(&race)) {
			more = candidate_next(w, race.count > 0, ret);
			found = more && (won_meanwhile(w, &race, ret) || candidate_start(w, &race, ret));
			continue;
		}
		if (race.count == 0)
			break;
		/* Slow by now: there is no place, and only those under way can make one. */
		switch (remote_race_wait(&race, more && !slow && remote_race_room(&race), &got, &why)) {
		case REMOTE_RACE_WON:
			*ret = (struct remote_way){ got.target, got.policy, NULL, got.fd };
			found = true;
			break;
		case REMOTE_RACE_LOST:
			lost(w, got.target, &why, why.err != ETIMEDOUT || remote_attempt_slow(&race, &got));
			more = more || w->again;
			break;
		case REMOTE_RACE_SLOW: break;
		}
		if (!found && asker_gone(w))
			break;
	}
	if (found) {
		settled(w, ret->target);
		race_over(w, &race);
	}
	remote_race_end(&race);
	return found;
}
