/* store/store_schema.c: an account of the first schema, with mail in it, is brought to today's and works as ever. */
#include "store_unit.h"

#include <sqlite3.h>
#include <sys/stat.h>

/* As it was: this text does not change with the schema. */
static const char schema_1[] =
	"CREATE TABLE account ("
	" account INTEGER PRIMARY KEY, modseq INTEGER NOT NULL, ceiling INTEGER NOT NULL, boot_hi INTEGER NOT NULL,"
	" boot_lo INTEGER NOT NULL, floor INTEGER NOT NULL, changes INTEGER NOT NULL, released INTEGER NOT NULL,"
	" next_id INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, messages INTEGER NOT NULL, size INTEGER NOT NULL);"
	"CREATE TABLE mailbox ("
	" account INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, special INTEGER NOT NULL,"
	" uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL,"
	" deleted INTEGER NOT NULL, recent INTEGER NOT NULL, recent_from INTEGER NOT NULL, size INTEGER NOT NULL,"
	" deleted_size INTEGER NOT NULL, modseq INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX mailbox_name ON mailbox (account, name);"
	"CREATE TABLE subscription ("
	" account INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, name)) WITHOUT ROWID;"
	"CREATE TABLE keyword ("
	" account INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, number)) WITHOUT ROWID;"
	"CREATE TABLE message ("
	" account INTEGER NOT NULL, mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" kw0 INTEGER NOT NULL, kw1 INTEGER NOT NULL, modseq INTEGER NOT NULL, created INTEGER NOT NULL,"
	" email INTEGER NOT NULL, size INTEGER NOT NULL, internal_ms INTEGER NOT NULL, zone INTEGER NOT NULL,"
	" saved_ms INTEGER NOT NULL,"
	" PRIMARY KEY (account, mailbox, uid)) WITHOUT ROWID;"
	"CREATE TABLE expunged ("
	" account INTEGER NOT NULL, gone INTEGER NOT NULL, mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, kw0 INTEGER NOT NULL, kw1 INTEGER NOT NULL, modseq INTEGER NOT NULL,"
	" created INTEGER NOT NULL, email INTEGER NOT NULL, size INTEGER NOT NULL, internal_ms INTEGER NOT NULL,"
	" zone INTEGER NOT NULL, saved_ms INTEGER NOT NULL, gone_ms INTEGER NOT NULL, PRIMARY KEY (account, gone, mailbox, uid)) WITHOUT ROWID;"
	"CREATE TABLE email ("
	" id INTEGER PRIMARY KEY, account INTEGER NOT NULL, content INTEGER NOT NULL, refs INTEGER NOT NULL,"
	" size INTEGER NOT NULL, header_n INTEGER NOT NULL, mime_flags INTEGER NOT NULL, date_ms INTEGER,"
	" subject BLOB NOT NULL, from_text BLOB NOT NULL, to_text BLOB NOT NULL, cc_text BLOB NOT NULL,"
	" message_id BLOB NOT NULL, in_reply_to BLOB NOT NULL, reference_ids BLOB NOT NULL,"
	" envelope BLOB NOT NULL, body BLOB NOT NULL, structure BLOB NOT NULL, parts BLOB NOT NULL);"
	"CREATE TABLE content ("
	" id INTEGER PRIMARY KEY, account INTEGER NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL,"
	" refs INTEGER NOT NULL, data BLOB);"
	"CREATE UNIQUE INDEX content_hash ON content (account, hash);"
	"CREATE TABLE change ("
	" account INTEGER NOT NULL, modseq INTEGER NOT NULL, kind INTEGER NOT NULL, object INTEGER NOT NULL,"
	" op INTEGER NOT NULL, uids BLOB NOT NULL, PRIMARY KEY (account, modseq, kind, object, op)) WITHOUT ROWID;"
	"CREATE TABLE gap ("
	" account INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, PRIMARY KEY (account, low)) WITHOUT ROWID;"
	"CREATE TABLE delivery ("
	" account INTEGER NOT NULL, id INTEGER NOT NULL, email INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;";

static void sql(sqlite3 *db, const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
}

/* "a, b, c" of a table of the first schema. */
static struct str columns(sqlite3 *db, struct arena *arena, const char *table)
{
	struct str    list = STR("");
	sqlite3_stmt *s;

	assert_int_equal(sqlite3_prepare_v2(db, arena_cstr(arena, arena_printf(arena, "SELECT name FROM pragma_table_info('%s')", table)), -1, &s, NULL),
			 SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		list = arena_printf(arena, "%.*s%s%s", STR_FMT(list), list.n ? ", " : "", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return list;
}

/* The database of account 7 becomes that of account 8 as the first version would have written it. */
static void make_old(struct store_unit *u)
{
	static const char *const tables[] = { "account", "mailbox", "subscription", "keyword", "message", "expunged", "email", "content", "change", "gap", "delivery" };
	sqlite3                 *db;

	assert_int_equal(mkdirat(u->fd, "08", 0700), 0);
	assert_int_equal(mkdirat(u->fd, "08/8", 0700), 0);
	assert_int_equal(mkdirat(u->fd, "08/8/content", 0700), 0);
	assert_int_equal(sqlite3_open("/accounts/08/8/mail.db", &db) /* as db_root() names it */, SQLITE_OK);
	sql(db, "PRAGMA journal_mode = WAL");
	sql(db, schema_1);
	sql(db, "ATTACH '/accounts/07/7/mail.db' AS today");
	for (size_t i = 0; i < LEN(tables); i++) {
		struct str list = columns(db, u->arena, tables[i]);

		sql(db, arena_cstr(u->arena, arena_printf(u->arena, "INSERT INTO main.%s SELECT %.*s FROM today.%s", tables[i], STR_FMT(list), tables[i])));
		if (i > 0)
			sql(db, arena_cstr(u->arena, arena_printf(u->arena, "UPDATE main.%s SET account = 8", tables[i])));
	}
	sql(db, "UPDATE account SET account = 8");
	sql(db, "PRAGMA user_version = 1");
	sqlite3_close(db);
}

static void test_first(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  box, work;
	struct store_copied   copied;
	struct store_expunged gone;
	uint64_t              id;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	box = store_unit_box(a, u.arena, "INBOX");
	for (unsigned i = 0; i < 20; i++)
		(void)store_unit_append(a, box.id, store_unit_message(u.arena, i, 2000), i % 2 ? STORE_SEEN : STORE_DELETED);
	assert_ok(store_expunge(a, box.id, (struct store_set){ &(struct store_range){ 1, 4 }, 1 }, true, u.arena, &gone));
	assert_int_equal(gone.count, 2);
	store_close(&a);
	make_old(&u);
	assert_ok(store_open(u.store, 8, &a));
	store_unit_check(a);
	box = store_unit_box(a, u.arena, "INBOX");
	assert_int_equal(box.messages, 18);
	assert_ok(store_mailbox_create(a, STR("Work"), STORE_SPECIAL_NONE, &id));
	assert_ok(store_copy(a, box.id, STORE_SET_ALL, id, u.arena, &copied));
	assert_int_equal(copied.count, 18);
	store_unit_check(a);
	assert_ok(store_expunge(a, box.id, STORE_SET_ALL, false, u.arena, &gone));
	work = store_unit_box(a, u.arena, "Work");
	assert_int_equal(work.messages, 18);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
