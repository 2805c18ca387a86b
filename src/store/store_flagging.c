/* store/store_flagging.c - a STORE of many messages is kept as one row, and written into the rows of its messages later.
 *
 * To change the rows of a thousand messages writes hundreds of pages of the log; the list of their uids is on one or two. So:
 *
 *   STORE of LEAST messages or more --store_flagging_add--> row of `flagging` --store_flagging_apply--> rows of `message`, and it is gone
 *
 * Whoever reads rows of `message` lays over them what is still to be written (store_flagging_lay): a flagging concerns those of its uids whose row
 * has a lower modseq. Whoever writes such a row whole gives it that modseq or a higher one, and whoever takes it away writes it first. So a flagging may name
 * messages that are gone.
 * It is applied behind an answer when there are many (store_tidy), by the STORE that finds too many, by the upkeep, and by fsck.
 */
#include "store/store_flagging.h"

/* LEAST: messages that make a STORE one of many. ROWS_MANY: flaggings of a mailbox that are applied behind the answer; ROWS_MAX: before the next one is
 * added; PIECE: uids written by one transaction behind the answer, as others may wait for the lock. Builds for tests come to each of these ways all the time. */
#ifdef POSTRIDER_FAULTS
#define LEAST     3u
#define ROWS_MANY 5u
#define ROWS_MAX  7u
#define PIECE     4u
#else
#define LEAST     64u
#define ROWS_MANY 16u
#define ROWS_MAX  64u
#define PIECE     20000u
#endif
#define UIDS_MANY 50000u
#define UIDS_MAX  1000000u

bool store_flagging_pays(size_t messages)
{
	return messages >= LEAST;
}

static enum status count(struct store_account *a, uint64_t mailbox, uint64_t *ret_rows, uint64_t *ret_uids)
{
	struct db_stmt *s = db_sql(a->db, "SELECT count(*), coalesce(sum(n), 0) FROM flagging WHERE account = ?1 AND mailbox = ?2");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	st = db_step(s);
	if (st == ST_OK) {
		*ret_rows = db_u64(s, 0);
		*ret_uids = db_u64(s, 1);
	}
	db_done(s);
	return st;
}

enum status store_flagging_any(struct store_account *a, uint64_t mailbox, bool *ret)
{
	uint64_t    rows = 0, uids = 0;
	enum status st = count(a, mailbox, &rows, &uids);

	*ret = rows > 0;
	return st;
}

enum status store_flagging_add(struct store_account *a, uint64_t mailbox, const struct store_flagging *f, const uint32_t *uids, size_t n)
{
	struct db_stmt *s;
	struct buf      ranges;
	uint64_t        rows = 0, all = 0;
	enum status     st = count(a, mailbox, &rows, &all);

	if (st == ST_OK && (rows >= ROWS_MAX || all >= UIDS_MAX)) {
		st = store_flagging_apply(a, mailbox, UINT64_MAX);
		rows = all = 0;
	}
	if (st != ST_OK)
		return st;
	a->flagging_due |= rows + 1 >= ROWS_MANY || all + n >= UIDS_MANY;
	s = db_sql(a->db, "INSERT INTO flagging VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
	buf_init(&ranges, 16 * (n + 1));
	store_ranges_write(uids, n, &ranges);
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, store_txn_modseq(a));
	db_bind_u64(s, 4, f->op);
	db_bind_u64(s, 5, f->flags);
	db_bind_u64(s, 6, f->keywords.bits[0]);
	db_bind_u64(s, 7, f->keywords.bits[1]);
	db_bind_u64(s, 8, f->keep);
	db_bind_u64(s, 9, f->keep_keywords);
	db_bind_u64(s, 10, n);
	db_bind_blob(s, 11, buf_str(&ranges));
	st = db_run(s);
	buf_done(&ranges);
	return st;
}

/* ---- laying over ---- */

#define COLUMNS "modseq, op, flags, kw0, kw1, keep, keep_kw, uids"

_Static_assert(STORE_FLAGGING_LAST == INT64_C(9223372036854770000) && STORE_FLAGGING_LAST < INT64_MAX - STORE_RESERVE, "as in STORE_FLAGGING_BAD");

/* False: STORE_FLAGGING_BAD. */
static bool flagging_read(struct db_stmt *s, struct store_flagging *ret)
{
	if (db_u64(s, 0) - 1 >= STORE_FLAGGING_LAST || db_u64(s, 1) > STORE_FLAGS_REPLACE || (db_u64(s, 2) | db_u64(s, 5)) & ~(uint64_t)STORE_FLAGS ||
	    db_u64(s, 6) + 1 > 1)
		return false;
	*ret = (struct store_flagging){
		.modseq = db_u64(s, 0),
		.op = (enum store_flag_op)db_u64(s, 1),
		.flags = (unsigned)db_u64(s, 2),
		.keywords = { { db_u64(s, 3), db_u64(s, 4) } },
		.keep = (unsigned)db_u64(s, 5),
		.keep_keywords = db_u64(s, 6),
		.uids = db_str(s, 7),
	};
	return true;
}

bool store_flagging_uids(struct str uids, uint64_t *ret_n)
{
	struct store_range r;
	uint32_t           last = 0;
	uint64_t           n = 0;

	while (uids.n > 0) {
		if (!store_ranges_next(&uids, &last, &r))
			return false;
		n += (uint64_t)r.last - r.first + 1;
	}
	*ret_n = n;
	return true;
}

static uint64_t laid(enum store_flag_op op, uint64_t was, uint64_t bits, uint64_t keep)
{
	return op == STORE_FLAGS_ADD ? was | bits : op == STORE_FLAGS_REMOVE ? was & ~bits : (was & keep) | bits;
}

static void row_lay(const struct store_flagging *f, struct store_row *row)
{
	if (row->modseq >= f->modseq)
		return;
	row->flags = (uint16_t)laid(f->op, row->flags, f->flags, f->keep);
	for (size_t i = 0; i < LEN(row->keywords.bits); i++)
		row->keywords.bits[i] = laid(f->op, row->keywords.bits[i], f->keywords.bits[i], f->keep_keywords);
	row->modseq = f->modseq;
}

static bool flagging_lay(const struct store_flagging *f, struct store_row *rows, size_t count)
{
	struct str         in = f->uids;
	struct store_range r;
	uint32_t           last = 0;
	size_t             at = 0;

	while (in.n > 0 && at < count) {
		if (!store_ranges_next(&in, &last, &r))
			return false;
		for (at = store_row_from(rows, count, at, r.first); at < count && rows[at].uid <= r.last; at++)
			row_lay(f, &rows[at]);
	}
	return true;
}

enum status store_flagging_lay(struct store_account *a, uint64_t mailbox, struct store_row *rows, size_t count)
{
	struct db_stmt *s;
	enum status     st = ST_OK;

	if (count == 0)
		return ST_OK;
	s = db_sql(a->db, "SELECT " COLUMNS " FROM flagging WHERE account = ?1 AND mailbox = ?2 ORDER BY modseq");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	while (st == ST_OK && (st = db_step(s)) == ST_OK) {
		struct store_flagging f;

		if (!flagging_read(s, &f) || !flagging_lay(&f, rows, count))
			st = ST_CORRUPT;
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- applying ---- */

#define ONE " WHERE account = ?1 AND mailbox = ?2 AND uid = ?3 AND modseq < ?8"
#define RUN " WHERE account = ?1 AND mailbox = ?2 AND uid BETWEEN ?3 AND ?4 AND modseq < ?8"
#define ADD "UPDATE message SET flags = flags | ?5, kw0 = kw0 | ?6, kw1 = kw1 | ?7, modseq = ?8"
#define REMOVE "UPDATE message SET flags = flags & ~?5, kw0 = kw0 & ~?6, kw1 = kw1 & ~?7, modseq = ?8"
#define REPLACE "UPDATE message SET flags = (flags & ?9) | ?5, kw0 = (kw0 & ?10) | ?6, kw1 = (kw1 & ?10) | ?7, modseq = ?8"

/* A statement for many rows keeps a copy of each page, to be able to undo them together: of one row there is another. */
static const struct {
	const char *one, *run;
} updates[] = {
	[STORE_FLAGS_ADD] = { ADD ONE, ADD RUN },
	[STORE_FLAGS_REMOVE] = { REMOVE ONE, REMOVE RUN },
	[STORE_FLAGS_REPLACE] = { REPLACE ONE, REPLACE RUN },
};

enum status store_flagging_write(struct store_account *a, uint64_t mailbox, const struct store_flagging *f, struct store_range r)
{
	struct db_stmt *s = db_sql(a->db, r.first == r.last ? updates[f->op].one : updates[f->op].run);

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, r.first);
	if (r.first != r.last)
		db_bind_u64(s, 4, r.last);
	db_bind_u64(s, 5, f->flags);
	db_bind_u64(s, 6, f->keywords.bits[0]);
	db_bind_u64(s, 7, f->keywords.bits[1]);
	db_bind_u64(s, 8, f->modseq);
	if (f->op == STORE_FLAGS_REPLACE) {
		db_bind_u64(s, 9, f->keep);
		db_bind_u64(s, 10, f->keep_keywords);
	}
	return db_run(s);
}

enum status store_flagging_write_row(struct store_account *a, uint64_t mailbox, const struct store_row *row)
{
	const struct store_flagging f = { .modseq = row->modseq, .op = STORE_FLAGS_REPLACE, .flags = row->flags, .keywords = row->keywords };

	return store_flagging_write(a, mailbox, &f, (struct store_range){ row->uid, row->uid });
}

/* At most so many uids, of which *most is made less; the others are the ranges in `rest`, *ret_n of them. */
static enum status rows_write(struct store_account *a, uint64_t mailbox, const struct store_flagging *f, uint64_t *most, struct buf *rest, uint64_t *ret_n)
{
	struct str         in = f->uids;
	struct store_range r;
	uint32_t           last = 0, last_rest = 0;
	enum status        st = ST_OK;

	*ret_n = 0;
	while (in.n > 0 && st == ST_OK) {
		uint64_t n, take;

		if (!store_ranges_next(&in, &last, &r))
			return ST_CORRUPT;
		n = (uint64_t)r.last - r.first + 1;
		take = MIN(n, *most);
		if (take > 0)
			st = store_flagging_write(a, mailbox, f, (struct store_range){ r.first, (uint32_t)(r.first + take - 1) });
		*most -= take;
		if (take == n)
			continue;
		store_varint_write(rest, r.first + take - last_rest);
		store_varint_write(rest, n - take - 1);
		last_rest = r.last;
		*ret_n += n - take;
	}
	return st;
}

static enum status drop(struct store_account *a, uint64_t mailbox, uint64_t modseq)
{
	struct db_stmt *s = db_sql(a->db, "DELETE FROM flagging WHERE account = ?1 AND mailbox = ?2 AND modseq = ?3");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, modseq);
	return db_run(s);
}

/* What is still to be written. */
static enum status shorten(struct store_account *a, uint64_t mailbox, uint64_t modseq, struct str uids, uint64_t n)
{
	struct db_stmt *s = db_sql(a->db, "UPDATE flagging SET n = ?4, uids = ?5 WHERE account = ?1 AND mailbox = ?2 AND modseq = ?3");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, modseq);
	db_bind_u64(s, 4, n);
	db_bind_blob(s, 5, uids);
	return db_run(s);
}

/* The oldest: what is younger stays laid over it. ST_NOT_FOUND: there is none. */
static enum status oldest_apply(struct store_account *a, uint64_t mailbox, uint64_t *most)
{
	struct db_stmt *s = db_sql(a->db, "SELECT " COLUMNS " FROM flagging WHERE account = ?1 AND mailbox = ?2 ORDER BY modseq LIMIT 1");
	struct store_flagging f;
	struct buf            uids, rest;
	uint64_t              left;
	enum status           st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	buf_init(&uids, SIZE_MAX);
	buf_init(&rest, SIZE_MAX);
	st = db_step(s);
	if (st == ST_OK && !flagging_read(s, &f))
		st = ST_CORRUPT;
	if (st == ST_OK) {
		buf_add(&uids, f.uids);
		f.uids = buf_str(&uids);
	}
	db_done(s);
	if (st == ST_OK) {
		db_large(a->db);
		st = rows_write(a, mailbox, &f, most, &rest, &left);
	}
	if (st == ST_OK)
		st = left > 0 ? shorten(a, mailbox, f.modseq, buf_str(&rest), left) : drop(a, mailbox, f.modseq);
	buf_done(&uids);
	buf_done(&rest);
	return st;
}

enum status store_flagging_apply(struct store_account *a, uint64_t mailbox, uint64_t most)
{
	enum status st = ST_OK;

	while (most > 0 && st == ST_OK)
		st = oldest_apply(a, mailbox, &most);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A mailbox that has at least so many; ST_NOT_FOUND. */
static enum status due(struct store_account *a, uint64_t rows, uint64_t uids, uint64_t *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT mailbox FROM flagging WHERE account = ?1 GROUP BY mailbox HAVING count(*) >= ?2 OR sum(n) >= ?3 LIMIT 1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, rows);
	db_bind_u64(s, 3, uids);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

enum status store_flagging_apply_all(struct store_account *a)
{
	uint64_t    mailbox;
	enum status st;

	while ((st = due(a, 1, 0, &mailbox)) == ST_OK && (st = store_flagging_apply(a, mailbox, UINT64_MAX)) == ST_OK)
		;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_flagging_tidy(struct store_account *a, bool all)
{
	uint64_t    mailbox, rows = all ? 1 : ROWS_MANY, left = 0;
	enum status st = ST_OK;

	while (st == ST_OK) {
		st = db_begin_read(a->db);
		if (st != ST_OK)
			return st;
		if (left == 0) /* begun, it is brought to its end */
			st = due(a, rows, all ? 0 : UIDS_MANY, &mailbox);
		if (st == ST_OK)
			st = count(a, mailbox, &left, &(uint64_t){ 0 });
		db_rollback(a->db);
		if (st != ST_OK)
			break;
		if (left == 0)
			continue;
		st = store_txn_begin(a, true);
		if (st == ST_OK)
			st = store_txn_end(a, store_flagging_apply(a, mailbox, PIECE), false);
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}
