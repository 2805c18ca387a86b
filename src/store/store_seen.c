/* store/store_seen.c - what readers other than the owner have seen: a set of uids for each, laid over the rows as they are read.
 *
 * The set may name messages that are gone; they never come back. It is written in the transaction that changes it, which also moves the
 * modseq of the messages, so that other sessions of the reader learn it by the clock as they learn everything.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_acl.h"
#include "store/store_internal.h"

void store_reader_set(struct store_account *a, uint64_t reader, unsigned flags, bool keywords)
{
	a->reader = reader == a->id ? 0 : reader;
	a->reader_flags = flags;
	a->reader_keywords = keywords;
}

/* The ranges of the reader, ascending; in the arena. */
static enum status seen_read(struct store_account *a, uint64_t mailbox, struct arena *arena, struct store_range **ret, size_t *ret_count)
{
	struct db_stmt    *s = db_sql(a->db, "SELECT uids FROM seen WHERE account = ?1 AND mailbox = ?2 AND reader = ?3");
	struct store_range r, *list = NULL;
	struct str         in;
	uint32_t           last = 0;
	size_t             n = 0;
	enum status        st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, a->reader);
	st = db_step(s);
	if (st == ST_OK) {
		in = db_str(s, 0);
		list = ARENA_ARRAY(arena, struct store_range, in.n / 2 + 1); /* a range is two octets at least */
		while (in.n > 0 && store_ranges_next(&in, &last, &r))
			list[n++] = r;
		st = in.n > 0 ? ST_CORRUPT : ST_OK;
	}
	db_done(s);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	*ret = list;
	*ret_count = n;
	return ST_OK;
}

enum status store_seen_lay(struct store_account *a, uint64_t mailbox, struct store_row *rows, size_t count)
{
	struct arena *arena CLEANUP(arena_free) = NULL;
	struct store_range *seen;
	size_t              n = 0, at = 0;
	enum status         st;

	if (a->reader == 0 || count == 0)
		return ST_OK;
	arena = arena_new(NULL);
	st = seen_read(a, mailbox, arena, &seen, &n);
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		while (at < n && seen[at].last < rows[i].uid)
			at++;
		rows[i].flags &= (uint16_t)~STORE_SEEN;
		if (at < n && rows[i].uid >= seen[at].first)
			rows[i].flags |= STORE_SEEN;
	}
	return st;
}

/* ---- changing ---- */

struct writer {
	struct buf out;
	uint32_t   last, first, end; /* a range that is not written yet: first..end, first 0: none */
	size_t     ranges;
};

static void range_flush(struct writer *w)
{
	if (w->first == 0)
		return;
	store_varint_write(&w->out, w->first - w->last);
	store_varint_write(&w->out, w->end - w->first);
	w->last = w->end;
	w->ranges++;
	w->first = 0;
}

static void range_put(struct writer *w, uint32_t first, uint32_t last)
{
	if (w->first > 0 && first <= (uint64_t)w->end + 1) {
		w->end = MAX(w->end, last);
		return;
	}
	range_flush(w);
	w->first = first;
	w->end = last;
}

/* Uids one by one, and those of `old` between them, in order. `uids` are ascending: in (on) or out. */
static void merge(struct writer *w, const struct store_range *old, size_t n, const uint32_t *uids, size_t count, bool on)
{
	size_t u = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t from = old[i].first;

		for (; on && u < count && uids[u] < old[i].first; u++)
			range_put(w, uids[u], uids[u]);
		for (; !on && u < count && uids[u] <= old[i].last; u++) {
			if (uids[u] < from)
				continue;
			if (uids[u] > from)
				range_put(w, (uint32_t)from, uids[u] - 1);
			from = (uint64_t)uids[u] + 1;
		}
		if (from <= old[i].last)
			range_put(w, (uint32_t)from, old[i].last);
	}
	for (; on && u < count; u++)
		range_put(w, uids[u], uids[u]);
	range_flush(w);
}

enum status store_seen_change(struct store_account *a, uint64_t mailbox, const uint32_t *uids, size_t count, bool on)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct writer       w = { 0 };
	struct store_range *old;
	struct db_stmt     *s;
	size_t              n = 0;
	enum status         st = seen_read(a, mailbox, arena, &old, &n);

	if (st != ST_OK || count == 0)
		return st;
	buf_init(&w.out, 10 * (n + count + 1));
	merge(&w, old, n, uids, count, on);
	if (w.ranges > LIMIT_SEEN_RANGES) {
		st = ST_LIMIT;
	} else {
		s = db_sql(a->db, "INSERT OR REPLACE INTO seen VALUES (?1, ?2, ?3, ?4)");
		db_bind_u64(s, 1, a->id);
		db_bind_u64(s, 2, mailbox);
		db_bind_u64(s, 3, a->reader);
		db_bind_blob(s, 4, buf_str(&w.out));
		st = db_run(s);
	}
	buf_done(&w.out);
	return st;
}

/* ---- counting ---- */

static enum status seen_count(struct store_account *a, uint64_t mailbox, struct store_range r, uint64_t *sum)
{
	struct db_stmt *s = db_sql(a->db, "SELECT count(*) FROM message WHERE account = ?1 AND mailbox = ?2 AND uid BETWEEN ?3 AND ?4");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, r.first);
	db_bind_u64(s, 4, r.last);
	st = db_step(s);
	if (st == ST_OK)
		*sum += db_u64(s, 0);
	db_done(s);
	return st;
}

enum status store_reader_unseen(struct store_account *a, struct store_mailbox *m)
{
	struct arena *arena CLEANUP(arena_free) = NULL;
	struct store_range *seen;
	uint64_t            sum = 0;
	size_t              n = 0;
	enum status         st;

	if (a->reader == 0)
		return ST_OK;
	arena = arena_new(NULL);
	st = db_begin_read(a->db);
	if (st != ST_OK)
		return st;
	st = seen_read(a, m->id, arena, &seen, &n);
	for (size_t i = 0; i < n && st == ST_OK; i++)
		st = seen_count(a, m->id, seen[i], &sum);
	db_rollback(a->db);
	if (st == ST_OK) {
		m->unseen = m->messages > sum ? m->messages - sum : 0;
		m->recent = 0;
	}
	return st;
}
