/* smtp/smtp_submit.c - hand the message to queue, and tell the peer the truth about it.
 *
 * The answer comes when queue has committed, with many others'. Meanwhile the session holds no thread: it returns SMTP_NEXT_WAKE and
 * is woken by the answer.
 *
 *   submit --ST_OK--> queued: 250          otherwise it certainly was not taken: 452, 451, 554
 *     |
 *     any other status: unknown. Ask whether queue knows the transaction id:
 *       yes              250
 *       no               submit once more under the same id (idempotent); no again: certainly not taken, 451
 *       no answer        wait and ask again, submit_wait_ms in all; then close without any answer: the peer will come
 *                        again, and a message that queue has taken after all is then doubled, but never lost
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metric.h"
#include "smtp/smtp_filter.h"
#include "smtp/smtp_session.h"
#include "wire/text/queue_id.h"

#define PAUSE_FIRST_MS 50u
#define PAUSE_MAX_MS   2000u

/* An answer on its way. Session and channel each hold it: the session may end before. */
struct smtp_pending {
	atomic_uint               refs;
	atomic_bool               over; /* the rest is there */
	enum status               status;
	struct queue_submit_reply reply;
	struct net_conn          *conn;
};

static void pending_unref(struct smtp_pending **pp)
{
	struct smtp_pending *p = *pp;

	*pp = NULL;
	if (!p || atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	net_unref(&p->conn);
	free(p);
}

static void submit_done(void *arg, enum status st, const struct queue_submit_reply *reply)
{
	struct smtp_pending *p = arg;

	p->status = st;
	if (st == ST_OK)
		p->reply = *reply;
	atomic_store(&p->over, true);
	net_wake(p->conn);
	pending_unref(&p);
}

static void submit_start(struct smtp_session *s)
{
	struct smtp_tx      *tx = &s->tx;
	struct smtp_content *c = &tx->content;
	struct smtp_pending *p = calloc(1, sizeof(*p));

	CHECK(p);
	atomic_init(&p->refs, 2);
	p->conn = net_ref(s->conn);
	tx->pending = p;
	tx->submits++;
	s->env->ask->submit(s->env->ask_ctx,
			    &(struct queue_submit_request){
				    .txid = str_n(tx->txid, sizeof(tx->txid)),
				    .from = tx->from,
				    .rcpts = tx->rcpts,
				    .rcpt_count = tx->rcpt_count,
				    .flags = tx->flags | (c->eight_bit ? QUEUE_FLAG_8BIT : 0) | smtp_filter_flags(s),
				    .session = str_of(s->info->id),
				    .peer = str_of(s->info->peer),
				    .account = s->account,
				    .token = str_n(s->token, s->token_n),
				    .received_ms = tx->received_ms,
				    .size = smtp_content_size(c),
				    .content = c->spool < 0 ? buf_str(&c->memory) : STR_NONE,
				    .spool = c->spool,
				    .envid = tx->envid,
				    .hold_until_ms = tx->hold_until_ms,
				    .deliver_by_ms = tx->deliver_by_ms,
				    .priority = tx->priority,
			    },
			    submit_done, p);
}

void smtp_submit_forget(struct smtp_tx *tx)
{
	pending_unref(&tx->pending);
}

/* Ask until there is an answer. ST_TEMP: there was none in time. */
static enum status known(struct smtp_session *s, struct queue_known_reply *ret)
{
	const struct smtp_ask *ask = s->env->ask;
	int64_t                until = ask->now_ms(s->env->ask_ctx) + s->set->submit_wait_ms;

	for (unsigned pause_ms = PAUSE_FIRST_MS;; pause_ms = MIN(pause_ms * 2, PAUSE_MAX_MS)) {
		if (ask->known(s->env->ask_ctx, str_n(s->tx.txid, sizeof(s->tx.txid)), ret) == ST_OK)
			return ST_OK;
		if (ask->now_ms(s->env->ask_ctx) + pause_ms > until)
			return ST_TEMP;
		ask->pause(s->env->ask_ctx, pause_ms);
	}
}

static enum smtp_next queued(struct smtp_session *s, uint64_t id)
{
	static const struct smtp_reply ok = { 250, "2.0.0", NULL };
	struct queue_id_text           text = queue_id_text(id);
	char                           line[64];
	struct buf                     b = { .p = line, .cap = sizeof(line), .max = sizeof(line) - 1 };
	unsigned                       copies = smtp_copies(s);

	log_info("message accepted", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer), LOG_C("tx", s->tx.id),
		 LOG_C("id", text.p), LOG_STR("from", s->tx.from), LOG_STR("user", buf_str(&s->login)),
		 LOG_U64("rcpts", s->tx.rcpt_count), LOG_U64("size_octets", smtp_content_size(&s->tx.content)));
	metric_add(METRIC_SMTP_MESSAGES_ACCEPTED, 1);
	metric_add(METRIC_SMTP_OCTETS, s->tx.content.peer_octets);
	s->messages++;
	s->errors = s->commands = s->rcpts = 0;
	smtp_guard_note(s, false);
	buf_add(&b, STR("OK queued as "));
	buf_add(&b, str_of(text.p));
	smtp_tx_reset(s);
	smtp_enter(s, SMTP_STATE_READY);
	/* In LMTP each recipient's 250 says that it is delivered or that the server will see to it (RFC 2033 §4.2). That holds for all at once:
	 * queue has the one message with all of them on stable storage. */
	return smtp_answer_copies(s, &ok, buf_str(&b), copies);
}

static void note_not_queued(struct smtp_session *s, const struct smtp_reply *r)
{
	log_warn("message not taken", LOG_C("session", s->info->id), LOG_C("tx", s->tx.id), LOG_STR("from", s->tx.from),
		 LOG_U64("rcpts", s->tx.rcpt_count), LOG_C("reason", r ? r->text : "nobody knows"));
	smtp_trace(s, TRACE_MESSAGE_REFUSED, s->tx.from, s->tx.rcpt_count == 1 ? s->tx.rcpts[0].address : STR_NONE, r, r ? STR_NONE : STR("queue gave no answer"));
	metric_add(r && r->code >= 500 ? METRIC_SMTP_MESSAGES_REFUSED : METRIC_SMTP_MESSAGES_DEFERRED, 1);
	s->refused++;
	smtp_tx_reset(s);
	smtp_enter(s, SMTP_STATE_READY);
}

static enum smtp_next not_queued(struct smtp_session *s, const struct smtp_reply *r)
{
	unsigned copies = smtp_copies(s);

	note_not_queued(s, r);
	return r ? smtp_answer_copies(s, r, str_of(r->text), copies) : smtp_end(s, NULL, "submit without an answer");
}

static enum smtp_next answered(struct smtp_session *s, const struct queue_submit_reply *r)
{
	static const struct smtp_reply full = { 452, "4.3.1", "Not enough storage, try again later" };
	static const struct smtp_reply suspect = { 451, "4.3.0", "Storage is being repaired, try again later" };
	static const struct smtp_reply denied = { 421, "4.7.0", "The sign-in has become void, sign in again" };
	static const struct smtp_reply invalid = { 554, "5.6.0", "Message cannot be queued" };

	switch (r->result) {
	case QUEUE_SUBMIT_QUEUED: return queued(s, r->id);
	case QUEUE_SUBMIT_FULL: return not_queued(s, &full);
	case QUEUE_SUBMIT_SUSPECT: return not_queued(s, &suspect);
	case QUEUE_SUBMIT_DENIED: note_not_queued(s, &denied); return smtp_end(s, &denied, "sign-in not valid any more");
	case QUEUE_SUBMIT_INVALID: break;
	}
	return not_queued(s, &invalid);
}

/* No answer came. */
static enum smtp_next unanswered(struct smtp_session *s, enum status st)
{
	static const struct smtp_reply lost = { 451, "4.3.0", "Message could not be queued, try again later" };
	struct queue_known_reply       k = { 0 };

	log_warn("submit unanswered", LOG_C("session", s->info->id), LOG_C("tx", s->tx.id), LOG_ST("status", st));
	if (known(s, &k) != ST_OK)
		return not_queued(s, NULL);
	if (k.known)
		return queued(s, k.id);
	if (s->tx.submits > 1)
		return not_queued(s, &lost);
	smtp_submit_forget(&s->tx);
	submit_start(s);
	return smtp_submit_woken(s);
}

enum smtp_next smtp_submit_woken(struct smtp_session *s)
{
	const struct smtp_pending *p = s->tx.pending;

	if (!atomic_load(&p->over))
		return SMTP_NEXT_WAKE;
	return p->status == ST_OK ? answered(s, &p->reply) : unanswered(s, p->status);
}

enum smtp_next smtp_submit(struct smtp_session *s)
{
	if (s->tx.discard)
		return smtp_filter_discard(s);
	smtp_enter(s, SMTP_STATE_SUBMIT);
	submit_start(s);
	return smtp_submit_woken(s);
}
