/* queue/queue_bounce.c - an administrator ends the delivery of messages: their senders are told at once.
 *
 * The report is inserted in the transaction that takes the message out (Q7): after a crash there is either the message or the report. A message in its
 * round is left as it is: one of its recipients may be getting it this moment. With a part of an address it is about the recipients that match: if
 * others wait, the message goes on for them. What has a null sender, or is a report itself, or whose sender wants to know nothing, goes without.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_wish.h"
#include "wire/text/queue_id.h"

#define BOUNCE_MAX 50u /* in one transaction: each may have a report of LIMIT_INLINE */

#define ENDED "Delivery was ended by an administrator"

/* What the last attempt was told, as a failure: RFC 3463 §2, class 5 for class 4. */
static struct str code_of(struct queue_msg *m, struct str last)
{
	if (str_starts(last, STR("4.")))
		return arena_printf(m->arena, "5%.*s", STR_FMT(str_from(last, 1)));
	return str_starts(last, STR("5.")) ? last : STR("5.7.1"); /* never tried: RFC 3463 §3.8, refused by policy */
}

static void outcome_set(struct queue_msg *m, uint64_t n)
{
	struct queue_rcpt_row *r = m->rcpts;

	while (r < m->rcpts + m->rcpt_count && r->n != n)
		r++;
	if (r == m->rcpts + m->rcpt_count || r->final)
		return; /* its row is damaged */
	r->outcome = QUEUE_OUT_FAILED;
	r->answer = r->answer.n ? arena_printf(m->arena, ENDED "; last: %.*s", STR_FMT(str_first(r->answer, 2 * QUEUE_REASON_MAX))) : STR(ENDED);
	r->code = code_of(m, r->code);
}

/* Of those that the wish means. */
static enum status outcomes_set(struct queue *q, struct wish *w, struct queue_msg *m)
{
	static const char sql[] = "SELECT n FROM rcpt r WHERE message = ?1 AND state = 0 AND " QUEUE_RCPT_MATCH_SQL("?2");
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	db_bind_u64(s, 1, m->id);
	db_bind_str(s, 2, w->r->to.n ? w->r->to : STR(""));
	while ((st = db_step(s)) == ST_OK)
		outcome_set(m, db_u64(s, 0));
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Others still wait: their rows stay, and what else the sender is owed (Q10). */
static enum status some_fail(struct queue *q, struct queue_msg *m)
{
	static const char sql[] = "UPDATE rcpt SET state = ?3, code = ?4, answer = ?5 WHERE message = ?1 AND n = ?2";
	enum status       st = ST_OK;

	for (size_t i = 0; i < m->rcpt_count && st == ST_OK; i++) {
		const struct queue_rcpt_row *r = &m->rcpts[i];
		struct db_stmt              *s;

		if (r->final || r->outcome != QUEUE_OUT_FAILED)
			continue;
		s = db_sql(q->db, sql);
		db_bind_u64(s, 1, m->id);
		db_bind_u64(s, 2, r->n);
		db_bind_u64(s, 3, QUEUE_RCPT_FAILED);
		db_bind_str(s, 4, r->code);
		db_bind_str(s, 5, r->answer);
		st = db_run(s);
	}
	return st;
}

static void owed_later(struct queue_msg *m)
{
	for (size_t i = 0; i < m->rcpt_count; i++)
		if (m->rcpts[i].final)
			m->rcpts[i].notify &= ~(uint32_t)QUEUE_NOTIFY_SUCCESS;
}

static void bounce_forget(struct picked *p)
{
	queue_msg_free(p->msg); /* with its report */
	p->msg = NULL;
}

static enum status bounce_one(struct queue *q, struct wish *w, struct picked *p)
{
	struct queue_msg *m;
	bool              meant;
	enum status       st = queue_wish_means(q, w, p, &meant);

	if (!meant)
		return st;
	p->busy = queue_under_way(q, p->id) != NULL;
	if (p->busy)
		return ST_OK;
	m = p->msg = queue_msg_new(q);
	m->id = p->id;
	st = queue_message_load(q, m);
	/* What cannot be read just now stays; so does a damaged one without recipients: nobody could be told. */
	if (st != ST_OK && (st != ST_CORRUPT || m->rcpt_count == 0)) {
		bounce_forget(p);
		return st == ST_CORRUPT ? ST_OK : st;
	}
	if (st != ST_OK && m->file == 0 && !m->content)
		m->size = 0; /* damaged: the report goes without it */
	st = outcomes_set(q, w, m);
	if (st != ST_OK) {
		bounce_forget(p);
		return st;
	}
	if (!p->whole)
		owed_later(m);
	m->decided = true;
	if (queue_notify_any(m))
		m->notice = queue_notice_new(m);
	free(m->content);
	m->content = NULL;
	p->did = true;
	st = p->whole ? queue_db_delete(q, p->id) : some_fail(q, m);
	if (st == ST_OK && m->notice)
		st = queue_db_insert(q, m->notice, str_n(m->notice->content, m->notice->size), m->notice->in_window);
	return st;
}

static void bounce_end(struct queue *q, struct wish *w, struct picked *p, bool ok)
{
	struct queue_msg *m = p->msg;

	if (!ok) {
		bounce_forget(p);
		return;
	}
	log_info(p->whole ? "message ended by an administrator" : "recipients ended by an administrator", LOG_C("message", queue_id_text(p->id).p),
		 LOG_C("report", m->notice ? queue_id_text(m->notice->id).p : ""));
	w->reports += m->notice != NULL;
	queue_event_result(m);
	if (p->whole) {
		q->pins_on_disk = true; /* look again */
		atomic_fetch_sub(&q->held, p->held);
		atomic_fetch_sub(&q->messages, 1);
		if (p->file)
			queue_file_remove(q, p->file);
	}
	if (m->notice)
		queue_notice_start(q, m->notice);
	m->notice = NULL;
	bounce_forget(p);
}

enum status queue_bounce(struct queue *q, const struct queue_id_request *r, struct queue_edit_reply *ret)
{
	struct wish w = { .r = r, .change = bounce_one, .changed = bounce_end, .forget = bounce_forget, .most = BOUNCE_MAX };

	return queue_wish_told(q, &w, ret);
}

void queue_on_bounce(void *q, struct ipc_request *r)
{
	struct queue_edit_reply reply = { .busy_ids = ARENA_ARRAY(r->arena, struct queue_edit_busy, LIMIT_QUEUE_BUSY) };
	enum status             st = queue_bounce(q, r->body, &reply);

	ipc_reply(r, st, &reply);
}
