/* wire/smtp/smtp_fold.h. RFC 5321 §2.3.8, §4.5.3.1.6; RFC 5322 §2.1.1, §2.2.3. */
#include "unit.h"

#include "wire/smtp/smtp_fold.h"

#define OUT_MAX ((size_t)1 * MIB)

/* `in` in pieces of the given size; each in a block of its own. */
static uint64_t fold(struct str in, size_t piece, struct buf *out)
{
	struct smtp_fold f = { 0 };

	buf_init(out, OUT_MAX);
	while (in.n > 0) {
		struct str part = unit_exact(str_first(in, piece));

		assert_true(smtp_fold_add(&f, out, part));
		in = str_from(in, part.n);
		unit_exact_free(part);
	}
	assert_true(smtp_fold_end(&f, out));
	return f.lines;
}

static struct smtp_scan scan(struct str in, size_t piece)
{
	struct smtp_scan s = { 0 };

	for (size_t i = 0; i < in.n; i += piece)
		smtp_scan_add(&s, str_sub(in, i, piece));
	smtp_scan_end(&s);
	return s;
}

/* "a*997" in a case is 997 times "a"; "\1" stands for nothing else. */
static void expand(struct buf *out, const char *text)
{
	buf_init(out, OUT_MAX);
	for (const char *p = text; *p;) {
		char *end = NULL;
		long  n = p[1] == '*' ? strtol(p + 2, &end, 10) : 1;

		for (long i = 0; i < n; i++)
			buf_add_char(out, *p);
		p = end ? end : p + 1;
	}
}

static const struct {
	const char *name, *in, *out;
	unsigned    lines;
} cases[] = {
	{ "as it is", "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n", 0 },
	{ "no end", "A: b", "A: b\r\n", 0 },
	{ "bare LF", "A: b\n\nc\n", "A: b\r\n\r\nc\r\n", 0 },
	{ "bare CR", "A: b\r\rc\r", "A: b\r\n\r\nc\r\n", 0 },
	{ "998 in the body", "\r\na*998\r\n", "\r\na*998\r\n", 0 },
	{ "999", "\r\na*999\r\n", "\r\na*998\r\n a\r\n", 1 },
	{ "998 and a CR", "\r\na*998\r", "\r\na*998\r\n", 0 },
	{ "thrice", "\r\na*2993\r\n", "\r\na*998\r\n a*997\r\n a*997\r\n a\r\n", 1 },
	{ "two lines", "\r\na*999\r\nb\r\nc*999\r\n", "\r\na*998\r\n a\r\nb\r\nc*998\r\n c\r\n", 2 },
	{ "the body is not cut at white space", "\r\na b*998\r\n", "\r\na b*996\r\n b*2\r\n", 1 },
	{ "a header is", "A: b*500 c*600\r\n", "A: b*500\r\n c*600\r\n", 1 },
	{ "at the last one", "A: b c*500 d*400 e*600\r\n", "A: b c*500 d*400\r\n e*600\r\n", 1 },
	{ "its tab stays", "A: b*500\tc*600\r\n", "A: b*500\r\n\tc*600\r\n", 1 },
	{ "again in the rest", "A: b*500 c*600 d*600\r\n", "A: b*500\r\n c*600\r\n d*600\r\n", 1 },
	{ "not behind all text", "A:b*900 *200\r\n", "A:b*900 *96\r\n  *104\r\n", 1 },
	{ "not before all text", " *10b*1000\r\n", " *10b*988\r\n b*12\r\n", 1 },
	{ "a header without white space", "A:b*1000\r\n", "A:b*996\r\n b*4\r\n", 1 },
	{ "the header's continuation", "A: b\r\n c*500 d*600\r\n", "A: b\r\n c*500\r\n d*600\r\n", 1 },
	{ "two octets", "\r\na*997\xc3\xbc\r\n", "\r\na*997\r\n \xc3\xbc\r\n", 1 },
	{ "three octets", "\r\na*996\xe2\x82\xac\r\n", "\r\na*996\r\n \xe2\x82\xac\r\n", 1 },
	{ "four octets", "\r\na*995\xf0\x9f\x93\xa7\r\n", "\r\na*995\r\n \xf0\x9f\x93\xa7\r\n", 1 },
	{ "two octets that fit", "\r\na*996\xc3\xbcz\r\n", "\r\na*996\xc3\xbc\r\n z\r\n", 1 },
	{ "no UTF-8", "\r\n\x80*1000\r\n", "\r\n\x80*998\r\n \x80*2\r\n", 1 },
	{ "dots are not looked at", ".\r\n..\r\n\r\n.\r\n", ".\r\n..\r\n\r\n.\r\n", 0 },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct buf in, want;

		expand(&in, cases[i].in);
		expand(&want, cases[i].out);
		for (size_t piece = 1; piece <= in.n + 1; piece = piece < 20 ? piece + 1 : piece * 2) {
			struct buf out;
			uint64_t   lines = fold(buf_str(&in), piece, &out);

			if (!str_eq(buf_str(&out), buf_str(&want)))
				print_error("case \"%s\" in pieces of %zu\n", cases[i].name, piece);
			assert_str(buf_str(&out), buf_str(&want));
			assert_int_equal(lines, cases[i].lines);
			assert_int_equal(scan(buf_str(&in), piece).changes, !str_eq(buf_str(&in), buf_str(&want)));
			buf_done(&out);
		}
		buf_done(&in);
		buf_done(&want);
	}
}

static void test_nul(void **state)
{
	struct buf out;

	(void)state;
	fold(STR("a\0b\r\0\n\0.\0\r\n"), 1, &out);
	assert_str(buf_str(&out), STR("ab\r\n.\r\n"));
	assert_true(scan(STR("a\0b\r\n"), 2).changes);
	buf_done(&out);
}

static void test_scan(void **state)
{
	static const struct {
		struct str in;
		bool       eight, eight_header;
	} rows[] = {
		{ STR("a: b\r\n\r\nc\r\n"), false, false },
		{ STR("a: \xc3\xbc\r\n\r\nc\r\n"), true, true },
		{ STR("a: b\r\n\r\n\xc3\xbc\r\n"), true, false },
		{ STR("a: b\n\n\xc3\xbc\n"), true, false },
		{ STR("a: b\r\n"), false, false },
		{ STR("\r\n\xff\r\n"), true, false },
		{ STR("0123456789: \xff"), true, true },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		for (size_t piece = 1; piece <= rows[i].in.n; piece++) {
			struct smtp_scan s = scan(rows[i].in, piece);

			assert_int_equal(s.eight_bit, rows[i].eight);
			assert_int_equal(s.eight_bit_header, rows[i].eight_header);
		}
}

/* Without what was put in, the text is what it was: CRLF SP in the body, CRLF in a header that was cut at white space. */
static void unfold(struct buf *out, struct str in, struct str what, struct str keep)
{
	ptrdiff_t at;

	buf_init(out, OUT_MAX);
	while ((at = str_search(in, what)) >= 0) {
		buf_add(out, str_first(in, (size_t)at));
		buf_add(out, keep);
		in = str_from(in, (size_t)at + what.n);
	}
	buf_add(out, in);
}

static uint32_t dice;

static unsigned throw_dice(unsigned below)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) % below;
}

static void random_line(struct buf *b, bool spaces)
{
	static const char *const pieces[] = { "a", "bc", ".", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x93\xa7", "x", "-" };

	for (unsigned n = throw_dice(3000); n-- > 0;) {
		if (spaces && throw_dice(40) == 0)
			buf_add(b, STR(" w"));
		else
			buf_add(b, str_of(pieces[throw_dice(LEN(pieces))]));
	}
	buf_add(b, STR("z\r\n"));
}

static void check_lines(struct str out)
{
	struct str line;

	assert_true(str_is_utf8(out));
	while (out.n > 0) {
		assert_true(str_cut(out, '\n', &line, &out));
		assert_true(line.n > 0 && line.p[line.n - 1] == '\r' && line.n - 1 <= SMTP_LINE_TEXT);
		assert_true(str_is_utf8(line)); /* no character is cut */
		assert_int_equal(str_find(str_first(line, line.n - 1), '\r'), -1);
	}
}

static void test_property(void **state)
{
	(void)state;
	for (dice = 1; dice < 200; dice++) {
		uint32_t   seed = dice;
		bool       header = seed % 2;
		struct buf in, out, again, back;

		buf_init(&in, OUT_MAX);
		buf_add(&in, header ? STR("A: ") : STR("\r\n"));
		random_line(&in, header);
		if (!header)
			random_line(&in, false);
		fold(buf_str(&in), in.n, &out);
		fold(buf_str(&in), 1 + throw_dice(50), &again);
		assert_str(buf_str(&out), buf_str(&again));
		check_lines(buf_str(&out));
		unfold(&back, buf_str(&out), header ? STR("\r\n w") : STR("\r\n "), header ? STR(" w") : STR(""));
		assert_str(buf_str(&back), buf_str(&in));
		assert_false(scan(buf_str(&out), 100).changes);
		buf_done(&in);
		buf_done(&out);
		buf_done(&again);
		buf_done(&back);
		dice = seed;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_property),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
