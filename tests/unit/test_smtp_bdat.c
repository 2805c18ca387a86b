/* tests/unit/test_smtp_bdat.c - BDAT: its argument, its canonicaliser, and a session that is fed by it, split at every octet. */
#include "unit.h"

#include <stdio.h>

#include "smtp/smtp_session.h"
#include "smtp_rig.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

/* RFC 3030 §2 */
static void test_parse(void **state)
{
	static const struct {
		struct str arg;
		bool       ok;
		uint64_t   octets;
		bool       last;
	} rows[] = {
		{ RAW("0"), true, 0, false },
		{ RAW("86 LAST"), true, 86, true },
		{ RAW("0 last"), true, 0, true },
		{ RAW("9223372036854775807"), true, INT64_MAX, false },
		{ RAW("18446744073709551615"), true, UINT64_MAX, false },
		{ RAW("00000000000000000007"), true, 7, false },
		{ RAW("000000000000000000007"), false, 0, false },
		{ RAW("18446744073709551616"), false, 0, false },
		{ RAW(""), false, 0, false },
		{ RAW("LAST"), false, 0, false },
		{ RAW("-1"), false, 0, false },
		{ RAW("+1"), false, 0, false },
		{ RAW("1 "), false, 0, false },
		{ RAW(" 1"), false, 0, false },
		{ RAW("1  LAST"), false, 0, false },
		{ RAW("1 LAST "), false, 0, false },
		{ RAW("1 LASTX"), false, 0, false },
		{ RAW("0x10"), false, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str       arg = unit_exact(rows[i].arg);
		struct smtp_bdat b = { .octets = 42 };

		assert_int_equal(smtp_bdat_parse(arg, &b), rows[i].ok);
		assert_true(b.octets == (rows[i].ok ? rows[i].octets : 42));
		assert_int_equal(b.last, rows[i].ok && rows[i].last);
		unit_exact_free(arg);
	}
}

/* ---- the canonicaliser ---- */

static const struct {
	struct str in, normalised;
	bool       cr, lf, nul;
} contents[] = {
	{ RAW(""), RAW(""), 0, 0, 0 },
	{ RAW("a\r\n"), RAW("a\r\n"), 0, 0, 0 },
	{ RAW("a"), RAW("a\r\n"), 0, 0, 0 },
	{ RAW("\r\n"), RAW("\r\n"), 0, 0, 0 },
	{ RAW(".\r\n..\r\n.\r\nx"), RAW(".\r\n..\r\n.\r\nx\r\n"), 0, 0, 0 }, /* dots are dots */
	{ RAW("a\r\n.\r\nMAIL FROM:<>\r\n"), RAW("a\r\n.\r\nMAIL FROM:<>\r\n"), 0, 0, 0 },
	{ RAW("a\rb\r\n"), RAW("a\r\nb\r\n"), 1, 0, 0 },
	{ RAW("a\nb\r\n"), RAW("a\r\nb\r\n"), 0, 1, 0 },
	{ RAW("a\r"), RAW("a\r\n"), 1, 0, 0 },
	{ RAW("a\n"), RAW("a\r\n"), 0, 1, 0 },
	{ RAW("\n.\n"), RAW("\r\n.\r\n"), 0, 1, 0 },
	{ RAW("\r.\r"), RAW("\r\n.\r\n"), 1, 0, 0 },
	{ RAW("a\r\r\nb"), RAW("a\r\n\r\nb\r\n"), 1, 0, 0 },
	{ RAW("a\n\r\nb"), RAW("a\r\n\r\nb\r\n"), 0, 1, 0 },
	{ RAW("a\r\n\nb"), RAW("a\r\n\r\nb\r\n"), 0, 1, 0 },
	{ RAW("\r\r\r\n\n\n"), RAW("\r\n\r\n\r\n\r\n\r\n"), 1, 1, 0 },
	{ RAW("a\0b"), RAW("a\0b\r\n"), 0, 0, 1 },
	{ RAW("a\r\0\n"), RAW("a\r\n\0\r\n"), 1, 1, 1 },
};

static void add(void *ctx, struct str run)
{
	assert_true(run.n > 0);
	buf_add(ctx, run);
}

/* In three pieces, cut anywhere. */
static void test_contents(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < LEN(contents); i++)
		for (int normalise = 0; normalise < 2; normalise++)
			for (size_t cut = 0; cut <= contents[i].in.n; cut++)
				for (size_t second = cut; second <= contents[i].in.n; second++) {
					struct str        parts[3] = { str_first(contents[i].in, cut), str_sub(contents[i].in, cut, second - cut),
								       str_from(contents[i].in, second) };
					struct smtp_chunk c;

					buf_clear(&out);
					smtp_chunk_init(&c, normalise);
					for (size_t k = 0; k < LEN(parts); k++) {
						struct str part = unit_exact(parts[k]);

						smtp_chunk_feed(&c, part, add, &out);
						unit_exact_free(part);
					}
					smtp_chunk_end(&c, add, &out);
					assert_true(c.bare_cr == contents[i].cr && c.bare_lf == contents[i].lf && c.nul == contents[i].nul);
					if (normalise || !(c.bare_cr || c.bare_lf))
						assert_str(buf_str(&out), contents[i].normalised);
					else
						assert_true(str_starts(buf_str(&out), contents[i].in));
				}
	buf_done(&out);
}

/* ---- sessions ---- */

static void to_rcpt(struct rig *r, enum smtp_kind kind)
{
	rig_init(r, kind);
	rig_start(r);
	assert_int_equal(talk(r, HELLO), 250);
	assert_int_equal(talk(r, FROM), 250);
	assert_int_equal(talk(r, TO), 250);
}

/* One content as two chunks cut at every octet, what is sent cut at every octet too: the message is the same, and what stands in the
 * chunks like a command is none. */
static void test_split(void **state)
{
	static const struct str content = RAW("Subject: x\r\n\r\n.\r\nMAIL FROM:<>\r\n..\r\nRSET\r\nend");
	struct buf              said;

	(void)state;
	buf_init(&said, 4000);
	for (size_t cut = 0; cut <= content.n; cut++) {
		for (size_t piece = 1; piece < 90; piece += cut % 7 + 1) {
			struct rig r;

			to_rcpt(&r, SMTP_KIND_RELAY);
			buf_clear(&said);
			buf_addf(&said, "BDAT %zu\r\n", cut);
			buf_add(&said, str_first(content, cut));
			buf_addf(&said, "BDAT %zu LAST\r\n", content.n - cut);
			buf_add(&said, str_from(content, cut));
			buf_add(&said, STR("NOOP\r\n"));
			buf_clear(&r.conn.out);
			for (size_t at = 0; at < said.n; at += piece)
				fake_feed(&r.conn, str_sub(buf_str(&said), at, piece));
			assert_str(buf_str(&r.conn.out), STR("250 2.0.0 Chunk taken\r\n250 2.0.0 OK queued as 0000000000001\r\n250 2.0.0 OK\r\n"));
			assert_true(str_iends(buf_str(&r.ask.content),
					      STR("\r\nSubject: x\r\n\r\n.\r\nMAIL FROM:<>\r\n..\r\nRSET\r\nend\r\n")));
			assert_int_equal(r.ask.submits, 1);
			rig_done(&r);
		}
	}
	buf_done(&said);
}

/* papers 1.8 A: what some server takes for the end of data, in chunks: whole, and with a border of chunks at each octet. */
static void test_smuggling(void **state)
{
	static const struct {
		struct str marker;
		bool       bare;
	} rows[] = {
		{ RAW("\n.\n"), true },       { RAW("\n.\r"), true },        { RAW("\r.\n"), true },         { RAW("\r.\r"), true },
		{ RAW("\n.\r\n"), true },     { RAW("\r.\r\n"), true },      { RAW("\r\n.\n"), true },       { RAW("\r\n.\r"), true },
		{ RAW("\r\n\0.\r\n"), true }, { RAW("\r\n.\r\r\n"), true },  { RAW("\r\r\n.\r\r\n"), true }, { RAW("\r\n.\r\n"), false },
		{ RAW("\r\n..\r\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf content, said;

		buf_init(&content, 1000);
		buf_init(&said, 2000);
		buf_add(&content, STR("S: x\r\n\r\na"));
		buf_add(&content, rows[i].marker);
		buf_add(&content, STR("MAIL FROM:<evil@far.example>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\n\r\nx\r\n.\r\n"));
		for (size_t cut = 0; cut <= content.n; cut++)
			for (int normalise = 0; normalise < 2; normalise++) {
				bool       taken = !rows[i].bare || (normalise && str_find(rows[i].marker, '\0') < 0);
				struct rig r;

				to_rcpt(&r, SMTP_KIND_RELAY);
				r.set.normalise_eol = normalise;
				buf_clear(&said);
				buf_addf(&said, "BDAT %zu\r\n", cut);
				buf_add(&said, str_first(buf_str(&content), cut));
				buf_addf(&said, "BDAT %zu LAST\r\n", content.n - cut);
				buf_add(&said, str_from(buf_str(&content), cut));
				buf_add(&said, STR("QUIT\r\n"));
				buf_clear(&r.conn.out);
				fake_feed(&r.conn, buf_str(&said));
				assert_int_equal(r.ask.submits, taken);
				assert_true(r.conn.closed);
				if (taken)
					assert_str(buf_str(&r.ask.recipients), STR("alice@demo.test "));
				else
					assert_true(str_search(buf_str(&r.conn.out), STR("554 5.6.0")) >= 0);
				/* Two chunks, and QUIT: three answers, whatever is inside. */
				assert_true(str_iends(buf_str(&r.conn.out), STR("221 2.0.0 Bye\r\n")));
				assert_true(str_search(buf_str(&r.conn.out), STR("Sender")) < 0);
				rig_done(&r);
			}
		buf_done(&content);
		buf_done(&said);
	}
}

/* All that was pipelined behind a refused chunk is swallowed, and is no error of the client's, however much it is. */
static void test_failed(void **state)
{
	struct rig r;

	(void)state;
	to_rcpt(&r, SMTP_KIND_RELAY);
	assert_int_equal(talk(&r, "BDAT 3\r\na\nb"), 554);
	for (unsigned i = 0; i < 3 * LIMIT_SMTP_ERRORS; i++)
		assert_int_equal(talk(&r, "BDAT 6\r\nQUIT\r\n"), 503);
	assert_false(r.conn.closed);
	assert_int_equal(talk(&r, "BDAT 6 LAST\r\nQUIT\r\n"), 503);
	assert_int_equal(talk(&r, "BDAT 6\r\nQUIT\r\n"), 503); /* this one is an error */
	assert_true(str_search(buf_str(&r.conn.out), STR("Send MAIL first")) > 0);
	assert_int_equal(talk(&r, FROM TO "BDAT 6 LAST\r\nS: x\r\n"), 250);
	assert_int_equal(r.ask.submits, 1);
	rig_done(&r);

	to_rcpt(&r, SMTP_KIND_RELAY);
	assert_int_equal(talk(&r, "BDAT 3\r\na\nb"), 554);
	assert_int_equal(talk(&r, "RSET\r\n"), 250);
	for (unsigned i = 0; i <= LIMIT_SMTP_ERRORS; i++)
		assert_int_equal(talk(&r, "BDAT 6\r\nQUIT\r\n"), i < LIMIT_SMTP_ERRORS ? 503 : 421);
	assert_true(r.conn.closed);
	rig_done(&r);
}

static void test_sizes(void **state)
{
	struct rig r;
	char       line[100];

	(void)state;
	to_rcpt(&r, SMTP_KIND_RELAY); /* too much in all: known before it comes, said when it has come */
	r.set.message_octets = 100;
	assert_int_equal(talk(&r, "BDAT 20\r\nSubject: 9 9 9 9\r\n\r\n"), 250);
	assert_int_equal(talk(&r, "BDAT 90 LAST\r\n"), 0);
	snprintf(line, sizeof(line), "%090d", 0);
	assert_int_equal(talk(&r, line), 552);
	assert_int_equal(talk(&r, "NOOP\r\n"), 250);
	rig_done(&r);

	to_rcpt(&r, SMTP_KIND_RELAY); /* more than any message: not even read */
	assert_int_equal(talk(&r, "BDAT 9223372036854775807\r\nxxx"), 552);
	assert_true(r.conn.closed);
	rig_done(&r);

	to_rcpt(&r, SMTP_KIND_RELAY); /* nothing, for ever */
	for (unsigned i = 3; i < LIMIT_SMTP_COMMANDS; i++)
		assert_int_equal(talk(&r, "BDAT 0\r\n"), 250);
	talk(&r, "BDAT 0\r\n");
	assert_int_equal(talk(&r, "BDAT 0\r\n"), 421);
	rig_done(&r);

	to_rcpt(&r, SMTP_KIND_RELAY); /* no memory: the chunk is read, then it is said, and it is over */
	r.conn.memory_limit = 1000;
	assert_int_equal(talk(&r, "BDAT 6\r\nRSET\r\n"), 452);
	assert_int_equal(talk(&r, "BDAT 6 LAST\r\nRSET\r\n"), 503);
	assert_int_equal(talk(&r, "DATA\r\n"), 503);
	rig_done(&r);

	to_rcpt(&r, SMTP_KIND_RELAY); /* large: by way of a spool file */
	snprintf(line, sizeof(line), "BDAT %zu\r\n", LIMIT_INLINE);
	assert_int_equal(talk(&r, "BDAT 8\r\nS: x\r\n\r\n"), 250);
	fake_feed(&r.conn, str_of(line));
	for (size_t i = 0; i < LIMIT_INLINE / 64; i++)
		fake_feed(&r.conn, STR("0123456789012345678901234567890123456789012345678901234567890123"));
	assert_int_equal(talk(&r, "BDAT 0 LAST\r\n"), 250);
	assert_int_equal(r.ask.spools, 1);
	assert_true(r.ask.content.n > LIMIT_INLINE && str_iends(buf_str(&r.ask.content), STR("3\r\n")));
	rig_done(&r);
}

/* After HELO it is not offered; a line that is too long and names octets cannot be answered and gone on from. */
static void test_refused(void **state)
{
	struct rig r;
	char       line[3000];

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, "HELO client.example\r\n"), 250);
	assert_int_equal(talk(&r, "BDAT 6\r\nQUIT\r\n"), 554); /* sent ahead after HELO */
	assert_true(r.conn.closed);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, "HELO client.example\r\n"), 250);
	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, TO), 250);
	assert_int_equal(talk(&r, "BDAT 6\r\n"), 0);
	assert_int_equal(talk(&r, "QUIT\r\n"), 503);
	assert_false(r.conn.closed);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_SUBMISSION); /* where lines may be as long as AUTH's */
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	snprintf(line, sizeof(line), "BDAT 6 LAST%02500d\r\nQUIT\r\n", 0);
	assert_int_equal(talk(&r, line), 500);
	assert_true(r.conn.closed);
	rig_done(&r);

	to_rcpt(&r, SMTP_KIND_RELAY); /* the session ends inside a chunk */
	assert_int_equal(talk(&r, "BDAT 100\r\nabc"), 0);
	fake_event(&r.conn, NET_EV_TIMEOUT);
	assert_true(r.conn.closed);
	assert_int_equal(r.ask.submits, 0);
	rig_done(&r);

	to_rcpt(&r, SMTP_KIND_RELAY); /* the server stops between chunks */
	assert_int_equal(talk(&r, "BDAT 3\r\nabc"), 250);
	fake_event(&r.conn, NET_EV_DRAIN);
	assert_true(r.conn.closed && str_search(buf_str(&r.conn.out), STR("421 ")) >= 0);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_contents), cmocka_unit_test(test_split), cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_failed), cmocka_unit_test(test_sizes),    cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
