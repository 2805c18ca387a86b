/* deliver/remote_tx_content.c - the content of a transaction by DATA or BDAT, and the replies to it. */
#include "deliver/remote_tx_in.h"

static const struct remote_outcome unreadable = { REMOTE_DEFERRED, STR("4.3.0"), STR("Content cannot be read here") };

static void bdat_write(struct tx *t)
{
	buf_addf(&t->s->out, "BDAT %llu LAST\r\n", (unsigned long long)t->content->size);
}

bool tx_content_append(struct tx *t)
{
	struct remote_content_out o;
	enum status               st = ST_OK;

	bdat_write(t);
	remote_content_begin(&o, t->content, false);
	while (st == ST_OK && !o.ended)
		st = remote_content_next(&o, &t->s->out);
	remote_content_end(&o);
	if (st == ST_OK)
		return true;
	buf_clear(&t->s->out);
	for (size_t i = 0; i < t->count; i++)
		remote_results_note(t->r, t->which[i], unreadable);
	return false;
}

/* BDAT is not among the commands that the peer knows, whatever it announced. What it made of the content nobody knows: the session is over,
 * and the message was not taken. */
static bool bdat_unknown(struct tx *t)
{
	if (!t->bdat || t->s->reply.code < 500 || t->s->reply.code > 504)
		return false;
	t->s->dead = t->s->no_bdat = true;
	t->end = REMOTE_TX_NO_BDAT;
	return true;
}

/* The peer hung up while we were sending: it may have said why. */
static void content_failed(struct tx *t, struct remote_outcome o)
{
	struct remote_outcome ignored;

	if (remote_session_reply(t->s, "content", t->s->remote->settings.timeouts.quit_ms, &ignored) && t->s->reply.code >= 400) {
		if (bdat_unknown(t))
			return;
		o = remote_session_failure(t->s);
	}
	t->s->dead = true;
	tx_fail(t, o);
}

static bool content_send(struct tx *t, struct remote_content_out *o)
{
	const unsigned        block_ms = t->s->remote->settings.timeouts.block_ms;
	struct remote_outcome why;

	while (!o->ended) {
		if (remote_content_next(o, &t->s->out) != ST_OK) {
			t->s->dead = true; /* without its end the peer drops what it has */
			tx_fail(t, unreadable);
			return false;
		}
		t->sent = o->ended; /* also if sending fails: the last octet may have left */
		if (remote_session_send(t->s, "content", block_ms, &why))
			continue;
		if (t->sent)
			tx_lost(t, why);
		else
			content_failed(t, why);
		return false;
	}
	return true;
}

/* The reply to the content. False: the connection is over, or BDAT is unknown. */
static bool final_reply(struct tx *t, struct remote_outcome *ret)
{
	if (!remote_session_reply(t->s, "end of data", t->s->remote->settings.timeouts.dot_ms, ret)) {
		tx_lost(t, *ret);
		return false;
	}
	if (bdat_unknown(t))
		return false;
	/* RFC 3030 §2: after a BDAT that failed the transaction is to be reset. */
	t->ended = t->ended && (!t->bdat || t->s->reply.code / 100 == 2);
	t->s->taken = t->s->taken || t->s->reply.code / 100 == 2;
	*ret = t->s->reply.code / 100 == 2 ? remote_session_success(t->s) : remote_session_failure(t->s);
	return true;
}

/* One for each that was taken. What is lost with the connection is final too: it may have been delivered. */
static void final_replies(struct tx *t)
{
	struct remote_outcome o = { 0 };

	for (size_t i = 0; i < t->count; i++) {
		if (!t->accepted[i])
			continue;
		if (!t->s->dead && !final_reply(t, &o))
			return;
		remote_results_close(t->r, t->which[i], o);
	}
}

/* Nobody was taken. By DATA only the final dot is sent; BDAT has its content already. Whatever is said, it is about nobody. */
static void nobody(struct tx *t)
{
	const struct remote_timeouts *timeouts = &t->s->remote->settings.timeouts;

	if (!t->bdat && t->s->lmtp) {
		t->s->dead = true; /* a dot would have no reply */
		return;
	}
	if (!t->bdat)
		buf_add(&t->s->out, STR(".\r\n"));
	if (!tx_exchange(t, "end of data", timeouts->data_ms))
		return;
	t->ended = t->s->reply.code / 100 == 2 || (!t->bdat && t->s->reply.code >= 400);
	t->s->dead = t->s->reply.code == 421 || t->s->reply.code / 100 == 3;
}

void tx_content(struct tx *t)
{
	struct remote_content_out o;
	struct remote_outcome     outcome;
	bool                      sent = true;

	if (t->accepted_count == 0) {
		nobody(t);
		return;
	}
	if (!t->early) {
		if (t->bdat)
			bdat_write(t);
		remote_content_begin(&o, t->content, !t->bdat);
		sent = content_send(t, &o);
		remote_content_end(&o);
	}
	if (!sent)
		return;
	t->ended = true;
	if (t->s->lmtp)
		final_replies(t);
	else if (final_reply(t, &outcome))
		tx_final(t, outcome);
}
