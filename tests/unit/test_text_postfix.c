/* tests/unit/test_text_postfix.c - main.cf, tables, and $name in them. */
#include "unit.h"

#include "base/buf.h"
#include "base/limits.h"
#include "wire/text/text_logical.h"
#include "wire/text/text_postfix.h"

static bool lookup(void *ctx, struct str name, struct str *ret)
{
	static const struct {
		const char *name, *value;
	} known[] = {
		{ "mydomain", "example.org" }, { "myhostname", "mx.$mydomain" }, { "empty", "" },
		{ "loop", "x$pool" },          { "pool", "y$loop" },             { "many", "$m1$m1$m1$m1$m1$m1$m1$m1$m1$m1" },
		{ "m1", "$m2$m2$m2$m2$m2$m2$m2$m2$m2$m2" }, { "m2", "$m3$m3$m3$m3$m3$m3$m3$m3$m3$m3" }, { "m3", "$m4$m4$m4$m4$m4$m4$m4$m4$m4$m4" },
		{ "m4", "$m5$m5$m5$m5$m5$m5$m5$m5$m5$m5" }, { "m5", "0123456789" },
	};

	(void)ctx;
	for (size_t i = 0; i < LEN(known); i++)
		if (str_eq(name, str_of(known[i].name))) {
			*ret = str_of(known[i].value);
			return true;
		}
	return false;
}

static void test_expand(void **state)
{
	static const struct {
		const char *value, *want; /* NULL: refused */
	} rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "$mydomain", "example.org" },
		{ "a $myhostname, b", "a mx.example.org, b" },
		{ "${myhostname}x$(mydomain)", "mx.example.orgxexample.org" },
		{ "$unknown.", "." },
		{ "$$mydomain $ $", "$mydomain $ $" },
		{ "${mydomain?yes}${empty?no}${unknown?no}", "yes" },
		{ "${mydomain:no}${empty:yes}", "yes" },
		{ "${mydomain?{a $mydomain}:{b}} ${empty?{a}:{b ${mydomain}}}", "a example.org b example.org" },
		{ "$loop", NULL },
		{ "${mydomain", NULL },
		{ "$many", NULL }, /* a million octets, or too many steps */
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str exact = unit_exact(str_of(rows[i].value));
		struct buf out;
		bool       ok;

		buf_init(&out, 64 * KIB);
		ok = text_postfix_expand(exact, lookup, NULL, &out);
		if (ok != (rows[i].want != NULL))
			print_error("%s\n", rows[i].value);
		assert_int_equal(ok, rows[i].want != NULL);
		if (ok)
			assert_str(buf_str(&out), str_of(rows[i].want));
		buf_done(&out);
		unit_exact_free(exact);
	}
}

static void test_lines(void **state)
{
	struct arena *a = arena_new(NULL);
	struct str    file = STR("# x\nmyhostname = mx\nlist = a,\n # c\n\n  b\n = x\nno equals\nempty =\n"), name, value, line;
	unsigned      at, n = 0;

	(void)state;
	line = text_logical_next(&file, &n, a, &at);
	assert_true(text_postfix_param(line, &name, &value));
	assert_str(name, STR("myhostname"));
	assert_int_equal(at, 2);
	line = text_logical_next(&file, &n, a, &at);
	assert_true(text_postfix_param(line, &name, &value));
	assert_str(value, STR("a, b = x")); /* the line begins with a blank */
	line = text_logical_next(&file, &n, a, &at);
	assert_false(text_postfix_param(line, &name, &value));
	assert_int_equal(at, 8);
	line = text_logical_next(&file, &n, a, &at);
	assert_true(text_postfix_param(line, &name, &value));
	assert_int_equal(value.n, 0);
	assert_int_equal(text_logical_next(&file, &n, a, &at).n, 0);
	arena_free(&a);
}

static void test_words(void **state)
{
	struct str rest = STR(" a, b,c  { d e, {f} } inline:{ x = y, z } ${a b}c {g"), word;
	static const char *const want[] = { "a", "b", "c", "d e, {f}", "inline:{ x = y, z }", "${a b}c", "{g" };

	(void)state;
	for (size_t i = 0; i < LEN(want); i++) {
		assert_true(text_postfix_word(&rest, &word));
		assert_str(word, str_of(want[i]));
	}
	assert_false(text_postfix_word(&rest, &word));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_expand), cmocka_unit_test(test_lines), cmocka_unit_test(test_words) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
