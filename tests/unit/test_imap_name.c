/* wire/imap/imap_mutf7.h, imap_name.h: mailbox names and LIST patterns (RFC 3501 §5.1.3, §6.3.8). */
#include "unit.h"

#include "wire/imap/imap_mutf7.h"
#include "wire/imap/imap_name.h"

static const struct {
	struct str wire, utf8;
} pairs[] = {
	{ STR("plain"), STR("plain") },
	{ STR("R&-D"), STR("R&D") },
	{ STR("~peter/mail/&U,BTFw-/&ZeVnLIqe-"), STR("~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e") },
	{ STR("Entw&APw-rfe"), STR("Entw\xc3\xbcrfe") },
	{ STR("&2D3eAA-"), STR("\xf0\x9f\x98\x80") },         /* surrogate pair */
	{ STR("&Jjo-&-"), STR("\xe2\x98\xba&") },             /* a shift, then "&" itself */
	{ STR("&-&Jjo-"), STR("&\xe2\x98\xba") },
	{ STR("a&AKAAoACg-b"), STR("a\xc2\xa0\xc2\xa0\xc2\xa0" "b") },
};

static const struct str bad_wire[] = {
	STR("&"),         STR("a&"),      STR("&Jjo"),         /* not ended */
	STR("&AGE-"),                                          /* "a" needs no shift */
	STR("&Jjo-&Jjo-"),                                     /* two shifts in a row */
	STR("&2D0-"),     STR("&3gA-"),   STR("&2D0AYQ-"),     /* half pairs */
	STR("&Jj-"),      STR("&J-"),                          /* half units */
	STR("&Jjp-"),                                          /* bits in the padding */
	STR("&Jjo/-"),    STR("&Jjo=-"),  STR("&U/BTFw-"),     /* not the alphabet */
	STR("&AAA-"),     STR("&AAo-"),                        /* NUL, LF */
	STR("a\xc3\xbc"), STR("a\tb"),    STR("a\x7f"),
};

static void test_mutf7(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < LEN(pairs); i++) {
		struct str wire = unit_exact(pairs[i].wire), utf8 = unit_exact(pairs[i].utf8);

		buf_clear(&out);
		assert_true(imap_mutf7_decode(wire, &out));
		assert_str(buf_str(&out), utf8);
		buf_clear(&out);
		assert_true(imap_mutf7_encode(utf8, &out));
		assert_str(buf_str(&out), wire);
		unit_exact_free(wire);
		unit_exact_free(utf8);
	}
	for (size_t i = 0; i < LEN(bad_wire); i++) {
		struct str wire = unit_exact(bad_wire[i]);

		buf_clear(&out);
		if (imap_mutf7_decode(wire, &out))
			fail_msg("taken: %.*s", STR_FMT(wire));
		unit_exact_free(wire);
	}
	buf_done(&out);
}

/* Every start of a good spelling is either refused or a spelling of its own. */
static void test_mutf7_prefixes(void **state)
{
	struct buf utf8, wire;

	(void)state;
	buf_init(&utf8, 1000);
	buf_init(&wire, 1000);
	for (size_t i = 0; i < LEN(pairs); i++) {
		for (size_t n = 0; n <= pairs[i].wire.n; n++) {
			struct str part = unit_exact(str_first(pairs[i].wire, n));

			buf_clear(&utf8);
			buf_clear(&wire);
			if (imap_mutf7_decode(part, &utf8)) {
				assert_true(imap_mutf7_encode(buf_str(&utf8), &wire));
				assert_str(buf_str(&wire), part);
			}
			unit_exact_free(part);
		}
	}
	buf_done(&utf8);
	buf_done(&wire);
}

static void test_name(void **state)
{
	static const struct {
		struct str         wire;
		bool               utf8;
		enum imap_name_err err;
		struct str         name;
	} cases[] = {
		{ STR("inbox"), false, IMAP_NAME_OK, STR("INBOX") },
		{ STR("InBox/a"), false, IMAP_NAME_OK, STR("INBOX/a") },
		{ STR("a/inbox"), false, IMAP_NAME_OK, STR("a/inbox") },
		{ STR("inboxes"), false, IMAP_NAME_OK, STR("inboxes") },
		{ STR("Entw&APw-rfe"), false, IMAP_NAME_OK, STR("Entw\xc3\xbcrfe") },
		{ STR("Entw&APw-rfe"), true, IMAP_NAME_OK, STR("Entw&APw-rfe") },
		{ STR("Entw\xc3\xbcrfe"), true, IMAP_NAME_OK, STR("Entw\xc3\xbcrfe") },
		{ STR("Entw\xc3\xbcrfe"), false, IMAP_NAME_BAD, STR("") },
		{ STR("Entwu\xcc\x88rfe"), true, IMAP_NAME_OK, STR("Entw\xc3\xbcrfe") }, /* form C */
		{ STR("Entwu&Awg-rfe"), false, IMAP_NAME_OK, STR("Entw\xc3\xbcrfe") },
		{ STR("&AIU-"), false, IMAP_NAME_BAD, STR("") }, /* C1 control */
		{ STR(""), false, IMAP_NAME_BAD, STR("") },
		{ STR("/"), false, IMAP_NAME_BAD, STR("") },
		{ STR("/a"), false, IMAP_NAME_BAD, STR("") },
		{ STR("a/"), false, IMAP_NAME_BAD, STR("") },
		{ STR("a//b"), false, IMAP_NAME_BAD, STR("") },
		{ STR("a%b"), false, IMAP_NAME_OK, STR("a%b") }, /* wildcards may be part of a name */
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str    wire = unit_exact(cases[i].wire), got = STR_NONE;
		struct arena *a = arena_new(NULL);

		assert_int_equal(imap_name_parse(wire, cases[i].utf8, a, &got), cases[i].err);
		if (cases[i].err == IMAP_NAME_OK)
			assert_str(got, cases[i].name);
		arena_free(&a);
		unit_exact_free(wire);
	}
	assert_true(imap_name_below(STR("a/b"), STR("a")));
	assert_false(imap_name_below(STR("ab"), STR("a")));
	assert_false(imap_name_below(STR("a/"), STR("a")));
	assert_str(imap_name_parent(STR("a/b/c")), STR("a/b"));
	assert_str(imap_name_parent(STR("a")), STR(""));
}

static void test_name_limits(void **state)
{
	char          text[2 * LIMIT_MAILBOX_NAME];
	struct str    got;
	struct arena *a = arena_new(NULL);

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(imap_name_parse(str_n(text, LIMIT_MAILBOX_NAME), false, a, &got), IMAP_NAME_OK);
	assert_int_equal(imap_name_parse(str_n(text, LIMIT_MAILBOX_NAME + 1), false, a, &got), IMAP_NAME_LONG);
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '/';
	assert_int_equal(imap_name_parse(str_n(text, 2 * LIMIT_MAILBOX_DEPTH - 1), false, a, &got), IMAP_NAME_OK);
	assert_int_equal(imap_name_parse(str_n(text, 2 * LIMIT_MAILBOX_DEPTH + 1), false, a, &got), IMAP_NAME_LONG);
	arena_free(&a);
}

static void test_pattern(void **state)
{
	static const struct {
		struct str reference, pattern, name;
		bool       match;
	} cases[] = {
		{ STR(""), STR("*"), STR("a/b/c"), true },
		{ STR(""), STR("%"), STR("a/b"), false },
		{ STR(""), STR("%"), STR("a"), true },
		{ STR(""), STR("%/%"), STR("a/b"), true },
		{ STR(""), STR("%%"), STR("a"), true },
		{ STR(""), STR("%*%"), STR("a/b"), true },
		{ STR(""), STR("a*"), STR("a"), true },
		{ STR(""), STR("a*c"), STR("a/b/c"), true },
		{ STR(""), STR("a%c"), STR("a/b/c"), false },
		{ STR(""), STR("a%c"), STR("abc"), true },
		{ STR(""), STR("*a%b*c"), STR("xxaxxb/yyc"), true },
		{ STR(""), STR("*a%b*c"), STR("xxax/xb/yyc"), false },
		{ STR(""), STR("*/%"), STR("a/b/c"), true },
		{ STR("a/"), STR("%"), STR("a/b"), true },
		{ STR("a/"), STR("%"), STR("a/b/c"), false },
		{ STR(""), STR("inbox"), STR("INBOX"), true },
		{ STR(""), STR("iNb%"), STR("INBOX"), true },
		{ STR(""), STR("inbox/a"), STR("INBOX/a"), true },
		{ STR(""), STR("inbox/A"), STR("INBOX/a"), false },
		{ STR(""), STR("A"), STR("a"), false },
		{ STR(""), STR("Entw&APw-r%"), STR("Entw\xc3\xbcrfe"), true },
		{ STR(""), STR(""), STR("a"), false },
		{ STR(""), STR("a"), STR("ab"), false },
		{ STR(""), STR("ab"), STR("a"), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str          pattern = unit_exact(cases[i].pattern), name = unit_exact(cases[i].name);
		struct arena       *a = arena_new(NULL);
		struct imap_pattern p;

		assert_true(imap_pattern_parse(cases[i].reference, pattern, false, a, &p));
		if (imap_pattern_match(&p, name) != cases[i].match)
			fail_msg("%.*s against %.*s", STR_FMT(pattern), STR_FMT(name));
		arena_free(&a);
		unit_exact_free(pattern);
		unit_exact_free(name);
	}
	for (size_t i = 0; i < LEN(bad_wire); i++) {
		struct arena       *a = arena_new(NULL);
		struct imap_pattern p;

		assert_false(imap_pattern_parse(STR("*"), bad_wire[i], false, a, &p));
		arena_free(&a);
	}
}

/* A pattern that makes backtracking matchers take years. */
static void test_pattern_cost(void **state)
{
	char                text[LIMIT_MAILBOX_NAME], name[LIMIT_MAILBOX_NAME];
	struct arena       *a = arena_new(NULL);
	struct imap_pattern p;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? (i % 4 == 1 ? '*' : '%') : 'a';
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 'b';
	text[sizeof(text) - 1] = 'c';
	assert_true(imap_pattern_parse(STR(""), str_n(text, sizeof(text)), false, a, &p));
	assert_false(imap_pattern_match(&p, str_n(name, sizeof(name))));
	arena_free(&a);
}

/* What the patterns mean, said as plainly as possible. */
static bool matches(const char *p, const char *n)
{
	if (*p == 0)
		return *n == 0;
	if (*p == '*' || *p == '%')
		return matches(p + 1, n) || (*n != 0 && (*p == '*' || *n != '/') && matches(p, n + 1));
	return *n == *p && matches(p + 1, n + 1);
}

/* The text of that number over an alphabet: all texts of up to five characters. */
static void text_of(unsigned number, const char *alphabet, char ret[6])
{
	size_t n = 0, base = strlen(alphabet) + 1;

	for (; number > 0 && n < 5; number /= (unsigned)base)
		if (number % base > 0)
			ret[n++] = alphabet[number % base - 1];
	ret[n] = 0;
}

static void test_pattern_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6 * 6 * 6 * 6 * 6; i++) {
		struct arena       *a = arena_new(NULL);
		struct imap_pattern p;
		char                pattern[6], name[6];

		text_of(i, "ab/*%", pattern);
		assert_true(imap_pattern_parse(STR(""), str_of(pattern), false, a, &p));
		for (unsigned j = 0; j < 4 * 4 * 4 * 4 * 4; j++) {
			text_of(j, "ab/", name);
			if (imap_pattern_match(&p, str_of(name)) != matches(pattern, name))
				fail_msg("%s against %s", pattern, name);
		}
		arena_free(&a);
	}
}

/* Across the words of the automaton, and at its end; what is longer than any name matches none. */
static void test_pattern_long(void **state)
{
	char                name[LIMIT_MAILBOX_NAME], text[2 * LIMIT_MAILBOX_NAME + 2];
	struct arena       *a = arena_new(NULL);
	struct imap_pattern p;
	size_t              n = 0;

	(void)state;
	memset(name, 'a', sizeof(name));
	for (size_t i = 0; i < sizeof(name); i++) {
		text[n++] = '%';
		text[n++] = 'a';
	}
	text[n++] = '%';
	for (size_t skip = 0; skip < 200; skip++) {
		assert_true(imap_pattern_parse(STR(""), str_n(text + skip, n - skip), false, a, &p));
		assert_true(imap_pattern_match(&p, str_n(name, sizeof(name))));
		assert_true(imap_pattern_match(&p, str_n(name, sizeof(name) - skip / 2))); /* as many as it has */
		assert_false(imap_pattern_match(&p, str_n(name, sizeof(name) - skip / 2 - 1)));
	}
	text[n++] = 'a';
	assert_false(imap_pattern_parse(STR(""), str_n(text, n), false, a, &p));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutf7),       cmocka_unit_test(test_mutf7_prefixes), cmocka_unit_test(test_name),
		cmocka_unit_test(test_name_limits), cmocka_unit_test(test_pattern),        cmocka_unit_test(test_pattern_cost),
		cmocka_unit_test(test_pattern_all), cmocka_unit_test(test_pattern_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
