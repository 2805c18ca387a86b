/* net/net_poll.c - deadlines and timers.
 *
 * The timers are a heap of connections by the time at which to look at them. It is lazy: a deadline that moves later (every command of a busy
 * session moves it) only stores the new value; the look at the old time puts the connection back at the new one.
 */
#include "net/net_int.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- deadlines: when a connection has waited too long ---- */

/* When data comes too slowly: each read has timeout_ms, and after a grace the average counts. */
static int64_t data_deadline(struct net_conn *c, const struct net_limits *limits)
{
	const struct net_want *want = &c->unit.want;
	int64_t                at = want->timeout_ms ? c->progress_at + want->timeout_ms : NET_NEVER;

	if (limits->data_rate && !(c->info.loopback && limits->exempt_loopback))
		at = MIN(at, c->unit_from + NET_GRACE_MS + (int64_t)(c->unit.octets * 1000 / limits->data_rate));
	return at;
}

static int64_t unit_deadline(struct net_conn *c)
{
	struct net_limits limits;
	unsigned          unit_ms;

	if (!c->unit.begun)
		return c->idle_until;
	net_limits_get(c->net, &limits);
	if (c->unit_from == 0)
		c->unit_from = c->progress_at = clock_mono_ms();
	if (c->unit.want.kind != NET_WANT_LINE)
		return data_deadline(c, &limits);
	unit_ms = c->unit.want.unit_ms ? c->unit.want.unit_ms : limits.unit_ms;
	return unit_ms ? c->unit_from + unit_ms : NET_NEVER;
}

int64_t net_deadline_of(struct net_conn *c)
{
	return c->state == NET_STATE_WAIT ? unit_deadline(c) : c->state == NET_STATE_HANGUP ? NET_NEVER : c->idle_until;
}

bool net_timed_out(struct net_conn *c)
{
	if (!(c->flags & NET_TIMER))
		return false;
	c->flags &= ~NET_TIMER;
	return clock_mono_ms() >= net_deadline_of(c);
}

/* ---- the heap; all with timer_lock ---- */

static void place(struct net *net, size_t i, struct net_conn *c)
{
	net->heap[i] = c;
	c->timer_i = i + 1;
}

static int64_t at_of(const struct net_conn *c)
{
	return atomic_load_explicit(&c->timer_at, memory_order_relaxed);
}

static void sift_up(struct net *net, size_t i)
{
	struct net_conn *c = net->heap[i];

	while (i > 0 && at_of(net->heap[(i - 1) / 2]) > at_of(c)) {
		place(net, i, net->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(net, i, c);
}

static void sift_down(struct net *net, size_t i)
{
	struct net_conn *c = net->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < net->heap_n && at_of(net->heap[child + 1]) < at_of(net->heap[child]))
			child++;
		if (child >= net->heap_n || at_of(net->heap[child]) >= at_of(c))
			break;
		place(net, i, net->heap[child]);
		i = child;
	}
	place(net, i, c);
}

static void heap_add(struct net *net, struct net_conn *c)
{
	if (net->heap_n == net->heap_cap) {
		net->heap_cap = MAX(net->heap_cap * 2, (size_t)64);
		net->heap = realloc(net->heap, net->heap_cap * sizeof(*net->heap));
		if (!net->heap) {
			fprintf(stderr, "postrider: out of memory\n");
			abort();
		}
	}
	net->heap[net->heap_n] = c;
	sift_up(net, net->heap_n++);
}

static void heap_remove(struct net *net, struct net_conn *c)
{
	size_t           i = c->timer_i - 1;
	struct net_conn *last = net->heap[--net->heap_n];

	c->timer_i = 0;
	atomic_store(&c->timer_at, NET_NEVER);
	if (last == c)
		return;
	place(net, i, last);
	sift_up(net, i);
	sift_down(net, last->timer_i - 1);
}

/* ---- for the owner of a connection ---- */

void net_timer_set(struct net_conn *c)
{
	struct net *net = c->net;
	int64_t     at = atomic_load(&c->deadline);
	bool        nudge;

	/* Mostly the heap looks early enough already. We stored the deadline, then read timer_at; the keeper stores timer_at, then
	 * reads the deadline, or posts: so one of us sees the other. */
	if (at >= atomic_load(&c->timer_at))
		return;
	pthread_mutex_lock(&net->timer_lock);
	if (!c->timer_i) {
		atomic_store(&c->timer_at, at);
		heap_add(net, c);
	} else if (at < at_of(c)) {
		atomic_store(&c->timer_at, at);
		sift_up(net, c->timer_i - 1);
	}
	nudge = at < net->keeper_until;
	if (nudge) {
		net->keeper_until = at;
		pthread_cond_signal(&net->timer_wake);
	}
	pthread_mutex_unlock(&net->timer_lock);
}

void net_timer_remove(struct net_conn *c)
{
	pthread_mutex_lock(&c->net->timer_lock);
	if (c->timer_i)
		heap_remove(c->net, c);
	pthread_mutex_unlock(&c->net->timer_lock);
}

/* ---- for the keeper ---- */

int64_t net_timer_run(struct net *net, int64_t now)
{
	while (net->heap_n > 0 && at_of(net->heap[0]) <= now) {
		struct net_conn *c = net->heap[0];
		int64_t          at = atomic_load(&c->deadline);

		if (at <= now || at == NET_NEVER) {
			heap_remove(net, c);
			net_conn_poke(c, NET_TIMER); /* with NEVER too: its owner may be storing another right now */
			continue;
		}
		do
			atomic_store(&c->timer_at, at);
		while ((at = atomic_load(&c->deadline)) < at_of(c));
		sift_down(net, 0);
	}
	return net->heap_n > 0 ? at_of(net->heap[0]) : NET_NEVER;
}

void net_keeper_nudge(struct net *net, int64_t at)
{
	pthread_mutex_lock(&net->timer_lock);
	if (at < net->keeper_until) {
		net->keeper_until = at;
		pthread_cond_signal(&net->timer_wake);
	}
	pthread_mutex_unlock(&net->timer_lock);
}
