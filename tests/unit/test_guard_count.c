/* guard/: addresses and networks as numbers, sliding counts, memos: windows, collisions, what makes room. */
#include "unit.h"

#include "guard/guard_count.h"
#include "guard/guard_ip.h"
#include "guard/guard_memo.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS  (24 * HOUR_MS)

/* ---- places ---- */

static void test_ip(void **state)
{
	static const struct {
		const char *text, *address, *network; /* NULL: none */
		bool        v4, loopback;
	} rows[] = {
		{ "192.0.2.7", "192.0.2.7", "192.0.2.0/24", true, false },
		{ "::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24", true, false },
		{ "127.0.0.1", "127.0.0.1", "127.0.0.0/24", true, true },
		{ "127.200.0.1", "127.200.0.1", "127.200.0.0/24", true, true },
		{ "0.0.0.0", "0.0.0.0", "0.0.0.0/24", true, false },
		{ "255.255.255.255", "255.255.255.255", "255.255.255.0/24", true, false },
		{ "2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48", false, false },
		{ "fe80::1%eth0", "fe80::/64", "fe80::/48", false, false },
		{ "", NULL, NULL, false, false },
		{ "1.2.3", NULL, NULL, false, false },
		{ "host.example", NULL, NULL, false, false },
		{ "192.0.2.7\n", NULL, NULL, false, false },
		{ "192.0.2.7.192.0.2.7.192.0.2.7.192.0.2.7.192.0.2.7.192.0.2.7.192.0.2.7", NULL, NULL, false, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct guard_ip ip;
		char            text[GUARD_PLACE_TEXT];
		uint64_t        back;

		assert_int_equal(guard_ip_parse(str_of(rows[i].text), &ip), rows[i].address != NULL);
		if (rows[i].address == NULL)
			continue;
		assert_int_equal(ip.v4, rows[i].v4);
		assert_int_equal(ip.loopback, rows[i].loopback);
		assert_str(guard_place_print(ip.address, text), str_of(rows[i].address));
		assert_true(guard_place_parse(str_of(text), &back) && back == ip.address);
		assert_str(guard_place_print(ip.network, text), str_of(rows[i].network));
		assert_true(guard_place_parse(str_of(text), &back) && back == ip.network);
		assert_true(guard_place_wide(ip.network) && !guard_place_wide(ip.address));
		assert_true(guard_place_around(ip.address) == ip.network && guard_place_around(ip.network) == ip.network);
	}
}

/* Different places are different numbers, also where the address tries to look like another kind. */
static void test_places_apart(void **state)
{
	static const char *const texts[] = { "192.0.2.0", "192.0.2.0/24", "2001:db8::", "2001:db8::/48", "::1", "0:ffff:c000:200::", "1:2001:db8::" };
	uint64_t                 places[LEN(texts)];

	(void)state;
	for (size_t i = 0; i < LEN(texts); i++) {
		assert_true(guard_place_parse(str_of(texts[i]), &places[i]));
		for (size_t k = 0; k < MIN(i, (size_t)4); k++)
			assert_true(places[i] != places[k]);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const wrong[] = { "192.0.2.0/25", "192.0.2.0/", "2001:db8::/32", "/24" };

		assert_false(guard_place_parse(str_of(wrong[i]), &places[0]));
	}
}

static void test_cidrs(void **state)
{
	static const struct {
		const char *list, *address;
		bool        in;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.8", false },
		{ "10.0.0.0/9, 192.0.2.128/25", "10.128.0.0", false },
		{ "10.0.0.0/9, 192.0.2.128/25", "192.0.2.128", true },
		{ "0.0.0.0/0", "198.51.100.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "", "192.0.2.7", false },
	};
	static const char *const wrong[] = { "x", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/-1", "192.0.2.0/24/1", "192.0.2.1,,192.0.2.2" };
	struct guard_cidrs       c;
	struct guard_ip          ip;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_true(guard_cidrs_parse(str_of(rows[i].list), &c));
		assert_true(guard_ip_parse(str_of(rows[i].address), &ip));
		if (guard_cidrs_have(&c, ip.octets) != rows[i].in)
			fail_msg("%s in \"%s\"", rows[i].address, rows[i].list);
	}
	for (size_t i = 0; i < LEN(wrong); i++)
		assert_false(guard_cidrs_parse(str_of(wrong[i]), &c));
}

/* ---- counts ---- */

static void test_windows(void **state)
{
	struct guard_counts   t;
	struct guard_counter *c;

	(void)state;
	guard_counts_init(&t, 4);
	c = guard_counts_get(&t, 7, 10 * HOUR_MS);
	guard_counter_add(c, GUARD_MESSAGES, 100);
	assert_int_equal(guard_counter_hour(c, GUARD_MESSAGES, 10 * HOUR_MS), 100);
	assert_int_equal(guard_counter_hour(c, GUARD_RCPTS, 10 * HOUR_MS), 0);
	/* The next hour: what was before fades evenly. */
	for (int quarter = 0; quarter <= 4; quarter++) {
		int64_t now = 11 * HOUR_MS + quarter * HOUR_MS / 4;

		c = guard_counts_find(&t, 7, now);
		assert_non_null(c);
		assert_int_equal(guard_counter_hour(c, GUARD_MESSAGES, now), 100 - 25 * quarter);
	}
	assert_int_equal(guard_counter_day(c, GUARD_MESSAGES, 12 * HOUR_MS), 100);
	/* Two hours later nothing of it is left; of the day, until the day after. */
	c = guard_counts_get(&t, 7, 13 * HOUR_MS);
	assert_int_equal(guard_counter_hour(c, GUARD_MESSAGES, 13 * HOUR_MS), 0);
	c = guard_counts_get(&t, 7, 36 * HOUR_MS);
	assert_int_equal(guard_counter_day(c, GUARD_MESSAGES, 36 * HOUR_MS), 50);
	c = guard_counts_get(&t, 7, 2 * DAY_MS);
	assert_int_equal(guard_counter_day(c, GUARD_MESSAGES, 2 * DAY_MS), 0);
	/* No overflow. */
	guard_counter_add(c, GUARD_KIB, UINT64_MAX / 2);
	guard_counter_add(c, GUARD_KIB, UINT32_MAX);
	assert_int_equal(guard_counter_hour(c, GUARD_KIB, 2 * DAY_MS), UINT32_MAX);
	guard_counter_forget(c, GUARD_KIB);
	assert_int_equal(guard_counter_hour(c, GUARD_KIB, 2 * DAY_MS), 0);
	guard_counts_done(&t);
}

/* All keys meet in one set: the quiet ones make room, the busy ones stay. */
static void test_collisions(void **state)
{
	struct guard_counts t;

	(void)state;
	guard_counts_init(&t, 1);
	guard_counter_add(guard_counts_get(&t, 1, 0), GUARD_FAILURES, 5);
	for (uint64_t key = 2; key < 1000; key++) {
		int64_t now = (int64_t)key * 1000;

		guard_counter_add(guard_counts_get(&t, key, now), GUARD_FAILURES, 1);
		assert_int_equal(guard_counter_hour(guard_counts_get(&t, 1, now), GUARD_FAILURES, now), 5);
		assert_null(key >= 2 + GUARD_WAYS ? guard_counts_find(&t, key - GUARD_WAYS, now) : NULL);
		assert_non_null(guard_counts_find(&t, key, now));
	}
	guard_counts_done(&t);
}

/* ---- memos ---- */

static void test_memos(void **state)
{
	static const uint8_t secret[GUARD_SECRET] = "fifteen octets.";
	struct guard_memos   t, other;
	struct guard_memo   *m, rows[64];
	uint64_t             slots[64];
	size_t               at = 0, n;

	(void)state;
	guard_memos_init(&t, 1, secret);
	guard_memos_init(&other, 1, secret);
	assert_null(guard_memos_find(&t, 1, 2));
	for (uint64_t a = 1; a <= 20; a++)
		guard_memos_get(&t, a, 0, (int64_t)a);
	assert_null(guard_memos_find(&t, 12, 0)); /* quiet longest */
	m = guard_memos_find(&t, 13, 0);
	assert_non_null(m);
	guard_memos_forget(&t, m);
	/* What is written is read back into the same places; the file never has more rows than there are slots. */
	n = guard_memos_take(&t, &at, rows, slots, 64);
	assert_int_equal(n, 8);
	assert_int_equal(guard_memos_take(&t, &at, rows, slots, 64), 0);
	assert_int_equal(t.dirty, 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(guard_memos_load(&other, slots[i], &rows[i]), rows[i].a != 0);
	for (uint64_t a = 14; a <= 20; a++)
		assert_int_equal(guard_memos_find(&other, a, 0)->first_ms, (int64_t)a);
	assert_false(guard_memos_load(&other, 8, &rows[0]));
	assert_false(guard_memos_load(&other, UINT64_MAX, &rows[0]));
	guard_memos_done(&other);
	/* In a larger table, a row that stands elsewhere than its key says is dropped. */
	guard_memos_init(&other, 64, secret);
	m = guard_memos_get(&other, 99, 0, 1);
	n = (size_t)(m - other.rows);
	assert_false(guard_memos_load(&other, (n + 8) % (64 * 8), m));
	guard_memos_done(&other);
	guard_memos_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip),         cmocka_unit_test(test_places_apart), cmocka_unit_test(test_cidrs),
		cmocka_unit_test(test_windows),    cmocka_unit_test(test_collisions),   cmocka_unit_test(test_memos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
