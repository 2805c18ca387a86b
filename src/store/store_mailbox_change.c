/* store/store_mailbox_change.c - deleting and renaming mailboxes. */
#include <string.h>

#include "store/store_flagging.h"
#include "sys/clock.h"

/* ---- delete ---- */

static enum status messages_expunge(struct store_account *a, const struct store_mailbox *m)
{
	struct db_stmt *s;
	enum status     st = store_flagging_apply(a, m->id, UINT64_MAX);

	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "INSERT INTO expunged SELECT account, ?3, mailbox, uid, flags, kw0, kw1, modseq, created,"
			  " email, size, internal_ms, zone, saved_ms, ?4, 0 FROM message WHERE account = ?1 AND mailbox = ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, m->id);
	db_bind_u64(s, 3, store_txn_modseq(a));
	db_bind_i64(s, 4, clock_wall_ms());
	st = db_run(s);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "DELETE FROM message WHERE account = ?1 AND mailbox = ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, m->id);
	a->state.messages -= m->messages;
	a->state.size -= m->size;
	return db_run(s);
}

static enum status delete_one(struct store_account *a, struct str name)
{
	struct store_mailbox m;
	struct db_stmt      *s;
	uint64_t             id;
	enum status          st = store_mailbox_row_find(a, name, &id);

	if (st == ST_OK)
		st = store_mailbox_row(a, id, &m);
	if (st == ST_OK && m.special == STORE_SPECIAL_INBOX)
		st = ST_DENIED;
	if (st == ST_OK)
		st = messages_expunge(a, &m);
	if (st == ST_OK)
		st = store_former_add(a, id, name, m.special);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "DELETE FROM mailbox WHERE account = ?1 AND id = ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	st = db_run(s);
	if (st == ST_OK)
		st = store_txn_change_text(a, CHANGE_MAILBOX, id, CHANGE_REMOVED, name);
	if (st == ST_OK)
		st = store_metadata_drop(a, id);
	if (st == ST_OK)
		st = store_acl_drop(a, id);
	return st == ST_OK ? store_release(a) : st;
}

enum status store_mailbox_delete(struct store_account *a, struct str name)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	enum status         st = store_name_normal(name, arena, &name);

	if (st != ST_OK)
		return ST_NOT_FOUND;
	st = store_txn_begin(a, true);
	return st == ST_OK ? store_txn_end(a, delete_one(a, name), true) : st;
}

/* ---- rename ---- */

static enum status name_write(struct store_account *a, uint64_t id, struct str old, struct str name, struct arena *arena)
{
	struct db_stmt *s = db_sql(a->db, "UPDATE mailbox SET name = ?3 WHERE account = ?1 AND id = ?2");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_str(s, 3, name);
	st = db_run(s);
	return st == ST_OK ? store_txn_change_text(a, CHANGE_MAILBOX, id, CHANGE_UPDATED,
						   arena_printf(arena, "%.*s\n%.*s", STR_FMT(old), STR_FMT(name))) :
			     st;
}

struct child {
	uint64_t   id;
	struct str rest; /* from its "/" on */
};

/* Those below `name`, which lie between "name/" and "name0" in octet order. */
static enum status children_read(struct store_account *a, struct str name, struct arena *arena, struct child **ret, size_t *ret_n)
{
	struct db_stmt *s = db_sql(a->db, "SELECT id, name FROM mailbox WHERE account = ?1 AND name > ?2 AND name < ?3");
	struct child   *list = ARENA_ARRAY(arena, struct child, LIMIT_MAILBOXES);
	size_t          n = 0;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_str(s, 2, arena_printf(arena, "%.*s/", STR_FMT(name)));
	db_bind_str(s, 3, arena_printf(arena, "%.*s0", STR_FMT(name)));
	while ((st = db_step(s)) == ST_OK && n < LIMIT_MAILBOXES) {
		list[n].id = db_u64(s, 0);
		list[n++].rest = arena_dup(arena, str_from(db_str(s, 1), name.n));
	}
	db_done(s);
	*ret = list;
	*ret_n = n;
	return st == ST_NOT_FOUND ? ST_OK : st == ST_OK ? ST_LIMIT : st;
}

static enum status rename_tree(struct store_account *a, uint64_t id, struct str from, struct str to, struct arena *arena)
{
	struct child *children;
	size_t        n;
	enum status   st = children_read(a, from, arena, &children, &n);

	if (st == ST_OK && id == 0 && n == 0)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = store_mailbox_parents_make(a, to);
	if (st == ST_OK && id > 0)
		st = name_write(a, id, from, to, arena);
	for (size_t i = 0; i < n && st == ST_OK; i++) {
		struct str name = arena_printf(arena, "%.*s%.*s", STR_FMT(to), STR_FMT(children[i].rest));
		struct str old = arena_printf(arena, "%.*s%.*s", STR_FMT(from), STR_FMT(children[i].rest));

		st = store_name_valid(name) ? name_write(a, children[i].id, old, name, arena) : ST_LIMIT;
	}
	return st;
}

static enum status rename_inbox(struct store_account *a, uint64_t inbox, struct str to, struct arena *arena)
{
	uint64_t    id;
	enum status st = store_mailbox_row_make(a, to, STORE_SPECIAL_NONE, &id);

	return st == ST_OK ? store_move_inside(a, inbox, id, arena) : st;
}

static enum status rename_inside(struct store_account *a, struct str from, struct str to, struct arena *arena)
{
	uint64_t    id = 0, other;
	enum status st = store_mailbox_row_find(a, to, &other);

	if (st == ST_OK)
		return ST_EXISTS;
	if (st == ST_NOT_FOUND)
		st = store_mailbox_row_find(a, from, &id);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if (str_eq(from, STR("INBOX")))
		return rename_inbox(a, id, to, arena);
	return rename_tree(a, id, from, to, arena);
}

enum status store_mailbox_rename(struct store_account *a, struct str from, struct str to)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	enum status         st = store_name_normal(to, arena, &to);

	if (st != ST_OK)
		return st;
	if (store_name_normal(from, arena, &from) != ST_OK)
		return ST_NOT_FOUND;
	/* Below itself there is no place. (INBOX itself does not move.) */
	if (!str_eq(from, STR("INBOX")) && to.n > from.n && to.p[from.n] == '/' && str_starts(to, from))
		return ST_INVALID;
	st = store_txn_begin(a, false);
	return st == ST_OK ? store_txn_end(a, rename_inside(a, from, to, arena), true) : st;
}
