/* store/store_expunge.c - copy, move, expunge; what expunged messages leave, and when they give it up.
 *
 *   message --expunge--> expunged, email kept (readable by views, restorable) --retention ends--> tombstone, email = 0
 *           --floor passes--> gone (store_txn.c)
 */
#include <stdio.h>
#include <string.h>

#include "store/store_flagging.h"
#include "sys/clock.h"
#include "sys/disk.h"

#define RETENTION_FULL_MS INT64_C(600000) /* below the watermark nothing is kept longer */

/* The counters are of the owner's \Seen, so rows are read as he has them. */
static enum status owners_rows(struct store_account *a, uint64_t mailbox, struct store_set set, struct arena *arena, struct store_row **ret,
			       size_t *ret_count)
{
	uint64_t    reader = a->reader;
	enum status st;

	a->reader = 0;
	st = store_rows_load(a, mailbox, set, SIZE_MAX, arena, ret, ret_count);
	a->reader = reader;
	return st;
}

/* ---- expunge ---- */

static void count_removed(struct store_account *a, struct store_mailbox *m, uint32_t recent_from, const struct store_row *row)
{
	m->messages--;
	m->recent -= row->uid >= recent_from;
	m->size -= row->size;
	m->unseen -= !(row->flags & STORE_SEEN);
	m->deleted -= !!(row->flags & STORE_DELETED);
	m->deleted_size -= row->flags & STORE_DELETED ? row->size : 0;
	a->state.messages--;
	a->state.size -= row->size;
}

/* All messages of the range go to the expunged table. */
static enum status run_remove(struct store_account *a, uint64_t mailbox, uint32_t first, uint32_t last, enum store_fate fate)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO expunged SELECT account, ?5, mailbox, uid, flags, kw0, kw1, modseq, created,"
					  " email, size, internal_ms, zone, saved_ms, ?6, ?7 FROM message"
					  " WHERE account = ?1 AND mailbox = ?2 AND uid BETWEEN ?3 AND ?4");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, first);
	db_bind_u64(s, 4, last);
	db_bind_u64(s, 5, store_txn_modseq(a));
	db_bind_i64(s, 6, clock_wall_ms());
	db_bind_u64(s, 7, fate);
	st = db_run(s);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "DELETE FROM message WHERE account = ?1 AND mailbox = ?2 AND uid BETWEEN ?3 AND ?4");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, first);
	db_bind_u64(s, 4, last);
	return db_run(s);
}

static bool goes(const struct store_row *row, bool deleted_only)
{
	return !deleted_only || (row->flags & STORE_DELETED);
}

/* What waits to be written into the rows that are to go, is. Who takes away one message does not wait for what is to come to all the others. */
static enum status flags_write(struct store_account *a, uint64_t mailbox, const struct store_row *rows, size_t count, bool deleted_only)
{
	size_t      n = 0;
	bool        wait = false;
	enum status st = ST_OK;

	for (size_t i = 0; i < count; i++)
		n += goes(&rows[i], deleted_only);
	if (n > 0)
		st = store_flagging_any(a, mailbox, &wait);
	if (st != ST_OK || !wait)
		return st;
	if (store_flagging_pays(n))
		return store_flagging_apply(a, mailbox, UINT64_MAX);
	for (size_t i = 0; i < count && st == ST_OK; i++)
		if (goes(&rows[i], deleted_only))
			st = store_flagging_write_row(a, mailbox, &rows[i]);
	return st;
}

/* Remove those of `rows` that are to go; ret_uids has room for all. */
static enum status remove_rows(struct store_account *a, struct store_mailbox *m, struct store_set set, const struct store_row *rows,
			       size_t count, bool deleted_only, enum store_fate fate, uint32_t *ret_uids, size_t *ret_count)
{
	uint32_t           recent_from = store_mailbox_recent_from(a, m->id);
	struct store_run   run = { .set = set };
	struct store_range done;
	size_t             n = 0;
	enum status        st = recent_from > 0 ? flags_write(a, m->id, rows, count, deleted_only) : ST_CORRUPT;

	for (size_t i = 0; i < count && st == ST_OK; i++) {
		if (goes(&rows[i], deleted_only)) {
			count_removed(a, m, recent_from, &rows[i]);
			ret_uids[n++] = rows[i].uid;
		}
		if (store_run_add(&run, rows[i].uid, goes(&rows[i], deleted_only), &done))
			st = run_remove(a, m->id, done.first, done.last, fate);
	}
	if (st == ST_OK && store_run_end(&run, &done))
		st = run_remove(a, m->id, done.first, done.last, fate);
	*ret_count = n;
	if (st != ST_OK || n == 0)
		return st;
	m->modseq = store_txn_modseq(a);
	st = store_mailbox_row_write(a, m);
	return st == ST_OK ? store_txn_change(a, CHANGE_MESSAGE, m->id, CHANGE_REMOVED, ret_uids, n) : st;
}

static enum status expunge(struct store_account *a, uint64_t mailbox, struct store_set set, bool deleted_only, struct arena *arena,
			   struct store_expunged *ret)
{
	struct store_mailbox m;
	struct store_row    *rows = NULL;
	size_t               n = 0;
	enum status          st = store_mailbox_row(a, mailbox, &m);

	if (st == ST_OK && !(deleted_only && m.deleted == 0))
		st = owners_rows(a, mailbox, set, arena, &rows, &n);
	if (st != ST_OK)
		return st;
	ret->uids = ARENA_ARRAY(arena, uint32_t, n);
	st = remove_rows(a, &m, set, rows, n, deleted_only, STORE_FATE_EXPUNGED, ret->uids, &ret->count);
	ret->modseq = a->state.modseq;
	return st == ST_OK ? store_release(a) : st;
}

enum status store_expunge(struct store_account *a, uint64_t mailbox, struct store_set set, bool deleted_only, struct arena *arena,
			  struct store_expunged *ret)
{
	struct store_expunged got = { 0 };
	enum status           st = store_txn_begin(a, true);

	if (st == ST_OK)
		st = store_txn_end(a, expunge(a, mailbox, set, deleted_only, arena, &got), true);
	if (st == ST_OK) {
		*ret = got;
		store_quota_look(a, &a->quota, a->owner, true);
	}
	return st;
}

enum status store_expunge_moved(struct store_account *a, uint64_t mailbox, struct store_set set, struct arena *arena, struct store_expunged *ret)
{
	return expunge(a, mailbox, set, false, arena, ret); /* not as what was moved: undelete gives back what somebody took away */
}

enum status store_remove_one(struct store_account *a, uint64_t mailbox, uint32_t uid, struct arena *arena, bool *ret_gone)
{
	struct store_range    range = { uid, uid };
	struct store_expunged got = { 0 };
	enum status           st = expunge(a, mailbox, (struct store_set){ &range, 1 }, false, arena, &got);

	*ret_gone = st == ST_OK && got.count == 0;
	return st;
}

/* ---- copy and move ---- */

/* What the reader has seen of the rows, he has seen of their copies. */
static enum status copy_seen(struct store_account *a, uint64_t from, uint64_t to, const struct store_row *rows, size_t count, struct arena *arena,
			     const uint32_t *uids)
{
	struct store_row *own = ARENA_ARRAY(arena, struct store_row, count);
	uint32_t         *seen = ARENA_ARRAY(arena, uint32_t, count);
	size_t            n = 0;
	enum status       st;

	if (a->reader == 0 || count == 0 || !(a->reader_flags & STORE_SEEN))
		return ST_OK;
	memcpy(own, rows, count * sizeof(*own));
	st = store_seen_lay(a, from, own, count);
	for (size_t i = 0; i < count && st == ST_OK; i++)
		if (own[i].flags & STORE_SEEN)
			seen[n++] = uids[i];
	return st == ST_OK ? store_seen_change(a, to, seen, n, true) : st;
}

/* Rows of `mailbox` again at the end of `target`; *to may be the mailbox itself. */
static enum status copy_rows(struct store_account *a, struct store_mailbox *to, const struct store_row *rows, size_t count,
			     bool more_refs, struct arena *arena, struct store_copied *ret)
{
	int64_t     now_ms = clock_wall_ms();
	enum status st = ST_OK;

	ret->uidvalidity = to->uidvalidity;
	ret->from = ARENA_ARRAY(arena, uint32_t, count);
	ret->to = ARENA_ARRAY(arena, uint32_t, count);
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		struct store_row row = rows[i];

		if (a->reader != 0) {
			row.flags &= (uint16_t)(a->reader_flags | STORE_SEEN);
			row.keywords = a->reader_keywords ? row.keywords : (struct store_keywords){ 0 };
		}
		if (more_refs)
			st = store_email_refs(a, row.email, 1);
		if (st == ST_OK)
			st = store_message_insert(a, to, &row, now_ms);
		ret->from[i] = rows[i].uid;
		ret->to[i] = row.uid;
	}
	ret->count = count;
	if (st == ST_OK && count > 0)
		st = store_mailbox_row_write(a, to);
	return st == ST_OK && count > 0 ? store_txn_change(a, CHANGE_MESSAGE, to->id, CHANGE_CREATED, ret->to, count) : st;
}

/* A copy shares the bytes, but counts: what a user sees of his quota must not depend on what others of his messages are alike. */
static bool rows_fit(const struct store_account *a, const struct store_row *rows, size_t count)
{
	uint64_t octets = 0;

	for (size_t i = 0; i < count; i++)
		octets += rows[i].size;
	return count == 0 || store_quota_room(&a->quota, &a->state, count, octets);
}

/* The expunged row keeps its email too, so moving also makes one more reference. */
static enum status copy(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t target, bool move,
			struct arena *arena, struct store_copied *ret)
{
	struct store_mailbox from, to;
	struct store_row    *rows;
	uint32_t            *uids;
	size_t               n;
	enum status          st = store_mailbox_row(a, mailbox, &from);

	if (st == ST_OK)
		st = store_mailbox_row(a, target, &to);
	if (st == ST_OK)
		st = owners_rows(a, mailbox, set, arena, &rows, &n);
	if (st == ST_OK && !move && !rows_fit(a, rows, n))
		st = ST_QUOTA;
	if (st == ST_OK)
		st = copy_rows(a, &to, rows, n, true, arena, ret);
	if (st == ST_OK)
		st = copy_seen(a, mailbox, target, rows, n, arena, ret->to);
	if (st == ST_OK && move) {
		uids = ARENA_ARRAY(arena, uint32_t, n);
		if (target == mailbox)
			from = to;
		st = remove_rows(a, &from, set, rows, n, false, STORE_FATE_MOVED, uids, &n);
	}
	ret->modseq = a->state.modseq;
	return st == ST_OK ? store_release(a) : st;
}

static enum status copy_or_move(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t target, bool move,
				struct arena *arena, struct store_copied *ret)
{
	struct store_copied got = { 0 };
	enum status         st = store_txn_begin(a, move); /* a move takes no space to speak of, and may be to Trash */

	if (st == ST_OK)
		st = store_txn_end(a, copy(a, mailbox, set, target, move, arena, &got), true);
	if (st != ST_OK)
		return st;
	*ret = got;
	if (!move)
		store_quota_look(a, &a->quota, a->owner, true);
	return ST_OK;
}

enum status store_copy(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t target, struct arena *arena,
		       struct store_copied *ret)
{
	return copy_or_move(a, mailbox, set, target, false, arena, ret);
}

enum status store_move(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t target, struct arena *arena,
		       struct store_copied *ret)
{
	return copy_or_move(a, mailbox, set, target, true, arena, ret);
}

enum status store_move_inside(struct store_account *a, uint64_t mailbox, uint64_t target, struct arena *arena)
{
	struct store_copied got;

	return copy(a, mailbox, STORE_SET_ALL, target, true, arena, &got);
}

/* ---- giving up ---- */

struct released {
	uint64_t gone, mailbox, uid, email;
};

static enum status release_one(struct store_account *a, const struct released *r)
{
	struct db_stmt *s = db_sql(a->db, "UPDATE expunged SET email = 0 WHERE account = ?1 AND gone = ?2 AND mailbox = ?3 AND uid = ?4");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, r->gone);
	db_bind_u64(s, 3, r->mailbox);
	db_bind_u64(s, 4, r->uid);
	st = db_run(s);
	return st == ST_OK ? store_email_refs(a, r->email, -1) : st;
}

enum status store_release(struct store_account *a)
{
	struct db_stmt *s = db_sql(a->db, "SELECT gone, mailbox, uid, email FROM expunged WHERE account = ?1 AND gone > ?2"
					  " AND gone_ms < ?3 AND email <> 0 ORDER BY gone, mailbox, uid LIMIT ?4");
	struct released list[STORE_RELEASE_MAX];
	int64_t         keep_ms = a->store->options.retention_ms;
	size_t          n = 0;
	enum status     st;

	if (store_full(a->store))
		keep_ms = MIN(keep_ms, RETENTION_FULL_MS);
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, a->state.released);
	db_bind_i64(s, 3, clock_wall_ms() - keep_ms);
	db_bind_u64(s, 4, LEN(list));
	while ((st = db_step(s)) == ST_OK && n < LEN(list))
		list[n++] = (struct released){ db_u64(s, 0), db_u64(s, 1), db_u64(s, 2), db_u64(s, 3) };
	db_done(s);
	if (st != ST_NOT_FOUND && st != ST_OK)
		return st;
	st = ST_OK;
	for (size_t i = 0; i < n && st == ST_OK; i++)
		st = release_one(a, &list[i]);
	if (st == ST_OK && n < LEN(list))
		st = store_former_forget(a, clock_wall_ms() - keep_ms);
	/* The last one's command may have more rows than fitted. */
	if (st == ST_OK && n > 0) {
		a->state.released = n < LEN(list) ? list[n - 1].gone : list[n - 1].gone - 1;
		(void)store_txn_modseq(a); /* so that the account row is written */
	}
	return st;
}

/* Who lives has it locked. While we have the lock, its maker cannot take it for his: see store_upload.c. */
static enum status upload_remove(struct store *s, const char *path)
{
	int         fd CLEANUP(fd_close) = -1;
	enum status st = disk_open(s->fd, path, DISK_UPDATE, &fd);

	if (st == ST_OK)
		st = disk_lock(fd, 0);
	if (st == ST_OK)
		st = disk_remove(s->fd, path);
	/* It has been finished, or given up, since it was listed. */
	return st == ST_BUSY || st == ST_NOT_FOUND ? ST_OK : st;
}

/* Under the writer lock no file gets its final name. */
static enum status sweep_files(struct store_account *a, struct arena *arena)
{
	char                       rest[STORE_PATH_MAX], path[STORE_PATH_MAX];
	struct store_content_file *first;
	int64_t                    keep_ms;
	enum status                st = store_content_list(a->store, a->id, arena, &first, &keep_ms);

	for (const struct store_content_file *f = first; f && st == ST_OK; f = f->next) {
		bool known;

		st = store_content_known(a, f->name, &known);
		if (st != ST_OK || known || store_content_is_kept(f, keep_ms) || strlen(f->name) > 100)
			continue;
		snprintf(rest, sizeof(rest), "content/%s", f->name);
		store_path(a->id, rest, path);
		if (str_starts(str_of(f->name), STR(STORE_TEMP)))
			st = upload_remove(a->store, path);
		else
			st = disk_remove(a->store->fd, path);
	}
	return st;
}

static enum status freed_one(struct store_account *a, struct str hash)
{
	char        path[STORE_PATH_MAX];
	bool        known;
	enum status st;

	store_content_path(a->id, hash, path);
	st = store_content_known(a, strrchr(path, '/') + 1, &known);
	if (st == ST_OK && !known) /* it may have come back */
		st = disk_remove(a->store->fd, path);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_freed_remove(struct store_account *a)
{
	enum status st = db_begin_write(a->db);

	if (st != ST_OK)
		return st;
	/* The rows that named these files must be surely gone. */
	st = db_flush(a->db);
	for (size_t at = 0; st == ST_OK && at < a->freed.n; at += STORE_HASH)
		st = freed_one(a, str_n(a->freed.p + at, STORE_HASH));
	db_rollback(a->db);
	buf_clear(&a->freed); /* of a failure the rest is for store_clean */
	return st;
}

enum status store_sweep(struct store_account *a)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	enum status         st = db_begin_write(a->db);

	if (st != ST_OK)
		return st;
	/* The rows that named these files must be surely gone. */
	st = db_flush(a->db);
	if (st == ST_OK)
		st = sweep_files(a, arena);
	db_rollback(a->db);
	return st;
}
