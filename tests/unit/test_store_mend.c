/* tests/unit/test_store_mend.c - each invariant of docs/formats/account.md broken by hand: found by store_check, repaired by store_mend. */
#include "store_unit.h"

#include <sqlite3.h>

#include "store/store_mend.h"

#define ACCOUNT 7

struct seen {
	const char *want;
	unsigned    hits, lost, moved;
};

static void on_break(void *arg, const char *invariant, struct str text)
{
	struct seen *s = arg;

	(void)text;
	s->hits += strcmp(invariant, s->want) == 0;
}

static void on_mend(void *arg, enum store_mend_kind kind, const char *invariant, struct str text)
{
	struct seen *s = arg;

	(void)invariant;
	s->lost += kind == STORE_MEND_LOST;
	s->moved += kind == STORE_MEND_MOVED;
	if (getenv("VERBOSE"))
		print_message("  %s %.*s\n", invariant, STR_FMT(text));
}

/* INBOX: 1 (small) to 3, 4 a file; Archive: 1; one expunged, one moved, keywords. */
static void fill(struct store_unit *u)
{
	struct store_account    *a;
	struct store_range       one = { 2, 2 };
	struct store_expunged    gone;
	struct store_copied      copied;
	struct str               keywords[] = { STR("$Work"), STR("$Home") };
	struct store_new_message m = { .keywords = keywords, .keyword_count = 2, .internal_ms = 1136214245000 };
	struct store_added       added;
	uint64_t                 inbox;

	assert_ok(store_open(u->store, ACCOUNT, &a));
	inbox = store_unit_box(a, u->arena, "INBOX").id;
	for (unsigned i = 1; i <= 3; i++)
		store_unit_append(a, inbox, store_unit_message(u->arena, i, 600), i % 2 ? STORE_SEEN : 0);
	m.content = store_unit_message(u->arena, 4, 300000);
	assert_ok(store_append(a, inbox, &m, 1, &added));
	store_unit_append(a, store_unit_box(a, u->arena, "Archive").id, store_unit_message(u->arena, 5, 600), STORE_DELETED);
	store_unit_append(a, inbox, store_unit_message(u->arena, 6, 600), 0);
	assert_ok(store_expunge(a, inbox, (struct store_set){ &one, 1 }, false, u->arena, &gone));
	one = (struct store_range){ 3, 3 };
	assert_ok(store_move(a, inbox, (struct store_set){ &one, 1 }, store_unit_box(a, u->arena, "Trash").id, u->arena, &copied));
	store_unit_check(a);
	store_close(&a);
	store_free(&u->store);
}

static void break_by(const char *sql)
{
	sqlite3 *db;
	char    *why = NULL;

	assert_int_equal(sqlite3_open_v2("/accounts/07/7/mail.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static const struct {
	const char *invariant, *sql;
	unsigned    lost, moved;
} cases[] = {
	{ "A2", "UPDATE account SET ceiling = modseq - 1", 0, 0 },
	{ "A3", "UPDATE mailbox SET modseq = 999999999", 0, 0 },
	{ "A3", "UPDATE mailbox SET uidvalidity = 0 WHERE name = 'INBOX'", 0, 0 },
	{ "A3", "UPDATE account SET uidvalidity = 1", 0, 0 },
	{ "A3", "UPDATE message SET created = modseq + 1", 0, 0 },
	{ "A3", "UPDATE message SET modseq = modseq + 100000", 0, 0 },
	{ "A3", "UPDATE expunged SET modseq = gone + 1", 0, 0 },
	{ "A3", "UPDATE expunged SET gone = gone + 100000", 0, 0 },
	{ "A4", "UPDATE mailbox SET uidnext = 2 WHERE name = 'INBOX'", 0, 0 },
	{ "A4", "UPDATE message SET uid = 2 WHERE uid = 1 AND mailbox = (SELECT id FROM mailbox WHERE name = 'INBOX')", 0, 0 },
	{ "A4", "UPDATE message SET uid = 0 WHERE uid = 1 AND mailbox = (SELECT id FROM mailbox WHERE name = 'INBOX')", 0, 1 },
	{ "A4", "DELETE FROM mailbox WHERE name = 'Archive'", 0, 1 },
	{ "A4", "UPDATE mailbox SET uidnext = 3 WHERE name = 'INBOX'; DELETE FROM message WHERE uid > 3", 0, 0 },
	{ "A5", "UPDATE mailbox SET messages = messages + 1 WHERE name = 'INBOX'", 0, 0 },
	{ "A5", "UPDATE mailbox SET unseen = 99", 0, 0 },
	{ "A5", "UPDATE mailbox SET size = size - 1, deleted_size = deleted_size + 5", 0, 0 },
	{ "A5", "UPDATE account SET size = 3", 0, 0 },
	{ "A6", "UPDATE email SET refs = refs + 1", 0, 0 },
	{ "A6", "UPDATE email SET refs = 0", 0, 0 },
	{ "A6", "INSERT INTO email_more VALUES (7, 9998, 2)", 0, 0 },
	{ "A6", "INSERT OR REPLACE INTO email_more SELECT account, id, 5 FROM email", 0, 0 },
	{ "A6", "INSERT INTO email SELECT 9999, account, content, 0, size, header_n, mime_flags, date_ms, subject, from_text, to_text, cc_text,"
		" message_id, in_reply_to, reference_ids, envelope, body, structure, parts FROM email LIMIT 1", 0, 0 },
	{ "A6", "DELETE FROM email WHERE CAST(subject AS TEXT) = 'number 1'", 1, 0 },
	{ "A6", "DELETE FROM email WHERE CAST(subject AS TEXT) = 'number 2'", 0, 0 }, /* only expunged */
	{ "A6", "UPDATE message SET size = size + 1 WHERE uid = 1", 0, 0 },
	{ "A7", "UPDATE content SET refs = 7", 0, 0 },
	{ "A7", "INSERT INTO content VALUES (9999, 7, randomblob(32), 5, 0, 'hello')", 0, 0 },
	{ "A7", "DELETE FROM content WHERE data IS NULL", 1, 0 },
	{ "A7", "UPDATE email SET size = size + 1", 0, 0 },
	{ "A8", "UPDATE content SET data = CAST(replace(CAST(data AS TEXT), 'number', 'NUMBER') AS BLOB) WHERE data IS NOT NULL AND id = (SELECT content FROM email WHERE"
		" CAST(subject AS TEXT) = 'number 1')", 0, 1 },
	{ "A8", "UPDATE content SET size = size - 1 WHERE data IS NOT NULL", 0, 0 },
	{ "A8", "UPDATE content SET data = x'' WHERE id = (SELECT content FROM email WHERE CAST(subject AS TEXT) = 'number 1')", 1, 0 },
	{ "A8", "UPDATE content SET hash = x'0011' WHERE id = (SELECT content FROM email WHERE CAST(subject AS TEXT) = 'number 1')", 0, 1 },
	{ "A9", "UPDATE account SET next_id = 3", 0, 0 },
	{ "A10", "UPDATE change SET modseq = modseq + 100000", 0, 0 },
	{ "A10", "INSERT INTO gap VALUES (7, 5, 4)", 0, 0 },
	{ "A10", "INSERT INTO gap VALUES (7, 5, 4000000)", 0, 0 },
	{ "A10", "UPDATE account SET floor = modseq + 5", 0, 0 },
	{ "A11", "UPDATE mailbox SET special = 0 WHERE name = 'INBOX'", 0, 0 },
	{ "A11", "UPDATE mailbox SET name = 'Other' WHERE name = 'INBOX'", 0, 0 },
	{ "A11", "UPDATE mailbox SET special = 4 WHERE name = 'Archive'", 0, 0 },
	{ "A11", "UPDATE mailbox SET special = 77 WHERE name = 'Archive'", 0, 0 },
	{ "A12", "DELETE FROM keyword WHERE number = 0", 0, 0 },
	{ "A12", "INSERT INTO keyword VALUES (7, -4, 'x'), (7, 500, 'y')", 0, 0 },
	{ "A14", "UPDATE message SET kw1 = 8", 0, 0 },
	{ "A14", "UPDATE message SET kw0 = kw0 | (1 << 63)", 0, 0 },
	{ "A14", "UPDATE message SET flags = flags | 64", 0, 0 },
	{ "A15", "UPDATE email SET parts = x'ff'", 0, 0 },
	{ "A15", "UPDATE email SET parts = x'', envelope = x''", 0, 0 },
	{ "A15", "UPDATE email SET header_n = size + 1", 0, 0 },
	{ "A16", "UPDATE mailbox SET name = 'a//b' WHERE name = 'Archive'", 0, 0 },
	{ "A16", "INSERT INTO subscription VALUES (7, '../x')", 0, 0 },
	{ "A20", "INSERT INTO metadata VALUES (7, 999, 0, '/shared/comment', x'41')", 0, 0 },
	{ "A21", "INSERT INTO thread VALUES (7, 9999, 1)", 0, 0 },
	{ "A21", "INSERT INTO thread_key VALUES (7, 5, 9999)", 0, 0 },
	{ "A23", "INSERT INTO acl VALUES (7, 999, 1, 8, 0, 3)", 0, 0 },
	{ "A23", "INSERT INTO acl SELECT 7, id, 5, 8, 0, 3 FROM mailbox WHERE name = 'INBOX'", 0, 0 },
	{ "A23", "INSERT INTO acl SELECT 7, id, 1, 8, 0, 4096 FROM mailbox WHERE name = 'INBOX'", 0, 0 },
	{ "A24", "INSERT INTO seen VALUES (7, 999, 8, x'0100')", 0, 0 },
	{ "A24", "INSERT INTO seen SELECT 7, id, 8 + id, x'ff' FROM mailbox", 0, 0 },
	{ "A25", "INSERT INTO listing SELECT 9999, account, fields FROM listing LIMIT 1", 0, 0 },
	{ "A25", "UPDATE listing SET account = 8", 0, 0 },
	{ "A25", "UPDATE listing SET fields = CAST(replace(CAST(fields AS TEXT), 'number', 'NUMBER') AS BLOB)", 0, 0 },
	{ "A25", "UPDATE listing SET fields = x''", 0, 0 },
	{ "A22", "INSERT INTO warning VALUES (7, 4000)", 0, 0 },
	{ "A17", "UPDATE change SET uids = x'ff'", 0, 0 },
	{ "A17", "UPDATE change SET op = 9 WHERE modseq = (SELECT max(modseq) FROM change)", 0, 0 },
};

static void one_case(size_t i)
{
	struct store_unit     u;
	struct store_account *a;
	struct seen           seen = { .want = cases[i].invariant };
	uint64_t              breaks = 0, changes = 0;

	store_unit_open(&u, NULL);
	fill(&u);
	break_by(cases[i].sql);
	assert_ok(store_new(u.fd, NULL, &u.store));
	assert_ok(store_open(u.store, ACCOUNT, &a));
	assert_ok(store_check(a, on_break, &seen, &breaks));
	if (seen.hits == 0)
		fail_msg("%s not found: %s", cases[i].invariant, cases[i].sql);
	if (getenv("VERBOSE"))
		print_message("%s\n", cases[i].sql);
	assert_ok(store_mend(a, on_mend, &seen, &changes));
	if (changes == 0)
		fail_msg("nothing done: %s", cases[i].sql);
	if (seen.lost != cases[i].lost || seen.moved != cases[i].moved)
		fail_msg("%u lost, %u moved: %s", seen.lost, seen.moved, cases[i].sql);
	if (store_check(a, store_unit_print, NULL, &breaks) != ST_OK || breaks > 0)
		fail_msg("still broken: %s", cases[i].sql);
	/* There is nothing more to do, and nothing is done. */
	assert_ok(store_mend(a, on_mend, &seen, &changes));
	assert_int_equal(changes, 0);
	/* And it goes on. */
	store_unit_append(a, store_unit_box(a, u.arena, "INBOX").id, store_unit_message(u.arena, 70, 600), 0);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		one_case(i);
}

static bool first_name(void *arg, const char *name, int64_t mtime_ms)
{
	(void)mtime_ms;
	snprintf(arg, 100, "07/7/content/%s", name);
	return false;
}

/* The file of a content: cut, changed, missing. */
static void test_files(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct store_unit     u;
		struct store_account *a;
		struct seen           seen = { .want = "A8" };
		char                  path[100];
		int                   fd;
		uint64_t              breaks = 0, changes = 0;

		store_unit_open(&u, NULL);
		fill(&u);
		assert_ok(disk_list(u.fd, "07/7/content", first_name, path));
		if (how == 2) {
			assert_ok(disk_remove(u.fd, path));
		} else {
			fd = openat(u.fd, path, O_RDWR);
			assert_true(fd >= 0);
			assert_true(how == 0 ? ftruncate(fd, 1000) == 0 : pwrite(fd, "changed", 7, 5000) == 7);
			close(fd);
		}
		assert_ok(store_new(u.fd, NULL, &u.store));
		assert_ok(store_open(u.store, ACCOUNT, &a));
		assert_ok(store_check(a, on_break, &seen, &breaks));
		assert_int_equal(seen.hits, 1);
		assert_ok(store_mend(a, on_mend, &seen, &changes));
		assert_int_equal(seen.lost, how == 2);
		assert_int_equal(seen.moved, how != 2);
		store_unit_check(a);
		assert_ok(store_clean(a));
		store_unit_check(a);
		store_close(&a);
		store_unit_done(&u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each), cmocka_unit_test(test_files) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
