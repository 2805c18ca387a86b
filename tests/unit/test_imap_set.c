/* wire/imap/imap_set.h: sequence sets (RFC 9051 §9). */
#include "unit.h"

#include <stdio.h>

#include "wire/imap/imap_set.h"

static void print_set(struct buf *out, const struct imap_set *s)
{
	buf_clear(out);
	for (size_t i = 0; i < s->count; i++)
		buf_addf(out, "%s%u:%u", i ? "," : "", s->ranges[i].first, s->ranges[i].last);
}

static void test_resolve(void **state)
{
	static const struct {
		struct str  in;
		bool        ok;
		uint32_t    largest;
		const char *resolved;
		bool        beyond;
	} cases[] = {
		{ STR("1"), true, 5, "1:1", false },
		{ STR("*"), true, 5, "5:5", false },
		{ STR("*"), true, 0, "", false },
		{ STR("1:*"), true, 0, "", false },
		{ STR("*:*"), true, 0, "", false },
		{ STR("4:2"), true, 5, "2:4", false },
		{ STR("1:4294967295"), true, 5, "1:5", false },
		{ STR("4294967295:1"), true, 5, "1:5", false },
		{ STR("5,3:4,1,2"), true, 9, "1:5", false },
		{ STR("7:*"), true, 5, "5:5", true },
		{ STR("*:7"), true, 5, "5:5", true },
		{ STR("6"), true, 5, "", true },
		{ STR("1,6:7"), true, 5, "1:1", true },
		{ STR("1:3,2:8,4"), true, 5, "1:5", false },
		{ STR("4294967295"), true, UINT32_MAX, "4294967295:4294967295", false },
		{ STR("1:2,4294967294:*"), true, UINT32_MAX, "1:2,4294967294:4294967295", false },
		{ STR("0"), false, 0, "", false },
		{ STR("01"), false, 0, "", false },
		{ STR("1,"), false, 0, "", false },
		{ STR(",1"), false, 0, "", false },
		{ STR("1:"), false, 0, "", false },
		{ STR("1:0"), false, 0, "", false },
		{ STR("4294967296"), false, 0, "", false },
		{ STR(""), false, 0, "", false },
		{ STR("a"), false, 0, "", false },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str      in = unit_exact(cases[i].in);
		struct imap_lex x = { .in = in, .arena = arena_new(NULL) };
		struct imap_set set, r;

		assert_int_equal(imap_lex_set(&x, &set) && imap_lex_end(&x), cases[i].ok);
		if (cases[i].ok) {
			r = imap_set_resolve(&set, cases[i].largest, x.arena);
			print_set(&out, &r);
			assert_str(buf_str(&out), str_of(cases[i].resolved));
			assert_int_equal(imap_set_beyond(&set, cases[i].largest), cases[i].beyond);
		}
		arena_free(&x.arena);
		unit_exact_free(in);
	}
	buf_done(&out);
}

static void test_limit(void **state)
{
	struct buf      out;
	struct imap_lex x = { .arena = arena_new(NULL) };
	struct imap_set set, r;

	(void)state;
	buf_init(&out, MIB);
	for (size_t i = 0; i < LIMIT_IMAP_SET; i++)
		buf_addf(&out, "%s%zu", i ? "," : "", 2 * i + 1);
	x.in = buf_str(&out);
	assert_true(imap_lex_set(&x, &set));
	r = imap_set_resolve(&set, UINT32_MAX, x.arena);
	assert_int_equal(r.count, LIMIT_IMAP_SET);
	assert_int_equal(imap_set_size(&r), LIMIT_IMAP_SET);
	assert_true(imap_set_has(&r, 1));
	assert_false(imap_set_has(&r, 2));
	assert_true(imap_set_has(&r, 2 * LIMIT_IMAP_SET - 1));
	assert_false(imap_set_has(&r, 2 * LIMIT_IMAP_SET));
	buf_add(&out, STR(",1"));
	x.in = buf_str(&out);
	assert_false(imap_lex_set(&x, &set));
	arena_free(&x.arena);
	buf_done(&out);
}

static void test_writer(void **state)
{
	static const uint32_t  in[] = { 1, 2, 3, 7, 9, 10, 4, 4294967295u };
	struct imap_set_writer w;
	struct buf             out;

	(void)state;
	buf_init(&out, 100);
	imap_set_writer_init(&w, &out);
	for (size_t i = 0; i < LEN(in); i++)
		imap_set_writer_add(&w, in[i]);
	imap_set_writer_done(&w);
	assert_str(buf_str(&out), STR("1:3,7,9:10,4,4294967295"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
