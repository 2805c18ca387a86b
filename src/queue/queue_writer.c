/* queue/queue_writer.c - the one writer: batches, syncs, and what happens when a write or a sync fails.
 *
 *   WORKING --commit fails with ST_FULL--> refuse what takes space, give back the reserve, repeat the rest
 *   WORKING --sync fails, or ST_SUSPECT--> TROUBLE: nothing is written; submits are refused
 *   TROUBLE --after 1 s, 2 s, ... 60 s---> close, db_repair (leaves the refused batch out), open, repeat what was kept --> WORKING
 *
 * Operations wait in order: q->kept (to be repeated), then q->first; in q->later those that nobody waits for. Those of a committed
 * batch stand in q->lazy until the next sync. An operation is finished once: ST_OK after the sync, or a failure when it is given up for good; results are never
 * given up, they are repeated until they are on stable storage, because a delivery that was made must not be made again.
 */
#include <stdlib.h>

#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/clock.h"

#define LATER_TURN      20u   /* operations that nobody waits for, in a batch of others */
#define LATER_MAX       100u  /* and in a batch of their own */
#define IDLE_MS         1000  /* after so long without operations the log is tidied */
#define TIDY_PAGES      1000u /* if it has so many */
#define LAZY_MAX        1000  /* committed operations that may wait for a sync */
#define LAZY_MS         200   /* how long */
#define TROUBLE_MS      1000  /* first pause after a failure, doubled up to the next line */
#define TROUBLE_MAX_MS  60000
#define TICK_MS         ((int64_t)10 * 60 * 1000) /* how often the clock is written while mail waits */
#define NO_PEER_MS      500   /* how soon to look whether auth can be asked again */
#define TXID_TRIM_EVERY 64u   /* rows */

uint64_t queue_id_next(struct queue *q)
{
	return q->next_id++;
}

void queue_push(struct queue *q, struct queue_op *op)
{
	bool stopped;

	op->next = NULL;
	pthread_mutex_lock(&q->lock);
	stopped = q->stopping;
	if (!stopped) {
		struct queue_op ***last = op->lazy ? &q->later_last : &q->last;

		**last = op;
		*last = &op->next;
		if (q->idle)
			pthread_cond_signal(&q->cond);
	}
	pthread_mutex_unlock(&q->lock);
	if (stopped)
		op->finish(q, op, ST_TEMP);
}

void queue_nudge(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->nudged = true;
	if (q->idle)
		pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
}

/* ---- lists of operations ---- */

static void append(struct queue_op **list, struct queue_op *ops)
{
	while (*list)
		list = &(*list)->next;
	*list = ops;
}

/* Finish those of at least kind `least` with `st`; return the others. */
static struct queue_op *refuse(struct queue *q, struct queue_op *ops, enum queue_op_kind least, enum status st)
{
	struct queue_op *rest = NULL, **last = &rest, *next;

	for (; ops; ops = next) {
		next = ops->next;
		ops->next = NULL;
		if (ops->kind >= least) {
			ops->finish(q, ops, st);
		} else {
			*last = ops;
			last = &ops->next;
		}
	}
	return rest;
}

/* Some of what can wait: a stranger must not wait for hundreds of results that came at once. */
static struct queue_op *later_take(struct queue *q, unsigned max)
{
	struct queue_op *ops = q->later, **end = &ops;

	for (unsigned n = 0; *end && n < max; n++)
		end = &(*end)->next;
	q->later = *end;
	if (!q->later)
		q->later_last = &q->later;
	*end = NULL;
	return ops;
}

static struct queue_op *take_ops(struct queue *q)
{
	struct queue_op *ops = q->kept, *cut;
	size_t           n = 0;

	q->kept = NULL;
	pthread_mutex_lock(&q->lock);
	append(&ops, q->first);
	q->first = NULL;
	q->last = &q->first;
	append(&ops, later_take(q, ops ? LATER_TURN : LATER_MAX));
	pthread_mutex_unlock(&q->lock);
	/* The rest of a very long list waits for the next batch, in front of what comes meanwhile. */
	for (cut = ops; cut && ++n < QUEUE_BATCH_MAX; cut = cut->next)
		;
	if (cut) {
		q->kept = cut->next;
		cut->next = NULL;
	}
	return ops;
}

/* ---- one batch ---- */

static enum status apply_all(struct queue *q, struct queue_op *ops)
{
	enum status st = ST_OK;

	for (; ops && st == ST_OK; ops = ops->next)
		st = ops->apply(q, ops);
	if (st == ST_OK)
		st = queue_db_txids(q);
	return st == ST_OK ? queue_db_ids(q) : st;
}

static enum status commit(struct queue *q, struct queue_op *ops)
{
	enum status st = db_begin_write(q->db);

	if (st != ST_OK)
		return st;
	buf_clear(&q->txid_batch);
	q->txid_added = 0;
	st = apply_all(q, ops);
	if (st == ST_OK)
		st = db_commit(q->db);
	else
		db_rollback(q->db);
	if (st != ST_OK) {
		queue_txids_undo(&q->txids, q->txid_added);
		return st;
	}
	q->reserved_id = MAX(q->reserved_id, q->reserved_want);
	q->txid_batches += q->txid_added > 0;
	q->txid_unsynced += q->txid_added;
	return ST_OK;
}

static void finish_lazy(struct queue *q)
{
	struct queue_op *ops = q->lazy, *next;

	q->lazy = NULL;
	q->lazy_last = &q->lazy;
	q->lazy_count = 0;
	q->txid_unsynced = 0;
	q->synced_id = q->next_id;
	ipc_cork();
	for (; ops; ops = next) {
		next = ops->next;
		ops->finish(q, ops, ST_OK);
	}
	ipc_uncork();
	queue_floor_update(q);
}

static void trouble(struct queue *q, enum status st)
{
	int64_t wait = TROUBLE_MS;

	for (uint32_t i = 0; i < q->troubles && wait < TROUBLE_MAX_MS; i++)
		wait *= 2;
	q->troubles++;
	q->trouble_until = q->o.mono_ms() + MIN(wait, TROUBLE_MAX_MS);
	if (st == ST_SUSPECT && !atomic_exchange(&q->suspect, true))
		log_error("queue set aside after a failed sync: nothing is taken until it is repaired");
	else if (st != ST_SUSPECT)
		log_error("queue cannot be written", LOG_ST("status", st));
}

/* What was committed since the last good sync is lost with it: submits are refused, the rest is repeated after the repair. */
static void sync_failed(struct queue *q, enum status st)
{
	struct queue_op *ops = q->lazy;

	q->lazy = NULL;
	q->lazy_last = &q->lazy;
	q->lazy_count = 0;
	queue_txids_undo(&q->txids, q->txid_unsynced);
	q->txid_unsynced = 0;
	ops = refuse(q, ops, QUEUE_OP_WISH, ST_SUSPECT);
	append(&ops, q->kept);
	q->kept = ops;
	trouble(q, st == ST_OK ? ST_SUSPECT : st);
}

static void sync_now(struct queue *q)
{
	enum status st = db_sync(q->db);

	if (st == ST_OK)
		finish_lazy(q);
	else
		sync_failed(q, ST_SUSPECT);
}

static void committed(struct queue *q, struct queue_op *ops)
{
	struct queue_op *next;
	bool             urgent = false;

	if (!q->lazy)
		q->lazy_since = q->o.mono_ms();
	for (; ops; ops = next) {
		next = ops->next;
		ops->next = NULL;
		urgent = urgent || !ops->lazy;
		*q->lazy_last = ops;
		q->lazy_last = &ops->next;
		q->lazy_count++;
	}
	if (urgent || q->lazy_count >= LAZY_MAX)
		sync_now(q);
}

/* ST_FULL: what was accepted goes on from the reserve. */
static void run_batch(struct queue *q, struct queue_op *ops)
{
	enum status st = ST_OK;

	while (ops && (st = commit(q, ops)) != ST_OK) {
		bool             full = st == ST_FULL;
		struct queue_op *rest = refuse(q, ops, full ? QUEUE_OP_TAKE : QUEUE_OP_WISH, full ? ST_FULL : ST_SUSPECT);
		bool             fewer = rest != ops;

		ops = rest;
		if (st == ST_FULL && (queue_reserve_release(q) || fewer))
			continue;
		append(&ops, q->kept);
		q->kept = ops;
		if (st == ST_SUSPECT)
			sync_failed(q, st);
		else
			trouble(q, st);
		return;
	}
	if (ops) {
		q->troubles = 0;
		committed(q, ops);
	}
}

/* ---- recovery ---- */

/* Whatever the repair kept: what no sync has covered was refused, or will be repeated. Ids and batches rise, so it is a tail. */
static enum status drop_unsynced(struct queue *q)
{
	static const char *const sql[] = {
		"DELETE FROM message WHERE id >= ?1",
		"DELETE FROM rcpt WHERE message >= ?1",
		"DELETE FROM content WHERE message >= ?1",
		"DELETE FROM txids WHERE batch > ?1",
	};
	enum status st = db_begin_write(q->db);

	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < LEN(sql) && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(q->db, sql[i]);

		db_bind_u64(s, 1, q->synced_id);
		st = db_run(s);
	}
	if (st != ST_OK) {
		db_rollback(q->db);
		return st;
	}
	st = db_commit(q->db);
	return st == ST_OK ? db_sync(q->db) : st;
}

static enum status reopen(struct queue *q)
{
	enum status st;

	pthread_mutex_lock(&q->read_lock);
	db_close(&q->read_db);
	db_close(&q->db);
	st = db_is_suspect(q->path) ? db_repair(q->path) : ST_OK;
	if (st == ST_OK)
		st = db_open(q->path, &queue_db_options, &q->db);
	pthread_mutex_unlock(&q->read_lock);
	return st == ST_OK ? drop_unsynced(q) : st;
}

static void recover(struct queue *q)
{
	enum status st = ST_OK;

	q->trouble_until = 0;
	if (!atomic_load(&q->suspect) && q->db)
		return; /* no space or the like: just try again */
	st = reopen(q);
	if (st != ST_OK) {
		log_error("queue cannot be repaired yet", LOG_ST("status", st));
		trouble(q, ST_SUSPECT);
		return;
	}
	atomic_store(&q->suspect, false);
	queue_dues_all(&q->dues, queue_now(q));
	q->load_pause = 0;
	log_warn("queue was repaired and is used again");
}

/* ---- turns ---- */

static enum status tick_apply(struct queue *q, struct queue_op *op)
{
	(void)op;
	return queue_db_tick(q);
}

static void op_free(struct queue *q, struct queue_op *op, enum status st)
{
	(void)q, (void)st;
	free(op);
}

struct trim {
	struct queue_op op;
	uint64_t        count;
};

static enum status trim_apply(struct queue *q, struct queue_op *op)
{
	return queue_db_txids_trim(q, &CONTAINER_OF(op, struct trim, op)->count);
}

static void trim_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct trim *t = CONTAINER_OF(op, struct trim, op);

	if (st == ST_OK)
		queue_txids_trim(&q->txids, t->count);
	free(t);
}

static void upkeep(struct queue *q, int64_t now)
{
	if (q->txid_batches >= TXID_TRIM_EVERY) {
		struct trim *t = calloc(1, sizeof(*t));

		CHECK(t);
		q->txid_batches = 0;
		t->op = (struct queue_op){ .apply = trim_apply, .finish = trim_finish, .lazy = true };
		queue_push(q, &t->op);
	}
	if (now >= q->ticked + TICK_MS && atomic_load(&q->messages) > 0) {
		struct queue_op *op = calloc(1, sizeof(*op));

		CHECK(op);
		q->ticked = now;
		*op = (struct queue_op){ .apply = tick_apply, .finish = op_free, .lazy = true };
		queue_push(q, op);
	}
	queue_reserve_hold(q);
}

static void start_ready(struct queue *q)
{
	struct queue_msg *m = q->ready, *next;

	q->ready = NULL;
	q->ready_last = &q->ready;
	ipc_cork();
	for (; m; m = next) {
		next = m->next_ready;
		queue_round_go(m);
	}
	ipc_uncork();
}

static bool due_now(struct queue *q)
{
	return q->ipc && queue_load_next(q) <= queue_now(q);
}

bool queue_turn(struct queue *q)
{
	int64_t          now = q->o.mono_ms();
	struct queue_op *ops;

	if (q->trouble_until != 0 && now < q->trouble_until) {
		ops = refuse(q, take_ops(q), QUEUE_OP_WISH, atomic_load(&q->suspect) ? ST_SUSPECT : ST_FULL);
		append(&ops, q->kept);
		q->kept = ops;
		return false;
	}
	if (q->trouble_until != 0)
		recover(q);
	if (q->trouble_until != 0)
		return true;
	ops = take_ops(q);
	if (ops) {
		q->busy_at = now;
		q->tidy = false;
		run_batch(q, ops);
	} else if (!q->tidy && now >= q->busy_at + IDLE_MS) {
		q->tidy = true;
		if (db_tidy(q->db, TIDY_PAGES) != ST_OK)
			log_debug("queue's log is not tidied");
	}
	if (q->lazy && (!q->threaded || now >= q->lazy_since + LAZY_MS))
		sync_now(q);
	start_ready(q);
	if (q->trouble_until != 0)
		return true;
	upkeep(q, now);
	if (q->ipc)
		queue_sites_tick(q->sites);
	if (due_now(q) && ipc_peers(q->ipc, ROLE_AUTH) > 0) {
		queue_db_load_due(q);
		start_ready(q);
		return true;
	}
	return ops != NULL;
}

/* A queue time on the monotonic clock; what is past is now. */
static int64_t until(struct queue *q, int64_t queue_time)
{
	int64_t now = q->o.mono_ms();

	return queue_time == INT64_MAX ? INT64_MAX : now + MAX(queue_time - queue_now(q), 0);
}

/* When the writer must look again though nothing was pushed, on the monotonic clock. */
static int64_t next_wake(struct queue *q)
{
	int64_t now = q->o.mono_ms(), wake = now + TICK_MS;

	if (q->trouble_until != 0)
		return q->trouble_until;
	if (q->lazy)
		wake = MIN(wake, q->lazy_since + LAZY_MS);
	if (!q->tidy)
		wake = MIN(wake, q->busy_at + IDLE_MS);
	if (q->ipc)
		wake = MIN(wake, until(q, queue_sites_wake(q->sites)));
	if (q->ipc)
		wake = MIN(wake, until(q, queue_load_next(q)));
	if (due_now(q))
		wake = ipc_peers(q->ipc, ROLE_AUTH) > 0 ? now : now + NO_PEER_MS;
	return q->kept ? now : wake;
}

static void wait_for_ops(struct queue *q)
{
	int64_t         wait = next_wake(q) - q->o.mono_ms();
	struct timespec until = clock_deadline(MAX(wait, 0));

	pthread_mutex_lock(&q->lock);
	q->idle = true;
	while (!q->first && !q->later && !q->stopping && !q->nudged && wait > 0)
		if (pthread_cond_clockwait(&q->cond, &q->lock, CLOCK_MONOTONIC, &until) != 0)
			break;
	q->idle = q->nudged = false;
	pthread_mutex_unlock(&q->lock);
}

void *queue_writer_main(void *arg)
{
	struct queue *q = arg;
	bool          more = true;

	while (more) {
		wait_for_ops(q);
		queue_turn(q);
		pthread_mutex_lock(&q->lock);
		more = !q->stopping || ((q->first || q->later || q->kept) && q->trouble_until == 0);
		pthread_mutex_unlock(&q->lock);
	}
	if (q->lazy)
		sync_now(q);
	return NULL;
}
