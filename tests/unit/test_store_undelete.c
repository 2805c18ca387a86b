/* tests/unit/test_store_undelete.c - store/store_undelete.h. */
#include "store_unit.h"

#include "store/store_undelete.h"

static struct store_undeleted undelete(struct store_account *a, struct arena *arena, const char *mailbox, const char *into, bool list)
{
	struct store_undelete  q = { .mailbox = str_of(mailbox), .into = str_of(into), .until_ms = INT64_MAX, .list = list, .max_rows = 100 };
	struct store_undeleted got = { 0 };

	assert_ok(store_undelete(a, &q, arena, &got));
	return got;
}

static void expunge(struct store_account *a, uint64_t box, uint32_t uid, struct arena *arena)
{
	struct store_range    r = { uid, uid };
	struct store_expunged got;

	assert_ok(store_expunge(a, box, (struct store_set){ &r, 1 }, false, arena, &got));
	assert_int_equal(got.count, 1);
}

static void test_once(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  box;
	struct str            keyword = STR("$Work");
	struct store_new_message m = { .flags = STORE_SEEN | STORE_DELETED, .keywords = &keyword, .keyword_count = 1,
				       .internal_ms = 1136214245000, .internal_zone = -90 };
	struct store_added    added;
	struct store_view     v;
	struct store_undeleted got;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	box = store_unit_box(a, u.arena, "INBOX");
	m.content = store_unit_message(u.arena, 1, 300000); /* a file */
	assert_ok(store_append(a, box.id, &m, 1, &added));
	expunge(a, box.id, added.uid, u.arena);
	got = undelete(a, u.arena, "", "", true);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.row_count, 1);
	assert_str(got.rows[0].mailbox, STR("INBOX"));
	assert_str(got.rows[0].subject, STR("number 1"));
	assert_int_equal(got.rows[0].new_uid, 0);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").messages, 0); /* only shown */
	got = undelete(a, u.arena, "inbox", "", false);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.rows[0].new_uid, 2);
	assert_false(store_unsettled(a));
	store_unit_check(a);
	/* Asked again: nothing. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(undelete(a, u.arena, "", i == 2 ? "Other" : "", i == 1).count, 0);
	assert_ok(store_view_load(a, box.id, UINT64_MAX, &v));
	assert_int_equal(v.count, 1);
	assert_int_equal(v.rows[0].uid, 2);
	assert_int_equal(v.rows[0].flags, STORE_SEEN);
	assert_int_equal(v.rows[0].keywords.bits[0], 1);
	assert_int_equal(v.rows[0].internal_ms, 1136214245000);
	assert_int_equal(v.rows[0].internal_zone, -90);
	store_view_done(&v);
	/* Expunged again, it can come again. */
	expunge(a, box.id, 2, u.arena);
	assert_int_equal(undelete(a, u.arena, "", "", false).count, 1);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_deleted_mailbox(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  box;
	struct store_undeleted got;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	assert_ok(store_mailbox_create(a, STR("a/b"), STORE_SPECIAL_NONE, NULL));
	box = store_unit_box(a, u.arena, "a/b");
	for (unsigned i = 0; i < 3; i++)
		store_unit_append(a, box.id, store_unit_message(u.arena, i, 500), 0);
	assert_ok(store_mailbox_delete(a, STR("a/b")));
	/* A second mailbox of that name, deleted too, and Trash with its use. */
	assert_ok(store_mailbox_create(a, STR("a/b"), STORE_SPECIAL_NONE, NULL));
	store_unit_append(a, store_unit_box(a, u.arena, "a/b").id, store_unit_message(u.arena, 9, 500), 0);
	assert_ok(store_mailbox_delete(a, STR("a/b")));
	store_unit_append(a, store_unit_box(a, u.arena, "Trash").id, store_unit_message(u.arena, 10, 500), 0);
	assert_ok(store_mailbox_delete(a, STR("Trash")));
	got = undelete(a, u.arena, "a/b", "", false);
	assert_int_equal(got.count, 4);
	assert_true(store_unit_box(a, u.arena, "a/b").uidvalidity > box.uidvalidity);
	assert_int_equal(store_unit_box(a, u.arena, "a/b").messages, 4);
	assert_int_equal(undelete(a, u.arena, "", "", false).count, 1);
	assert_int_equal(store_unit_box(a, u.arena, "Trash").special, STORE_SPECIAL_TRASH);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_moved_stays(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  inbox, trash;
	struct store_copied   copied;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX");
	trash = store_unit_box(a, u.arena, "Trash");
	store_unit_append(a, inbox.id, store_unit_message(u.arena, 1, 500), 0);
	assert_ok(store_move(a, inbox.id, STORE_SET_ALL, trash.id, u.arena, &copied));
	assert_int_equal(undelete(a, u.arena, "", "", false).count, 0);
	expunge(a, trash.id, 1, u.arena);
	assert_int_equal(undelete(a, u.arena, "Trash", "INBOX", false).count, 1);
	assert_int_equal(undelete(a, u.arena, "", "", false).count, 0);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").messages, 1);
	assert_int_equal(store_unit_box(a, u.arena, "Trash").messages, 0);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_bounds(void **state)
{
	struct store_unit      u;
	struct store_account  *a;
	struct store_mailbox   box;
	struct store_undelete  q = { .since_ms = 0, .until_ms = 1, .max_rows = 1 };
	struct store_undeleted got;

	(void)state;
	store_unit_open(&u, &(struct store_options){ .retention_ms = 1 });
	assert_ok(store_open(u.store, 7, &a));
	box = store_unit_box(a, u.arena, "INBOX");
	for (unsigned i = 0; i < 3; i++)
		store_unit_append(a, box.id, store_unit_message(u.arena, i, 500), 0);
	expunge(a, box.id, 1, u.arena);
	expunge(a, box.id, 2, u.arena);
	assert_ok(store_undelete(a, &q, u.arena, &got)); /* long ago nothing was expunged */
	assert_int_equal(got.count, 0);
	q.into = STR("a//b");
	assert_st(store_undelete(a, &q, u.arena, &got), ST_INVALID);
	q = (struct store_undelete){ .mailbox = STR("Nowhere"), .until_ms = INT64_MAX };
	assert_st(store_undelete(a, &q, u.arena, &got), ST_NOT_FOUND);
	usleep(3000);
	assert_ok(store_clean(a)); /* the retention is over: gone for good */
	assert_int_equal(undelete(a, u.arena, "", "", false).count, 0);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* An account of schema 1, with a message moved and one expunged. */
static void test_migration(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  inbox, trash;
	struct store_copied   copied;
	struct store_range    one = { 1, 1 };
	struct store_undeleted got;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX");
	trash = store_unit_box(a, u.arena, "Trash");
	store_unit_append(a, inbox.id, store_unit_message(u.arena, 1, 500), 0);
	store_unit_append(a, inbox.id, store_unit_message(u.arena, 2, 500), 0);
	assert_ok(store_move(a, inbox.id, (struct store_set){ &one, 1 }, trash.id, u.arena, &copied));
	expunge(a, inbox.id, 2, u.arena);
	assert_ok(store_mailbox_delete(a, STR("Archive")));
	store_close(&a);
	store_free(&u.store);
	store_unit_back("/accounts/07/7/mail.db", 2); /* as db_root knows it */
	assert_ok(store_new(u.fd, NULL, &u.store));
	assert_ok(store_open(u.store, 7, &a));
	got = undelete(a, u.arena, "", "", false);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.rows[0].uid, 2);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* What has been in Trash for longer goes, by when it came there; other mailboxes, and INTERNALDATE, do not matter. */
static void test_expire(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  inbox, trash, junk;
	struct store_copied   copied;
	uint64_t              count, modseq = 0;

	(void)state;
	store_unit_open(&u, &(struct store_options){ .trash_ms = 1, .junk_ms = 0 });
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX");
	junk = store_unit_box(a, u.arena, "Junk");
	assert_ok(store_mailbox_rename(a, STR("Trash"), STR("Waste"))); /* it is the use that counts */
	trash = store_unit_box(a, u.arena, "Waste");
	for (unsigned i = 0; i < STORE_EXPIRE_MAX + 3; i++)
		(void)store_unit_deliver(a, u.arena, i + 1, store_unit_message(u.arena, 1, 200));
	store_unit_append(a, junk.id, store_unit_message(u.arena, 2, 200), 0);
	assert_ok(store_copy(a, inbox.id, STORE_SET_ALL, trash.id, u.arena, &copied));
	usleep(3000);
	assert_ok(store_expire(a, &count, &modseq));
	assert_int_equal(count, STORE_EXPIRE_MAX + 3);
	assert_true(modseq > copied.modseq);
	assert_int_equal(store_unit_box(a, u.arena, "Waste").messages, 0);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").messages, STORE_EXPIRE_MAX + 3);
	assert_int_equal(store_unit_box(a, u.arena, "Junk").messages, 1);
	assert_int_equal(undelete(a, u.arena, "Waste", "", true).count, STORE_EXPIRE_MAX + 3); /* and comes back if it must */
	store_unit_check(a);
	store_close(&a);
	store_free(&u.store);
	/* A day is not over. */
	assert_ok(store_new(u.fd, &(struct store_options){ .trash_ms = 86400000, .junk_ms = 86400000 }, &u.store));
	assert_ok(store_open(u.store, 7, &a));
	store_unit_append(a, trash.id, store_unit_message(u.arena, 3, 200), 0);
	assert_ok(store_expire(a, &count, &modseq));
	assert_int_equal(count, 0);
	store_close(&a);
	store_unit_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_deleted_mailbox),
		cmocka_unit_test(test_moved_stays),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_migration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
