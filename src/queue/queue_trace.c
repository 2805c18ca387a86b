/* queue/queue_trace.c - adding to the trace; see queue_trace.h. */
#include "queue/queue_trace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/metric.h"
#include "ipc/ipc_msg.h"
#include "sys/disk.h"

#define FLUSH_MS   200
#define FLUSH_SIZE (256 * KIB) /* so much is written at once */
#define PRUNE_MS   ((int64_t)60000)

struct queue_trace {
	struct queue_trace_options o; /* size and keep: lock */
	pthread_mutex_t            lock;
	pthread_cond_t             cond;
	struct buf                 waiting; /* lock */
	uint64_t                   dropped; /* lock; since it was last said */
	bool                       threaded, stopping, nudged;
	pthread_t                  thread;
	/* who flushes */
	pthread_mutex_t flush_lock;
	struct buf      out;
	int             fd; /* of the segment; -1: none */
	char            path[64];
	uint64_t        size, last_name;
	int64_t         pruned_ms;
	bool            failing; /* said once */
};

int queue_trace_dir(const struct queue_trace *t)
{
	return t->o.dir;
}

/* ---- adding ---- */

static struct str cut(struct str s, size_t max)
{
	return str_first(s, max);
}

static bool encode(struct buf *out, const struct trace_event *e)
{
	const struct trace_event bounded = {
		.at_ms = e->at_ms,
		.what = e->what,
		.message = e->message,
		.session = cut(e->session, LIMIT_SESSION_ID),
		.peer = cut(e->peer, LIMIT_IP_TEXT),
		.from = cut(e->from, LIMIT_ADDRESS),
		.to = cut(e->to, LIMIT_ADDRESS),
		.code = e->code,
		.octets = e->octets,
		.text = cut(e->text, LIMIT_TRACE_TEXT),
	};
	struct ipc_fds fds = { .n = 0 };
	size_t         at = out->n;
	uint32_t       n;

	if (out->max - out->n < QUEUE_TRACE_RECORD)
		return false;
	buf_add(out, STR("\0\0\0\0"));
	if (ipc_encode(out, &fds, &ipc_msgs[IPC_QUEUE_TRACE].request, &bounded, IPC_VERSION) != ST_OK || out->n - at > QUEUE_TRACE_RECORD) {
		out->n = at;
		return false;
	}
	n = (uint32_t)(out->n - at - 4);
	for (unsigned i = 0; i < 4; i++)
		out->p[at + i] = (char)(n >> (24 - 8 * i));
	return true;
}

void queue_trace_add(struct queue_trace *t, const struct trace_event *e)
{
	bool kept = false;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	if (t->o.size_octets > 0) {
		kept = encode(&t->waiting, e);
		t->dropped += !kept;
		if (t->waiting.n >= FLUSH_SIZE && !t->nudged) {
			t->nudged = true;
			pthread_cond_signal(&t->cond);
		}
	}
	pthread_mutex_unlock(&t->lock);
	metric_add(kept ? METRIC_TRACE_EVENTS : METRIC_TRACE_DROPPED, t->o.size_octets > 0);
}

/* ---- segments ---- */

struct segments {
	uint64_t *names;
	size_t    count, room;
};

static bool segment_seen(void *arg, const char *name, int64_t mtime_ms)
{
	struct segments *s = arg;
	uint64_t         number;

	(void)mtime_ms;
	if (str_of(name).n != 13 || !str_to_u64(str_of(name), &number))
		return true;
	if (s->count == s->room) {
		s->room = s->room * 2 + 64;
		s->names = realloc(s->names, s->room * sizeof(*s->names));
		CHECK(s->names);
	}
	s->names[s->count++] = number;
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t segment_size(struct queue_trace *t, const char *path)
{
	int      fd CLEANUP(fd_close) = -1;
	uint64_t n = 0;

	if (disk_open(t->o.dir, path, DISK_READ, &fd) != ST_OK || disk_size(fd, &n) != ST_OK)
		return 0;
	return n;
}

/* Remove the oldest while they are too many; a segment's last event is as old as the beginning of the next. */
static void prune(struct queue_trace *t, uint64_t size_octets, int64_t keep_ms)
{
	struct segments s = { 0 };
	uint64_t        total = 0;
	char            path[64];

	if (disk_list(t->o.dir, "trace", segment_seen, &s) != ST_OK || s.count == 0) {
		free(s.names);
		return;
	}
	qsort(s.names, s.count, sizeof(*s.names), by_number);
	for (size_t i = s.count; i-- > 0;) {
		bool old = i + 1 < s.count && (int64_t)s.names[i + 1] < t->o.wall_ms() - keep_ms;

		snprintf(path, sizeof(path), "trace/%013llu", (unsigned long long)s.names[i]);
		total += segment_size(t, path);
		if ((total > size_octets || old) && s.names[i] != t->last_name && disk_remove(t->o.dir, path) != ST_OK)
			log_warn("an old segment of the trace cannot be removed", LOG_C("path", path));
	}
	free(s.names);
}

static enum status segment_begin(struct queue_trace *t)
{
	uint64_t    name = MAX((uint64_t)MAX(t->o.wall_ms(), 0), t->last_name + 1);
	enum status st;

	fd_close(&t->fd);
	st = disk_make_dir(t->o.dir, "trace");
	if (st != ST_OK && st != ST_EXISTS)
		return st;
	do { /* a clock that went back must not stop it: the next free number */
		snprintf(t->path, sizeof(t->path), "trace/%013llu", (unsigned long long)name);
		st = disk_open(t->o.dir, t->path, DISK_NEW, &t->fd);
		t->last_name = name++;
	} while (st == ST_EXISTS);
	t->size = 0;
	return st;
}

/* ---- writing ---- */

static void write_out(struct queue_trace *t)
{
	enum status st = ST_OK;

	if (t->fd < 0 || t->size >= QUEUE_TRACE_SEGMENT)
		st = segment_begin(t);
	if (st == ST_OK)
		st = disk_write_at(t->fd, t->path, t->size, buf_str(&t->out));
	if (st == ST_OK) {
		t->size += t->out.n;
	} else {
		fd_close(&t->fd); /* what is torn in it ends there; the next goes into a new one */
		if (!t->failing)
			log_warn("the trace cannot be written, events are lost", LOG_ST("status", st));
	}
	t->failing = st != ST_OK;
	buf_clear(&t->out);
}

void queue_trace_flush(struct queue_trace *t)
{
	uint64_t   dropped, size_octets;
	int64_t    keep_ms, now;
	struct buf out;

	if (!t)
		return;
	now = t->o.wall_ms();
	pthread_mutex_lock(&t->flush_lock);
	pthread_mutex_lock(&t->lock);
	out = t->out;
	t->out = t->waiting;
	t->waiting = out;
	dropped = t->dropped;
	t->dropped = 0;
	t->nudged = false;
	size_octets = t->o.size_octets;
	keep_ms = t->o.keep_ms;
	pthread_mutex_unlock(&t->lock);
	if (t->out.n > 0)
		write_out(t);
	if (dropped > 0)
		log_warn("events came faster than the trace is written", LOG_U64("dropped", dropped));
	if (t->size >= QUEUE_TRACE_SEGMENT || now - t->pruned_ms > PRUNE_MS || now < t->pruned_ms) {
		prune(t, size_octets, keep_ms);
		t->pruned_ms = now;
	}
	pthread_mutex_unlock(&t->flush_lock);
}

static void *trace_main(void *arg)
{
	struct queue_trace *t = arg;
	bool                stopping = false;

	while (!stopping) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += FLUSH_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&t->lock);
		if (!t->stopping && !t->nudged)
			pthread_cond_timedwait(&t->cond, &t->lock, &until);
		stopping = t->stopping;
		pthread_mutex_unlock(&t->lock);
		queue_trace_flush(t);
	}
	return NULL;
}

/* ---- opening and closing ---- */

struct queue_trace *queue_trace_open(const struct queue_trace_options *options)
{
	struct queue_trace *t = calloc(1, sizeof(*t));

	CHECK(t);
	t->o = *options;
	t->fd = -1;
	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->flush_lock, NULL);
	pthread_cond_init(&t->cond, NULL);
	buf_init(&t->waiting, QUEUE_TRACE_BUFFER);
	buf_init(&t->out, QUEUE_TRACE_BUFFER);
	return t;
}

void queue_trace_start(struct queue_trace *t)
{
	t->threaded = true;
	CHECK(pthread_create(&t->thread, NULL, trace_main, t) == 0);
}

void queue_trace_set(struct queue_trace *t, uint64_t size_octets, int64_t keep_ms)
{
	pthread_mutex_lock(&t->lock);
	t->o.size_octets = size_octets;
	t->o.keep_ms = keep_ms;
	pthread_mutex_unlock(&t->lock);
}

void queue_trace_close(struct queue_trace **tp)
{
	struct queue_trace *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	if (t->threaded) {
		pthread_mutex_lock(&t->lock);
		t->stopping = true;
		pthread_cond_signal(&t->cond);
		pthread_mutex_unlock(&t->lock);
		pthread_join(t->thread, NULL);
	} else {
		queue_trace_flush(t);
	}
	fd_close(&t->fd);
	buf_done(&t->waiting);
	buf_done(&t->out);
	pthread_mutex_destroy(&t->lock);
	pthread_mutex_destroy(&t->flush_lock);
	pthread_cond_destroy(&t->cond);
	free(t);
}
