/* tests/unit/test_config_text.c - "${...}" in a configuration file is text in quotes, and nothing elsewhere. */
#include "unit.h"

#include "role/config_text.h"

static void test_rows(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
		unsigned    line;
	} rows[] = {
		{ "a = \"${x}\"\n", "a = \"\\${x}\"\n", 0 },
		{ "a = '${x}'\n", "a = '${x}'\n", 0 },
		{ "a = \"\\${x} \\\" ${y}\"", "a = \"\\${x} \\\" \\${y}\"", 0 },
		{ "a = \"\\\\${x}\"", "a = \"\\\\\\${x}\"", 0 }, /* the backslash is a pair of its own */
		{ "a = \"'${x}'\" 'it \\' ${y}'", "a = \"'\\${x}'\" 'it \\' ${y}'", 0 },
		{ "# ${x}\n// ${x}\n/* ${x} \" */ a = \"$x $\"", "# ${x}\n// ${x}\n/* ${x} \" */ a = \"$x $\"", 0 },
		{ "a = 1\nb = ${x}", NULL, 2 },
		{ "/* \n\n */ ${x}", NULL, 3 },
		{ "a = \"1\n2\\\n3\" ${x}", NULL, 3 },
		{ "", "", 0 },
		{ "\"\\", "\"\\", 0 },
		{ "$", "$", 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = unit_exact(str_of(rows[i].in));
		struct buf out;
		unsigned   line = 0;

		buf_init(&out, KIB);
		if (config_text_take(in, &out, &line) != (rows[i].out != NULL))
			fail_msg("%s", rows[i].in);
		if (rows[i].out)
			assert_str(buf_str(&out), str_of(rows[i].out));
		assert_int_equal(line, rows[i].line);
		buf_done(&out);
		unit_exact_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
