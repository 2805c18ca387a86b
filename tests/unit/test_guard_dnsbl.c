/* guard/guard_dnsbl.h: the setting, names to ask (RFC 5782 §2.1, §2.4), which answers count. */
#include "unit.h"

#include "guard/guard_dnsbl.h"

static const struct {
	const char *text;
	unsigned    count;
	int         weights[4];
	const char *wrong; /* NULL: it is right */
} settings[] = {
	{ "", 0, { 0 }, NULL },
	{ "   ", 0, { 0 }, NULL },
	{ "zen.example", 1, { 1 }, NULL },
	{ "zen.example=3, list.example=127.0.0.[2-4]*2, wl.example=-5", 3, { 3, 2, -5 }, NULL },
	{ " Zen.Example = 3 ,a.b=127.0.[0;2-4;255].2", 2, { 3, 1 }, NULL },
	{ "a.b=127.0.0.2*-100", 1, { -100 }, NULL },
	{ "_x-1.2b.example=100", 1, { 100 }, NULL },
	{ "zen", 0, { 0 }, "zen" },
	{ "a..b", 0, { 0 }, "a..b" },
	{ ".a.b", 0, { 0 }, ".a.b" },
	{ "a.b.", 0, { 0 }, "a.b." },
	{ "a.b,", 1, { 1 }, NULL },
	{ "a.b,,c.d", 0, { 0 }, "" },
	{ "10.0.0.1", 0, { 0 }, "10.0.0.1" },
	{ "a.b=", 0, { 0 }, "a.b=" },
	{ "a.b=0", 0, { 0 }, "a.b=0" },
	{ "a.b=101", 0, { 0 }, "a.b=101" },
	{ "a.b=--1", 0, { 0 }, "a.b=--1" },
	{ "a.b=99999999999999999999999", 0, { 0 }, "a.b=99999999999999999999999" },
	{ "a.b=127.0.0", 0, { 0 }, "a.b=127.0.0" },
	{ "a.b=127.0.0.256", 0, { 0 }, "a.b=127.0.0.256" },
	{ "a.b=127.0.0.2.3", 0, { 0 }, "a.b=127.0.0.2.3" },
	{ "a.b=127.0.0.2-4", 0, { 0 }, "a.b=127.0.0.2-4" },
	{ "a.b=127.0.0.[4-2]", 0, { 0 }, "a.b=127.0.0.[4-2]" },
	{ "a.b=127.0.0.[2", 0, { 0 }, "a.b=127.0.0.[2" },
	{ "a.b=127.0.0.[]", 0, { 0 }, "a.b=127.0.0.[]" },
	{ "a.b=127.0.0.2*", 0, { 0 }, "a.b=127.0.0.2*" },
	{ "a.b=127.0.0.2*0", 0, { 0 }, "a.b=127.0.0.2*0" },
	{ "a.b=127.0.0.2 * 3", 0, { 0 }, "a.b=127.0.0.2 * 3" },
	{ "a b.c", 0, { 0 }, "a b.c" },
	{ "c.d, \xc3\xa4.example", 0, { 0 }, "\xc3\xa4.example" },
};

static void test_settings(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(settings); i++) {
		struct str         exact = unit_exact(str_of(settings[i].text)), at = STR_NONE;
		struct guard_zones z;
		bool               ok = guard_zones_parse(exact, &z, &at);

		if (ok != (settings[i].wrong == NULL))
			fail_msg("\"%s\"", settings[i].text);
		if (ok) {
			assert_int_equal(z.count, settings[i].count);
			for (unsigned k = 0; k < z.count; k++)
				assert_int_equal(z.item[k].weight, settings[i].weights[k]);
		} else {
			assert_str(at, str_of(settings[i].wrong));
		}
		unit_exact_free(exact);
	}
}

static void test_too_many(void **state)
{
	struct buf         b;
	struct guard_zones z;
	struct str         at;

	(void)state;
	buf_init(&b, KIB);
	for (size_t i = 0; i < LIMIT_GUARD_ZONES; i++)
		buf_addf(&b, "%sz%zu.example", i > 0 ? "," : "", i);
	assert_true(guard_zones_parse(buf_str(&b), &z, &at));
	assert_int_equal(z.count, LIMIT_GUARD_ZONES);
	buf_add(&b, STR(",last.example"));
	assert_false(guard_zones_parse(buf_str(&b), &z, &at));
	buf_done(&b);
	buf_init(&b, KIB);
	for (size_t i = 0; i < GUARD_ZONE_NAME / 2; i++)
		buf_add(&b, STR("a."));
	b.p[b.n - 1] = 'b'; /* one octet short of the limit: a.a. ... .ab */
	assert_true(guard_zones_parse(buf_str(&b), &z, &at));
	buf_add(&b, STR("c"));
	assert_false(guard_zones_parse(buf_str(&b), &z, &at));
	buf_done(&b);
}

static void test_again(void **state)
{
	struct guard_zones z;
	struct str         at;

	(void)state;
	assert_true(guard_zones_parse(STR("a.b=127.0.0.2*3, c.d, A.B=127.0.0.3*5"), &z, &at));
	assert_false(z.item[0].again);
	assert_false(z.item[1].again);
	assert_true(z.item[2].again);
}

static void test_questions(void **state)
{
	static const struct {
		const char *address, *name;
	} rows[] = {
		{ "192.0.2.99", "99.2.0.192.zen.example" },
		{ "::ffff:192.0.2.99", "99.2.0.192.zen.example" },
		{ "2001:db8:1:2:3:4:567:89ab", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.zen.example" },
	};
	struct guard_zones z;
	struct str         at;

	(void)state;
	assert_true(guard_zones_parse(STR("zen.example"), &z, &at));
	for (size_t i = 0; i < LEN(rows); i++) {
		struct guard_ip ip;
		struct buf      b;

		buf_init(&b, LIMIT_DOMAIN);
		assert_true(guard_ip_parse(str_of(rows[i].address), &ip));
		guard_zone_question(&z.item[0], &ip, &b);
		assert_str(buf_str(&b), str_of(rows[i].name));
		buf_done(&b);
	}
}

static void test_answers(void **state)
{
	static const struct {
		const char *zone, *answers; /* separated by spaces */
		bool        match;
	} rows[] = {
		{ "a.b", "127.0.0.2", true },
		{ "a.b", "127.1.2.3", true },
		{ "a.b", "", false },
		{ "a.b", "192.0.2.1", false },        /* a domain that lapsed, and answers everything */
		{ "a.b", "192.0.2.1 127.0.0.9", true },
		{ "a.b", "127.255.255.254", false },  /* "you may not ask" */
		{ "a.b", "127.255.254.1", true },
		{ "a.b", "2001:db8::1 nonsense", false },
		{ "a.b=127.0.0.[2-4]", "127.0.0.5", false },
		{ "a.b=127.0.0.[2-4]", "127.0.0.5 127.0.0.4", true },
		{ "a.b=127.0.0.[2-4]", "127.0.1.2", false },
		{ "a.b=127.0.0.[0-255]", "127.0.0.255", true },
		{ "a.b=127.255.255.[0-255]", "127.255.255.1", false },
		{ "a.b=127.0.[64;128].1", "127.0.128.1", true },
		{ "a.b=127.0.0.2", "127.0.0.9 127.0.0.9 127.0.0.9 127.0.0.9 127.0.0.9 127.0.0.9 127.0.0.9 127.0.0.9 127.0.0.2", false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct guard_zones   z;
		struct guard_listing l = { 0 };
		struct str           at, rest = str_of(rows[i].answers), one;

		assert_true(guard_zones_parse(str_of(rows[i].zone), &z, &at));
		while (rest.n > 0) {
			str_cut(rest, ' ', &one, &rest);
			guard_listing_add(&l, one);
		}
		if (guard_zone_match(&z.item[0], &l) != rows[i].match)
			fail_msg("%s: %s", rows[i].zone, rows[i].answers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings), cmocka_unit_test(test_too_many), cmocka_unit_test(test_again),
		cmocka_unit_test(test_questions), cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
