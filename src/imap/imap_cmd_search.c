/* imap/imap_cmd_search.c - SEARCH, UID SEARCH (RFC 3501 §6.4.4, RFC 9051 §6.4.4; OLDER, YOUNGER RFC 5032). */
#include "imap/imap_match.h"

/* A message number that does not exist is an error wherever it stands. */
static bool numbers_exist(const struct imap_session *s, const struct imap_key *k)
{
	if (k->kind == IMAP_KEY_SEQ && imap_set_beyond(&k->set, s->box.exists))
		return false;
	for (const struct imap_key *c = k->child; c; c = c->next)
		if (!numbers_exist(s, c))
			return false;
	return true;
}

static bool asks_modseq(const struct imap_key *k)
{
	if (k->kind == IMAP_KEY_MODSEQ)
		return true;
	for (const struct imap_key *c = k->child; c; c = c->next)
		if (asks_modseq(c))
			return true;
	return false;
}

static bool asks_numbers(const struct imap_key *k)
{
	if (k->kind == IMAP_KEY_SEQ)
		return true;
	for (const struct imap_key *c = k->child; c; c = c->next)
		if (asks_numbers(c))
			return true;
	return false;
}

static enum imap_next refused(struct imap_session *s, enum imap_search_err err)
{
	switch (err) {
	case IMAP_SEARCH_CHARSET: return imap_no(s, "[BADCHARSET (US-ASCII UTF-8)] Charset not supported");
	case IMAP_SEARCH_TEXT: return imap_bad(s, "A text is not of its charset");
	default: return imap_bad(s, "Syntax: SEARCH [CHARSET name] key ...");
	}
}

enum imap_next imap_cmd_search(struct imap_session *s, struct imap_command *c)
{
	struct imap_match    m;
	struct imap_key     *root;
	enum imap_search_err err = imap_lex_search(&c->x, &root);
	uint64_t             highest = 0; /* of the messages found */
	bool                 with_modseq;
	enum status          st;

	if (err != IMAP_SEARCH_OK)
		return refused(s, err);
	if ((s->enabled & IMAP_ENABLED_UIDONLY) && asks_numbers(root)) /* RFC 9586 §3 */
		return imap_bad(s, "[UIDREQUIRED] Message numbers are not used any more");
	with_modseq = asks_modseq(root);
	if (with_modseq)
		imap_enable(s, IMAP_ENABLED_CONDSTORE);
	st = imap_view(s);
	if (st != ST_OK)
		return imap_failed(s, st);
	if (!numbers_exist(s, root))
		return imap_bad(s, "There is no message of that number");
	imap_match_init(&m, s);
	imap_match_prepare(&m, root);
	/* Results are at most eleven octets a message and stay in memory: the line may not be sent before it is
	 * certain. */
	imap_put(s, STR("* SEARCH"));
	for (uint32_t i = 0; i < s->box.exists && m.status == ST_OK && !m.full && !s->broken; i++) {
		if (!imap_match(&m, root, i))
			continue;
		highest = MAX(highest, s->box.view.rows[i].modseq);
		if (imap_out_room(s, 16))
			imap_putf(s, " %u", c->uid ? s->box.view.rows[i].uid : i + 1);
		else
			m.full = true;
	}
	if (with_modseq && highest > 0) /* RFC 7162 §3.1.6 */
		imap_putf(s, " (MODSEQ %llu)", (unsigned long long)highest);
	imap_put(s, STR("\r\n"));
	st = m.status;
	imap_match_done(&m);
	if (m.full) {
		buf_clear(&s->out);
		return imap_full(s);
	}
	if (st != ST_OK) {
		buf_clear(&s->out);
		return imap_failed(s, st);
	}
	return imap_ok(s, "That is all");
}
