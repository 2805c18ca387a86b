/* deliver/remote_sts.c - the cache; the contract is in remote_sts.h.
 *
 * One lock for all entries, held for look-ups only, never while something is asked. An entry that somebody is looking for (`busy`), waits
 * for or that stands in line is pinned: it is not evicted.
 *
 *   EMPTY --a delivery looks (a probe: has it looked for)--> busy --> POLICY   used until max_age; record or policy due: in line for a refresh
 *                                    --> NONE     until none_until_ms, then as EMPTY
 *   POLICY --refresh--> busy --> POLICY (new, or the old one if there is no better)         POLICY, max_age over --> as EMPTY
 */
#include "deliver/remote_sts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "deliver/remote.h"
#include "deliver/remote_sts_in.h"
#include "sys/clock.h"
#include "trust/trust_sts.h"
#include "wire/address/address.h"

#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define RECORD_MS (60 * MINUTE_MS) /* between two looks at the record of a policy in use */
#define AGAIN_MS  (5 * MINUTE_MS)  /* after a failed fetch: RFC 8461 §3.3 */
#define UNSURE_MS (MINUTE_MS)      /* after DNS gave no answer, or auth could not say whether it has a policy */
#define LEAST_S   60u              /* a policy is used for so long even if max_age says less: no fetch per message */
#define LOOK_MS   60000u           /* who waits for less does not look himself */
#define THREADS   4u               /* refreshes at once */

struct entry {
	struct entry        *newer, *older;  /* by use */
	struct entry        *next;           /* in line */
	struct str           domain, text;   /* heap; text "": no policy */
	char                 id[LIMIT_STS_ID];
	size_t               id_n;
	uint32_t             max_age_s;
	int64_t              fetched_ms;     /* monotonic */
	int64_t              record_ms;      /* when the record is due */
	int64_t              none_until_ms;
	enum tlsrpt_result   trouble;
	unsigned             pins;
	bool                 busy, lined;
	bool                 unsure; /* auth could not be asked: there may be a policy */
};

struct remote_sts_cache {
	struct remote_sts_options options;
	pthread_mutex_t           lock;
	pthread_cond_t            looked; /* an entry is no longer busy */
	pthread_cond_t            work;
	struct map                entries;
	struct entry             *newest, *oldest;
	struct entry             *line, **line_end; /* first looks of those in a hurry, and refreshes */
	struct remote             remote;           /* of the last delivery that put one in line; by value, as it may be gone by then */
	size_t                    line_n, octets;
	pthread_t                 threads[THREADS];
	unsigned                  thread_count;
	bool                      stopping;
};

/* ---- entries, by use ---- */

static void unlink_entry(struct remote_sts_cache *c, struct entry *e)
{
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void link_newest(struct remote_sts_cache *c, struct entry *e)
{
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

static struct str copy(struct str s)
{
	char *p = malloc(s.n + 1);

	CHECK(p); /* out of memory */
	memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

static void text_set(struct remote_sts_cache *c, struct entry *e, struct str text)
{
	c->octets -= e->text.n;
	free((void *)(uintptr_t)e->text.p);
	e->text = text.n > 0 ? copy(text) : STR_NONE;
	c->octets += e->text.n;
}

static void entry_free(struct remote_sts_cache *c, struct entry *e)
{
	(void)map_remove(&c->entries, e->domain);
	unlink_entry(c, e);
	text_set(c, e, STR_NONE);
	free((void *)(uintptr_t)e->domain.p);
	free(e);
}

/* A policy that is lost here is still in auth. */
static void make_room(struct remote_sts_cache *c)
{
	struct entry *e = c->oldest, *newer;

	for (; e && (c->entries.count > LIMIT_STS_CACHED || c->octets > LIMIT_STS_CACHED_OCTETS); e = newer) {
		newer = e->newer;
		if (e->pins == 0)
			entry_free(c, e);
	}
}

static struct entry *entry_get(struct remote_sts_cache *c, struct str domain)
{
	struct entry *e = map_find(&c->entries, domain);

	if (e) {
		unlink_entry(c, e);
	} else {
		e = calloc(1, sizeof(*e));
		CHECK(e); /* out of memory */
		e->domain = copy(domain);
		map_put(&c->entries, e->domain, e);
	}
	link_newest(c, e);
	e->pins++;
	make_room(c);
	return e;
}

/* ---- what an entry says ---- */

static enum trust_sts_age age(const struct entry *e, int64_t now)
{
	return e->text.n > 0 ? trust_sts_age(now - e->fetched_ms, MAX(e->max_age_s, LEAST_S)) : TRUST_STS_EXPIRED;
}

/* Holds the lock. */
static void told(const struct entry *e, int64_t now, struct arena *a, struct remote_sts *ret)
{
	if (age(e, now) == TRUST_STS_EXPIRED) {
		ret->trouble = e->trouble;
		ret->unsure = e->unsure;
		return;
	}
	ret->text = arena_dup(a, e->text);
}

static void unfold(struct arena *a, struct remote_sts *ret)
{
	struct sts_policy p = { 0 };
	struct str        rest = ret->text, *mx;

	CHECK(sts_policy_parse(ret->text, &p) == STS_POLICY_OK);
	ret->mode = p.mode;
	ret->mx = mx = ARENA_ARRAY(a, struct str, p.mx_count);
	while (ret->mx_count < p.mx_count && sts_policy_mx(&rest, &mx[ret->mx_count]))
		ret->mx_count++;
}

/* ---- looking ---- */

static void policy_set(struct remote_sts_cache *c, struct entry *e, struct str id, struct str text, uint32_t max_age_s, int64_t fetched_ms)
{
	text_set(c, e, text);
	e->id_n = MIN(id.n, sizeof(e->id));
	memcpy(e->id, id.p, e->id_n);
	e->max_age_s = max_age_s;
	e->fetched_ms = fetched_ms;
	e->trouble = TLSRPT_SUCCESS;
	e->none_until_ms = 0;
	e->unsure = false;
}

/* Sooner for a policy that does not last so long. */
static int64_t record_again(const struct entry *e)
{
	return MIN(RECORD_MS, (int64_t)MAX(e->max_age_s, LEAST_S) * SECOND_MS / 2);
}

/* Holds the lock. What was learnt never makes a policy in use looser: only another policy takes its place. */
static void look_take(struct remote_sts_cache *c, struct entry *e, const struct sts_look *l, bool unsure)
{
	const int64_t now = c->options.mono_ms();
	int64_t       again = AGAIN_MS;

	switch (l->found) {
	case STS_FOUND_POLICY: policy_set(c, e, l->id, l->text, l->policy.max_age_s, now); again = record_again(e); break;
	case STS_FOUND_SAME: again = record_again(e); break;
	case STS_FOUND_NOTHING: again = MIN(MAX((int64_t)l->ttl_s * SECOND_MS, AGAIN_MS), RECORD_MS); break;
	case STS_FOUND_FAILED: break;
	case STS_FOUND_UNKNOWN: again = UNSURE_MS; break;
	}
	e->record_ms = now + again;
	if (age(e, now) != TRUST_STS_EXPIRED)
		return;
	text_set(c, e, STR_NONE);
	e->trouble = l->trouble;
	e->unsure = unsure;
	e->none_until_ms = now + (unsure ? MIN(again, UNSURE_MS) : again);
}

/* Is there one from before the last restart? ST_TEMP: nobody knows. */
static enum status recall(struct remote_sts_cache *c, struct entry *e, struct arena *a)
{
	struct auth_sts   kept;
	struct sts_policy p;
	int64_t           age_ms;
	enum status       st = c->options.get ? c->options.get(c->options.ctx, e->domain, a, &kept) : ST_NOT_FOUND;

	if (st != ST_OK)
		return st;
	age_ms = c->options.wall_ms() - kept.fetched_ms;
	if (sts_policy_parse(kept.policy, &p) != STS_POLICY_OK || trust_sts_age(age_ms, p.max_age_s) == TRUST_STS_EXPIRED)
		return ST_NOT_FOUND;
	pthread_mutex_lock(&c->lock);
	policy_set(c, e, kept.id, kept.policy, p.max_age_s, c->options.mono_ms() - MAX(age_ms, (int64_t)0));
	e->record_ms = 0;
	pthread_mutex_unlock(&c->lock);
	return ST_OK;
}

static void keep(struct remote_sts_cache *c, const struct entry *e, const struct sts_look *l)
{
	const struct auth_sts sts = { .domain = e->domain, .id = l->id, .policy = l->text, .fetched_ms = c->options.wall_ms() };

	if (l->found == STS_FOUND_POLICY && c->options.put)
		c->options.put(c->options.ctx, &sts);
}

/* The entry is busy by us, so its id and domain stand still. */
static void look(struct remote_sts_cache *c, struct entry *e, const struct remote *remote, bool refresh)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct str      have = STR("");
	struct sts_look l;
	enum status     st = ST_OK;

	if (refresh && age(e, c->options.mono_ms()) == TRUST_STS_FRESH)
		have = str_n(e->id, e->id_n);
	if (!refresh && (st = recall(c, e, a)) == ST_OK)
		return;
	l = remote_sts_look(remote, c->options.fetch, e->domain, have, a);
	keep(c, e, &l);
	pthread_mutex_lock(&c->lock);
	look_take(c, e, &l, st != ST_OK && st != ST_NOT_FOUND);
	pthread_mutex_unlock(&c->lock);
}

/* Holds the lock, which is let go meanwhile. */
static void look_busy(struct remote_sts_cache *c, struct entry *e, const struct remote *remote, bool refresh)
{
	e->busy = true;
	pthread_mutex_unlock(&c->lock);
	look(c, e, remote, refresh);
	pthread_mutex_lock(&c->lock);
	e->busy = false;
	pthread_cond_broadcast(&c->looked);
}

/* ---- looking beside the deliveries ---- */

static bool missing(const struct entry *e, int64_t now)
{
	return age(e, now) == TRUST_STS_EXPIRED && e->none_until_ms <= now;
}

static bool refresh_due(const struct entry *e, int64_t now)
{
	return age(e, now) != TRUST_STS_EXPIRED && e->record_ms <= now;
}

static void line_up(struct remote_sts_cache *c, struct entry *e, const struct remote *remote)
{
	if (e->lined || e->busy || c->line_n >= LIMIT_STS_REFRESHES)
		return;
	c->remote = *remote;
	e->lined = true;
	e->pins++;
	e->next = NULL;
	*c->line_end = e;
	c->line_end = &e->next;
	c->line_n++;
	pthread_cond_signal(&c->work);
}

/* Holds the lock. */
static bool work(struct remote_sts_cache *c)
{
	const struct remote remote = c->remote;
	struct entry       *e = c->line;
	int64_t             now = c->options.mono_ms();

	if (!e)
		return false;
	c->line = e->next;
	if (!c->line)
		c->line_end = &c->line;
	c->line_n--;
	e->lined = false;
	/* Somebody may have looked meanwhile. */
	if (!e->busy && (missing(e, now) || refresh_due(e, now)))
		look_busy(c, e, &remote, !missing(e, now));
	e->pins--;
	return true;
}

bool remote_sts_work(struct remote_sts_cache *c)
{
	bool did;

	pthread_mutex_lock(&c->lock);
	did = work(c);
	pthread_mutex_unlock(&c->lock);
	return did;
}

static void *worker(void *arg)
{
	struct remote_sts_cache *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->stopping)
		if (!work(c))
			pthread_cond_wait(&c->work, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* ---- finding ---- */

/* Holds the lock. */
static void find(struct remote_sts_cache *c, const struct remote *remote, struct entry *e, struct arena *a, struct remote_sts *ret)
{
	const unsigned        wait_ms = remote->settings.timeouts.policy_ms;
	const bool            patient = wait_ms >= LOOK_MS;
	const struct timespec until = clock_deadline(wait_ms);
	int64_t               now = c->options.mono_ms();

	if (!patient && missing(e, now))
		line_up(c, e, remote);
	while (missing(e, now) && (e->busy || (!patient && e->lined)) && !c->stopping) {
		if (pthread_cond_clockwait(&c->looked, &c->lock, CLOCK_MONOTONIC, &until) != 0)
			break;
		now = c->options.mono_ms();
	}
	if (patient && missing(e, now) && !e->busy && !c->stopping) {
		look_busy(c, e, remote, false);
		now = c->options.mono_ms();
	}
	if (refresh_due(e, now))
		line_up(c, e, remote);
	ret->late = missing(e, now);
	told(e, now, a, ret);
}

void remote_sts_find(const struct remote *remote, struct str domain, struct arena *a, struct remote_sts *ret)
{
	struct remote_sts_cache *c = remote->sts;
	struct address_canon     canon;
	struct entry            *e;

	*ret = (struct remote_sts){ .mode = STS_NONE, .text = STR("") };
	domain = address_without_dot(domain);
	/* "mta-sts." and "_mta-sts." must fit before it. */
	if (!c || remote->settings.authorities.n == 0 || address_domain(domain, &canon) != ADDRESS_OK || canon.n + STR("_mta-sts.").n > LIMIT_DOMAIN - 2)
		return;
	pthread_mutex_lock(&c->lock);
	e = entry_get(c, str_n(canon.text, canon.n));
	find(c, remote, e, a, ret);
	e->pins--;
	pthread_mutex_unlock(&c->lock);
	if (ret->text.n > 0)
		unfold(a, ret);
}

bool remote_sts_matches(const struct remote_sts *sts, struct str mx)
{
	for (size_t i = 0; i < sts->mx_count; i++)
		if (trust_sts_matches(sts->mx[i], mx))
			return true;
	return false;
}

/* ---- open, close ---- */

struct remote_sts_cache *remote_sts_open(const struct remote_sts_options *options)
{
	struct remote_sts_cache *c = calloc(1, sizeof(*c));

	CHECK(c); /* out of memory */
	c->options = *options;
	c->options.fetch = options->fetch ? options->fetch : http_fetch;
	c->options.mono_ms = options->mono_ms ? options->mono_ms : clock_mono_ms;
	c->options.wall_ms = options->wall_ms ? options->wall_ms : clock_wall_ms;
	c->line_end = &c->line;
	map_init(&c->entries);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->looked, NULL);
	pthread_cond_init(&c->work, NULL);
	while (!options->threadless && c->thread_count < THREADS && pthread_create(&c->threads[c->thread_count], NULL, worker, c) == 0)
		c->thread_count++;
	return c;
}

void remote_sts_close(struct remote_sts_cache **pc)
{
	struct remote_sts_cache *c = *pc;

	if (!c)
		return;
	*pc = NULL;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_broadcast(&c->work);
	pthread_cond_broadcast(&c->looked);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->thread_count; i++)
		pthread_join(c->threads[i], NULL);
	while (c->oldest)
		entry_free(c, c->oldest);
	map_done(&c->entries);
	pthread_cond_destroy(&c->looked);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
