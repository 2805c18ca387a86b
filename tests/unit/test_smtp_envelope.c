/* tests/unit/test_smtp_envelope.c - what MAIL, RCPT and XCLIENT may say beside an address: parsers, and what queue is given. */
#include "unit.h"

#include <stdio.h>

#include "smtp/smtp_session.h"
#include "smtp_rig.h"
#include "wire/smtp/smtp_mail.h"
#include "wire/smtp/smtp_rcpt.h"
#include "wire/smtp/smtp_xclient.h"
#include "wire/smtp/smtp_xtext.h"
#include "wire/text/text_date.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })
#define X100     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* RFC 3461 §4, §4.3, §4.4; RFC 2852 §4; RFC 4865 §3; RFC 6710 §3; RFC 8689 §2 */
static void test_mail(void **state)
{
	static const struct {
		struct str         params;
		enum smtp_mail_err err;
	} rows[] = {
		{ RAW("RET=FULL"), SMTP_MAIL_OK },
		{ RAW("ret=hdrs"), SMTP_MAIL_OK },
		{ RAW("RET=NONE"), SMTP_MAIL_VALUE },
		{ RAW("RET"), SMTP_MAIL_VALUE },
		{ RAW("RET=FULL RET=FULL"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=QQ314159"), SMTP_MAIL_OK },
		{ RAW("ENVID=a+2Bb+20c"), SMTP_MAIL_OK },
		{ RAW("ENVID=" X100), SMTP_MAIL_OK },
		{ RAW("ENVID=" X100 "x"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=a+00"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=a+0D+0A"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=a+7F"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=a+C3+A4"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=a+2b"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=a+2"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=+"), SMTP_MAIL_VALUE },
		{ RAW("ENVID=\xc3\xa4"), SMTP_MAIL_VALUE },
		{ RAW("ENVID="), SMTP_MAIL_SYNTAX },
		{ RAW("ENVID=a ENVID=a"), SMTP_MAIL_VALUE },
		{ RAW("REQUIRETLS"), SMTP_MAIL_OK },
		{ RAW("REQUIRETLS=1"), SMTP_MAIL_VALUE },
		{ RAW("REQUIRETLS REQUIRETLS"), SMTP_MAIL_VALUE },
		{ RAW("BY=120;R"), SMTP_MAIL_OK },
		{ RAW("BY=+120;NT"), SMTP_MAIL_OK },
		{ RAW("BY=-120;N"), SMTP_MAIL_OK },
		{ RAW("by=999999999;rt"), SMTP_MAIL_OK },
		{ RAW("BY=0;N"), SMTP_MAIL_OK },
		{ RAW("BY=0;R"), SMTP_MAIL_VALUE },
		{ RAW("BY=-1;R"), SMTP_MAIL_VALUE },
		{ RAW("BY=1000000000;N"), SMTP_MAIL_VALUE },
		{ RAW("BY=120"), SMTP_MAIL_VALUE },
		{ RAW("BY=120;"), SMTP_MAIL_VALUE },
		{ RAW("BY=120;T"), SMTP_MAIL_VALUE },
		{ RAW("BY=120;NR"), SMTP_MAIL_VALUE },
		{ RAW("BY=120;NTT"), SMTP_MAIL_VALUE },
		{ RAW("BY=+-1;N"), SMTP_MAIL_VALUE },
		{ RAW("BY=;N"), SMTP_MAIL_VALUE },
		{ RAW("BY=1;N BY=1;N"), SMTP_MAIL_VALUE },
		{ RAW("HOLDFOR=0"), SMTP_MAIL_OK },
		{ RAW("HOLDFOR=999999999"), SMTP_MAIL_OK },
		{ RAW("HOLDFOR=1000000000"), SMTP_MAIL_VALUE },
		{ RAW("HOLDFOR=-1"), SMTP_MAIL_VALUE },
		{ RAW("HOLDFOR"), SMTP_MAIL_VALUE },
		{ RAW("HOLDUNTIL=2026-11-28T17:42:00Z"), SMTP_MAIL_OK },
		{ RAW("HOLDUNTIL=2026-11-28t17:42:00.25+01:00"), SMTP_MAIL_OK },
		{ RAW("HOLDUNTIL=2026-11-28T17:42:00"), SMTP_MAIL_VALUE },
		{ RAW("HOLDUNTIL=2026-02-30T17:42:00Z"), SMTP_MAIL_VALUE },
		{ RAW("HOLDUNTIL=2026-11-28"), SMTP_MAIL_VALUE },
		{ RAW("HOLDUNTIL=1"), SMTP_MAIL_VALUE },
		{ RAW("HOLDFOR=1 HOLDUNTIL=2026-11-28T17:42:00Z"), SMTP_MAIL_VALUE },
		{ RAW("HOLDUNTIL=2026-11-28T17:42:00Z HOLDFOR=1"), SMTP_MAIL_VALUE },
		{ RAW("HOLDFOR=1 HOLDFOR=1"), SMTP_MAIL_VALUE },
		{ RAW("MT-PRIORITY=0"), SMTP_MAIL_OK },
		{ RAW("MT-PRIORITY=9"), SMTP_MAIL_OK },
		{ RAW("mt-priority=-9"), SMTP_MAIL_OK },
		{ RAW("MT-PRIORITY=10"), SMTP_MAIL_VALUE },
		{ RAW("MT-PRIORITY=-0"), SMTP_MAIL_VALUE },
		{ RAW("MT-PRIORITY=+1"), SMTP_MAIL_VALUE },
		{ RAW("MT-PRIORITY=-"), SMTP_MAIL_VALUE },
		{ RAW("MT-PRIORITY=x"), SMTP_MAIL_VALUE },
		{ RAW("NOTIFY=NEVER"), SMTP_MAIL_UNKNOWN },
		{ RAW("ORCPT=rfc822;a"), SMTP_MAIL_UNKNOWN },
		{ RAW("RET=FULL ENVID=x SIZE=5 BODY=8BITMIME SMTPUTF8 REQUIRETLS BY=60;N HOLDFOR=5 MT-PRIORITY=3"), SMTP_MAIL_OK },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf       line;
		struct str       arg;
		struct smtp_mail m = { .size_octets = 42 };

		buf_init(&line, 4000);
		buf_add(&line, STR("FROM:<a@b.example> "));
		buf_add(&line, rows[i].params);
		arg = unit_exact(buf_str(&line));
		if (smtp_mail_parse(arg, ~0u, false, &m) != rows[i].err)
			print_error("%.*s\n", STR_FMT(rows[i].params));
		assert_int_equal(smtp_mail_parse(arg, ~0u, false, &m), rows[i].err);
		assert_true(rows[i].err == SMTP_MAIL_OK || m.size_octets == 42);
		for (size_t n = 0; n < arg.n; n++) {
			struct str prefix = unit_exact(str_first(arg, n));

			(void)!smtp_mail_parse(prefix, ~0u, true, &m);
			unit_exact_free(prefix);
		}
		unit_exact_free(arg);
		buf_done(&line);
	}
}

/* RFC 3461 §4.1, §4.2; RFC 6533 §3 */
static void test_rcpt(void **state)
{
	static const struct {
		struct str         params;
		bool               utf8;
		enum smtp_rcpt_err err;
		unsigned           notify;
	} rows[] = {
		{ RAW("NOTIFY=NEVER"), false, SMTP_RCPT_OK, SMTP_NOTIFY_NEVER },
		{ RAW("notify=success,Failure,DELAY"), false, SMTP_RCPT_OK, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY },
		{ RAW("NOTIFY=DELAY"), false, SMTP_RCPT_OK, SMTP_NOTIFY_DELAY },
		{ RAW("NOTIFY=NEVER,DELAY"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY=DELAY,NEVER"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY=DELAY,DELAY"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY=NEVER,NEVER"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY=DELAY,"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY=,DELAY"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY=ALWAYS"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("NOTIFY="), false, SMTP_RCPT_SYNTAX, 0 },
		{ RAW("NOTIFY=DELAY NOTIFY=DELAY"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822;bob@example.org"), false, SMTP_RCPT_OK, 0 },
		{ RAW("ORCPT=rfc822;bob+2Bx@example.org NOTIFY=FAILURE"), false, SMTP_RCPT_OK, SMTP_NOTIFY_FAILURE },
		{ RAW("ORCPT=x400;/C+3DUS/"), false, SMTP_RCPT_OK, 0 },
		{ RAW("ORCPT=utf-8;\\x{E4}@example.org"), false, SMTP_RCPT_OK, 0 },
		{ RAW("ORCPT=utf-8;\xc3\xa4@example.org"), true, SMTP_RCPT_OK, 0 },
		{ RAW("ORCPT=utf-8;\xc3\xa4@example.org"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822;\xc3\xa4@example.org"), true, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822;" X100 X100 X100 X100 X100), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822;a+00b"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822;a+0Ab"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822;"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=;a"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=a.b;a"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("ORCPT=rfc822;a ORCPT=rfc822;a"), false, SMTP_RCPT_VALUE, 0 },
		{ RAW("RET=HDRS"), false, SMTP_RCPT_UNKNOWN, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf       line;
		struct str       arg;
		struct smtp_rcpt r = { .notify = 42 };

		buf_init(&line, 4000);
		buf_add(&line, STR("TO:<a@b.example> "));
		buf_add(&line, rows[i].params);
		arg = unit_exact(buf_str(&line));
		if (smtp_rcpt_parse(arg, ~0u, rows[i].utf8, false, &r) != rows[i].err)
			print_error("%.*s\n", STR_FMT(rows[i].params));
		assert_int_equal(smtp_rcpt_parse(arg, ~0u, rows[i].utf8, false, &r), rows[i].err);
		assert_int_equal(r.notify, rows[i].err == SMTP_RCPT_OK ? rows[i].notify : 42);
		for (size_t n = 0; n < arg.n; n++) {
			struct str prefix = unit_exact(str_first(arg, n));

			(void)!smtp_rcpt_parse(prefix, ~0u, rows[i].utf8, true, &r);
			unit_exact_free(prefix);
		}
		unit_exact_free(arg);
		buf_done(&line);
	}
}

/* RFC 6533 §3: each point has one way to be written. */
static void test_orcpt(void **state)
{
	static const struct {
		struct str in, out;
		bool       utf8;
	} rows[] = {
		{ RAW("rfc822;a+2Bb+3Dc"), RAW("rfc822;a+b=c"), false },
		{ RAW("rfc822;\"a+20b\"@c"), RAW("rfc822;\"a b\"@c"), false },
		{ RAW("UTF-8;a\\x{20}b\\x{2B}\\x{3D}\\x{5C}"), RAW("UTF-8;a b+=\\"), false },
		{ RAW("utf-8;\\x{E4}\\x{20AC}\\x{1F600}\\x{10FFFF}"), RAW("utf-8;\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"), false },
		{ RAW("utf-8;\xc3\xa4\\x{E4}"), RAW("utf-8;\xc3\xa4\xc3\xa4"), true },
		{ RAW("utf-8;\\x{0E4}"), { 0 }, false },
		{ RAW("utf-8;\\x{e4}"), { 0 }, false },
		{ RAW("utf-8;\\x{41}"), { 0 }, false },
		{ RAW("utf-8;\\x{0A}"), { 0 }, false },
		{ RAW("utf-8;\\x{7F}"), { 0 }, false },
		{ RAW("utf-8;\\x{85}"), { 0 }, false },
		{ RAW("utf-8;\\x{D800}"), { 0 }, false },
		{ RAW("utf-8;\\x{110000}"), { 0 }, false },
		{ RAW("utf-8;\\x{1000000}"), { 0 }, false },
		{ RAW("utf-8;\\x{}"), { 0 }, false },
		{ RAW("utf-8;\\x{E4"), { 0 }, false },
		{ RAW("utf-8;\\"), { 0 }, false },
		{ RAW("utf-8;a+2B"), { 0 }, false },
		{ RAW("utf-8;a=b"), { 0 }, false },
		{ RAW("utf-8;\xc2\x85"), { 0 }, true },
		{ RAW("utf-8;\xc3"), { 0 }, true },
		{ RAW("utf-8;"), { 0 }, true },
	};
	struct buf out;

	(void)state;
	buf_init(&out, LIMIT_ORCPT);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = unit_exact(rows[i].in);

		buf_clear(&out);
		if (smtp_orcpt_decode(in, rows[i].utf8, &out) != (rows[i].out.n > 0))
			print_error("%.*s\n", STR_FMT(in));
		assert_int_equal(smtp_orcpt_decode(in, rows[i].utf8, NULL), rows[i].out.n > 0);
		if (rows[i].out.n > 0)
			assert_str(buf_str(&out), rows[i].out);
		unit_exact_free(in);
	}
	buf_done(&out);
}

/* RFC 3339 §5.6 */
static void test_date_time(void **state)
{
	int64_t    ms;
	struct buf b;

	(void)state;
	assert_true(text_rfc3339_parse(STR("2026-11-21T08:00:00Z"), &ms));
	assert_true(ms == 1795248000000);
	assert_true(text_rfc3339_parse(STR("2026-11-21T09:30:00+01:30"), &ms));
	assert_true(ms == 1795248000000);
	assert_true(text_rfc3339_parse(STR("2026-11-21t07:00:00.999-01:00"), &ms));
	assert_true(ms == 1795248000000);
	assert_true(text_rfc3339_parse(STR("2016-12-31T23:59:60Z"), &ms));
	assert_false(text_rfc3339_parse(STR("2026-11-21T08:00:00+0130"), &ms));
	assert_false(text_rfc3339_parse(STR("2026-11-21T08:00:00.Z"), &ms));
	assert_false(text_rfc3339_parse(STR("2026-11-21T24:00:00Z"), &ms));
	assert_false(text_rfc3339_parse(STR("2026-11-21T08:00:00+24:00"), &ms));
	assert_false(text_rfc3339_parse(STR("26-11-21T08:00:00Z"), &ms));
	assert_false(text_rfc3339_parse(STR("2026-11-21T08:00:00Zx"), &ms));
	assert_false(text_rfc3339_parse(STR(""), &ms));
	buf_init(&b, 100);
	text_rfc3339_write(1795248000000, &b);
	assert_str(buf_str(&b), STR("2026-11-21T08:00:00Z"));
	buf_done(&b);
}

static void test_xclient(void **state)
{
	static const struct {
		struct str  arg;
		bool        ok;
		unsigned    known;
		const char *address;
	} rows[] = {
		{ RAW("ADDR=192.0.2.1"), true, SMTP_XCLIENT_ADDR, "192.0.2.1" },
		{ RAW("addr=IPV6:2001:DB8::1 port=25"), true, SMTP_XCLIENT_ADDR | SMTP_XCLIENT_PORT, "2001:db8::1" },
		{ RAW("NAME=spike.example ADDR=192.0.2.1 PORT=65535 PROTO=ESMTP HELO=a+3Db LOGIN=alice DESTADDR=192.0.2.2 DESTPORT=25"), true, 0xff, "192.0.2.1" },
		{ RAW("NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL]"), true, 0, "" },
		{ RAW("PROTO=smtp"), true, SMTP_XCLIENT_PROTO, "" },
		{ RAW("ADDR=2001:db8::1"), false, 0, "" },
		{ RAW("ADDR=IPV6:192.0.2.1"), false, 0, "" },
		{ RAW("ADDR=x"), false, 0, "" },
		{ RAW("ADDR="), false, 0, "" },
		{ RAW("ADDR"), false, 0, "" },
		{ RAW("ADDR=192.0.2.1 ADDR=192.0.2.1"), false, 0, "" },
		{ RAW("ADDR=192.0.2.1  PORT=1"), false, 0, "" },
		{ RAW("PORT=65536"), false, 0, "" },
		{ RAW("DESTPORT=-1"), false, 0, "" },
		{ RAW("DESTADDR=x"), false, 0, "" },
		{ RAW("PROTO=LMTP"), false, 0, "" },
		{ RAW("NAME=a+00b"), false, 0, "" },
		{ RAW("NAME=a+0D+0Ab"), false, 0, "" },
		{ RAW("NAME=\xc3\xa4"), false, 0, "" },
		{ RAW("NAME=" X100 X100 X100), false, 0, "" },
		{ RAW("WHO=me"), false, 0, "" },
		{ RAW(" "), false, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str          arg = unit_exact(rows[i].arg);
		struct smtp_xclient x;

		if (smtp_xclient_parse(arg, &x) != rows[i].ok)
			print_error("%.*s\n", STR_FMT(arg));
		assert_int_equal(smtp_xclient_parse(arg, &x), rows[i].ok);
		if (rows[i].ok) {
			assert_int_equal(x.known, rows[i].known);
			assert_string_equal(x.address, rows[i].address);
		}
		for (size_t n = 0; n < arg.n; n++) {
			struct str prefix = unit_exact(str_first(arg, n));

			(void)!smtp_xclient_parse(prefix, &x);
			unit_exact_free(prefix);
		}
		unit_exact_free(arg);
	}
}

static void test_enhanced(void **state)
{
	(void)state;
	assert_true(smtp_enhanced_valid(STR("5.7.1"), 550));
	assert_true(smtp_enhanced_valid(STR("4.123.999"), 450));
	assert_false(smtp_enhanced_valid(STR("5.7.1"), 450));
	assert_false(smtp_enhanced_valid(STR("5.7"), 550));
	assert_false(smtp_enhanced_valid(STR("5.7."), 550));
	assert_false(smtp_enhanced_valid(STR("5.7.1."), 550));
	assert_false(smtp_enhanced_valid(STR("5.1234.1"), 550));
	assert_false(smtp_enhanced_valid(STR("5.7.1 x"), 550));
	assert_false(smtp_enhanced_valid(STR(""), 550));
}

/* ---- through a session, to queue ---- */

/* Sent, or the code of the first answer that is no 250. */
static unsigned send_one(struct rig *r, const char *mail, const char *rcpt)
{
	char     line[1000];
	unsigned code;

	snprintf(line, sizeof(line), "MAIL FROM:<alice@demo.test>%s\r\n", mail);
	code = talk(r, line);
	if (code != 250)
		return code;
	snprintf(line, sizeof(line), "RCPT TO:<bob@demo.test>%s\r\n", rcpt);
	code = talk(r, line);
	if (code != 250)
		return code;
	assert_int_equal(talk(r, "DATA\r\n"), 354);
	return talk(r, MESSAGE);
}

static void start(struct rig *r, enum smtp_kind kind)
{
	rig_init(r, kind);
	rig_start(r);
	assert_int_equal(talk(r, HELLO), 250);
	if (kind == SMTP_KIND_SUBMISSION)
		assert_int_equal(talk(r, SIGN_IN), 235);
}

static void test_to_queue(void **state)
{
	struct rig r;
	int64_t    now;

	(void)state;
	start(&r, SMTP_KIND_SUBMISSION);
	now = r.ask.now_ms;
	assert_int_equal(send_one(&r, " RET=HDRS ENVID=a+2Bb BY=600;NT HOLDFOR=60 MT-PRIORITY=3", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z"), 250);
	assert_true((r.ask.flags & (QUEUE_FLAG_RET_HDRS | QUEUE_FLAG_BY_NOTIFY | QUEUE_FLAG_BY_TRACE | QUEUE_FLAG_SUBMIT)) ==
		    (QUEUE_FLAG_RET_HDRS | QUEUE_FLAG_BY_NOTIFY | QUEUE_FLAG_BY_TRACE | QUEUE_FLAG_SUBMIT));
	assert_str(buf_str(&r.ask.envid), STR("a+b"));
	assert_str(buf_str(&r.ask.envelope), STR("10 rfc822;x+y@z\n"));
	assert_true(r.ask.deliver_by_ms == now + 600000 && r.ask.hold_until_ms == now + 60000 && r.ask.priority == 3);
	/* Nothing of it is left for the next. */
	assert_int_equal(send_one(&r, "", ""), 250);
	assert_true(r.ask.flags == QUEUE_FLAG_SUBMIT && r.ask.envid.n == 0 && r.ask.deliver_by_ms == 0 && r.ask.hold_until_ms == 0 && r.ask.priority == 0);
	assert_str(buf_str(&r.ask.envelope), STR("0 \n"));
	assert_int_equal(send_one(&r, " RET=FULL", ""), 250); /* said so, and passed on as that */
	assert_true(r.ask.flags == (QUEUE_FLAG_SUBMIT | QUEUE_FLAG_RET_FULL));
	assert_int_equal(send_one(&r, " BY=-5;N", ""), 250); /* told already */
	assert_true(r.ask.deliver_by_ms == 0 && r.ask.flags == QUEUE_FLAG_SUBMIT);
	assert_int_equal(send_one(&r, " BY=0;N", ""), 250);
	assert_true(r.ask.deliver_by_ms == now);
	assert_int_equal(send_one(&r, " HOLDUNTIL=2026-11-21T09:00:00+00:00", ""), 250);
	assert_true(r.ask.hold_until_ms == now + 3600000);
	assert_int_equal(send_one(&r, " HOLDUNTIL=2020-11-21T09:00:00Z", ""), 250); /* passed: at once */
	assert_true(r.ask.hold_until_ms == 0);
	assert_int_equal(send_one(&r, " HOLDFOR=5184000", ""), 250);
	assert_int_equal(send_one(&r, " HOLDFOR=5184001", ""), 501);
	assert_int_equal(send_one(&r, " HOLDUNTIL=9999-01-01T00:00:00Z", ""), 501);
	assert_int_equal(send_one(&r, " HOLDFOR=600 BY=600;R", ""), 501);
	assert_int_equal(send_one(&r, " HOLDFOR=600 BY=601;R", ""), 250);
	assert_int_equal(send_one(&r, " BY=59;R", ""), 555);
	assert_int_equal(send_one(&r, " BY=60;R", ""), 250);
	assert_true(r.ask.flags == QUEUE_FLAG_SUBMIT);
	rig_done(&r);
}

/* RFC 6710: strangers may not jump the queue, and are told. Who is behind XCLIENT is a stranger. */
static void test_priority(void **state)
{
	static struct cidr peer;
	struct rig         r;

	(void)state;
	start(&r, SMTP_KIND_RELAY);
	assert_int_equal(send_one(&r, " MT-PRIORITY=4", ""), 250);
	assert_true(r.ask.priority == 0);
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test> MT-PRIORITY=4\r\n"), 250);
	assert_str(buf_str(&r.conn.out), STR("250 2.3.6 0 is the new priority\r\n"));
	assert_int_equal(talk(&r, "RSET\r\n"), 250);
	assert_int_equal(send_one(&r, " MT-PRIORITY=-4", ""), 250);
	assert_true(r.ask.priority == -4);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY);
	assert_true(cidr_parse(STR("192.0.2.7"), &peer));
	r.set.trusted = (struct cidr_list){ &peer, 1 };
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(send_one(&r, " MT-PRIORITY=4", ""), 250);
	assert_true(r.ask.priority == 4 && r.ask.exempt);
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.7\r\n"), 220);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(send_one(&r, " MT-PRIORITY=4", ""), 250);
	assert_true(r.ask.priority == 0 && !r.ask.exempt);
	rig_done(&r);
}

/* RFC 8689: offered in TLS only; the field of the header gives way to the parameter. */
static void test_require_tls(void **state)
{
	struct rig r;

	(void)state;
	start(&r, SMTP_KIND_RELAY);
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test> REQUIRETLS\r\n"), 555);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 220);
	fake_tls(&r.conn);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_true(str_search(buf_str(&r.conn.out), STR("250-REQUIRETLS\r\n")) > 0);
	for (int require = 0; require < 2; require++) {
		assert_int_equal(talk(&r, require ? "MAIL FROM:<alice@demo.test> REQUIRETLS\r\n" : "MAIL FROM:<alice@demo.test>\r\n"), 250);
		assert_int_equal(talk(&r, TO), 250);
		assert_int_equal(talk(&r, "DATA\r\n"), 354);
		assert_int_equal(talk(&r, "From: alice@demo.test\r\nTLS-Required: no\r\n\r\n.\r\n"), 250);
		assert_int_equal(r.ask.flags, require ? QUEUE_FLAG_REQUIRETLS : QUEUE_FLAG_TLS_OPTIONAL);
	}
	rig_done(&r);
}

/* What is told of a transaction's recipients fits the channel. */
static void test_much(void **state)
{
	struct rig r;
	char       line[1000];
	unsigned   taken = 0, refused = 0;

	(void)state;
	start(&r, SMTP_KIND_RELAY);
	assert_int_equal(talk(&r, FROM), 250);
	for (unsigned i = 0; i < LIMIT_RCPTS; i++) {
		unsigned code;

		snprintf(line, sizeof(line), "RCPT TO:<user%0240u@demo.test> ORCPT=rfc822;%s\r\n", i, X100 X100 X100 X100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		code = talk(&r, line);
		assert_true(code == 250 || code == 452);
		taken += code == 250;
		refused += code == 452;
	}
	assert_true(taken > 800 && refused > 100);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),     cmocka_unit_test(test_rcpt),     cmocka_unit_test(test_orcpt),       cmocka_unit_test(test_date_time),
		cmocka_unit_test(test_xclient),  cmocka_unit_test(test_enhanced), cmocka_unit_test(test_to_queue),    cmocka_unit_test(test_priority),
		cmocka_unit_test(test_require_tls), cmocka_unit_test(test_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
