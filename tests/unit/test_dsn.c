/* Tests of wire/mime/dsn.h and wire/mime/mime_build.h: what is written is read back by the MIME parser. */
#include "unit.h"

#include <string.h>

#include "mime_check.h"
#include "wire/mime/dsn.h"
#include "wire/mime/mime_build.h"
#include "wire/text/text_qp.h"

static const struct str original = STR("From: Alice <alice@demo.test>\r\nTo: bob@example.org\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n"
				       "Message-ID: <1@demo.test>\r\n\r\nHello\r\n");

static const struct dsn_rcpt failed = {
	.original = STR("rfc822;Bob@example.org"),
	.final = STR("bob@example.org"),
	.action = DSN_FAILED,
	.status = STR("5.1.1"),
	.remote_mta = STR("mx.example.org [192.0.2.1]:25"),
	.diagnostic = STR("550 5.1.1 No such user here"),
	.last_attempt_ms = 1000,
	.retry_until_ms = DSN_NO_TIME,
};
static const struct dsn_rcpt delayed = {
	.final = STR("carol@example.net"),
	.action = DSN_DELAYED,
	.status = STR("nonsense"),
	.diagnostic = STR("connection timed out"),
	.last_attempt_ms = DSN_NO_TIME,
	.retry_until_ms = 86400000,
};

static struct dsn plain(const struct dsn_rcpt *rcpts, size_t count)
{
	return (struct dsn){
		.boundary = STR("=_b0123"),
		.message_id = STR("d1@mail.demo.test"),
		.date_ms = 0,
		.reporting_mta = STR("mail.demo.test"),
		.from = STR("MAILER-DAEMON@mail.demo.test"),
		.to = STR("alice@demo.test"),
		.envelope_id = STR("e1"),
		.arrival_ms = 0,
		.rcpts = rcpts,
		.rcpt_count = count,
		.content = original,
		.content_max = 10000,
	};
}

static bool has(struct str s, const char *what)
{
	return str_search(s, str_of(what)) >= 0;
}

static struct str body(struct str message, const struct mime *m, const char *section)
{
	const struct mime_part *p = mime_section(m, str_of(section));

	assert_non_null(p);
	return str_sub(message, p->body_at, p->body_n);
}

/* All lines end in CRLF and are short enough. */
static void check_lines(struct str s, size_t max)
{
	while (s.n > 0) {
		struct str line, rest;

		assert_true(str_cut(s, '\n', &line, &rest));
		assert_true(line.n > 0 && line.p[line.n - 1] == '\r' && line.n - 1 <= max);
		s = rest;
	}
}

static void test_failed(void **state)
{
	struct dsn    d = plain(&failed, 1);
	struct buf    out;
	struct arena *a = arena_new(NULL);
	struct mime   m;
	struct str    s;

	(void)state;
	buf_init(&out, 100000);
	assert_int_equal(dsn_write(&d, &out), 0);
	assert_false(out.over);
	s = buf_str(&out);
	check_lines(s, 78);
	assert_int_equal(check_message(s), 0);
	mime_parse(s, a, &m);
	assert_str(m.root->subtype, STR("REPORT"));
	assert_int_equal(m.part_count, 5);
	assert_str(body(s, &m, "2"),
		   STR("Original-Envelope-Id: e1\r\nReporting-MTA: dns; mail.demo.test\r\n"
		       "Arrival-Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\n"
		       "Original-Recipient: rfc822; Bob@example.org\r\nFinal-Recipient: rfc822; bob@example.org\r\n"
		       "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.org\r\n"
		       "Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"
		       "Last-Attempt-Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n"));
	assert_str(body(s, &m, "3"), original);
	assert_str(mime_section(&m, STR("3"))->type, STR("MESSAGE"));
	assert_true(has(body(s, &m, "1"), "There is no such address there"));
	assert_true(has(body(s, &m, "1"), "caf=C3=A9")); /* the subject in the explanation is UTF-8 */
	assert_true(has(s, "Auto-Submitted: auto-replied\r\n") && has(s, "In-Reply-To: <1@demo.test>\r\n"));
	buf_done(&out);
	arena_free(&a);
}

static void test_mixed_and_header_only(void **state)
{
	struct dsn_rcpt both[] = { delayed, failed };
	struct dsn      d = plain(both, 2);
	struct buf      out;
	struct arena   *a = arena_new(NULL);
	struct mime     m;
	struct str      s;

	(void)state;
	d.content_max = original.n - 1; /* too large to return whole */
	buf_init(&out, 100000);
	dsn_write(&d, &out);
	s = buf_str(&out);
	assert_int_equal(check_message(s), 0);
	mime_parse(s, a, &m);
	assert_str(mime_section(&m, STR("3"))->subtype, STR("RFC822-HEADERS"));
	assert_str(body(s, &m, "3"), str_first(original, original.n - 9));
	assert_true(has(s, "Subject: Your message could not be delivered\r\n"));
	assert_true(has(body(s, &m, "2"), "Status: 4.0.0\r\nDiagnostic-Code: x-postrider; connection timed out\r\n"
					  "Will-Retry-Until: Fri, 2 Jan 1970 00:00:00 +0000\r\n"));
	assert_true(has(body(s, &m, "1"), "You need not do anything"));
	d.header_only = true;
	d.content_max = 10000;
	buf_clear(&out);
	dsn_write(&d, &out);
	assert_true(has(buf_str(&out), "text/rfc822-headers") && !has(buf_str(&out), "Hello"));
	buf_done(&out);
	arena_free(&a);
}

/* To an ASCII address all is 7-bit, whatever it is about; what was encoded is what was there. */
static void test_seven_bit(void **state)
{
	static const struct str utf8_header = STR("From: J\xc3\xb6rg <a@b>\r\n"), latin1_header = STR("Subject: caf\xe9\r\n");
	static const struct str ascii_header = STR("Subject: x\r\n"), body8 = STR("\r\n.gr\xc3\xbc\xc3\x9f\n\xff=\r\n");
	static const struct {
		const struct str *header, *body;
		const char       *final;
		bool              utf8, whole;
		const char       *type, *encoding;
	} cases[] = {
		{ &ascii_header, &body8, "b@c", false, false, "text/rfc822-headers", "7bit" }, /* message/rfc822 is never encoded */
		{ &latin1_header, &body8, "b@c", false, false, "text/rfc822-headers", "quoted-printable" },
		{ &utf8_header, &body8, "b@c", true, true, "message/global", "quoted-printable" },
		{ &ascii_header, &body8, "j\xc3\xb6rg@c", false, true, "message/global", "quoted-printable" },
	};
	struct arena *a = arena_new(NULL);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct dsn_rcpt r = failed;
		struct dsn      d = plain(&r, 1);
		struct str      content = arena_printf(a, "%.*s%.*s", STR_FMT(*cases[i].header), STR_FMT(*cases[i].body));
		struct str      want = cases[i].whole ? content : *cases[i].header, s, part, rest;
		struct buf      out, back;

		r.final = str_of(cases[i].final);
		r.diagnostic = STR("550 gr\xc3\xbc\xc3\x9f");
		d.envelope_id = STR("e\xff");
		d.content = content;
		d.utf8 = cases[i].utf8;
		buf_init(&out, 100000);
		buf_init(&back, 100000);
		assert_int_equal(dsn_write(&d, &out), 0);
		s = buf_str(&out);
		assert_true(str_is_ascii(s));
		check_lines(s, 78);
		check_message(s);
		part = str_from(s, (size_t)str_search(s, arena_printf(a, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
								   cases[i].type, cases[i].encoding)));
		part = str_from(part, (size_t)str_search(part, STR("\r\n\r\n")) + 4);
		part = str_first(part, (size_t)str_search(part, STR("\r\n--=_b0123--")));
		if (str_of(cases[i].encoding).p[0] == 'q')
			text_qp_decode(part, &back);
		else
			buf_add(&back, part);
		assert_str(buf_str(&back), want);
		buf_clear(&back);
		rest = str_from(s, (size_t)str_search(s, STR("delivery-status\r\nContent-Transfer-Encoding: ")));
		text_qp_decode(rest, &back);
		assert_true(has(buf_str(&back), cases[i].whole ? "Diagnostic-Code: smtp; 550 gr\xc3\xbc\xc3\x9f\r\n"
							       : "Diagnostic-Code: smtp; 550 gr????\r\n"));
		assert_true(has(buf_str(&back), cases[i].whole ? "Original-Envelope-Id: e\xff\r\n" : "Original-Envelope-Id: e?\r\n"));
		buf_done(&back);
		buf_done(&out);
	}
	arena_free(&a);
}

/* Such an address takes SMTPUTF8 anyway: nothing is encoded. */
static void test_international(void **state)
{
	struct dsn_rcpt r = failed;
	struct dsn      d = plain(&r, 1);
	struct buf      out;

	(void)state;
	r.final = STR("j\xc3\xb6rg@example.org");
	d.to = STR("\xc3\xa4nn@demo.test");
	buf_init(&out, 100000);
	assert_int_equal(dsn_write(&d, &out), DSN_NEED_8BIT | DSN_NEED_SMTPUTF8);
	assert_true(has(buf_str(&out), "report-type=global-delivery-status"));
	assert_true(has(buf_str(&out), "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"));
	assert_true(has(buf_str(&out), "Content-Type: message/global\r\n"));
	assert_true(has(str_first(buf_str(&out), (size_t)str_search(buf_str(&out), STR("\r\n\r\n")) + 2), "\r\nContent-Transfer-Encoding: 8bit\r\n"));
	assert_true(has(buf_str(&out), "Final-Recipient: utf-8; j\xc3\xb6rg@example.org\r\n"));
	check_message(buf_str(&out));
	buf_done(&out);
}

/* What a peer or a sender chose can forge neither fields nor parts. */
static void test_hostile(void **state)
{
	struct dsn_rcpt r = failed;
	struct dsn      d = plain(&r, 1);
	struct buf      out, big;
	struct arena   *a = arena_new(NULL);
	struct mime     m;

	(void)state;
	r.diagnostic = STR("550 x\r\n--=_b0123--\r\nAction: delivered\r\n\xff\0 y");
	r.original = STR("rfc822;a\r\nAction: delivered");
	r.remote_mta = STR("mx\r\nAction: delivered");
	d.envelope_id = STR("e\r\n\r\nx");
	buf_init(&out, 1 * MIB);
	dsn_write(&d, &out);
	mime_parse(buf_str(&out), a, &m);
	assert_int_equal(m.part_count, 5);
	assert_false(has(buf_str(&out), "\nAction: delivered"));
	check_lines(buf_str(&out), 998);
	buf_init(&big, 1 * MIB);
	for (int i = 0; i < 100000; i++)
		buf_add_char(&big, 'x');
	r.diagnostic = buf_str(&big);
	buf_clear(&out);
	dsn_write(&d, &out);
	check_lines(buf_str(&out), 998);
	buf_done(&out);
	buf_init(&out, 500); /* no room: told, never more */
	dsn_write(&d, &out);
	assert_true(out.over && out.n <= 500);
	buf_done(&big);
	buf_done(&out);
	arena_free(&a);
}

static void test_fields(void **state)
{
	struct buf           out;
	struct mime_received r = { .helo = STR("client (x);"), .ip = STR("192.0.2.1"), .rdns = STR("c.example"),
				   .by = STR("mail.demo.test"), .with = STR("ESMTPS"), .id = STR("q1"),
				   .recipient = STR("bob@demo.test"), .when = { 0, 120 } };

	(void)state;
	buf_init(&out, 10000);
	mime_build_received(&r, &out);
	assert_str(buf_str(&out), STR("Received: from client??x?? (c.example [192.0.2.1]) by mail.demo.test with\r\n"
				      " ESMTPS id q1 for <bob@demo.test>; Thu, 1 Jan 1970 02:00:00 +0200\r\n"));
	buf_clear(&out);
	mime_build_field(STR("X"), STR(""), &out);
	mime_build_field(STR("X"), STR("a\r\nEvil: b"), &out);
	assert_str(buf_str(&out), STR("X:\r\nX: a  Evil: b\r\n"));
	buf_clear(&out);
	mime_build_mailbox(STR("From"), STR("Q. \"x\""), STR("a@b"), false, &out);
	mime_build_mailbox(STR("From"), STR("J\xc3\xb6rg"), STR("a@b"), false, &out);
	mime_build_mailbox(STR("From"), STR("Joe Doe"), STR("a@b"), false, &out);
	assert_str(buf_str(&out), STR("From: \"Q. \\\"x\\\"\" <a@b>\r\nFrom: =?utf-8?B?SsO2cmc=?= <a@b>\r\nFrom: Joe Doe <a@b>\r\n"));
	buf_done(&out);
}

/* unfold(write(x)) == x for text without line ends, whatever its blanks and lengths. */
static void test_fold_round_trip(void **state)
{
	struct arena *a = arena_new(NULL);

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct buf        x, out;
		struct mime_field f;
		struct str        rest;
		unsigned          seed = i;

		buf_init(&x, 1000);
		buf_init(&out, 10000);
		for (unsigned k = i % 400; k > 0; k--) {
			seed = seed * 1103515245 + 12345;
			buf_add_char(&x, (seed >> 16) % 7 == 0 ? ' ' : (seed >> 16) % 31 == 0 ? '\t' : 'x');
		}
		mime_build_field(STR("Subject"), buf_str(&x), &out);
		check_lines(buf_str(&out), 998);
		rest = buf_str(&out);
		assert_true(mime_field_next(&rest, &f));
		assert_int_equal(rest.n, 0);
		assert_str(mime_unfold(a, f.value), str_trim_ws(buf_str(&x)));
		buf_done(&x);
		buf_done(&out);
	}
	arena_free(&a);
}

/* 8-bit content goes back to one of ours as it is, and to a stranger as its header. */
static void test_ours(void **state)
{
	struct dsn_rcpt rcpt = { .final = STR("bob@example.org"), .action = DSN_FAILED };
	struct dsn      d = plain(&rcpt, 1);

	(void)state;
	d.content = STR("Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f" "e \xff\r\n");
	d.content_max = 1000;
	for (int i = 0; i < 2; i++) {
		struct buf out;

		d.ours = i == 1;
		buf_init(&out, 100000);
		assert_int_equal(dsn_write(&d, &out), d.ours ? DSN_NEED_8BIT : 0);
		assert_int_equal(has(buf_str(&out), "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\nGr\xc3\xbc\xc3\x9f" "e \xff\r\n"), d.ours);
		assert_int_equal(str_is_ascii(buf_str(&out)), !d.ours);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failed),	cmocka_unit_test(test_mixed_and_header_only),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_international),
		cmocka_unit_test(test_fields),	cmocka_unit_test(test_fold_round_trip), cmocka_unit_test(test_seven_bit), cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests_name("dsn", tests, NULL, NULL);
}
