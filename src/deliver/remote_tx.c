/* deliver/remote_tx.c - the diagram is in remote_tx.h. */
#include "deliver/remote_tx.h"

#include "deliver/remote_params.h"
#include "wire/smtp/smtp_stuff.h"

struct tx {
	struct remote_session               *s;
	const struct remote_deliver_request *q;
	const struct remote_content         *content;
	struct remote_results               *r;
	size_t                               which[LIMIT_REMOTE_RCPTS]; /* indexes into q->rcpts */
	bool                                 accepted[LIMIT_REMOTE_RCPTS];
	size_t                               count, accepted_count;
	bool                                 mail_ok;
	bool                                 ended; /* the final dot was answered: the session is as before MAIL */
};

/* ---- outcomes ---- */

/* A failed step for the recipients that could still have got the message. Another host may be tried unless the peer
 * refused for good. */
static void tx_fail(struct tx *t, struct remote_outcome o)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->mail_ok && !t->accepted[i])
			continue;
		if (o.result == REMOTE_REFUSED)
			remote_results_close(t->r, t->which[i], o);
		else
			remote_results_note(t->r, t->which[i], o);
	}
}

/* The connection ended before the final dot: nobody got it, those without an answer are as undecided as those with a
 * 250. */
static void tx_lost(struct tx *t, struct remote_outcome o)
{
	for (size_t i = 0; i < t->count; i++)
		remote_results_note(t->r, t->which[i], o);
}

/* Nothing changes any more after the final dot. */
static void tx_final(struct tx *t, struct remote_outcome o)
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
		buf_addf(out, " SIZE=%llu", (unsigned long long)(t->content->size + t->q->prefix.n));
	if ((caps->offered & SMTP_CAP_8BITMIME) && t->content->eight_bit)
		buf_add(out, STR(" BODY=8BITMIME"));
	if ((caps->offered & SMTP_CAP_SMTPUTF8) && (t->q->flags & QUEUE_FLAG_SMTPUTF8))
		buf_add(out, STR(" SMTPUTF8"));
	remote_params_mail(out, caps, t->q);
	buf_add(out, STR("\r\n"));
}

static void write_rcpt(struct tx *t, size_t i)
{
	const struct remote_rcpt *rcpt = &t->q->rcpts[t->which[i]];

	buf_addf(&t->s->out, "RCPT TO:<%.*s>", STR_FMT(rcpt->address));
	remote_params_rcpt(&t->s->out, &t->s->caps, rcpt);
	buf_add(&t->s->out, STR("\r\n"));
}

/* Send what waits, read one reply. False: the connection is over and the recipients know. */
static bool exchange(struct tx *t, const char *step, unsigned timeout_ms)
{
	struct remote_outcome why;

	timeout_ms = remote_session_timeout(t->s, timeout_ms);
	if ((t->s->out.n == 0 || remote_session_send(t->s, step, timeout_ms, &why)) &&
	    remote_session_reply(t->s, step, timeout_ms, &why))
		return true;
	tx_lost(t, why);
	return false;
}

/* ---- steps: each returns false when the connection is over ---- */

static bool step_mail(struct tx *t)
{
	struct remote_outcome o;

	if (!exchange(t, "MAIL", t->s->remote->settings.timeouts.mail_ms))
		return false;
	t->mail_ok = t->s->reply.code / 100 == 2;
	if (t->mail_ok)
		return true;
	o = remote_session_failure(t->s);
	tx_fail(t, o);
	return !t->s->dead;
}

/* RFC 5321 §4.5.3.1.10: 552 once meant "too many recipients" and is then a deferral; a mailbox that is full says 5.2.2.
 */
static bool too_many_rcpts(const struct smtp_answer_in *reply)
{
	return reply->code == 552 && (reply->enhanced[0] == '\0' || str_starts(str_of(reply->enhanced), STR("5.5.3")));
}

static bool step_rcpt(struct tx *t, size_t i)
{
	struct remote_outcome o;

	if (!exchange(t, "RCPT", t->s->remote->settings.timeouts.rcpt_ms))
		return false;
	if (!t->mail_ok)
		return true; /* it is about MAIL, whatever it says */
	if (t->s->reply.code / 100 == 2) {
		t->accepted[i] = true;
		t->accepted_count++;
		return true;
	}
	o = remote_session_failure(t->s);
	if (too_many_rcpts(&t->s->reply))
		o = (struct remote_outcome){ REMOTE_DEFERRED, STR("4.5.3"), o.answer };
	if (o.result == REMOTE_REFUSED)
		remote_results_close(t->r, t->which[i], o);
	else
		remote_results_note(t->r, t->which[i], o);
	if (t->s->dead)
		tx_lost(t, o);
	return !t->s->dead;
}

static bool step_data(struct tx *t)
{
	struct remote_outcome o;

	if (!exchange(t, "DATA", t->s->remote->settings.timeouts.data_ms))
		return false;
	if (t->s->reply.code == 354)
		return true;
	if (!t->mail_ok)
		return false; /* it is about MAIL, as for RCPT */
	o = remote_session_failure(t->s);
	tx_fail(t, o);
	return false;
}

/* ---- content ---- */

/* The peer hung up while we were sending: it may have said why. */
static void content_failed(struct tx *t, struct remote_outcome o)
{
	struct remote_outcome ignored;

	if (remote_session_reply(t->s, "content", t->s->remote->settings.timeouts.quit_ms, &ignored) &&
	    t->s->reply.code >= 400)
		o = remote_session_failure(t->s);
	t->s->dead = true;
	tx_fail(t, o);
}

static bool send_content(struct tx *t)
{
	static const struct remote_outcome unreadable = { REMOTE_DEFERRED, STR("4.3.0"),
							  STR("Content cannot be read here") };
	const unsigned                     block_ms = t->s->remote->settings.timeouts.block_ms;
	struct smtp_stuff                  stuff = { 0 };
	struct remote_outcome              o;
	struct str                         chunk;
	char                               space[REMOTE_CHUNK];

	if (!smtp_stuff_add(&stuff, &t->s->out, t->q->prefix)) {
		content_failed(t, unreadable);
		return false;
	}
	for (uint64_t at = 0; at < t->content->size; at += chunk.n) {
		if (remote_content_read(t->content, at, space, &chunk) != ST_OK) {
			t->s->dead = true; /* without the dot the peer drops what it has */
			tx_lost(t, unreadable);
			return false;
		}
		if (!smtp_stuff_add(&stuff, &t->s->out, chunk) ||
		    (t->s->out.n >= REMOTE_CHUNK &&
		     !remote_session_send(t->s, "content", block_ms, &o))) {
			content_failed(t, o);
			return false;
		}
	}
	if (smtp_stuff_end(&stuff, &t->s->out) &&
	    remote_session_send(t->s, "content", block_ms, &o))
		return true;
	/* The dot may have left. */
	tx_final(t, o);
	return false;
}

/* The reply to the final dot. False: the connection is over. */
static bool dot_reply(struct tx *t, struct remote_outcome *ret)
{
	if (!remote_session_reply(t->s, "end of data", t->s->remote->settings.timeouts.dot_ms, ret))
		return false;
	*ret = t->s->reply.code / 100 == 2 ? remote_session_success(t->s) : remote_session_failure(t->s);
	return true;
}

/* One for each that was taken. What is lost with the connection is final too: it may have been delivered. */
static void dot_replies(struct tx *t)
{
	struct remote_outcome o;
	bool                  on = true;

	for (size_t i = 0; i < t->count; i++) {
		if (!t->accepted[i])
			continue;
		on = on && dot_reply(t, &o);
		remote_results_close(t->r, t->which[i], o);
		on = on && !t->s->dead;
	}
}

static void step_content(struct tx *t)
{
	struct remote_outcome o;

	if (t->accepted_count == 0 && t->s->lmtp) {
		t->s->dead = true; /* a dot would have no reply */
		return;
	}
	if (t->accepted_count == 0 && !smtp_stuff_end(&(struct smtp_stuff){ 0 }, &t->s->out))
		return;
	if (t->accepted_count == 0 ? !exchange(t, "end of data", t->s->remote->settings.timeouts.data_ms)
				   : !send_content(t))
		return;
	t->ended = true;
	if (t->accepted_count == 0)
		return;
	if (t->s->lmtp) {
		dot_replies(t);
		return;
	}
	(void)dot_reply(t, &o);
	tx_final(t, o);
}

/* ---- transactions ---- */

static void tx_pipelined(struct tx *t)
{
	write_mail(t);
	for (size_t i = 0; i < t->count; i++)
		write_rcpt(t, i);
	buf_add(&t->s->out, STR("DATA\r\n"));
	if (!step_mail(t))
		return;
	for (size_t i = 0; i < t->count; i++)
		if (!step_rcpt(t, i))
			return;
	if (step_data(t))
		step_content(t);
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
	buf_add(&t->s->out, STR("DATA\r\n"));
	if (step_data(t))
		step_content(t);
}

/* Take the next open recipients from *at on. */
static void tx_fill(struct tx *t, size_t *at)
{
	for (; *at < t->r->count && t->count < LIMIT_REMOTE_RCPTS; ++*at)
		if (!t->r->states[*at].closed)
			t->which[t->count++] = *at;
}

static bool reset(struct remote_session *s, struct remote_outcome *ret_why)
{
	unsigned timeout_ms = remote_session_timeout(s, s->remote->settings.timeouts.mail_ms);

	buf_add(&s->out, STR("RSET\r\n"));
	if (!remote_session_send(s, "RSET", timeout_ms, ret_why) ||
	    !remote_session_reply(s, "RSET", timeout_ms, ret_why))
		return false;
	if (s->reply.code == 250)
		return true;
	*ret_why = remote_session_failure(s);
	return false;
}

void remote_tx_all(struct remote_session *s, const struct remote_deliver_request *q,
		   const struct remote_content *content, struct remote_results *r)
{
	struct remote_outcome why = { REMOTE_DEFERRED, STR("4.4.2"),
				      STR("Connection ended before the recipient's turn") };
	bool                  clean = true;

	for (size_t at = 0; at < r->count;) {
		struct tx t = { .s = s, .q = q, .content = content, .r = r };

		tx_fill(&t, &at);
		if (t.count == 0)
			return;
		if (s->dead || (!clean && !reset(s, &why))) {
			s->dead = true;
			tx_lost(&t, why);
			continue;
		}
		if (s->caps.offered & SMTP_CAP_PIPELINING)
			tx_pipelined(&t);
		else
			tx_stepwise(&t);
		clean = t.ended;
	}
}
