/* wire/imap/imap_lex.h, imap_command.h: tokens, tags, literals (RFC 9051 §4, §9). */
#include "unit.h"

#include "wire/imap/imap_command.h"

static const struct {
	struct str in;
	bool       ok;
	struct str value, rest;
} astrings[] = {
	{ STR("abc def"), true, STR("abc"), STR(" def") },
	{ STR("a]b"), true, STR("a]b"), STR("") },
	{ STR("\"\" x"), true, STR(""), STR(" x") },
	{ STR("\"a b\""), true, STR("a b"), STR("") },
	{ STR("\"a\\\"b\\\\\")"), true, STR("a\"b\\"), STR(")") },
	{ STR("\"a\\b\""), false, STR(""), STR("") },
	{ STR("\"a"), false, STR(""), STR("") },
	{ STR("\"a\\"), false, STR(""), STR("") },
	{ STR("\"a\rb\""), false, STR(""), STR("") },
	{ STR("\"\xc3\xbc\""), true, STR("\xc3\xbc"), STR("") },
	{ STR("\"\xc3\""), false, STR(""), STR("") },
	{ STR("{3}\r\nabc d"), true, STR("abc"), STR(" d") },
	{ STR("{3+}\r\na\r\n d"), true, STR("a\r\n"), STR(" d") },
	{ STR("{0}\r\n"), true, STR(""), STR("") },
	{ STR("{4}\r\nabc"), false, STR(""), STR("") },
	{ STR("{3}\nabc"), false, STR(""), STR("") },
	{ STR("{}\r\n"), false, STR(""), STR("") },
	{ STR("{-1}\r\na"), false, STR(""), STR("") },
	{ STR("{99999999999999999999}\r\na"), false, STR(""), STR("") },
	{ STR("{18446744073709551615}\r\na"), false, STR(""), STR("") },
	{ STR("{1}\r\n\0"), false, STR(""), STR("") },
	{ STR("{2}\r\n\xff\xfe"), true, STR("\xff\xfe"), STR("") },
	{ STR(""), false, STR(""), STR("") },
	{ STR(" a"), false, STR(""), STR("") },
	{ STR("(a"), false, STR(""), STR("") },
	{ STR("%"), false, STR(""), STR("") },
	{ STR("\xc3\xbc"), false, STR(""), STR("") },
};

static void test_astring(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(astrings); i++) {
		struct str      in = unit_exact(astrings[i].in), got = STR_NONE;
		struct imap_lex x = { .in = in, .arena = arena_new(NULL) };

		assert_int_equal(imap_lex_astring(&x, &got), astrings[i].ok);
		if (astrings[i].ok) {
			assert_str(got, astrings[i].value);
			assert_str(x.in, astrings[i].rest);
		}
		arena_free(&x.arena);
		unit_exact_free(in);
	}
}

static void test_literal_follows(void **state)
{
	static const struct {
		struct str line;
		bool       yes, sync;
		uint64_t   n;
	} cases[] = {
		{ STR("a LOGIN {5}"), true, true, 5 },
		{ STR("a LOGIN {5+}"), true, false, 5 },
		{ STR("{0}"), true, true, 0 },
		{ STR("a {5"), false, false, 0 },
		{ STR("a 5}"), false, false, 0 },
		{ STR("a {5-}"), false, false, 0 },
		{ STR("a {+}"), false, false, 0 },
		{ STR("a {}"), false, false, 0 },
		{ STR("a {5++}"), false, false, 0 },
		{ STR("a {18446744073709551616}"), false, false, 0 },
		{ STR("a {1}{2}"), true, true, 2 },
		{ STR(""), false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str          line = unit_exact(cases[i].line);
		struct imap_literal l = { 0 };

		assert_int_equal(imap_literal_follows(line, &l), cases[i].yes);
		if (cases[i].yes) {
			assert_int_equal(l.n, cases[i].n);
			assert_int_equal(l.sync, cases[i].sync);
		}
		unit_exact_free(line);
	}
}

static void test_command(void **state)
{
	static const struct {
		struct str in;
		bool       ok;
		struct str tag, name;
		bool       uid;
		struct str args;
	} cases[] = {
		{ STR("a NOOP"), true, STR("a"), STR("NOOP"), false, STR("") },
		{ STR("a.1 fetch 1 FLAGS"), true, STR("a.1"), STR("fetch"), false, STR("1 FLAGS") },
		{ STR("a] uid Fetch 1 FLAGS"), true, STR("a]"), STR("Fetch"), true, STR("1 FLAGS") },
		{ STR("a UID"), false, STR("a"), STR("UID"), true, STR("") },
		{ STR("a"), false, STR("a"), STR(""), false, STR("") },
		{ STR("a "), false, STR("a"), STR(""), false, STR("") },
		{ STR("a  NOOP"), false, STR("a"), STR(""), false, STR("") },
		{ STR("+ NOOP"), false, STR(""), STR(""), false, STR("") },
		{ STR("a+b NOOP"), false, STR(""), STR(""), false, STR("") },
		{ STR("* NOOP"), false, STR(""), STR(""), false, STR("") },
		{ STR(""), false, STR(""), STR(""), false, STR("") },
		{ STR("a NOOP\r"), false, STR("a"), STR("NOOP"), false, STR("") },
		{ STR("a(NOOP"), false, STR(""), STR(""), false, STR("") },
		{ STR("GET / HTTP/1.1"), false, STR("GET"), STR("/"), false, STR("HTTP/1.1") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str          in = unit_exact(cases[i].in);
		struct arena       *a = arena_new(NULL);
		struct imap_command c;
		bool                ok = imap_command_parse(in, a, &c);

		assert_str(c.tag, cases[i].tag);
		assert_str(c.name, cases[i].name);
		if (cases[i].ok || i != LEN(cases) - 1)
			assert_int_equal(ok, cases[i].ok);
		assert_int_equal(c.uid, cases[i].uid);
		if (ok)
			assert_str(c.x.in, cases[i].args);
		arena_free(&a);
		unit_exact_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_astring),
		cmocka_unit_test(test_literal_follows),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
