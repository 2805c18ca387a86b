/* Quotas of deliveries (store_message.h): who fits, the grace, and that one that does not fit leaves nothing behind. */
#include "store_unit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
