/* smtp/smtp_cmd_rcpt.c - RCPT: add a recipient (RFC 5321 §3.3).
 *
 *   MAIL, RCPT --RCPT, accepted--> RCPT        refused: the state and the list stay as they are
 *
 * auth answers from memory and never waits for a mailbox, so a recipient costs one question.
 */
#include "base/log.h"
#include "base/metric.h"
#include "smtp/smtp_session.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_rcpt.h"

static const struct smtp_reply reply_of[] = {
	[SMTP_RCPT_OK] = { 250, "2.1.5", "Recipient accepted" },
	[SMTP_RCPT_SYNTAX] = { 501, "5.5.4", "Syntax: RCPT TO:<address>" },
	[SMTP_RCPT_ADDRESS] = { 553, "5.1.3", "Recipient address is malformed" },
	[SMTP_RCPT_UTF8] = { 553, "5.6.7", "Recipient address needs SMTPUTF8 on MAIL" },
	[SMTP_RCPT_UNKNOWN] = { 555, "5.5.4", "Parameter not supported" },
};
_Static_assert(LEN(reply_of) == SMTP_RCPT_UNKNOWN + 1, "a reply per outcome");

static const struct smtp_reply too_many = { 452, "4.5.3", "Too many recipients, send the others in a message of their own" };
static const struct smtp_reply far_too_many = { 421, "4.7.0", "Too many recipients without a message" };
static const struct smtp_reply relaying = { 550, "5.7.1", "Relaying denied: not a domain of ours, and not signed in" };
static const struct smtp_reply unknown = { 550, "5.1.1", "No such recipient" };
static const struct smtp_reply closed = { 452, "4.2.1", "Recipient takes no mail now, try again later" };
static const struct smtp_reply full = { 452, "4.2.2", "Recipient's mailbox is full, try again later" };
static const struct smtp_reply refused = { 550, "5.7.2", "Recipient is a list that is closed to you" };
static const struct smtp_reply later = { 451, "4.3.0", "Recipient cannot be checked now, try again later" };

/* ST_OK or not now. The reply lives in `a`. */
static enum status ask(struct smtp_session *s, struct str address, struct arena *a, struct auth_rcpt_reply *ret)
{
	const struct auth_rcpt_request request = {
		.address = address,
		.from = s->tx.from,
		.peer = str_of(s->info->peer),
		.helo = buf_str(&s->hello),
		.session = str_of(s->info->id),
		.account = s->account,
		.size = s->tx.declared_octets,
		.first = s->tx.rcpt_count == 0,
	};

	return s->env->ask->rcpt(s->env->ask_ctx, &request, a, ret);
}

/* What auth says in its own words; the reason is its one word for it. */
static const struct smtp_reply *worded(struct arena *a, const struct auth_rcpt_reply *r, const char **ret_reason)
{
	struct smtp_reply *reply = ARENA_NEW(a, struct smtp_reply);

	if (r->code < 400 || r->code > 599 || r->text.n == 0)
		return &later;
	*reply = (struct smtp_reply){ r->code, arena_cstr(a, r->enhanced), arena_cstr(a, r->text) };
	if (r->reason.n > 0)
		*ret_reason = arena_cstr(a, r->reason);
	return reply;
}

/* The one table from auth's word to ours. NULL: accepted. The reply lives in `a`, or for ever; *ret_reason is set if there is one for
 * the log other than the enhanced code. */
static const struct smtp_reply *recipient_check(struct smtp_session *s, struct str address, struct arena *a, const char **ret_reason)
{
	struct auth_rcpt_reply r;

	if (ask(s, address, a, &r) != ST_OK)
		return &later;
	switch (r.kind) {
	case AUTH_RCPT_LOCAL:
	case AUTH_RCPT_RELAY: return NULL;
	case AUTH_RCPT_FOREIGN: return s->signed_in ? NULL : &relaying;
	case AUTH_RCPT_UNKNOWN: return &unknown;
	case AUTH_RCPT_CLOSED: return &closed;
	case AUTH_RCPT_FULL: return &full;
	case AUTH_RCPT_REFUSED: return &refused;
	case AUTH_RCPT_LATER: return worded(a, &r, ret_reason);
	case AUTH_RCPT_PROBE: break;
	}
	return &later;
}

/* "<Postmaster>" must exist (RFC 5321 §4.5.1): at the domain of the setting, or, a server's name being no mail domain as a rule,
 * at the nearest domain above it that is ours. */
static enum address_err postmaster_find(struct smtp_session *s, struct address_canon *ret)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	enum address_err       err = address_canon_of(s->set->postmaster, false, ret);
	struct address_canon   at = *ret;
	struct auth_rcpt_reply r;
	char                   text[LIMIT_ADDRESS];
	struct str             label, parent;

	while (err == ADDRESS_OK && ask(s, address_text(&at), a, &r) == ST_OK) {
		struct buf b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

		if (r.kind != AUTH_RCPT_FOREIGN) {
			*ret = at;
			break;
		}
		if (!str_cut(address_domain_of(&at), '.', &label, &parent) || str_find(parent, '.') < 0)
			break;
		buf_add(&b, STR("postmaster@"));
		buf_add(&b, parent);
		err = address_canon_of(buf_str(&b), false, &at);
	}
	return err;
}

/* A flood of names must not become one of log lines: the end of the session tells how many there were. */
static void note_refused(struct smtp_session *s, struct str to, const struct smtp_reply *refusal, const char *reason)
{
	metric_add(refusal->code >= 500 ? METRIC_SMTP_RCPTS_REFUSED : METRIC_SMTP_RCPTS_DEFERRED, 1);
	smtp_trace(s, TRACE_RCPT_REFUSED, s->tx.from, to, refusal, STR_NONE);
	if (++s->rcpts_refused <= LIMIT_SMTP_RCPTS_LOGGED)
		log_info("recipient refused", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer),
			 LOG_STR("from", s->tx.from), LOG_STR("rcpt", to), LOG_C("reason", reason));
	else if (s->rcpts_refused == LIMIT_SMTP_RCPTS_LOGGED + 1)
		log_info("more recipients refused, from here on counted only", LOG_C("session", s->info->id),
			 LOG_C("peer", s->info->peer));
}

enum smtp_next smtp_cmd_rcpt(struct smtp_session *s, struct str arg)
{
	struct smtp_rcpt         r;
	struct address_canon     to;
	struct arena *a          CLEANUP(arena_free) = arena_new(NULL);
	const struct smtp_reply *refusal;
	const char              *reason = NULL;
	enum smtp_rcpt_err       err;

	if (++s->rcpts > LIMIT_SMTP_RCPT_COMMANDS)
		return smtp_end(s, &far_too_many, "too many recipients");
	err = smtp_rcpt_parse(arg, s->tx.utf8, s->set->lenient_space, &r);
	if (err == SMTP_RCPT_OK &&
	    (r.postmaster ? postmaster_find(s, &to) : address_canon_of(r.path, false, &to)) != ADDRESS_OK)
		err = SMTP_RCPT_ADDRESS; /* a U-label that IDNA refuses */
	if (err != SMTP_RCPT_OK)
		return smtp_answer(s, &reply_of[err]);
	if (s->tx.rcpt_count >= s->set->rcpts)
		return smtp_answer(s, &too_many);
	refusal = recipient_check(s, address_text(&to), a, &reason);
	if (refusal) {
		note_refused(s, address_text(&to), refusal, reason ? reason : refusal->enhanced);
		return refusal->code == 421 ? smtp_end(s, refusal, "refused at RCPT") : smtp_answer(s, refusal);
	}
	metric_add(METRIC_SMTP_RCPTS_ACCEPTED, 1);
	smtp_tx_add_rcpt(&s->tx, address_text(&to));
	if (s->state == SMTP_STATE_MAIL)
		smtp_enter(s, SMTP_STATE_RCPT);
	return smtp_answer(s, &reply_of[SMTP_RCPT_OK]);
}
