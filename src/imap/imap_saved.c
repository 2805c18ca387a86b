/* imap/imap_saved.c - "$", the result that SAVE keeps (RFC 5182; RFC 9394 §3.2 for PARTIAL).
 *
 * It is kept as UIDs in s->box.saved: those of messages that are expunged name nothing any more, and are never given again. A range of
 * UIDs stands for messages that were neighbours in the view; no message comes between them later.
 */
#include <stdlib.h>

#include "imap/imap_found.h"

void imap_saved_clear(struct imap_session *s)
{
	imap_saved_give(s, s->box.saved.count * sizeof(struct imap_range));
	free(s->box.saved.ranges);
	s->box.saved = (struct imap_set){ 0 };
}

/* Which of the result it keeps (RFC 5182 §2.4): all of it, if ALL or COUNT is asked for or nothing else; else those that are told. */
static bool keeps(const struct imap_return *r, const struct imap_found *f, size_t i)
{
	const unsigned all = IMAP_RETURN_ALL | IMAP_RETURN_COUNT;
	uint64_t       first, n;

	if ((r->what & all) || !(r->what & IMAP_RETURN_TOLD))
		return true;
	if (((r->what & IMAP_RETURN_MIN) && i == 0) || ((r->what & IMAP_RETURN_MAX) && i + 1 == f->count))
		return true;
	imap_partial_cut(&r->partial, f->count, &first, &n);
	return (r->what & IMAP_RETURN_PARTIAL) && i >= first && i - first < n;
}

static int by_place(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

enum status imap_saved_set(struct imap_session *s, const struct imap_return *ret, const struct imap_found *f)
{
	const struct store_row *rows = s->box.view.rows;
	uint32_t               *kept = malloc((f->count + 1) * sizeof(*kept));
	size_t                  n = 0, ranges = 0, at = 0;

	CHECK(kept != NULL);
	for (size_t i = 0; i < f->count; i++)
		if (keeps(ret, f, i))
			kept[n++] = f->places[i];
	if (n > 1)
		qsort(kept, n, sizeof(*kept), by_place); /* they may be in the order of a SORT */
	for (size_t i = 0; i < n; i++)
		ranges += i == 0 || kept[i] != kept[i - 1] + 1;
	imap_saved_clear(s);
	if (ranges > LIMIT_IMAP_SAVED || !imap_saved_take(s, ranges * sizeof(struct imap_range))) {
		free(kept);
		return ranges > LIMIT_IMAP_SAVED ? ST_LIMIT : ST_TEMP;
	}
	s->box.saved.ranges = calloc(ranges + 1, sizeof(struct imap_range));
	CHECK(s->box.saved.ranges != NULL);
	for (size_t i = 0; i < n; i++) {
		at += i > 0 && kept[i] != kept[i - 1] + 1;
		if (i == 0 || kept[i] != kept[i - 1] + 1)
			s->box.saved.ranges[at].first = rows[kept[i]].uid;
		s->box.saved.ranges[at].last = rows[kept[i]].uid;
	}
	s->box.saved.count = ranges;
	free(kept);
	return ST_OK;
}
