/* deliver/remote_tx.c - the diagram is in remote_tx.h. */
#include "base/log.h"
#include "deliver/remote_params.h"
#include "deliver/remote_tx_in.h"
#include "wire/text/queue_id.h"

/* ---- outcomes ---- */

void tx_fail(struct tx *t, struct remote_outcome o)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->mail_ok && t->answered[i] && !t->accepted[i])
			continue;
		if (o.result == REMOTE_REFUSED)
			remote_results_close(t->r, t->which[i], o);
		else
			remote_results_note(t->r, t->which[i], o);
	}
}

/* Nobody got it: those without an answer are as undecided as those with a 250. */
static void tx_undecided(struct tx *t, struct remote_outcome o)
{
	for (size_t i = 0; i < t->count; i++)
		remote_results_note(t->r, t->which[i], o);
}

/* It may have been delivered, RFC 1047: no other host gets it now. */
static void tx_doubtful(struct tx *t, struct remote_outcome o)
{
	size_t n = 0;

	for (size_t i = 0; i < t->count; i++) {
		if (t->answered[i] && !t->accepted[i])
			continue;
		remote_results_close(t->r, t->which[i], o);
		n++;
	}
	t->s->no_early = t->s->no_early || t->s->reused || t->early;
	if (n == 0)
		return;
	log_info("connection lost behind the end of a message: it may arrive twice", LOG_C("message", queue_id_text(t->q->message).p),
		 LOG_STR("host", t->s->host), LOG_STR("answer", o.answer));
}

void tx_lost(struct tx *t, struct remote_outcome why)
{
	bool possible = t->sent && !(t->s->stream && net_stream_undelivered(t->s->stream));

	if (t->mail_answered && !t->mail_ok)
		return; /* refused, that was all */
	if (possible)
		tx_doubtful(t, why);
	else if (t->s->reused && !t->s->timed_out)
		t->end = REMOTE_TX_GONE;
	else
		tx_undecided(t, why);
}

void tx_final(struct tx *t, struct remote_outcome o)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->accepted[i])
			remote_results_close(t->r, t->which[i], o);
}

/* ---- commands ---- */

static void write_mail(struct tx *t)
{
	const struct smtp_caps *caps = &t->s->caps;
	struct buf             *out = &t->s->out;

	buf_addf(out, "MAIL FROM:<%.*s>", STR_FMT(t->q->from));
	if (caps->offered & SMTP_CAP_SIZE)
		buf_addf(out, " SIZE=%llu", (unsigned long long)t->content->size);
	if ((caps->offered & SMTP_CAP_8BITMIME) && t->content->eight_bit)
		buf_add(out, STR(" BODY=8BITMIME"));
	if ((caps->offered & SMTP_CAP_SMTPUTF8) && (t->q->flags & QUEUE_FLAG_SMTPUTF8))
		buf_add(out, STR(" SMTPUTF8"));
	remote_params_mail(out, caps, t->q);
	buf_add(out, STR("\r\n"));
	t->s->mails++;
	t->s->dirty = true;
}

static void write_rcpt(struct tx *t, size_t i)
{
	const struct remote_rcpt *rcpt = &t->q->rcpts[t->which[i]];

	buf_addf(&t->s->out, "RCPT TO:<%.*s>", STR_FMT(rcpt->address));
	remote_params_rcpt(&t->s->out, &t->s->caps, rcpt);
	buf_add(&t->s->out, STR("\r\n"));
}

bool tx_exchange(struct tx *t, const char *step, unsigned timeout_ms)
{
	struct remote_outcome why;

	timeout_ms = remote_session_timeout(t->s, timeout_ms);
	if (t->s->out.n > 0) {
		if (!remote_session_send(t->s, step, timeout_ms, &why)) {
			tx_lost(t, why);
			return false;
		}
		t->sent = t->early;
	}
	if (remote_session_reply(t->s, step, timeout_ms, &why))
		return true;
	tx_lost(t, why);
	return false;
}

/* It had enough mails in this session, or waited long enough. Some say 452 to all that follow, and keep the session open (OpenSMTPD after 100).
 * RFC 3463 §3.4: X.3.X is about the whole host, which says it to every session (no space left, X.3.1). */
static bool had_enough(const struct remote_session *s)
{
	return s->reused && (s->reply.code == 421 || (s->reply.code == 452 && s->taken && !str_starts(str_of(s->reply.enhanced), STR("4.3."))));
}

/* ---- steps: each returns false when the connection is over ---- */

static bool step_mail(struct tx *t)
{
	if (!tx_exchange(t, "MAIL", t->s->remote->settings.timeouts.mail_ms))
		return false;
	if (had_enough(t->s)) {
		t->s->dead = true;
		t->end = REMOTE_TX_GONE;
		return false;
	}
	t->s->reused = false;
	t->s->talked = t->s->talked || t->s->reply.code != 421;
	t->mail_answered = true;
	t->mail_ok = t->s->reply.code / 100 == 2;
	if (t->mail_ok)
		return true;
	tx_fail(t, remote_session_failure(t->s));
	return !t->s->dead;
}

/* RFC 5321 §4.5.3.1.10: 552 once meant "too many recipients" and is then a deferral, as 452; a mailbox that is full says X.2.2. */
static bool too_many_rcpts(const struct smtp_answer_in *reply)
{
	struct str code = str_of(reply->enhanced);

	return (reply->code == 552 || reply->code == 452) && (code.n == 0 || str_eq(str_from(code, 1), STR(".5.3")));
}

/* After others were taken there is a further transaction for it, on this session with no more recipients than this one took. */
static void rcpt_later(struct tx *t, size_t i)
{
	if (t->accepted_count == 0)
		return;
	t->want[t->which[i]] = true;
	if (t->s->caps.rcpt_max == 0 || t->s->caps.rcpt_max > t->accepted_count)
		t->s->caps.rcpt_max = (uint32_t)t->accepted_count;
}

static bool step_rcpt(struct tx *t, size_t i)
{
	struct remote_outcome o;

	if (!tx_exchange(t, "RCPT", t->s->remote->settings.timeouts.rcpt_ms))
		return false;
	if (!t->mail_ok)
		return true; /* it is about MAIL, whatever it says */
	t->answered[i] = true;
	if (t->s->reply.code / 100 == 2) {
		t->accepted[i] = true;
		t->accepted_count++;
		return true;
	}
	o = remote_session_failure(t->s);
	if (too_many_rcpts(&t->s->reply)) {
		o = (struct remote_outcome){ REMOTE_DEFERRED, STR("4.5.3"), o.answer };
		rcpt_later(t, i);
	}
	if (o.result == REMOTE_REFUSED)
		remote_results_close(t->r, t->which[i], o);
	else
		remote_results_note(t->r, t->which[i], o);
	if (t->s->dead)
		tx_undecided(t, o);
	return !t->s->dead;
}

static bool step_data(struct tx *t)
{
	if (!tx_exchange(t, "DATA", t->s->remote->settings.timeouts.data_ms))
		return false;
	if (t->s->reply.code == 354)
		return true;
	if (!t->mail_ok)
		return false; /* it is about MAIL, as for RCPT */
	tx_fail(t, remote_session_failure(t->s));
	return false;
}

/* ---- transactions ---- */

static void tx_pipelined(struct tx *t)
{
	write_mail(t);
	for (size_t i = 0; i < t->count; i++)
		write_rcpt(t, i);
	if (!t->bdat)
		buf_add(&t->s->out, STR("DATA\r\n"));
	if (t->early && !tx_content_append(t)) {
		t->s->dirty = false;
		return;
	}
	if (!step_mail(t))
		return;
	for (size_t i = 0; i < t->count; i++)
		if (!step_rcpt(t, i))
			return;
	if (t->bdat ? t->early || t->accepted_count > 0 : step_data(t))
		tx_content(t);
}

static void tx_stepwise(struct tx *t)
{
	write_mail(t);
	if (!step_mail(t) || !t->mail_ok)
		return;
	for (size_t i = 0; i < t->count; i++) {
		write_rcpt(t, i);
		if (!step_rcpt(t, i))
			return;
	}
	if (t->accepted_count == 0)
		return;
	if (!t->bdat)
		buf_add(&t->s->out, STR("DATA\r\n"));
	if (t->bdat || step_data(t))
		tx_content(t);
}

/* ---- who is in which ---- */

static struct str domain_of(const struct tx *t, size_t i)
{
	struct str local, domain;

	str_rcut(t->q->rcpts[i].address, '@', &local, &domain);
	return domain;
}

/* Would it be one domain too many, RFC 9422 §4.3? */
static bool domain_too_many(const struct tx *t, size_t i)
{
	uint32_t others = 0;

	if (t->s->caps.rcpt_domain_max == 0)
		return false;
	for (size_t k = 0; k < t->count; k++) {
		bool first = true;

		if (str_ieq(domain_of(t, t->which[k]), domain_of(t, i)))
			return false;
		for (size_t j = 0; j < k && first; j++)
			first = !str_ieq(domain_of(t, t->which[j]), domain_of(t, t->which[k]));
		others += first;
	}
	return others >= t->s->caps.rcpt_domain_max;
}

/* Take the next recipients that are open and have not been in one. */
static void tx_fill(struct tx *t)
{
	size_t most = t->s->caps.rcpt_max > 0 ? MIN((size_t)t->s->caps.rcpt_max, LIMIT_REMOTE_RCPTS) : LIMIT_REMOTE_RCPTS;

	for (size_t i = 0; i < t->r->count && t->count < most; i++) {
		if (!t->want[i] || t->r->states[i].closed || domain_too_many(t, i))
			continue;
		t->want[i] = false;
		t->which[t->count++] = i;
	}
}

static bool reset(struct remote_session *s, struct remote_outcome *ret_why)
{
	unsigned timeout_ms = remote_session_timeout(s, s->remote->settings.timeouts.mail_ms);

	buf_add(&s->out, STR("RSET\r\n"));
	if (!remote_session_send(s, "RSET", timeout_ms, ret_why) ||
	    !remote_session_reply(s, "RSET", timeout_ms, ret_why))
		return false;
	s->dirty = false;
	if (s->reply.code == 250 && !net_stream_pending(s->stream))
		return true;
	*ret_why = remote_session_failure(s);
	s->dead = true;
	return false;
}

static enum remote_tx_end tx_one(struct tx *t, struct remote_outcome *why)
{
	struct remote_session *s = t->s;

	if (s->dead || (s->dirty && !reset(s, why))) {
		s->dead = true;
		tx_lost(t, *why);
		return t->end;
	}
	t->bdat = (s->caps.offered & SMTP_CAP_CHUNKING) && !s->no_bdat;
	t->early = t->bdat && (s->caps.offered & SMTP_CAP_PIPELINING) && t->content->size <= LIMIT_REMOTE_EARLY && !s->no_early;
	if (s->caps.offered & SMTP_CAP_PIPELINING)
		tx_pipelined(t);
	else
		tx_stepwise(t);
	s->dirty = s->dirty && !t->ended;
	return t->end;
}

enum remote_tx_end remote_tx_all(struct remote_session *s, const struct remote_deliver_request *q,
				 const struct remote_content *content, struct remote_results *r)
{
	struct remote_outcome why = { REMOTE_DEFERRED, STR("4.4.2"),
				      STR("Connection ended before the recipient's turn") };
	bool                 *want = ARENA_ARRAY(s->arena, bool, r->count);

	for (size_t i = 0; i < r->count; i++)
		want[i] = true;
	for (bool first = true;; first = false) {
		struct tx          t = { .s = s, .q = q, .content = content, .r = r, .want = want };
		enum remote_tx_end end;

		tx_fill(&t);
		if (t.count == 0 || s->asker->gone(s->asker->ctx))
			return REMOTE_TX_DONE;
		if (!first && !s->dead && s->caps.mail_max > 0 && s->mails >= s->caps.mail_max)
			return REMOTE_TX_MORE;
		end = tx_one(&t, &why);
		if (end != REMOTE_TX_DONE)
			return end;
	}
}
