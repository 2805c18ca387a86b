/* queue/queue.h - the queue: takes mail durably, has it delivered, tells when it cannot be.
 *
 * One directory: queue.db, content/ (messages over LIMIT_INLINE), reserve. docs/formats/queue.md has the tables and the
 * numbered invariants; queue_check() checks them.
 *
 * Threads. One writer owns the database handle: it takes everything that waits (submits, results, wishes of administrators),
 * applies it in one transaction, syncs once, then answers all of it; the next batch gathers meanwhile. There is no timer in this.
 * Everything else happens on the threads of the channels.
 *
 *   submit -> writer: commit, sync -> answer -> auth resolves -> local, remote -> writer: result -> gone, or due later
 *
 * A message in memory is in its *round*: routing, attempts, results. Memory is bounded (`active_max`, `memory_octets`); what does
 * not fit waits on disk, where the due times are too.
 *
 * Without queue_start (a command while no server runs), the functions under "administrators" work in the calling thread.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "ipc/ipc.h"
#include "ipc/msg_queue.h"

struct queue;

struct queue_options { /* 0 or empty: the default */
	int        dir;      /* the queue's directory, kept open by the caller; known to the database layer as `root` */
	const char *root;    /* "queue": static text */
	struct str hostname; /* names us in reports. Copied */
	struct str relay;    /* "host:port": all foreign mail goes there. Copied */
	struct str filter;   /* "host:port", "lmtp:host:port": where messages with QUEUE_FLAG_FILTER go; "": they go their way. Copied */
	int64_t    retry_first_ms, retry_max_ms; /* 5 min, 4 h */
	int64_t    expire_ms;                    /* 5 days */
	int64_t    delay_warning_ms;             /* 4 h: then the sender is told once that a message waits; negative: never */
	unsigned   watermark_percent;            /* 5: below this free space submits are refused */
	uint64_t   watermark_octets;             /* 200 MiB, at least this much. UINT64_MAX: always below (tests) */
	uint64_t   reserve_octets;               /* 8 MiB, given back when the disk is full */
	unsigned   active_max;                   /* 4000 messages in memory */
	size_t     memory_octets;                /* 64 MiB of content in memory */
	unsigned   local_max, remote_max;        /* 1000, 500 deliveries under way */
	unsigned   site_first, site_connections; /* 5, 20 of them to one destination: at first, and at most */
	size_t     txid_max;                     /* 2^20 transaction ids remembered */
	int64_t    txid_keep_ms;                 /* 2 h */
	uint64_t   trace_octets;                 /* 0: no trace */
	int64_t    trace_keep_ms;
	int64_t  (*mono_ms)(void);               /* clocks, for tests */
	int64_t  (*wall_ms)(void);
};

/* ST_OK; otherwise a status of db_open. A suspect database is repaired first. */
MUST_CHECK enum status queue_open(const struct queue_options *options, struct queue **ret);
struct queue_pipe { /* a program that takes messages, "pipe:NAME" as a next hop */
	struct str name;
	uint32_t   recipients; /* of one run, 1 to LIMIT_PIPE_RCPTS */
	uint32_t   runs;       /* at once */
};
/* The options that can change while it runs: from the next round of each message on; what waits keeps its time. From one thread. */
struct queue_live {
	struct str hostname, relay, filter; /* copied */
	int64_t    retry_first_ms, retry_max_ms, expire_ms; /* none is 0 */
	int64_t    delay_warning_ms; /* negative: none */
	const struct queue_pipe *pipes; /* copied */
	size_t                   pipe_count;
	unsigned   site_first, site_connections; /* 0: as at the start */
};
void              queue_set_live(struct queue *q, const struct queue_live *live);
void              queue_set_trace(struct queue *q, uint64_t octets, int64_t keep_ms);
struct queue_live queue_live(const struct queue *q);
/* Begin to work: the writer thread, and what waits is delivered. */
void queue_start(struct queue *q, struct ipc *ipc);
/* Finish what is under way, for some seconds, and what the writer has, and end it. Requests that come later are answered ST_TEMP. */
void queue_stop(struct queue *q);
/* No answer of a channel may come any more. */
void queue_close(struct queue **q);

/* For ipc_serve with the queue as ctx. Pool 1: listings, and reading the trace. */
extern const struct ipc_row queue_rows[];
extern const size_t         queue_row_count;
#define QUEUE_POOL         1u
#define QUEUE_POOL_THREADS 2u
#define QUEUE_POOL_BACKLOG 64u

/* ---- administrators ---- ST_NOT_FOUND: no message of that id. Results live in `a`. */
MUST_CHECK enum status queue_list(struct queue *q, const struct queue_list_request *r, struct arena *a, struct queue_list_reply *ret);
MUST_CHECK enum status queue_show(struct queue *q, uint64_t id, struct arena *a, struct queue_show_reply *ret);
/* Try now; take out for good; hold, and let go. id 0: all that match r->to and r->from. A message in its round is removed or held
 * when the round is over; a hold that a crash of the process meets before that is forgotten. */
MUST_CHECK enum status queue_retry(struct queue *q, const struct queue_id_request *r, uint64_t *ret_count);
MUST_CHECK enum status queue_remove(struct queue *q, const struct queue_id_request *r, struct queue_edit_reply *ret);
MUST_CHECK enum status queue_hold(struct queue *q, const struct queue_id_request *r, uint64_t *ret_count);
MUST_CHECK enum status queue_release(struct queue *q, const struct queue_id_request *r, uint64_t *ret_count);
/* See ipc/msg_queue.h: what each refuses. Nothing is changed then; ST_INVALID may have its reason in ret->wrong. ret->busy_ids: room for
 * LIMIT_QUEUE_BUSY, or NULL. */
MUST_CHECK enum status queue_redirect(struct queue *q, const struct queue_edit_request *r, struct queue_edit_reply *ret);
MUST_CHECK enum status queue_edit(struct queue *q, const struct queue_edit_request *r, struct queue_edit_reply *ret);
MUST_CHECK enum status queue_bounce(struct queue *q, const struct queue_id_request *r, struct queue_edit_reply *ret);
MUST_CHECK enum status queue_shape(struct queue *q, uint64_t after, struct arena *a, struct queue_shape_reply *ret);
MUST_CHECK enum status queue_stats(struct queue *q, struct queue_stats_reply *ret);

/* Check the invariants Q1.. on a queue that is not started; `found` is called for each break. */
typedef void queue_found_fn(void *arg, const char *invariant, struct str text);
MUST_CHECK enum status queue_check(struct queue *q, queue_found_fn *found, void *arg, uint64_t *ret_breaks);

/* ---- tests ---- */
/* One turn of the writer in the calling thread, without waiting: true if there was anything to do. Not with queue_start(thread). */
bool queue_turn(struct queue *q);
/* As queue_start, but without the thread. */
void queue_start_turns(struct queue *q, struct ipc *ipc);

#endif
