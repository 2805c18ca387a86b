/* tests/unit/test_smtp_session.c - the SMTP session over the fake net: limits, data, sign-in, submit. Its order: test_smtp_table.c. */
#include "unit.h"

#include <stdio.h>
#include <time.h>

#include "smtp/smtp_session.h"
#include "smtp_rig.h"

static void sign_in(struct rig *r)
{
	assert_int_equal(talk(r, "EHLO client.example\r\n"), 250);
	assert_int_equal(talk(r, SIGN_IN), 235);
}

/* ---- the same script, cut at every octet ---- */

static void test_split(void **state)
{
	static const char script[] = HELLO FROM TO "RCPT TO:<nobody@demo.test>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\n";
	static const char data[] = "Subject: x\r\n\r\n..dot\r\n.. \r\nlast\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n";
	size_t            n = sizeof(script) - 1, n2 = sizeof(data) - 1;
	struct buf        first;

	(void)state;
	buf_init(&first, MIB);
	for (size_t cut = 0; cut <= n + n2; cut++) {
		struct rig r;
		size_t     hello = sizeof(HELLO) - 1;

		rig_init(&r, SMTP_KIND_RELAY);
		rig_start(&r);
		fake_feed(&r.conn, str_n(script, hello)); /* its reply is waited for */
		fake_feed(&r.conn, str_n(script + hello, cut > hello ? MIN(cut, n) - hello : 0));
		fake_feed(&r.conn, str_n(script + MAX(MIN(cut, n), hello), n - MAX(MIN(cut, n), hello)));
		fake_feed(&r.conn, str_n(data, cut > n ? cut - n : 0));
		fake_feed(&r.conn, str_n(data + (cut > n ? cut - n : 0), n2 - (cut > n ? cut - n : 0)));
		if (cut == 0)
			buf_add(&first, buf_str(&r.conn.out));
		assert_str(buf_str(&r.conn.out), buf_str(&first));
		assert_str(buf_str(&r.ask.recipients), STR("alice@demo.test bob@demo.test "));
		assert_true(str_iends(buf_str(&r.ask.content), STR("\r\n\r\n.dot\r\n. \r\nlast\r\n")));
		assert_true(r.conn.closed);
		rig_done(&r);
	}
	assert_true(str_search(buf_str(&first), STR("250 2.0.0 OK queued as 0000000000001\r\n250 2.1.0")) > 0);
	buf_done(&first);
}


/* papers 1.8 B: STARTTLS and a tail, cut at every octet: the tail is never answered, and TLS begins with nothing in the buffer. */
static void test_injection(void **state)
{
	static const char said[] = "STARTTLS\r\nNOOP\r\nMAIL FROM:<evil@far.example>\r\nAUTH PLAIN AGFsaWNlQGRlbW8udGVzdABwYXNzd29yZA==\r\n";
	size_t            n = sizeof(said) - 1, command = sizeof("STARTTLS\r\n") - 1;

	(void)state;
	for (int submission = 0; submission < 2; submission++)
		for (size_t cut = 0; cut <= n; cut++) {
			struct rig r;

			rig_init(&r, submission ? SMTP_KIND_SUBMISSION : SMTP_KIND_RELAY);
			rig_start(&r);
			assert_int_equal(talk(&r, HELLO), 250);
			buf_clear(&r.conn.out);
			fake_feed(&r.conn, str_n(said, cut));
			if (cut == command)
				assert_int_equal(r.conn.want.kind, NET_WANT_TLS);
			if (!r.conn.closed)
				fake_feed(&r.conn, str_n(said + cut, n - cut));
			assert_true(r.conn.closed);
			assert_str(str_first(buf_str(&r.conn.out), 4), cut == command ? STR("220 ") : STR("554 "));
			assert_true(str_search(buf_str(&r.conn.out), STR("\r\n")) == (ptrdiff_t)r.conn.out.n - 2);
			assert_true(r.ask.logins == 0 && r.ask.rcpts == 0);
			rig_done(&r);
		}
}

/* ---- limits, ends, the protocol's edges ---- */

static void test_greeting(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_str(buf_str(&r.conn.out), STR("220 mx.demo.test ESMTP Postrider\r\n"));
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY); /* RFC 5321 §3.1: who talks first has not waited */
	buf_add(&r.conn.in, STR("EHLO x\r\n"));
	rig_start(&r);
	assert_true(str_starts(buf_str(&r.conn.out), STR("554 5.5.0 ")));
	assert_true(r.conn.closed);
	rig_done(&r);
}

static void test_ehlo(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_str(buf_str(&r.conn.out), STR("250-mx.demo.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
					     "250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250-LIMITS RCPTMAX=1000\r\n250-DELIVERBY 60\r\n"
					     "250-MT-PRIORITY\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n"));
	assert_int_equal(talk(&r, "HELO c.example\r\n"), 250);
	assert_str(buf_str(&r.conn.out), STR("250 mx.demo.test\r\n"));
	assert_int_equal(talk(&r, "MAIL FROM:<x@far.example> SIZE=5\r\n"), 555); /* nothing was announced */
	rig_done(&r);

	rig_init(&r, SMTP_KIND_SUBMISSION);
	r.set.allow_plain = false;
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_true(str_search(buf_str(&r.conn.out), STR("AUTH")) < 0);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 220);
	fake_tls(&r.conn);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_true(str_search(buf_str(&r.conn.out), STR("STARTTLS")) < 0);
	assert_true(str_search(buf_str(&r.conn.out), STR("250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN OAUTHBEARER XOAUTH2\r\n")) > 0);
	rig_done(&r);
}

/* HELP lists what there is: each row of the table, from the table. */
static void test_help(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, "HELP\r\n"), 214);
	for (size_t i = 0; i < smtp_command_count; i++)
		assert_true(str_search(buf_str(&r.conn.out), str_of(smtp_commands[i].syntax)) > 0);
	rig_done(&r);
}

static void test_lines(void **state)
{
	static const struct {
		size_t   octets; /* with CRLF */
		unsigned code;
	} rows[] = { { 512, 250 }, { 513, 250 }, { 1000, 250 }, { 2048, 250 }, { 2049, 500 }, { 64 * 1024, 500 } };
	struct rig r;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		rig_init(&r, kind ? SMTP_KIND_SUBMISSION : SMTP_KIND_RELAY);
		rig_start(&r);
		for (size_t i = 0; i < LEN(rows); i++) {
			char *line = malloc(rows[i].octets);

			memset(line, 'x', rows[i].octets);
			memcpy(line, "NOOP ", 5);
			memcpy(line + rows[i].octets - 2, "\r\n", 2);
			assert_int_equal(talk_str(&r, str_n(line, rows[i].octets)), rows[i].code);
			free(line);
		}
		assert_int_equal(talk_str(&r, (struct str){ "NOOP a\nb\r\n", 10 }), 500);
		assert_int_equal(talk_str(&r, (struct str){ "NOOP a\rb\r\n", 10 }), 500);
		assert_int_equal(talk_str(&r, (struct str){ "NOOP \0\r\n", 8 }), 500);
		assert_int_equal(talk(&r, HELLO), 250);
		rig_done(&r);
	}
}

static void test_errors(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	for (unsigned i = 0; i < LIMIT_SMTP_ERRORS; i++)
		assert_int_equal(talk(&r, "FOO\r\n"), 500);
	assert_int_equal(talk(&r, "FOO\r\n"), 421);
	assert_true(r.conn.closed);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	for (unsigned i = 0; i < LIMIT_SMTP_COMMANDS; i++)
		assert_int_equal(talk(&r, "NOOP\r\n"), 250);
	assert_int_equal(talk(&r, "NOOP\r\n"), 421);
	rig_done(&r);
}

/* Submission: nobody stays without signing in. Relay: nor without sending. */
static void test_patience(void **state)
{
	const struct timespec moment = { .tv_nsec = 30 * 1000000 };
	struct rig            r;

	(void)state;
	rig_init(&r, SMTP_KIND_SUBMISSION);
	rig_start(&r);
	for (unsigned i = 0; i < LIMIT_SIGNIN_COMMANDS; i++)
		assert_int_equal(talk(&r, i % 2 ? "NOOP\r\n" : HELLO), 250);
	assert_int_equal(talk(&r, "NOOP\r\n"), 421);
	assert_true(r.conn.closed);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_SUBMISSION);
	r.set.allow_plain = true;
	r.set.signin_ms = 20;
	rig_start(&r);
	assert_true(r.conn.want.timeout_ms <= 20 && r.conn.want.unit_ms <= 20 && r.conn.want.timeout_ms > 0);
	nanosleep(&moment, NULL);
	assert_int_equal(talk(&r, HELLO), 421);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_SUBMISSION); /* signed in, both end */
	r.set.allow_plain = true;
	r.set.signin_ms = 5000;
	rig_start(&r);
	sign_in(&r);
	assert_true(r.conn.want.timeout_ms == r.set.timeout_ms);
	for (unsigned i = 0; i < 2 * LIMIT_SIGNIN_COMMANDS; i++)
		assert_int_equal(talk(&r, "NOOP\r\n"), 250);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY);
	r.set.barren_ms = 20;
	rig_start(&r);
	rig_to_data(&r);
	nanosleep(&moment, NULL);
	assert_int_equal(talk(&r, MESSAGE), 250); /* data is never cut short, and a message gives more time */
	assert_true(r.conn.want.timeout_ms > 5 && r.conn.want.unit_ms > 5);
	assert_int_equal(talk(&r, "NOOP\r\n"), 250);
	nanosleep(&moment, NULL);
	assert_int_equal(talk(&r, "NOOP\r\n"), 421);
	rig_done(&r);
}

static void test_recipients(void **state)
{
	struct rig r;
	char       line[64];

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY); /* 1000 refused, then one good one */
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(talk(&r, "RCPT TO:<nobody@demo.test>\r\n"), 550);
	assert_int_equal(talk(&r, "DATA\r\n"), 503);
	assert_int_equal(talk(&r, TO), 250);
	assert_int_equal(talk(&r, "DATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_str(buf_str(&r.ask.recipients), STR("alice@demo.test "));

	assert_int_equal(talk(&r, FROM), 250); /* as many as may be, and a repeat that counts once */
	for (unsigned i = 0; i < LIMIT_RCPTS; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<user%u@demo.test>\r\n", i);
		assert_int_equal(talk(&r, line), 250);
	}
	assert_int_equal(talk(&r, TO), 452);
	assert_int_equal(talk(&r, "DATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_true(str_search(buf_str(&r.ask.content), STR(" for <")) < 0);

	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, TO TO TO), 250);
	assert_int_equal(talk(&r, "DATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_str(buf_str(&r.ask.recipients), STR("alice@demo.test "));

	assert_int_equal(talk(&r, FROM), 250); /* no end of trying */
	for (unsigned i = 0; i < LIMIT_SMTP_RCPT_COMMANDS; i++)
		assert_int_equal(talk(&r, "RCPT TO:<nobody@demo.test>\r\n"), 550);
	assert_int_equal(talk(&r, TO), 421);
	assert_true(r.conn.closed);
	rig_done(&r);
}

/* Probes for an open relay, and what must not route (mta.md 5.24). */
static void test_relay_probes(void **state)
{
	static const struct {
		const char *to;
		unsigned    code;
	} rows[] = {
		{ "alice@far.example", 550 },          { "bob%far.example@demo.test", 550 }, { "far.example!bob@demo.test", 550 },
		{ "\"bob@far.example\"@demo.test", 550 }, { "bob@far.example@demo.test", 553 }, { "@demo.test:bob@far.example", 553 },
		{ "alice@demo.test.", 553 },           { "ALICE@DEMO.TEST", 250 },            { "alice@[192.0.2.1]", 550 },
		{ "alice@d\xc3\xa9mo.test", 553 },     { "Postmaster", 250 },                { "alice", 553 },
		{ "\"\\alice\"@demo.test", 250 },        { "\"alice\"@demo.test", 250 },
	};
	struct rig r;
	char       line[128];

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
	for (size_t i = 0; i < LEN(rows); i++) {
		unsigned code;

		snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", rows[i].to);
		code = talk(&r, line);
		if (code != rows[i].code)
			print_error("%s: %u\n", rows[i].to, code);
		assert_int_equal(code, rows[i].code);
	}
	assert_int_equal(talk(&r, "RSET\r\n" FROM "RCPT TO:<postMaster>\r\nDATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_str(buf_str(&r.ask.recipients), STR("postmaster@demo.test "));
	r.set.postmaster = STR("postmaster@mx.far.example"); /* no domain of ours anywhere above: as any other foreign one */
	assert_int_equal(talk(&r, FROM "RCPT TO:<Postmaster>\r\n"), 550);
	rig_done(&r);
}

static void test_pipelining(void **state)
{
	static const char *const bad[] = {
		"EHLO a.example\r\nMAIL FROM:<>\r\n",
		"HELO a.example\r\nMAIL FROM:<>\r\n",
		FROM TO "DATA\r\nSubject: x\r\n\r\n.\r\n",
		FROM "DATA\r\nSubject: x\r\n", /* refused, and the data must not be read as commands */
		"STARTTLS\r\nNOOP\r\n",
		"STARTTLS\r\nNO",
	};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		rig_init(&r, SMTP_KIND_RELAY);
		rig_start(&r);
		assert_int_equal(talk(&r, HELLO), 250);
		assert_int_equal(talk(&r, bad[i]), 554);
		assert_true(r.conn.closed);
		assert_int_equal(r.ask.submits, 0);
		rig_done(&r);
	}
	rig_init(&r, SMTP_KIND_RELAY); /* after HELO nothing may be sent ahead */
	rig_start(&r);
	assert_int_equal(talk(&r, "HELO a.example\r\n"), 250);
	assert_int_equal(talk(&r, FROM TO), 554);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY); /* legal groups, RFC 2920 §4 */
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM TO "RCPT TO:<bob@demo.test>\r\nDATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE FROM TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE "RSET\r\n" FROM TO "QUIT\r\n"), 221);
	assert_int_equal(r.ask.submits, 2);
	assert_true(r.conn.closed);
	rig_done(&r);
}

static void test_ends(void **state)
{
	static const enum net_ev_kind kinds[] = { NET_EV_TIMEOUT, NET_EV_DRAIN };
	static const char *const      ways[] = { "NOOP\r\n", HELLO, "HELO x\r\n", HELLO FROM, HELLO FROM TO, HELLO FROM TO "BDAT 3\r\nx\r\n",
						 HELLO FROM TO "RSET\r\n", HELLO FROM TO "BDAT 3 LAST\r\nx\r\n", HELLO FROM "RCPT TO:<>\r\n" };
	struct rig                    r;

	(void)state;
	for (size_t i = 0; i < LEN(kinds); i++) {
		for (size_t way = 0; way < LEN(ways); way++) {
			rig_init(&r, SMTP_KIND_RELAY);
			rig_start(&r);
			/* EHLO's answer is waited for. */
			assert_true(!str_starts(str_of(ways[way]), STR(HELLO)) || talk(&r, HELLO) == 250);
			talk(&r, str_starts(str_of(ways[way]), STR(HELLO)) ? ways[way] + sizeof(HELLO) - 1 : ways[way]);
			buf_clear(&r.conn.out);
			fake_event(&r.conn, kinds[i]);
			assert_true(str_starts(buf_str(&r.conn.out), STR("421 4.")));
			assert_true(r.conn.closed);
			rig_done(&r);
		}
		rig_init(&r, SMTP_KIND_RELAY);
		rig_start(&r);
		rig_to_data(&r);
		fake_feed(&r.conn, STR("Subject: half"));
		fake_event(&r.conn, kinds[i]);
		assert_true(r.conn.closed);
		assert_int_equal(r.ask.submits, 0);
		rig_done(&r);
	}
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	rig_to_data(&r); /* the connection just goes */
	fake_feed(&r.conn, STR("Subject: half\r\n"));
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, "POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n"), 0);
	assert_true(r.conn.closed);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_ehlo),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_relay_probes),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
