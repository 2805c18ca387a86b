/* queue/queue_sites.c - the destinations that are known: found, forgotten, shown, woken. See queue_site.h. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "queue/queue_site_in.h"

#define FORGET_LOOK 32 /* idle sites looked at for one that owes nothing, before the oldest has to go */

/* ---- lists ---- */

static void ring_init(struct queue_site_ring *head)
{
	head->before = head->after = head;
}

void queue_site_unlist(struct queue_site *s)
{
	s->ring.before->after = s->ring.after;
	s->ring.after->before = s->ring.before;
	ring_init(&s->ring);
}

void queue_site_list(struct queue_site_ring *head, struct queue_site *s)
{
	queue_site_unlist(s);
	s->ring.before = head->before;
	s->ring.after = head;
	head->before->after = &s->ring;
	head->before = &s->ring;
}

static struct queue_site *site_of(struct queue_site_ring *ring)
{
	return CONTAINER_OF(ring, struct queue_site, ring);
}

/* ---- one ---- */

static struct queue_site *site_new(struct str name)
{
	struct queue_site *s = calloc(1, sizeof(*s) + name.n);

	CHECK(s);
	memcpy(s->name, name.p, name.n);
	s->name_n = name.n;
	s->key = str_hash(name) >> 1; /* never IPC_ANY */
	ring_init(&s->ring);
	queue_pace_init(&s->pace, 1, 1);
	return s;
}

static void site_free(struct queue_site *s)
{
	queue_line_done(&s->line);
	free(s->slots);
	free(s);
}

struct str queue_site_said(const struct queue_site *s)
{
	return str_n(s->last, s->last_n);
}

/* What would be forgotten with it matters: that it is dead, or how much of its rate is used up. */
static bool owes(const struct queue_site *s, int64_t now)
{
	return s->state != QUEUE_SITE_OPEN || queue_rate_next(&s->rate, now) > now;
}

static bool forget_one(struct queue_sites *all)
{
	struct queue_site *pick = NULL;
	int64_t            now = queue_now(all->q);
	int                looked = 0;

	for (struct queue_site_ring *at = all->idle.after; at != &all->idle && looked++ < FORGET_LOOK; at = at->after) {
		pick = pick ? pick : site_of(at);
		if (owes(site_of(at), now))
			continue;
		pick = site_of(at);
		break;
	}
	if (!pick)
		return false;
	queue_site_unlist(pick);
	map_remove(&all->map, str_n(pick->name, pick->name_n));
	site_free(pick);
	return true;
}

struct queue_site *queue_sites_get(struct queue_sites *all, struct str name)
{
	struct queue_site *s = map_find(&all->map, name);

	if (s)
		return s;
	if (all->map.count >= LIMIT_QUEUE_SITES && !forget_one(all))
		return all->crowd;
	s = site_new(name);
	map_put(&all->map, name, s);
	queue_site_list(&all->idle, s);
	return s;
}

/* ---- all ---- */

struct queue_sites *queue_sites_new(struct queue *q, unsigned max)
{
	struct queue_sites *all = calloc(1, sizeof(*all));

	CHECK(all);
	all->q = q;
	all->max = max;
	pthread_mutex_init(&all->lock, NULL);
	map_init(&all->map);
	ring_init(&all->idle);
	ring_init(&all->later);
	ring_init(&all->stalled);
	all->crowd = site_new(STR(""));
	queue_pace_init(&all->crowd->pace, max, max);
	atomic_store(&all->wake, INT64_MAX);
	return all;
}

void queue_sites_free(struct queue_sites **at)
{
	struct queue_sites *all = *at;
	struct str          name;
	void               *s;
	size_t              i = 0;

	if (!all)
		return;
	*at = NULL;
	while (map_next(&all->map, &i, &name, &s))
		site_free(s);
	map_done(&all->map);
	site_free(all->crowd);
	queue_line_done(&all->turns);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

void queue_sites_close(struct queue_sites *all)
{
	pthread_mutex_lock(&all->lock);
	all->max = 0;
	pthread_mutex_unlock(&all->lock);
}

int64_t queue_sites_wake(const struct queue_sites *all)
{
	return atomic_load(&all->wake);
}

void queue_sites_tick(struct queue_sites *all)
{
	if (queue_now(all->q) < atomic_load(&all->wake))
		return;
	pthread_mutex_lock(&all->lock);
	struct queue_site_ring *last = all->later.before, *at = all->later.after, *next;

	atomic_store(&all->wake, INT64_MAX);
	for (bool more = at != &all->later; more; at = next) { /* who has to wait on comes in again behind `last` */
		next = at->after;
		more = at != last;
		queue_site_refresh(all, site_of(at));
	}
	pthread_mutex_unlock(&all->lock);
	queue_sites_pump(all);
}

void queue_site_try(struct queue_sites *all, struct str name)
{
	struct queue_site *s;

	pthread_mutex_lock(&all->lock);
	s = map_find(&all->map, name);
	if (s && s->state == QUEUE_SITE_DEAD)
		s->until = MIN(s->until, queue_now(all->q));
	pthread_mutex_unlock(&all->lock);
}

void queue_sites_try(struct queue_sites *all)
{
	struct queue_site *s;
	struct str         name;
	void              *value;
	size_t             at = 0;

	pthread_mutex_lock(&all->lock);
	while (map_next(&all->map, &at, &name, &value)) {
		s = value;
		if (s->state == QUEUE_SITE_DEAD)
			s->until = MIN(s->until, queue_now(all->q));
	}
	pthread_mutex_unlock(&all->lock);
}

/* ---- shown ---- */

_Static_assert((int)QUEUE_SITE_OPEN == (int)QUEUE_SITE_KIND_OPEN && (int)QUEUE_SITE_STATE_LAST == (int)QUEUE_SITE_KIND_LAST, "states of the channel are ours");

static int64_t wall(struct queue *q, int64_t queue_time)
{
	return queue_time ? queue_wall(q, queue_time) : 0;
}

static void row_fill(struct queue_sites *all, const struct queue_site *s, struct arena *a, struct queue_site_row *ret)
{
	int64_t now = queue_now(all->q), next = queue_rate_next(&s->rate, now);

	*ret = (struct queue_site_row){
		.name = arena_dup(a, str_n(s->name, s->name_n)),
		.state = (enum queue_site_kind)(s->state == QUEUE_SITE_DEAD && now >= s->until ? QUEUE_SITE_PROBING : s->state),
		.now = s->now + s->lone,
		.limit = queue_pace_window(&s->pace, now),
		.ceiling = s->pace.ceiling,
		.waiting = s->line.count,
		.delivered = s->delivered,
		.deferred = s->deferred,
		.refused = s->refused,
		.since_ms = wall(all->q, s->since),
		.until_ms = wall(all->q, s->until),
		.last_ms = wall(all->q, s->last_ms),
		.last_answer = arena_dup(a, queue_site_said(s)),
		.rate = s->rate.n,
		.rate_s = s->rate.n ? s->rate.s : 0,
		.next_ms = next > now ? queue_wall(all->q, next) : 0,
	};
	if (s->state != QUEUE_SITE_OPEN)
		ret->limit = ret->state == QUEUE_SITE_KIND_PROBING;
}

/* The smallest names after `after`, in order: an insertion into a page that is short. */
static size_t page_take(struct queue_sites *all, struct str after, struct queue_site **page, size_t max, bool *more)
{
	struct str name;
	void      *value;
	size_t     at = 0, count = 0, i;

	while (map_next(&all->map, &at, &name, &value)) {
		struct queue_site *s = value;

		if (str_cmp(name, after) <= 0)
			continue;
		for (i = count; i > 0 && str_cmp(name, str_n(page[i - 1]->name, page[i - 1]->name_n)) < 0; i--)
			;
		*more = *more || count == max;
		if (i == max)
			continue;
		count = MIN(count + 1, max);
		memmove(&page[i + 1], &page[i], (count - i - 1) * sizeof(*page));
		page[i] = s;
	}
	return count;
}

void queue_sites(struct queue *q, struct str after, size_t max, struct arena *a, struct queue_sites_page *ret)
{
	struct queue_sites *all = q->sites;
	struct queue_site **page;

	max = MIN(MAX(max, 1), LIMIT_LIST_PAGE);
	page = ARENA_ARRAY(a, struct queue_site *, max);
	*ret = (struct queue_sites_page){ .sites = ARENA_ARRAY(a, struct queue_site_row, max) };
	pthread_mutex_lock(&all->lock);
	ret->site_count = page_take(all, after, page, max, &ret->more);
	for (size_t i = 0; i < ret->site_count; i++)
		row_fill(all, page[i], a, &ret->sites[i]);
	pthread_mutex_unlock(&all->lock);
}

enum status queue_site_find(struct queue *q, struct str name, struct arena *a, struct queue_site_row *ret)
{
	struct queue_site *s;

	pthread_mutex_lock(&q->sites->lock);
	s = map_find(&q->sites->map, name);
	if (s)
		row_fill(q->sites, s, a, ret);
	pthread_mutex_unlock(&q->sites->lock);
	return s ? ST_OK : ST_NOT_FOUND;
}
