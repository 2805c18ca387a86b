/* smtp/smtp_submit.c - hand the message to queue, and tell the peer the truth about it.
 *
 *   submit --ST_OK--> queued: 250          otherwise it certainly was not taken: 452, 451, 554
 *     |
 *     any other status: unknown. Ask whether queue knows the transaction id:
 *       yes              250
 *       no               submit once more under the same id (idempotent); no again: certainly not taken, 451
 *       no answer        wait and ask again, submit_wait_ms in all; then close without any answer: the peer will come
 *                        again, and a message that queue has taken after all is then doubled, but never lost
 */
#include "base/log.h"
#include "queue/queue_id.h"
#include "smtp/smtp_session.h"

#define PAUSE_FIRST_MS 50u
#define PAUSE_MAX_MS   2000u

static enum status submit_once(struct smtp_session *s, struct queue_submit_reply *ret)
{
	struct smtp_tx      *tx = &s->tx;
	struct smtp_content *c = &tx->content;

	return s->env->ask->submit(s->env->ask_ctx,
				   &(struct queue_submit_request){
					   .txid = str_n(tx->txid, sizeof(tx->txid)),
					   .from = tx->from,
					   .rcpts = tx->rcpts,
					   .rcpt_count = tx->rcpt_count,
					   .flags = tx->flags | (c->eight_bit ? QUEUE_FLAG_8BIT : 0),
					   .session = str_of(s->info->id),
					   .peer = str_of(s->info->peer),
					   .account = s->account,
					   .received_ms = tx->received_ms,
					   .size = smtp_content_size(c),
					   .content = c->spool < 0 ? buf_str(&c->memory) : STR_NONE,
					   .spool = c->spool,
				   },
				   ret);
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

/* ST_OK: *ret says what queue did. ST_DENIED: certainly not taken. ST_TEMP: nobody knows. */
static enum status submit(struct smtp_session *s, struct queue_submit_reply *ret)
{
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		struct queue_known_reply k = { 0 };
		enum status              st = submit_once(s, ret);

		if (st == ST_OK)
			return ST_OK;
		log_warn("submit unanswered", LOG_C("session", s->info->id), LOG_C("tx", s->tx.id), LOG_ST("status", st));
		if (known(s, &k) != ST_OK)
			return ST_TEMP;
		if (k.known) {
			*ret = (struct queue_submit_reply){ QUEUE_SUBMIT_QUEUED, k.id };
			return ST_OK;
		}
	}
	return ST_DENIED;
}

static enum smtp_next queued(struct smtp_session *s, uint64_t id)
{
	static const struct smtp_reply ok = { 250, "2.0.0", NULL };
	struct queue_id_text           text = queue_id_text(id);
	char                           line[64];
	struct buf                     b = { .p = line, .cap = sizeof(line), .max = sizeof(line) - 1 };

	log_info("message accepted", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer), LOG_C("tx", s->tx.id),
		 LOG_C("id", text.p), LOG_STR("from", s->tx.from), LOG_STR("user", buf_str(&s->login)),
		 LOG_U64("rcpts", s->tx.rcpt_count), LOG_U64("size_octets", smtp_content_size(&s->tx.content)));
	s->messages++;
	s->errors = s->commands = s->rcpts = 0;
	buf_add(&b, STR("OK queued as "));
	buf_add(&b, str_of(text.p));
	smtp_tx_reset(s);
	smtp_enter(s, SMTP_STATE_READY);
	return smtp_answer_text(s, &ok, buf_str(&b));
}

static enum smtp_next not_queued(struct smtp_session *s, const struct smtp_reply *r)
{
	log_warn("message not taken", LOG_C("session", s->info->id), LOG_C("tx", s->tx.id), LOG_STR("from", s->tx.from),
		 LOG_U64("rcpts", s->tx.rcpt_count), LOG_C("reason", r ? r->text : "nobody knows"));
	s->refused++;
	smtp_tx_reset(s);
	smtp_enter(s, SMTP_STATE_READY);
	return r ? smtp_answer(s, r) : smtp_end(s, NULL, "submit without an answer");
}

enum smtp_next smtp_submit(struct smtp_session *s)
{
	static const struct smtp_reply full = { 452, "4.3.1", "Not enough storage, try again later" };
	static const struct smtp_reply suspect = { 451, "4.3.0", "Storage is being repaired, try again later" };
	static const struct smtp_reply invalid = { 554, "5.6.0", "Message cannot be queued" };
	static const struct smtp_reply lost = { 451, "4.3.0", "Message could not be queued, try again later" };
	struct queue_submit_reply      r = { 0 };

	switch (submit(s, &r)) {
	case ST_OK: break;
	case ST_DENIED: return not_queued(s, &lost);
	default: return not_queued(s, NULL);
	}
	switch (r.result) {
	case QUEUE_SUBMIT_QUEUED: return queued(s, r.id);
	case QUEUE_SUBMIT_FULL: return not_queued(s, &full);
	case QUEUE_SUBMIT_SUSPECT: return not_queued(s, &suspect);
	case QUEUE_SUBMIT_INVALID: break;
	}
	return not_queued(s, &invalid);
}
