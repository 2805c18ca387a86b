/* wire/smtp/smtp_answer.h, wire/smtp/smtp_caps.h. RFC 5321 §4.2, RFC 2034 §4, RFC 1870 §4. */
#include "unit.h"

#include "wire/smtp/smtp_caps.h"
#include "wire/smtp/smtp_answer.h"

static void test_line(void **state)
{
	static const struct {
		struct str          line;
		enum smtp_answer_err err;
		unsigned            code;
		bool                last;
		struct str          enhanced, text;
	} cases[] = {
		{ STR("250 OK"), SMTP_ANSWER_OK, 250, true, STR(""), STR("OK") },
		{ STR("250"), SMTP_ANSWER_OK, 250, true, STR(""), STR("") },
		{ STR("250 "), SMTP_ANSWER_OK, 250, true, STR(""), STR("") },
		{ STR("250-"), SMTP_ANSWER_OK, 250, false, STR(""), STR("") },
		{ STR("550-5.1.1 No"), SMTP_ANSWER_OK, 550, false, STR("5.1.1"), STR("No") },
		{ STR("550 5.1.1"), SMTP_ANSWER_OK, 550, true, STR("5.1.1"), STR("") },
		{ STR("550 5.123.123 x"), SMTP_ANSWER_OK, 550, true, STR("5.123.123"), STR("x") },
		{ STR("550 5.1234.1 x"), SMTP_ANSWER_OK, 550, true, STR(""), STR("5.1234.1 x") },
		{ STR("550 5.1.1x"), SMTP_ANSWER_OK, 550, true, STR(""), STR("5.1.1x") },
		{ STR("550 5.1."), SMTP_ANSWER_OK, 550, true, STR(""), STR("5.1.") },
		{ STR("550 5.1"), SMTP_ANSWER_OK, 550, true, STR(""), STR("5.1") },
		{ STR("550 2.1.5 fine"), SMTP_ANSWER_OK, 550, true, STR(""),
		  STR("2.1.5 fine") }, /* class of another reply */
		{ STR("450 5.7.1 x"), SMTP_ANSWER_OK, 450, true, STR(""), STR("5.7.1 x") },
		{ STR("354 3.0.0 go"), SMTP_ANSWER_OK, 354, true, STR("3.0.0"), STR("go") },
		{ STR("5.7.2"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") }, /* CVE-2026-43964's shape */
		{ STR(""), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR("25"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR("150 x"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR("650 x"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR("2x0 x"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR("250_x"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR("2500 x"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR(" 250 x"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
		{ STR("HTTP/1.1 400"), SMTP_ANSWER_SYNTAX, 0, false, STR(""), STR("") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str             line = unit_exact(cases[i].line);
		struct smtp_answer_line l = { 0 };

		assert_int_equal(smtp_answer_line_parse(line, &l), cases[i].err);
		assert_int_equal(l.code, cases[i].code);
		assert_int_equal(l.last, cases[i].last);
		assert_str(l.enhanced, cases[i].enhanced);
		assert_str(l.text, cases[i].text);
		unit_exact_free(line);
	}
}

/* Feed lines separated by "|"; the result of the last one. */
static enum smtp_answer_err add_all(struct smtp_answer_in *r, struct buf *text, struct str lines)
{
	enum smtp_answer_err err = SMTP_ANSWER_OK;

	smtp_answer_begin(r, text);
	while (lines.n > 0 && err == SMTP_ANSWER_OK) {
		struct str line, exact;

		str_cut(lines, '|', &line, &lines);
		exact = unit_exact(line);
		err = smtp_answer_add(r, exact);
		unit_exact_free(exact);
	}
	return err;
}

static void test_whole(void **state)
{
	static const struct {
		struct str          lines;
		enum smtp_answer_err err;
		bool                done;
		unsigned            code;
		struct str          enhanced, text;
	} cases[] = {
		{ STR("220 mx hi"), SMTP_ANSWER_OK, true, 220, STR(""), STR("mx hi") },
		{ STR("550-5.1.1 a|550-5.1.1 b|550 5.1.1 c"), SMTP_ANSWER_OK, true, 550, STR("5.1.1"), STR("a\nb\nc") },
		{ STR("550-a|550 5.7.1 b"), SMTP_ANSWER_OK, true, 550, STR("5.7.1"), STR("a\nb") },
		{ STR("250-a|250-b"), SMTP_ANSWER_OK, false, 250, STR(""), STR("a\nb") },
		{ STR("250-a|550 b"), SMTP_ANSWER_CODE, false, 250, STR(""), STR("a") },
		{ STR("250-a|junk"), SMTP_ANSWER_SYNTAX, false, 250, STR(""), STR("a") },
		{ STR("250-0123456789|250-0123456789|250 0123456789"), SMTP_ANSWER_LIMIT, false, 250, STR(""),
		  STR("0123456789\n0123456789\n") },
	};
	struct smtp_answer_in r;
	struct buf           text;

	(void)state;
	buf_init(&text, 24);
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_int_equal(add_all(&r, &text, cases[i].lines), cases[i].err);
		assert_int_equal(r.done, cases[i].done);
		assert_int_equal(r.code, cases[i].code);
		assert_str(str_of(r.enhanced), cases[i].enhanced);
		assert_str(buf_str(&text), cases[i].text);
	}
	buf_done(&text);
}

static void test_print(void **state)
{
	static const struct {
		struct str text;
		size_t     max;
		struct str want;
	} cases[] = {
		{ STR("a\nb"), 100, STR("a b") },
		{ STR("a\rb\0c\x1b[0m"), 100, STR("a?b?c?[0m") },
		{ STR("gr\xc3\xbc\xc3\x9f"), 100, STR("gr\xc3\xbc\xc3\x9f") },
		{ STR("\xc3"), 100, STR("?") },
		{ STR("\xff\xfe"
		      "a"),
		  100, STR("??a") },
		{ STR("ab\xc3\xbc"), 3, STR("ab") },
		{ STR("abcdef"), 3, STR("abc") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str in = unit_exact(cases[i].text);
		struct buf out;

		buf_init(&out, 1000);
		smtp_answer_print(&out, in, cases[i].max);
		assert_str(buf_str(&out), cases[i].want);
		buf_done(&out);
		unit_exact_free(in);
	}
}

static void test_caps(void **state)
{
	static const struct {
		struct str text, name;
		unsigned   offered;
		uint64_t   size_octets;
	} cases[] = {
		{ STR("mx.example"), STR("mx.example"), 0, 0 },
		{ STR("mx.example hello there"), STR("mx.example"), 0, 0 },
		{ STR(""), STR(""), 0, 0 },
		{ STR("STARTTLS"), STR("STARTTLS"), 0, 0 },
		{ STR("m\nSTARTTLS\npipelining\nSIZE 1000\n8BITMIME\nSMTPUTF8\nX-OTHER a b"), STR("m"),
		  SMTP_CAP_STARTTLS | SMTP_CAP_PIPELINING | SMTP_CAP_SIZE | SMTP_CAP_8BITMIME | SMTP_CAP_SMTPUTF8,
		  1000 },
		{ STR("m\nSIZE"), STR("m"), SMTP_CAP_SIZE, 0 },
		{ STR("m\nSIZE 0"), STR("m"), SMTP_CAP_SIZE, 0 },
		{ STR("m\nSIZE -1"), STR("m"), 0, 0 },
		{ STR("m\nSIZE 99999999999999999999"), STR("m"), 0, 0 },
		{ STR("m\nSTARTTLSX\nXSTARTTLS\n STARTTLS "), STR("m"), SMTP_CAP_STARTTLS, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str       text = unit_exact(cases[i].text);
		struct smtp_caps c;

		smtp_caps_parse(text, &c);
		assert_str(c.name, cases[i].name);
		assert_int_equal(c.offered, cases[i].offered);
		assert_int_equal(c.size_octets, cases[i].size_octets);
		unit_exact_free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
