/* wire/pop3/pop3_command.h. RFC 2449 §3. */
#include "unit.h"

#include "wire/pop3/pop3_command.h"

static void test_commands(void **state)
{
	static const struct {
		struct str line, keyword, arg;
		bool       ok;
	} cases[] = {
		{ STR("STAT"), STR("STAT"), STR(""), true },
		{ STR("top 1 2"), STR("top"), STR("1 2"), true },
		{ STR("PASS a b "), STR("PASS"), STR("a b "), true },
		{ STR("PASS  x"), STR("PASS"), STR(" x"), true },
		{ STR("UTF8"), STR("UTF8"), STR(""), true },
		{ STR("X-NAME \xff"), STR("X-NAME"), STR("\xff"), true },
		{ STR("ABCDEFGHIJKLMNOP"), STR("ABCDEFGHIJKLMNOP"), STR(""), true },
		{ STR("ABCDEFGHIJKLMNOPQ"), .ok = false },
		{ STR(""), .ok = false },
		{ STR(" STAT"), .ok = false },
		{ STR("ST"), .ok = false },
		{ STR("STAT\t1"), .ok = false },
		{ STR("ST\x01T"), .ok = false },
		{ STR("S\xc3\xa9T"), .ok = false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str          line = unit_exact(cases[i].line);
		struct pop3_command c = { .keyword = STR("left") };

		assert_int_equal(pop3_command_parse(line, &c), cases[i].ok);
		assert_str(c.keyword, cases[i].ok ? cases[i].keyword : STR("left"));
		if (cases[i].ok)
			assert_str(c.arg, cases[i].arg);
		unit_exact_free(line);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		struct str arg;
		unsigned   max;
		bool       ok;
		unsigned   count;
		uint32_t   want[2];
	} cases[] = {
		{ STR("1"), 1, true, 1, { 1 } },
		{ STR("1 "), 1, true, 1, { 1 } },
		{ STR(" 1"), 1, true, 1, { 1 } },
		{ STR("0"), 1, true, 1, { 0 } },
		{ STR("0000000000000000000000007"), 1, true, 1, { 7 } },
		{ STR("4294967295"), 1, true, 1, { UINT32_MAX } },
		{ STR("4294967296"), 1, true, 1, { UINT32_MAX } },
		{ STR("18446744073709551617"), 1, true, 1, { UINT32_MAX } },
		{ STR("99999999999999999999999999999999999999 3"), 2, true, 2, { UINT32_MAX, 3 } },
		{ STR("1 2"), 2, true, 2, { 1, 2 } },
		{ STR("1"), 2, true, 1, { 1 } },
		{ STR("1 2"), 1, false, 0, { 0 } },
		{ STR("1 2 3"), 2, false, 0, { 0 } },
		{ STR("1  2"), 2, false, 0, { 0 } },
		{ STR(""), 1, false, 0, { 0 } },
		{ STR(" "), 1, false, 0, { 0 } },
		{ STR("-1"), 1, false, 0, { 0 } },
		{ STR("+1"), 1, false, 0, { 0 } },
		{ STR("0x1"), 1, false, 0, { 0 } },
		{ STR("1,2"), 2, false, 0, { 0 } },
		{ STR("1\t2"), 2, false, 0, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str arg = unit_exact(cases[i].arg);
		uint32_t   got[2] = { 0 };
		unsigned   count = 0;

		assert_int_equal(pop3_numbers(arg, cases[i].max, got, &count), cases[i].ok);
		assert_int_equal(count, cases[i].count);
		for (unsigned k = 0; k < count; k++)
			assert_int_equal(got[k], cases[i].want[k]);
		unit_exact_free(arg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_commands), cmocka_unit_test(test_numbers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
