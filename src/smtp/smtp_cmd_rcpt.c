/* smtp/smtp_cmd_rcpt.c - RCPT: add a recipient (RFC 5321 §3.3).
 *
 *   MAIL, RCPT --RCPT, accepted--> RCPT        refused: the state and the list stay as they are
 *
 * auth answers from memory and never waits for a mailbox, so a recipient costs one question.
 */
#include "base/log.h"
#include "base/metric.h"
#include "smtp/smtp_filter.h"
#include "smtp/smtp_session.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_rcpt.h"
#include "wire/smtp/smtp_xtext.h"

_Static_assert((unsigned)SMTP_NOTIFY_NEVER == QUEUE_NOTIFY_NEVER && (unsigned)SMTP_NOTIFY_SUCCESS == QUEUE_NOTIFY_SUCCESS &&
	       (unsigned)SMTP_NOTIFY_FAILURE == QUEUE_NOTIFY_FAILURE && (unsigned)SMTP_NOTIFY_DELAY == QUEUE_NOTIFY_DELAY, "one mask");

static const struct smtp_reply reply_of[] = {
	[SMTP_RCPT_OK] = { 250, "2.1.5", "Recipient accepted" },
	[SMTP_RCPT_SYNTAX] = { 501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]" },
	[SMTP_RCPT_ADDRESS] = { 553, "5.1.3", "Recipient address is malformed" },
	[SMTP_RCPT_UTF8] = { 553, "5.6.7", "Recipient address needs SMTPUTF8 on MAIL" },
	[SMTP_RCPT_UNKNOWN] = { 555, "5.5.4", "Parameter not supported" },
	[SMTP_RCPT_VALUE] = { 501, "5.5.4", "Bad parameter value" },
};
_Static_assert(LEN(reply_of) == SMTP_RCPT_VALUE + 1, "a reply per outcome");

static const struct smtp_reply too_many = { 452, "4.5.3", "Too many recipients, send the others in a message of their own" };
static const struct smtp_reply far_too_many = { 421, "4.7.0", "Too many recipients without a message" };
static const struct smtp_reply relaying = { 550, "5.7.1", "Relaying denied: not a domain of ours, and not signed in" };
static const struct smtp_reply unknown = { 550, "5.1.1", "No such recipient" };
static const struct smtp_reply closed = { 452, "4.2.1", "Recipient takes no mail now, try again later" };
static const struct smtp_reply full = { 452, "4.2.2", "Recipient's mailbox is full, try again later" };
static const struct smtp_reply full_refused = { 552, "5.2.2", "Recipient's mailbox is full" };
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
		.exempt = smtp_guard_exempt(s),
	};

	return s->env->ask->rcpt(s->env->ask_ctx, &request, a, ret);
}

/* A refusal in auth's own words. Its text goes out through smtp_reply_line, so it cannot begin a line of its own; an enhanced code
 * that is none, or of another class, is not passed on. */
static bool own_words(const struct auth_rcpt_reply *r, struct arena *a, struct smtp_reply *ret)
{
	if (r->code < 400 || r->code > 599)
		return false;
	ret->code = r->code;
	ret->enhanced = smtp_enhanced_valid(r->enhanced, r->code) ? arena_cstr(a, r->enhanced) : r->code < 500 ? "4.7.1" : "5.7.1";
	ret->text = r->text.n > 0 && str_find(r->text, '\0') < 0 ? arena_cstr(a, r->text) : r->code < 500 ? later.text : refused.text;
	return true;
}

/* The one table from auth's word to ours. NULL: accepted. */
static const struct smtp_reply *kind_check(const struct smtp_session *s, const struct auth_rcpt_reply *r)
{
	switch (r->kind) {
	case AUTH_RCPT_LOCAL:
	case AUTH_RCPT_RELAY: return NULL;
	case AUTH_RCPT_FOREIGN: return s->signed_in ? NULL : &relaying;
	case AUTH_RCPT_UNKNOWN: return &unknown;
	case AUTH_RCPT_CLOSED: return &closed;
	case AUTH_RCPT_FULL: return s->set->full_refused ? &full_refused : &full;
	case AUTH_RCPT_REFUSED: return &refused;
	case AUTH_RCPT_LATER:
	case AUTH_RCPT_PROBE: break;
	}
	return &later;
}

/* What is said, and how. It lives as long as the arena given to recipient_check. */
struct outcome {
	const struct smtp_reply *reply;
	struct smtp_reply        own;      /* auth's words */
	const char              *reason;   /* one word for the log */
	unsigned                 delay_ms; /* the reply is held back */
};

static void recipient_check(struct smtp_session *s, struct str address, struct arena *a, struct outcome *ret)
{
	struct auth_rcpt_reply   r;
	const struct smtp_reply *refusal = &later;

	*ret = (struct outcome){ 0 };
	if (ask(s, address, a, &r) == ST_OK && (r.kind != AUTH_RCPT_PROBE || smtp_probe(s, address, a, &r) == ST_OK)) {
		ret->delay_ms = r.delay_ms;
		refusal = own_words(&r, a, &ret->own) ? &ret->own : kind_check(s, &r);
		if (refusal == &ret->own && r.reason.n > 0)
			ret->reason = arena_cstr(a, r.reason);
	}
	ret->reply = refusal ? refusal : &reply_of[SMTP_RCPT_OK];
	if (!ret->reason)
		ret->reason = ret->reply->enhanced;
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

/* What passed its parser, decoded into `a`. */
static struct str orcpt_of(struct smtp_session *s, const struct smtp_rcpt *r, struct arena *a)
{
	struct buf b = { .cap = LIMIT_ORCPT, .max = LIMIT_ORCPT };

	if (r->orcpt.n == 0)
		return STR_NONE;
	b.p = arena_alloc(a, LIMIT_ORCPT);
	CHECK(smtp_orcpt_decode(r->orcpt, s->tx.utf8, &b) && !b.over);
	return buf_str(&b);
}

static enum smtp_rcpt_err parse(struct smtp_session *s, struct str arg, struct smtp_rcpt *r, struct address_canon *to)
{
	enum smtp_rcpt_err err = smtp_rcpt_parse(arg, smtp_announced(s), s->tx.utf8, s->set->lenient_space, r);

	if (err == SMTP_RCPT_OK && (r->postmaster ? postmaster_find(s, to) : address_canon_of(r->path, false, to)) != ADDRESS_OK)
		return SMTP_RCPT_ADDRESS; /* a U-label that IDNA refuses */
	return err;
}

/* A flood of names must not become one of log lines: the end of the session tells how many there were. */
static void log_refusal(struct smtp_session *s, struct str to, const struct outcome *o)
{
	metric_add(o->reply->code >= 500 ? METRIC_SMTP_RCPTS_REFUSED : METRIC_SMTP_RCPTS_DEFERRED, 1);
	smtp_trace(s, TRACE_RCPT_REFUSED, s->tx.from, to, o->reply, STR_NONE);
	s->rcpts_refused++;
	if (s->rcpts_refused <= LIMIT_SMTP_RCPTS_LOGGED || o->reply->code == 421) /* the last of a session says why it ended */
		log_info("recipient refused", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer),
			 LOG_STR("from", s->tx.from), LOG_STR("rcpt", to), LOG_C("reason", o->reason));
	else if (s->rcpts_refused == LIMIT_SMTP_RCPTS_LOGGED + 1)
		log_info("more recipients refused, from here on counted only", LOG_C("session", s->info->id),
			 LOG_C("peer", s->info->peer));
}

enum smtp_next smtp_cmd_rcpt(struct smtp_session *s, struct str arg)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct smtp_rcpt         r;
	struct address_canon     to;
	struct queue_rcpt        rcpt;
	struct outcome           o;
	const struct smtp_reply *filtered;
	enum smtp_rcpt_err       err;

	if (++s->rcpts > LIMIT_SMTP_RCPT_COMMANDS)
		return smtp_end(s, &far_too_many, "too many recipients");
	err = parse(s, arg, &r, &to);
	if (err != SMTP_RCPT_OK)
		return smtp_answer(s, &reply_of[err]);
	rcpt = (struct queue_rcpt){ address_text(&to), r.notify, orcpt_of(s, &r, a) };
	if (s->tx.rcpt_count >= s->set->rcpts || s->tx.rcpt_octets + rcpt.address.n + rcpt.orcpt.n > LIMIT_RCPTS_OCTETS)
		return smtp_answer(s, &too_many);
	if (s->env->kind == SMTP_KIND_REINJECT) /* was checked before the filter */
		o = (struct outcome){ .reply = &reply_of[SMTP_RCPT_OK] };
	else
		recipient_check(s, rcpt.address, a, &o);
	filtered = o.reply->code < 400 ? smtp_filter_rcpt(s, arg, rcpt.address) : NULL;
	if (filtered)
		o = (struct outcome){ .reply = filtered, .reason = filtered->enhanced, .delay_ms = o.delay_ms };
	if (o.reply->code >= 400) {
		log_refusal(s, rcpt.address, &o);
		if (o.reply->code == 421) /* RFC 5321 §4.2.1: with these words the connection is closed */
			return smtp_end(s, o.reply, "refused at RCPT");
	} else {
		metric_add(METRIC_SMTP_RCPTS_ACCEPTED, 1);
		smtp_tx_add_rcpt(&s->tx, &rcpt);
		if (s->state == SMTP_STATE_MAIL)
			smtp_enter(s, SMTP_STATE_RCPT);
	}
	return smtp_answer_later(s, o.reply, str_of(o.reply->text), o.delay_ms);
}
