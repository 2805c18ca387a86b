/* smtp/smtp_cmd_data.c - DATA: collect the content, then judge and submit it (RFC 5321 §4.1.1.4).
 *
 *   RCPT --DATA, 354--> DATA --CRLF.CRLF, any reply--> READY
 *
 * Whatever goes wrong on the way is kept as content.refusal; reading goes on to the true end, and only then the
 * peer is answered, once.
 */
#include "base/log.h"
#include "base/metric.h"
#include "smtp/smtp_session.h"
#include "wire/smtp/smtp_received.h"


#define FIRST_OCTETS ((uint64_t)16 * KIB) /* reserved when the peer does not say SIZE= */

/* RFC 5321 §2.3.8; what a relay behind us would make of such octets nobody knows (CVE-2023-51764). */
const struct smtp_reply        smtp_bare_reply = { 554, "5.6.0", "Message holds a bare CR or LF, or a NUL; lines end in CRLF" };
const struct smtp_reply        smtp_too_big_reply = { 552, "5.3.4", "Message too big" };
static const struct smtp_reply no_memory = { 452, "4.3.1", "Too much mail at once, try again later" };
static const struct smtp_reply no_space = { 452, "4.3.1", "Not enough storage, try again later" };
static const struct smtp_reply no_spool = { 451, "4.3.0", "Message cannot be stored now, try again later" };

/* RFC 5321 §4.4: the trace field comes first. The only recipient is named, several are not: they must not read of each other. */
static void received_add(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;

	smtp_received_print(&tx->content.memory, &(struct smtp_received){
		.helo = buf_str(&s->hello),
		.peer = str_of(s->info->peer),
		.host = s->set->hostname,
		.id = str_of(tx->id),
		.rcpt = tx->rcpt_count == 1 ? tx->rcpts[0].address : STR_NONE,
		.cipher = s->info->tls ? str_of(s->info->tls_cipher) : STR_NONE,
		.esmtp = s->esmtp,
		.tls = s->info->tls,
		.signed_in = s->signed_in,
		.utf8 = tx->utf8,
		.lmtp = s->env->kind == SMTP_KIND_LMTP,
		.when_ms = tx->received_ms,
	});
	tx->trace_octets = tx->content.memory.n;
}

const struct smtp_reply *smtp_data_begin(struct smtp_session *s, uint64_t expected)
{
	struct smtp_tx *tx = &s->tx;

	smtp_content_init(&tx->content, net_of(s->conn));
	if (!smtp_content_reserve(&tx->content, expected)) {
		smtp_content_done(&tx->content);
		return &no_memory;
	}
	tx->received_ms = s->env->ask->now_ms(s->env->ask_ctx);
	s->env->ask->random(s->env->ask_ctx, tx->txid, sizeof(tx->txid));
	received_add(s);
	return NULL;
}

enum smtp_next smtp_cmd_data(struct smtp_session *s, struct str arg)
{
	static const struct smtp_reply go = { 354, NULL, "Send the message, end with <CRLF>.<CRLF>" };
	const struct smtp_reply       *refusal = smtp_data_begin(s, s->tx.declared_octets ? s->tx.declared_octets : FIRST_OCTETS);

	(void)arg;
	if (refusal)
		return smtp_answer(s, refusal); /* the transaction stays: the peer may send DATA again */
	smtp_enter(s, SMTP_STATE_DATA);
	smtp_answer(s, &go);
	return SMTP_NEXT_DATA;
}

/* ---- the sink ---- */

/* From memory into a spool file of queue's. The header must be looked at before: afterwards nothing can be put into it. */
static const struct smtp_reply *spill(struct smtp_session *s)
{
	const struct smtp_reply *refusal = s->tx.header_done ? NULL : smtp_message_check(s, false);
	enum status              st;
	int                      fd = -1;

	if (refusal)
		return refusal;
	st = s->env->ask->spool(s->env->ask_ctx, &fd);
	if (st == ST_OK)
		st = smtp_content_spill(&s->tx.content, fd);
	return st == ST_OK ? NULL : st == ST_FULL ? &no_space : &no_spool;
}

/* NULL: the octets were taken. They must fit where they go: smtp_content_room, or the spool file. */
static const struct smtp_reply *keep(struct smtp_content *c, struct str octets)
{
	enum status st;

	/* SIZE= may have lied, or was missing: double what was reserved. */
	if (c->spool < 0 && c->memory.n + octets.n > c->reserved &&
	    !smtp_content_reserve(c, MAX((uint64_t)c->reserved * 2, c->memory.n + octets.n)))
		return &no_memory;
	st = smtp_content_add(c, octets);
	return st == ST_OK ? NULL : st == ST_FULL ? &no_space : &no_spool;
}

static const struct smtp_reply *take(struct smtp_session *s, struct str octets)
{
	struct smtp_content     *c = &s->tx.content;
	const struct smtp_reply *refusal = NULL;

	if (octets.n > s->set->message_octets || c->peer_octets > s->set->message_octets - octets.n)
		return &smtp_too_big_reply;
	c->peer_octets += octets.n;
	while (octets.n > 0 && !refusal) {
		size_t n = c->spool < 0 ? MIN(octets.n, smtp_content_room(c)) : octets.n;

		refusal = n > 0 ? keep(c, str_first(octets, n)) : spill(s);
		octets = str_from(octets, n);
	}
	return refusal;
}

bool smtp_data_write(void *ctx, struct str octets)
{
	struct smtp_session *s = ctx;

	if (!s->tx.content.refusal)
		s->tx.content.refusal = take(s, octets);
	return !s->tx.content.refusal;
}

/* ---- the end of data ---- */

/* Every message that was sent but not taken ends here. */
enum smtp_next smtp_data_refuse(struct smtp_session *s, const struct smtp_reply *refusal, unsigned copies)
{
	log_info("message refused", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer), LOG_C("tx", s->tx.id),
		 LOG_STR("from", s->tx.from), LOG_U64("rcpts", s->tx.rcpt_count),
		 LOG_U64("size_octets", s->tx.content.peer_octets), LOG_U64("code", refusal->code),
		 LOG_C("reason", refusal->text));
	smtp_trace(s, TRACE_MESSAGE_REFUSED, s->tx.from, s->tx.rcpt_count == 1 ? s->tx.rcpts[0].address : STR_NONE, refusal, STR_NONE);
	metric_add(refusal->code >= 500 ? METRIC_SMTP_MESSAGES_REFUSED : METRIC_SMTP_MESSAGES_DEFERRED, 1);
	s->refused++;
	smtp_tx_reset(s);
	smtp_enter(s, SMTP_STATE_READY);
	return smtp_answer_copies(s, refusal, str_of(refusal->text), copies);
}

enum smtp_next smtp_data_done(struct smtp_session *s, bool bare_eol)
{
	const struct smtp_reply *refusal = bare_eol ? &smtp_bare_reply : s->tx.content.refusal;

	s->octets += s->tx.content.peer_octets;
	if (!refusal && !s->tx.header_done)
		refusal = smtp_message_check(s, true);
	if (!refusal && s->tx.content.spool < 0 && s->tx.content.memory.n > LIMIT_INLINE)
		refusal = spill(s);
	return refusal ? smtp_data_refuse(s, refusal, smtp_copies(s)) : smtp_submit(s);
}
