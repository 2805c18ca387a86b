/* deliver/remote_pool.c - contract is in remote_pool.h. */
#include "deliver/remote_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "deliver/remote_connect.h"
#include "sys/clock.h"

#define TICK_MS  250
#define REPLY_MS 2000       /* for the reply to QUIT */
#define LOOK_US  5000
#define OUT_KEPT (16 * KIB) /* of an idle session's buffer */

struct waiting {
	struct remote_session *session;
	uint64_t               hash;     /* of its key */
	int64_t                until_ms; /* it is closed then */
};

/* In the order of their coming: [0] has waited longest, as all wait equally long. */
struct remote_pool {
	pthread_mutex_t lock;
	pthread_cond_t  changed;
	pthread_t       thread;
	bool            running, stopped;
	unsigned        idle_ms;
	struct waiting  idle[LIMIT_REMOTE_IDLE], closing[LIMIT_REMOTE_CLOSING];
	size_t          idle_count, closing_count;
};

struct str remote_pool_key(struct arena *a, const struct remote_target *t, const struct remote_policy *policy, const struct hop *hop,
			   struct str helo)
{
	struct str source = remote_connect_source(t, hop);

	return arena_printf(a, "%.*s %s %u %d%d%d %llx %llx %.*s %.*s", STR_FMT(t->host), t->address.text, t->port, t->lmtp, t->any_name, t->implicit_tls,
			    (unsigned long long)policy->key, (unsigned long long)hop->login, STR_FMT(source), STR_FMT(helo));
}

/* ---- lists ---- */

static struct remote_session *list_remove(struct waiting *list, size_t *count, size_t i)
{
	struct remote_session *s = list[i].session;

	--*count;
	for (; i < *count; i++)
		list[i] = list[i + 1];
	return s;
}

/* With the lock held. NULL: it is in; else the one that has no place. */
static struct remote_session *idle_add(struct remote_pool *p, struct remote_session *s)
{
	struct waiting         w = { s, str_hash(s->key), clock_mono_ms() + p->idle_ms };
	struct remote_session *out = NULL;
	size_t                 alike = 0, oldest = 0;

	for (size_t i = p->idle_count; i-- > 0;)
		if (p->idle[i].hash == w.hash) {
			alike++;
			oldest = i;
		}
	if (alike >= LIMIT_REMOTE_IDLE_HOST)
		out = list_remove(p->idle, &p->idle_count, oldest);
	else if (p->idle_count == LEN(p->idle))
		out = list_remove(p->idle, &p->idle_count, 0);
	p->idle[p->idle_count++] = w;
	return out;
}

/* Without the lock: say QUIT. The reply is waited for if there is room to wait, and somebody who does: the pool's thread, or who has stopped
 * it and waits for its end. */
static void session_end(struct remote_pool *p, struct remote_session *s, bool by_thread)
{
	if (!s)
		return;
	remote_session_quit(s);
	if (!s->dead && s->stream) {
		pthread_mutex_lock(&p->lock);
		if ((by_thread || (p->running && !p->stopped)) && p->closing_count < LEN(p->closing)) {
			if (p->idle_count + p->closing_count == 0)
				pthread_cond_signal(&p->changed);
			p->closing[p->closing_count++] = (struct waiting){ s, 0, clock_mono_ms() + REPLY_MS };
			s = NULL;
		}
		pthread_mutex_unlock(&p->lock);
	}
	remote_session_free(&s);
}

/* ---- the pool's thread ---- */

/* Take those whose time is over: the idle ones in *ret, at most `max`. */
static size_t take_over_time(struct waiting *list, size_t *count, int64_t now, struct remote_session **ret, size_t max)
{
	size_t n = 0;

	while (*count > 0 && list[0].until_ms <= now && n < max)
		ret[n++] = list_remove(list, count, 0);
	return n;
}

static size_t take_answered(struct remote_pool *p, struct remote_session **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = p->closing_count; i-- > 0 && n < max;)
		if (!net_stream_quiet(p->closing[i].session->stream))
			ret[n++] = list_remove(p->closing, &p->closing_count, i);
	return n;
}

/* One look around, with the lock held at its beginning and end. */
static void pool_tick(struct remote_pool *p)
{
	struct remote_session *over[64], *done[64];
	int64_t                now = clock_mono_ms();
	size_t                 n = take_over_time(p->idle, &p->idle_count, now, over, LEN(over));
	size_t                 m = take_over_time(p->closing, &p->closing_count, now, done, LEN(done));

	m += take_answered(p, done + m, LEN(done) - m);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < m; i++)
		remote_session_free(&done[i]);
	for (size_t i = 0; i < n; i++)
		session_end(p, over[i], true);
	pthread_mutex_lock(&p->lock);
}

static void *pool_run(void *arg)
{
	struct remote_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stopped) {
		struct timespec next = clock_deadline(TICK_MS);

		if (p->idle_count + p->closing_count == 0)
			pthread_cond_wait(&p->changed, &p->lock);
		else
			pthread_cond_clockwait(&p->changed, &p->lock, CLOCK_MONOTONIC, &next);
		pool_tick(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- for deliveries ---- */

struct remote_pool *remote_pool_new(unsigned idle_ms)
{
	struct remote_pool *p = calloc(1, sizeof(*p));

	CHECK(p);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->idle_ms = idle_ms;
	return p;
}

struct remote_session *remote_pool_take(struct remote_pool *p, struct str key)
{
	uint64_t hash = str_hash(key);

	while (p) {
		struct remote_session *s = NULL;

		pthread_mutex_lock(&p->lock);
		for (size_t i = p->stopped ? 0 : p->idle_count; i-- > 0 && !s;)
			if (p->idle[i].hash == hash && str_eq(p->idle[i].session->key, key))
				s = list_remove(p->idle, &p->idle_count, i);
		pthread_mutex_unlock(&p->lock);
		if (!s)
			return NULL;
		s->dead = !net_stream_quiet(s->stream); /* it has said 421, or has hung up */
		if (!s->dead && clock_mono_ms() - s->opened_ms < LIMIT_REMOTE_SESSION_MS)
			return s;
		session_end(p, s, false);
	}
	return NULL;
}

/* May it serve another delivery? */
static bool worth_keeping(const struct remote_session *s)
{
	unsigned most = s->caps.mail_max > 0 ? MIN(s->caps.mail_max, LIMIT_REMOTE_SESSION_MAILS) : LIMIT_REMOTE_SESSION_MAILS;

	return s->ready && !s->dead && s->mails < most && clock_mono_ms() - s->opened_ms < LIMIT_REMOTE_SESSION_MS &&
	       !net_stream_pending(s->stream);
}

/* With the lock held. */
static void pool_start(struct remote_pool *p)
{
	if (p->running || p->stopped)
		return;
	p->running = pthread_create(&p->thread, NULL, pool_run, p) == 0;
	if (!p->running)
		log_debug("no thread for idle sessions");
}

void remote_pool_put(struct remote_pool *p, struct remote_session **sp)
{
	struct remote_session *s = *sp;

	*sp = NULL;
	if (!p) {
		remote_session_close(&s);
		return;
	}
	if (worth_keeping(s)) {
		buf_clear(&s->out);
		buf_shrink(&s->out, OUT_KEPT);
		s->arena = NULL;
		s->asker = NULL;
		pthread_mutex_lock(&p->lock);
		pool_start(p);
		if (p->running && !p->stopped) {
			if (p->idle_count + p->closing_count == 0)
				pthread_cond_signal(&p->changed);
			s = idle_add(p, s);
		}
		pthread_mutex_unlock(&p->lock);
	}
	session_end(p, s, false);
}

static struct remote_session *any_left(struct remote_pool *p)
{
	struct remote_session *s = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->idle_count > 0)
		s = list_remove(p->idle, &p->idle_count, p->idle_count - 1);
	else if (p->closing_count > 0)
		s = list_remove(p->closing, &p->closing_count, p->closing_count - 1);
	pthread_mutex_unlock(&p->lock);
	return s;
}

void remote_pool_stop(struct remote_pool *p, unsigned grace_ms)
{
	int64_t                until = clock_mono_ms() + grace_ms;
	struct remote_session *s;
	bool                   running;

	pthread_mutex_lock(&p->lock);
	running = p->running;
	p->running = false;
	p->stopped = true;
	pthread_cond_signal(&p->changed);
	for (size_t i = 0; i < p->idle_count; i++)
		remote_session_quit(p->idle[i].session);
	pthread_mutex_unlock(&p->lock);
	if (running)
		pthread_join(p->thread, NULL);
	while ((s = any_left(p)) != NULL) {
		while (net_stream_quiet(s->stream) && clock_mono_ms() < until)
			usleep(LOOK_US);
		remote_session_free(&s);
	}
}

void remote_pool_free(struct remote_pool **pp)
{
	struct remote_pool *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	remote_pool_stop(p, 0);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p);
}
