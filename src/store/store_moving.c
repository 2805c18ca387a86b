/* store/store_moving.c - a move to another account, so that what dies in the middle of it is settled afterwards (store_transfer.c).
 *
 *   from: moving (durable) --> to: messages and moved, one transaction (durable) --> from: expunged, moving gone, one (durable) --> to: moved gone
 *
 * Both rows have one number, the operation's. Whoever finds a `moving` that is old asks the other account: without `moved` nothing came, and
 * everything is where it was; with it, those go whose copies still are there, for the owner may have cleaned up by himself, and in the copies.
 */
#include "base/log.h"
#include "store/store_internal.h"
#include "sys/clock.h"
#include "sys/disk.h"
#include "sys/random.h"

#define STALE_MS INT64_C(300000)             /* a move hardly takes as long; one that does comes to no harm */
#define KEPT_MS  (INT64_C(90) * 86400 * 1000) /* of `moved`, whose other half nobody found */
#define ROWS_MAX 100u                        /* operations settled at once */

/* ---- the four steps ---- */

enum status store_moving_begin(struct store_account *from, uint64_t other, uint64_t mailbox, uint64_t *ret_op)
{
	uint64_t        op = random_u64() >> 1;
	struct db_stmt *s;
	enum status     st = store_txn_begin(from, true);

	if (st != ST_OK)
		return st;
	s = db_sql(from->db, "INSERT INTO moving VALUES (?1, ?2, ?3, ?4, ?5)");
	db_bind_u64(s, 1, from->id);
	db_bind_u64(s, 2, op);
	db_bind_u64(s, 3, other);
	db_bind_u64(s, 4, mailbox);
	db_bind_i64(s, 5, clock_wall_ms());
	st = store_txn_end(from, db_run(s), true);
	if (st == ST_OK)
		*ret_op = op;
	return st;
}

enum status store_moving_arrived(struct store_account *to, uint64_t op, uint64_t target, const struct store_copied *copied)
{
	struct db_stmt *s;
	struct buf      uids;
	uint32_t        last = 0;
	enum status     st;

	buf_init(&uids, 10 * (copied->count + 1));
	for (size_t i = 0, n; i < copied->count; i += n) {
		for (n = 1; i + n < copied->count && copied->from[i + n] == copied->from[i] + n;)
			n++;
		store_varint_write(&uids, copied->from[i] - last);
		store_varint_write(&uids, n - 1);
		last = copied->from[i + n - 1];
	}
	s = db_sql(to->db, "INSERT INTO moved VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	db_bind_u64(s, 1, to->id);
	db_bind_u64(s, 2, op);
	db_bind_u64(s, 3, target);
	db_bind_u64(s, 4, copied->to[0]);
	db_bind_i64(s, 5, clock_wall_ms());
	db_bind_blob(s, 6, buf_str(&uids));
	st = db_run(s);
	buf_done(&uids);
	return st;
}

static enum status row_drop(struct store_account *a, const char *sql, uint64_t op)
{
	struct db_stmt *s = db_sql(a->db, sql);

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, op);
	return db_run(s);
}

static enum status moving_drop(struct store_account *from, uint64_t op)
{
	return row_drop(from, "DELETE FROM moving WHERE account = ?1 AND id = ?2", op);
}

enum status store_moving_end(struct store_account *from, uint64_t mailbox, struct store_set set, uint64_t op, struct arena *arena,
			     struct store_expunged *ret)
{
	struct store_expunged got = { 0 };
	enum status           st = store_txn_begin(from, true);

	if (st != ST_OK)
		return st;
	st = store_expunge_moved(from, mailbox, set, arena, &got);
	if (st == ST_NOT_FOUND) /* the mailbox was deleted meanwhile */
		st = ST_OK;
	if (st == ST_OK)
		st = moving_drop(from, op);
	st = store_txn_end(from, st, true);
	if (st == ST_OK) {
		*ret = got;
		store_quota_look(from, &from->quota, from->owner, true);
	}
	return st;
}

/* Without a sync: what is left of it by a crash is settled, or forgotten, like a whole operation. */
static void row_forget(struct store_account *a, const char *sql, uint64_t op)
{
	enum status st = store_txn_begin(a, true);

	if (st == ST_OK)
		st = store_txn_end(a, row_drop(a, sql, op), false);
	if (st != ST_OK)
		log_debug("row of a move not forgotten yet", LOG_U64("account", a->id), LOG_ST("status", st));
}

void store_moving_forget(struct store_account *from, uint64_t op)
{
	row_forget(from, "DELETE FROM moving WHERE account = ?1 AND id = ?2", op);
}

void store_moved_forget(struct store_account *to, uint64_t op)
{
	row_forget(to, "DELETE FROM moved WHERE account = ?1 AND id = ?2", op);
}

/* ---- settling ---- */

struct op {
	uint64_t id, other, mailbox;
};

static enum status old_ops(struct store_account *a, int64_t before_ms, struct op *ret, size_t *ret_count)
{
	struct db_stmt *s = db_sql(a->db, "SELECT id, other, mailbox FROM moving WHERE account = ?1 AND at_ms <= ?2 ORDER BY id LIMIT ?3");
	size_t          n = 0;
	enum status     st = ST_OK;

	db_bind_u64(s, 1, a->id);
	db_bind_i64(s, 2, before_ms);
	db_bind_u64(s, 3, ROWS_MAX);
	while (n < ROWS_MAX && (st = db_step(s)) == ST_OK)
		ret[n++] = (struct op){ db_u64(s, 0), db_u64(s, 1), db_u64(s, 2) };
	db_done(s);
	*ret_count = n;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status copy_there(struct store_account *to, uint64_t mailbox, uint64_t uid, bool *ret)
{
	struct db_stmt *s = db_sql(to->db, "SELECT 1 FROM message WHERE account = ?1 AND mailbox = ?2 AND uid = ?3");
	enum status     st;

	db_bind_u64(s, 1, to->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, uid);
	st = db_step(s);
	db_done(s);
	*ret = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Sources whose copies are there. ST_NOT_FOUND: the operation never arrived. */
static enum status arrived(struct store_account *to, uint64_t op, struct arena *arena, struct store_set *ret)
{
	struct db_stmt    *s = db_sql(to->db, "SELECT mailbox, first, uids FROM moved WHERE account = ?1 AND id = ?2");
	struct store_range r, *list = NULL;
	struct str         in = STR("");
	uint64_t           mailbox = 0, uid = 0;
	uint32_t           last = 0;
	size_t             n = 0, max = 0;
	bool               there;
	enum status        st;

	db_bind_u64(s, 1, to->id);
	db_bind_u64(s, 2, op);
	st = db_step(s);
	if (st == ST_OK) {
		mailbox = db_u64(s, 0);
		uid = db_u64(s, 1);
		in = arena_dup(arena, db_str(s, 2));
	}
	db_done(s);
	while (st == ST_OK && in.n > 0) {
		/* A row that cannot be read: nothing is expunged for its sake. */
		if (!store_ranges_next(&in, &last, &r) || r.last - r.first >= LIMIT_TRANSFER || n > LIMIT_TRANSFER) {
			n = 0;
			break;
		}
		if (!list) {
			max = LIMIT_TRANSFER * 2;
			list = ARENA_ARRAY(arena, struct store_range, max);
		}
		for (uint64_t u = r.first; st == ST_OK && u <= r.last && n < max; u++) {
			st = copy_there(to, mailbox, uid++, &there);
			if (st == ST_OK && there)
				list[n++] = (struct store_range){ (uint32_t)u, (uint32_t)u };
		}
	}
	*ret = (struct store_set){ list, n };
	return st;
}

static enum status settle_one(struct store_account *a, const struct op *o, uint64_t *ret_modseq)
{
	struct arena *arena       CLEANUP(arena_free) = arena_new(NULL);
	struct store_account *to  CLEANUP(store_close) = NULL;
	struct store_expunged     gone = { 0 };
	struct store_set          set = { NULL, 0 };
	char                      path[STORE_PATH_MAX];
	enum status               st = ST_NOT_FOUND;

	store_path(o->other, "mail.db", path);
	if (disk_exists(a->store->fd, path)) {
		st = store_open(a->store, o->other, &to);
		if (st == ST_OK)
			st = arrived(to, o->id, arena, &set);
	}
	if (st == ST_NOT_FOUND) {
		store_moving_forget(a, o->id);
		return ST_OK;
	}
	if (st == ST_OK)
		st = store_moving_end(a, o->mailbox, set, o->id, arena, &gone);
	if (st != ST_OK)
		return st;
	if (gone.count > 0)
		*ret_modseq = gone.modseq;
	log_info("a move that was broken off is settled", LOG_U64("account", a->id), LOG_U64("other", o->other), LOG_U64("messages", gone.count));
	store_moved_forget(to, o->id);
	return ST_OK;
}

/* Their other half is gone with its account, or was settled by a process that died behind it. */
static enum status old_moved_drop(struct store_account *a)
{
	struct db_stmt *s = db_sql(a->db, "SELECT 1 FROM moved WHERE account = ?1 AND at_ms < ?2 LIMIT 1");
	int64_t         before_ms = clock_wall_ms() - KEPT_MS;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_i64(s, 2, before_ms);
	st = db_step(s);
	db_done(s);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_OK : st;
	st = store_txn_begin(a, true);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "DELETE FROM moved WHERE account = ?1 AND at_ms < ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_i64(s, 2, before_ms);
	return store_txn_end(a, db_run(s), false);
}

enum status store_moves_settle(struct store_account *a, int64_t stale_ms, uint64_t *ret_modseq)
{
	struct op   ops[ROWS_MAX];
	size_t      n = 0;
	enum status st = old_ops(a, clock_wall_ms() - (stale_ms < 0 ? STALE_MS : stale_ms), ops, &n);

	*ret_modseq = 0;
	for (size_t i = 0; i < n && st == ST_OK; i++)
		st = settle_one(a, &ops[i], ret_modseq);
	return st == ST_OK ? old_moved_drop(a) : st;
}
