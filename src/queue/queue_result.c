/* queue/queue_result.c - what came of a round, made durable.
 *
 * decide() runs once and fixes everything; apply may run several times (a batch that is rolled back is repeated) and only
 * writes what was decided. The report of a failure is inserted in the same transaction as the failure (Q7).
 *
 *   all recipients final           -> rows and content go; the file goes after the sync
 *   some wait                      -> due later: back-off if somebody answered, soon if nobody could be asked
 *   an attempt was lost            -> the count first, then again soon; the third time: held (Q6)
 */
#include <stdlib.h>

#include "base/log.h"
#include "queue/queue_backoff.h"
#include "queue/queue_id.h"
#include "queue/queue_in.h"
#include "sys/random.h"

#define STALL_MS     2000  /* nobody could be asked: first wait, doubled */
#define STALL_MAX_MS 60000
#define LOST_MS      1000  /* an attempt was lost: wait, times the count */

/* ---- deciding ---- */

static bool waits(enum queue_outcome o)
{
	return o != QUEUE_OUT_DONE && o != QUEUE_OUT_FAILED;
}

struct tally {
	size_t     waiting, answered, failed, done;
	struct str reason;
};

static void tally_add(struct tally *t, struct queue_msg *m, enum queue_outcome *outcome, struct str answer)
{
	if (waits(*outcome)) {
		t->answered += *outcome == QUEUE_OUT_DEFERRED;
		t->reason = answer.n ? answer : t->reason;
		if (m->expired)
			*outcome = QUEUE_OUT_FAILED;
	}
	t->waiting += waits(*outcome);
	t->failed += *outcome == QUEUE_OUT_FAILED;
	t->done += *outcome == QUEUE_OUT_DONE;
}

static struct tally tally_of(struct queue_msg *m)
{
	struct tally t = { .reason = STR("Waiting for delivery") };

	for (size_t i = 0; i < m->rcpt_count; i++) {
		struct queue_rcpt_row *r = &m->rcpts[i];

		if (r->final)
			continue;
		if (!r->resolved)
			tally_add(&t, m, &r->outcome, r->answer);
		for (size_t k = 0; k < r->to_count; k++)
			tally_add(&t, m, &r->to[k]->outcome, r->to[k]->answer);
	}
	return t;
}

static void hold(struct queue_msg *m, struct str reason)
{
	m->held = true;
	m->reason = reason;
	m->notice = NULL;
	log_error("message held", LOG_C("message", queue_id_text(m->id).p), LOG_STR("reason", reason),
		  LOG_U64("crashes", m->crashes));
}

static int64_t wait_of(struct queue_msg *m, const struct tally *t)
{
	const struct queue_live live = queue_live(m->q);

	if (atomic_load(&m->lost))
		return LOST_MS * (int64_t)m->crashes;
	if (t->answered == 0) {
		m->stalls++;
		return queue_backoff_ms(STALL_MS, STALL_MAX_MS, m->stalls, random_u64());
	}
	m->stalls = 0;
	m->attempts++;
	return queue_backoff_ms(live.retry_first_ms, live.retry_max_ms, m->attempts, random_u64());
}

/* Everybody who was to be asked has answered. What an earlier round lost is not known before that. */
static bool all_answered(const struct queue_msg *m)
{
	for (size_t i = 0; i < m->rcpt_count; i++)
		if (!m->rcpts[i].final && !m->rcpts[i].resolved && m->rcpts[i].outcome == QUEUE_OUT_NONE)
			return false;
	for (size_t i = 0; i < m->to_count; i++)
		if (m->to[i]->outcome == QUEUE_OUT_NONE || m->to[i]->outcome == QUEUE_OUT_LOST)
			return false;
	return true;
}

static void decide(struct queue_msg *m)
{
	struct queue *q = m->q;
	struct tally  t;
	bool          answered = all_answered(m);

	m->decided = true;
	m->expired = queue_now(q) - m->entered > queue_live(q).expire_ms;
	if (atomic_load(&m->lost))
		m->crashes++;
	else if (answered)
		m->crashes = 0;
	/* Held before it is expired: whoever looks at it needs it whole. */
	if (m->unreadable || m->crashes >= QUEUE_CRASHES_MAX) {
		hold(m, m->unreadable ? STR("Its rows or content are damaged") : STR("Its delivery ended the process three times"));
		return;
	}
	t = tally_of(m);
	atomic_fetch_add(&q->delivered, t.done);
	if (t.failed > 0 && !atomic_load(&m->removed))
		m->notice = queue_notice_new(m);
	if (t.waiting == 0)
		return;
	m->reason = t.reason;
	m->due = queue_now(q) + wait_of(m, &t);
	if (answered)
		m->base = 0; /* nothing of this round can be repeated any more: the next has an id of its own */
}

/* ---- rows ---- */

/* Who said it, and what. */
static struct str answer_of(struct queue_msg *m, const struct queue_to *to)
{
	struct str text = to->answer;

	if (to->host.n == 0)
		return text;
	pthread_mutex_lock(&m->lock);
	text = arena_printf(m->arena, "%.*s: %.*s", STR_FMT(to->host), STR_FMT(to->answer));
	pthread_mutex_unlock(&m->lock);
	return text;
}

static enum status rcpt_put(struct queue_msg *m, const struct queue_rcpt_row *r, const struct queue_to *to, enum queue_outcome outcome)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO rcpt(message, n, state, fixed, account, attempts, last, address, target, code, answer)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
	struct db_stmt *s = db_sql(m->q->db, sql);

	db_bind_u64(s, 1, m->id);
	db_bind_u64(s, 2, to ? to->n : r->n);
	db_bind_u64(s, 3, outcome == QUEUE_OUT_DONE ? QUEUE_RCPT_DONE : outcome == QUEUE_OUT_FAILED ? QUEUE_RCPT_FAILED : QUEUE_RCPT_PENDING);
	db_bind_u64(s, 4, r->fixed || (to && to->n != r->n));
	db_bind_u64(s, 5, to ? to->account : 0);
	db_bind_u64(s, 6, r->attempts + (outcome != QUEUE_OUT_NONE));
	db_bind_i64(s, 7, m->q->o.wall_ms());
	db_bind_str(s, 8, r->address);
	db_bind_str(s, 9, to ? to->address : STR(""));
	db_bind_str(s, 10, to ? to->code : r->code);
	db_bind_str(s, 11, to ? answer_of(m, to) : r->answer);
	return db_run(s);
}

static enum status rcpt_drop(struct queue_msg *m, uint32_t n)
{
	static const char sql[] = "DELETE FROM rcpt WHERE message = ?1 AND n = ?2";
	struct db_stmt   *s = db_sql(m->q->db, sql);

	db_bind_u64(s, 1, m->id);
	db_bind_u64(s, 2, n);
	return db_run(s);
}

/* An expanded recipient's row gives way to those of its targets; one whose targets all belong to others goes without. */
static enum status rcpt_write(struct queue_msg *m, const struct queue_rcpt_row *r)
{
	enum status st = ST_OK;

	if (!r->resolved)
		return rcpt_put(m, r, NULL, r->outcome);
	if (r->to_count == 0 || r->to[0]->n != r->n)
		st = rcpt_drop(m, r->n);
	for (size_t i = 0; i < r->to_count && st == ST_OK; i++)
		st = rcpt_put(m, r, r->to[i], r->to[i]->outcome);
	return st;
}

static enum status message_write(struct queue_msg *m)
{
	static const char sql[] =
		"UPDATE message SET state = ?2, due = ?3, base = ?4, pinned = ?4 <> 0, attempts = ?5, stalls = ?6, crashes = ?7,"
		" last = ?8, reason = ?9 WHERE id = ?1";
	struct db_stmt *s = db_sql(m->q->db, sql);

	db_bind_u64(s, 1, m->id);
	db_bind_u64(s, 2, m->held ? QUEUE_HELD : QUEUE_WAITING);
	if (m->held)
		db_bind_null(s, 3);
	else
		db_bind_i64(s, 3, m->due);
	db_bind_u64(s, 4, m->base);
	db_bind_u64(s, 5, m->attempts);
	db_bind_u64(s, 6, m->stalls);
	db_bind_u64(s, 7, m->crashes);
	db_bind_i64(s, 8, m->q->o.wall_ms());
	db_bind_str(s, 9, m->reason);
	return db_run(s);
}

static bool gone(struct queue_msg *m)
{
	return atomic_load(&m->removed) || (!m->held && m->due == 0);
}

static enum status result_apply(struct queue *q, struct queue_op *op)
{
	struct queue_msg *m = CONTAINER_OF(op, struct queue_msg, op);
	enum status       st = ST_OK;
	bool              there; /* or an administrator has removed it in this batch: its recipients must not come back */

	if (!m->decided)
		decide(m);
	if (gone(m)) {
		st = queue_db_delete(q, m->id);
	} else {
		st = message_write(m);
		there = st == ST_OK && db_changed(q->db) > 0;
		for (size_t i = 0; i < m->rcpt_count && there && st == ST_OK && !m->held; i++)
			if (!m->rcpts[i].final)
				st = rcpt_write(m, &m->rcpts[i]);
	}
	if (m->notice && st == ST_OK)
		st = queue_db_insert(q, m->notice, str_n(m->notice->content, m->notice->size), m->notice->in_window);
	return st;
}

/* ---- afterwards ---- */

static void notice_start(struct queue *q, struct queue_msg *n)
{
	atomic_fetch_add(&q->messages, 1);
	atomic_fetch_add(&q->bounced, 1);
	if (n->in_window) {
		queue_active_add(q, n);
		queue_pin(q, n);
		queue_ready(q, n);
	} else {
		q->next_due = MIN(q->next_due, n->entered);
		q->pins_on_disk = true;
		queue_msg_free(n);
	}
}

static void result_log(struct queue_msg *m)
{
	if (!gone(m))
		log_debug("message waits", LOG_C("message", queue_id_text(m->id).p), LOG_STR("reason", m->reason));
	else
		log_debug("message left the queue", LOG_C("message", queue_id_text(m->id).p));
}

static void result_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct queue_msg *m = CONTAINER_OF(op, struct queue_msg, op);

	if (st != ST_OK)
		return; /* the queue is stopping: the message is on disk as it was, and freed with the queue */
	queue_active_remove(q, m);
	queue_unpin(m);
	result_log(m);
	queue_event_result(m);
	if (gone(m)) {
		atomic_fetch_sub(&q->messages, 1);
		if (m->file)
			queue_file_remove(q, m->file);
	} else if (m->held) {
		atomic_fetch_add(&q->held, 1);
	} else {
		q->next_due = MIN(q->next_due, m->due);
	}
	q->pins_on_disk = q->pins_on_disk || (!gone(m) && m->base != 0);
	if (m->notice)
		notice_start(q, m->notice);
	m->notice = NULL;
	queue_msg_free(m);
}

void queue_result_push(struct queue_msg *m)
{
	m->op = (struct queue_op){ .apply = result_apply, .finish = result_finish, .kind = QUEUE_OP_RESULT };
	/* A local delivery can be repeated without harm until its result is synced; what a stranger was told cannot, and a
	 * report may not start before it is durable: decided later, so everything but the plain case is urgent. */
	m->op.lazy = !m->remote;
	for (size_t i = 0; i < m->rcpt_count; i++)
		m->op.lazy = m->op.lazy && m->rcpts[i].outcome != QUEUE_OUT_FAILED;
	for (size_t i = 0; i < m->to_count; i++)
		m->op.lazy = m->op.lazy && m->to[i]->outcome == QUEUE_OUT_DONE;
	queue_push(m->q, &m->op);
}

/* ---- one group of many ---- */

/* Only success is written early: a failure must come with its report, at the end of the round. */
static enum status partial_apply(struct queue *q, struct queue_op *op)
{
	struct queue_job *job = CONTAINER_OF(op, struct queue_job, op);
	enum status       st = ST_OK;

	(void)q;
	for (struct queue_to *to = job->to; to && st == ST_OK; to = to->next)
		if (to->outcome == QUEUE_OUT_DONE)
			st = rcpt_put(job->msg, to->rcpt, to, to->outcome);
	return st;
}

static void partial_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct queue_job *job = CONTAINER_OF(op, struct queue_job, op);

	(void)q;
	for (struct queue_to *to = job->to; to && st == ST_OK; to = to->next)
		if (to->outcome == QUEUE_OUT_DONE)
			queue_event_target(job->msg, to);
	queue_round_step(job->msg);
}

void queue_result_partial(struct queue_job *job)
{
	job->op = (struct queue_op){ .apply = partial_apply, .finish = partial_finish, .kind = QUEUE_OP_RESULT };
	queue_push(job->msg->q, &job->op);
}

/* ---- a delivery id for a later round ---- */

static enum status assign_apply(struct queue *q, struct queue_op *op)
{
	static const char sql[] = "UPDATE message SET base = ?2, pinned = 1 WHERE id = ?1";
	struct queue_msg *m = CONTAINER_OF(op, struct queue_msg, op);
	struct db_stmt   *s;

	if (m->base == 0)
		m->base = queue_id_next(q);
	s = db_sql(q->db, sql);
	db_bind_u64(s, 1, m->id);
	db_bind_u64(s, 2, m->base);
	return db_run(s);
}

static void assign_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct queue_msg *m = CONTAINER_OF(op, struct queue_msg, op);

	if (st != ST_OK)
		return; /* as in result_finish */
	queue_pin(q, m);
	queue_ready(q, m);
}

void queue_assign_push(struct queue_msg *m)
{
	m->op = (struct queue_op){ .apply = assign_apply, .finish = assign_finish, .kind = QUEUE_OP_RESULT };
	queue_push(m->q, &m->op);
}
