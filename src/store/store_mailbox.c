/* store/store_mailbox.c - rows of mailboxes: reading, making, counters. Deleting and renaming: store_mailbox_change.c. */
#include <string.h>
#include <time.h>

#include "store/store_internal.h"

#define COLUMNS                                                                                                        \
	"m.id, m.special, m.uidvalidity, m.uidnext, m.messages, m.unseen, m.deleted, m.recent, m.size, m.deleted_size,"      \
	" m.modseq, m.name, EXISTS (SELECT 1 FROM subscription s WHERE s.account = m.account AND s.name = m.name)"

static void row_read(struct db_stmt *s, struct arena *arena, struct store_mailbox *ret)
{
	*ret = (struct store_mailbox){
		.id = db_u64(s, 0),
		.special = (enum store_special)db_u64(s, 1),
		.uidvalidity = (uint32_t)db_u64(s, 2),
		.uidnext = (uint32_t)db_u64(s, 3),
		.messages = db_u64(s, 4),
		.unseen = db_u64(s, 5),
		.deleted = db_u64(s, 6),
		.recent = db_u64(s, 7),
		.size = db_u64(s, 8),
		.deleted_size = db_u64(s, 9),
		.modseq = db_u64(s, 10),
	};
	if (arena) {
		ret->name = arena_dup(arena, db_str(s, 11));
		ret->subscribed = db_u64(s, 12) != 0;
	}
}

static enum status one(struct db_stmt *s, struct arena *arena, struct store_mailbox *ret)
{
	enum status st = db_step(s);

	if (st == ST_OK)
		row_read(s, arena, ret);
	db_done(s);
	return st;
}

enum status store_mailbox_get(struct store_account *a, uint64_t id, struct arena *arena, struct store_mailbox *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT " COLUMNS " FROM mailbox m WHERE m.account = ?1 AND m.id = ?2");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	return one(s, arena, ret);
}

enum status store_mailbox_row(struct store_account *a, uint64_t id, struct store_mailbox *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT id, special, uidvalidity, uidnext, messages, unseen, deleted, recent, size,"
					  " deleted_size, modseq FROM mailbox WHERE account = ?1 AND id = ?2");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	return one(s, NULL, ret);
}

enum status store_mailbox_find(struct store_account *a, struct str name, struct arena *arena, struct store_mailbox *ret)
{
	struct db_stmt *s;

	if (store_name_normal(name, arena, &name) != ST_OK)
		return ST_NOT_FOUND;
	s = db_sql(a->db, "SELECT " COLUMNS " FROM mailbox m WHERE m.account = ?1 AND m.name = ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_str(s, 2, name);
	return one(s, arena, ret);
}

enum status store_mailbox_row_find(struct store_account *a, struct str name, uint64_t *ret_id)
{
	struct db_stmt *s = db_sql(a->db, "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_str(s, 2, name);
	st = db_step(s);
	if (st == ST_OK)
		*ret_id = db_u64(s, 0);
	db_done(s);
	return st;
}

enum status store_mailbox_list(struct store_account *a, struct arena *arena, struct store_mailbox **ret, size_t *ret_count)
{
	struct db_stmt       *s = db_sql(a->db, "SELECT " COLUMNS " FROM mailbox m WHERE m.account = ?1 ORDER BY m.name");
	struct store_mailbox *list = ARENA_ARRAY(arena, struct store_mailbox, 16);
	size_t                n = 0, cap = 16;
	enum status           st;

	db_bind_u64(s, 1, a->id);
	while ((st = db_step(s)) == ST_OK) {
		if (n == cap) {
			struct store_mailbox *more = ARENA_ARRAY(arena, struct store_mailbox, cap * 4);

			memcpy(more, list, n * sizeof(*list));
			list = more;
			cap *= 4;
		}
		row_read(s, arena, &list[n++]);
	}
	db_done(s);
	if (st != ST_NOT_FOUND)
		return st;
	*ret = list;
	*ret_count = n;
	return ST_OK;
}

enum status store_mailbox_row_write(struct store_account *a, const struct store_mailbox *m)
{
	struct db_stmt *s = db_sql(a->db, "UPDATE mailbox SET uidnext = ?3, messages = ?4, unseen = ?5, deleted = ?6, recent = ?7,"
					  " size = ?8, deleted_size = ?9, modseq = ?10 WHERE account = ?1 AND id = ?2");
	const uint64_t values[] = { a->id,     m->id,   m->uidnext,      m->messages, m->unseen, m->deleted,
				    m->recent, m->size, m->deleted_size, m->modseq };

	for (size_t i = 0; i < LEN(values); i++)
		db_bind_u64(s, (int)i + 1, values[i]);
	return db_run(s);
}

uint32_t store_mailbox_recent_from(struct store_account *a, uint64_t id)
{
	struct db_stmt *s = db_sql(a->db, "SELECT recent_from FROM mailbox WHERE account = ?1 AND id = ?2");
	uint32_t        from;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	from = db_step(s) == ST_OK ? (uint32_t)db_u64(s, 0) : 0;
	db_done(s);
	return from;
}

/* ---- making ---- */

static enum status count_check(struct store_account *a)
{
	struct db_stmt *s = db_sql(a->db, "SELECT count(*) FROM mailbox WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	st = db_step(s);
	if (st == ST_OK && db_u64(s, 0) >= LIMIT_MAILBOXES)
		st = ST_LIMIT;
	db_done(s);
	return st;
}

static enum status special_check(struct store_account *a, enum store_special special)
{
	struct db_stmt *s;
	enum status     st;

	if (special == STORE_SPECIAL_NONE)
		return ST_OK;
	s = db_sql(a->db, "SELECT 1 FROM mailbox WHERE account = ?1 AND special = ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, special);
	st = db_step(s);
	db_done(s);
	return st == ST_OK ? ST_BUSY : st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_mailbox_special_set(struct store_account *a, uint64_t id, enum store_special special)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_mailbox m;
	struct db_stmt      *s;
	enum status          st = store_mailbox_get(a, id, arena, &m);

	if (st != ST_OK || m.special == special)
		return st;
	if (m.special == STORE_SPECIAL_INBOX || special == STORE_SPECIAL_INBOX)
		return ST_INVALID;
	st = special_check(a, special);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "UPDATE mailbox SET special = ?3 WHERE account = ?1 AND id = ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_u64(s, 3, special);
	st = db_run(s);
	return st == ST_OK ? store_txn_change_text(a, CHANGE_MAILBOX, id, CHANGE_UPDATED, m.name) : st;
}

/* Greater than any in this account so far, and than the time, so that it grows even if the account was made anew. */
static uint32_t uidvalidity_next(struct store_account *a)
{
	uint64_t now = (uint64_t)time(NULL);

	a->state.uidvalidity = MAX(a->state.uidvalidity + 1, now);
	return (uint32_t)a->state.uidvalidity;
}

/* RFC 4314 §4: who may do what above it, may do it in it. */
static enum status acl_inherit(struct store_account *a, uint64_t id, struct str name)
{
	struct str  parent, last;
	uint64_t    above;
	enum status st = str_rcut(name, '/', &parent, &last) ? store_mailbox_row_find(a, parent, &above) : ST_NOT_FOUND;

	return st == ST_OK ? store_acl_inherit(a, id, above) : st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status make_one(struct store_account *a, struct str name, enum store_special special, uint64_t *ret_id)
{
	struct db_stmt *s;
	uint64_t        id = store_txn_id(a);
	enum status     st = count_check(a);

	if (st == ST_OK)
		st = special_check(a, special);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "INSERT INTO mailbox VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, 0, 0, 0, 1, 0, 0, ?6)");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_str(s, 3, name);
	db_bind_u64(s, 4, special);
	db_bind_u64(s, 5, uidvalidity_next(a));
	db_bind_u64(s, 6, store_txn_modseq(a));
	st = db_run(s);
	if (st == ST_OK)
		st = acl_inherit(a, id, name);
	if (st == ST_OK)
		st = store_txn_change_text(a, CHANGE_MAILBOX, id, CHANGE_CREATED, name);
	if (st == ST_OK)
		*ret_id = id;
	return st;
}

enum status store_mailbox_parents_make(struct store_account *a, struct str name)
{
	uint64_t    id;
	enum status st = ST_OK;

	for (size_t i = 1; i < name.n && st == ST_OK; i++) {
		if (name.p[i] != '/')
			continue;
		st = store_mailbox_row_find(a, str_first(name, i), &id);
		if (st == ST_NOT_FOUND)
			st = make_one(a, str_first(name, i), STORE_SPECIAL_NONE, &id);
	}
	return st;
}

enum status store_mailbox_row_make(struct store_account *a, struct str name, enum store_special special, uint64_t *ret_id)
{
	enum status st = store_mailbox_parents_make(a, name);

	return st == ST_OK ? make_one(a, name, special, ret_id) : st;
}

enum status store_defaults_make(struct store_account *a)
{
	static const struct {
		struct str         name;
		enum store_special special;
	} defaults[] = {
		{ STR("INBOX"), STORE_SPECIAL_INBOX }, { STR("Drafts"), STORE_SPECIAL_DRAFTS },
		{ STR("Sent"), STORE_SPECIAL_SENT },   { STR("Trash"), STORE_SPECIAL_TRASH },
		{ STR("Junk"), STORE_SPECIAL_JUNK },   { STR("Archive"), STORE_SPECIAL_ARCHIVE },
	};
	enum status st = ST_OK;

	for (size_t i = 0; i < LEN(defaults) && st == ST_OK; i++) {
		struct db_stmt *s;
		uint64_t        id;

		st = make_one(a, defaults[i].name, defaults[i].special, &id);
		if (st != ST_OK)
			break;
		s = db_sql(a->db, "INSERT INTO subscription VALUES (?1, ?2)");
		db_bind_u64(s, 1, a->id);
		db_bind_str(s, 2, defaults[i].name);
		st = db_run(s);
	}
	return st;
}

enum status store_mailbox_create(struct store_account *a, struct str name, enum store_special special, uint64_t *ret_id)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	uint64_t            id;
	enum status         st = store_name_normal(name, arena, &name);

	if (st == ST_OK && special == STORE_SPECIAL_INBOX)
		st = ST_INVALID;
	if (st != ST_OK)
		return st;
	st = store_txn_begin(a, false);
	if (st != ST_OK)
		return st;
	st = store_mailbox_row_find(a, name, &id);
	if (st == ST_OK)
		st = ST_EXISTS;
	else if (st == ST_NOT_FOUND)
		st = store_mailbox_row_make(a, name, special, &id);
	st = store_txn_end(a, st, true);
	if (st == ST_OK && ret_id)
		*ret_id = id;
	return st;
}

/* ---- \Recent ---- */

enum status store_recent_claim(struct store_account *a, uint64_t mailbox, uint32_t *ret_first, uint32_t *ret_uidnext)
{
	struct store_mailbox m;
	struct db_stmt      *s;
	uint32_t             from;
	enum status          st = store_mailbox_row(a, mailbox, &m);

	if (st != ST_OK)
		return st;
	if (m.recent == 0) {
		*ret_first = *ret_uidnext = m.uidnext;
		return ST_OK;
	}
	st = store_txn_begin(a, true);
	if (st != ST_OK)
		return st;
	st = store_mailbox_row(a, mailbox, &m);
	from = store_mailbox_recent_from(a, mailbox);
	if (st == ST_OK) {
		s = db_sql(a->db, "UPDATE mailbox SET recent = 0, recent_from = uidnext WHERE account = ?1 AND id = ?2");
		db_bind_u64(s, 1, a->id);
		db_bind_u64(s, 2, mailbox);
		st = db_run(s);
	}
	st = store_txn_end(a, st, false);
	if (st == ST_OK) {
		*ret_first = from;
		*ret_uidnext = m.uidnext;
	}
	return st;
}
