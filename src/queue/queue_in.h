/* queue/queue_in.h - what the files of this folder share: the queue, a message in its round, the writer's operations.
 *
 * Who touches what:
 *   writer thread only   db, txids, pins, next_id, window of due messages
 *   q->lock              ops (what waits for the writer), active
 *   atomics              floor, counters, full, suspect
 *   m->lock              what answers are copied into (m->arena) while attempts are under way
 *   a message's round    passes from thread to thread: whoever ends the last open step (m->open) goes on with it
 */
#ifndef QUEUE_QUEUE_IN_H
#define QUEUE_QUEUE_IN_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "db/db.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_local.h"
#include "ipc/msg_remote.h"
#include "queue/queue.h"
#include "queue/queue_txid.h"

#define QUEUE_BATCH_MAX     2000u /* operations in one transaction */
#define QUEUE_TARGETS_MAX   5000u /* of one message in one round; recipients beyond wait for the next */
#define QUEUE_CRASHES_MAX   3u    /* attempts lost with their process before a message is held */
#define QUEUE_REASON_MAX    ((size_t)500)
#define QUEUE_CODE_MAX      ((size_t)16)
#define QUEUE_SHA256        32u
#define QUEUE_ID_BLOCK      100000u /* ids made durable ahead of use */
#define QUEUE_FLIGHT_KEYS   1024u
#define QUEUE_HEAD_MAX      ((size_t)64 * KIB) /* of a large message, read to count its hops */
#define QUEUE_LOAD_PAGE     256u
#define QUEUE_JOB_RCPTS     100u /* in one request to remote; RFC 5321 §4.5.3.1.8 */

/* ---- what the writer does ---- */

enum queue_op_kind {
	QUEUE_OP_RESULT, /* repeated until it is on stable storage */
	QUEUE_OP_WISH,   /* of an administrator: refused while the database cannot be written, but not for want of space */
	QUEUE_OP_TAKE,   /* takes space for somebody outside: refused for both */
};

struct queue_op {
	struct queue_op *next;
	/* Inside the transaction. Called again if the batch had to be rolled back, so it changes nothing in memory that
	 * `finish` with a failure (or the repeat) does not allow for. */
	enum status (*apply)(struct queue *q, struct queue_op *op);
	/* The batch is on stable storage (ST_OK), or not: certainly no part of it ever will be. Gives the operation up. */
	void (*finish)(struct queue *q, struct queue_op *op, enum status st);
	enum queue_op_kind kind;
	bool               lazy; /* may wait for the sync of a later batch: losing it repeats work, nothing else */
};

void queue_push(struct queue *q, struct queue_op *op);

/* ---- a message in its round ---- */

enum queue_outcome {
	QUEUE_OUT_NONE,     /* not attempted: as DEFERRED, but no attempt */
	QUEUE_OUT_DONE,
	QUEUE_OUT_FAILED,
	QUEUE_OUT_DEFERRED,
	QUEUE_OUT_LOST,     /* the process died or never answered: unknown */
};

struct queue_to { /* one target: an account, or a foreign address */
	struct queue_to   *next;   /* of the same group */
	struct queue_rcpt_row *rcpt;
	uint64_t           account;
	struct str         address;
	uint32_t           n;       /* its row */
	enum queue_outcome outcome;
	struct str         code, answer, host;
};

struct queue_rcpt_row { /* a row of table rcpt */
	uint32_t           n;
	bool               final;    /* done or failed in an earlier round: only there to be seen */
	bool               fixed;    /* a target by itself, from a list that was only partly delivered */
	bool               resolved; /* this round knows its targets; else outcome, code and answer say why not */
	uint64_t           account;
	uint32_t           attempts;
	struct str         address, target;
	struct auth_target *found;   /* what auth said */
	size_t             found_count;
	enum queue_outcome outcome;  /* of routing */
	struct str         code, answer;
	struct queue_to  **to;
	size_t             to_count;
};

enum queue_phase { QUEUE_PHASE_ROUTE, QUEUE_PHASE_ASSIGN, QUEUE_PHASE_DELIVER, QUEUE_PHASE_RESULT };

struct queue_msg {
	struct queue     *q;
	struct arena     *arena;
	pthread_mutex_t   lock;
	uint64_t          id;
	uint64_t          base; /* delivery id of this round, 0: not assigned. See queue_pin.h */
	uint64_t          file; /* number of the file with the content, 0: it is in a row */
	uint64_t          account, size;
	struct str        from, session, peer;
	uint32_t          flags, attempts, stalls, crashes;
	int64_t           received_ms, entered;
	uint8_t           hash[QUEUE_SHA256];
	char             *content; /* heap; NULL if it is a file */
	struct queue_rcpt_row *rcpts;
	size_t            rcpt_count;
	struct queue_to **to;
	size_t            to_count, to_cap;
	uint32_t          next_n; /* of table rcpt */
	enum queue_phase  phase;
	atomic_uint       open;   /* steps under way in this phase, and one for whoever starts them */
	atomic_bool       lost;   /* an attempt was lost with its process */
	atomic_bool       stalled; /* a role could not be asked at all */
	bool              remote; /* some target is foreign */
	bool              unreadable; /* rows or content are damaged */
	bool              decided;    /* queue_result.c */
void queue_result_push(struct queue_msg *m);          /* the round is over */
void queue_result_partial(struct queue_job *job);     /* one group of it; ends in queue_round_step */
void queue_assign_push(struct queue_msg *m);          /* leads to queue_round_go */

/* queue_notice.c: the report of this round's failures; NULL if none is due. Reads m->rcpts and m->to as decided. */
struct queue_msg *queue_notice_new(struct queue_msg *m);

/* queue_space.c */
bool queue_full(struct queue *q);
void queue_reserve_hold(struct queue *q);
bool queue_reserve_release(struct queue *q);

/* queue_spool.c */
void queue_copier_start(struct queue *q);
void queue_copier_stop(struct queue *q);
MUST_CHECK enum status queue_file_open(struct queue *q, uint64_t file, int *ret_fd);
void queue_file_remove(struct queue *q, uint64_t file);
MUST_CHECK enum status queue_files_sweep(struct queue *q);
MUST_CHECK enum status queue_file_copy(struct queue *q, int spool, uint64_t size, uint64_t *ret_file, uint8_t ret_hash[QUEUE_SHA256]);
bool queue_copier_put(struct queue *q, struct ipc_request *r); /* false: too many wait, r is still the caller's */

/* queue_submit.c */
void queue_submit(void *ctx, struct ipc_request *r);
void queue_submit_large(struct queue *q, struct ipc_request *r); /* on a copier's thread */
void queue_known(void *ctx, struct ipc_request *r);
void queue_spool(void *ctx, struct ipc_request *r);
unsigned queue_hops(struct str header);

/* queue_writer.c */
void *queue_writer_main(void *q);
uint64_t queue_id_next(struct queue *q);
/* Run an operation of an administrator and wait for it. */
enum status queue_perform(struct queue *q, struct queue_op *op);

#endif
