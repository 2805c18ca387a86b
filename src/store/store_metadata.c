/* store/store_metadata.c - contract is in store_metadata.h. */
#include "store/store_metadata.h"

#include "store/store_internal.h"

#define SHARED STR("/shared")

/* The column: 0 for what all see. */
static uint64_t reader_of(struct str name, uint64_t reader)
{
	return str_starts(name, SHARED) ? 0 : reader;
}

enum status store_metadata_list(struct store_account *a, uint64_t mailbox, uint64_t reader, struct str name, bool below,
				struct arena *arena, struct store_metadata **ret, size_t *ret_count)
{
	struct db_stmt *s = db_sql(a->db, "SELECT name, value FROM metadata WHERE account = ?1 AND mailbox = ?2 AND reader = ?3"
					  " AND (name = ?4 OR (name > ?5 AND name < ?6)) ORDER BY name");
	struct store_metadata *list = ARENA_ARRAY(arena, struct store_metadata, LIMIT_METADATA_ENTRIES);
	size_t                 n = 0;
	enum status            st = ST_NOT_FOUND;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, reader_of(name, reader));
	db_bind_str(s, 4, name);
	db_bind_str(s, 5, below ? arena_printf(arena, "%.*s/", STR_FMT(name)) : name);
	db_bind_str(s, 6, below ? arena_printf(arena, "%.*s0", STR_FMT(name)) : name);
	while (n < LIMIT_METADATA_ENTRIES && (st = db_step(s)) == ST_OK) {
		list[n].name = arena_dup(arena, db_str(s, 0));
		list[n++].value = arena_dup(arena, db_str(s, 1));
		if (!list[n - 1].value.p)
			list[n - 1].value = STR("");
	}
	db_done(s);
	if (st != ST_NOT_FOUND && st != ST_OK)
		return st;
	*ret = list;
	*ret_count = n;
	return ST_OK;
}

static enum status one_remove(struct store_account *a, uint64_t mailbox, uint64_t reader, struct str name)
{
	struct db_stmt *s = db_sql(a->db, "DELETE FROM metadata WHERE account = ?1 AND mailbox = ?2 AND reader = ?3 AND name = ?4");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, reader);
	db_bind_str(s, 4, name);
	return db_run(s);
}

static enum status one_write(struct store_account *a, uint64_t mailbox, uint64_t reader, const struct store_metadata *m)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO metadata VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (account, mailbox, reader,"
					  " name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value");

	if (m->value.n > LIMIT_METADATA_VALUE)
		return ST_LIMIT;
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, reader);
	db_bind_str(s, 4, m->name);
	db_bind_blob(s, 5, m->value);
	return db_run(s);
}

/* Looked at behind the change, which is taken back if it was too much. Each reader has bounds of its own: nobody can take others' room away. */
static enum status bounds_check(struct store_account *a, uint64_t mailbox)
{
	struct db_stmt *s = db_sql(a->db, "SELECT coalesce(max(n), 0), coalesce(max(octets), 0) FROM (SELECT sum(mailbox = ?2) AS n,"
					  " sum(length(name) + length(value)) AS octets FROM metadata WHERE account = ?1 GROUP BY reader)");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	st = db_step(s);
	if (st == ST_OK && (db_u64(s, 0) > LIMIT_METADATA_ENTRIES || db_u64(s, 1) > LIMIT_METADATA_ACCOUNT))
		st = ST_LIMIT;
	db_done(s);
	return st;
}

static enum status special_set(struct store_account *a, uint64_t mailbox, const struct store_metadata *m)
{
	return mailbox == 0 ? ST_INVALID : store_mailbox_special_set(a, mailbox, m->special);
}

static enum status set_inside(struct store_account *a, uint64_t mailbox, uint64_t reader, const struct store_metadata *list, size_t count)
{
	struct buf           names;
	struct store_mailbox m;
	enum status          st = mailbox > 0 ? store_mailbox_row(a, mailbox, &m) : ST_OK;

	buf_init(&names, STORE_METADATA_NAMES);
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		uint64_t who = reader_of(list[i].name, reader);

		if (str_eq(list[i].name, STORE_METADATA_SPECIAL)) {
			st = special_set(a, mailbox, &list[i]);
			continue;
		}
		st = list[i].value.p ? one_write(a, mailbox, who, &list[i]) : one_remove(a, mailbox, who, list[i].name);
		/* What another reader notes for itself is nobody's business. */
		if (st == ST_OK && db_changed(a->db) > 0 && (who == 0 || who == a->id))
			buf_addf(&names, "%s%.*s", names.n > 0 ? " " : "", STR_FMT(list[i].name));
	}
	if (st == ST_OK && names.over) /* they are kept in the row of the change, of which there may be STORE_CHANGES_KEEP */
		st = ST_LIMIT;
	if (st == ST_OK)
		st = bounds_check(a, mailbox);
	if (st == ST_OK && names.n > 0)
		st = store_txn_change_text(a, CHANGE_METADATA, mailbox, CHANGE_UPDATED, buf_str(&names));
	buf_done(&names);
	return st;
}

static bool only_removes(const struct store_metadata *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].value.p)
			return false;
	return true;
}

enum status store_metadata_set(struct store_account *a, uint64_t mailbox, uint64_t reader, const struct store_metadata *list, size_t count,
			       uint64_t *ret_modseq)
{
	enum status st = store_txn_begin(a, only_removes(list, count));

	if (st != ST_OK)
		return st;
	st = set_inside(a, mailbox, reader, list, count);
	st = store_txn_end(a, st, true);
	if (st == ST_OK)
		*ret_modseq = a->state.modseq;
	return st;
}

enum status store_metadata_drop(struct store_account *a, uint64_t mailbox)
{
	struct db_stmt *s = db_sql(a->db, "DELETE FROM metadata WHERE account = ?1 AND mailbox = ?2");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	return db_run(s);
}
