/* queue/queue_bounce.c - an administrator ends the delivery of messages: their senders are told at once.
 *
 * The report is inserted in the transaction that takes the message out (Q7): after a crash there is either the message or the report. A message in its round is left
 * as it is: one of its recipients may be getting it this moment. What has a null sender, or is a report itself, or whose sender wants to know nothing, goes without.
 */
#include <stdlib.h>

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

static void outcomes_set(struct queue_msg *m)
{
	for (size_t i = 0; i < m->rcpt_count; i++) {
		struct queue_rcpt_row *r = &m->rcpts[i];

		if (r->final)
			continue;
		r->outcome = QUEUE_OUT_FAILED;
		r->answer = r->answer.n ? arena_printf(m->arena, ENDED "; last: %.*s", STR_FMT(str_first(r->answer, 2 * QUEUE_REASON_MAX))) : STR(ENDED);
		r->code = code_of(m, r->code);
	}
}

static void bounce_forget(struct picked *p)
{
	queue_msg_free(p->msg); /* with its report */
	p->msg = NULL;
}

static enum status bounce_one(struct queue *q, struct wish *w, struct picked *p)
{
	struct queue_msg *m;
	enum status       st;

	(void)w;
	p->did = false;
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
	outcomes_set(m);
	m->decided = true;
	if (queue_notify_any(m))
		m->notice = queue_notice_new(m);
	free(m->content);
	m->content = NULL;
	p->did = true;
	st = queue_db_delete(q, p->id);
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
	log_info("message ended by an administrator", LOG_C("message", queue_id_text(p->id).p), LOG_C("report", m->notice ? queue_id_text(m->notice->id).p : ""));
	w->reports += m->notice != NULL;
	queue_event_result(m);
	q->pins_on_disk = true; /* look again */
	atomic_fetch_sub(&q->held, p->held);
	atomic_fetch_sub(&q->messages, 1);
	if (p->file)
		queue_file_remove(q, p->file);
	if (m->notice)
		queue_notice_start(q, m->notice);
	m->notice = NULL;
	bounce_forget(p);
}

enum status queue_bounce(struct queue *q, const struct queue_id_request *r, struct queue_edit_reply *ret)
{
	struct wish w = { .r = r, .change = bounce_one, .changed = bounce_end, .forget = bounce_forget, .most = BOUNCE_MAX };
	enum status st = queue_wish(q, &w, &ret->count);

	ret->busy = w.busy;
	ret->reports = w.reports;
	return st;
}

void queue_on_bounce(void *q, struct ipc_request *r)
{
	struct queue_edit_reply reply = { 0 };
	enum status             st = queue_bounce(q, r->body, &reply);

	ipc_reply(r, st, &reply);
}
