/* deliver/remote.h against a scripted, mostly hostile, SMTP server. RFC 5321 §3, §4.2, §4.5.3; RFC 2920; RFC 3207. */
#include "unit.h"

#include "remote_rig.h"
#include "sys/fd.h"

#define PIPE    HELLO, "S 250-mx.test", "S 250-8BITMIME", "S 250 PIPELINING"
#define MAIL_OK "E MAIL FROM:<s@me.test>", "S 250 ok"
#define RCPT_OK "E RCPT TO:<", "S 250 ok"
#define SEND_OK "E DATA", "S 354 go", "D", "S 250 2.0.0 queued as 7"

struct remote_case {
	const char        *name;
	size_t             rcpts;
	const char *const *steps;
	const char        *want;   /* per recipient "D 2.0.0", "T 4.x.x" or "R 5.x.x", separated by "|" */
	const char        *answer; /* part of the first recipient's */
};

static const struct remote_case cases[] = {
	{ "plain", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT), "D 2.0.0", "250 2.0.0 queued as 7" },
	{ "pipelined", 2,
	  STEPS(PIPE, "E MAIL", "E RCPT", "E RCPT", "E DATA", "R 250 a\r\n250 b\r\n250 c\r\n354 d\r\n", "D", "S 250 ok",
		QUIT),
	  "D 2.0.0|D 2.0.0", "250 ok" },
	{ "no enhanced codes", 1, STEPS(PLAIN, MAIL_OK, "E RCPT", "S 550 no", QUIT), "R 5.0.0", "550 no" },
	{ "code of another class", 1, STEPS(PLAIN, MAIL_OK, "E RCPT", "S 550 2.1.5 no", QUIT), "R 5.0.0",
	  "550 2.1.5 no" },
	{ "reply in lines", 1,
	  STEPS(PLAIN, MAIL_OK, "E RCPT", "S 550-5.1.1 no", "S 550-5.1.1 such", "S 550 5.1.1 user", QUIT), "R 5.1.1",
	  "550 5.1.1 no such user" },
	{ "one line in pieces", 1, STEPS(PLAIN, MAIL_OK, "E RCPT", "R 5", "R 50 5.1", "R .1 no\r", "R \n", QUIT),
	  "R 5.1.1", "550 5.1.1 no" },
	{ "some of each", 4,
	  STEPS(PLAIN, MAIL_OK, "E RCPT", "S 250 ok", "E RCPT", "S 450 4.2.1 later", "E RCPT", "S 550 5.1.1 no",
		"E RCPT", "S 251 ok", SEND_OK, QUIT),
	  "D 2.0.0|T 4.2.1|R 5.1.1|D 2.0.0", "queued" },
	{ "some of each, pipelined", 3,
	  STEPS(PIPE, "E MAIL", "E RCPT", "E RCPT", "E RCPT", "E DATA", "S 250 ok", "S 450 4.2.1 later",
		"S 550 5.1.1 no", "S 250 ok", "S 354 go", "D", "S 250 ok", QUIT),
	  "T 4.2.1|R 5.1.1|D 2.0.0", "later" },
	{ "552 without a code is a deferral", 2,
	  STEPS(PLAIN, MAIL_OK, "E RCPT", "S 552 too many", "E RCPT", "S 552 5.2.2 full", QUIT), "T 4.5.3|R 5.2.2",
	  "too many" },
	/* MAIL */
	{ "MAIL 5xx", 2, STEPS(PLAIN, "E MAIL", "S 550 5.7.1 no", QUIT), "R 5.7.1|R 5.7.1", "no" },
	{ "MAIL 4xx", 2, STEPS(PLAIN, "E MAIL", "S 451 4.3.0 no", QUIT), "T 4.3.0|T 4.3.0", "no" },
	{ "MAIL 4xx, pipelined: the others' 503 are about it", 1,
	  STEPS(PIPE, "E MAIL", "E RCPT", "E DATA", "S 451 4.3.0 no", "S 503 5.5.1 bad", "S 503 5.5.1 bad", QUIT),
	  "T 4.3.0", "no" },
	{ "MAIL 5xx, pipelined, DATA 354", 1,
	  STEPS(PIPE, "E MAIL", "E RCPT", "E DATA", "S 550 5.7.1 no", "S 503 bad", "S 354 go", "D", "S 554 none", QUIT),
	  "R 5.7.1", "no" },
	{ "RCPT all refused, pipelined, DATA 354", 1,
	  STEPS(PIPE, "E MAIL", "E RCPT", "E DATA", "S 250 ok", "S 550 5.1.1 no", "S 354 go", "D", "S 250 ok", QUIT),
	  "R 5.1.1", "no" },
	/* DATA and after */
	{ "DATA 4xx", 2, STEPS(PLAIN, MAIL_OK, RCPT_OK, RCPT_OK, "E DATA", "S 451 4.3.2 no", QUIT), "T 4.3.2|T 4.3.2",
	  "no" },
	{ "DATA 5xx", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 554 5.7.1 no", QUIT), "R 5.7.1", "no" },
	{ "DATA 250", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 250 ok", "W"), "T 4.5.0", "250 ok" },
	{ "dot 4xx", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "D", "S 451 4.3.0 no", QUIT), "T 4.3.0",
	  "no" },
	{ "dot 5xx", 2, STEPS(PLAIN, MAIL_OK, RCPT_OK, RCPT_OK, "E DATA", "S 354 go", "D", "S 550 5.7.1 spam", QUIT),
	  "R 5.7.1|R 5.7.1", "spam" },
	{ "dot 421", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "D", "S 421 4.3.2 bye", "W"), "T 4.3.2",
	  "bye" },
	{ "dot 354", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "D", "S 354 go", "W"), "T 4.5.0",
	  "354 go" },
	{ "lost after the dot", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "D", "X"), "T 4.4.2",
	  "Connection lost (end of data)" },
	{ "silent after the dot", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "D", "W"), "T 4.4.2",
	  "Timed out (end of data)" },
	{ "junk after the dot", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "D", "S ok!", "W"), "T 4.5.0",
	  "Malformed reply (end of data)" },
	/* 421, lost and silent connections */
	{ "banner 421", 1, STEPS("S 421 4.3.2 busy", "W"), "T 4.3.2", "busy" },
	{ "banner 450", 1, STEPS("S 450 4.3.2 busy", QUIT), "T 4.3.2", "busy" },
	{ "banner 554", 1, STEPS("S 554 5.7.1 go away", QUIT), "R 5.7.1", "go away" },
	{ "banner 250", 1, STEPS("S 250 hi", "W"), "T 4.5.0", "250 hi" },
	{ "banner of HTTP", 1, STEPS("S HTTP/1.1 400 Bad Request", "W"), "T 4.5.0", "Malformed reply (greeting)" },
	{ "banner in lines", 1,
	  STEPS("S 220-mx.test", "S 220 hi", "E EHLO", "S 250 mx.test", MAIL_OK, RCPT_OK, SEND_OK, QUIT), "D 2.0.0",
	  "" },
	{ "closes at once", 1, STEPS("X"), "T 4.4.2", "Connection lost (greeting)" },
	{ "silent", 1, STEPS("W"), "T 4.4.2", "Timed out (greeting)" },
	{ "banner without an end", 1, STEPS("R 220 mx", "W"), "T 4.4.2", "Timed out (greeting)" },
	{ "EHLO 421", 1, STEPS(HELLO, "S 421 bye", "W"), "T 4.0.0", "bye" },
	{ "EHLO closes", 1, STEPS(HELLO, "X"), "T 4.4.2", "Connection lost (EHLO)" },
	{ "MAIL 421", 1, STEPS(PLAIN, "E MAIL", "S 421 bye", "W"), "T 4.0.0", "bye" },
	{ "RCPT 421: the first is undecided again", 2, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E RCPT", "S 421 4.7.0 bye", "W"),
	  "T 4.7.0|T 4.7.0", "bye" },
	{ "DATA 421", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 421 bye", "W"), "T 4.0.0", "bye" },
	{ "RCPT closes; a refusal stays", 3, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E RCPT", "S 550 5.1.1 no", "E RCPT", "X"),
	  "T 4.4.2|R 5.1.1|T 4.4.2", "Connection lost (RCPT)" },
	{ "content: closes", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "X"), "T 4.4.2",
	  "Connection lost (" },
	/* malformed replies */
	{ "mixed codes", 1, STEPS(PLAIN, "E MAIL", "S 250-ok", "S 550 no", "W"), "T 4.5.0", "Malformed reply (MAIL)" },
	{ "endless lines", 1, STEPS(PLAIN, "E MAIL", "N 100000 250-more and more\r\n"), "T 4.5.0",
	  "Reply too long (MAIL)" },
	{ "endless empty lines", 1, STEPS(PLAIN, "E MAIL", "N 100000 250-\r\n"), "T 4.5.0", "Reply too long (MAIL)" },
	{ "endless line", 1, STEPS(PLAIN, "E MAIL", "N 100000 250 more and more"), "T 4.5.0", "Reply too long (MAIL)" },
	{ "control characters", 1, STEPS(PLAIN, "E MAIL", "S 550 5.1.1 \x1b[2J\rx \xff", QUIT), "R 5.1.1",
	  "550 5.1.1 ?[2J?x ?" },
	{ "RCPT 354", 1, STEPS(PLAIN, MAIL_OK, "E RCPT", "S 354 go", "W"), "T 4.5.0", "354 go" },
	/* hello and loops */
	{ "HELO", 1, STEPS(HELLO, "S 502 what", "E HELO me.test", "S 250 mx.test", MAIL_OK, RCPT_OK, SEND_OK, QUIT),
	  "D 2.0.0", "" },
	{ "HELO 5xx", 1, STEPS(HELLO, "S 550 5.7.1 no", "E HELO", "S 550 5.7.1 never", QUIT), "R 5.7.1", "never" },
	{ "EHLO 4xx", 1, STEPS(HELLO, "S 451 4.3.0 later", QUIT), "T 4.3.0", "later" },
	{ "loop in the banner", 1, STEPS("S 220 ME.test ESMTP", QUIT), "R 5.4.6", "loop" },
	{ "loop in EHLO", 1, STEPS(HELLO, "S 250-me.test hello", "S 250 SIZE", QUIT), "R 5.4.6", "loop" },
	/* TLS */
	{ "STARTTLS", 1,
	  STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO me.test",
		"S 250 mx.test", MAIL_OK, RCPT_OK, SEND_OK, QUIT),
	  "D 2.0.0", "" },
	{ "offers in clear are forgotten", 1,
	  STEPS(HELLO, "S 250-mx.test", "S 250-PIPELINING", "S 250-SIZE 10", "S 250 STARTTLS", "E STARTTLS", "S 220 go",
		"T", "E EHLO", "S 250 mx.test", "E MAIL FROM:<s@me.test>", "S 250 ok", RCPT_OK, SEND_OK, QUIT),
	  "D 2.0.0", "" },
	{ "STARTTLS 454", 1,
	  STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 454 no", MAIL_OK, RCPT_OK, SEND_OK, QUIT),
	  "D 2.0.0", "" },
	{ "STARTTLS 502", 1,
	  STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 502 no", MAIL_OK, RCPT_OK, SEND_OK, QUIT),
	  "D 2.0.0", "" },
	{ "STARTTLS 421", 1, STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 421 no", "W"), "T 4.0.0",
	  "no" },
	{ "injection after 220", 1,
	  STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "R 220 go\r\n250 injected\r\n", "W"), "T 4.7.0",
	  "Data before the TLS handshake" },
	{ "handshake fails, then in clear", 1,
	  STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "C", HELLO, "S 250-mx.test",
		"S 250 STARTTLS", MAIL_OK, RCPT_OK, SEND_OK, QUIT),
	  "D 2.0.0", "" },
	/* what the peer lacks */
	{ "SIZE too small", 1, STEPS(HELLO, "S 250-mx.test", "S 250 SIZE 10", QUIT), "R 5.3.4", "larger" },
	{ "SIZE 0", 1,
	  STEPS(HELLO, "S 250-mx.test", "S 250 SIZE 0", "E MAIL FROM:<s@me.test> SIZE=", "S 250 ok", RCPT_OK, SEND_OK,
		QUIT),
	  "D 2.0.0", "" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct run r;

		run_init(&r, cases[i].rcpts, cases[i].steps);
		run_go(&r);
		run_check(&r, cases[i].name, cases[i].want);
		if (str_search(r.reply.results[0].answer, str_of(cases[i].answer)) < 0)
			assert_str(r.reply.results[0].answer, str_of(cases[i].answer));
		run_done(&r);
	}
}

static void test_told(void **state)
{
	struct run r;
	struct str want;

	(void)state;
	run_init(&r, 1,
		 STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO me.test",
		       "S 250 mx.test", MAIL_OK, RCPT_OK, SEND_OK, QUIT));
	run_go(&r);
	want = arena_printf(r.arena, "mx.test [127.0.0.1]:%u", r.script.port);
	assert_str(r.reply.results[0].host, want);
	assert_true(str_starts(r.reply.results[0].tls, STR("TLSv1.3 ")));
	assert_str(buf_str(&r.script.data), STR("Subject: x\r\n\r\nhello\r\n.\r\n"));
	run_done(&r);
}

/* Several hosts: all are the same listener, one connection after the other. */
static void test_hosts(void **state)
{
	static const struct fake_record zone[] = {
		{ "d.test", DNS_MX, "10 a.test" },
		{ "d.test", DNS_MX, "20 b.test" },
		{ "d.test", DNS_MX, "30 c.test" },
		{ "a.test", DNS_A, "127.0.0.1" },
		{ "b.test", DNS_A, "127.0.0.1" },
		{ "c.test", DNS_A, "127.0.0.1" },
		{ NULL, 0, NULL },
	};
	const struct remote_case rows[] = {
		{ "the second host", 1, STEPS("S 421 busy", "C", PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT), "D 2.0.0",
		  "queued" },
		{ "the third host", 1, STEPS("X", "C", HELLO, "X", "C", PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT),
		  "D 2.0.0", "queued" },
		{ "refused by all", 1,
		  STEPS("S 554 5.7.1 a", "E QUIT", "C", "S 554 5.7.2 b", "E QUIT", "C", "S 554 5.7.3 c", QUIT),
		  "R 5.7.3", "c" },
		{ "refused by two of three", 1,
		  STEPS("S 554 5.7.1 a", "E QUIT", "C", "S 450 4.7.2 b", "E QUIT", "C", "S 554 5.7.3 c", QUIT),
		  "T 4.7.2", "b" },
		{ "who is decided is not sent again", 3,
		  STEPS(PLAIN, MAIL_OK, "E RCPT TO:<r0", "S 250 ok", "E RCPT TO:<r1", "S 450 later", "E RCPT TO:<r2",
			"S 550 5.1.1 no", SEND_OK, "E QUIT", "C", PLAIN, MAIL_OK, "E RCPT TO:<r1", "S 250 ok", SEND_OK,
			QUIT),
		  "D 2.0.0|D 2.0.0|R 5.1.1", "queued" },
		{ "no other host after the dot", 1, STEPS(PLAIN, MAIL_OK, RCPT_OK, "E DATA", "S 354 go", "D", "X"),
		  "T 4.4.2", "lost" },
		{ "no other host after a refusal", 1, STEPS(PLAIN, "E MAIL", "S 550 5.7.1 no", QUIT), "R 5.7.1", "no" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, rows[i].rcpts, rows[i].steps);
		r.zone.records = zone;
		run_go(&r);
		run_check(&r, rows[i].name, rows[i].want);
		assert_true(str_search(r.reply.results[0].answer, str_of(rows[i].answer)) >= 0);
		run_done(&r);
	}
}

static void test_unreachable(void **state)
{
	static const struct fake_record zone[] = { { "d.test", DNS_A, "127.0.0.1" }, { NULL, 0, NULL } };
	struct run                      r;

	(void)state;
	run_init(&r, 1, STEPS("X"));
	script_stop(&r.script); /* nobody listens on the port now */
	r.zone.records = zone;
	run_deliver(&r);
	assert_int_equal(r.reply.results[0].result, REMOTE_DEFERRED);
	assert_str(r.reply.results[0].code, STR("4.4.1"));
	assert_str(r.reply.results[0].answer, STR("Cannot connect (ECONNREFUSED)"));
	run_done(&r);
}

/* Who asks is gone: before a connection is made, before MAIL, before the second transaction. */
static void test_asker_gone(void **state)
{
	const struct {
		const char        *name;
		unsigned           patience;
		const char *const *steps;
		size_t             rcpts;
		const char        *want;
		unsigned           connects;
	} rows[] = {
		{ "before a connection", 1, STEPS("X"), 1, "T 4.4.0", 0 },
		{ "before MAIL", 2, STEPS(PLAIN, QUIT), 1, "T 4.4.0", 1 },
		{ "before the second MAIL", 3,
		  STEPS(HELLO, "S 250-mx.test", "S 250 LIMITS RCPTMAX=1",
			"E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 2.0.0 ok", QUIT),
		  2, "D 2.0.0|T 4.4.0", 1 },
		{ "before the second session", 4,
		  STEPS(HELLO, "S 250-mx.test", "S 250 LIMITS RCPTMAX=1 MAILMAX=1",
			"E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 2.0.0 ok", QUIT),
		  2, "D 2.0.0|T 4.4.0", 1 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, rows[i].rcpts, rows[i].steps);
		r.patience = rows[i].patience;
		if (rows[i].connects > 0) {
			run_go(&r);
			run_check(&r, rows[i].name, rows[i].want);
		} else {
			script_stop(&r.script);
			run_deliver(&r);
		}
		assert_int_equal(r.reply.results[rows[i].rcpts - 1].result, REMOTE_DEFERRED);
		assert_int_equal(r.note.connects, rows[i].connects);
		run_done(&r);
	}
}

/* What the request asks for, and what a peer offers. */
static void test_content(void **state)
{
	const struct {
		const char        *name;
		struct str         content, from, rcpt;
		uint32_t           flags;
		const char *const *steps;
		const char        *want;
		struct str         data;
	} rows[] = {
		{ "8-bit to a host with it", STR("a: b\r\n\r\n\xc3\xbc\r\n"), STR("s@me.test"), STR("r@d.test"), 0,
		  STEPS(PIPE, "E MAIL FROM:<s@me.test> BODY=8BITMIME", "S 250 ok", RCPT_OK, SEND_OK, QUIT), "D 2.0.0",
		  STR("a: b\r\n\r\n\xc3\xbc\r\n.\r\n") },
		{ "8-bit to one without", STR("a: b\r\n\r\n\xc3\xbc\r\n"), STR("s@me.test"), STR("r@d.test"),
		  QUEUE_FLAG_8BIT, STEPS(PLAIN, QUIT), "R 5.6.3", STR("") },
		{ "declared 8-bit, is not", STR("a: b\r\n\r\nu\r\n"), STR("s@me.test"), STR("r@d.test"),
		  QUEUE_FLAG_8BIT, STEPS(PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT), "D 2.0.0",
		  STR("a: b\r\n\r\nu\r\n.\r\n") },
		{ "UTF-8 address to a host without SMTPUTF8", STR("a: b\r\n\r\nu\r\n"), STR("s@me.test"),
		  STR("\xc3\xbc@d.test"), QUEUE_FLAG_SMTPUTF8, STEPS(PIPE, QUIT), "R 5.6.7", STR("") },
		{ "UTF-8 header to a host without SMTPUTF8", STR("a: \xc3\xbc\r\n\r\nu\r\n"), STR("s@me.test"),
		  STR("r@d.test"), QUEUE_FLAG_SMTPUTF8, STEPS(PIPE, QUIT), "R 5.6.7", STR("") },
		{ "declared SMTPUTF8, needs it not", STR("a: b\r\n\r\nu\r\n"), STR("s@me.test"), STR("r@d.test"),
		  QUEUE_FLAG_SMTPUTF8, STEPS(PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT), "D 2.0.0",
		  STR("a: b\r\n\r\nu\r\n.\r\n") },
		{ "UTF-8 address to a host with it", STR("a: b\r\n\r\nu\r\n"), STR("s@me.test"), STR("\xc3\xbc@d.test"),
		  QUEUE_FLAG_SMTPUTF8,
		  STEPS(HELLO, "S 250-mx.test", "S 250-8BITMIME", "S 250 SMTPUTF8", "E MAIL FROM:<s@me.test> SMTPUTF8",
			"S 250 ok", RCPT_OK, SEND_OK, QUIT),
		  "D 2.0.0", STR("a: b\r\n\r\nu\r\n.\r\n") },
		{ "null sender", STR("a: b\r\n"), STR(""), STR("r@d.test"), QUEUE_FLAG_BOUNCE,
		  STEPS(PLAIN, "E MAIL FROM:<>", "S 250 ok", RCPT_OK, SEND_OK, QUIT), "D 2.0.0", STR("a: b\r\n.\r\n") },
		{ "empty message", STR(""), STR("s@me.test"), STR("r@d.test"), 0,
		  STEPS(PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT), "D 2.0.0", STR(".\r\n") },
		{ "smuggling", STR("a: b\r\n\r\nx\n.\nMAIL FROM:<a@b>\r.\r\n\n.\r\n.\r\ny"), STR("s@me.test"),
		  STR("r@d.test"), 0, STEPS(PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT), "D 2.0.0",
		  STR("a: b\r\n\r\nx\r\n..\r\nMAIL FROM:<a@b>\r\n..\r\n\r\n..\r\n..\r\ny\r\n.\r\n") },
		{ "quoted local part", STR("a: b\r\n"), STR("s@me.test"), STR("\"a> b\\\"\"@d.test"), 0,
		  STEPS(PLAIN, MAIL_OK, "E RCPT TO:<\"a> b\\\"\"@d.test>", "S 250 ok", SEND_OK, QUIT), "D 2.0.0",
		  STR("a: b\r\n.\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str content = unit_exact(rows[i].content);
		struct run r;

		run_init(&r, 1, rows[i].steps);
		r.q.content = content;
		r.q.size = content.n;
		r.q.from = rows[i].from;
		r.q.flags = rows[i].flags;
		r.rcpts[0].address = rows[i].rcpt;
		run_go(&r);
		run_check(&r, rows[i].name, rows[i].want);
		assert_str(buf_str(&r.script.data), rows[i].data);
		run_done(&r);
		unit_exact_free(content);
	}
}

/* Addresses that would end the command early are refused without a connection. */
static void test_injection(void **state)
{
	static const struct {
		struct str  from, rcpt;
		const char *want;
	} rows[] = {
		{ STR("s@me.test"), STR("r@d.test>\r\nDATA"), "R 5.1.3" },
		{ STR("s@me.test"), STR("r@d.test> X=Y"), "R 5.1.3" },
		{ STR("s@me.test"), STR("\"a@d.test"), "R 5.1.3" },
		{ STR("s@me.test"), STR("\"a\\\"@d.test"), "R 5.1.3" },
		{ STR("s@me.test"), STR(""), "R 5.1.3" },
		{ STR("s@me.test"), STR("a\0@d.test"), "R 5.1.3" },
		{ STR("s> SIZE=1"), STR("r@d.test"), "R 5.1.7" },
		{ STR("s@me.test"), STR("\xff@d.test"), "R 5.1.3" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, 1, STEPS("S 220 nobody comes"));
		r.q.from = rows[i].from;
		r.rcpts[0].address = rows[i].rcpt;
		run_go(&r);
		run_check(&r, "injection", rows[i].want);
		assert_int_equal(r.zone.lookups, 0);
		run_done(&r);
	}
}

/* More recipients than one transaction takes: two on one session. */
static void test_many(void **state)
{
	enum { COUNT = LIMIT_REMOTE_RCPTS + 1 };
	static const char *steps[4 * COUNT + 40];
	size_t             n = 0;
	struct run         r;

	(void)state;
#define ADD(...)                                                         \
	do {                                                             \
		for (const char *const *p = STEPS(__VA_ARGS__); *p; p++) \
			steps[n++] = *p;                                 \
	} while (0)
	ADD(PLAIN, MAIL_OK);
	for (size_t i = 0; i < LIMIT_REMOTE_RCPTS; i++)
		ADD("E RCPT", "S 550 5.1.1 no");
	ADD("E RSET", "S 250 ok", MAIL_OK, RCPT_OK, SEND_OK, QUIT);
	steps[n] = NULL;
	run_init(&r, COUNT, steps);
	run_go(&r);
	assert_null(r.script.failed);
	assert_int_equal(r.reply.results[0].result, REMOTE_REFUSED);
	assert_int_equal(r.reply.results[COUNT - 1].result, REMOTE_DELIVERED);
	run_done(&r);
}

/* Content in a file, larger than any buffer, read from its start wherever the descriptor stands; and one that is
 * shorter than told. */
static void test_file(void **state)
{
	static const char line[] = ".0123456789012345678901234567890123456789012345678901234567890123\r\n";
	enum { LINES = 20000 };
	struct run r;
	int        fd = fileno(tmpfile());

	(void)state;
	for (unsigned i = 0; i < LINES; i++)
		assert_int_equal(fd_write(fd, str_of(line)), ST_OK);
	for (unsigned truncated = 0; truncated < 2; truncated++) {
		const char *const *steps =
			truncated ? STEPS("S 220 nobody comes") : STEPS(PLAIN, MAIL_OK, RCPT_OK, SEND_OK, QUIT);

		run_init(&r, 1, steps);
		r.q.file = fd;
		r.q.content = STR("");
		r.q.size = LINES * (sizeof(line) - 1) + truncated;
		run_go(&r);
		run_check(&r, "file", truncated ? "T 4.3.0" : "D 2.0.0");
		assert_int_equal(r.script.data.n, truncated ? 0 : LINES * sizeof(line) + 3);
		run_done(&r);
	}
}

/* A deadline in the past ends a delivery before it began: deferred, and nobody is asked. */
static void test_deadline(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 1, STEPS("S 220 nobody comes"));
	r.remote.settings.timeouts.total_ms = 0;
	run_go(&r);
	run_check(&r, "deadline", "T 4.4.0");
	run_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),       cmocka_unit_test(test_told),    cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_unreachable), cmocka_unit_test(test_asker_gone), cmocka_unit_test(test_content), cmocka_unit_test(test_injection),
		cmocka_unit_test(test_many),        cmocka_unit_test(test_file),    cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
