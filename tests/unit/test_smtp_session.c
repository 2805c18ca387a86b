/* tests/unit/test_smtp_session.c - the SMTP session over the fake net: order, limits, data, sign-in, submit. */
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

/* ---- the whole table: every command in every state ---- */

enum { S_NEW, S_READY, S_MAIL, S_RCPT, S_AFTER_MAIL_REFUSED, S_AFTER_RCPT_REFUSED, S_AFTER_MESSAGE, S_AFTER_DATA_REFUSED,
       S_AFTER_RSET, S_AFTER_EHLO, S_AFTER_SYNTAX, S_AFTER_ORDER, S_HELO, S_COUNT };

static void reach(struct rig *r, unsigned state, bool submission)
{
	const char *from = submission ? "MAIL FROM:<alice@demo.test>\r\n" : FROM;

	if (state == S_NEW)
		return;
	if (submission)
		sign_in(r);
	else
		assert_int_equal(talk(r, state == S_HELO ? "HELO client.example\r\n" : HELLO), 250);
	switch (state) {
	case S_MAIL: assert_int_equal(talk(r, from), 250); break;
	case S_RCPT:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, TO), 250);
		break;
	case S_AFTER_MAIL_REFUSED: assert_int_equal(talk(r, "MAIL FROM:<x@y@z>\r\n"), 553); break;
	case S_AFTER_RCPT_REFUSED:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, "RCPT TO:<nobody@demo.test>\r\n"), 550);
		break;
	case S_AFTER_MESSAGE:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, TO), 250);
		assert_int_equal(talk(r, "DATA\r\n"), 354);
		assert_int_equal(talk(r, MESSAGE), 250);
		break;
	case S_AFTER_DATA_REFUSED:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, TO), 250);
		assert_int_equal(talk(r, "DATA\r\n"), 354);
		assert_int_equal(talk(r, "From: alice@demo.test\r\n\r\nb\nb\r\n.\r\n"), 554);
		break;
	case S_AFTER_RSET:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, TO), 250);
		assert_int_equal(talk(r, "RSET\r\n"), 250);
		break;
	case S_AFTER_EHLO:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, TO), 250);
		assert_int_equal(talk(r, HELLO), 250);
		break;
	case S_AFTER_SYNTAX:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, TO), 250);
		assert_int_equal(talk(r, "RCPT TO:alice\r\n"), 501);
		break;
	case S_AFTER_ORDER:
		assert_int_equal(talk(r, from), 250);
		assert_int_equal(talk(r, TO), 250);
		assert_int_equal(talk(r, from), 503);
		break;
	default: break;
	}
}

/* The state in the terms of RFC 5321 that each way leads to. */
static const unsigned equals[S_COUNT] = {
	[S_NEW] = S_NEW, [S_READY] = S_READY, [S_MAIL] = S_MAIL, [S_RCPT] = S_RCPT, [S_AFTER_MAIL_REFUSED] = S_READY,
	[S_AFTER_RCPT_REFUSED] = S_MAIL, [S_AFTER_MESSAGE] = S_READY, [S_AFTER_DATA_REFUSED] = S_READY,
	[S_AFTER_RSET] = S_READY, [S_AFTER_EHLO] = S_READY, [S_AFTER_SYNTAX] = S_RCPT, [S_AFTER_ORDER] = S_RCPT,
	[S_HELO] = S_READY,
};

/* relay: NEW READY MAIL RCPT; submission, signed in from READY on: the same. In clear, TLS possible, allow_plain. */
static const struct {
	const char *line;
	unsigned    relay[4], submission[4];
} table[] = {
	{ "EHLO c.example", { 250, 250, 250, 250 }, { 250, 250, 250, 250 } },
	{ "EHLO", { 501, 501, 501, 501 }, { 501, 501, 501, 501 } },
	{ "EHLO a b", { 501, 501, 501, 501 }, { 501, 501, 501, 501 } },
	{ "HELO c.example", { 250, 250, 250, 250 }, { 250, 250, 250, 250 } },
	{ "HELO (x)", { 501, 501, 501, 501 }, { 501, 501, 501, 501 } },
	{ "MAIL FROM:<alice@demo.test>", { 503, 250, 503, 503 }, { 530, 250, 503, 503 } },
	{ "MAIL FROM:<>", { 503, 250, 503, 503 }, { 530, 250, 503, 503 } },
	{ "MAIL FROM:<bob@demo.test>", { 503, 250, 503, 503 }, { 530, 553, 503, 503 } },
	{ "MAIL FROM:<a@b.example> FOO=1", { 503, 555, 503, 503 }, { 530, 555, 503, 503 } },
	{ "MAIL", { 503, 501, 503, 503 }, { 530, 501, 503, 503 } },
	{ "RCPT TO:<bob@demo.test>", { 503, 503, 250, 250 }, { 530, 503, 250, 250 } },
	{ "RCPT TO:<nobody@demo.test>", { 503, 503, 550, 550 }, { 530, 503, 550, 550 } },
	{ "RCPT TO:<a@far.example>", { 503, 503, 550, 550 }, { 530, 503, 250, 250 } },
	{ "RCPT TO:<closed@demo.test>", { 503, 503, 452, 452 }, { 530, 503, 452, 452 } },
	{ "RCPT TO:<down@demo.test>", { 503, 503, 451, 451 }, { 530, 503, 451, 451 } },
	{ "RCPT TO:<bob@demo.test> NOTIFY=NEVER", { 503, 503, 555, 555 }, { 530, 503, 555, 555 } },
	{ "RCPT TO:<>", { 503, 503, 553, 553 }, { 530, 503, 553, 553 } },
	{ "DATA", { 503, 503, 503, 354 }, { 530, 503, 503, 354 } },
	{ "DATA x", { 503, 503, 503, 501 }, { 530, 503, 503, 501 } },
	{ "RSET", { 250, 250, 250, 250 }, { 250, 250, 250, 250 } },
	{ "RSET x", { 501, 501, 501, 501 }, { 501, 501, 501, 501 } },
	{ "NOOP", { 250, 250, 250, 250 }, { 250, 250, 250, 250 } },
	{ "NOOP anything", { 250, 250, 250, 250 }, { 250, 250, 250, 250 } },
	{ "VRFY alice", { 252, 252, 252, 252 }, { 530, 252, 252, 252 } },
	{ "VRFY", { 501, 501, 501, 501 }, { 530, 501, 501, 501 } },
	{ "VRFY \xc3\xa4@demo.test SMTPUTF8", { 252, 252, 252, 252 }, { 530, 252, 252, 252 } },
	{ "EXPN list", { 500, 500, 500, 500 }, { 500, 500, 500, 500 } },
	{ "HELP", { 214, 214, 214, 214 }, { 214, 214, 214, 214 } },
	{ "HELP mail", { 214, 214, 214, 214 }, { 214, 214, 214, 214 } },
	{ "HELP me", { 504, 504, 504, 504 }, { 504, 504, 504, 504 } },
	{ "QUIT", { 221, 221, 221, 221 }, { 221, 221, 221, 221 } },
	{ "QUIT now", { 501, 501, 501, 501 }, { 501, 501, 501, 501 } },
	{ "STARTTLS", { 503, 220, 503, 503 }, { 503, 503, 503, 503 } },
	{ "STARTTLS x", { 503, 501, 503, 503 }, { 503, 503, 503, 503 } },
	{ "AUTH PLAIN", { 502, 502, 502, 502 }, { 503, 503, 503, 503 } },
	{ "AUTH", { 502, 502, 502, 502 }, { 503, 503, 503, 503 } },
	{ "BDAT 5 LAST", { 500, 500, 500, 500 }, { 500, 500, 500, 500 } },
	{ "DEBUG", { 500, 500, 500, 500 }, { 500, 500, 500, 500 } },
	{ "", { 500, 500, 500, 500 }, { 500, 500, 500, 500 } },
	{ " MAIL FROM:<a@b.example>", { 500, 500, 500, 500 }, { 500, 500, 500, 500 } },
	{ "MAIL\tFROM:<a@b.example>", { 500, 500, 500, 500 }, { 500, 500, 500, 500 } },
};

/* Which state the command leads to, by its reply: told from the RFC, not from the code. */
static unsigned state_after(unsigned before, const char *line, unsigned code)
{
	if (code >= 400)
		return before;
	if (strncmp(line, "EHLO", 4) == 0 || strncmp(line, "HELO", 4) == 0)
		return S_READY;
	if (strcmp(line, "RSET") == 0)
		return before == S_NEW ? S_NEW : S_READY;
	if (strncmp(line, "MAIL", 4) == 0)
		return S_MAIL;
	if (strncmp(line, "RCPT", 4) == 0)
		return S_RCPT;
	return before;
}

/* Told by replies alone: RCPT needs MAIL, DATA needs RCPT. */
static void assert_in_state(struct rig *r, unsigned state, bool may_send)
{
	assert_int_equal(talk(r, "DATA\r\n"), !may_send ? 530 : state == S_RCPT ? 354 : 503);
	if (state == S_RCPT)
		assert_int_equal(talk(r, MESSAGE), 250);
	else if (r->env.kind == SMTP_KIND_RELAY)
		assert_int_equal(talk(r, TO), state == S_MAIL ? 250 : 503);
}

static void one_cell(unsigned way, size_t row, bool submission)
{
	struct rig r;
	char       line[256];
	unsigned   before = equals[way], code, want;

	rig_init(&r, submission ? SMTP_KIND_SUBMISSION : SMTP_KIND_RELAY);
	rig_start(&r);
	reach(&r, way, submission);
	want = submission ? table[row].submission[before] : table[row].relay[before];
	snprintf(line, sizeof(line), "%s\r\n", table[row].line);
	code = talk(&r, line);
	if (code != want)
		print_error("way %u, %s, \"%s\": got %u, want %u\n", way, submission ? "submission" : "relay", table[row].line,
			    code, want);
	assert_int_equal(code, want);
	assert_int_equal(r.conn.closed, code == 221);
	if (code == 354)
		assert_int_equal(talk(&r, MESSAGE), 250);
	else if (code != 221 && code != 220)
		assert_in_state(&r, state_after(before, table[row].line, code), !submission || way != S_NEW);
	rig_done(&r);
}

static void test_table(void **state)
{
	(void)state;
	for (unsigned way = 0; way < S_COUNT; way++)
		for (size_t row = 0; row < LEN(table); row++)
			for (int submission = 0; submission < 2; submission++)
				if (!(way == S_HELO && submission))
					one_cell(way, row, submission);
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
					     "250-SMTPUTF8\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n"));
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
	struct rig                    r;

	(void)state;
	for (size_t i = 0; i < LEN(kinds); i++) {
		for (unsigned way = 0; way < S_COUNT; way++) {
			rig_init(&r, SMTP_KIND_RELAY);
			rig_start(&r);
			reach(&r, way, false);
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
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_split),
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
