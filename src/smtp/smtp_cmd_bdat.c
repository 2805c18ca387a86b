/* smtp/smtp_cmd_bdat.c - BDAT: the content in counted chunks (RFC 3030 §2).
 *
 *   RCPT, BDAT --BDAT n--> CHUNK --n octets, 250--> BDAT         LAST: as at the end of DATA
 *                            +-----n octets, 4xx, 5xx--> READY, the transaction is gone
 *
 * Only a count is new: the octets come through the same input and into the same sink as those of DATA, after a look at their line ends
 * (wire/smtp/smtp_bdat.h). The octets behind a BDAT are never commands, whatever is answered; where their number cannot be
 * known, or is more than any message may have, the session ends.
 */
#include "smtp/smtp_filter.h"
#include "smtp/smtp_session.h"

static const struct smtp_reply syntax = { 501, "5.5.4", "Syntax: BDAT octets [LAST]" };
static const struct smtp_reply taken = { 250, "2.0.0", "Chunk taken" };
static const struct smtp_reply failed = { 503, "5.5.1", "An earlier chunk was refused" };

static enum smtp_next read_octets(struct smtp_session *s, const struct smtp_bdat *b)
{
	/* Reading on would only keep both busy: no answer but this one can come of it. */
	if (b->octets > s->set->message_octets)
		return smtp_end(s, &smtp_too_big_reply, "chunk too big to be read");
	s->bytes = b->octets;
	return SMTP_NEXT_BYTES;
}

enum smtp_next smtp_bdat_refuse(struct smtp_session *s, struct str arg, const struct smtp_reply *why)
{
	struct smtp_bdat b;

	if (!smtp_bdat_parse(arg, &b))
		return smtp_end(s, &syntax, "malformed BDAT");
	s->skip_reply = s->chunks_failed ? &failed : why;
	if (b.last)
		s->chunks_failed = false;
	return read_octets(s, &b);
}

enum smtp_next smtp_cmd_bdat(struct smtp_session *s, struct str arg)
{
	struct smtp_tx  *tx = &s->tx;
	struct smtp_bdat b;

	if (!smtp_bdat_parse(arg, &b))
		return smtp_end(s, &syntax, "malformed BDAT");
	if (b.octets >= LIMIT_SMTP_CHUNK_COUNTED)
		s->commands--; /* a large message may come in very many of them; its size has a limit */
	if (s->state == SMTP_STATE_RCPT) {
		const struct smtp_reply *refusal = smtp_filter_data(s);

		if (!refusal)
			refusal = smtp_data_begin(s, MAX(b.octets, tx->declared_octets));
		if (refusal) /* the chunk is read all the same */
			smtp_content_init(&tx->content, net_of(s->conn));
		tx->content.refusal = refusal;
		smtp_chunk_init(&tx->chunk, s->set->normalise_eol);
	}
	tx->last = b.last;
	smtp_enter(s, SMTP_STATE_CHUNK);
	/* Refused before a single octet is kept. */
	if (!tx->content.refusal && b.octets > s->set->message_octets - MIN(tx->content.peer_octets, s->set->message_octets))
		tx->content.refusal = &smtp_too_big_reply;
	return read_octets(s, &b);
}

/* ---- the sink ---- */

static void write_run(void *ctx, struct str run)
{
	(void)smtp_data_write(ctx, run); /* what it refuses is kept as content.refusal */
}

bool smtp_bdat_write(void *ctx, struct str octets)
{
	struct smtp_session *s = ctx;

	if (s->skip_reply || s->tx.content.refusal)
		return false;
	smtp_chunk_feed(&s->tx.chunk, octets, write_run, s);
	return !s->tx.content.refusal;
}

/* ---- the end of a chunk ---- */

static bool is_bare(const struct smtp_chunk *c)
{
	return c->nul || (!c->normalise && (c->bare_cr || c->bare_lf));
}

static enum smtp_next skipped(struct smtp_session *s)
{
	const struct smtp_reply *why = s->skip_reply;

	s->skip_reply = NULL;
	if (why != &failed)
		return smtp_answer(s, why);
	/* RFC 3030 §2: a client that pipelines may have sent them before it could know. That is no error of its. */
	smtp_write_line(s, why->code, why->enhanced, str_of(why->text), true);
	return SMTP_NEXT_LINE;
}

enum smtp_next smtp_bdat_done(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;

	if (s->skip_reply)
		return skipped(s);
	if (tx->last) {
		if (!tx->content.refusal)
			smtp_chunk_end(&tx->chunk, write_run, s);
		return smtp_data_done(s, is_bare(&tx->chunk));
	}
	if (is_bare(&tx->chunk) || tx->content.refusal) {
		s->octets += tx->content.peer_octets;
		s->chunks_failed = true;
		return smtp_data_refuse(s, is_bare(&tx->chunk) ? &smtp_bare_reply : tx->content.refusal, 1);
	}
	smtp_enter(s, SMTP_STATE_BDAT);
	return smtp_answer(s, &taken);
}
