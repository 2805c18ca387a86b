/* wire/milter/: packets octet by octet, what is written, and what a filter may say. */
#include "unit.h"

#include "base/limits.h"
#include "wire/milter/milter_answer.h"
#include "wire/milter/milter_command.h"
#include "wire/milter/milter_option.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

/* ---- packets ---- */

static void test_packet(void **state)
{
	static const struct {
		struct str             in;
		enum milter_packet_err err;
		char                   command;
		struct str             data;
		size_t                 n;
	} cases[] = {
		{ RAW("\0\0\0\1c"), MILTER_PACKET_OK, 'c', STR(""), 5 },
		{ RAW("\0\0\0\3hab\0\0"), MILTER_PACKET_OK, 'h', STR("ab"), 7 },
		{ RAW("\0\0\0\0"), MILTER_PACKET_LIMIT, 0, STR(""), 0 },
		{ RAW("\0\x10\0\1"), MILTER_PACKET_LIMIT, 0, STR(""), 0 }, /* one over 1 MiB */
		{ RAW("\0\x10\0\0"), MILTER_PACKET_MORE, 0, STR(""), 0 },
		{ RAW("\xff\xff\xff\xff"), MILTER_PACKET_LIMIT, 0, STR(""), 0 },
		{ RAW("\x80\0\0\1c"), MILTER_PACKET_LIMIT, 0, STR(""), 0 },
		{ RAW(""), MILTER_PACKET_MORE, 0, STR(""), 0 },
		{ RAW("\0\0\0\2c"), MILTER_PACKET_MORE, 0, STR(""), 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (size_t n = 0; n <= cases[i].in.n; n++) { /* every prefix waits, until there is enough to judge */
			struct str           in = unit_exact(str_first(cases[i].in, n));
			struct milter_packet p = { 0 };
			size_t               used = 0;
			enum milter_packet_err err = milter_packet_next(in, &p, &used), want = cases[i].err;

			if (n < 4 || (want == MILTER_PACKET_OK && n < cases[i].n))
				want = MILTER_PACKET_MORE;
			assert_int_equal(err, want);
			if (err == MILTER_PACKET_OK) {
				assert_int_equal(p.command, cases[i].command);
				assert_str(p.data, cases[i].data);
				assert_int_equal(used, cases[i].n);
			}
			unit_exact_free(in);
		}
}

/* ---- what is written ---- */

static struct buf out;

static void written(struct str want)
{
	assert_false(out.over);
	assert_str(buf_str(&out), want);
	buf_clear(&out);
}

static void test_commands(void **state)
{
	size_t at;

	(void)state;
	buf_init(&out, KIB);
	milter_option_write(&out);
	written(RAW("\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff"));
	milter_command_connect(&out, STR("[192.0.2.1]"), STR("192.0.2.1"), 4660);
	written(RAW("\0\0\0\x1a" "C[192.0.2.1]\0" "4\x12\x34" "192.0.2.1\0"));
	milter_command_connect(&out, STR("x"), STR("::1"), 1);
	written(RAW("\0\0\0\x0a" "Cx\0" "6\0\1" "::1\0"));
	milter_command_text(&out, MILTER_CMD_HELO, STR("a.example"));
	written(RAW("\0\0\0\x0bHa.example\0"));
	milter_command_path(&out, MILTER_CMD_MAIL, STR(""), STR(""));
	written(RAW("\0\0\0\4M<>\0"));
	milter_command_path(&out, MILTER_CMD_RCPT, STR("a@b"), STR("SIZE=1  BODY=8BITMIME "));
	written(RAW("\0\0\0\x1cR<a@b>\0SIZE=1\0BODY=8BITMIME\0"));
	milter_command_header(&out, STR("X"), STR(" a\r\n\tb"), false);
	written(RAW("\0\0\0\x08LX\0a\n\tb\0"));
	milter_command_header(&out, STR("X"), STR(" a\rb\r\n c\r"), true);
	written(RAW("\0\0\0\x0cLX\0 a\rb\n c\r\0"));
	milter_command_header(&out, STR("X"), RAW(" a\0b"), false); /* the whole value: NULs do not come this far */
	buf_clear(&out);
	milter_command_plain(&out, MILTER_CMD_BODY, STR("abc"));
	milter_command_plain(&out, MILTER_CMD_EOM, STR_NONE);
	written(RAW("\0\0\0\4Babc\0\0\0\1E"));
	at = milter_macro_begin(&out, MILTER_CMD_MAIL);
	milter_macro_add(&out, STR("i"), STR("1"));
	milter_macro_add(&out, STR("{x}"), RAW("a\0b")); /* would shift all that follows */
	milter_macro_add(&out, STR("{y}"), STR(""));
	milter_macro_end(&out, at);
	written(RAW("\0\0\0\x0b" "DMi\0" "1\0{y}\0\0"));
	at = milter_macro_begin(&out, MILTER_CMD_MAIL);
	milter_macro_end(&out, at);
	written(STR(""));
	buf_done(&out);
	buf_init(&out, 8); /* too small: over, and nothing is written past it */
	milter_command_text(&out, MILTER_CMD_HELO, STR("a.example"));
	assert_true(out.over);
	buf_done(&out);
}

/* ---- agreement ---- */

static void test_options(void **state)
{
	static const struct {
		struct str data;
		bool       ok;
	} cases[] = {
		{ RAW("\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff"), true },
		{ RAW("\0\0\0\2\0\0\0\x3f\0\0\0\x7f"), true },
		{ RAW("\0\0\0\2\0\0\0\0\0\0\1\0"), false },    /* NO_UNKNOWN came with version 3 */
		{ RAW("\0\0\0\3\0\0\0\0\0\0\2\0"), false },    /* NO_DATA with 4 */
		{ RAW("\0\0\0\4\0\0\0\0\0\0\3\0"), true },
		{ RAW("\0\0\0\4\0\0\0\0\0\0\4\0"), false },    /* SKIP with 6 */
		{ RAW("\0\0\0\6\0\0\0\0\0\0\x08\0"), false },  /* RCPT_REJ is not offered */
		{ RAW("\0\0\0\6\0\0\0\0\x10\0\0\0"), false },  /* nor are large packets */
		{ RAW("\0\0\0\6\0\0\2\0\0\0\0\0"), false },    /* no such action */
		{ RAW("\0\0\0\7\0\0\0\0\0\0\0\0"), false },
		{ RAW("\0\0\0\1\0\0\0\0\0\0\0\0"), false },
		{ RAW("\0\0\0\6\0\0\0\0\0\0\0"), false },
		{ RAW("\0\0\0\6\0\0\1\0\0\0\0\0\0\0\0\2i {x}\0\0\0\0\5\0"), true },
		{ RAW("\0\0\0\6\0\0\1\0\0\0\0\0\0\0\0\2i\0\0\0\0\2j\0"), false }, /* twice */
		{ RAW("\0\0\0\6\0\0\1\0\0\0\0\0\0\0\0\7i\0"), false },            /* no such stage */
		{ RAW("\0\0\0\6\0\0\1\0\0\0\0\0\0\0\0\2i"), false },              /* no end */
		{ RAW("\0\0\0\6\0\0\1\0\0\0\0\0\0\0\0"), false },
	};
	struct milter_option o;
	struct str           names, name;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str in = unit_exact(cases[i].data);

		assert_int_equal(milter_option_parse(in, &o), cases[i].ok);
		unit_exact_free(in);
	}
	assert_true(milter_option_parse(cases[12].data, &o));
	assert_true(o.macros[MILTER_STAGE_MAIL].given && o.macros[MILTER_STAGE_EOM].given && !o.macros[MILTER_STAGE_HELO].given);
	names = STR(" i,{x}  j,");
	assert_true(milter_name_next(&names, &name));
	assert_str(name, STR("i"));
	assert_true(milter_name_next(&names, &name));
	assert_str(name, STR("{x}"));
	assert_true(milter_name_next(&names, &name));
	assert_str(name, STR("j"));
	assert_false(milter_name_next(&names, &name));
}

/* ---- answers ---- */

static bool answer(char command, struct str data, struct milter_answer *ret)
{
	struct str           exact = unit_exact(data);
	struct milter_packet p = { command, exact };
	bool                 ok = milter_answer_parse(&p, ret);

	unit_exact_free(exact);
	return ok;
}

static void test_answers(void **state)
{
	static const struct {
		char       command;
		struct str data;
		bool       ok;
	} cases[] = {
		{ 'c', RAW(""), true },
		{ 'c', RAW("x"), false },
		{ 'C', RAW(""), false },
		{ '\0', RAW(""), false },
		{ 'p', RAW(""), true },
		{ 's', RAW(""), true },
		{ 'f', RAW(""), true },
		{ 'h', RAW("X-A\0v\0"), true },
		{ 'h', RAW("X-A\0\0"), true },
		{ 'h', RAW("X-A\0v"), false },
		{ 'h', RAW("X-A\0v\0x"), false },
		{ 'h', RAW("\0v\0"), false },
		{ 'h', RAW("X A\0v\0"), false },
		{ 'h', RAW("X:A\0v\0"), false },
		{ 'h', RAW("X\x80\0v\0"), false },
		{ 'h', RAW("X\0a\n\tb\r\n c\0"), true },
		{ 'h', RAW("X\0a\r\n\0"), true }, /* its line end is taken off */
		{ 'h', RAW("X\0a\nb\0"), false },
		{ 'h', RAW("X\0a\r\n\r\nb\0"), false },
		{ 'h', RAW("X\0a\n \nb: c\0"), false },
		{ 'h', RAW("X\0a\n \r\nb\0"), false },
		{ 'h', RAW("X\0a\rb\0"), false },
		{ 'i', RAW("\0\0\0\1X\0v\0"), true },
		{ 'i', RAW("\0\0\0"), false },
		{ 'm', RAW("\xff\xff\xff\xffX\0\0"), true },
		{ 'b', RAW("any\0thing"), true },
		{ 'b', RAW(""), true },
		{ 'q', RAW("why\0"), true },
		{ 'q', RAW("why"), false },
		{ '+', RAW("<a@b>\0"), true },
		{ '+', RAW("a@b\0"), true },
		{ '+', RAW("<a@b\0"), false },
		{ '+', RAW("a@b\r\n\0"), false },
		{ '+', RAW("a@b\0args\0"), false },
		{ '2', RAW("a@b\0NOTIFY=NEVER\0"), true },
		{ '2', RAW("a@b\0"), true },
		{ '2', RAW("a@b\0x\0y\0"), false },
		{ '-', RAW("a@b\0"), true },
		{ 'e', RAW("<>\0"), true },
		{ 'e', RAW("a@b\0SIZE=1\0"), true },
		{ 'e', RAW(""), false },
	};
	struct milter_answer a;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		if (answer(cases[i].command, cases[i].data, &a) != cases[i].ok)
			fail_msg("case %zu", i);
	buf_init(&out, KIB);
	milter_value_write(&out, STR("a\n\tb\r\n c"));
	written(STR("a\r\n\tb\r\n c"));
	buf_done(&out);
}

static void test_replies(void **state)
{
	static const struct {
		struct str  text;
		unsigned    code; /* 0: refused */
		const char *enhanced;
		unsigned    lines;
		struct str  last;
	} cases[] = {
		{ STR("550 5.7.1 no"), 550, "5.7.1", 1, STR("no") },
		{ STR("451 no"), 451, "", 1, STR("no") },
		{ STR("451"), 451, "", 1, STR("") },
		{ STR("550 4.7.1 no"), 550, "", 1, STR("4.7.1 no") }, /* of another class: text */
		{ STR("550 5.7.1"), 550, "5.7.1", 1, STR("") },
		{ STR("550 5.7 no"), 550, "", 1, STR("5.7 no") },
		{ STR("550-5.7.1 a\r\n550 5.7.1 b"), 550, "5.7.1", 2, STR("b") },
		{ STR("550-a\n550-b\n550 c\n"), 550, "", 3, STR("c") },
		{ STR("550-a\r\n551 b"), 0, "", 0, STR("") },
		{ STR("550-a"), 0, "", 0, STR("") },
		{ STR("550 a\r\n550 b"), 0, "", 0, STR("") },
		{ STR("250 fine"), 0, "", 0, STR("") },
		{ STR("354 go"), 0, "", 0, STR("") },
		{ STR("600 x"), 0, "", 0, STR("") },
		{ STR("55"), 0, "", 0, STR("") },
		{ STR(""), 0, "", 0, STR("") },
		{ STR("5.7.1"), 0, "", 0, STR("") },
		{ STR("550_x"), 0, "", 0, STR("") },
		{ STR("550 a\tb"), 0, "", 0, STR("") },
		{ STR("550 a\rb"), 0, "", 0, STR("") },
		{ STR("550 \xc3\xa9"), 550, "", 1, STR("\xc3\xa9") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str          text = unit_exact(cases[i].text);
		struct milter_reply r;
		bool                ok = milter_reply_parse(text, &r);

		if (ok != (cases[i].code != 0))
			fail_msg("case %zu", i);
		if (ok) {
			assert_int_equal(r.code, cases[i].code);
			assert_string_equal(r.enhanced, cases[i].enhanced);
			assert_int_equal(r.line_count, cases[i].lines);
			assert_str(r.lines[r.line_count - 1], cases[i].last);
		}
		unit_exact_free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet),  cmocka_unit_test(test_commands), cmocka_unit_test(test_options),
		cmocka_unit_test(test_answers), cmocka_unit_test(test_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
