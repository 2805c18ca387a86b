/* queue/queue_site.c - what happens to one destination.
 *
 *   OPEN ----whole cohorts failed (queue_pace.h)----> DEAD     its line is sent away, what comes is sent away at once
 *   DEAD ----until is over, and a job comes---------> PROBING  that job goes, and only that one
 *   PROBING --it ended in trouble-------------------> DEAD     for twice as long
 *   PROBING --the host talked-----------------------> OPEN     with the first window, which grows
 *   DEAD ----an attempt from before was answered----> OPEN
 *
 * Jobs wait at two places. Each site has a line of its own; a site whose next job may start now stands itself in a line of sites, in the
 * lane and with the priority of that job. So both one destination and all of them serve the senders in turn.
 *
 * A line is short. Whose message finds no place is told when to come back, and waits on disk: each lane of the site has a clock of such
 * times (`slots`), so that not all come at once, in order, and no sender's crowd is told times that keep another one waiting.
 *
 * A job may end inside its own start (the channel refused it), which would start the next from within: `pumping` makes whoever is already
 * starting jobs go on, so the stack does not grow.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_backoff.h"
#include "queue/queue_site_in.h"
#include "sys/random.h"
#include "wire/text/text_date.h"

#define LINE_MS        10000 /* a line may be as long as is done in so long */
#define LINE_FACTOR    10u /* or so many jobs for each that may be under way */
#define LINE_MIN       50u
#define LINE_DOUBTFUL  10u /* where the last ones failed */
#define DEAD_MS        60000     /* the first time, or retry_first if that is less; doubles */
#define DEAD_MAX_MS    3600000   /* mail does not wait for longer after its host has come back. Or retry_max, if that is less */
#define GAP_DEAD_US    5000      /* between messages that come back for a site that was dead */
#define AWAY_MAX_MS    600000    /* longest time that one is sent away for */
#define AWAY_RATE_MS   3600000   /* the same, for a rate */
#define AWAY_MIN_MS    2000
#define BRIEF_MS       60000     /* so long a job may wait for its rate in memory */
#define TOOK_FIRST_MS  1000      /* a delivery, before one is known */
#define TOOK_MAX_MS    60000
#define AGAIN_MAX      5u        /* times that a job is kept when it was one too many */
#define TIME_TEXT_MAX  32
#define NAME_TEXT_MAX  200u /* of a reason */

/* ---- whose turn it is ---- */

static bool doubtful(const struct queue_site *s)
{
	return s->state != QUEUE_SITE_OPEN || !s->answered || s->pace.cohorts >= 1;
}

static unsigned window(const struct queue_site *s, int64_t now)
{
	return s->state == QUEUE_SITE_OPEN ? queue_pace_window(&s->pace, now) : s->state == QUEUE_SITE_PROBING && s->lone == 0;
}

static void stand_in_line(struct queue_sites *all, struct queue_site *s, const struct queue_wait *next)
{
	if (s->turn.waits && s->turn.lane == next->lane && s->turn.priority == next->priority)
		return;
	queue_line_remove(&all->turns, &s->turn);
	s->turn.lane = next->lane;
	s->turn.priority = next->priority;
	queue_line_put(&all->turns, &s->turn, false);
}

static void wait_for_rate(struct queue_sites *all, struct queue_site *s, int64_t next)
{
	queue_site_list(&all->later, s);
	if (next >= atomic_load(&all->wake))
		return;
	atomic_store(&all->wake, next);
	queue_nudge(all->q);
}

void queue_site_refresh(struct queue_sites *all, struct queue_site *s)
{
	int64_t                  now = queue_now(all->q), next = queue_rate_next(&s->rate, now);
	const struct queue_wait *job = queue_line_first(&s->line);

	queue_site_unlist(s);
	if (job && s->now < window(s, now) && next <= now) {
		stand_in_line(all, s, job);
		return;
	}
	queue_line_remove(&all->turns, &s->turn);
	if (job && next > now)
		wait_for_rate(all, s, next);
	else if (!job && s->now + s->lone == 0 && !s->leaving && s != all->crowd)
		queue_site_list(&all->idle, s);
}

/* One more is under way. */
static void begin(struct queue_sites *all, struct queue_site *s, struct queue_job *job)
{
	queue_rate_take(&s->rate, queue_now(all->q));
	if (job->lone) {
		s->lone++;
		return;
	}
	s->now++;
	all->now++;
	job->begun_ms = all->q->o.mono_ms();
	job->doubtful = doubtful(s);
	all->doubtful += job->doubtful;
}

/* The next job that may start; under the lock. A quarter of the places is kept for destinations that answer. */
static struct queue_job *take(struct queue_sites *all)
{
	while (all->now < all->max) {
		struct queue_wait *turn = queue_line_take(&all->turns);
		struct queue_site *s;
		struct queue_job  *job;

		if (!turn)
			return NULL;
		s = CONTAINER_OF(turn, struct queue_site, turn);
		if (doubtful(s) && all->doubtful >= MAX(all->max * 3 / 4, 1)) {
			queue_site_list(&all->stalled, s);
			continue;
		}
		job = CONTAINER_OF(queue_line_take(&s->line), struct queue_job, wait);
		begin(all, s, job);
		queue_site_refresh(all, s);
		return job;
	}
	return NULL;
}

void queue_sites_pump(struct queue_sites *all)
{
	struct queue_job *job;

	pthread_mutex_lock(&all->lock);
	if (!all->pumping) {
		all->pumping = true;
		while ((job = take(all)) != NULL) {
			pthread_mutex_unlock(&all->lock);
			job->start(job);
			pthread_mutex_lock(&all->lock);
		}
		all->pumping = false;
	}
	pthread_mutex_unlock(&all->lock);
}

/* ---- not now ---- */

static struct str time_text(struct queue *q, int64_t queue_time, char text[TIME_TEXT_MAX])
{
	struct buf b = { .p = text, .cap = TIME_TEXT_MAX, .max = TIME_TEXT_MAX };

	text_rfc3339_write(queue_wall(q, queue_time), &b);
	return buf_str(&b);
}

static struct str name_text(const struct queue_site *s)
{
	return str_n(s->name, MIN(s->name_n, NAME_TEXT_MAX));
}

static void why(struct queue_why *ret, int64_t again, const char *code, const struct buf *text)
{
	ret->again = again;
	ret->code = str_of(code);
	ret->n = text->n;
}

/* When a message of this lane comes back: behind those of its lane that were sent away before, `gap` apart for each lane that waits. */
static int64_t slot(struct queue_site *s, uint32_t lane, int64_t from, int64_t gap_us, int64_t max_ms)
{
	const int64_t from_us = from * 1000;
	int64_t       lanes = 0, at;

	if (!s->slots) {
		s->slots = calloc(QUEUE_LANES, sizeof(*s->slots));
		CHECK(s->slots);
	}
	for (unsigned i = 0; i < QUEUE_LANES; i++)
		lanes += s->slots[i] >= from_us;
	at = s->slots[lane] >= from_us ? s->slots[lane] + gap_us * MAX(lanes, 1) : from_us;
	if (at > from_us + max_ms * 1000)
		return from + max_ms / 2 + (int64_t)(random_u64() % (uint64_t)(max_ms / 2));
	s->slots[lane] = at;
	return at / 1000;
}

static void not_alive(struct queue *q, struct queue_site *s, uint32_t lane, struct queue_why *ret)
{
	struct buf text = { .p = ret->text, .cap = sizeof(ret->text), .max = sizeof(ret->text) };
	int64_t    now = queue_now(q), from = MAX(s->until, now + AWAY_MIN_MS);
	char       since[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
	struct str said = s->last_n ? queue_site_said(s) : STR("no answer");

	if (s->until > now)
		buf_addf(&text, "%.*s" QUEUE_NOT_ANSWERING "%.*s: %.*s; tried again at %.*s", STR_FMT(name_text(s)),
			 STR_FMT(time_text(q, s->since, since)), STR_FMT(str_first(said, SITE_LAST_MAX / 2)), STR_FMT(time_text(q, s->until, until)));
	else
		buf_addf(&text, "%.*s" QUEUE_NOT_ANSWERING "%.*s: %.*s; one message finds out now whether it does again", STR_FMT(name_text(s)),
			 STR_FMT(time_text(q, s->since, since)), STR_FMT(str_first(said, SITE_LAST_MAX / 2)));
	why(ret, slot(s, lane, from, GAP_DEAD_US, AWAY_MAX_MS), "4.4.1", &text); /* RFC 3463 §3.5: no answer from host */
}

/* There are more destinations at once than are known by name: what must keep to a rate comes later. */
static void crowded(struct queue *q, struct queue_why *ret)
{
	struct buf text = { .p = ret->text, .cap = sizeof(ret->text), .max = sizeof(ret->text) };

	buf_addf(&text, "Mail for very many destinations waits");
	why(ret, queue_now(q) + BRIEF_MS + (int64_t)(random_u64() % BRIEF_MS), "4.4.5", &text);
}

static void no_place(struct queue *q, struct queue_site *s, uint32_t lane, struct queue_why *ret)
{
	struct buf text = { .p = ret->text, .cap = sizeof(ret->text), .max = sizeof(ret->text) };
	int64_t    took = s->took_ms ? s->took_ms : TOOK_FIRST_MS;

	buf_addf(&text, "Much other mail waits for %.*s: %u deliveries under way, %u in line", STR_FMT(name_text(s)), s->now, s->line.count);
	/* If it got as wide as it may: too soon costs little, too late makes a place stay empty. */
	why(ret, slot(s, lane, queue_now(q) + AWAY_MIN_MS, took * 1000 / s->pace.ceiling, AWAY_MAX_MS), "4.4.5", &text); /* congestion */
}

static void over_rate(struct queue *q, struct queue_site *s, uint32_t lane, struct queue_why *ret)
{
	struct buf text = { .p = ret->text, .cap = sizeof(ret->text), .max = sizeof(ret->text) };
	int64_t    now = queue_now(q), next = queue_rate_next(&s->rate, now), again;
	char       at[TIME_TEXT_MAX];

	again = slot(s, lane, MAX(next, now + AWAY_MIN_MS), (queue_rate_after(&s->rate, 1, next) - next) * 1000, AWAY_RATE_MS);
	buf_addf(&text, "%.*s is sent %u messages in %u s at most; the turn of this one comes at about %.*s", STR_FMT(name_text(s)), s->rate.n,
		 s->rate.s, STR_FMT(time_text(q, again, at)));
	why(ret, again, "4.4.5", &text);
}

/* ---- a job comes ---- */

void queue_site_way(struct buf *b, const struct hop *h)
{
	if (h->source4.n || h->source6.n)
		buf_addf(b, " from %.*s%s%.*s", STR_FMT(h->source4), h->source4.n && h->source6.n ? "," : "", STR_FMT(h->source6));
	if (h->login)
		buf_addf(b, " as %llu", (unsigned long long)h->login);
}

static struct str site_name(struct buf *b, const struct queue_job *job)
{
	buf_add(b, job->relay.n ? job->relay : job->domain);
	queue_site_way(b, &job->hop);
	return buf_str(b);
}

static void limits_set(struct queue *q, struct queue_site *s, const struct hop *h)
{
	const struct queue_live live = queue_live(q);
	const unsigned          ceiling = MIN(h->connections ? h->connections : live.site_connections, q->o.remote_max);
	const bool              fresh = !s->answered && s->pace.cohorts == 0 && s->now + s->lone == 0 && s->line.count == 0;

	if (fresh)
		queue_pace_init(&s->pace, live.site_first, ceiling);
	else
		queue_pace_limit(&s->pace, live.site_first, ceiling);
	queue_rate_set(&s->rate, h->rate, h->rate_s);
}

/* As many jobs as are done in a moment, if it goes on like that; at least some for each that may be under way. */
static unsigned line_max(const struct queue *q, const struct queue_site *s, int64_t now)
{
	const int64_t took = s->took_ms ? s->took_ms : TOOK_FIRST_MS, soon = window(s, now) * LINE_MS / took;

	if (s->pace.cohorts >= 1 || s->state != QUEUE_SITE_OPEN)
		return LINE_DOUBTFUL;
	return MAX(MAX(s->pace.ceiling * LINE_FACTOR, LINE_MIN), (unsigned)MIN(soon, q->o.active_max));
}

/* One lane has as many places of a line as are free (A. Choudhury, E. Hahne, "Dynamic queue length thresholds", 1998): half of it when it
 * is alone, and there is always one for another. */
static bool line_room(const struct queue_site *s, uint32_t lane, unsigned max)
{
	return s->line.count < max && queue_line_lane(&s->line, lane) < max - s->line.count;
}

/* In QUEUE_SITE_OPEN or PROBING. False: *ret says why not. */
static bool admit(struct queue *q, struct queue_site *s, const struct queue_job *job, struct queue_why *ret)
{
	const int64_t  now = queue_now(q);
	const bool     lone = job->lone, rated = queue_rate_after(&s->rate, s->line.count, now) > now;
	const unsigned max = line_max(q, s, now);

	if (s->state == QUEUE_SITE_PROBING && (lone ? s->now + s->lone > 0 : !line_room(s, job->wait.lane, max)))
		not_alive(q, s, job->wait.lane, ret);
	else if (!lone && !line_room(s, job->wait.lane, max))
		no_place(q, s, job->wait.lane, ret);
	else if (rated && (lone || !line_room(s, job->wait.lane, queue_rate_within(&s->rate, now, now + BRIEF_MS))))
		over_rate(q, s, job->wait.lane, ret);
	else
		return true;
	return false;
}

/* Find its site, and whether there is a place for it. Under the lock. False: *ret says why not. */
static bool site_takes(struct queue_sites *all, struct queue_job *job, struct queue_why *ret)
{
	struct queue      *q = all->q;
	char               name[QUEUE_SITE_NAME_MAX];
	struct buf         b = { .p = name, .cap = sizeof(name), .max = sizeof(name) };
	struct queue_site *s = queue_sites_get(all, site_name(&b, job));

	if (s != all->crowd)
		limits_set(q, s, &job->hop);
	job->site = s;
	job->key = s->key;
	if (s->state == QUEUE_SITE_DEAD && queue_now(q) >= s->until)
		s->state = QUEUE_SITE_PROBING;
	if (s == all->crowd && job->hop.rate)
		crowded(q, ret);
	else if (s->state == QUEUE_SITE_DEAD)
		not_alive(q, s, job->wait.lane, ret);
	else
		return admit(q, s, job, ret);
	return false;
}

bool queue_site_would(struct queue_job *job, struct queue_why *ret)
{
	struct queue_sites *all = job->msg->q->sites;
	bool                takes;

	pthread_mutex_lock(&all->lock);
	takes = site_takes(all, job, ret);
	queue_site_refresh(all, job->site);
	pthread_mutex_unlock(&all->lock);
	return takes;
}

bool queue_site_add(struct queue_job *job, struct queue_why *ret)
{
	struct queue_sites *all = job->msg->q->sites;
	struct queue_site  *s;
	bool                taken;

	pthread_mutex_lock(&all->lock);
	taken = site_takes(all, job, ret);
	s = job->site;
	if (taken && job->lone)
		begin(all, s, job);
	else if (taken)
		queue_line_put(&s->line, &job->wait, false);
	queue_site_refresh(all, s);
	pthread_mutex_unlock(&all->lock);
	if (taken && !job->lone)
		queue_sites_pump(all);
	return taken;
}

/* ---- a job ends ---- */

static void count(struct queue_site *s, const struct queue_to *to)
{
	s->delivered += to->outcome == QUEUE_OUT_DONE;
	s->deferred += to->outcome == QUEUE_OUT_DEFERRED;
	s->refused += to->outcome == QUEUE_OUT_FAILED;
}

static void remember(struct queue *q, struct queue_site *s, const struct queue_to *to)
{
	struct buf b = { .p = s->last, .cap = sizeof(s->last), .max = sizeof(s->last) };

	if (to->outcome != QUEUE_OUT_DEFERRED && to->outcome != QUEUE_OUT_FAILED)
		return;
	buf_add(&b, str_first(to->host, SITE_LAST_MAX / 3));
	buf_add(&b, to->host.n ? STR(": ") : STR(""));
	buf_add(&b, str_first(to->answer, SITE_LAST_MAX - b.n));
	s->last_n = b.n;
	s->last_ms = queue_now(q);
}

static void slots_drop(struct queue_site *s)
{
	free(s->slots);
	s->slots = NULL;
}

static void revive(struct queue_site *s)
{
	log_info("destination answers again", LOG_STR("destination", str_n(s->name, s->name_n)), LOG_U64("dead", s->deaths));
	s->state = QUEUE_SITE_OPEN;
	s->deaths = 0;
	s->since = s->until = 0;
	slots_drop(s);
	queue_pace_init(&s->pace, s->pace.first, s->pace.ceiling);
}

static void die(struct queue_sites *all, struct queue_site *s)
{
	struct queue           *q = all->q;
	const struct queue_live live = queue_live(q);
	int64_t                 max = MIN(live.retry_max_ms, DEAD_MAX_MS), now = queue_now(q);

	s->state = QUEUE_SITE_DEAD;
	s->since = s->deaths ? s->since : now;
	s->until = now + queue_backoff_ms(MIN(DEAD_MS, live.retry_first_ms), max, ++s->deaths, random_u64());
	queue_pace_init(&s->pace, s->pace.first, s->pace.ceiling);
	if (s->deaths == 1)
		log_info("destination does not answer", LOG_STR("destination", str_n(s->name, s->name_n)), LOG_STR("answer", queue_site_said(s)));
}

static void judge(struct queue_sites *all, struct queue_site *s, enum remote_site said)
{
	int64_t now = queue_now(all->q);

	if (said == REMOTE_SITE_NONE || s == all->crowd)
		return;
	if (said == REMOTE_SITE_ANSWERED) {
		s->answered = true;
		if (s->state == QUEUE_SITE_OPEN)
			queue_pace_success(&s->pace, s->now, now);
		else
			revive(s);
	} else if (s->state == QUEUE_SITE_PROBING || (s->state == QUEUE_SITE_OPEN && queue_pace_failure(&s->pace, s->now, now))) {
		die(all, s);
	}
}

static void took(struct queue_site *s, int64_t ms)
{
	ms = MIN(MAX(ms, 1), TOOK_MAX_MS);
	s->took_ms = s->took_ms ? (s->took_ms * 7 + ms) / 8 : ms;
}

/* A place is free again. */
static void finish(struct queue_sites *all, struct queue_site *s, const struct queue_job *job)
{
	if (job->lone) {
		s->lone--;
		return;
	}
	s->now--;
	took(s, all->q->o.mono_ms() - job->begun_ms);
	all->now--;
	all->doubtful -= job->doubtful;
	for (struct queue_site *next = NULL; job->doubtful && all->stalled.after != &all->stalled && !(next && next->turn.waits);) {
		next = CONTAINER_OF(all->stalled.after, struct queue_site, ring);
		queue_site_refresh(all, next);
	}
}

/* One too many: the message has nothing to do with it, and stays. */
static bool keep(struct queue_sites *all, struct queue_site *s, struct queue_job *job, enum remote_site said)
{
	return said == REMOTE_SITE_TROUBLE && s->state == QUEUE_SITE_OPEN && s->pace.hold > 0 && !job->lone && all->max > 0 &&
	       job->kept++ < AGAIN_MAX && !atomic_load(&job->msg->removed);
}

/* What waits for a host that is dead. Its line is emptied one by one, as what comes of a job is nothing for the lock. */
static void send_away(struct queue_sites *all, struct queue_site *s)
{
	struct queue_wait *w;
	struct queue_why   why_not;

	do {
		pthread_mutex_lock(&all->lock);
		w = s->state == QUEUE_SITE_DEAD ? queue_line_take(&s->line) : NULL;
		s->leaving = w != NULL;
		if (w)
			not_alive(all->q, s, w->lane, &why_not);
		else
			queue_site_refresh(all, s); /* from here on it may be forgotten */
		pthread_mutex_unlock(&all->lock);
		if (w) {
			struct queue_job *job = CONTAINER_OF(w, struct queue_job, wait);

			job->refuse(job, &why_not);
		}
	} while (w);
}

bool queue_site_end(struct queue_job *job, enum remote_site said)
{
	struct queue_sites *all = job->msg->q->sites;
	struct queue_site  *s = job->site;
	bool                kept, leaving;

	pthread_mutex_lock(&all->lock);
	for (const struct queue_to *to = job->to; to; to = to->next)
		remember(all->q, s, to);
	finish(all, s, job);
	judge(all, s, said);
	kept = keep(all, s, job, said);
	if (kept) {
		job->asked = false;
		queue_line_put(&s->line, &job->wait, true);
	}
	for (const struct queue_to *to = kept ? NULL : job->to; to; to = to->next)
		count(s, to);
	leaving = s->state == QUEUE_SITE_DEAD && s->line.count > 0 && !s->leaving;
	s->leaving = s->leaving || leaving;
	queue_site_refresh(all, s);
	pthread_mutex_unlock(&all->lock);
	if (leaving)
		send_away(all, s);
	queue_sites_pump(all);
	return kept;
}
