/* imap/imap_cmd_batches.c - UIDBATCHES: UID ranges that cut the mailbox into batches of one size (RFC 10022).
 *
 * Grammar, §4:
 *   message-batches     = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number]
 *   uidbatches-response = "UIDBATCHES" search-correlator [SP uid-range *("," uid-range)]
 *
 * The ranges touch, and the last one ends with 1: together they hold every UID there has ever been. All of it is in the view, so that it
 * costs what SELECT costs: a client that asks often is answered (§3.1.1 lets it be refused by LIMIT), and so is one that asks for more
 * than 100,000 messages at once (§3.1.5).
 */
#include "imap/imap_session.h"

#define BATCH_LEAST 500u /* messages, §3.1.3.2: or numbers could be had of them */

struct batches {
	uint32_t size;
	uint32_t first, last; /* from 1 */
};

static bool nz_number(struct imap_lex *x, uint32_t *ret)
{
	return imap_lex_peek(x) != '0' && imap_lex_number(x, ret);
}

static bool batches_lex(struct imap_lex *x, struct batches *ret)
{
	struct batches b = { .first = 1, .last = UINT32_MAX };

	if (!nz_number(x, &b.size))
		return false;
	if (imap_lex_sp(x) && (!nz_number(x, &b.first) || !imap_lex_char(x, ':') || !nz_number(x, &b.last)))
		return false;
	*ret = b;
	return imap_lex_end(x);
}

static void batches_put(struct imap_session *s, const struct batches *b)
{
	const struct store_view *v = &s->box.view;
	char                     sep = ' ';

	imap_inside(s, true);
	imap_putf(s, "* UIDBATCHES (TAG \"%.*s\")", STR_FMT(s->tag));
	for (uint64_t i = b->first - 1u; i < b->last && i * b->size < v->count && !s->broken; i++) {
		size_t   above = (size_t)(i * b->size); /* messages above this batch */
		size_t   left = v->count - above;
		uint32_t low = left > b->size ? v->rows[left - b->size - 1].uid + 1 : 1;

		imap_putf(s, "%c%u:%u", sep, v->rows[left - 1].uid, low);
		sep = ',';
		(void)imap_spill(s);
	}
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
}

enum imap_next imap_cmd_uidbatches(struct imap_session *s, struct imap_command *c)
{
	struct batches b;
	enum status    st;

	if (!batches_lex(&c->x, &b))
		return imap_bad(s, "Syntax: UIDBATCHES size [first:last]");
	if (b.first > b.last)
		return imap_bad(s, "[CLIENTBUG] The first batch comes before the last one");
	if (b.size < BATCH_LEAST)
		return imap_no(s, "[TOOFEW] A batch has at least %u messages", BATCH_LEAST);
	st = imap_view(s);
	if (st != ST_OK)
		return imap_failed(s, st);
	batches_put(s, &b);
	return imap_ok(s, "That is all");
}
