/* queue/queue_result.c - what came of a round, made durable.
 *
 * decide() runs once and fixes everything; apply may run several times (a batch that is rolled back is repeated) and only
 * writes what was decided. A report is inserted in the same transaction as what it tells (Q7).
 *
 *   all recipients final           -> rows and content go; the file goes after the sync
 *   some wait                      -> due later: back-off if somebody answered, soon if nobody could be asked
 *   an attempt was lost            -> the count first, then again soon; the third time: held (Q6)
 */
#include <stdlib.h>

#include "base/log.h"
#include "queue/queue_backoff.h"
#include "queue/queue_in.h"
#include "sys/random.h"
#include "wire/text/queue_id.h"

#define STALL_MS     2000  /* nobody could be asked: first wait, doubled */
#define STALL_MAX_MS 60000
#define LOST_MS      1000  /* an attempt was lost: wait, times the count */

/* ---- deciding ---- */

static bool waits(enum queue_outcome o)
{
	return o != QUEUE_OUT_DONE && o != QUEUE_OUT_FAILED;
}

struct tally {
	size_t     waiting, answered, failed, done, told; /* told: their sender may want to know that they are done, or expanded */
	size_t     unasked; /* nobody could be asked, and nobody knows when */
	int64_t    again;   /* the first time that a destination has named; 0: none */
	struct str reason;
};

static void tally_add(struct tally *t, struct queue_msg *m, enum queue_outcome *outcome, struct str answer, int64_t again)
{
	if (waits(*outcome)) {
		t->answered += *outcome == QUEUE_OUT_DEFERRED;
		t->unasked += *outcome == QUEUE_OUT_NONE && again == 0;
		if (again && (t->again == 0 || again < t->again))
			t->again = again;
		t->reason = answer.n ? answer : t->reason;
		if (m->expired || (m->late && !(m->flags & QUEUE_FLAG_BY_NOTIFY)))
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

		t.told += (r->notify & QUEUE_NOTIFY_SUCCESS) != 0;
		if (r->final)
			continue;
		if (!r->resolved)
			tally_add(&t, m, &r->outcome, r->answer, 0);
		for (size_t k = 0; k < r->to_count; k++)
			tally_add(&t, m, &r->to[k]->outcome, r->to[k]->answer, r->to[k]->again);
	}
	return t;
}

static void hold(struct queue_msg *m, struct str reason)
{
	m->held = m->whole = true;
	m->reason = reason;
	m->notice = NULL;
	log_error("message held", LOG_C("message", queue_id_text(m->id).p), LOG_STR("reason", reason),
		  LOG_U64("crashes", m->crashes));
}

/* How long it waits: for those who deferred it as the number of attempts says; for destinations that could not take it now as they
 * said, but not sooner than a first retry if others have deferred it: they are tried together. */
static int64_t wait_of(struct queue_msg *m, const struct tally *t)
{
	const struct queue_live live = queue_live(m->q);
	int64_t                 wait = INT64_MAX, again = t->again ? MAX(t->again - queue_now(m->q), 1) : INT64_MAX;

	if (atomic_load(&m->lost))
		return LOST_MS * (int64_t)m->crashes;
	if (t->answered > 0) {
		m->stalls = 0;
		m->attempts++;
		wait = queue_backoff_ms(live.retry_first_ms, live.retry_max_ms, m->attempts, random_u64());
		again = MAX(again, live.retry_first_ms);
	} else if (t->unasked > 0) {
		m->stalls++;
		wait = queue_backoff_ms(STALL_MS, STALL_MAX_MS, m->stalls, random_u64());
	}
	return MIN(wait, again);
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

/* What the sender is to be told of a delay now, once for each. */
static uint32_t warns(struct queue_msg *m, const struct tally *t)
{
	int64_t  after = queue_live(m->q).delay_warning_ms, now = queue_now(m->q);
	uint32_t w = 0;

	if (t->waiting == 0)
		return 0;
	if (after >= 0 && now - m->entered >= after)
		w |= QUEUE_WARNED_DELAY;
	if (m->late)
		w |= QUEUE_WARNED_BY;
	return w & ~m->warned;
}

/* Not later than when there is something to tell or to give up. */
static int64_t due_cap(struct queue_msg *m, int64_t due)
{
	int64_t after = queue_live(m->q).delay_warning_ms, now = queue_now(m->q);

	if (m->deliver_by > now)
		due = MIN(due, m->deliver_by);
	if (after >= 0 && !(m->warned & QUEUE_WARNED_DELAY) && queue_notify_any(m) && m->entered + after > now)
		due = MIN(due, m->entered + after);
	return due;
}

/* Reports also of senders' wishes that no outcome shows: by-times that a peer does not keep. */
static bool by_owed(const struct queue_msg *m, const struct tally *t)
{
	return t->done > 0 && m->remote && m->deliver_by && (m->flags & QUEUE_FLAG_BY_NOTIFY);
}

static struct queue_msg *notice_of(struct queue_msg *m, bool failed)
{
	if (queue_notify_any(m))
		return queue_notice_new(m);
	if (failed)
		log_info("failed delivery of a message without sender: no report", LOG_C("message", queue_id_text(m->id).p));
	return NULL;
}

static void decide(struct queue_msg *m)
{
	struct queue *q = m->q;
	struct tally  t;
	bool          answered = all_answered(m);

	m->decided = true;
	m->ended_ms = q->o.wall_ms();
	m->expired = queue_now(q) - m->entered > queue_live(q).expire_ms;
	m->late = m->deliver_by > 0 && queue_now(q) >= m->deliver_by;
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
	m->warns = warns(m, &t);
	if ((t.failed || t.told || m->warns || by_owed(m, &t)) && !atomic_load(&m->removed))
		m->notice = notice_of(m, t.failed);
	m->warned |= m->warns;
	if (t.waiting == 0)
		return;
	m->reason = t.reason;
	m->due = due_cap(m, queue_now(q) + wait_of(m, &t));
	if (m->hold) {
		m->held = true;
		m->reason = STR(QUEUE_HELD_BY_ADMIN);
		log_info("message held by an administrator", LOG_C("message", queue_id_text(m->id).p));
	}
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
	text = to->tls.n ? arena_printf(m->arena, "%.*s (%.*s): %.*s", STR_FMT(to->host), STR_FMT(to->tls), STR_FMT(to->answer)) :
			   arena_printf(m->arena, "%.*s: %.*s", STR_FMT(to->host), STR_FMT(to->answer));
	pthread_mutex_unlock(&m->lock);
	return text;
}

/* That of the content filter is only there to be shown: who goes there is routed anew each round. */
static struct str hop_of(const struct queue_msg *m, const struct queue_to *to)
{
	return m->filter.n && to->account == 0 && !to->rcpt->fixed ? m->filter : to->relay;
}

static enum status rcpt_put(struct queue_msg *m, const struct queue_rcpt_row *r, const struct queue_to *to, enum queue_outcome outcome,
			    uint32_t notify)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO rcpt(message, n, state, fixed, account, attempts, last, address, target, code, answer, notify, orcpt,"
		" relay, sender, way) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
	struct db_stmt *s = db_sql(m->q->db, sql);
	char            text[QUEUE_SITE_NAME_MAX];
	struct buf      way = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	if (to)
		queue_site_way(&way, &to->hop);
	else if (r->fixed)
		buf_add(&way, r->way);
	db_bind_u64(s, 1, m->id);
	db_bind_u64(s, 2, to ? to->n : r->n);
	db_bind_u64(s, 3, outcome == QUEUE_OUT_DONE ? QUEUE_RCPT_DONE : outcome == QUEUE_OUT_FAILED ? QUEUE_RCPT_FAILED : QUEUE_RCPT_PENDING);
	db_bind_u64(s, 4, r->fixed || (to && to->n != r->n));
	/* What is a target by itself stays it, also when nobody could be asked. */
	db_bind_u64(s, 5, to ? to->account : r->fixed ? r->account : 0);
	db_bind_u64(s, 6, r->attempts + (outcome != QUEUE_OUT_NONE));
	db_bind_i64(s, 7, to && to->last_ms ? to->last_ms : m->decided ? m->ended_ms : m->q->o.wall_ms());
	db_bind_str(s, 8, r->address);
	db_bind_str(s, 9, to ? to->address : r->fixed ? r->target : STR(""));
	db_bind_str(s, 10, to ? to->code : r->code);
	db_bind_str(s, 11, to ? answer_of(m, to) : r->answer);
	db_bind_u64(s, 12, notify);
	db_bind_str(s, 13, r->orcpt.n ? r->orcpt : STR(""));
	db_bind_str(s, 14, to ? hop_of(m, to) : r->fixed ? r->relay : STR(""));
	db_bind_str(s, 15, to ? to->sender : r->fixed ? r->sender : STR(""));
	db_bind_str(s, 16, way.n ? buf_str(&way) : STR(""));
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

/* Of one that is done all is told when the round is over. */
static uint32_t target_notify(const struct queue_rcpt_row *r, const struct queue_to *to)
{
	uint32_t notify = queue_notify_target(r);

	return to->outcome == QUEUE_OUT_DONE ? queue_notify_told(notify) : notify;
}

/* An expanded recipient's row gives way to those of its targets; one whose targets all belong to others goes without. */
static enum status rcpt_write(struct queue_msg *m, const struct queue_rcpt_row *r)
{
	enum status st = ST_OK;

	if (!r->resolved)
		return rcpt_put(m, r, NULL, r->outcome, r->notify);
	if (r->to_count == 0 || r->to[0]->n != r->n)
		st = rcpt_drop(m, r->n);
	for (size_t i = 0; i < r->to_count && st == ST_OK; i++)
		st = rcpt_put(m, r, r->to[i], r->to[i]->outcome, target_notify(r, r->to[i]));
	return st;
}

/* What a success of an earlier round was owed is paid with this one's report. */
static enum status rcpt_told(struct queue_msg *m, const struct queue_rcpt_row *r)
{
	static const char sql[] = "UPDATE rcpt SET notify = ?3 WHERE message = ?1 AND n = ?2";
	struct db_stmt   *s;

	if (!r->done || !(r->notify & QUEUE_NOTIFY_SUCCESS))
		return ST_OK;
	s = db_sql(m->q->db, sql);
	db_bind_u64(s, 1, m->id);
	db_bind_u64(s, 2, r->n);
	db_bind_u64(s, 3, queue_notify_told(r->notify));
	return db_run(s);
}

static enum status message_write(struct queue_msg *m)
{
	static const char sql[] =
		"UPDATE message SET state = ?2, due = ?3, base = ?4, pinned = ?4 <> 0, attempts = ?5, stalls = ?6, crashes = ?7,"
		" last = ?8, reason = ?9, warned = ?10 WHERE id = ?1";
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
	db_bind_i64(s, 8, m->ended_ms);
	db_bind_str(s, 9, m->reason);
	db_bind_u64(s, 10, m->warned);
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
		for (size_t i = 0; i < m->rcpt_count && there && st == ST_OK && !m->whole; i++)
			st = m->rcpts[i].final ? rcpt_told(m, &m->rcpts[i]) : rcpt_write(m, &m->rcpts[i]);
	}
	if (m->notice && st == ST_OK)
		st = queue_db_insert(q, m->notice, str_n(m->notice->content, m->notice->size), m->notice->in_window);
	return st;
}

/* ---- afterwards ---- */

void queue_notice_start(struct queue *q, struct queue_msg *n)
{
	atomic_fetch_add(&q->messages, 1);
	atomic_fetch_add(&q->bounced, 1);
	if (n->in_window) {
		queue_active_add(q, n);
		queue_pin(q, n);
		queue_ready(q, n);
	} else {
		queue_dues_add(&q->dues, n->priority, n->lane, n->entered);
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
		queue_dues_add(&q->dues, m->priority, m->lane, m->due);
	}
	q->pins_on_disk = q->pins_on_disk || (!gone(m) && m->base != 0);
	if (m->notice)
		queue_notice_start(q, m->notice);
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
		m->op.lazy = m->op.lazy && m->to[i]->outcome == QUEUE_OUT_DONE && !(m->to[i]->rcpt->notify & QUEUE_NOTIFY_SUCCESS);
	queue_push(m->q, &m->op);
}

/* ---- one group of many ---- */

/* ST_NOT_FOUND: an administrator has removed it meanwhile; its recipients must not come back (Q2). */
static enum status message_there(struct queue *q, uint64_t id)
{
	static const char sql[] = "SELECT 1 FROM message WHERE id = ?1";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	db_bind_u64(s, 1, id);
	st = db_step(s);
	db_done(s);
	return st;
}

/* Only success is final early: a failure must come with its report, at the end of the round. Until then it waits, as what was deferred does, with what
 * was answered: for whoever looks. A target of a list has no row yet: that comes when the list's own goes. A success that must be reported is
 * written as one that is owed (Q10): that a crash forgets it, and it is sent twice, would be worse than a late report. */
static enum status partial_put(struct queue_msg *m, const struct queue_to *to)
{
	if (to->outcome == QUEUE_OUT_DONE)
		return rcpt_put(m, to->rcpt, to, to->outcome, queue_notify_row(m, to));
	return to->n == to->rcpt->n && to->outcome != QUEUE_OUT_NONE ? rcpt_put(m, to->rcpt, to, QUEUE_OUT_DEFERRED, to->rcpt->notify) : ST_OK;
}

static enum status partial_apply(struct queue *q, struct queue_op *op)
{
	struct queue_job *job = CONTAINER_OF(op, struct queue_job, op);
	enum status       st = message_there(q, job->msg->id);

	if (st == ST_NOT_FOUND)
		return ST_OK;
	for (struct queue_to *to = job->to; to && st == ST_OK; to = to->next)
		st = partial_put(job->msg, to);
	return st;
}

static void partial_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct queue_job *job = CONTAINER_OF(op, struct queue_job, op);

	(void)q;
	for (struct queue_to *to = job->to; to && st == ST_OK; to = to->next)
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
