/* Tests of wire/text: base64, hexadecimal, quoted-printable, charsets, encoded words, dates. */
#include "unit.h"

#include "wire/text/text_base64.h"
#include "wire/text/text_charset.h"
#include "wire/text/text_date.h"
#include "wire/text/text_qp.h"
#include "wire/text/text_word.h"

/* Octets that differ from run to run of the loop, not of the test. */
static struct str octets(char *p, size_t n, unsigned seed)
{
	static const char often[] = "\r\n =?_.F\xc3\xa9";

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = seed >> 16 & 1 ? often[(seed >> 17) % (sizeof(often) - 1)] : (char)(seed >> 20);
	}
	return (struct str){ p, n };
}

static void test_base64_table(void **state)
{
	static const struct {
		struct str text, code;
	} rows[] = {
		{ STR(""), STR("") },
		{ STR("f"), STR("Zg==") },
		{ STR("fo"), STR("Zm8=") },
		{ STR("foo"), STR("Zm9v") },
		{ STR("foobar"), STR("Zm9vYmFy") }, /* RFC 4648 §10 */
		{ STR("\0\xff\xfe"), STR("AP/+") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str code = unit_exact(rows[i].code);
		struct buf out;

		buf_init(&out, 100);
		text_base64_encode(rows[i].text, &out);
		assert_str(buf_str(&out), rows[i].code);
		buf_clear(&out);
		assert_true(text_base64_decode(code, &out));
		assert_str(buf_str(&out), rows[i].text);
		unit_exact_free(code);
		buf_done(&out);
	}
}

static void test_base64_strict(void **state)
{
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm9v\r\n",
					   "Zm 9", "=m9v", "Zm=v", "Zg=a", "Zm9-" };

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct str in = unit_exact(str_of(bad[i]));
		struct buf out;

		buf_init(&out, 100);
		buf_add(&out, STR("x"));
		assert_false(text_base64_decode(in, &out));
		assert_str(buf_str(&out), STR("x"));
		unit_exact_free(in);
		buf_done(&out);
	}
}

static void test_base64_lenient(void **state)
{
	static const struct {
		struct str code, text;
	} rows[] = {
		{ STR("Zm9\r\nv Y.m-F#y"), STR("foobar") },
		{ STR("Zg==Zg=="), STR("ff") },
		{ STR("Zm8"), STR("fo") },
		{ STR("Zg"), STR("f") },
		{ STR("Z"), STR("") },
		{ STR("===="), STR("") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = unit_exact(rows[i].code);
		struct buf out;

		buf_init(&out, 100);
		text_base64_decode_lenient(in, &out);
		assert_str(buf_str(&out), rows[i].text);
		unit_exact_free(in);
		buf_done(&out);
	}
}

static void test_hex(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 10);
	assert_true(text_hex_decode(STR("00fFa1"), &out));
	assert_str(buf_str(&out), STR("\0\xff\xa1"));
	assert_false(text_hex_decode(STR("0"), &out));
	assert_false(text_hex_decode(STR("0g"), &out));
	assert_int_equal(out.n, 3);
	buf_done(&out);
}

static void test_qp_decode(void **state)
{
	static const struct {
		struct str code, text;
	} rows[] = {
		{ STR("a=3Db"), STR("a=b") },
		{ STR("a=c3=A9"), STR("a\xc3\xa9") },
		{ STR("soft=\r\nbreak"), STR("softbreak") },
		{ STR("soft= \t\r\nbreak"), STR("softbreak") },
		{ STR("soft=\nbreak"), STR("softbreak") },
		{ STR("trail \t\r\nx "), STR("trail\r\nx") },
		{ STR("bare =XY= =E"), STR("bare =XY= =E") },
		{ STR("end="), STR("end") },
		{ STR("="), STR("") },
		{ STR(""), STR("") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = unit_exact(rows[i].code);
		struct buf out;

		buf_init(&out, 100);
		text_qp_decode(in, &out);
		assert_str(buf_str(&out), rows[i].text);
		unit_exact_free(in);
		buf_done(&out);
	}
}

/* decode(encode(x)) == x, lines within 76, nothing over 126. */
static void test_round_trips(void **state)
{
	char raw[301];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct str x = unit_exact(octets(raw, i % sizeof(raw), i));
		struct buf code, back;
		size_t     column = 0;

		buf_init(&code, 10000);
		buf_init(&back, 10000);
		text_qp_encode(x, &code);
		for (size_t k = 0; k < code.n; k++) {
			assert_true((unsigned char)code.p[k] < 127);
			column = code.p[k] == '\n' ? 0 : column + 1;
			assert_true(column <= 77);
		}
		text_qp_decode(buf_str(&code), &back);
		assert_str(buf_str(&back), x);

		buf_clear(&code);
		buf_clear(&back);
		text_base64_encode(x, &code);
		assert_true(text_base64_decode(buf_str(&code), &back));
		assert_str(buf_str(&back), x);

		buf_clear(&code);
		buf_clear(&back);
		text_base64_encode_lines(x, &code);
		text_base64_decode_lenient(buf_str(&code), &back);
		assert_str(buf_str(&back), x);
		buf_done(&code);
		buf_done(&back);
		unit_exact_free(x);
	}
}

static void test_words_decode(void **state)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		{ STR("plain text"), STR("plain text") },
		{ STR("=?utf-8?Q?caf=C3=A9_x?= y"), STR("caf\xc3\xa9 x y") },
		{ STR("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="),
		  STR("If you can read this you understand the example.") },
		{ STR("=?utf-8?q?=C3?= =?utf-8?q?=A9?="), STR("\xc3\xa9") }, /* cut inside a character */
		{ STR("=?ISO-8859-1*en?Q?a?="), STR("a") },
		{ STR("(=?ISO-8859-1?Q?a?= b)"), STR("(a b)") }, /* RFC 2047 §8 */
		{ STR("=?ISO-8859-1?Q?a_b?= =?ISO-8859-2?Q?_c?="), STR("a b c") },
		{ STR("x=?utf-8?q?y?=z"), STR("xyz") },
		{ STR("=?utf-8?x?y?="), STR("=?utf-8?x?y?=") },
		{ STR("=?utf-8?q?y"), STR("=?utf-8?q?y") },
		{ STR("=??q?y?="), STR("=??q?y?=") },
		{ STR("=?=?utf-8?q?y?="), STR("=?y") },
		{ STR("=?"), STR("=?") },
		{ STR("caf\xe9"), STR("caf\xc3\xa9") },
		{ STR("=?nonsense?q?=E9?="), STR("\xc3\xa9") },
		{ STR("=?utf-8?q?=FF?="), STR("\xef\xbf\xbd") },
		{ STR("=?gb2312?B?xOO6ww==?="), STR("\xe4\xbd\xa0\xe5\xa5\xbd") },
		{ STR("=?utf-8?q?" "?= b"), STR(" b") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = unit_exact(rows[i].in);
		struct buf out;

		buf_init(&out, 1000);
		text_words_decode(in, &out);
		assert_str(buf_str(&out), rows[i].out);
		unit_exact_free(in);
		buf_done(&out);
	}
}

static void test_words_round_trip(void **state)
{
	static const char *const piece[] = { "caf\xc3\xa9", " ", "plain", "=?", "?=", "\xe4\xbd\xa0\xe5\xa5\xbd", "  ",
					     "_x", "\xf0\x9f\x98\x80", "a", "\t", "\r\n" };

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		unsigned   seed = i * 2654435761u;
		struct buf x, code, back;

		buf_init(&x, 1000);
		buf_init(&code, 10000);
		buf_init(&back, 10000);
		for (unsigned k = i % 17; k > 0; k--) {
			seed = seed * 1103515245 + 12345;
			buf_add(&x, str_of(piece[(seed >> 16) % LEN(piece)]));
		}
		text_words_encode(buf_str(&x), &code);
		assert_true(str_is_ascii(buf_str(&code)));
		text_words_decode(buf_str(&code), &back);
		assert_str(buf_str(&back), buf_str(&x));
		for (struct str rest = buf_str(&code), word; rest.n > 0;) {
			str_cut(rest, ' ', &word, &rest);
			assert_true(!str_starts(word, STR("=?utf-8?")) || word.n <= 75);
		}
		buf_done(&x);
		buf_done(&code);
		buf_done(&back);
	}
}

static void test_charsets(void **state)
{
	static const struct {
		struct str charset, in, out;
		bool       known;
	} rows[] = {
		{ STR("UTF-8"), STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), true },
		{ STR("utf-8"), STR("\xc0\x80\xed\xa0\x80\xf5"), STR("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"), true },
		{ STR("iso-8859-1"), STR("\xe9\x80"), STR("\xc3\xa9\xe2\x82\xac"), true },
		{ STR("ISO-8859-15"), STR("\xa4\xe9"), STR("\xe2\x82\xac\xc3\xa9"), true },
		{ STR("windows-1251"), STR("\xcf\xf0\xe8"), STR("\xd0\x9f\xd1\x80\xd0\xb8"), true },
		{ STR("koi8-r"), STR("\xf0"), STR("\xd0\x9f"), true },
		{ STR("iso-2022-jp"), STR("\x1b$B$\"\x1b(B"), STR("\xe3\x81\x82"), true },
		{ STR("shift_jis"), STR("\x82\xa0\x82"), STR("\xe3\x81\x82\xef\xbf\xbd"), true },
		{ STR("euc-kr"), STR("\xb0\xa1"), STR("\xea\xb0\x80"), true },
		{ STR("big5"), STR("\xa4\xa4"), STR("\xe4\xb8\xad"), true },
		{ STR("utf-16be"), STR("\0a\xd8\x3d\xde\0"), STR("a\xf0\x9f\x98\x80"), true },
		{ STR("utf-7"), STR("Hi+AOk-"), STR("Hi\xc3\xa9"), true },
		{ STR("../../etc/passwd"), STR("caf\xe9"), STR("caf\xc3\xa9"), false },
		{ STR(""), STR("caf\xc3\xa9"), STR("caf\xc3\xa9"), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = unit_exact(rows[i].in);
		struct buf out;

		buf_init(&out, 100);
		assert_int_equal(text_to_utf8(rows[i].charset, in, &out), rows[i].known);
		assert_str(buf_str(&out), rows[i].out);
		unit_exact_free(in);
		buf_done(&out);
	}
}

/* Any octets in any charset give well-formed UTF-8. */
static void test_charsets_never_fail(void **state)
{
	static const char *const names[] = { "utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-7", "utf-16",
					     "utf-16le", "utf-32", "iso-2022-jp", "iso-2022-kr", "iso-2022-cn", "euc-jp",
					     "shift_jis", "gb18030", "big5", "euc-kr", "windows-1258", "tis-620", "x" };
	char                     raw[200];

	(void)state;
	text_charset_preload();
	for (size_t c = 0; c < LEN(names); c++) {
		for (unsigned i = 0; i < 100; i++) {
			struct str in = unit_exact(octets(raw, i * 2, i));
			struct buf out;

			buf_init(&out, 10000);
			text_to_utf8(str_of(names[c]), in, &out);
			assert_true(str_is_utf8(buf_str(&out)) && !out.over);
			buf_done(&out);
			buf_init(&out, 7); /* too small: cut off, never more */
			text_to_utf8(str_of(names[c]), in, &out);
			assert_true(out.n <= 7);
			unit_exact_free(in);
			buf_done(&out);
		}
	}
}

static void test_dates(void **state)
{
	static const struct {
		const char *in;
		int64_t     ms;
		int         zone;
	} rows[] = {
		{ "Mon, 21 Aug 1995 13:30:57 -0600", 809033457000, -360 },
		{ "Mon, 21 Aug 95 13:30:57 -0600", 809033457000, -360 },
		{ "21 Aug 1995 13:30:57 MDT", 809033457000, -360 },
		{ " Mon ,\r\n 21 (a (nested\\) one)) Aug 1995 13 : 30 : 57 (x) -0600 (Mountain)", 809033457000, -360 },
		{ "Thu, 1 Jan 1970 00:00:00 +0000", 0, 0 },
		{ "1 Jan 70 0:00 GMT", 0, 0 },
		{ "Thu, 01 Jan 1970 01:00 +0100", 0, 60 },
		{ "Thu Jan  1 00:00:00 1970", 0, 0 },
		{ "Thu Jan  1 00:00:00 GMT 1970", 0, 0 },
		{ "1-Jan-1970 00:00:00 Z", 0, 0 },
		{ "1 January 1970 00:00:00", 0, 0 },
		{ "31 Dec 1969 23:59:60 +0000", -1000, 0 },
		{ "29 Feb 2000 00:00:00 +0000", 951782400000, 0 },
		{ "1 Jan 49 00:00:00 +0000", 2493072000000, 0 },
		{ "1 Jan 124 00:00:00 +0000", 1704067200000, 0 },
		{ "Mon, 21 Aug 95 13:30:57 -600", 809033457000, -360 },
		{ "29 Feb 2001 00:00:00 +0000", 0, 1 },
		{ "31 Apr 2001 00:00:00 +0000", 0, 1 },
		{ "1 Jan 2001 24:00:00 +0000", 0, 1 },
		{ "1 Foo 2001 00:00:00 +0000", 0, 1 },
		{ "1 Jan 20011 00:00:00 +0000", 0, 1 },
		{ "", 0, 1 },
		{ "((((", 0, 1 },
		{ "now", 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str       in = unit_exact(str_of(rows[i].in));
		struct text_date d;
		bool             ok = text_date_parse(in, &d);

		if (rows[i].zone == 1) { /* no such zone: the row wants a refusal */
			assert_false(ok);
		} else {
			assert_true(ok);
			assert_true(d.ms == rows[i].ms && d.zone_minutes == rows[i].zone);
		}
		for (size_t n = 0; n < in.n; n++) { /* every cut is read safely */
			struct str cut = unit_exact(str_first(in, n));

			if (text_date_parse(cut, &d))
				assert_true(d.zone_minutes > -6000 && d.zone_minutes < 6000);
			unit_exact_free(cut);
		}
		unit_exact_free(in);
	}
}

static void test_internaldate(void **state)
{
	static const char *const good[] = { " 7-Feb-1994 21:52:25 -0800", "17-Jul-1996 02:44:25 -0700",
					    "29-Feb-2024 23:59:59 +1400", "01-Jan-0001 00:00:00 +0000",
					    "31-Dec-9999 23:59:59 +0000" };
	static const char *const bad[] = { "7-Feb-94 21:52:25 -0800", "17-Jul-1996 2:44:25 -0700", "17-Jul-1996 02:44:25",
					   "17-Jul-1996 02:44:25 -070", "17-Jul-1996 02:44:25 GMT", "31-Feb-1996 02:44:25 +0000",
					   "17-Jul-1996 02:44:25 -0700 ", "17-Jul-1996T02:44:25 -0700", "", " ", "-", "1-" };
	struct text_date d;
	int64_t          ms;

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		struct buf out;
		struct str want = str_of(good[i]);

		assert_true(text_internaldate_parse(want, &d));
		buf_init(&out, 100);
		text_internaldate_write(d, &out);
		assert_int_equal(out.n, 26);
		if (want.p[0] == '0')
			assert_str(str_from(buf_str(&out), 1), str_from(want, 1));
		else
			assert_str(buf_str(&out), want);
		buf_done(&out);
	}
	for (size_t i = 0; i < LEN(bad); i++)
		assert_false(text_internaldate_parse(str_of(bad[i]), &d));
	assert_true(text_imap_date_parse(STR("1-Feb-1994"), &ms) && ms == 760060800000);
	assert_false(text_imap_date_parse(STR("1-Feb-94"), &ms));
}

/* parse(write(x)) == x, to the second. */
static void test_date_round_trip(void **state)
{
	(void)state;
	for (int i = -1200; i < 4000; i++) {
		struct text_date d = { (int64_t)i * 48211961 * 1000, i % 2 ? i % 720 : 0 }, back;
		struct buf       out;

		buf_init(&out, 100);
		text_date_write(d, &out);
		if (d.ms > text_date_days(1900, 1, 2) * 86400000) {
			assert_true(text_date_parse(buf_str(&out), &back));
			assert_true(back.ms == d.ms && back.zone_minutes == d.zone_minutes);
		}
		buf_clear(&out);
		text_internaldate_write(d, &out);
		assert_true(text_internaldate_parse(buf_str(&out), &back));
		assert_true(back.ms == d.ms && back.zone_minutes == d.zone_minutes);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_table),	 cmocka_unit_test(test_base64_strict),
		cmocka_unit_test(test_base64_lenient),	 cmocka_unit_test(test_hex),
		cmocka_unit_test(test_qp_decode),	 cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_words_decode),	 cmocka_unit_test(test_words_round_trip),
		cmocka_unit_test(test_charsets),	 cmocka_unit_test(test_charsets_never_fail),
		cmocka_unit_test(test_dates),		 cmocka_unit_test(test_internaldate),
		cmocka_unit_test(test_date_round_trip),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
