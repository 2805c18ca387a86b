/* ipc/ipc_call.c - asking: ipc_call waits on the stack, ipc_start calls back; see ipc.h.
 *
 * A wait is in the link's map from before its frame is sent until somebody takes it out: the reader with the answer, the
 * asker at its deadline, the ticker, or the end of the link. Whoever takes it out ends it, so each ends once.
 */
#include "ipc/ipc_link.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "sys/clock.h"

/* The reply's fixed part for callbacks: large enough for every reply struct, checked in ipc_start. */
#define REPLY_MAX 512u

static enum status wait_add(struct ipc_link *l, struct ipc_wait *w, uint64_t *ret_number)
{
	enum status st = ST_OK;

	pthread_mutex_lock(&l->lock);
	if (l->dead)
		st = ST_TEMP;
	else if (l->waits.count >= LIMIT_IPC_PENDING)
		st = ST_BUSY;
	else
		map_put_u64(&l->waits, *ret_number = ++l->next_number, w);
	pthread_mutex_unlock(&l->lock);
	return st;
}

static void wait_end(struct ipc_wait *w, enum status st, const void *reply)
{
	if (w->done) {
		w->done(w->arg, st, reply);
		free(w);
		return;
	}
	atomic_store(&w->status, st);
	sem_post(&w->over);
}

/* Take some expired waits out of the map; how many. */
static size_t take_expired(struct ipc_link *l, int64_t now_ms, bool all, struct ipc_wait **ret, size_t max)
{
	struct str key;
	void      *value;
	size_t     at = 0, n = 0;

	pthread_mutex_lock(&l->lock);
	while (n < max && map_next(&l->waits, &at, &key, &value)) {
		struct ipc_wait *w = value;
		if (all || (w->done && w->deadline_ms <= now_ms)) {
			map_remove(&l->waits, key);
			ret[n++] = w;
		}
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

void ipc_waits_expire(struct ipc_link *l, int64_t now_ms, bool all)
{
	struct ipc_wait *expired[256];
	size_t           n;

	do {
		n = take_expired(l, now_ms, all, expired, LEN(expired));
		for (size_t i = 0; i < n; i++)
			wait_end(expired[i], ST_TEMP, NULL);
	} while (n == LEN(expired));
}

static enum status decode_reply(const struct ipc_frame *f, struct ipc_fds *fds, const struct ipc_shape *shape, struct arena *a, void *ret)
{
	if (f->status != ST_OK)
		return f->status;
	/* An empty struct of one octet serves where nobody wants the reply. */
	return ipc_decode(arena_dup(a, f->payload), fds, shape, ret ? ret : arena_alloc(a, shape->size), a, f->version);
}

void ipc_answer_arrived(struct ipc_link *l, struct ipc_frame *f)
{
	struct ipc_wait *w;
	enum status      st;

	pthread_mutex_lock(&l->lock);
	w = map_remove_u64(&l->waits, f->number); /* from now on its arena is ours until wait_end */
	if (w && w->id != f->type) {
		map_put_u64(&l->waits, f->number, w);
		w = NULL;
	}
	pthread_mutex_unlock(&l->lock);
	if (w && w->done) {
		struct arena *a = arena_new(NULL);
		max_align_t   reply[REPLY_MAX / sizeof(max_align_t)];

		st = decode_reply(f, &f->fds, &ipc_msgs[f->type].reply, a, reply);
		wait_end(w, st, st == ST_OK ? reply : NULL);
		arena_free(&a);
	} else if (w) {
		st = decode_reply(f, &f->fds, &ipc_msgs[f->type].reply, w->arena, w->reply);
		wait_end(w, st, NULL);
	}
	ipc_fds_close(&f->fds); /* what nobody took: a late or refused answer */
}

/* Take it out at its end, unless somebody else has, and is about to end it. */
static bool take_back(struct ipc_link *l, uint64_t number)
{
	bool ours;

	pthread_mutex_lock(&l->lock);
	ours = map_remove_u64(&l->waits, number) != NULL;
	pthread_mutex_unlock(&l->lock);
	return ours;
}

static enum status wait_for(struct ipc_link *l, struct ipc_wait *w, uint64_t number)
{
	struct timespec until = clock_deadline(w->deadline_ms - clock_mono_ms());

	ipc_cork_send();
	while (sem_clockwait(&w->over, CLOCK_MONOTONIC, &until) < 0) {
		if (errno != ETIMEDOUT)
			continue;
		if (take_back(l, number))
			return ST_TEMP;
		while (sem_wait(&w->over) < 0)
			continue;
		break;
	}
	return (enum status)atomic_load(&w->status);
}

enum status ipc_call(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, struct arena *a,
		     void *ret_reply)
{
	const struct ipc_msg *m = &ipc_msgs[id];
	struct ipc_link      *l = ipc_link_find(ipc, role, key, m->lane);
	struct ipc_wait       w = { .id = id, .arena = a, .reply = ret_reply, .deadline_ms = clock_mono_ms() + m->deadline_ms };
	struct ipc_frame      head = { .type = id };
	enum status           st;

	CHECK(m->server == role);
	if (!l)
		return ST_TEMP;
	sem_init(&w.over, 0, 0);
	st = wait_add(l, &w, &head.number);
	if (st == ST_OK) {
		st = ipc_link_send(l, &head, &m->request, request);
		if (st == ST_OK || !take_back(l, head.number)) /* the end of the link ends the wait */
			st = wait_for(l, &w, head.number);
	}
	sem_destroy(&w.over);
	ipc_link_unref(l);
	return st;
}

/* Take the wait out again if it is still there, and end it. */
static void start_failed(struct ipc_link *l, uint64_t number, enum status st)
{
	struct ipc_wait *w;

	pthread_mutex_lock(&l->lock);
	w = map_remove_u64(&l->waits, number);
	pthread_mutex_unlock(&l->lock);
	if (w)
		wait_end(w, st, NULL);
}

void ipc_start(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done, void *arg)
{
	const struct ipc_msg *m = &ipc_msgs[id];
	struct ipc_link      *l = ipc_link_find(ipc, role, key, m->lane);
	struct ipc_wait      *w;
	struct ipc_frame      head = { .type = id };
	enum status           st;

	CHECK(m->server == role && m->reply.size <= REPLY_MAX);
	if (!l) {
		done(arg, ST_TEMP, NULL);
		return;
	}
	ipc_ticker_start(ipc);
	w = calloc(1, sizeof(*w));
	CHECK(w);
	*w = (struct ipc_wait){ .id = id, .done = done, .arg = arg, .deadline_ms = clock_mono_ms() + m->deadline_ms };
	st = wait_add(l, w, &head.number);
	if (st != ST_OK) {
		free(w);
		done(arg, st, NULL);
	} else {
		st = ipc_link_send(l, &head, &m->request, request);
		if (st != ST_OK)
			start_failed(l, head.number, st);
	}
	ipc_link_unref(l);
}
