/* store/store_txn.c - a write transaction of an account: its clock, its change rows, its state.
 *
 * The clock. Each transaction that changes something takes one modseq. What has been shown to a client must never be given out
 * again for something else, even if the log's unsynced end is lost with the power; so a modseq is used only below `ceiling`,
 * which is synced first. When the epoch (boot of the machine, and repairs of this database) differs from the one in the row, all up to
 * the ceiling may have been shown: the clock goes past it, and (low, ceiling] is recorded as a gap of which nothing is known.
 */
#include "base/log.h"
#include "store/store_internal.h"

#include "sys/clock.h"

struct boot_id store_epoch(struct store_account *a)
{
	struct boot_id id = boot_id();

	id.lo += db_generation(a->db);
	return id;
}

enum status store_state_read(struct store_account *a, struct account_state *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT modseq, ceiling, boot_hi, boot_lo, floor, changes, released, next_id,"
					  " uidvalidity, messages, size FROM account WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	st = db_step(s);
	if (st == ST_OK)
		*ret = (struct account_state){
			.modseq = db_u64(s, 0),
			.ceiling = db_u64(s, 1),
			.boot = { db_u64(s, 2), db_u64(s, 3) },
			.floor = db_u64(s, 4),
			.changes = db_u64(s, 5),
			.released = db_u64(s, 6),
			.next_id = db_u64(s, 7),
			.uidvalidity = db_u64(s, 8),
			.messages = db_u64(s, 9),
			.size = db_u64(s, 10),
		};
	db_done(s);
	return st;
}

static enum status state_write(struct store_account *a)
{
	const struct account_state *t = &a->state;
	struct db_stmt             *s = db_sql(
                a->db, "UPDATE account SET modseq = ?2, ceiling = ?3, boot_hi = ?4, boot_lo = ?5, floor = ?6, changes = ?7,"
			                   " released = ?8, next_id = ?9, uidvalidity = ?10, messages = ?11, size = ?12 WHERE account = ?1");
	const uint64_t values[] = { a->id,      t->modseq,   t->ceiling, t->boot.hi,     t->boot.lo,  t->floor,
				    t->changes, t->released, t->next_id, t->uidvalidity, t->messages, t->size };

	for (size_t i = 0; i < LEN(values); i++)
		db_bind_u64(s, (int)i + 1, values[i]);
	return db_run(s);
}

static enum status row_make(struct store_account *a)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO account VALUES (?1, 1, 1, ?2, ?3, 1, 0, 0, 1, 0, 0, 0)");
	struct boot_id  boot = store_epoch(a);

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, boot.hi);
	db_bind_u64(s, 3, boot.lo);
	return db_run(s);
}

static enum status gap_add(struct store_account *a, uint64_t low, uint64_t high)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO gap VALUES (?1, ?2, ?3)");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, low);
	db_bind_u64(s, 3, high);
	return db_run(s);
}

/* Reserve more of the clock, and step over what may have been lost. The rest of the transaction comes after the sync. */
static enum status reserve(struct store_account *a)
{
	struct account_state *t = &a->state;
	struct boot_id        boot = store_epoch(a);
	enum status           st = ST_OK;

	if (t->boot.hi != boot.hi || t->boot.lo != boot.lo) {
		st = gap_add(a, t->modseq, t->ceiling);
		t->modseq = t->ceiling + 1;
		t->boot = boot;
	}
	t->ceiling = t->modseq + STORE_RESERVE;
	if (st == ST_OK)
		st = state_write(a);
	return st == ST_OK ? db_flush(a->db) : st;
}

static enum status begin_inside(struct store_account *a, bool must_go_on)
{
	struct boot_id boot = store_epoch(a);
	enum status    st = store_state_read(a, &a->state);
	bool           made = st == ST_NOT_FOUND;

	if (made) {
		st = row_make(a);
		if (st == ST_OK)
			st = store_state_read(a, &a->state);
	}
	if (st == ST_OK && (a->state.modseq >= a->state.ceiling || a->state.boot.hi != boot.hi || a->state.boot.lo != boot.lo) && !made)
		st = reserve(a);
	else if (made)
		a->state.ceiling = a->state.modseq + STORE_RESERVE; /* synced with the account's creation, before anything is shown */
	a->writing = true;
	a->clock_moved = false;
	a->must_go_on = must_go_on;
	return st == ST_OK && made ? store_defaults_make(a) : st;
}

enum status store_txn_begin(struct store_account *a, bool must_go_on)
{
	enum status st;

	if (!must_go_on && store_full(a->store))
		return ST_FULL;
	st = db_begin_write(a->db);
	if (st != ST_OK)
		return st;
	st = begin_inside(a, must_go_on);
	if (st != ST_OK) {
		a->writing = false;
		db_rollback(a->db);
	}
	return st;
}

uint64_t store_txn_modseq(struct store_account *a)
{
	CHECK(a->writing);
	if (!a->clock_moved)
		a->state.modseq++;
	a->clock_moved = true;
	return a->state.modseq;
}

uint64_t store_txn_id(struct store_account *a)
{
	return a->state.next_id++;
}

void store_txn_about(struct store_account *a, struct store_set set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set.count && n < STORE_MANY; i++)
		n += (uint64_t)set.ranges[i].last - set.ranges[i].first + 1;
	if (n >= STORE_MANY)
		db_large(a->db);
}

enum status store_txn_change_text(struct store_account *a, enum change_kind kind, uint64_t object, enum change_op op, struct str text)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account, modseq, kind,"
					  " object, op) DO UPDATE SET uids = excluded.uids");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, store_txn_modseq(a));
	db_bind_u64(s, 3, kind);
	db_bind_u64(s, 4, object);
	db_bind_u64(s, 5, op);
	db_bind_blob(s, 6, text);
	a->state.changes++;
	return db_run(s);
}

enum status store_txn_change(struct store_account *a, enum change_kind kind, uint64_t object, enum change_op op,
			     const uint32_t *uids, size_t uid_count)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	struct buf      ranges;
	enum status     st;

	buf_init(&ranges, 16 * (uid_count + 1));
	store_ranges_write(uids, uid_count, &ranges);
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, store_txn_modseq(a));
	db_bind_u64(s, 3, kind);
	db_bind_u64(s, 4, object);
	db_bind_u64(s, 5, op);
	db_bind_blob(s, 6, buf_str(&ranges));
	st = db_run(s);
	buf_done(&ranges);
	a->state.changes++;
	return st;
}

/* Forget the oldest changes, and the tombstones and gaps that only served to list them. */
static enum status trim(struct store_account *a)
{
	static const char *const texts[] = {
		"DELETE FROM change WHERE account = ?1 AND modseq <= ?2",
		"DELETE FROM expunged WHERE account = ?1 AND gone <= ?2 AND email = 0",
		"DELETE FROM gap WHERE account = ?1 AND high <= ?2",
	};
	struct db_stmt *s = db_sql(a->db, "SELECT modseq FROM change WHERE account = ?1 ORDER BY modseq LIMIT 1 OFFSET ?2");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, STORE_CHANGES_SLACK);
	st = db_step(s);
	if (st == ST_OK)
		a->state.floor = db_u64(s, 0);
	db_done(s);
	for (size_t i = 0; i < LEN(texts) && st == ST_OK; i++) {
		s = db_sql(a->db, texts[i]);
		db_bind_u64(s, 1, a->id);
		db_bind_u64(s, 2, a->state.floor);
		st = db_run(s);
		if (i == 0)
			a->state.changes -= MIN(a->state.changes, db_changed(a->db));
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_txn_end(struct store_account *a, enum status st, bool durable)
{
	CHECK(a->writing);
	if (st == ST_OK && a->clock_moved && a->state.changes > STORE_CHANGES_KEEP + STORE_CHANGES_SLACK)
		st = trim(a);
	if (st == ST_OK && a->clock_moved)
		st = state_write(a);
	a->writing = false;
	if (st != ST_OK)
		db_rollback(a->db);
	else
		st = db_commit(a->db);
	if (st == ST_FULL && a->must_go_on && store_reserve_give(a->store))
		return ST_TEMP;
	if (st == ST_OK && durable)
		st = db_sync(a->db);
	/* What it leaves behind when it fails is swept by store_clean. */
	if (st == ST_OK && durable && a->freed.n > 0 && store_freed_remove(a) != ST_OK)
		log_debug("content not swept", LOG_U64("account", a->id));
	if (st == ST_OK && durable)
		return ST_OK;
	if (st == ST_OK && a->clock_moved)
		store_mark_dirty(a);
	return st;
}

enum status store_modseq_known(struct store_account *a, uint64_t modseq, bool *ret_known)
{
	struct account_state t;
	struct db_stmt      *s = db_sql(a->db, "SELECT 1 FROM gap WHERE account = ?1 AND low < ?2 AND high >= ?2");
	enum status          st = store_state_read(a, &t);

	if (st != ST_OK)
		return st;
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, modseq);
	st = db_step(s);
	db_done(s);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	*ret_known = st == ST_NOT_FOUND && modseq >= t.floor && modseq <= t.modseq;
	return ST_OK;
}

enum status store_highest(struct store_account *a, uint64_t modseq, uint64_t *ret)
{
	struct account_state t;
	struct boot_id       boot = store_epoch(a);
	struct db_stmt      *s;
	enum status          st = store_state_read(a, &t);

	if (st != ST_OK)
		return st;
	*ret = MAX(modseq, t.floor);
	if (t.boot.hi != boot.hi || t.boot.lo != boot.lo) { /* the gap is noted by the next to write */
		*ret = MAX(*ret, t.ceiling + 1);
		return ST_OK;
	}
	s = db_sql(a->db, "SELECT coalesce(max(high), 0) FROM gap WHERE account = ?1 AND high >= ?2 AND high > low");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, *ret);
	st = db_step(s);
	if (st == ST_OK && db_u64(s, 0) > 0)
		*ret = db_u64(s, 0) + 1;
	db_done(s);
	return st;
}
