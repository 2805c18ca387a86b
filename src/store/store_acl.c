/* store/store_acl.c - contract is in store_acl.h. */
#include "store/store_acl.h"

#include <string.h>

#include "store/store_internal.h"

static enum status entries_read(struct store_account *a, uint64_t mailbox, struct store_acl *list, size_t *ret_count)
{
	struct db_stmt *s = db_sql(a->db, "SELECT kind, subject, negative, rights FROM acl WHERE account = ?1 AND mailbox = ?2"
					  " ORDER BY kind, subject, negative LIMIT ?3");
	size_t          n = 0;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, LIMIT_ACL_ENTRIES);
	while (n < LIMIT_ACL_ENTRIES && (st = db_step(s)) == ST_OK)
		list[n++] = (struct store_acl){ (enum store_acl_kind)db_u64(s, 0), db_u64(s, 1), db_u64(s, 2) != 0, (unsigned)db_u64(s, 3) };
	db_done(s);
	*ret_count = n;
	return n == LIMIT_ACL_ENTRIES || st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_acl_list(struct store_account *a, uint64_t mailbox, struct arena *arena, struct store_acl **ret, size_t *ret_count)
{
	struct store_acl    *list = ARENA_ARRAY(arena, struct store_acl, LIMIT_ACL_ENTRIES);
	struct store_mailbox m;
	size_t               n = 0;
	enum status          st = db_begin_read(a->db);

	if (st != ST_OK)
		return st;
	st = store_mailbox_row(a, mailbox, &m);
	if (st == ST_OK)
		st = entries_read(a, mailbox, list, &n);
	db_rollback(a->db);
	if (st == ST_OK) {
		*ret = list;
		*ret_count = n;
	}
	return st;
}

enum status store_acl_rights(struct store_account *a, uint64_t mailbox, uint64_t account, const uint64_t *groups, size_t group_count,
			     unsigned *ret)
{
	struct store_acl list[LIMIT_ACL_ENTRIES];
	unsigned         given = 0, taken = 0;
	size_t           n;
	enum status      st = entries_read(a, mailbox, list, &n);

	for (size_t i = 0; i < n && st == ST_OK; i++) {
		bool means = list[i].kind == STORE_ACL_ANYONE || (list[i].kind == STORE_ACL_ACCOUNT && list[i].subject == account);

		for (size_t g = 0; g < group_count && list[i].kind == STORE_ACL_GROUP; g++)
			means |= list[i].subject == groups[g];
		if (means && list[i].negative)
			taken |= list[i].rights;
		else if (means)
			given |= list[i].rights;
	}
	if (st == ST_OK)
		*ret = given & ~taken;
	return st;
}

enum status store_acl_anywhere(struct store_account *a, enum store_acl_kind kind, uint64_t subject, unsigned *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT rights FROM acl WHERE account = ?1 AND kind = ?2 AND subject = ?3 AND negative = 0");
	unsigned        all = 0;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, kind);
	db_bind_u64(s, 3, subject);
	while ((st = db_step(s)) == ST_OK)
		all |= (unsigned)db_u64(s, 0);
	db_done(s);
	if (st != ST_NOT_FOUND)
		return st;
	*ret = all;
	return ST_OK;
}

/* ---- changing ---- */

static enum status entry_write(struct store_account *a, uint64_t mailbox, const struct store_acl *e)
{
	struct db_stmt *s = e->rights > 0 ? db_sql(a->db, "INSERT OR REPLACE INTO acl VALUES (?1, ?2, ?3, ?4, ?5, ?6)") :
					    db_sql(a->db, "DELETE FROM acl WHERE account = ?1 AND mailbox = ?2 AND kind = ?3"
							  " AND subject = ?4 AND negative = ?5");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, e->kind);
	db_bind_u64(s, 4, e->subject);
	db_bind_u64(s, 5, e->negative);
	if (e->rights > 0)
		db_bind_u64(s, 6, e->rights);
	return db_run(s);
}

static enum status change(struct store_account *a, uint64_t mailbox, const struct store_acl *e, enum store_acl_op op)
{
	struct store_acl     list[LIMIT_ACL_ENTRIES], now = *e;
	struct store_mailbox m;
	unsigned             was = 0;
	size_t               n = 0;
	enum status          st = store_mailbox_row(a, mailbox, &m);

	if (st == ST_OK)
		st = entries_read(a, mailbox, list, &n);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < n; i++)
		if (list[i].kind == e->kind && list[i].subject == e->subject && list[i].negative == e->negative)
			was = list[i].rights;
	if (op == STORE_ACL_ADD)
		now.rights = was | e->rights;
	else if (op == STORE_ACL_REMOVE)
		now.rights = was & ~e->rights;
	if (now.rights == was)
		return ST_OK;
	/* One more than fits would make a list that cannot be told whole. */
	if (was == 0 && n + 1 >= LIMIT_ACL_ENTRIES)
		return ST_LIMIT;
	st = entry_write(a, mailbox, &now);
	return st == ST_OK ? store_txn_change_text(a, CHANGE_MAILBOX, mailbox, CHANGE_UPDATED, m.name) : st;
}

enum status store_acl_change(struct store_account *a, uint64_t mailbox, const struct store_acl *entry, enum store_acl_op op)
{
	/* Taking rights away must be possible on a full disk. */
	enum status st = store_txn_begin(a, true);

	return st == ST_OK ? store_txn_end(a, change(a, mailbox, entry, op), true) : st;
}

enum status store_acl_inherit(struct store_account *a, uint64_t mailbox, uint64_t parent)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO acl SELECT account, ?2, kind, subject, negative, rights FROM acl"
					  " WHERE account = ?1 AND mailbox = ?3");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, parent);
	return db_run(s);
}

enum status store_acl_drop(struct store_account *a, uint64_t mailbox)
{
	static const char *const texts[] = {
		"DELETE FROM acl WHERE account = ?1 AND mailbox = ?2",
		"DELETE FROM seen WHERE account = ?1 AND mailbox = ?2",
	};
	enum status st = ST_OK;

	for (size_t i = 0; i < LEN(texts) && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(a->db, texts[i]);

		db_bind_u64(s, 1, a->id);
		db_bind_u64(s, 2, mailbox);
		st = db_run(s);
	}
	return st;
}
