/* imap/imap_found.c - telling what was found: SEARCH, SORT, ESEARCH lines (RFC 4731, RFC 5267 §3, RFC 9394 §3.1).
 *
 * All is known before the first octet is put, and nothing of the store is held: so a line may go out in pieces, however long.
 */
#include "imap/imap_found.h"

#include <stdlib.h>

#define PIECE 4000u /* octets put at once */

void imap_found_done(struct imap_found *f)
{
	free(f->places);
	*f = (struct imap_found){ 0 };
}

static uint32_t number_of(const struct imap_box *box, bool uid, uint32_t place)
{
	return uid ? box->view.rows[place].uid : place + 1;
}

static void piece_put(struct imap_session *s, struct buf *b)
{
	imap_put(s, buf_str(b));
	buf_clear(b);
	(void)imap_spill(s);
}

void imap_found_put_set(struct imap_session *s, const struct imap_box *box, bool uid, const uint32_t *places, size_t count)
{
	struct imap_set_writer w;
	struct buf             b;

	buf_init(&b, PIECE + 100);
	imap_set_writer_init(&w, &b);
	for (size_t i = 0; i < count && !s->broken; i++) {
		imap_set_writer_add(&w, number_of(box, uid, places[i]));
		if (b.n >= PIECE)
			piece_put(s, &b);
	}
	imap_set_writer_done(&w);
	piece_put(s, &b);
	buf_done(&b);
}

/* The highest modseq of the messages that are told (RFC 7162 §3.1.10). */
static uint64_t highest(const struct imap_query *q, const struct imap_box *box, const struct imap_found *f)
{
	const unsigned some = IMAP_RETURN_MIN | IMAP_RETURN_MAX;
	uint64_t       most = 0;

	for (size_t i = 0; i < f->count; i++) {
		bool end = (i == 0 && (q->ret.what & IMAP_RETURN_MIN)) || (i + 1 == f->count && (q->ret.what & IMAP_RETURN_MAX));

		if (end || !q->ret.given || (q->ret.what & IMAP_RETURN_TOLD & ~some))
			most = MAX(most, box->view.rows[f->places[i]].modseq);
	}
	return most;
}

void imap_found_put(struct imap_session *s, const char *name, const struct imap_query *q, const struct imap_found *f)
{
	struct buf b;

	imap_inside(s, true);
	imap_putf(s, "* %s", name);
	buf_init(&b, PIECE + 100);
	for (size_t i = 0; i < f->count && !s->broken; i++) {
		buf_add_char(&b, ' ');
		buf_add_u64(&b, number_of(&s->box, q->uid, f->places[i]));
		if (b.n >= PIECE)
			piece_put(s, &b);
	}
	piece_put(s, &b);
	buf_done(&b);
	if (q->search.modseq && f->count > 0)
		imap_putf(s, " (MODSEQ %llu)", (unsigned long long)highest(q, &s->box, f));
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
}

static void partial_put(struct imap_session *s, const struct imap_query *q, const struct imap_box *box, const struct imap_found *f)
{
	uint64_t first, n;

	imap_partial_cut(&q->ret.partial, f->count, &first, &n);
	imap_putf(s, " PARTIAL (%.*s ", STR_FMT(q->ret.partial.text));
	if (n == 0)
		imap_put(s, STR("NIL"));
	else
		imap_found_put_set(s, box, q->uid, f->places + first, (size_t)n);
	imap_put(s, STR(")"));
}

static void correlator_put(struct imap_session *s, const struct imap_box *box, const struct str *mailbox)
{
	imap_putf(s, " (TAG \"%.*s\"", STR_FMT(s->tag));
	if (mailbox) {
		imap_put(s, STR(" MAILBOX "));
		imap_put_name(s, *mailbox);
		imap_putf(s, " UIDVALIDITY %u", box->uidvalidity);
	}
	imap_put(s, STR(")"));
}

void imap_found_put_esearch(struct imap_session *s, const struct imap_query *q, const struct imap_box *box, const struct str *mailbox,
			    const struct imap_found *f)
{
	unsigned what = q->ret.what;

	imap_inside(s, true);
	imap_put(s, STR("* ESEARCH"));
	correlator_put(s, box, mailbox);
	if (q->uid)
		imap_put(s, STR(" UID"));
	/* In the order of the result: for SORT the first and last in that order (RFC 5267 §3.1). */
	if ((what & IMAP_RETURN_MIN) && f->count > 0)
		imap_putf(s, " MIN %u", number_of(box, q->uid, f->places[0]));
	if ((what & IMAP_RETURN_MAX) && f->count > 0)
		imap_putf(s, " MAX %u", number_of(box, q->uid, f->places[f->count - 1]));
	if (what & IMAP_RETURN_COUNT)
		imap_putf(s, " COUNT %zu", f->count);
	if (what & IMAP_RETURN_PARTIAL)
		partial_put(s, q, box, f);
	if ((what & IMAP_RETURN_ALL) && f->count > 0) {
		imap_put(s, STR(" ALL "));
		imap_found_put_set(s, box, q->uid, f->places, f->count);
	}
	if (q->search.modseq && f->count > 0)
		imap_putf(s, " MODSEQ %llu", (unsigned long long)highest(q, box, f));
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
}

struct imap_set imap_places_partial(const struct imap_set *places, const struct imap_partial *partial, struct arena *a)
{
	struct imap_set out = { .ranges = ARENA_ARRAY(a, struct imap_range, places->count) };
	uint64_t        first, n, at = 0;

	imap_partial_cut(partial, imap_set_size(places), &first, &n);
	for (size_t i = 0; i < places->count; i++) {
		struct imap_range r = places->ranges[i];
		uint64_t          size = (uint64_t)r.last - r.first + 1, from = MAX(at, first), to = MIN(at + size, first + n);

		if (from < to)
			out.ranges[out.count++] = (struct imap_range){ r.first + (uint32_t)(from - at), r.first + (uint32_t)(to - 1 - at) };
		at += size;
	}
	return out;
}
