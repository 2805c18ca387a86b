/* queue/queue_trace_find.c - reading the trace: segment by segment, a bounded part for each question.
 *
 * A record is believed only if it decodes; one that does not (torn by a power cut, damaged) ends its segment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/ipc_msg.h"
#include "queue/queue_trace.h"
#include "sys/disk.h"

#define CHUNK ((size_t)1 * MIB)

struct look {
	struct queue_trace              *t;
	const struct trace_find_request *q;
	struct arena                    *a;
	struct trace_find_reply         *ret;
	uint64_t                         octets; /* looked through */
	size_t                           said;   /* octets of the reply, about */
};

/* ---- matching ---- */

static bool address_matches(struct str key, struct str address)
{
	if (key.n > 0 && key.p[0] == '@')
		return address.n > key.n && str_iends(address, key);
	return address.n > 0 && str_ieq(address, key);
}

static bool matches(const struct trace_key *k, const struct trace_event *e)
{
	switch (k->kind) {
	case TRACE_KEY_MESSAGE: return k->message != 0 && e->message == k->message;
	case TRACE_KEY_SESSION: return e->session.n > 0 && str_eq(e->session, k->text);
	case TRACE_KEY_ADDRESS: return address_matches(k->text, e->from) || address_matches(k->text, e->to);
	case TRACE_KEY_PEER: return e->peer.n > 0 && str_ieq(e->peer, k->text);
	}
	return false;
}

static bool wanted(const struct trace_find_request *q, const struct trace_event *e)
{
	if (e->at_ms < q->since_ms)
		return false;
	for (size_t i = 0; i < q->key_count; i++)
		if (matches(&q->keys[i], e))
			return true;
	return false;
}

static void keep(struct look *l, const struct trace_event *e)
{
	struct trace_event *k = &l->ret->events[l->ret->event_count++];

	*k = *e;
	k->session = arena_dup(l->a, e->session);
	k->peer = arena_dup(l->a, e->peer);
	k->from = arena_dup(l->a, e->from);
	k->to = arena_dup(l->a, e->to);
	k->text = arena_dup(l->a, e->text);
	l->said += 64 + e->session.n + e->peer.n + e->from.n + e->to.n + e->text.n;
}

static bool enough(const struct look *l)
{
	return l->ret->event_count == LIMIT_LIST_PAGE || l->said > LIMIT_LIST_OCTETS || l->octets > QUEUE_TRACE_LOOK;
}

/* ---- records ---- */

/* The records of `chunk` in order, until there is enough. Octets of it that are done with; *ret_end: what follows is no record. */
static size_t records(struct look *l, struct str chunk, bool *ret_end)
{
	struct arena *scratch = arena_new(NULL);
	size_t        at = 0;

	while (!enough(l) && chunk.n - at >= 4) {
		const unsigned char *p = (const unsigned char *)chunk.p + at;
		size_t               n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		struct trace_event   e;

		if (n == 0 || n > QUEUE_TRACE_RECORD) {
			*ret_end = true;
			break;
		}
		if (chunk.n - at - 4 < n)
			break;
		arena_reset(scratch);
		if (ipc_decode(str_n(chunk.p + at + 4, n), NULL, &ipc_msgs[IPC_QUEUE_TRACE].request, &e, scratch, IPC_VERSION) != ST_OK) {
			*ret_end = true;
			break;
		}
		if (wanted(l->q, &e))
			keep(l, &e);
		at += 4 + n;
		l->octets += 4 + n;
	}
	arena_free(&scratch);
	return at;
}

/* From *offset on. True: to its end. */
static bool segment(struct look *l, uint64_t name, uint64_t *offset)
{
	int    fd CLEANUP(fd_close) = -1;
	char   path[64], *p;
	size_t n = 0, used;
	bool   end = false;

	snprintf(path, sizeof(path), "trace/%013llu", (unsigned long long)name);
	if (disk_open(queue_trace_dir(l->t), path, DISK_READ, &fd) != ST_OK)
		return true; /* it went meanwhile */
	p = malloc(CHUNK);
	CHECK(p);
	do {
		used = 0;
		end = end || disk_read_at(fd, p, CHUNK, *offset, &n) != ST_OK || n == 0;
		if (!end)
			used = records(l, str_n(p, n), &end);
		*offset += used;
	} while (used > 0 && !end && !enough(l));
	free(p);
	return !enough(l) || end;
}

/* ---- segments ---- */

struct next {
	uint64_t from, found; /* the smallest that is at least `from`; UINT64_MAX: none */
};

static bool next_seen(void *arg, const char *name, int64_t mtime_ms)
{
	struct next *x = arg;
	uint64_t     number;

	(void)mtime_ms;
	if (str_of(name).n == 13 && str_to_u64(str_of(name), &number) && number >= x->from)
		x->found = MIN(x->found, number);
	return true;
}

/* The segment of that number or the next one after it. UINT64_MAX: there is none. */
static uint64_t segment_from(struct queue_trace *t, uint64_t from)
{
	struct next x = { from, UINT64_MAX };

	return disk_list(queue_trace_dir(t), "trace", next_seen, &x) == ST_OK ? x.found : UINT64_MAX;
}

/* The first that can hold events since then: the last one begun before. */
static uint64_t segment_since(struct queue_trace *t, int64_t since_ms)
{
	uint64_t name = segment_from(t, 0), after;

	while (name != UINT64_MAX && (after = segment_from(t, name + 1)) != UINT64_MAX && (int64_t)after <= since_ms)
		name = after;
	return name;
}

enum status queue_trace_find(struct queue_trace *t, const struct trace_find_request *q, struct arena *a, struct trace_find_reply *ret)
{
	struct look l = { .t = t, .q = q, .a = a, .ret = ret };
	uint64_t    name, offset = q->offset;

	*ret = (struct trace_find_reply){ .events = ARENA_ARRAY(a, struct trace_event, LIMIT_LIST_PAGE) };
	if (q->key_count > LIMIT_TRACE_KEYS)
		return ST_INVALID;
	if (!t)
		return ST_OK;
	queue_trace_flush(t); /* what has just happened is asked for most */
	name = q->segment == 0 ? segment_since(t, q->since_ms) : segment_from(t, q->segment);
	if (name != q->segment)
		offset = 0;
	while (name != UINT64_MAX && segment(&l, name, &offset)) {
		name = segment_from(t, name + 1);
		offset = 0;
	}
	ret->more = name != UINT64_MAX;
	ret->segment = ret->more ? name : 0;
	ret->offset = ret->more ? offset : 0;
	return ST_OK;
}
