/* tests/unit/test_smtp_lmtp.c - who may do more than a stranger: LMTP, XCLIENT, ETRN, trusted addresses; and replies that are held back. */
#include "unit.h"

#include <stdio.h>

#include "smtp/smtp_session.h"
#include "smtp_rig.h"

#define LHLO "LHLO hub.example\r\n"

static struct cidr trusted_net;

static void start(struct rig *r, enum smtp_kind kind, const char *trusted)
{
	rig_init(r, kind);
	if (trusted) {
		assert_true(cidr_parse(str_of(trusted), &trusted_net));
		r->set.trusted = (struct cidr_list){ &trusted_net, 1 };
	}
	r->conn.info.loopback = kind == SMTP_KIND_LMTP;
	rig_start(r);
}

static unsigned lines_of(struct rig *r, const char *begin)
{
	struct str out = buf_str(&r->conn.out), line;
	unsigned   n = 0;

	while (str_cut(out, '\n', &line, &out))
		n += str_starts(line, str_of(begin));
	return n;
}

/* ---- LMTP, RFC 2033 ---- */

static void test_who(void **state)
{
	static const struct {
		const char *trusted;
		bool        loopback, in, unnamed;
	} rows[] = { { NULL, false, false, false }, { NULL, true, true, false }, { "192.0.2.0/24", false, true, false },
		     { "198.51.100.0/24", false, false, false }, { "192.0.2.0/24", false, false, true } };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;

		rig_init(&r, SMTP_KIND_LMTP);
		if (rows[i].trusted) {
			assert_true(cidr_parse(str_of(rows[i].trusted), &trusted_net));
			r.set.trusted = (struct cidr_list){ &trusted_net, 1 };
		}
		r.conn.info.loopback = rows[i].loopback;
		r.conn.info.unnamed = rows[i].unnamed; /* the address is a proxy's, and the peer is not */
		rig_start(&r);
		assert_str(buf_str(&r.conn.out), rows[i].in ? STR("220 mx.demo.test LMTP Postrider\r\n")
							    : STR("554 5.7.1 LMTP is not offered to this address\r\n"));
		assert_int_equal(r.conn.closed, !rows[i].in);
		rig_done(&r);
	}
}

/* A reply for each RCPT that got 250, repeats too; one message goes to queue. */
static void test_replies(void **state)
{
	static const struct {
		const char              *data, *begin;
		enum queue_submit_result result;
		unsigned                 submits;
	} rows[] = {
		{ "DATA\r\nFrom: a@b.example\r\n\r\nx\r\n.\r\n", "250 2.0.0 OK queued", QUEUE_SUBMIT_QUEUED, 1 },
		{ "DATA\r\nFrom: a@b.example\r\n\r\nx\r\n.\r\n", "452 4.3.1", QUEUE_SUBMIT_FULL, 1 },
		{ "DATA\r\nFrom: a@b.example\r\n\r\nx\r\n.\r\n", "554 5.6.0", QUEUE_SUBMIT_INVALID, 1 },
		{ "DATA\r\nx\ny\r\n.\r\n", "554 5.6.0", QUEUE_SUBMIT_QUEUED, 0 },
		{ "BDAT 3 LAST\r\nx\r\n", "250 2.0.0 OK queued", QUEUE_SUBMIT_QUEUED, 1 },
		{ "BDAT 3 LAST\r\nx\ny", "554 5.6.0", QUEUE_SUBMIT_QUEUED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str first, rest, data = str_of(rows[i].data);
		struct rig r;

		start(&r, SMTP_KIND_LMTP, NULL);
		r.ask.submit_result = rows[i].result;
		assert_int_equal(talk(&r, LHLO), 250);
		assert_int_equal(talk(&r, FROM TO "RCPT TO:<nobody@demo.test>\r\nRCPT TO:<bob@demo.test>\r\n" TO), 250);
		if (str_starts(data, STR("DATA"))) {
			str_cut(data, '\n', &first, &rest);
			assert_int_equal(talk(&r, "DATA\r\n"), 354);
			data = rest;
		}
		talk_str(&r, data);
		assert_int_equal(lines_of(&r, rows[i].begin), 3);
		assert_int_equal(lines_of(&r, ""), 3);
		assert_int_equal(r.ask.submits, rows[i].submits);
		assert_int_equal(talk(&r, "NOOP\r\n"), 250);
		if (rows[i].submits && rows[i].result == QUEUE_SUBMIT_QUEUED) {
			assert_str(buf_str(&r.ask.recipients), STR("alice@demo.test bob@demo.test "));
			assert_true(str_search(buf_str(&r.ask.content), STR(" with LMTP id")) > 0);
		}
		rig_done(&r);
	}
}

/* A chunk that is refused before the last gets one reply: there is no end of data yet. */
static void test_chunk_refused(void **state)
{
	struct rig r;

	(void)state;
	start(&r, SMTP_KIND_LMTP, NULL);
	assert_int_equal(talk(&r, LHLO), 250);
	assert_int_equal(talk(&r, FROM TO "RCPT TO:<bob@demo.test>\r\n"), 250);
	assert_int_equal(talk(&r, "BDAT 3\r\nx\ny"), 554);
	assert_int_equal(lines_of(&r, "554"), 1);
	assert_int_equal(talk(&r, "BDAT 3 LAST\r\nxxx"), 503);
	assert_int_equal(lines_of(&r, "503"), 1);
	rig_done(&r);
}

static void test_no_sign_in(void **state)
{
	struct rig r;

	(void)state;
	start(&r, SMTP_KIND_LMTP, NULL);
	assert_int_equal(talk(&r, "EHLO x\r\n"), 500);
	assert_int_equal(talk(&r, LHLO), 250);
	assert_int_equal(lines_of(&r, "250-AUTH") + lines_of(&r, "250-FUTURERELEASE") + lines_of(&r, "250-ETRN"), 0);
	assert_int_equal(lines_of(&r, "250-PIPELINING") + lines_of(&r, "250 ENHANCEDSTATUSCODES"), 2); /* RFC 2033 §5 */
	assert_int_equal(talk(&r, SIGN_IN), 502);
	assert_int_equal(talk(&r, FROM "RCPT TO:<a@far.example>\r\n"), 550); /* no relay */
	assert_true(r.ask.exempt);
	rig_done(&r);
}

/* ---- XCLIENT ---- */

static void test_xclient(void **state)
{
	struct rig                 r;
	const struct smtp_session *s;

	(void)state;
	start(&r, SMTP_KIND_RELAY, "192.0.2.0/24");
	s = r.conn.session;
	assert_true(s->trusted);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(lines_of(&r, "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"), 1);
	assert_int_equal(talk(&r, "XCLIENT ADDR=IPV6:2001:db8::5 PORT=77 NAME=x.example HELO=other.example LOGIN=alice@demo.test\r\n"), 220);
	assert_string_equal(r.conn.info.peer, "2001:db8::5");
	assert_int_equal(r.conn.info.peer_port, 77);
	assert_true(s->trusted && s->xclient && !s->signed_in && s->login.n == 0 && s->hello.n == 0); /* LOGIN is no sign-in */
	assert_int_equal(talk(&r, FROM), 503);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(lines_of(&r, "250-XCLIENT") + lines_of(&r, "250-ETRN"), 0);
	assert_int_equal(talk(&r, "XCLIENT ADDR=192.0.2.7\r\n"), 502); /* the client may not say so itself */
	assert_int_equal(talk(&r, "ETRN relay.test\r\n"), 459);
	assert_int_equal(talk(&r, FROM "RCPT TO:<a@far.example>\r\n"), 550);
	assert_int_equal(talk(&r, TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_true(str_search(buf_str(&r.ask.content), STR("from client.example ([IPv6:2001:db8::5])")) > 0);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY, "198.51.100.0/24"); /* not for strangers */
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(lines_of(&r, "250-XCLIENT"), 0);
	assert_int_equal(talk(&r, "XCLIENT ADDR=127.0.0.1\r\n"), 502);
	assert_string_equal(r.conn.info.peer, "192.0.2.7");
	rig_done(&r);

	start(&r, SMTP_KIND_SUBMISSION, "192.0.2.7"); /* a proxy's word is not a password */
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.9 LOGIN=alice@demo.test\r\n"), 220);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n"), 530);
	assert_int_equal(talk(&r, SIGN_IN), 235);
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.9\r\n"), 502);
	rig_done(&r);

	start(&r, SMTP_KIND_SUBMISSION, "192.0.2.7");
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, SIGN_IN), 235);
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.9\r\n"), 503);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY, "192.0.2.7"); /* the client's limits count */
	r.conn.peer_refused = true;
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.9\r\n"), 421);
	assert_true(r.conn.closed);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY, "192.0.2.7"); /* nothing may be sent behind it: it would be from another client */
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.9\r\nEHLO x\r\n"), 554);
	assert_true(r.conn.closed);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY, "192.0.2.7"); /* an address that is not told: not trusted all the same */
	assert_int_equal(talk(&r, "XCLIENT ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL]\r\n"), 220);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM TO), 250);
	assert_false(r.ask.exempt);
	rig_done(&r);

	start(&r, SMTP_KIND_LMTP, "192.0.2.7"); /* nobody is judged there */
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.9\r\n"), 502);
	rig_done(&r);

	start(&r, SMTP_KIND_REINJECT, "192.0.2.7"); /* nor there: a client would have all rights of the filter */
	assert_int_equal(talk(&r, "XCLIENT ADDR=198.51.100.9\r\n"), 502);
	rig_done(&r);
}

/* ---- ETRN, RFC 1985 ---- */

static void test_etrn(void **state)
{
	struct rig r;

	(void)state;
	start(&r, SMTP_KIND_RELAY, "192.0.2.7");
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(lines_of(&r, "250-ETRN"), 1);
	assert_int_equal(talk(&r, "ETRN Relay.TEST\r\n"), 251);
	assert_str(buf_str(&r.ask.flushed), STR("relay.test"));
	r.ask.flush_count = 3;
	assert_int_equal(talk(&r, "ETRN relay.test\r\n"), 252);
	r.ask.flush_status = ST_TEMP;
	assert_int_equal(talk(&r, "ETRN relay.test\r\n"), 458);
	r.ask.flush_status = ST_LIMIT;
	assert_int_equal(talk(&r, "ETRN relay.test\r\n"), 458);
	r.ask.flush_status = ST_OK;
	assert_int_equal(talk(&r, "ETRN demo.test\r\n"), 459);
	assert_int_equal(talk(&r, "ETRN far.example\r\n"), 459);
	assert_int_equal(talk(&r, "ETRN #queue\r\n"), 501);
	assert_int_equal(talk(&r, "ETRN relay.test x\r\n"), 501);
	for (unsigned i = 8; i < LIMIT_SMTP_ETRN; i++)
		assert_int_equal(talk(&r, "ETRN relay.test\r\n"), 252);
	assert_int_equal(talk(&r, "ETRN relay.test\r\n"), 458);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY, NULL);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(lines_of(&r, "250-ETRN"), 0);
	assert_int_equal(talk(&r, "ETRN relay.test\r\n"), 459);
	assert_int_equal(r.ask.rcpts, 0);
	rig_done(&r);
}

/* ---- auth's own words, and replies that are held back ---- */

static void test_words(void **state)
{
	static const struct {
		struct auth_rcpt_reply words;
		const char            *said;
	} rows[] = {
		{ { .kind = AUTH_RCPT_LATER, .code = 450, .enhanced = STR("4.7.1"), .text = STR("Greylisted") }, "450 4.7.1 Greylisted\r\n" },
		{ { .kind = AUTH_RCPT_LATER, .code = 554, .enhanced = STR("4.7.1"), .text = STR("No") }, "554 5.7.1 No\r\n" },
		{ { .kind = AUTH_RCPT_LATER, .code = 554, .enhanced = STR("5.7.2"), .text = STR("a\r\n250 OK\x01\xc3\xa4") }, "554 5.7.2 a??250 OK???\r\n" },
		{ { .kind = AUTH_RCPT_LOCAL, .code = 451, .text = STR("") }, "451 4.7.1 Recipient cannot be checked now, try again later\r\n" },
		{ { .kind = AUTH_RCPT_UNKNOWN, .code = 250, .enhanced = STR("2.1.5"), .text = STR("fine") }, "550 5.1.1 No such recipient\r\n" },
		{ { .kind = AUTH_RCPT_UNKNOWN, .code = 999999, .text = STR("x") }, "550 5.1.1 No such recipient\r\n" },
		{ { .kind = AUTH_RCPT_FULL }, "452 4.2.2 Recipient's mailbox is full, try again later\r\n" },
		{ { .kind = AUTH_RCPT_LATER }, "451 4.3.0 Recipient cannot be checked now, try again later\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;

		start(&r, SMTP_KIND_RELAY, NULL);
		r.ask.words = rows[i].words;
		assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
		talk(&r, "RCPT TO:<refused@demo.test>\r\n");
		assert_str(buf_str(&r.conn.out), str_of(rows[i].said));
		assert_int_equal(talk(&r, "DATA\r\n"), 503);
		rig_done(&r);
	}
}

/* 421 closes, RFC 5321 §4.2.1. */
static void test_go_away(void **state)
{
	struct rig r;

	(void)state;
	start(&r, SMTP_KIND_RELAY, NULL);
	r.ask.words = (struct auth_rcpt_reply){ .kind = AUTH_RCPT_LATER, .code = 421, .enhanced = STR("4.7.0"), .text = STR("Too much"), .delay_ms = 5 };
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, "RCPT TO:<refused@demo.test>\r\n"), 421);
	assert_true(r.conn.closed);
	rig_done(&r);
}

static void test_held_back(void **state)
{
	struct rig                 r;
	const struct smtp_session *s;

	(void)state;
	start(&r, SMTP_KIND_RELAY, NULL); /* an acceptance, with more behind it that waits */
	s = r.conn.session;
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM "RCPT TO:<slow@demo.test>\r\n" TO "DATA\r\n"), 250);
	assert_int_equal(lines_of(&r, ""), 1);
	assert_int_equal(r.conn.want.kind, NET_WANT_WAKE);
	assert_true(r.conn.want.timeout_ms > 0 && r.conn.want.timeout_ms <= 1000 && s->hold);
	buf_clear(&r.conn.out);
	fake_event(&r.conn, NET_EV_WAKE); /* an echo: it goes on waiting */
	assert_true(r.conn.out.n == 0 && r.conn.want.kind == NET_WANT_WAKE && s->hold);
	fake_event(&r.conn, NET_EV_TIMEOUT);
	assert_str(buf_str(&r.conn.out), STR("250 2.1.5 Recipient accepted\r\n250 2.1.5 Recipient accepted\r\n"
					     "354 Send the message, end with <CRLF>.<CRLF>\r\n"));
	assert_int_equal(talk(&r, MESSAGE), 250);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY, NULL); /* a refusal; the server stops meanwhile */
	r.ask.words = (struct auth_rcpt_reply){ .code = 550, .text = STR("No"), .delay_ms = UINT32_MAX };
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, "RCPT TO:<refused@demo.test>\r\n"), 0);
	assert_true(r.conn.want.timeout_ms <= LIMIT_SMTP_DELAY_MS);
	fake_event(&r.conn, NET_EV_DRAIN);
	assert_true(str_starts(buf_str(&r.conn.out), STR("550 5.7.1 No\r\n421 4.3.2 ")));
	assert_true(r.conn.closed);
	rig_done(&r);

	start(&r, SMTP_KIND_RELAY, NULL); /* the peer goes */
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, "RCPT TO:<slow@demo.test>\r\n"), 0);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who),     cmocka_unit_test(test_replies), cmocka_unit_test(test_chunk_refused), cmocka_unit_test(test_no_sign_in),
		cmocka_unit_test(test_xclient), cmocka_unit_test(test_etrn),    cmocka_unit_test(test_words),         cmocka_unit_test(test_held_back),
		cmocka_unit_test(test_go_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
