/* store/store_flags.c - STORE: flags and keywords of a set of messages (RFC 9051 §6.4.6, RFC 7162 §3.1.3). */
#include "store/store_flagging.h"

/* Flags that stay as they are in the table: what a reader may not change, and \Seen, of which he has his own. */
static unsigned kept(const struct store_account *a)
{
	return a->reader == 0 ? 0 : (~a->reader_flags & STORE_FLAGS) | STORE_SEEN;
}

static bool keywords_kept(const struct store_account *a)
{
	return a->reader != 0 && !a->reader_keywords;
}

static struct store_row changed(const struct store_account *a, const struct store_row *row, const struct store_flag_change *c,
				struct store_keywords kw)
{
	const unsigned   keep = a->reader == 0 ? 0 : ~a->reader_flags & STORE_FLAGS;
	struct store_row r = *row;

	switch (c->op) {
	case STORE_FLAGS_ADD:
		r.flags |= (uint16_t)c->flags;
		r.keywords.bits[0] |= kw.bits[0];
		r.keywords.bits[1] |= kw.bits[1];
		break;
	case STORE_FLAGS_REMOVE:
		r.flags &= (uint16_t)~c->flags;
		r.keywords.bits[0] &= ~kw.bits[0];
		r.keywords.bits[1] &= ~kw.bits[1];
		break;
	case STORE_FLAGS_REPLACE:
		r.flags = (uint16_t)c->flags;
		r.keywords = kw;
		break;
	}
	r.flags = (uint16_t)((r.flags & ~keep) | (row->flags & keep));
	if (keywords_kept(a))
		r.keywords = row->keywords;
	return r;
}

static bool same(const struct store_row *a, const struct store_row *b)
{
	return a->flags == b->flags && a->keywords.bits[0] == b->keywords.bits[0] && a->keywords.bits[1] == b->keywords.bits[1];
}

static void count(const struct store_account *a, struct store_mailbox *m, const struct store_row *row, int sign)
{
	uint64_t by = (uint64_t)(int64_t)sign;

	m->unseen += a->reader != 0 || (row->flags & STORE_SEEN) ? 0 : by;
	m->deleted += row->flags & STORE_DELETED ? by : 0;
	m->deleted_size += row->flags & STORE_DELETED ? by * row->size : 0;
}

/* Rows of the set, counted; and copied if there is room for them. *ret_newer: one of them is newer than what is known to be so. */
static size_t known_pick(const struct store_known *k, struct store_set set, struct store_row *to, bool *ret_newer)
{
	size_t at = 0, n = 0;

	*ret_newer = false;
	for (size_t i = 0; i < set.count; i++) {
		for (at = store_row_from(k->rows, k->count, at, set.ranges[i].first); at < k->count && k->rows[at].uid <= set.ranges[i].last; at++, n++) {
			*ret_newer |= k->rows[at].modseq > k->modseq;
			if (!to)
				continue;
			to[n] = k->rows[at];
			to[n].flags &= (uint16_t)STORE_FLAGS;
		}
	}
	return n;
}

/* Is what the caller knows the mailbox as it is. A change that was lost is behind a gap, which this transaction has noted. What a reader
 * of another's mailbox knows has his own \Seen, and is read again. */
static enum status is_known(struct store_account *a, const struct store_mailbox *m, const struct store_known *k, bool *ret)
{
	*ret = false;
	if (!k->rows || a->reader != 0 || m->modseq > k->modseq || k->count != m->messages)
		return ST_OK;
	return store_modseq_known(a, k->modseq, ret);
}

static enum status rows_get(struct store_account *a, const struct store_mailbox *m, struct store_set set, const struct store_known *k,
			    struct arena *arena, struct store_flagged *f, size_t *ret_count)
{
	bool        newer = false;
	size_t      n = 0;
	enum status st = is_known(a, m, k, &f->was_known);

	if (f->was_known)
		n = known_pick(k, set, NULL, &newer);
	f->was_known &= !newer; /* a row that came after what the history vouches for may have been lost since */
	if (st != ST_OK || !f->was_known)
		return st == ST_OK ? store_rows_load(a, m->id, set, SIZE_MAX, arena, &f->rows, ret_count) : st;
	f->rows = ARENA_ARRAY(arena, struct store_row, n);
	*ret_count = known_pick(k, set, f->rows, &newer);
	return ST_OK;
}

/* f->rows become those after the change; uids (room for all): those that really change, *ret_seen of them with another \Seen of the reader. */
static void rows_change(struct store_account *a, struct store_mailbox *m, const struct store_flag_change *c, struct store_keywords kw,
			uint32_t *uids, uint32_t *seen, size_t *seen_count, struct store_flagged *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct store_row *row = &f->rows[i], after = changed(a, row, c, kw);

		if (row->modseq > c->unchanged_since || same(row, &after))
			continue;
		after.modseq = store_txn_modseq(a);
		count(a, m, row, -1);
		count(a, m, &after, 1);
		uids[f->changed++] = row->uid;
		if (a->reader != 0 && ((row->flags ^ after.flags) & STORE_SEEN))
			seen[(*seen_count)++] = row->uid;
		*row = after;
	}
}

/* Where flaggings wait, the rows in the table are not what they seem: each is written whole. */
static enum status rows_write_whole(struct store_account *a, uint64_t mailbox, const struct store_row *rows, size_t n)
{
	enum status st = ST_OK;

	for (size_t i = 0; i < n && st == ST_OK; i++)
		if (rows[i].modseq == store_txn_modseq(a))
			st = store_flagging_write_row(a, mailbox, &rows[i]);
	return st;
}

static enum status rows_write(struct store_account *a, uint64_t mailbox, struct store_set set, const struct store_flagging *f,
			      const struct store_row *rows, size_t n)
{
	struct store_run   run = { .set = set };
	struct store_range done;
	enum status        st = ST_OK;

	for (size_t i = 0; i < n && st == ST_OK; i++)
		if (store_run_add(&run, rows[i].uid, rows[i].modseq == f->modseq, &done))
			st = store_flagging_write(a, mailbox, f, done);
	return st == ST_OK && store_run_end(&run, &done) ? store_flagging_write(a, mailbox, f, done) : st;
}

static enum status change_write(struct store_account *a, uint64_t mailbox, struct store_set set, const struct store_flag_change *c,
				struct store_keywords kw, const uint32_t *uids, const struct store_flagged *f, size_t n)
{
	const struct store_flagging flagging = {
		.modseq = store_txn_modseq(a),
		.op = c->op,
		.flags = c->flags & ~kept(a),
		.keep = kept(a),
		.keywords = kw,
		.keep_keywords = keywords_kept(a) ? UINT64_MAX : 0,
	};
	bool        wait = false;
	enum status st;

	if (store_flagging_pays(f->changed))
		return store_flagging_add(a, mailbox, &flagging, uids, f->changed);
	st = store_flagging_any(a, mailbox, &wait);
	if (st == ST_OK && wait && a->reader == 0)
		return rows_write_whole(a, mailbox, f->rows, n);
	if (st == ST_OK && wait) /* a reader's rows have his own \Seen */
		st = store_flagging_apply(a, mailbox, UINT64_MAX);
	return st == ST_OK ? rows_write(a, mailbox, set, &flagging, f->rows, n) : st;
}

/* f->rows is narrowed to those that met the condition. */
static void rows_part(const struct store_flag_change *c, struct store_flagged *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (f->rows[i].modseq <= c->unchanged_since || (f->changed > 0 && f->rows[i].modseq == f->modseq))
			f->rows[f->row_count++] = f->rows[i];
		else
			f->modified[f->modified_count++] = f->rows[i].uid;
	}
}

static enum status flags(struct store_account *a, uint64_t mailbox, struct store_set set, const struct store_flag_change *c,
			 struct arena *arena, struct store_flagged *f)
{
	struct store_mailbox  m;
	struct store_keywords kw;
	uint32_t             *uids, *seen;
	size_t                n = 0, seen_count = 0;
	enum status           st = store_mailbox_row(a, mailbox, &m);

	if (st == ST_OK)
		st = store_keyword_bits(a, c->keywords, keywords_kept(a) ? 0 : c->keyword_count, c->op != STORE_FLAGS_REMOVE, &kw, &f->keywords_new);
	if (st == ST_OK)
		st = rows_get(a, &m, set, &c->known, arena, f, &n);
	if (st != ST_OK)
		return st;
	uids = ARENA_ARRAY(arena, uint32_t, n);
	f->modified = ARENA_ARRAY(arena, uint32_t, c->unchanged_since == UINT64_MAX ? 0 : n);
	seen = ARENA_ARRAY(arena, uint32_t, a->reader == 0 ? 0 : n);
	rows_change(a, &m, c, kw, uids, seen, &seen_count, f, n);
	if (f->changed > 0)
		st = change_write(a, mailbox, set, c, kw, uids, f, n);
	if (st == ST_OK && seen_count > 0) /* to one value, all of them */
		st = store_seen_change(a, mailbox, seen, seen_count, c->op != STORE_FLAGS_REMOVE && (c->flags & STORE_SEEN));
	if (st == ST_OK && f->changed > 0) {
		m.modseq = store_txn_modseq(a);
		st = store_mailbox_row_write(a, &m);
		if (st == ST_OK)
			st = store_txn_change(a, CHANGE_MESSAGE, mailbox, CHANGE_UPDATED, uids, f->changed);
	}
	f->modseq = a->state.modseq;
	rows_part(c, f, n);
	return st;
}

enum status store_flags(struct store_account *a, uint64_t mailbox, struct store_set set, const struct store_flag_change *change,
			struct arena *arena, struct store_flagged *ret)
{
	struct store_flagged got = { 0 };
	enum status          st = change->flags & ~(unsigned)STORE_FLAGS ? ST_INVALID : store_txn_begin(a, true);

	if (st == ST_OK)
		st = store_txn_end(a, flags(a, mailbox, set, change, arena, &got), false);
	if (st == ST_OK)
		*ret = got;
	return st;
}
