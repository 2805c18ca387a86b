/* tests/unit/test_text_quantity.c - sizes and times with units, each text in an exact-size block. */
#include "unit.h"

#include "wire/text/text_quantity.h"

static void test_quantity(void **state)
{
	static const struct {
		const char *text;
		bool        size_ok, seconds_ok;
		uint64_t    size, seconds;
	} rows[] = {
		{ "0", true, true, 0, 0 },
		{ "50", true, true, 50, 50 },
		{ "50M", true, true, 50ull << 20, 3000 },
		{ "50m", true, true, 50ull << 20, 3000 },
		{ "1k", true, false, 1024, 0 },
		{ "2G", true, false, 2ull << 30, 0 },
		{ "3t", true, false, 3ull << 40, 0 },
		{ "7s", false, true, 0, 7 },
		{ "4h", false, true, 0, 14400 },
		{ "5d", false, true, 0, 432000 },
		{ "18446744073709551615", true, true, UINT64_MAX, UINT64_MAX },
		{ "18446744073709551616", false, false, 0, 0 },
		{ "18446744073709551615k", false, false, 0, 0 },
		{ "18446744073709551615d", false, false, 0, 0 },
		{ "1w", false, false, 0, 0 },
		{ "1mm", false, false, 0, 0 },
		{ "1 m", false, false, 0, 0 },
		{ "-1", false, false, 0, 0 },
		{ "m", false, false, 0, 0 },
		{ "", false, false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str text = unit_exact(str_of(rows[i].text));
		uint64_t   size = 77, seconds = 77;

		if (text_size_parse(text, &size) != rows[i].size_ok || text_seconds_parse(text, &seconds) != rows[i].seconds_ok)
			fail_msg("%s", rows[i].text);
		assert_int_equal(size, rows[i].size_ok ? rows[i].size : 77);
		assert_int_equal(seconds, rows[i].seconds_ok ? rows[i].seconds : 77);
		unit_exact_free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_quantity) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
