/* queue/queue_trace.h - the trace: events appended to files in trace/, found again by reading through them.
 *
 *   trace/<number>   a segment: records one after another, number = wall clock in ms when it was begun, 13 digits
 *   record           length, 4 octets big-endian; a trace_event in the encoding of the channels (ipc/ipc_codec.h)
 *
 * Not synced: a power cut loses the last moments and may tear the last record, which is then not read. A start begins a new segment. The
 * oldest segments go when all are larger than `size_octets` together, or when their last event is older than `keep_ms`.
 * Why no table (tests/bench/bench_trace): an event costs 0.7 us of CPU, in a SQLite table with indexes on message, session and both addresses
 * 32 us, and it takes half the space. Finding an address means to read it all, 1 GiB a second, which only who asks has to wait for.
 *
 * Adding never waits: events go into a buffer that a thread writes out; what does not fit is dropped and counted. Thread-safe.
 */
#ifndef QUEUE_QUEUE_TRACE_H
#define QUEUE_QUEUE_TRACE_H

#include "base/arena.h"
#include "base/status.h"
#include "ipc/msg_trace.h"

#define QUEUE_TRACE_SEGMENT  ((uint64_t)16 * MIB)
#define QUEUE_TRACE_BUFFER   ((size_t)4 * MIB)
#define QUEUE_TRACE_RECORD   ((size_t)8 * KIB) /* a larger one is none */
#define QUEUE_TRACE_LOOK     ((uint64_t)64 * MIB) /* read for one question */

struct queue_trace;

struct queue_trace_options {
	int      dir; /* the queue's directory, kept open by the caller */
	uint64_t size_octets; /* 0: no trace is kept */
	int64_t  keep_ms;
	int64_t (*wall_ms)(void);
};

/* trace/ is made when there is something to write. Never fails: what cannot be written is lost, and that is logged. */
struct queue_trace *queue_trace_open(const struct queue_trace_options *options);
/* Begin to write from a thread of its own; without it queue_trace_flush does. */
void queue_trace_start(struct queue_trace *t);
void queue_trace_close(struct queue_trace **t); /* writes what waits; NULL is fine */
/* Other bounds from now on. */
void queue_trace_set(struct queue_trace *t, uint64_t size_octets, int64_t keep_ms);

/* Copies the event; t may be NULL. Texts are cut to their limits. */
void queue_trace_add(struct queue_trace *t, const struct trace_event *e);
/* Write out what waits, now; t may be NULL. */
void queue_trace_flush(struct queue_trace *t);

/* queue_trace_find.c. The reply lives in `a`. ST_INVALID: too many keys. */
MUST_CHECK enum status queue_trace_find(struct queue_trace *t, const struct trace_find_request *q, struct arena *a,
					struct trace_find_reply *ret);

/* ---- for queue_trace_find.c ---- */
int queue_trace_dir(const struct queue_trace *t);

#endif
