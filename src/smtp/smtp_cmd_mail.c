/* smtp/smtp_cmd_mail.c - MAIL: open a mail transaction (RFC 5321 §3.3, RFC 6409 §6.1).
 *
 *   READY --MAIL, policy accepts--> MAIL        refused: still READY, nothing kept
 */
#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_mail.h"

static const struct smtp_reply reply_of[] = {
	[SMTP_MAIL_OK] = { 250, "2.1.0", "Sender accepted" },
	[SMTP_MAIL_SYNTAX] = { 501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]" },
	[SMTP_MAIL_ADDRESS] = { 553, "5.1.7", "Sender address is malformed" },
	[SMTP_MAIL_UTF8] = { 553, "5.6.7", "Sender address needs SMTPUTF8" },
	[SMTP_MAIL_UNKNOWN] = { 555, "5.5.4", "Parameter not supported" },
	[SMTP_MAIL_VALUE] = { 501, "5.5.4", "Bad parameter value" },
};
_Static_assert(LEN(reply_of) == SMTP_MAIL_VALUE + 1, "a reply per outcome");

static const struct smtp_reply too_big = { 552, "5.3.4", "Message too big" };
static const struct smtp_reply not_yours = { 553, "5.7.1", "Sender address does not belong to the signed-in account" };
static const struct smtp_reply later = { 451, "4.3.0", "Sender cannot be checked now, try again later" };

/* Submission: the account must be allowed to use the address. NULL: it is. The null path is, for receipts (RFC 8098). */
static const struct smtp_reply *sender_check(struct smtp_session *s, struct str from)
{
	if (s->env->kind != SMTP_KIND_SUBMISSION || from.n == 0)
		return NULL;
	switch (s->env->ask->sender(s->env->ask_ctx, s->account, from)) {
	case ST_OK: return NULL;
	case ST_DENIED:
		log_warn("sender refused", LOG_C("session", s->info->id), LOG_STR("user", buf_str(&s->login)),
			 LOG_STR("from", from));
		return &not_yours;
	default: return &later;
	}
}

enum smtp_next smtp_cmd_mail(struct smtp_session *s, struct str arg)
{
	struct smtp_mail         m;
	struct address_canon     from = { 0 };
	const struct smtp_reply *refusal;
	enum smtp_mail_err       err = smtp_mail_parse(arg, smtp_announced(s), s->set->lenient_space, &m);

	if (err == SMTP_MAIL_OK && m.path.n > 0 && address_canon_of(m.path, false, &from) != ADDRESS_OK)
		err = SMTP_MAIL_ADDRESS; /* a U-label that IDNA refuses */
	if (err != SMTP_MAIL_OK)
		return smtp_answer(s, &reply_of[err]);
	/* RFC 1870 §6.1: a declared size over the fixed limit is refused now. */
	if (m.size_octets > s->set->message_octets)
		return smtp_answer(s, &too_big);
	refusal = sender_check(s, address_text(&from));
	if (refusal) {
		smtp_trace(s, TRACE_SENDER_REFUSED, address_text(&from), STR_NONE, refusal, STR_NONE);
		return smtp_answer(s, refusal);
	}

	smtp_tx_begin(s);
	s->tx.from = arena_dup(s->tx.arena, address_text(&from));
	s->tx.declared_octets = m.size_octets;
	s->tx.utf8 = m.given & SMTP_PARAM_SMTPUTF8;
	s->tx.flags = (m.body_8bit ? QUEUE_FLAG_8BIT : 0) | (s->tx.utf8 ? QUEUE_FLAG_SMTPUTF8 : 0) |
		      (s->signed_in ? QUEUE_FLAG_SUBMIT : 0);
	smtp_enter(s, SMTP_STATE_MAIL);
	return smtp_answer(s, &reply_of[SMTP_MAIL_OK]);
}
