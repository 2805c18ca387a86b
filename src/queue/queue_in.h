/* queue/queue_in.h - what the files of this folder share: the queue, a message in its round, the writer's operations.
 *
 * Who touches what:
 *   writer thread only   db, txids, pins, next_id, and everything under "writer" in struct queue
 *   q->lock              operations that wait, active
 *   atomics              floor, counters, full, suspect
 *   m->lock              m->arena, while answers of several attempts may arrive
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
#include "ipc/msg_pipe.h"
#include "ipc/msg_remote.h"
#include "queue/queue.h"
#include "queue/queue_line.h"
#include "queue/queue_trace.h"
#include "queue/queue_txid.h"

#define QUEUE_BATCH_MAX   2000u   /* operations in one transaction */
#define QUEUE_ID_BLOCK    100000u /* ids made durable ahead of use */
#define QUEUE_LOAD_PAGE   256u    /* due messages looked at in one go */
#define QUEUE_TARGETS_MAX 5000u   /* of one message in one round; recipients beyond wait for the next */
#define QUEUE_JOB_RCPTS   100u    /* in one request to remote; RFC 5321 §4.5.3.1.8 */
#define QUEUE_SITE_NAME_MAX ((size_t)768) /* relay or domain, two addresses, a number */
#define QUEUE_CRASHES_MAX 3u      /* attempts lost with their process before a message is held */
#define QUEUE_REASON_MAX  ((size_t)500)
#define QUEUE_CODE_MAX    ((size_t)16)
#define QUEUE_HEAD_MAX    ((size_t)64 * KIB) /* of a large message, read to count its hops */
#define QUEUE_SHA256      32u
#define QUEUE_NOT_ANSWERING " is not answering since " /* behind a destination's name: nobody was asked */
#define QUEUE_HELD_BY_ADMIN "Held by an administrator"
#define QUEUE_HELD_BACK     "Held back until the time that its sender chose"
#define QUEUE_PRIORITY_MAX 9 /* RFC 6710: -9 to 9 */

/* ---- what the writer does ---- */

enum queue_op_kind {
	QUEUE_OP_RESULT, /* repeated until it is on stable storage */
	QUEUE_OP_WISH,   /* of an administrator: refused while the database cannot be written, but not for want of space */
	QUEUE_OP_TAKE,   /* takes space for somebody outside: refused for both */
};

struct queue_op {
	struct queue_op *next;
	/* Inside the transaction. Called again when the batch is rolled back and repeated: what it changes in memory must
	 * stand that, and `finish` with a failure. */
	enum status (*apply)(struct queue *q, struct queue_op *op);
	/* The batch is on stable storage (ST_OK), or no part of it ever will be. Gives the operation up. */
	void (*finish)(struct queue *q, struct queue_op *op, enum status st);
	enum queue_op_kind kind;
	bool               lazy; /* may wait for the sync of a later batch: losing it repeats work, nothing else */
};

/* After queue_stop: finished with ST_TEMP at once. */
void queue_push(struct queue *q, struct queue_op *op);
void queue_nudge(struct queue *q); /* the writer looks again when it has to wake up */

/* ---- a message in its round ---- */

enum queue_outcome {
	QUEUE_OUT_NONE, /* not attempted */
	QUEUE_OUT_DONE,
	QUEUE_OUT_FAILED,
	QUEUE_OUT_DEFERRED,
	QUEUE_OUT_LOST, /* the process died or never answered: unknown */
};

struct queue_to { /* one target: an account, or a foreign address */
	struct queue_to             *next; /* in its job */
	const struct queue_rcpt_row *rcpt;
	uint64_t                     account;
	struct str                   address;
	struct hop                   hop;           /* foreign: how it is spoken to */
	struct str                   relay, sender; /* foreign: next hop ("": by setting or MX); reverse-path ("": the message's) */
	struct auth_quota_reply      quota;         /* account */
	uint32_t                     n; /* its row */
	enum queue_outcome           outcome;
	enum queue_outcome           traced; /* is in the trace */
	int64_t                      last_ms; /* wall clock: it was answered then; 0: not */
	int64_t                      again;  /* foreign, not tried: its destination takes it then (queue time); 0: nobody knows */
	struct str                   code, answer, host, tls;
	struct str                   tried; /* other hosts, before: as in struct remote_deliver_reply */
	uint32_t                     passed; /* enum remote_passed */
};

struct queue_rcpt_row { /* a row of table rcpt */
	uint32_t            n, attempts;
	uint32_t            notify;   /* enum queue_notify; of one that is done, SUCCESS says that a report is owed (Q10) */
	bool                final;    /* done or failed in an earlier round: only there to be known */
	bool                done;     /* and which of the two */
	bool                fixed;    /* a target by itself, from a list that was only partly delivered */
	bool                resolved; /* this round knows its targets; else outcome, code and answer say why not */
	uint64_t            account;
	struct str          address, target, orcpt;
	struct str          relay, sender; /* of the target, as in struct queue_to */
	struct str          way;           /* what its destination's name says beside the next hop, of the last attempt */
	struct hop          hop;           /* likewise; with relay, as auth says now */
	struct auth_quota_reply quota;     /* of the target, as auth says now */
	bool                way_open;      /* fixed: hop or quota are not known yet */
	struct auth_target *found; /* what auth said */
	size_t              found_count;
	enum queue_outcome  outcome; /* of routing */
	struct str          code, answer;
	struct queue_to   **to;
	size_t              to_count;
};

enum queue_phase { QUEUE_PHASE_ROUTE, QUEUE_PHASE_SIGN, QUEUE_PHASE_ASSIGN, QUEUE_PHASE_DELIVER, QUEUE_PHASE_RESULT };

struct queue_msg {
	struct queue          *q;
	struct arena          *arena;
	pthread_mutex_t        lock;
	/* its row */
	uint64_t               id;
	uint64_t               base; /* delivery id of this round, 0: not assigned */
	uint64_t               file; /* number of the file with the content, 0: it is in a row */
	uint64_t               account, size;
	struct str             from, session, peer, envid;
	uint32_t               flags, attempts, stalls, crashes;
	uint32_t               warned; /* enum queue_warned */
	int32_t                priority;
	uint32_t               lane; /* its sender's, queue_line.h */
	int64_t                received_ms, entered; /* wall clock; queue time */
	int64_t                deliver_by;           /* queue time, 0: no limit */
	uint8_t                hash[QUEUE_SHA256];
	struct queue_rcpt_row *rcpts;
	size_t                 rcpt_count;
	uint32_t               next_n; /* free number for a row of table rcpt */
	/* in memory */
	char                  *content; /* heap; NULL if it is a file */
	size_t                 admitted; /* octets it counts for */
	bool                   in_window; /* it has a place in memory */
	bool                   unreadable; /* rows or content are damaged */
	int64_t                wait_ms;    /* new: so long held back, as its sender wants */
	unsigned               hops;       /* Received fields */
	struct queue_msg      *next_ready;
	struct queue_msg      *pin_before, *pin_after; /* ring in order of base */
	/* the round */
	enum queue_phase       phase;
	atomic_uint            open;    /* steps under way in this phase, and one for whoever starts them */
	atomic_bool            lost;    /* an attempt was lost with its process */
	atomic_bool            removed; /* by an administrator: its rows are gone */
	bool                   hold;    /* an administrator wants it held. Writer only */
	bool                   remote;  /* some target is foreign */
	struct str             filter;  /* the content filter, if the message goes there in this round */
	struct queue_to      **to;
	size_t                 to_count;
	struct queue_job      *jobs;         /* for its foreign targets, if it was to be signed */
	struct str             prefix;       /* signatures, to go before the content to foreign targets */
	bool                   unsigned_yet; /* it should have some, and could not be signed: no foreign target is attempted */
	struct queue_op        op; /* ASSIGN, RESULT */
	/* what the result decides */
	bool                   decided, held, whole; /* whole: held as the round found it */
	bool                   expired, late;        /* its time in the queue is over; that which its sender set */
	uint32_t               warns;                /* enum queue_warned: what the notice tells for the first time */
	int64_t                ended_ms;             /* wall clock: when it was decided */
	int64_t                due; /* 0 when it is gone */
	struct str             reason;
	struct queue_msg      *notice; /* the report to be inserted with it */
};

enum queue_warned { /* bit mask, stored: delays that the sender knows of */
	QUEUE_WARNED_DELAY = 1u << 0, /* the setting's */
	QUEUE_WARNED_BY    = 1u << 1, /* RFC 2852 */
};

/* ---- limits on what is under way ---- */

struct queue_why { /* of what is not tried now */
	int64_t    again; /* queue time */
	struct str code;  /* static */
	size_t     n;
	char       text[QUEUE_REASON_MAX];
};

struct queue_job {
	struct queue_job      *next; /* of its message, until it stands in line */
	struct queue_wait      wait; /* in a line */
	void                 (*start)(struct queue_job *job); /* leads to one queue_flight_end, or queue_site_end */
	void                 (*refuse)(struct queue_job *job, const struct queue_why *why); /* remote: instead of start */
	struct queue_flight   *flight;
	struct queue_msg      *msg;
	struct queue_rcpt_row *rcpt; /* resolve */
	struct queue_to       *to, **to_last; /* local: one; remote: a group, and where the next goes */
	uint32_t               to_count;
	struct str             domain;
	struct str             relay;  /* "" : by the domain's MX */
	struct hop             hop;
	struct str             sender; /* reverse-path of its targets */
	struct queue_site     *site;
	uint64_t               key;      /* of the site */
	bool                   lone;     /* by way of f_lone_remote */
	bool                   doubtful; /* its site was, when it began */
	unsigned               kept;     /* times that it was one too many */
	int64_t                begun_ms; /* mono_ms, with its site */
	const struct queue_why *why_not; /* its site had no place for it before it was signed; NULL: it had one, or was not asked */
	bool                   asked;    /* it was handed to the channel, */
	int64_t                asked_ms; /* mono_ms, then */
	struct queue_op        op;  /* remote: results written as they come */
};

/* queue_flight.c: so many at once, the others in a line. */
struct queue_flight {
	pthread_mutex_t   lock;
	unsigned          now, max;
	bool              pumping;
	struct queue_line line;
};

void queue_flight_init(struct queue_flight *f, unsigned max);
void queue_flight_done(struct queue_flight *f);
/* Nothing is started any more. */
void queue_flight_close(struct queue_flight *f);
void queue_flight_add(struct queue_flight *f, struct queue_job *job);
/* The job has ended: start what waits behind it. Before the round's step, which may free the job. */
void queue_flight_end(struct queue_job *job);
void queue_job_end(struct queue_job *job); /* and its round goes on: the job, and the message, may be gone then */

/* queue_sites.c, queue_site.c: so many at once for each destination, and so often. See queue_site.h. */
struct queue_sites *queue_sites_new(struct queue *q, unsigned max);
void                queue_sites_free(struct queue_sites **s);
/* Nothing is started any more. */
void                queue_sites_close(struct queue_sites *s);
/* Start what waited for its rate, if it is time: queue_sites_wake(), in queue time. */
void                queue_sites_tick(struct queue_sites *s);
int64_t             queue_sites_wake(const struct queue_sites *s);
/* An administrator wants mail to be tried now: also at destinations that are dead. */
void                queue_sites_try(struct queue_sites *s);
void                queue_site_try(struct queue_sites *s, struct str name); /* that one; nothing if it is not known, or not dead */
/* True: it is started, now or later; a lone one is counted, and started by the caller. False: not taken, *ret says why. */
MUST_CHECK bool queue_site_add(struct queue_job *job, struct queue_why *ret);
/* Would it have, now? The same without the job being taken: what is true a moment later may be otherwise. */
MUST_CHECK bool queue_site_would(struct queue_job *job, struct queue_why *ret);
void            queue_site_way(struct buf *b, const struct hop *h); /* " from 192.0.2.1 as 7": what else is in its name */
/* It has ended, and `said` what it says about its destination. True: it was one too many and is in its line again, no longer the
 * caller's. Before the round's step, as above. */
MUST_CHECK bool queue_site_end(struct queue_job *job, enum remote_site said);

/* ---- what waits on disk ----
 * For each priority and lane a time before which nothing of it is due: never later than the truth. So neither the next due time nor
 * who has something due is a question to the tables, however many messages wait. Writer thread only. */
#define QUEUE_PRIORITIES (2 * QUEUE_PRIORITY_MAX + 1)
struct queue_dues {
	int64_t  at[QUEUE_PRIORITIES][QUEUE_LANES]; /* INT64_MAX: nothing waits */
	uint64_t used[QUEUE_PRIORITIES][QUEUE_LANES / 64]; /* where it is not */
	unsigned turn[QUEUE_PRIORITIES]; /* the lane that is read next */
};
void    queue_dues_init(struct queue_dues *d);
void    queue_dues_add(struct queue_dues *d, int32_t priority, uint32_t lane, int64_t due);
void    queue_dues_set(struct queue_dues *d, int32_t priority, uint32_t lane, int64_t due); /* as the tables say */
int64_t queue_dues_get(const struct queue_dues *d, int32_t priority, uint32_t lane);
void    queue_dues_all(struct queue_dues *d, int64_t due); /* whatever there is may be due then */
/* The next lane in use of a priority, from *lane on. False: there is none. */
bool    queue_dues_next(const struct queue_dues *d, int32_t priority, uint32_t *lane);

/* ---- the queue ---- */

struct queue {
	struct queue_options o;
	struct arena        *arena;
	struct ipc          *ipc;
	char                 path[64];
	struct queue_copier *copier;
	struct queue_trace  *trace;
	struct queue_signer *signer;

	const struct queue_live *_Atomic live; /* NULL: as in `o` */
	pthread_mutex_t  lock;
	pthread_cond_t   cond;
	bool             threaded, stopping;
	bool             idle; /* the writer sleeps */
	bool             nudged;
	struct queue_op *first, **last;
	struct queue_op *later, **later_last; /* lazy ones */
	struct queue_arriving *arriving; /* large submits with the copiers */
	struct map       active; /* id -> struct queue_msg */

	/* writer */
	pthread_t          writer;
	struct db         *db;
	struct queue_op   *kept;              /* to be repeated */
	struct queue_op   *lazy, **lazy_last; /* committed, not synced */
	size_t             lazy_count;
	int64_t            lazy_since;
	struct queue_txids txids;
	struct buf         txid_batch;                /* row of this batch */
	uint64_t           txid_added, txid_unsynced; /* in this batch, and since the last sync */
	uint64_t           txid_batches;              /* rows since the last trim */
	uint64_t           next_id, reserved_id, reserved_want;
	uint64_t           synced_id; /* next_id at the last sync */
	struct queue_msg   pins;      /* head of the ring */
	bool               pins_on_disk;
	struct queue_dues  dues;     /* what waits on disk */
	int64_t            load_pause; /* queue time: the tables could not be read, not again before */
	struct map         unread;   /* ids of due messages that could not be read just now */
	int64_t            reread;   /* queue time when they are tried again */
	struct queue_msg  *ready, **ready_last; /* to start when the batch is answered */
	int64_t            ticked, trouble_until; /* mono_ms; trouble_until 0: none */
	int64_t            busy_at;               /* mono_ms: the last operation */
	bool               tidy;                  /* since then the log was looked at */
	uint32_t           troubles;
	int                reserve_fd;
	bool               reserve_held;

	pthread_mutex_t read_lock;
	struct db      *read_db; /* listings */

	atomic_int_fast64_t  flush_from;  /* mono_ms: this minute of flushes */
	atomic_uint          flushes;     /* in it */
	atomic_uint_fast64_t floor, memory, active_count, in_flight, in_pipes; /* in_pipes: of those in flight */
	struct queue_share {
		atomic_uint_fast64_t count, memory;
	} shares[QUEUE_LANES]; /* what each lane has of active_count and memory */
	atomic_uint_fast64_t messages, held; /* on disk */
	atomic_uint_fast64_t submitted, delivered, bounced, next_file;
	atomic_int_fast64_t  clock_base; /* queue time = clock_base + mono_ms() */
	atomic_int_fast64_t  space_looked;
	atomic_bool          full, full_was, suspect;

	struct queue_flight f_auth, f_local, f_lone_local, f_lone_remote, f_sign;
	struct queue_sites *sites;
};

/* Queue time: goes on with the monotonic clock, and over a restart by the wall clock within reason. A jump of
 * the wall clock therefore neither expires nor freezes anything. */
int64_t queue_now(struct queue *q);
/* A queue time as wall-clock time, to show. */
int64_t queue_wall(struct queue *q, int64_t queue_time);

/* ---- queue_db.c ---- */
extern const struct db_options queue_db_options, queue_db_read_options;
/* After opening: clock, ids, txids, what was under way. */
MUST_CHECK enum status queue_db_recover(struct queue *q);
MUST_CHECK enum status queue_db_insert(struct queue *q, const struct queue_msg *m, struct str content, bool windowed);
MUST_CHECK enum status queue_db_delete(struct queue *q, uint64_t id);
MUST_CHECK enum status queue_db_ids(struct queue *q); /* keep reserved ids ahead of next_id; end of each batch */
void queue_db_txid_put(struct queue *q, struct str txid, uint64_t message);
MUST_CHECK enum status queue_db_txids(struct queue *q); /* the batch's row; end of each batch */
MUST_CHECK enum status queue_db_txids_trim(struct queue *q, uint64_t *ret_count);
MUST_CHECK enum status queue_db_tick(struct queue *q);
MUST_CHECK enum status queue_db_pin(struct queue *q, uint64_t *ret); /* UINT64_MAX: none */

/* ---- queue_load.c ---- what is due, as far as it fits into memory. What is damaged is held; what cannot be read for another
 * reason stays as it is, and is tried again. */
void queue_db_load_due(struct queue *q);
/* Its row, recipients and content. ST_CORRUPT: they are not what they should be. */
MUST_CHECK enum status queue_message_load(struct queue *q, struct queue_msg *m);
int64_t queue_load_next(const struct queue *q); /* queue time: when there is something to load; INT64_MAX: nothing, as it stands */
MUST_CHECK enum status queue_dues_load(struct queue *q);
MUST_CHECK enum status queue_head_load(struct queue *q, struct queue_msg *m); /* count the hops of a large message */

/* ---- queue_msg.c ---- */
struct queue_msg *queue_msg_new(struct queue *q);
void queue_msg_free(struct queue_msg *m); /* with its notice; gives back its place; NULL is fine */
void queue_msg_content(struct queue_msg *m, struct str content); /* copied */
/* Take a place in memory, with so much content, if there is room for its lane. */
bool queue_msg_admit(struct queue_msg *m, uint64_t octets);
bool queue_lane_room(const struct queue *q, uint32_t lane); /* it has given back enough to load more */
void queue_active_add(struct queue *q, struct queue_msg *m);
void queue_active_remove(struct queue *q, struct queue_msg *m);
struct queue_msg *queue_active_find(struct queue *q, uint64_t id); /* borrowed: good on the writer's thread only */
void queue_ready(struct queue *q, struct queue_msg *m); /* start it when the batch is answered; writer only */
/* Pins: messages whose delivery ids may still be repeated. Writer only. */
void queue_pin(struct queue *q, struct queue_msg *m);
void queue_unpin(struct queue_msg *m);
void queue_floor_update(struct queue *q);

/* ---- queue_round.c ---- */
void queue_round_go(struct queue_msg *m);   /* from the start, or on from ASSIGN */
void queue_round_step(struct queue_msg *m); /* one step is over */
struct str queue_answer(struct queue_msg *m, struct str text, size_t max); /* copied, as one line */

/* ---- queue_attempt.c ---- */
void queue_attempt_resolve(struct queue_msg *m, struct queue_rcpt_row *r);
void queue_attempt_quota(struct queue_msg *m, struct queue_rcpt_row *r); /* of a fixed account */
void queue_attempt_hop(struct queue_msg *m, struct queue_rcpt_row *r);   /* of a fixed foreign address */
void queue_attempt_all(struct queue_msg *m); /* every target of the round */
/* What every question shares. */
struct queue_job *queue_job_new(struct queue_msg *m, void (*start)(struct queue_job *));
void queue_job_ask(struct queue_job *job, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done);
/* A delivery was not answered: outcomes of its targets. On the thread that got the status. */
void queue_job_no_answer(struct queue_job *job, enum ipc_msg_id id, enum status st);
/* The content as it goes with a request. *file: of a large one, to be closed by the caller; else -1. */
MUST_CHECK bool queue_job_content(struct queue_job *job, struct str *content, int *file);

/* ---- queue_remote.c ---- */
void queue_remote_all(struct queue_msg *m); /* every foreign target of the round */
/* Is there a place for any of them now? Asked before the work of a signature; what has none is not tried in this round. */
bool queue_remote_worth(struct queue_msg *m);

/* What came of a delivery by remote or a pipe; ends the job and its step, and gives q->in_flight back. `reply` counts if st is ST_OK. */
void queue_remote_answered(struct queue_job *job, enum ipc_msg_id id, enum status st, const struct remote_deliver_reply *reply);

/* ---- queue_pipe.c ---- */
bool queue_pipe_is(struct str relay);
/* The pipe that a next hop names, if it is configured; its name is borrowed from the options. */
bool queue_pipe_find(struct queue *q, struct str relay, struct queue_pipe *ret);
void queue_pipe_start(struct queue_job *job);

/* ---- queue_sign.c ---- */
void queue_signer_start(struct queue *q);
void queue_signer_stop(struct queue *q); /* what waits stays undone */
void queue_signer_free(struct queue *q);
bool queue_sign_wanted(const struct queue_msg *m); /* after routing: it leaves, and is ours */
void queue_sign_push(struct queue_msg *m);         /* ends in queue_round_step */

/* ---- queue_result.c ---- */
void queue_result_push(struct queue_msg *m);      /* the round is over */
void queue_result_partial(struct queue_job *job); /* one group of it; ends in queue_round_step */
void queue_notice_start(struct queue *q, struct queue_msg *notice); /* it is durable: start it, or free it if it has no place in memory */
void queue_assign_push(struct queue_msg *m);      /* leads to queue_round_go */

/* ---- queue_notice.c ---- the report of this round, of all that its sender wants to know; NULL if nothing is. With queue_notify_any only */
struct queue_msg *queue_notice_new(struct queue_msg *m);

/* ---- queue_notify.c ---- what a sender wants to know (RFC 3461) */
bool     queue_notify_any(const struct queue_msg *m); /* false: no report is ever made for it */
bool     queue_notify_wants(uint32_t notify, enum queue_notify what);
bool     queue_notify_expands(const struct queue_rcpt_row *r); /* its SUCCESS ends here, in a report "expanded" */
uint32_t queue_notify_target(const struct queue_rcpt_row *r); /* what its targets have of its NOTIFY */
/* A delivery that was made is to be reported by us. */
bool     queue_notify_owed(const struct queue_msg *m, const struct queue_to *to);
uint32_t queue_notify_row(const struct queue_msg *m, const struct queue_to *to); /* NOTIFY of the row of one that is done, until it is reported */
uint32_t queue_notify_told(uint32_t notify); /* and after that */
/* ---- queue_event.c ---- for the trace */
void queue_event_accepted(const struct queue_msg *m);
void queue_event_target(const struct queue_msg *m, struct queue_to *to); /* its outcome, each once */
void queue_event_result(const struct queue_msg *m);                      /* a round is over, durably */
void queue_event_removed(struct queue *q, uint64_t id);
void queue_event_edited(struct queue *q, uint64_t id, struct str to, struct str text); /* by an administrator */
void queue_event_held(struct queue *q, uint64_t id, struct str reason); /* not at the end of a round */
void queue_event_take(void *ctx, struct ipc_request *r);
void queue_event_find(void *ctx, struct ipc_request *r);

/* ---- queue_space.c ---- */
bool queue_full(struct queue *q); /* below the watermark; looks once a second. Any thread */
void queue_reserve_hold(struct queue *q);
bool queue_reserve_release(struct queue *q); /* false: there was none */

/* ---- queue_spool.c ---- */
void queue_copier_start(struct queue *q);
void queue_copier_stop(struct queue *q);
struct queue_arriving;
bool queue_copier_put(struct queue *q, struct ipc_request *r, struct queue_arriving *a); /* false: too many wait, nothing is given up */
MUST_CHECK enum status queue_file_open(struct queue *q, uint64_t file, int *ret_fd);
void queue_file_remove(struct queue *q, uint64_t file);
MUST_CHECK enum status queue_files_sweep(struct queue *q);
MUST_CHECK enum status queue_file_copy(struct queue *q, int spool, uint64_t size, uint64_t *ret_file, uint8_t ret_hash[QUEUE_SHA256]);

/* ---- queue_envelope.c ---- what a submit asks for */
bool queue_envelope_ok(const struct queue_submit_request *b);
void queue_envelope_take(struct queue_msg *m, const struct queue_submit_request *b);

/* ---- queue_submit.c ---- */
void queue_submit(void *ctx, struct ipc_request *r);
void queue_submit_large(struct queue *q, struct ipc_request *r, struct queue_arriving *a); /* on a copier's thread */
void queue_known(void *ctx, struct ipc_request *r);
void queue_spool(void *ctx, struct ipc_request *r);
unsigned queue_hops(struct str header);

/* ---- queue_due.c ---- what waits and matches is due now; what its sender holds back stays */
#define QUEUE_DUE_SQL(match)                                                                                     \
	"UPDATE message SET due = ?1 WHERE id > ?2 AND id <= ?3 AND state = 0 AND due > ?1 AND entered <= ?1"     \
	" AND EXISTS(SELECT 1 FROM rcpt r WHERE r.message = message.id AND r.state = 0 AND " match ")"
struct queue_due {
	const char *sql;  /* a QUEUE_DUE_SQL; in its match, of a row `r` of rcpt, ?4 is `what` and ?5 the setting `relay` */
	struct str  what;
	uint64_t    count; /* out: messages */
};
MUST_CHECK enum status queue_due_all(struct queue *q, struct queue_due *d);
/* The id of the last of the `most` messages that come after `after`, up to `upto`; 0: there is none. In a transaction of the writer. */
MUST_CHECK enum status queue_page_end(struct queue *q, uint64_t after, uint64_t upto, uint64_t most, uint64_t *ret);

/* ---- queue_flush.c ---- ETRN */
/* What waits for recipients of this canonical domain is due now. ST_LIMIT: too often. */
MUST_CHECK enum status queue_flush(struct queue *q, struct str domain, uint64_t *ret_count);
void queue_on_flush(void *ctx, struct ipc_request *r);

/* ---- queue_admin.c ---- */
/* The shared handle for listings, under its lock until it is given back; NULL if it cannot be opened now. */
struct db *queue_reader_take(struct queue *q);
void       queue_reader_give(struct queue *q);
/* The setting `relay`, for a statement: "" if there is none. */
struct str queue_relay_setting(const struct queue *q);
/* The next hop of a row `r` of table rcpt: its own, else that of the setting `relay` (a parameter, as "?6"), else its domain. */
#define QUEUE_HOP_SQL(setting)                                                                                                               \
	"CASE WHEN r.relay <> '' THEN r.relay WHEN " setting " <> '' THEN " setting                                                          \
	" WHEN r.target <> '' THEN lower(substr(r.target, length(rtrim(r.target, replace(r.target, '@', ''))) + 1))"                         \
	" ELSE lower(substr(r.address, length(rtrim(r.address, replace(r.address, '@', ''))) + 1)) END"
/* The name of its destination; and whether that, or the next hop alone, is `name` (a parameter too). */
#define QUEUE_SITE_SQL(setting) QUEUE_HOP_SQL(setting) " || r.way"
#define QUEUE_SITE_IS_SQL(setting, name)                                                                                                     \
	"(lower(" QUEUE_SITE_SQL(setting) ") = lower(" name ") OR lower(" QUEUE_HOP_SQL(setting) ") = lower(" name "))"
/* A row `r` of table rcpt, or where it leads, has this part (a parameter, as "?3") in its name; all do if it is ''. */
#define QUEUE_RCPT_MATCH_SQL(part) \
	"(" part " = '' OR instr(lower(r.address), lower(" part ")) > 0 OR instr(lower(r.target), lower(" part ")) > 0)"
extern const char queue_pick_sql[]; /* ids above ?4, up to ?1, that match filters on sender (?2) and recipients (?3) */

/* ---- queue_wish.c ---- handlers */
void queue_on_retry(void *ctx, struct ipc_request *r);
void queue_on_remove(void *ctx, struct ipc_request *r);
void queue_on_hold(void *ctx, struct ipc_request *r);
void queue_on_release(void *ctx, struct ipc_request *r);

/* ---- queue_edit.c, queue_bounce.c ---- handlers */
void queue_on_redirect(void *ctx, struct ipc_request *r);
void queue_on_edit(void *ctx, struct ipc_request *r);
void queue_on_bounce(void *ctx, struct ipc_request *r);
void queue_on_sites(void *ctx, struct ipc_request *r); /* queue_site_admin.c */
void queue_on_shape(void *ctx, struct ipc_request *r); /* queue_shape.c */

/* ---- queue_writer.c ---- */
void *queue_writer_main(void *q);
uint64_t queue_id_next(struct queue *q);
/* Run an operation of an administrator and wait for it. */
MUST_CHECK enum status queue_perform(struct queue *q, struct queue_op *op);

#endif
