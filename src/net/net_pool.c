/* net/net_pool.c - the threads.
 *
 * Every worker waits for events itself and runs the connection that it gets: no hand-over. Connections that are owned but have no
 * thread (woken, timed out, accepted in a batch) stand in the queue; a worker takes a few of them and from the poll set in turn.
 *
 * Growth. A handler may block, and then another thread must wait for events; but while handlers are merely busy, more
 * threads than processors only cost switches. What a thread does cannot be seen from outside, so the keeper looks every NET_TICK_MS
 * while no worker is free: a worker that is in the same unit as at the last look counts as blocked; if fewer than `cpus` are
 * not blocked, threads are added, a quarter of the blocked at a time. So thousands of blocking handlers have their threads in a few
 * dozen milliseconds, and a busy pool of short handlers never grows. A thread that got nothing for NET_IDLE_MS ends; the
 * kernel wakes the one that came last, so spare ones stay idle.
 *
 * The keeper also runs the timers and lets paused listeners accept again. While workers are free it sleeps until the next timer.
 */
#include "net/net_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

#define QUEUE_TURN 8u /* connections taken from the queue between two looks at the poll set */

/* ---- the queue ---- */

/* Wake one that waits, unless one that was called is still on its way; it looks at the queue after it has taken the call back. A
 * worker that does not wait yet looks at `queued` before it does. */
static void call_worker(struct net *net)
{
	if (atomic_load(&net->waiting) > 0 && !atomic_exchange(&net->called, true))
		sys_ready_notify(net->poll);
}

void net_queue_push(struct net *net, struct net_conn *c)
{
	c->next_queued = NULL;
	pthread_mutex_lock(&net->queue_lock);
	if (net->queue_first)
		net->queue_last->next_queued = c;
	else
		net->queue_first = c;
	net->queue_last = c;
	atomic_fetch_add(&net->queued, 1);
	pthread_mutex_unlock(&net->queue_lock);
	call_worker(net);
}

static struct net_conn *queue_pop(struct net *net)
{
	struct net_conn *c;
	bool             more;

	if (atomic_load(&net->queued) == 0)
		return NULL;
	pthread_mutex_lock(&net->queue_lock);
	c = net->queue_first;
	if (c) {
		net->queue_first = c->next_queued;
		atomic_fetch_sub(&net->queued, 1);
	}
	more = net->queue_first;
	pthread_mutex_unlock(&net->queue_lock);
	if (more) /* for whoever is free too */
		call_worker(net);
	return c;
}

/* ---- workers ---- */

static void worker_unlink(struct net_worker *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	atomic_fetch_sub(&w->net->threads, 1);
}

/* A spare thread may go, but `cpus` of them stay. Who leaves joins the one that left before; net_pool_stop joins the last. So no
 * thread is still cleaning up (OpenSSL does, per thread) when net_free has returned. */
static bool worker_leave(struct net_worker *w)
{
	struct net *net = w->net;
	pthread_t   before = 0;
	bool        leave, join = false;

	pthread_mutex_lock(&net->pool_lock);
	leave = atomic_load(&net->stop) || atomic_load(&net->threads) > net->cpus;
	if (leave) {
		worker_unlink(w);
		join = net->has_gone;
		before = net->gone;
		net->has_gone = true;
		net->gone = pthread_self();
		if (atomic_load(&net->threads) == 0)
			pthread_cond_broadcast(&net->pool_empty);
	}
	pthread_mutex_unlock(&net->pool_lock);
	if (join)
		pthread_join(before, NULL);
	return leave;
}

/* An event, or NULL: see the queue. *ret_idle: nothing came for NET_IDLE_MS. */
static struct net_item *worker_wait(struct net_worker *w, bool *ret_idle)
{
	struct net       *net = w->net;
	void             *item = NULL;
	enum sys_ready_got got;

	atomic_store(&w->waiting, true);
	atomic_fetch_add(&net->waiting, 1);
	/* Whoever queues first counts `queued` and then looks at `waiting` (or notifies); we do it the other way round. */
	got = sys_ready_wait(net->poll, atomic_load(&net->queued) > 0 ? 0 : NET_IDLE_MS, &item);
	if (got == SYS_READY_NOTIFIED)
		atomic_store(&net->called, false);
	if (atomic_fetch_sub(&net->waiting, 1) == 1 && atomic_load(&net->keeper_deep) &&
	    atomic_exchange(&net->keeper_deep, false))
		net_keeper_nudge(net, 0);
	atomic_fetch_add(&w->beat, 1);
	atomic_store(&w->waiting, false);
	*ret_idle = got == SYS_READY_TIMEOUT && atomic_load(&net->queued) == 0;
	return got == SYS_READY_EVENT ? item : NULL;
}

static void worker_event(struct net_worker *w, struct net_item *item)
{
	if (item->kind == NET_ITEM_LISTENER)
		net_listener_ready(w, CONTAINER_OF(item, struct net_listener, item));
	else if (net_conn_post(CONTAINER_OF(item, struct net_conn, item), NET_SOCKET))
		net_conn_run(w, CONTAINER_OF(item, struct net_conn, item));
}

static void worker_free(struct net_worker *w)
{
	net_deflate_worker_done(w);
	free(w->scratch);
	free(w->out);
	free(w);
}

static void *worker_main(void *arg)
{
	struct net_worker *w = arg;
	struct net        *net = w->net;
	bool               idle = false;

	while (!(idle || atomic_load(&net->stop)) || !worker_leave(w)) {
		struct net_item *item = worker_wait(w, &idle);
		struct net_conn *c;

		atomic_fetch_add(&net->busy, 1);
		if (item)
			worker_event(w, item);
		for (unsigned i = 0; i < QUEUE_TURN && (c = queue_pop(net)) != NULL; i++)
			net_conn_run(w, c);
		atomic_fetch_sub(&net->busy, 1);
	}
	worker_free(w);
	return NULL;
}

static bool worker_new(struct net *net)
{
	struct net_worker *w = calloc(1, sizeof(*w));
	pthread_attr_t     attr;
	pthread_t          thread;
	int                err;

	CHECK(w);
	w->net = net;
	w->scratch = malloc(NET_SCRATCH);
	w->out = malloc(NET_OUTPUT);
	CHECK(w->scratch && w->out);
	pthread_mutex_lock(&net->pool_lock);
	w->next = net->workers;
	w->link = &net->workers;
	if (w->next)
		w->next->link = &w->next;
	net->workers = w;
	atomic_fetch_add(&net->threads, 1);
	pthread_mutex_unlock(&net->pool_lock);

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, NET_STACK);
	err = pthread_create(&thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (err == 0)
		return true;
	log_warn("cannot start a thread", LOG_ERRNO(err), LOG_U64("threads", atomic_load(&net->threads)));
	pthread_mutex_lock(&net->pool_lock);
	worker_unlink(w);
	pthread_mutex_unlock(&net->pool_lock);
	worker_free(w);
	return false;
}

/* ---- the keeper ---- */

/* Workers that are in the same unit as at the last look, *ret_running those that got on. */
static unsigned count_blocked(struct net *net, unsigned *ret_running)
{
	unsigned blocked = 0, running = 0;

	pthread_mutex_lock(&net->pool_lock);
	for (struct net_worker *w = net->workers; w; w = w->next) {
		uint32_t beat = atomic_load(&w->beat);

		if (atomic_load(&w->waiting) || beat != w->beat_seen)
			running++;
		else
			blocked++;
		w->beat_seen = beat;
	}
	pthread_mutex_unlock(&net->pool_lock);
	*ret_running = running;
	return blocked;
}

static void grow(struct net *net)
{
	struct net_limits limits;
	unsigned          running, blocked = count_blocked(net, &running), max, add;

	net_limits_get(net, &limits);
	max = limits.threads ? MAX(limits.threads, net->cpus) : UINT32_MAX;
	if (running >= net->cpus)
		return;
	add = MAX(net->cpus - running, blocked / 4);
	while (add-- > 0 && running + blocked < max && worker_new(net))
		blocked++;
}

static void wait_until(struct net *net, int64_t at)
{
	struct timespec ts = { .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 };

	net->keeper_until = at;
	if (at == NET_NEVER)
		pthread_cond_wait(&net->timer_wake, &net->timer_lock);
	else
		pthread_cond_timedwait(&net->timer_wake, &net->timer_lock, &ts);
}

static void *keeper_main(void *arg)
{
	struct net *net = arg;
	unsigned    quiet = 0;
	int64_t     resume_at = NET_NEVER;

	pthread_mutex_lock(&net->timer_lock);
	while (!atomic_load(&net->stop)) {
		int64_t now = clock_mono_ms(), next = net_timer_run(net, now);
		bool    starved = atomic_load(&net->waiting) == 0, resume = false;

		if (atomic_load(&net->paused) == 0) {
			resume_at = NET_NEVER;
		} else if (resume_at == NET_NEVER) {
			resume_at = now + NET_PAUSE_MS;
		} else if (resume_at <= now) {
			resume = true;
			resume_at = NET_NEVER;
		}
		quiet = starved ? 0 : quiet + 1;
		if (starved || resume) {
			net->keeper_until = NET_NEVER; /* whoever wants us earlier than we know lowers it */
			pthread_mutex_unlock(&net->timer_lock);
			if (starved)
				grow(net);
			if (resume)
				net_listeners_resume(net);
			pthread_mutex_lock(&net->timer_lock);
			if (net->keeper_until != NET_NEVER)
				continue;
		}
		next = MIN(next, resume_at);
		if (quiet <= NET_QUIET_TICKS) {
			wait_until(net, MIN(next, now + NET_TICK_MS));
			continue;
		}
		atomic_store(&net->keeper_deep, true);
		if (atomic_load(&net->waiting) > 0)
			wait_until(net, next);
		atomic_store(&net->keeper_deep, false);
	}
	pthread_mutex_unlock(&net->timer_lock);
	return NULL;
}

void net_pool_start(struct net *net)
{
	int err;

	net->running = true;
	for (unsigned i = 0; i < net->cpus; i++)
		CHECK(worker_new(net));
	err = pthread_create(&net->keeper, NULL, keeper_main, net);
	CHECK(err == 0);
}

void net_pool_stop(struct net *net)
{
	if (!net->running)
		return;
	atomic_store(&net->stop, true);
	net_keeper_nudge(net, -1);
	pthread_join(net->keeper, NULL);
	pthread_mutex_lock(&net->pool_lock);
	while (atomic_load(&net->threads) > 0) {
		struct timespec ts;

		sys_ready_notify(net->poll); /* one thread each time */
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += 1000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&net->pool_empty, &net->pool_lock, &ts);
	}
	pthread_mutex_unlock(&net->pool_lock);
	if (net->has_gone)
		pthread_join(net->gone, NULL);
	net->running = net->has_gone = false;
}
