/* imap/imap_resync.c - what a client that was away is told: HIGHESTMODSEQ, VANISHED, and the changes of SELECT (QRESYNC ...) (RFC 7162).
 *
 * A mod-sequence that is no moment of today's history (older than what is listed, lost with the power, in the future) is answered as
 * if everything had changed: every message is shown, and every UID that is not there is called gone.
 */
#include "imap/imap_session.h"

#define VANISHED_LINE ((size_t)8000) /* octets of a set in one line, about: RFC 7162 §4 has clients send no longer ones either */

void imap_put_highest(struct imap_session *s)
{
	s->box.seen = s->box.highest;
	imap_putf(s, "* OK [HIGHESTMODSEQ %llu] All is told up to there\r\n", (unsigned long long)s->box.highest);
}

/* One line; the rest of the set is left in *uids. */
static void vanished_line(struct imap_session *s, bool earlier, struct imap_set *uids)
{
	struct imap_set_writer w;
	struct buf             b;
	size_t                 i = 0;

	buf_init(&b, VANISHED_LINE + KIB);
	buf_addf(&b, "* VANISHED %s", earlier ? "(EARLIER) " : "");
	imap_set_writer_init(&w, &b);
	for (; i < uids->count && b.n < VANISHED_LINE; i++)
		imap_set_writer_range(&w, uids->ranges[i].first, uids->ranges[i].last);
	imap_set_writer_done(&w);
	buf_add(&b, STR("\r\n"));
	imap_put(s, buf_str(&b));
	buf_done(&b);
	uids->ranges += i;
	uids->count -= i;
}

void imap_put_vanished(struct imap_session *s, bool earlier, const struct imap_set *uids)
{
	struct imap_set rest = *uids;

	while (rest.count > 0) {
		vanished_line(s, earlier, &rest);
		if (!imap_spill(s))
			return;
	}
}

enum status imap_since_known(struct imap_session *s, uint64_t since, bool *ret)
{
	struct store_account *a;
	enum status           st = imap_box_account(s, &a);

	return st == ST_OK ? store_modseq_known(a, since, ret) : st;
}

/* What of a range of UIDs has no message in the view; `out` has room for one more than there are messages in it. */
static void holes_add(const struct imap_box *b, struct imap_range r, struct imap_set *out)
{
	uint32_t next = r.first;

	for (size_t i = imap_row_from(b, r.first); i < b->view.count && b->view.rows[i].uid <= r.last; i++) {
		if (b->view.rows[i].uid > next)
			out->ranges[out->count++] = (struct imap_range){ next, b->view.rows[i].uid - 1 };
		next = b->view.rows[i].uid + 1;
	}
	if (next <= r.last)
		out->ranges[out->count++] = (struct imap_range){ next, r.last };
}

static struct imap_set holes_find(struct imap_session *s, const struct imap_set *wanted, uint32_t certain)
{
	struct imap_set out = { .ranges = ARENA_ARRAY(s->arena, struct imap_range, s->box.view.count + wanted->count) };

	for (size_t i = 0; i < wanted->count; i++) {
		struct imap_range r = wanted->ranges[i];

		r.first = MAX(r.first, certain + 1);
		if (r.first <= r.last)
			holes_add(&s->box, r, &out);
	}
	return out;
}

enum status imap_gone_since(struct imap_session *s, uint64_t since, const struct imap_set *wanted, uint32_t certain, struct imap_set *ret)
{
	struct store_account *a;
	struct store_changes  c;
	enum status           st = imap_box_account(s, &a);

	if (st == ST_OK)
		st = store_changes(a, s->box.id, since, s->arena, &c);
	if (st != ST_OK)
		return st;
	if (c.everything) {
		*ret = holes_find(s, wanted, certain);
		return ST_OK;
	}
	*ret = (struct imap_set){ .ranges = ARENA_ARRAY(s->arena, struct imap_range, c.vanished_count) };
	for (size_t i = 0; i < c.vanished_count; i++) {
		uint32_t uid = c.vanished[i].uid;

		/* What went behind box.modseq is there for this client until the sync tells it. */
		if (c.vanished[i].modseq <= s->box.modseq && imap_set_has(wanted, uid))
			ret->ranges[ret->count++] = (struct imap_range){ uid, uid };
	}
	return ST_OK;
}

/* ---- SELECT (QRESYNC ...) ---- */

struct numbers { /* of a parsed set, one by one */
	const struct imap_set *set;
	size_t                 range;
	uint32_t               next; /* 0: the range has not begun */
};

static bool number_next(struct numbers *n, uint32_t *ret)
{
	if (n->range == n->set->count)
		return false;
	*ret = n->next ? n->next : n->set->ranges[n->range].first;
	n->next = *ret + 1;
	if (*ret == n->set->ranges[n->range].last) {
		n->range++;
		n->next = 0;
	}
	return true;
}

/* The largest UID below which the client misses no expunge, since it stands at the number that the client remembers (RFC 7162 §3.2.5.2). */
static uint32_t match_find(const struct imap_box *b, const struct imap_resync *r)
{
	struct numbers at = { .set = &r->match_numbers }, uids = { .set = &r->match_uids };
	uint32_t       certain = 0, number, uid;

	while (r->match_given && number_next(&at, &number) && number_next(&uids, &uid) && number <= b->view.count &&
	       b->view.rows[number - 1].uid == uid)
		certain = uid;
	return certain;
}

static void changes_put(struct imap_session *s, const struct imap_resync *r, const struct imap_set *wanted, bool known)
{
	for (size_t i = 0; i < s->box.view.count; i++) {
		const struct store_row *row = &s->box.view.rows[i];

		if ((row->flags & STORE_EXPUNGED) || (known && row->modseq <= r->modseq) || !imap_set_has(wanted, row->uid))
			continue;
		imap_put_changed(s, i, row, true);
		if (!imap_spill(s))
			return;
	}
}

enum status imap_resync_tell(struct imap_session *s, const struct imap_resync *r)
{
	struct imap_range        all = { 1, UINT32_MAX };
	struct imap_set          given = r->known_given ? r->known : (struct imap_set){ &all, 1 }, wanted, gone;
	bool                     known;
	enum status              st;

	if (r->uidvalidity != s->box.uidvalidity) /* what the client knows is of another mailbox */
		return ST_OK;
	st = imap_view(s);
	if (st == ST_OK)
		st = imap_since_known(s, r->modseq, &known);
	if (st != ST_OK)
		return st;
	wanted = imap_set_resolve(&given, s->box.uidnext - 1, s->arena);
	st = imap_gone_since(s, r->modseq, &wanted, match_find(&s->box, r), &gone);
	if (st != ST_OK)
		return st;
	imap_put_vanished(s, true, &gone);
	changes_put(s, r, &wanted, known);
	return ST_OK;
}
