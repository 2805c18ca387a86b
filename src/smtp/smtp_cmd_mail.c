/* smtp/smtp_cmd_mail.c - MAIL: open a mail transaction (RFC 5321 §3.3, RFC 6409 §6.1).
 *
 *   READY --MAIL, policy accepts--> MAIL        refused: still READY, nothing kept
 */
#include "base/log.h"
#include "smtp/smtp_filter.h"
#include "smtp/smtp_session.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_mail.h"
#include "wire/smtp/smtp_xtext.h"

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
static const struct smtp_reply too_soon = { 555, "5.5.4", "Delivery cannot be promised in so short a time" };
static const struct smtp_reply too_far = { 501, "5.5.4", "Release time is too far ahead" };
static const struct smtp_reply never = { 501, "5.5.4", "Release time is after the end of the time for delivery" };
static const struct smtp_reply lowered = { 250, "2.3.6", "0 is the new priority" };
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

/* RFC 4865: when the message is to be released; 0: at once. A time that has passed is now. */
static int64_t hold_until_of(const struct smtp_mail *m, int64_t now_ms)
{
	int64_t until = 0;

	if (m->given & SMTP_PARAM_HOLDFOR)
		until = now_ms + (int64_t)m->hold_for_s * 1000;
	else if (m->given & SMTP_PARAM_HOLDUNTIL)
		until = m->hold_until_ms;
	return until > now_ms ? until : 0;
}

/* RFC 2852: 0: no limit. With "N" a time below 0 says that the sender was told already, by a relay before us. */
static int64_t deliver_by_of(const struct smtp_mail *m, int64_t now_ms)
{
	return (m->given & SMTP_PARAM_BY) && m->by_s >= 0 ? now_ms + m->by_s * 1000 : 0;
}

static const struct smtp_reply *times_check(const struct smtp_mail *m, int64_t now_ms)
{
	int64_t hold_until = hold_until_of(m, now_ms), deliver_by = deliver_by_of(m, now_ms);

	if (hold_until > now_ms + (int64_t)LIMIT_SMTP_HOLD_S * 1000)
		return &too_far;
	if (!deliver_by || m->by_notify)
		return NULL;
	if (m->by_s < LIMIT_SMTP_BY_MIN_S)
		return &too_soon;
	return hold_until >= deliver_by ? &never : NULL;
}

static uint32_t flags_of(const struct smtp_session *s, const struct smtp_mail *m)
{
	uint32_t ret = m->ret_hdrs ? QUEUE_FLAG_RET_HDRS : m->given & SMTP_PARAM_RET ? QUEUE_FLAG_RET_FULL : 0;
	uint32_t by = (m->by_notify ? QUEUE_FLAG_BY_NOTIFY : 0) | (m->by_trace ? QUEUE_FLAG_BY_TRACE : 0);

	return (m->body_8bit ? QUEUE_FLAG_8BIT : 0) | (m->given & SMTP_PARAM_SMTPUTF8 ? QUEUE_FLAG_SMTPUTF8 : 0) |
	       (s->signed_in ? QUEUE_FLAG_SUBMIT : 0) | (m->given & SMTP_PARAM_REQUIRETLS ? QUEUE_FLAG_REQUIRETLS : 0) |
	       ret | (m->given & SMTP_PARAM_BY && m->by_s >= 0 ? by : 0);
}

static struct str envid_of(struct smtp_session *s, const struct smtp_mail *m)
{
	struct buf b = { .cap = LIMIT_ENVID, .max = LIMIT_ENVID };

	if (!(m->given & SMTP_PARAM_ENVID))
		return STR_NONE;
	b.p = arena_alloc(s->tx.arena, LIMIT_ENVID);
	CHECK(smtp_xtext_decode(m->envid, &b) && !b.over);
	return buf_str(&b);
}

enum smtp_next smtp_cmd_mail(struct smtp_session *s, struct str arg)
{
	struct smtp_mail         m;
	struct address_canon     from = { 0 };
	const struct smtp_reply *refusal;
	int64_t                  now_ms = s->env->ask->now_ms(s->env->ask_ctx);
	enum smtp_mail_err       err = smtp_mail_parse(arg, smtp_announced(s), s->set->lenient_space, &m);

	if (err == SMTP_MAIL_OK && m.path.n > 0 && address_canon_of(m.path, false, &from) != ADDRESS_OK)
		err = SMTP_MAIL_ADDRESS; /* a U-label that IDNA refuses */
	if (err != SMTP_MAIL_OK)
		return smtp_answer(s, &reply_of[err]);
	/* RFC 1870 §6.1: a declared size over the fixed limit is refused now. */
	if (m.size_octets > s->set->message_octets)
		return smtp_answer(s, &too_big);
	refusal = times_check(&m, now_ms);
	if (refusal)
		return smtp_answer(s, refusal);
	refusal = sender_check(s, address_text(&from));
	if (refusal) {
		smtp_trace(s, TRACE_SENDER_REFUSED, address_text(&from), STR_NONE, refusal, STR_NONE);
		return smtp_answer(s, refusal);
	}

	smtp_tx_begin(s);
	s->tx.from = arena_dup(s->tx.arena, address_text(&from));
	s->tx.declared_octets = m.size_octets;
	s->tx.utf8 = m.given & SMTP_PARAM_SMTPUTF8;
	s->tx.flags = flags_of(s, &m);
	s->tx.envid = envid_of(s, &m);
	s->tx.hold_until_ms = hold_until_of(&m, now_ms);
	s->tx.deliver_by_ms = deliver_by_of(&m, now_ms);
	s->tx.priority = m.priority;
	refusal = smtp_filter_mail(s, arg);
	if (refusal) {
		smtp_trace(s, TRACE_SENDER_REFUSED, s->tx.from, STR_NONE, refusal, STR_NONE);
		smtp_tx_reset(s);
		return smtp_answer(s, refusal);
	}
	smtp_enter(s, SMTP_STATE_MAIL);
	/* RFC 6710 §4.1: who may not ask for a priority gets a lower one, and is told so. A stranger may only ask for less than others. */
	if (m.priority > 0 && !smtp_is_known(s)) {
		s->tx.priority = 0;
		return smtp_answer(s, &lowered);
	}
	return smtp_answer(s, &reply_of[SMTP_MAIL_OK]);
}
