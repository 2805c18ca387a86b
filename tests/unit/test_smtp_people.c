/* Who a recipient is and who an author may be, as the session tells its peer: probes, full and closed, on behalf, rewriting. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "smtp_rig.h"

static struct rig *start(struct rig *r, enum smtp_kind kind)
{
	rig_init(r, kind);
	r->set.allow_plain = true;
	rig_start(r);
	assert_int_equal(talk(r, HELLO), 250);
	if (kind == SMTP_KIND_SUBMISSION)
		assert_int_equal(talk(r, SIGN_IN), 235);
	buf_clear(&r->conn.out);
	return r;
}

static void test_rcpt(void **state)
{
	static const struct {
		enum status probe;
		const char *to, *reply;
		unsigned    probes;
	} rows[] = {
		{ ST_OK, "full@demo.test", "452 4.2.2 ", 0 },
		{ ST_OK, "list@demo.test", "550 5.7.2 ", 0 },
		{ ST_OK, "closed@demo.test", "452 4.2.1 ", 0 },
		{ ST_OK, "there@relay.example", "250 2.1.5 ", 1 },
		{ ST_OK, "nobody@relay.example", "550 5.1.1 ", 1 },
		/* remote is not there, or has no time: the peer is told to come again, in auth's own words. */
		{ ST_TEMP, "there@relay.example", "450 4.1.1 Not verified\r\n", 1 },
		{ ST_BUSY, "there@relay.example", "450 4.1.1 ", 1 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;
		char       line[200];

		start(&r, SMTP_KIND_RELAY);
		r.ask.probe_status = rows[i].probe;
		assert_int_equal(talk(&r, FROM), 250);
		buf_clear(&r.conn.out);
		snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", rows[i].to);
		talk(&r, line);
		if (!str_starts(buf_str(&r.conn.out), str_of(rows[i].reply)))
			fail_msg("%s: %.*s", rows[i].to, STR_FMT(buf_str(&r.conn.out)));
		assert_int_equal(r.ask.probes, rows[i].probes);
		/* A refused one changes nothing. */
		assert_int_equal(talk(&r, "DATA\r\n"), rows[i].reply[0] == '2' ? 354 : 503);
		rig_done(&r);
	}
}

/* RFC 5322 §3.6.2: on behalf of another only beside a Sender of one's own; in the envelope never. */
static void test_behalf(void **state)
{
	static const struct {
		const char *header;
		unsigned    code;
	} rows[] = {
		{ "From: boss@demo.test\r\n", 553 },
		{ "From: boss@demo.test\r\nSender: alice@demo.test\r\n", 250 },
		{ "From: Boss <boss@demo.test>, alice@demo.test\r\nSender: alice@demo.test\r\n", 250 },
		{ "From: boss@demo.test\r\nSender: boss@demo.test\r\n", 553 },
		{ "From: boss@demo.test\r\nSender: bob@demo.test\r\n", 553 },
		{ "From: bob@demo.test\r\nSender: alice@demo.test\r\n", 553 },
		{ "From: boss@demo.test\r\nSender: alice@demo.test\r\nSender: alice@demo.test\r\n", 550 },
		{ "From: alice@demo.test\r\nSender: alice@demo.test\r\n", 250 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;
		char       data[500];

		start(&r, SMTP_KIND_SUBMISSION);
		assert_int_equal(talk(&r, "MAIL FROM:<boss@demo.test>\r\n"), 553);
		assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n" TO "DATA\r\n"), 354);
		snprintf(data, sizeof(data), "%s\r\nx\r\n.\r\n", rows[i].header);
		if (talk(&r, data) != rows[i].code)
			fail_msg("%s: %.*s", rows[i].header, STR_FMT(buf_str(&r.conn.out)));
		rig_done(&r);
	}
}

/* What follows our Received field. */
static struct str content_of(const struct rig *r)
{
	struct str all = buf_str(&r->ask.content);
	ptrdiff_t  at = str_search(all, STR(" +0000\r\n"));

	assert_true(at > 0);
	return str_from(all, (size_t)at + 8);
}

#define IDS "Date: x\r\nMessage-ID: <x@y>\r\n"

static void test_rewrite(void **state)
{
	static const struct {
		const char *header, *want; /* behind Date and Message-ID */
	} rows[] = {
		{ "From: alice@demo.test\r\n", "From: alice@brand.example\r\n" },
		{ "FROM: Alice L. <alice@demo.test>\r\n", "FROM: \"Alice L.\" <alice@brand.example>\r\n" },
		{ "From: \"L, Alice\" <alice@demo.test> (me)\r\n", "From: \"L, Alice\" <alice@brand.example>\r\n" },
		{ "From: =?utf-8?Q?J=C3=B6?= D. <alice@demo.test>\r\n", "From: =?utf-8?Q?J=C3=B6?= D. <alice@brand.example>\r\n" },
		{ "From: alice@demo.test\r\nSender: <alice@demo.test>\r\n", "From: alice@brand.example\r\nSender: alice@brand.example\r\n" },
		{ "From: alice@demo.test\r\nReply-To: bob@demo.test,\r\n x@far.example\r\n",
		  "From: alice@brand.example\r\nReply-To: bob@brand.example,\r\n\tx@far.example\r\n" },
		/* recipients have their own rules; what is not rewritten keeps each octet */
		{ "From: alice@demo.test\r\nTo:   bob@demo.test  ,\r\n\t(c) c@far.example\r\n",
		  "From: alice@brand.example\r\nTo:   bob@demo.test  ,\r\n\t(c) c@far.example\r\n" },
		{ "To: a@away.example\r\nFrom: alice@demo.test\r\nCc: group: b@away.example, \"x y\" <c@far.example>;, d@away.example\r\n",
		  "To: a@a-much-longer-name-of-a-domain.example\r\nFrom: alice@brand.example\r\n"
		  "Cc: group:\r\n\tb@a-much-longer-name-of-a-domain.example,\r\n\tx y <c@far.example>;,\r\n\td@a-much-longer-name-of-a-domain.example\r\n" },
		/* not of the grammar: left alone */
		{ "From: alice@demo.test\r\nTo: a@away.example, <broken\r\n", "From: alice@brand.example\r\nTo: a@away.example, <broken\r\n" },
		/* fields of other names are nobody's business */
		{ "From: alice@demo.test\r\nX-To: a@away.example\r\n", "From: alice@brand.example\r\nX-To: a@away.example\r\n" },
		{ "From: alice@demo.test\r\nTo: undisclosed:;\r\n", "From: alice@brand.example\r\nTo: undisclosed:;\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;
		char       data[2000];

		start(&r, SMTP_KIND_SUBMISSION);
		r.ask.rewrites = true;
		assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n" TO "DATA\r\n"), 354);
		snprintf(data, sizeof(data), IDS "%s\r\nTo: a@away.example\r\n.\r\n", rows[i].header);
		assert_int_equal(talk(&r, data), 250);
		assert_str(buf_str(&r.ask.from), STR("alice@brand.example"));
		snprintf(data, sizeof(data), IDS "%s\r\nTo: a@away.example\r\n", rows[i].want);
		assert_str(content_of(&r), str_of(data));
		rig_done(&r);
	}
}

/* Without rules, and for strangers, nothing is touched; when auth does not answer, nothing is sent. */
static void test_rewrite_not(void **state)
{
	struct rig r;

	(void)state;
	start(&r, SMTP_KIND_SUBMISSION);
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n" TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, IDS "From:  alice@demo.test\r\nTo: a@away.example\r\n\r\n.\r\n"), 250);
	assert_str(content_of(&r), STR(IDS "From:  alice@demo.test\r\nTo: a@away.example\r\n\r\n"));
	r.ask.rewrite_status = ST_TEMP;
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n" TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, IDS "From: alice@demo.test\r\n\r\n.\r\n"), 451);
	assert_int_equal(r.ask.submits, 1);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY);
	r.ask.rewrites = true;
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n" TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, IDS "From: alice@demo.test\r\nTo: a@away.example\r\n\r\n.\r\n"), 250);
	assert_str(buf_str(&r.ask.from), STR("alice@demo.test"));
	assert_str(content_of(&r), STR(IDS "From: alice@demo.test\r\nTo: a@away.example\r\n\r\n"));
	rig_done(&r);
}

/* `count` recipients in To, as one field, and a body that makes the message large. */
static unsigned send_many(struct rig *r, size_t count, size_t body)
{
	struct buf b;
	unsigned   code;

	buf_init(&b, 4 * MIB);
	buf_add(&b, STR(IDS "From: alice@demo.test\r\nTo: x@far.example"));
	for (size_t i = 0; i < count; i++)
		buf_addf(&b, ",\r\n u%zu@away.example", i);
	buf_add(&b, STR("\r\n\r\n"));
	while (body-- > 0)
		buf_add(&b, STR("0123456789012345678901234567890123456789012345678901234567890123\r\n"));
	buf_add(&b, STR(".\r\n"));
	assert_int_equal(talk(r, "MAIL FROM:<alice@demo.test>\r\n" TO "DATA\r\n"), 354);
	code = talk_str(r, buf_str(&b));
	buf_done(&b);
	return code;
}

static void test_rewrite_limits(void **state)
{
	static const struct {
		size_t   count, body;
		bool     rules;
		unsigned code;
	} rows[] = {
		{ 1900, 0, true, 250 },      /* several questions */
		{ 1900, 8000, true, 250 },   /* a spool file: the header was rewritten before */
		{ 1900, 1900, true, 250 },   /* ends near LIMIT_INLINE, and grows over it */
		{ 6000, 0, false, 250 },     /* without rules there is no limit of ours */
		{ 6000, 0, true, 552 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;
		struct str content;
		size_t     lines = 0;

		start(&r, SMTP_KIND_SUBMISSION);
		r.ask.rewrites = rows[i].rules;
		if (send_many(&r, rows[i].count, rows[i].body) != rows[i].code)
			fail_msg("row %zu: %.*s", i, STR_FMT(buf_str(&r.conn.out)));
		if (rows[i].code == 250 && rows[i].rules) {
			content = content_of(&r);
			assert_true(str_search(content, STR("@away.example")) < 0);
			for (ptrdiff_t at; (at = str_search(content, STR("@a-much-longer-name-of-a-domain.example"))) >= 0; lines++)
				content = str_from(content, (size_t)at + 1);
			assert_int_equal(lines, rows[i].count);
		}
		assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n"), 250); /* the session goes on */
		rig_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rcpt),        cmocka_unit_test(test_behalf),         cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_rewrite_not), cmocka_unit_test(test_rewrite_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
