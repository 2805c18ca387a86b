/* tests/unit/test_store_many.c - threads, processes, failing disks, and a process that may not walk to its files. */
#include "db/db.h"
#include "store_unit.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys/boot.h"
#include "sys/fault.h"

#define WORKERS 3
#define ROUNDS  25

struct worker {
	struct store *store;
	unsigned      number;
};

/* Each delivers its own, and moves and flags what anybody's are there. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct arena  *arena = arena_new(NULL);

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct store_flag_change c = { .op = STORE_FLAGS_ADD, .flags = STORE_SEEN, .unchanged_since = UINT64_MAX };
		struct store_account    *a;
		struct store_copied      moved;
		struct store_flagged     flagged;
		struct store_range       one = { 1 + i, 1 + i };
		struct store_set         set = { &one, 1 };
		uint64_t                 inbox, archive;

		assert_ok(store_open(w->store, 3, &a));
		inbox = store_unit_box(a, arena, "INBOX").id;
		archive = store_unit_box(a, arena, "Archive").id;
		store_unit_deliver(a, arena, w->number * 1000 + i + 1, store_unit_message(arena, w->number * 1000 + i, 2000));
		assert_ok(store_move(a, inbox, set, archive, arena, &moved));
		assert_ok(store_flags(a, archive, STORE_SET_ALL, &c, arena, &flagged));
		store_close(&a);
		arena_reset(arena);
	}
	arena_free(&arena);
	return NULL;
}

static void child_work(const char *dir, unsigned number)
{
	struct worker w = { .number = number };
	int           fd = open(dir, O_RDONLY | O_DIRECTORY);

	assert_ok(store_new(fd, NULL, &w.store));
	work(&w);
	store_free(&w.store);
	_exit(0);
}

static void test_concurrent(void **state)
{
	struct store_unit     u;
	struct worker         w[WORKERS];
	pthread_t             threads[WORKERS];
	pid_t                 children[2];
	struct store_account *a;
	struct store_info     info;

	(void)state;
	store_unit_dir(&u);
	for (unsigned i = 0; i < LEN(children); i++) {
		children[i] = fork();
		if (children[i] == 0)
			child_work(u.dir, 10 + i);
	}
	assert_ok(store_new(u.fd, NULL, &u.store));
	for (unsigned i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){ u.store, i };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < LEN(children); i++) {
		int status = 1;

		waitpid(children[i], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_ok(store_open(u.store, 3, &a));
	assert_ok(store_info(a, &info));
	assert_int_equal(info.messages, ROUNDS * (WORKERS + LEN(children)));
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").uidnext, info.messages + 1);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* The directory's descriptor is enough: no right to walk to it is needed. */
static void test_descriptor_only(void **state)
{
	struct store_unit u;
	pid_t             child;
	int               status = 1, fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	store_unit_dir(&u);
	assert_ok(disk_make_dir(u.fd, "accounts"));
	fd = openat(u.fd, "accounts", O_RDONLY | O_DIRECTORY);
	assert_int_equal(fchown(fd, 65534, 65534), 0); /* the directory above is 0700 of root */
	child = fork();
	if (child == 0) {
		struct store         *s;
		struct store_account *a;

		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
			_exit(3);
		assert_ok(store_new(fd, NULL, &s));
		assert_ok(store_open(s, 3, &a));
		store_unit_append(a, store_unit_box(a, u.arena, "INBOX").id, store_unit_message(u.arena, 1, LIMIT_INLINE * 2), 0);
		store_unit_check(a);
		store_close(&a);
		store_free(&s);
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	close(fd);
	store_unit_done(&u);
}

/* Another boot: the clock goes past all that may have been shown, and what clients knew in between is not trusted. */
static void test_boot_gap(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_changes  c;
	struct store_view     v;
	struct store_info     before, after;
	struct boot_id        was = boot_id();
	uint64_t              inbox, highest;
	bool                  known;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 3, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	store_unit_append(a, inbox, STR("a: b\r\n\r\nc"), 0);
	assert_ok(store_info(a, &before));
	store_close(&a);
	store_free(&u.store);
	boot_id_set((struct boot_id){ 8, 9 });
	assert_ok(store_new(u.fd, NULL, &u.store));
	assert_ok(store_open(u.store, 3, &a));
	assert_ok(store_info(a, &after));
	assert_true(after.modseq >= before.modseq + 900);
	assert_ok(store_changes(a, inbox, before.modseq, u.arena, &c));
	assert_false(c.everything);
	assert_int_equal(c.row_count, 0);
	assert_ok(store_changes(a, inbox, before.modseq + 1, u.arena, &c));
	assert_true(c.everything);
	assert_int_equal(c.row_count, 1);
	assert_ok(store_changes(a, inbox, after.modseq, u.arena, &c));
	assert_false(c.everything);
	assert_ok(store_changes(a, inbox, after.modseq + 1, u.arena, &c));
	assert_true(c.everything);
	/* HIGHESTMODSEQ is past what may have been shown, and is itself a moment of which all is known. */
	assert_ok(store_highest(a, before.modseq, &highest));
	assert_true(highest >= before.modseq + 900 && highest <= after.modseq);
	assert_ok(store_modseq_known(a, highest, &known));
	assert_true(known);
	assert_ok(store_modseq_known(a, highest - 1, &known));
	assert_false(known);
	assert_ok(store_highest(a, after.modseq, &highest));
	assert_int_equal(highest, after.modseq);
	assert_st(store_view_load(a, inbox, before.modseq + 1, &v), ST_LIMIT);
	assert_ok(store_view_load(a, inbox, before.modseq, &v));
	assert_int_equal(v.count, 1);
	store_view_done(&v);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
	boot_id_set(was);
}

#ifdef POSTRIDER_FAULTS

/* The sync of one account fails: it is set aside, the others go on, the repair brings back what was settled. */
static void test_suspect(void **state)
{
	struct store_unit        u;
	struct store_account    *a;
	struct store_settled    *settled;
	struct store_new_message m = { .content = STR("a: b\r\n\r\nc") };
	struct store_added       added;
	struct store_view        v;
	struct store_info        info;
	size_t                   n;
	uint64_t                 inbox;

	(void)state;
	store_unit_open(&u, NULL);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_ok(store_open(u.store, i, &a));
		store_unit_deliver(a, u.arena, 1, STR("a: b\r\n\r\nsettled"));
		assert_ok(store_settle(a));
		store_unit_deliver(a, u.arena, 2, STR("a: b\r\n\r\nnot"));
		store_close(&a);
	}
	fault_set("disk.syncfs", "", 1, true, EIO); /* as it would: then each is asked for itself */
	fault_set("db.sync", "02/2/mail.db", 1, false, EIO);
	store_settle_all(u.store, u.arena, &settled, &n);
	fault_clear();
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_st(settled[i].status, settled[i].account == 2 ? ST_SUSPECT : ST_OK);
	assert_true(store_is_suspect(u.store, 2) && !store_is_suspect(u.store, 1));
	assert_ok(store_open(u.store, 2, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	assert_st(store_append(a, inbox, &m, 1, &added), ST_SUSPECT);
	assert_st(store_settle(a), ST_SUSPECT);
	assert_ok(store_view_load(a, inbox, UINT64_MAX, &v));
	store_view_done(&v);
	store_close(&a);
	assert_ok(store_repair(u.store, 2));
	assert_ok(store_open(u.store, 2, &a));
	assert_ok(store_info(a, &info));
	assert_int_equal(info.messages, 1);
	/* Its clock has gone past what may have been shown of the refused part. */
	assert_true(info.modseq > 900);
	assert_false(store_unit_deliver(a, u.arena, 2, STR("a: b\r\n\r\nnot")).duplicate);
	assert_ok(store_settle(a));
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

/* Accounts that are set aside are found by their marks and repaired, also one that is new and was never settled. */
static void test_repair_all(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_settled *settled;
	struct store_info     info;
	size_t                n;

	(void)state;
	store_unit_open(&u, NULL);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_ok(store_open(u.store, i, &a));
		store_unit_deliver(a, u.arena, 1, STR("a: b\r\n\r\nc"));
		if (i == 3)
			assert_ok(store_settle(a));
		store_unit_deliver(a, u.arena, 2, STR("a: b\r\n\r\nc"));
		store_close(&a);
	}
	fault_set("disk.syncfs", "", 1, true, EIO);
	fault_set("db.sync", "/mail.db", 1, true, EIO);
	store_settle_all(u.store, u.arena, &settled, &n);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_st(settled[i].status, ST_SUSPECT);
	fault_clear();
	fault_set("disk.sync", "mail.db.repair", 1, true, EIO);
	assert_int_equal(store_repair_all(u.store, always, NULL), 3); /* the disk has not recovered */
	fault_clear();
	assert_int_equal(store_repair_all(u.store, always, NULL), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_false(store_is_suspect(u.store, i));
		assert_ok(store_open(u.store, i, &a));
		assert_ok(store_info(a, &info));
		assert_int_equal(info.messages, i == 3);
		assert_false(store_unit_deliver(a, u.arena, 2, STR("a: b\r\n\r\nc")).duplicate);
		assert_ok(store_settle(a));
		store_unit_check(a);
		store_close(&a);
	}
	store_unit_done(&u);
}

/* Another process repairs the account between a delivery and its settling: nobody may say that the delivery is durable. */
static void test_repaired_meanwhile(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_settled *settled;
	size_t                n;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 2, &a));
	store_unit_deliver(a, u.arena, 1, STR("a: b\r\n\r\nsettled"));
	assert_ok(store_settle(a));
	store_unit_deliver(a, u.arena, 2, STR("a: b\r\n\r\nnot"));
	store_close(&a);
	db_mark_suspect("accounts/02/2/mail.db");
	assert_ok(db_repair("accounts/02/2/mail.db"));
	store_settle_all(u.store, u.arena, &settled, &n);
	assert_int_equal(n, 1);
	assert_st(settled[0].status, ST_TEMP);
	assert_ok(store_open(u.store, 2, &a));
	assert_true(store_unit_deliver(a, u.arena, 1, STR("a: b\r\n\r\nsettled")).duplicate);
	assert_false(store_unit_deliver(a, u.arena, 2, STR("a: b\r\n\r\nnot")).duplicate);
	store_close(&a);
	store_settle_all(u.store, u.arena, &settled, &n);
	assert_int_equal(n, 1);
	assert_st(settled[0].status, ST_OK);
	store_unit_done(&u);
}

/* The disk refuses the n-th write or sync of an append, for each n: all or nothing, and the account goes on. */
static void test_refused_writes(void **state)
{
	static const char *const points[] = { "db.write", "disk.write", "disk.rename" };
	struct store_unit        u;
	struct store_account    *a;
	struct str               content;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 3, &a));
	content = store_unit_message(u.arena, 1, LIMIT_INLINE + 10);
	for (size_t p = 0; p < LEN(points); p++) {
		for (unsigned nth = 1; nth < 30; nth++) {
			struct store_new_message m[2] = { { .content = STR("a: b\r\n\r\nc") }, { .content = content } };
			struct store_added       added[2];
			struct store_mailbox     before = store_unit_box(a, u.arena, "INBOX"), after;
			enum status              st;

			fault_set(points[p], "03/3", nth, false, ENOSPC);
			st = store_append(a, before.id, m, 2, added);
			fault_clear();
			after = store_unit_box(a, u.arena, "INBOX");
			assert_true(st == ST_OK || st == ST_FULL);
			assert_int_equal(after.messages, before.messages + (st == ST_OK ? 2 : 0));
		}
	}
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* What must go on meets a full disk: the reserve is given up once, and the repeat succeeds. */
static void test_reserve(void **state)
{
	struct store_options   options = { .reserve_octets = 1 * MIB, .watermark_octets = 1, .watermark_percent = 1 };
	struct store_unit      u;
	struct store_account  *a;
	struct str             content = STR("a: b\r\n\r\nc");
	struct store_target    t = { .mailbox = STR_NONE };
	struct store_delivery  d = { .id = 1, .targets = &t, .target_count = 1, .content = content, .size = content.n, .file = -1 };
	struct store_delivered got;

	(void)state;
	store_unit_open(&u, &options);
	if (store_full(u.store)) { /* the machine that runs the test has no room */
		store_unit_done(&u);
		skip();
	}
	assert_ok(store_open(u.store, 3, &a));
	assert_true(disk_exists(u.fd, "reserve"));
	fault_set("db.write", "03/3", 1, true, ENOSPC);
	assert_st(store_deliver(a, &d, 1, u.arena, &got), ST_TEMP);
	assert_false(disk_exists(u.fd, "reserve"));
	assert_true(store_full(u.store));
	assert_st(store_deliver(a, &d, 1, u.arena, &got), ST_FULL);
	fault_clear();
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_ok(store_settle(a));
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_concurrent),
		cmocka_unit_test(test_descriptor_only),
		cmocka_unit_test(test_boot_gap),
#ifdef POSTRIDER_FAULTS
		cmocka_unit_test(test_suspect),
		cmocka_unit_test(test_repair_all),
		cmocka_unit_test(test_repaired_meanwhile),
		cmocka_unit_test(test_refused_writes),
		cmocka_unit_test(test_reserve),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
