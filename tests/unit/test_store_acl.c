/* Access entries, what readers have seen, and messages that go from one account to another. */
#include "store_unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "store/store_acl.h"
#include "store/store_internal.h"
#include "sys/fault.h"

static struct store_unit unit;

static struct store_account *account(uint64_t id)
{
	struct store_account *a;

	assert_ok(store_open(unit.store, id, &a));
	return a;
}

static void done(struct store_account *a)
{
	store_unit_check(a);
	store_close(&a);
}

static uint64_t box(struct store_account *a, const char *name)
{
	return store_unit_box(a, unit.arena, name).id;
}

static unsigned rights(struct store_account *a, uint64_t mailbox, uint64_t reader, uint64_t group)
{
	unsigned got = 99;

	assert_ok(store_acl_rights(a, mailbox, reader, &group, group > 0, &got));
	return got;
}

static enum status set(struct store_account *a, uint64_t mailbox, enum store_acl_kind kind, uint64_t subject, bool negative, unsigned r,
		       enum store_acl_op op)
{
	return store_acl_change(a, mailbox, &(struct store_acl){ kind, subject, negative, r }, op);
}

static void test_entries(void **state)
{
	struct store_account *a;
	struct store_acl     *list;
	struct store_info     before, after;
	uint64_t              inbox, made;
	unsigned              any;
	size_t                n;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(3);
	inbox = box(a, "INBOX");
	assert_int_equal(rights(a, inbox, 7, 0), 0);
	assert_ok(set(a, inbox, STORE_ACL_ACCOUNT, 7, false, 3, STORE_ACL_REPLACE));
	assert_ok(set(a, inbox, STORE_ACL_ANYONE, 0, false, 4, STORE_ACL_ADD));
	assert_ok(set(a, inbox, STORE_ACL_GROUP, 2, false, 8, STORE_ACL_ADD));
	assert_ok(set(a, inbox, STORE_ACL_ACCOUNT, 7, true, 2, STORE_ACL_ADD));
	assert_int_equal(rights(a, inbox, 7, 0), 1 | 4);
	assert_int_equal(rights(a, inbox, 7, 2), 1 | 4 | 8);
	assert_int_equal(rights(a, inbox, 2, 0), 4); /* an account is no group of that number */
	assert_int_equal(rights(a, box(a, "Trash"), 7, 2), 0);
	assert_ok(store_acl_anywhere(a, STORE_ACL_ACCOUNT, 7, &any));
	assert_int_equal(any, 3);
	assert_ok(store_info(a, &before));
	assert_ok(set(a, inbox, STORE_ACL_ACCOUNT, 7, false, 3, STORE_ACL_REPLACE)); /* as it is: no change */
	assert_ok(store_info(a, &after));
	assert_int_equal(before.modseq, after.modseq);
	assert_ok(set(a, inbox, STORE_ACL_ACCOUNT, 7, false, 3, STORE_ACL_REMOVE));
	assert_ok(store_info(a, &after));
	assert_true(before.modseq < after.modseq);
	assert_ok(store_acl_list(a, inbox, unit.arena, &list, &n));
	assert_int_equal(n, 3);
	assert_int_equal(list[0].kind, STORE_ACL_ANYONE);
	assert_true(list[1].negative && list[1].subject == 7 && list[1].rights == 2);
	/* inherited, and gone with the mailbox */
	assert_ok(store_mailbox_create(a, STR("p"), STORE_SPECIAL_NONE, &made));
	assert_ok(set(a, made, STORE_ACL_ACCOUNT, 9, false, 1, STORE_ACL_REPLACE));
	assert_ok(store_mailbox_create(a, STR("p/q"), STORE_SPECIAL_NONE, &made));
	assert_int_equal(rights(a, made, 9, 0), 1);
	assert_ok(store_mailbox_delete(a, STR("p/q")));
	assert_ok(store_mailbox_delete(a, STR("p")));
	assert_ok(store_acl_anywhere(a, STORE_ACL_ACCOUNT, 9, &any));
	assert_int_equal(any, 0);
	assert_st(set(a, 9999, STORE_ACL_ANYONE, 0, false, 1, STORE_ACL_ADD), ST_NOT_FOUND);
	assert_st(store_acl_list(a, 9999, unit.arena, &list, &n), ST_NOT_FOUND);
	done(a);
	store_unit_done(&unit);
}

static void test_many_entries(void **state)
{
	struct store_account *a;
	struct store_acl     *list;
	uint64_t              inbox;
	size_t                n, made = 0;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(3);
	inbox = box(a, "INBOX");
	while (made < 3 * LIMIT_ACL_ENTRIES && set(a, inbox, STORE_ACL_ACCOUNT, 100 + made, false, 1, STORE_ACL_REPLACE) == ST_OK)
		made++;
	assert_int_equal(made, LIMIT_ACL_ENTRIES - 1);
	assert_st(set(a, inbox, STORE_ACL_ANYONE, 0, false, 1, STORE_ACL_ADD), ST_LIMIT);
	assert_ok(set(a, inbox, STORE_ACL_ACCOUNT, 100, false, 2, STORE_ACL_ADD)); /* one that there is */
	assert_ok(store_acl_list(a, inbox, unit.arena, &list, &n));
	assert_int_equal(n, made);
	assert_ok(set(a, inbox, STORE_ACL_ACCOUNT, 101, false, 0, STORE_ACL_REPLACE));
	assert_ok(set(a, inbox, STORE_ACL_ANYONE, 0, false, 1, STORE_ACL_ADD));
	done(a);
	store_unit_done(&unit);
}

/* ---- \Seen ---- */

static struct store_flagged flags(struct store_account *a, uint64_t mailbox, uint32_t first, uint32_t last, enum store_flag_op op, unsigned f)
{
	struct store_range       r = { first, last };
	struct store_flag_change c = { .op = op, .flags = f, .unchanged_since = UINT64_MAX };
	struct store_flagged     got;

	assert_ok(store_flags(a, mailbox, (struct store_set){ &r, 1 }, &c, unit.arena, &got));
	return got;
}

/* "1011": which of the messages are seen. */
static const char *seen(struct store_account *a, uint64_t mailbox)
{
	static char       out[100];
	struct store_view v;

	assert_ok(store_view_load(a, mailbox, UINT64_MAX, &v));
	for (size_t i = 0; i < v.count; i++)
		out[i] = v.rows[i].flags & STORE_SEEN ? '1' : '0';
	out[v.count] = '\0';
	store_view_done(&v);
	return out;
}

static void reader(struct store_account *a, uint64_t id)
{
	store_reader_set(a, id, STORE_FLAGS, true);
}

static uint64_t unseen(struct store_account *a, const char *name)
{
	struct store_mailbox m = store_unit_box(a, unit.arena, name);

	assert_ok(store_reader_unseen(a, &m));
	return m.unseen;
}

static void test_seen(void **state)
{
	struct store_account *a;
	struct store_changes  c;
	struct store_flagged  f;
	struct store_expunged gone;
	uint64_t              inbox, modseq;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(3);
	inbox = box(a, "INBOX");
	for (unsigned i = 1; i <= 6; i++)
		store_unit_append(a, inbox, store_unit_message(unit.arena, i, 300), i == 1 ? STORE_SEEN : 0);
	reader(a, 7);
	assert_string_equal(seen(a, inbox), "000000");
	assert_int_equal(unseen(a, "INBOX"), 6);
	f = flags(a, inbox, 2, 4, STORE_FLAGS_ADD, STORE_SEEN);
	assert_int_equal(f.changed, 3);
	modseq = f.modseq;
	assert_string_equal(seen(a, inbox), "011100");
	assert_int_equal(unseen(a, "INBOX"), 3);
	flags(a, inbox, 3, 3, STORE_FLAGS_REMOVE, STORE_SEEN);
	assert_string_equal(seen(a, inbox), "010100");
	flags(a, inbox, 5, 6, STORE_FLAGS_REPLACE, STORE_SEEN | STORE_FLAGGED);
	assert_string_equal(seen(a, inbox), "010111");
	assert_int_equal(flags(a, inbox, 4, 5, STORE_FLAGS_ADD, STORE_SEEN).changed, 0);
	/* By the clock, with the reader's own. */
	assert_ok(store_changes(a, inbox, modseq, unit.arena, &c));
	assert_int_equal(c.row_count, 3);
	assert_true(c.rows[0].uid == 3 && !(c.rows[0].flags & STORE_SEEN));
	assert_true(c.rows[1].uid == 5 && (c.rows[1].flags & (STORE_SEEN | STORE_FLAGGED)) == (STORE_SEEN | STORE_FLAGGED));
	reader(a, 8); /* another */
	assert_string_equal(seen(a, inbox), "000000");
	reader(a, 3); /* the owner */
	assert_string_equal(seen(a, inbox), "100000");
	assert_int_equal(unseen(a, "INBOX"), 5);
	store_unit_check(a); /* his counters are right */
	/* What is expunged by a reader is counted as the owner has it. */
	reader(a, 7);
	assert_ok(store_expunge(a, inbox, (struct store_set){ &(struct store_range){ 1, 2 }, 1 }, false, unit.arena, &gone));
	assert_string_equal(seen(a, inbox), "0111");
	assert_int_equal(unseen(a, "INBOX"), 1);
	flags(a, inbox, 1, 6, STORE_FLAGS_REPLACE, 0);
	assert_string_equal(seen(a, inbox), "0000");
	done(a);
	a = account(3); /* the handle forgets whose it was */
	assert_int_equal(a->reader, 0);
	done(a);
	store_unit_done(&unit);
}

/* Flags that a reader may not set stay; on what he brings they are left out. */
static void test_reader_flags(void **state)
{
	struct store_account    *a;
	struct str               k = STR("k");
	struct store_new_message m = { .flags = STORE_SEEN | STORE_DELETED | STORE_FLAGGED, .keywords = &k, .keyword_count = 1, .internal_ms = 1 };
	struct store_added       added;
	struct store_row        *rows;
	struct store_flag_change c = { .op = STORE_FLAGS_REPLACE, .flags = STORE_SEEN | STORE_DRAFT, .keywords = &k, .keyword_count = 1,
				       .unchanged_since = UINT64_MAX };
	struct store_flagged     f;
	uint64_t                 inbox;
	size_t                   n;
	struct str              *names;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(3);
	inbox = box(a, "INBOX");
	m.content = store_unit_message(unit.arena, 1, 300);
	store_reader_set(a, 7, STORE_SEEN | STORE_DELETED, false);
	assert_ok(store_append(a, inbox, &m, 1, &added));
	assert_ok(store_rows(a, inbox, STORE_SET_ALL, 9, unit.arena, &rows, &n));
	assert_int_equal(rows[0].flags, STORE_SEEN | STORE_DELETED);
	assert_int_equal(rows[0].keywords.bits[0], 0);
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, unit.arena, &f));
	assert_int_equal(f.rows[0].flags, STORE_SEEN);
	store_reader_set(a, 7, STORE_DELETED, false);
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &(struct store_flag_change){ .op = STORE_FLAGS_REPLACE, .unchanged_since = UINT64_MAX },
			      unit.arena, &f));
	assert_int_equal(f.rows[0].flags, STORE_SEEN);
	store_reader_set(a, 0, 0, false);
	assert_ok(store_rows(a, inbox, STORE_SET_ALL, 9, unit.arena, &rows, &n));
	assert_int_equal(rows[0].flags, 0);
	assert_ok(store_keyword_list(a, unit.arena, &names, &n));
	assert_int_equal(n, 0); /* he made no keyword */
	done(a);
	store_unit_done(&unit);
}

/* Every second message of very many: a limit, and no harm. */
static void test_seen_ranges(void **state)
{
	struct store_account *a;
	uint32_t             *uids = calloc(LIMIT_SEEN_RANGES + 1, sizeof(*uids));
	uint64_t              inbox;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(3);
	inbox = box(a, "INBOX");
	reader(a, 7);
	for (size_t i = 0; i <= LIMIT_SEEN_RANGES; i++)
		uids[i] = (uint32_t)(2 * i + 1);
	assert_ok(store_txn_begin(a, true));
	assert_st(store_seen_change(a, inbox, uids, LIMIT_SEEN_RANGES + 1, true), ST_LIMIT);
	assert_ok(store_seen_change(a, inbox, uids, LIMIT_SEEN_RANGES, true));
	for (size_t i = 0; i <= LIMIT_SEEN_RANGES; i++)
		uids[i] = (uint32_t)(i + 1);
	assert_ok(store_seen_change(a, inbox, uids, LIMIT_SEEN_RANGES, true)); /* many become one */
	assert_ok(store_txn_end(a, ST_OK, true));
	free(uids);
	done(a);
	store_unit_done(&unit);
}

/* ---- between accounts ---- */

static void test_transfer(void **state)
{
	struct store_account *a, *b;
	struct store_copied   got = { 0 };
	struct str            k = STR("work");
	struct store_flagged  f;
	struct store_row     *rows;
	struct str           *names;
	struct buf            content;
	size_t                n;
	uint64_t              gone, from, to;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(3);
	b = account(5);
	from = box(a, "INBOX");
	to = box(b, "Archive");
	store_unit_append(a, from, store_unit_message(unit.arena, 1, 300), STORE_SEEN | STORE_FLAGGED);
	store_unit_append(a, from, store_unit_message(unit.arena, 2, 900000), 0); /* a file */
	store_unit_append(a, from, store_unit_message(unit.arena, 3, 300), STORE_DELETED);
	assert_ok(store_flags(a, from, (struct store_set){ &(struct store_range){ 1, 1 }, 1 },
			      &(struct store_flag_change){ .op = STORE_FLAGS_ADD, .keywords = &k, .keyword_count = 1, .unchanged_since = UINT64_MAX },
			      unit.arena, &f));
	assert_ok(store_transfer(a, from, STORE_SET_ALL, b, to, false, unit.arena, &got, &gone));
	assert_int_equal(got.count, 3);
	assert_int_equal(gone, 0);
	assert_ok(store_rows(b, to, STORE_SET_ALL, 9, unit.arena, &rows, &n));
	assert_int_equal(n, 3);
	assert_true(rows[0].flags == (STORE_SEEN | STORE_FLAGGED) && rows[2].flags == STORE_DELETED && rows[0].internal_ms == 1136214245000);
	assert_ok(store_keyword_list(b, unit.arena, &names, &n));
	assert_true(n == 1 && str_eq(names[0], k) && rows[0].keywords.bits[0] == 1);
	buf_init(&content, 1000000);
	assert_ok(store_read(b, rows[1].email, 0, 1000000, &content));
	assert_str(buf_str(&content), store_unit_message(unit.arena, 2, 900000));
	buf_done(&content);
	/* moved: here no more */
	assert_ok(store_transfer(a, from, (struct store_set){ &(struct store_range){ 2, 9 }, 1 }, b, to, true, unit.arena, &got, &gone));
	assert_int_equal(got.count, 2);
	assert_true(gone > 0);
	assert_int_equal(store_unit_box(a, unit.arena, "INBOX").messages, 1);
	assert_int_equal(store_unit_box(b, unit.arena, "Archive").messages, 5);
	/* nothing */
	got = (struct store_copied){ 0 };
	assert_ok(store_transfer(a, from, (struct store_set){ &(struct store_range){ 8, 9 }, 1 }, b, to, true, unit.arena, &got, &gone));
	assert_int_equal(got.count, 0);
	/* what does not fit, or goes nowhere, stays where it is */
	store_quota_set(b, &(struct store_quota){ .messages = 5 }, STR(""));
	assert_st(store_transfer(a, from, STORE_SET_ALL, b, to, true, unit.arena, &got, &gone), ST_QUOTA);
	store_quota_set(b, &(struct store_quota){ 0 }, STR(""));
	assert_st(store_transfer(a, from, STORE_SET_ALL, b, 9999, true, unit.arena, &got, &gone), ST_NOT_FOUND);
	assert_int_equal(store_unit_box(a, unit.arena, "INBOX").messages, 1);
	assert_ok(store_moves_settle(a, 0, &gone)); /* nothing is left of any of it */
	assert_int_equal(store_unit_box(a, unit.arena, "INBOX").messages, 1);
	/* REPLACE: one comes there, one goes here */
	{
		const struct store_new_message m = { .content = store_unit_message(unit.arena, 9, 300) };
		struct store_added             added;
		bool                           missing;

		assert_ok(store_replace_between(b, to, &m, a, from, 1, unit.arena, &added, &missing, &gone));
		assert_true(!missing && gone > 0);
		assert_int_equal(store_unit_box(a, unit.arena, "INBOX").messages, 0);
		assert_int_equal(store_unit_box(b, unit.arena, "Archive").messages, 6);
		assert_st(store_replace_between(b, to, &m, a, from, 1, unit.arena, &added, &missing, &gone), ST_NOT_FOUND);
		assert_true(missing);
		assert_int_equal(store_unit_box(b, unit.arena, "Archive").messages, 6);
	}
	done(a);
	done(b);
	store_unit_done(&unit);
}

/* The last copy fails (no space, no sync): all of it stays where it was. */
static void test_transfer_faults(void **state)
{
	static const char *const points[] = { "db.sync", "db.write", "disk.write", "disk.rename", "disk.sync" };

	(void)state;
	for (unsigned i = 0; i < 6 * LEN(points); i++) {
		struct store_account *a, *b;
		struct store_copied   got = { 0 };
		uint64_t              gone, from, to;
		enum status           st;

		store_unit_open(&unit, NULL);
		a = account(3);
		b = account(5);
		from = box(a, "INBOX");
		to = box(b, "Archive");
		for (unsigned k = 1; k <= 3; k++)
			store_unit_append(a, from, store_unit_message(unit.arena, k, k == 2 ? 900000 : 300), 0);
		fault_set(points[i % LEN(points)], i % 4 ? "/5/" : "/3/", i / (unsigned)LEN(points) + 1, false, i % 3 ? EIO : ENOSPC);
		st = store_transfer(a, from, STORE_SET_ALL, b, to, true, unit.arena, &got, &gone);
		fault_clear();
		/* Never none: those that are not there any more are here. */
		if (st == ST_OK)
			assert_int_equal(store_unit_box(b, unit.arena, "Archive").messages, 3);
		assert_true(store_unit_box(a, unit.arena, "INBOX").messages + store_unit_box(b, unit.arena, "Archive").messages >= 3);
		store_close(&a);
		store_close(&b);
		store_unit_done(&unit);
	}
}

/* Three messages in INBOX of account 3, moved to Archive of account 5 by a process that is killed between the copy's sync and the expunge. */
static void killed_between(void)
{
	struct store_account *a, *b;
	struct store_copied   got = { 0 };
	uint64_t              gone;
	pid_t                 child;
	int                   how = 0;

	store_unit_dir(&unit);
	child = fork();
	if (child == 0) {
		signal(SIGILL, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		assert_ok(store_new(unit.fd, NULL, &unit.store));
		a = account(3);
		b = account(5);
		for (unsigned k = 1; k <= 3; k++)
			store_unit_append(a, box(a, "INBOX"), store_unit_message(unit.arena, k, 300), 0);
		fault_set("store.transfer", "copied", 1, false, EIO);
		(void)!store_transfer(a, box(a, "INBOX"), STORE_SET_ALL, b, box(b, "Archive"), true, unit.arena, &got, &gone);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) != 0);
	assert_ok(store_new(unit.fd, NULL, &unit.store));
}

static void inbox_and_archive(struct store_account *a, struct store_account *b, unsigned inbox, unsigned archive)
{
	assert_int_equal(store_unit_box(a, unit.arena, "INBOX").messages, inbox);
	assert_int_equal(store_unit_box(b, unit.arena, "Archive").messages, archive);
}

/* In both; settled, in one; and there is nothing more to settle. */
static void test_transfer_killed(void **state)
{
	struct store_account *a, *b;
	uint64_t              modseq;

	(void)state;
	killed_between();
	a = account(3);
	b = account(5);
	inbox_and_archive(a, b, 3, 3);
	assert_ok(store_moves_settle(a, -1, &modseq)); /* it could still be under way */
	inbox_and_archive(a, b, 3, 3);
	assert_ok(store_moves_settle(b, 0, &modseq)); /* the other end settles nothing */
	inbox_and_archive(a, b, 3, 3);
	assert_ok(store_moves_settle(a, 0, &modseq));
	assert_true(modseq > 0);
	inbox_and_archive(a, b, 0, 3);
	assert_ok(store_moves_settle(a, 0, &modseq));
	assert_int_equal(modseq, 0);
	inbox_and_archive(a, b, 0, 3);
	done(a);
	done(b);
	store_unit_done(&unit);
}

/* The owner has cleaned up himself, in the copies: what he left stays. And the other account is gone, with all copies. */
static void test_transfer_killed_cleaned(void **state)
{
	struct store_account *a, *b;
	struct store_expunged gone;
	uint64_t              modseq;

	(void)state;
	killed_between();
	a = account(3);
	b = account(5);
	assert_ok(store_expunge(b, box(b, "Archive"), (struct store_set){ &(struct store_range){ 2, 2 }, 1 }, false, unit.arena, &gone));
	assert_ok(store_moves_settle(a, 0, &modseq));
	inbox_and_archive(a, b, 1, 2);
	done(a);
	done(b);
	store_unit_done(&unit);
	killed_between();
	assert_ok(store_purge(unit.store, 5));
	a = account(3);
	assert_ok(store_moves_settle(a, 0, &modseq));
	assert_int_equal(store_unit_box(a, unit.arena, "INBOX").messages, 3);
	assert_ok(store_moves_settle(a, 0, &modseq));
	done(a);
	store_unit_done(&unit);
}

/* A database of the version before has nobody with rights, and goes on; so does one from before the quotas. */
static void test_upgrade(void **state)
{
	const struct store_acl entry = { STORE_ACL_ACCOUNT, 9, false, STORE_ACL_LOOKUP };

	(void)state;
	for (unsigned version = 4; version <= 5; version++) {
		struct store_account *a;
		struct store_quota    q = { .octets = 1000 };

		store_unit_open(&unit, NULL);
		a = account(3);
		store_unit_append(a, box(a, "INBOX"), store_unit_message(unit.arena, 1, 300), 0);
		store_close(&a);
		store_free(&unit.store);
		store_unit_back("/accounts/03/3/mail.db", version); /* as db_root knows it */
		assert_ok(store_new(unit.fd, NULL, &unit.store));
		a = account(3);
		assert_int_equal(rights(a, box(a, "INBOX"), 9, 0), 0);
		assert_ok(store_acl_change(a, box(a, "INBOX"), &entry, STORE_ACL_REPLACE));
		assert_int_equal(rights(a, box(a, "INBOX"), 9, 0), STORE_ACL_LOOKUP);
		store_quota_set(a, &q, STR("ann@example.org"));
		assert_st(store_quota_fits(a, 1, 2000), ST_QUOTA);
		store_unit_append(a, box(a, "INBOX"), store_unit_message(unit.arena, 2, 300), 0);
		done(a);
		store_unit_done(&unit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),      cmocka_unit_test(test_many_entries), cmocka_unit_test(test_seen),
		cmocka_unit_test(test_reader_flags), cmocka_unit_test(test_seen_ranges),  cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_transfer_faults), cmocka_unit_test(test_transfer_killed),
		cmocka_unit_test(test_transfer_killed_cleaned), cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
