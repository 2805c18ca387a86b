/* Quotas of deliveries (store_message.h): who fits, the grace, and that one that does not fit leaves nothing behind. */
#include "store_unit.h"

#include "store/store_internal.h"

static struct str sized(struct arena *a, unsigned n, size_t octets)
{
	struct str s = store_unit_message(a, n, octets);

	assert_int_equal(s.n, octets);
	return s;
}

static struct store_delivered deliver(struct store_account *a, struct arena *arena, uint64_t id, size_t octets, uint64_t quota)
{
	struct store_target    t = { .mailbox = STR_NONE };
	struct str             content = sized(arena, (unsigned)id, octets);
	struct store_delivery  d = { .id = id, .targets = &t, .target_count = 1, .content = content, .file = -1, .size = content.n,
				     .received_ms = 1136214245000, .quota_octets = quota };
	struct store_delivered got;

	assert_ok(store_deliver(a, &d, 1, arena, &got));
	return got;
}

static uint64_t messages(struct store_account *a, struct arena *arena)
{
	return store_unit_box(a, arena, "INBOX").messages;
}

static void test_limits(void **state)
{
	static const struct {
		uint64_t used, quota;
		size_t   octets;
		bool     fits;
	} cases[] = {
		{ 0, 0, 100000, true },      /* no quota */
		{ 0, 10000, 1000, true },    { 9000, 10000, 1000, true },  { 9000, 10000, 1001, true }, /* the grace, 10 % */
		{ 9000, 10000, 2000, true }, { 9000, 10000, 2001, false }, { 9999, 10000, 1001, true }, { 9999, 10000, 1002, false },
		{ 10000, 10000, 300, false }, /* at the limit nothing more */
		{ 12000, 10000, 300, false }, /* the quota was made smaller */
		{ 0, 10000, 11000, true },   { 0, 10000, 11001, false },
		{ 0, 100, 300, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct store_unit      u;
		struct store_account  *a;
		struct store_delivered got;
		uint64_t               before;

		store_unit_open(&u, &(struct store_options){ 0 });
		assert_ok(store_open(u.store, 3, &a));
		if (cases[i].used > 0)
			assert_int_equal(deliver(a, u.arena, 1, cases[i].used, 0).usage_octets, cases[i].used);
		before = cases[i].used > 0;
		got = deliver(a, u.arena, 2, cases[i].octets, cases[i].quota);
		assert_int_equal(got.over_quota, !cases[i].fits);
		assert_int_equal(got.usage_octets, cases[i].used + (cases[i].fits ? cases[i].octets : 0));
		assert_false(got.duplicate);
		assert_int_equal(cases[i].fits || before ? messages(a, u.arena) : 0, before + cases[i].fits);
		if (!cases[i].fits) { /* its id is free: it may come again when there is room */
			got = deliver(a, u.arena, 2, cases[i].octets, 0);
			assert_false(got.over_quota || got.duplicate);
		}
		/* A repeat of what is there is done, full or not. */
		got = deliver(a, u.arena, 2, cases[i].octets, 1);
		assert_true(got.duplicate && !got.over_quota);
		store_unit_check(a);
		store_close(&a);
		store_unit_done(&u);
	}
}

/* In one transaction: those before the one that does not fit are there, and smaller ones behind it too. */
static void test_batch(void **state)
{
	static const size_t    sizes[] = { 4000, 4000, 9000, 500, 4000, 600 };
	static const bool      fits[] = { true, true, false, true, false, true };
	struct store_unit      u;
	struct store_account  *a;
	struct store_target    t = { .mailbox = STR_NONE };
	struct store_delivery  list[LEN(sizes)];
	struct store_delivered got[LEN(sizes)];

	(void)state;
	store_unit_open(&u, &(struct store_options){ 0 });
	assert_ok(store_open(u.store, 3, &a));
	for (size_t i = 0; i < LEN(sizes); i++) {
		struct str content = sized(u.arena, (unsigned)i, sizes[i]);

		list[i] = (struct store_delivery){ .id = i + 1, .targets = &t, .target_count = 1, .content = content, .file = -1,
						   .size = content.n, .received_ms = 1, .quota_octets = 10000 };
	}
	for (int repeat = 0; repeat < 2; repeat++) {
		assert_ok(store_deliver(a, list, LEN(sizes), u.arena, got));
		for (size_t i = 0; i < LEN(sizes); i++) {
			assert_int_equal(got[i].over_quota, !fits[i]);
			assert_int_equal(got[i].duplicate, repeat && fits[i]);
			assert_int_equal(got[i].usage_octets, 9100);
		}
		assert_int_equal(messages(a, u.arena), 4);
	}
	/* A discard takes no room. */
	list[0] = (struct store_delivery){ .id = 99, .file = -1, .quota_octets = 1 };
	assert_ok(store_deliver(a, list, 1, u.arena, got));
	assert_false(got[0].over_quota);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* ---- what sessions add ---- */

static struct store_unit unit;

static struct store_account *account(const struct store_options *options, uint64_t id)
{
	struct store_account *a;

	store_unit_open(&unit, options);
	assert_ok(store_open(unit.store, id, &a));
	return a;
}

static void done(struct store_account *a)
{
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

static enum status append(struct store_account *a, unsigned n, size_t octets, size_t count)
{
	struct store_new_message m[3];
	struct store_added       added[3];

	for (size_t i = 0; i < count; i++)
		m[i] = (struct store_new_message){ .content = sized(unit.arena, n + (unsigned)i, octets), .internal_ms = 1 };
	return store_append(a, store_unit_box(a, unit.arena, "INBOX").id, m, count, added);
}

static void limit(struct store_account *a, uint64_t octets, uint64_t count, bool strict)
{
	store_quota_set(a, &(struct store_quota){ octets, count, strict }, STR("ann@demo.test"));
}

static void test_append(void **state)
{
	struct store_account *a = account(NULL, 3);

	(void)state;
	limit(a, 10000, 0, false);
	assert_ok(append(a, 1, 9000, 1));
	assert_ok(store_quota_fits(a, 1, 2000));
	assert_st(store_quota_fits(a, 1, 2001), ST_QUOTA);
	assert_st(append(a, 2, 2001, 1), ST_QUOTA);
	assert_st(append(a, 2, 1000, 3), ST_QUOTA); /* all or nothing */
	assert_int_equal(messages(a, unit.arena), 1);
	limit(a, 10000, 0, true); /* no grace */
	assert_st(append(a, 2, 1001, 1), ST_QUOTA);
	assert_ok(append(a, 2, 1000, 1));
	assert_st(append(a, 3, 300, 1), ST_QUOTA);
	limit(a, 0, 0, false);
	assert_ok(append(a, 3, 9000, 1));
	done(a);
}

static void test_messages(void **state)
{
	struct store_account *a = account(NULL, 3);

	(void)state;
	limit(a, 0, 3, false);
	assert_ok(append(a, 1, 300, 2));
	assert_st(append(a, 3, 300, 2), ST_QUOTA);
	assert_ok(append(a, 3, 300, 1));
	assert_st(append(a, 4, 300, 1), ST_QUOTA);
	assert_st(store_quota_fits(a, 1, 0), ST_QUOTA);
	limit(a, 0, 2, false); /* made smaller */
	assert_st(append(a, 4, 300, 1), ST_QUOTA);
	limit(a, UINT64_MAX, UINT64_MAX, false);
	assert_ok(append(a, 4, 300, 1));
	done(a);
}

/* A copy counts, a move inside the account does not. */
static void test_copy(void **state)
{
	struct store_account *a = account(NULL, 3);
	struct store_copied   got;
	struct store_expunged gone;
	uint64_t              inbox, trash;

	(void)state;
	assert_ok(append(a, 1, 4000, 2));
	inbox = store_unit_box(a, unit.arena, "INBOX").id;
	trash = store_unit_box(a, unit.arena, "Trash").id;
	limit(a, 10000, 0, false);
	assert_st(store_copy(a, inbox, STORE_SET_ALL, trash, unit.arena, &got), ST_QUOTA);
	limit(a, 12000, 0, true);
	assert_ok(store_copy(a, inbox, (struct store_set){ &(struct store_range){ 1, 1 }, 1 }, trash, unit.arena, &got));
	assert_st(store_copy(a, inbox, (struct store_set){ &(struct store_range){ 1, 1 }, 1 }, trash, unit.arena, &got), ST_QUOTA);
	assert_ok(store_copy(a, inbox, (struct store_set){ &(struct store_range){ 9, 9 }, 1 }, trash, unit.arena, &got)); /* of nothing */
	assert_ok(store_move(a, inbox, STORE_SET_ALL, trash, unit.arena, &got));
	assert_ok(store_expunge(a, trash, STORE_SET_ALL, false, unit.arena, &gone));
	assert_ok(append(a, 5, 4000, 1));
	done(a);
}

/* The limits end with the handle's use. */
static void test_handle(void **state)
{
	struct store_account *a = account(NULL, 3);

	(void)state;
	limit(a, 100, 1, false);
	assert_st(append(a, 1, 300, 1), ST_QUOTA);
	store_close(&a);
	assert_ok(store_open(unit.store, 3, &a));
	assert_ok(append(a, 1, 300, 1));
	done(a);
}

/* ---- warnings ---- */

static const struct store_options warned = { .warn = { 50, 80 }, .hostname = "mx.demo.test" };

/* Delivered under a quota of 100 kB for a named owner. */
static void fill(struct store_account *a, uint64_t id, size_t octets)
{
	struct store_target    t = { .mailbox = STR("Archive") };
	struct str             content = sized(unit.arena, (unsigned)id, octets);
	struct store_delivery  d = { .id = id, .targets = &t, .target_count = 1, .content = content, .file = -1, .size = content.n, .received_ms = 1,
				     .quota_octets = 100000, .address = STR("ann@demo.test") };
	struct store_delivered got;

	assert_ok(store_deliver(a, &d, 1, unit.arena, &got));
	assert_false(got.over_quota);
}

static void test_warn_once(void **state)
{
	struct store_account *a = account(&warned, 3);
	struct store_expunged gone;

	(void)state;
	fill(a, 1, 49000);
	assert_int_equal(messages(a, unit.arena), 0);
	fill(a, 2, 1500);
	assert_int_equal(messages(a, unit.arena), 1); /* 50 % */
	fill(a, 3, 1500);
	assert_int_equal(messages(a, unit.arena), 1);
	fill(a, 4, 30000);
	assert_int_equal(messages(a, unit.arena), 2); /* 80 % */
	fill(a, 5, 300);
	assert_int_equal(messages(a, unit.arena), 2);
	/* A little below and above again: no third. */
	limit(a, 100000, 0, false);
	assert_ok(store_expunge(a, store_unit_box(a, unit.arena, "Archive").id, (struct store_set){ &(struct store_range){ 2, 3 }, 1 }, false,
				unit.arena, &gone));
	fill(a, 6, 3000);
	assert_int_equal(messages(a, unit.arena), 2);
	/* Far below, and above again: both are due again, and one of them is enough. */
	assert_ok(store_expunge(a, store_unit_box(a, unit.arena, "Archive").id, STORE_SET_ALL, false, unit.arena, &gone));
	fill(a, 7, 90000);
	assert_int_equal(messages(a, unit.arena), 3);
	done(a);
}

static void test_warning_text(void **state)
{
	struct store_account *a = account(&warned, 3);
	struct store_view     v;
	struct store_email    e;
	struct buf            b;

	(void)state;
	limit(a, 0, 2, false);
	assert_ok(append(a, 1, 300, 1)); /* by a session, of messages: 50 % */
	assert_int_equal(messages(a, unit.arena), 2);
	assert_ok(store_view_load(a, store_unit_box(a, unit.arena, "INBOX").id, UINT64_MAX, &v));
	assert_int_equal(v.rows[1].flags, 0);
	assert_ok(store_facts(a, &v.rows[1].email, 1, STORE_FACT_SORT, unit.arena, &e));
	buf_init(&b, 10000);
	assert_ok(store_read(a, v.rows[1].email, 0, 10000, &b));
	assert_true(str_starts(buf_str(&b), STR("From: Mail system <MAILER-DAEMON@mx.demo.test>\r\nTo: <ann@demo.test>\r\n"
						 "Subject: Your mailbox is 50% full\r\n")));
	assert_non_null(memmem(b.p, b.n, "Auto-Submitted: auto-generated\r\n", 32));
	assert_non_null(memmem(b.p, b.n, "Messages: 1 of 2\r\n", 18));
	for (size_t i = 0; i < b.n; i++)
		assert_true(b.p[i] == '\r' || b.p[i] == '\n' || (b.p[i] >= ' ' && b.p[i] < 127));
	buf_done(&b);
	store_view_done(&v);
	done(a);
}

/* Without an owner's name, without percents, without limits: nobody is told. */
static void test_no_warning(void **state)
{
	struct store_account *a = account(&warned, 3);

	(void)state;
	store_quota_set(a, &(struct store_quota){ 1000, 0, false }, STR(""));
	assert_ok(append(a, 1, 900, 1));
	limit(a, 0, 0, false);
	assert_ok(append(a, 2, 900, 1));
	assert_int_equal(messages(a, unit.arena), 2);
	done(a);
	a = account(NULL, 3);
	limit(a, 1000, 0, false);
	assert_ok(append(a, 1, 900, 1));
	assert_int_equal(messages(a, unit.arena), 1);
	done(a);
}

/* A database of the first version gets the table. */
static void test_upgrade(void **state)
{
	const struct db_schema first = { store_schema.steps, 1 };
	struct store_account  *a;
	struct db             *db;

	(void)state;
	store_unit_open(&unit, &warned);
	assert_ok(disk_make_dir(unit.fd, "03"));
	assert_ok(disk_make_dir(unit.fd, "03/3"));
	assert_ok(disk_make_dir(unit.fd, "03/3/content"));
	assert_ok(db_open("accounts/03/3/mail.db", &(struct db_options){ .schema = &first, .create = true }, &db));
	assert_ok(db_sync(db));
	db_close(&db);
	assert_ok(store_open(unit.store, 3, &a));
	fill(a, 1, 60000);
	assert_int_equal(messages(a, unit.arena), 1);
	done(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_handle),
		cmocka_unit_test(test_warn_once),
		cmocka_unit_test(test_warning_text),
		cmocka_unit_test(test_no_warning),
		cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
