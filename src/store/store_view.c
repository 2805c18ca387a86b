/* store/store_view.c - reading a mailbox: rows, the view at a point of the clock, and what changed since one. */
#include <stdlib.h>
#include <string.h>

#include "store/store_flagging.h"

#define ROWS_FIRST  64
/* So many are looked at together, where most of them may be left out; in builds for tests few, as in store_flagging.c. */
#ifdef POSTRIDER_FAULTS
#define ROWS_FINISH 4
#else
#define ROWS_FINISH 4096
#endif

void store_row_read(struct db_stmt *s, struct store_row *ret)
{
	*ret = (struct store_row){
		.uid = (uint32_t)db_u64(s, 0),
		.flags = (uint16_t)db_u64(s, 1),
		.keywords = { { db_u64(s, 2), db_u64(s, 3) } },
		.modseq = db_u64(s, 4),
		.created = db_u64(s, 5),
		.email = db_u64(s, 6),
		.size = db_u64(s, 7),
		.internal_ms = db_i64(s, 8),
		.internal_zone = (int16_t)db_i64(s, 9),
	};
}

size_t store_row_from(const struct store_row *rows, size_t count, size_t at, uint32_t uid)
{
	size_t end = at;

	for (size_t step = 1; end < count && rows[end].uid < uid; step *= 2) {
		at = end + 1;
		end += MIN(step, count - end);
	}
	while (at < end) {
		size_t mid = at + (end - at) / 2;

		if (rows[mid].uid < uid)
			at = mid + 1;
		else
			end = mid;
	}
	return at;
}

struct rows { /* growing, in an arena */
	struct arena     *arena;
	struct store_row *p;
	size_t            n, cap;
};

static struct store_row *rows_add(struct rows *r)
{
	if (r->n == r->cap) {
		size_t            cap = MAX(r->cap * 2, (size_t)ROWS_FIRST);
		struct store_row *more = ARENA_ARRAY(r->arena, struct store_row, cap);

		if (r->n > 0)
			memcpy(more, r->p, r->n * sizeof(*more));
		r->p = more;
		r->cap = cap;
	}
	return &r->p[r->n++];
}

/* What is added from `from` on is made what it is, and what has not changed since then is left out. */
static enum status rows_finish(struct store_account *a, uint64_t mailbox, uint64_t since, size_t from, struct rows *rows)
{
	size_t      n = from;
	enum status st = ST_OK;

	if (rows->n > from)
		st = store_flagging_lay(a, mailbox, rows->p + from, rows->n - from);
	for (size_t i = from; i < rows->n && st == ST_OK && since > 0; i++) {
		rows->p[n] = rows->p[i];
		n += rows->p[i].modseq > since;
	}
	rows->n = since > 0 ? n : rows->n;
	return st;
}

static enum status rows_range(struct store_account *a, uint64_t mailbox, struct store_range range, uint64_t since, size_t max,
			      struct rows *rows, size_t *from)
{
	struct db_stmt *s = db_sql(a->db, "SELECT " STORE_ROW_COLUMNS " FROM message"
					  " WHERE account = ?1 AND mailbox = ?2 AND uid BETWEEN ?3 AND ?4 ORDER BY uid");
	enum status     st = ST_OK;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, range.first);
	db_bind_u64(s, 4, range.last);
	while (st == ST_OK && rows->n < max && (st = db_step(s)) == ST_OK) {
		store_row_read(s, rows_add(rows));
		if (since == 0 || rows->n - *from < ROWS_FINISH)
			continue;
		st = rows_finish(a, mailbox, since, *from, rows);
		*from = rows->n;
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Rows of the set with modseq > since. */
static enum status rows_load(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t since, size_t max, struct rows *rows)
{
	size_t      from = 0;
	enum status st = ST_OK;

	for (size_t i = 0; i < set.count && st == ST_OK; i++)
		st = rows_range(a, mailbox, set.ranges[i], since, max, rows, &from);
	if (st == ST_OK)
		st = rows_finish(a, mailbox, since, from, rows);
	return st == ST_OK ? store_seen_lay(a, mailbox, rows->p, rows->n) : st;
}

enum status store_rows_load(struct store_account *a, uint64_t mailbox, struct store_set set, size_t max, struct arena *arena,
			    struct store_row **ret, size_t *ret_count)
{
	struct rows rows = { .arena = arena };
	enum status st = rows_load(a, mailbox, set, 0, max, &rows);

	if (st == ST_OK) {
		*ret = rows.p;
		*ret_count = rows.n;
	}
	return st;
}

enum status store_rows(struct store_account *a, uint64_t mailbox, struct store_set set, size_t max, struct arena *arena,
		       struct store_row **ret, size_t *ret_count)
{
	enum status st = db_begin_read(a->db);

	if (st != ST_OK)
		return st;
	st = store_rows_load(a, mailbox, set, max, arena, ret, ret_count);
	db_rollback(a->db);
	return st;
}

enum status store_save_dates(struct store_account *a, uint64_t mailbox, const uint32_t *uids, size_t count, int64_t *ret)
{
	enum status st = db_begin_read(a->db);

	for (size_t i = 0; i < count && st == ST_OK; i++) {
		struct db_stmt *s =
			db_sql(a->db, "SELECT saved_ms FROM message WHERE account = ?1 AND mailbox = ?2 AND uid = ?3");

		db_bind_u64(s, 1, a->id);
		db_bind_u64(s, 2, mailbox);
		db_bind_u64(s, 3, uids[i]);
		st = db_step(s);
		ret[i] = st == ST_OK ? db_i64(s, 0) : 0;
		db_done(s);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	db_rollback(a->db);
	return st;
}

/* ---- the view at a point of the clock ---- */

static int by_uid(const void *x, const void *y)
{
	const struct store_row *a = x, *b = y;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

/* What has gone since, read by the clock, so it costs only what has gone. */
static enum status add_expunged(struct store_account *a, uint64_t mailbox, uint64_t as_of, struct store_row *rows, size_t max,
				size_t *n)
{
	struct db_stmt *s = db_sql(a->db, "SELECT " STORE_ROW_COLUMNS ", gone FROM expunged"
					  " WHERE account = ?1 AND gone > ?2 AND mailbox = ?3 AND created <= ?2");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, as_of);
	db_bind_u64(s, 3, mailbox);
	while ((st = db_step(s)) == ST_OK && *n < max) {
		struct store_row *row = &rows[(*n)++];

		store_row_read(s, row);
		row->flags |= STORE_EXPUNGED;
		row->modseq = db_u64(s, 10);
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st == ST_OK ? ST_CORRUPT : st;
}

static enum status expunged_count(struct store_account *a, uint64_t mailbox, uint64_t as_of, uint64_t *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT count(*) FROM expunged WHERE account = ?1 AND gone > ?2 AND mailbox = ?3");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, as_of);
	db_bind_u64(s, 3, mailbox);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

struct present {
	struct store_row *rows;
	size_t            n, max;
};

static enum status on_present(void *arg, struct db_values *v)
{
	struct present *p = arg;

	if (p->n == p->max)
		return ST_CORRUPT;
	p->rows[p->n++] = (struct store_row){
		.uid = (uint32_t)db_value_u64(v, 0),
		.flags = (uint16_t)db_value_u64(v, 1),
		.keywords = { { db_value_u64(v, 2), db_value_u64(v, 3) } },
		.modseq = db_value_u64(v, 4),
		.created = db_value_u64(v, 5),
		.email = db_value_u64(v, 6),
		.size = db_value_u64(v, 7),
		.internal_ms = db_value_i64(v, 8),
		.internal_zone = (int16_t)db_value_i64(v, 9),
	};
	return ST_OK;
}

/* By uid: that is how the table is ordered, and what the statement names of its key. */
static enum status add_present(struct store_account *a, uint64_t mailbox, struct store_view *v, size_t max)
{
	struct db_stmt *s = db_sql(a->db, "SELECT each(" STORE_ROW_COLUMNS ") FROM message WHERE account = ?1 AND mailbox = ?2");
	struct present  p = { v->rows, 0, max };
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	st = db_each(s, on_present, &p);
	v->count = p.n;
	for (size_t i = 1; i < p.n && st == ST_OK; i++)
		st = p.rows[i - 1].uid < p.rows[i].uid ? ST_OK : ST_CORRUPT;
	return st == ST_OK ? store_flagging_lay(a, mailbox, p.rows, p.n) : st;
}

static enum status present(struct store_account *a, uint64_t mailbox, struct store_view *v)
{
	size_t      max = (size_t)v->mailbox.messages + 1;
	enum status st = store_view_kept(a, mailbox, v);

	if (st != ST_OK || v->rows)
		return st;
	v->rows = reallocarray(NULL, max, sizeof(*v->rows));
	CHECK(v->rows);
	return add_present(a, mailbox, v, max);
}

static enum status gone_back(struct store_account *a, uint64_t mailbox, uint64_t as_of, uint64_t gone, struct store_view *v)
{
	size_t            n = 0;
	struct store_row *rows;
	enum status       st;

	for (size_t i = 0; i < v->count; i++) {
		v->rows[n] = v->rows[i];
		n += v->rows[i].created <= as_of;
	}
	v->count = n;
	if (gone == 0)
		return ST_OK;
	rows = reallocarray(v->rows, n + (size_t)gone, sizeof(*rows));
	CHECK(rows);
	v->rows = rows;
	st = add_expunged(a, mailbox, as_of, rows, n + (size_t)gone, &v->count);
	qsort(rows, v->count, sizeof(*rows), by_uid);
	return st;
}

static enum status view_load(struct store_account *a, uint64_t mailbox, uint64_t as_of, struct store_view *v)
{
	struct account_state t;
	uint64_t             gone = 0;
	bool                 known = true;
	enum status          st = store_state_read(a, &t);

	if (st == ST_OK)
		st = store_mailbox_row(a, mailbox, &v->mailbox);
	if (st == ST_OK && as_of != UINT64_MAX)
		st = store_modseq_known(a, as_of, &known);
	if (st == ST_OK && !known)
		st = ST_LIMIT;
	if (st == ST_OK && as_of != UINT64_MAX)
		st = expunged_count(a, mailbox, as_of, &gone);
	if (st != ST_OK)
		return st;
	v->modseq = as_of == UINT64_MAX ? t.modseq : as_of;
	v->account = a->id;
	v->reader = a->reader;
	v->generation = db_generation(a->db);
	st = present(a, mailbox, v);
	if (st == ST_OK && v->modseq < t.modseq)
		st = gone_back(a, mailbox, as_of, gone, v);
	if (st == ST_OK)
		st = store_seen_lay(a, mailbox, v->rows, v->count);
	return st;
}

enum status store_view_load(struct store_account *a, uint64_t mailbox, uint64_t as_of, struct store_view *ret)
{
	struct store_view v = { 0 };
	enum status       st = db_begin_read(a->db);

	if (st != ST_OK)
		return st;
	st = view_load(a, mailbox, as_of, &v);
	db_rollback(a->db);
	if (st == ST_OK)
		*ret = v;
	else
		store_view_done(&v);
	return st;
}

void store_view_done(struct store_view *v)
{
	free(v->rows);
	*v = (struct store_view){ 0 };
}

/* ---- changes ---- */

static int by_first(const void *x, const void *y)
{
	const struct store_range *a = x, *b = y;

	return a->first < b->first ? -1 : a->first > b->first;
}

static struct store_set set_of(struct buf *octets)
{
	struct store_range *r = (struct store_range *)(void *)octets->p;
	size_t              n = octets->n / sizeof(*r), kept = 0;

	if (n > 0)
		qsort(r, n, sizeof(*r), by_first);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && (uint64_t)r[i].first <= (uint64_t)r[kept - 1].last + 1)
			r[kept - 1].last = MAX(r[kept - 1].last, r[i].last);
		else
			r[kept++] = r[i];
	}
	return (struct store_set){ r, kept };
}

/* The uids that the change rows name, as a set whose ranges lie in `octets`. */
static enum status changed_set(struct store_account *a, uint64_t mailbox, uint64_t since, struct buf *octets)
{
	struct db_stmt *s = db_sql(a->db, "SELECT uids FROM change WHERE account = ?1 AND modseq > ?2 AND kind = ?3 AND object = ?4"
					  " AND op <> ?5");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, since);
	db_bind_u64(s, 3, CHANGE_MESSAGE);
	db_bind_u64(s, 4, mailbox);
	db_bind_u64(s, 5, CHANGE_REMOVED);
	while ((st = db_step(s)) == ST_OK) {
		struct str         in = db_str(s, 0);
		struct store_range r;
		uint32_t           last = 0;

		while (in.n > 0 && store_ranges_next(&in, &last, &r))
			buf_add(octets, str_n(&r, sizeof(r)));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static int by_vanished(const void *x, const void *y)
{
	const struct store_vanished *a = x, *b = y;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static enum status vanished_read(struct store_account *a, uint64_t mailbox, uint64_t since, struct arena *arena,
				 struct store_changes *c)
{
	struct db_stmt *s;
	uint64_t        max = 0;
	enum status     st = expunged_count(a, mailbox, since, &max);

	if (st != ST_OK)
		return st;
	c->vanished = ARENA_ARRAY(arena, struct store_vanished, max);
	s = db_sql(a->db, "SELECT uid, gone FROM expunged WHERE account = ?1 AND gone > ?2 AND mailbox = ?3");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, since);
	db_bind_u64(s, 3, mailbox);
	while (c->vanished_count < max && (st = db_step(s)) == ST_OK)
		c->vanished[c->vanished_count++] = (struct store_vanished){ (uint32_t)db_u64(s, 0), db_u64(s, 1) };
	db_done(s);
	if (c->vanished_count > 0)
		qsort(c->vanished, c->vanished_count, sizeof(*c->vanished), by_vanished);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status changes(struct store_account *a, uint64_t mailbox, uint64_t since, struct arena *arena, struct buf *octets,
			   struct store_changes *c)
{
	struct account_state t;
	struct rows          rows = { .arena = arena };
	struct store_set     set = STORE_SET_ALL;
	bool                 known = false;
	enum status          st = store_state_read(a, &t);

	if (st == ST_OK)
		st = store_mailbox_row(a, mailbox, &c->mailbox);
	if (st == ST_OK)
		st = store_modseq_known(a, since, &known);
	c->modseq = t.modseq;
	c->everything = !known;
	if (st == ST_OK && known && c->mailbox.modseq <= since)
		return ST_OK;
	if (st == ST_OK && known) {
		st = changed_set(a, mailbox, since, octets);
		/* More ranges than fit: look at all rows. */
		set = octets->over ? STORE_SET_ALL : set_of(octets);
	}
	if (st == ST_OK)
		st = rows_load(a, mailbox, set, known ? since : 0, SIZE_MAX, &rows);
	c->rows = rows.p;
	c->row_count = rows.n;
	return st == ST_OK && known ? vanished_read(a, mailbox, since, arena, c) : st;
}

enum status store_changes_load(struct store_account *a, uint64_t mailbox, uint64_t since, struct arena *arena, struct store_changes *ret)
{
	struct store_changes c = { 0 };
	struct buf           octets;
	enum status          st;

	buf_init(&octets, LIMIT_IMAP_SET * sizeof(struct store_range));
	st = changes(a, mailbox, since, arena, &octets, &c);
	buf_done(&octets);
	if (st == ST_OK)
		*ret = c;
	return st;
}

enum status store_changes(struct store_account *a, uint64_t mailbox, uint64_t since, struct arena *arena, struct store_changes *ret)
{
	enum status st = db_begin_read(a->db);

	if (st != ST_OK)
		return st;
	st = store_changes_load(a, mailbox, since, arena, ret);
	db_rollback(a->db);
	return st;
}
