/* deliver/remote_tx.h: every combination of replies, by DATA and BDAT, pipelined and not, SMTP and LMTP; after each the session is in
 * step, which a second message shows. RFC 5321 §3.3, RFC 2920, RFC 3030 §2, RFC 2033 §4.2. */
#include "unit.h"

#include "remote_rig.h"

#define CONTENT "Subject: x\r\n\r\n.hello\r\n"

struct way {
	bool bdat, pipelined, lmtp;
};

static const struct tx_case {
	const char *name, *mail, *rcpt[2], *data, *content[2]; /* data: only by DATA; content: the second by LMTP */
	const char *want[2];                                   /* SMTP, LMTP */
} cases[] = {
	{ "all well", "250 ok", { "250 ok", "250 ok" }, "354 go", { "250 ok", "250 ok" }, { "D 2.0.0|D 2.0.0", "D 2.0.0|D 2.0.0" } },
	{ "MAIL 5xx", "550 5.7.1 no", { "503 5.5.1 what", "503 5.5.1 what" }, "503 5.5.1 what", { 0 }, { "R 5.7.1|R 5.7.1", "R 5.7.1|R 5.7.1" } },
	{ "MAIL 4xx", "451 4.7.1 no", { "503 5.5.1 what", "503 5.5.1 what" }, "503 5.5.1 what", { 0 }, { "T 4.7.1|T 4.7.1", "T 4.7.1|T 4.7.1" } },
	{ "first refused", "250 ok", { "550 5.1.1 no", "250 ok" }, "354 go", { "250 ok", "" }, { "R 5.1.1|D 2.0.0", "R 5.1.1|D 2.0.0" } },
	{ "second deferred", "250 ok", { "250 ok", "450 4.2.0 no" }, "354 go", { "250 ok", "" }, { "D 2.0.0|T 4.2.0", "D 2.0.0|T 4.2.0" } },
	{ "both refused", "250 ok", { "550 5.1.1 no", "550 5.1.2 no" }, "503 5.5.1 nobody", { 0 }, { "R 5.1.1|R 5.1.2", "R 5.1.1|R 5.1.2" } },
	{ "both deferred", "250 ok", { "450 4.7.1 grey", "450 4.7.1 grey" }, "554 5.5.1 nobody", { 0 }, { "T 4.7.1|T 4.7.1", "T 4.7.1|T 4.7.1" } },
	{ "one of each", "250 ok", { "450 4.7.1 grey", "550 5.1.1 no" }, "503 nobody", { 0 }, { "T 4.7.1|R 5.1.1", "T 4.7.1|R 5.1.1" } },
	{ "DATA 4xx", "250 ok", { "250 ok", "550 5.1.1 no" }, "451 4.3.0 no", { "451 4.3.0 no", "" }, { "T 4.3.0|R 5.1.1", "T 4.3.0|R 5.1.1" } },
	{ "DATA 5xx", "250 ok", { "250 ok", "450 4.1.1 no" }, "554 5.3.0 no", { "554 5.3.0 no", "" }, { "R 5.3.0|T 4.1.1", "R 5.3.0|T 4.1.1" } },
	{ "content 4xx", "250 ok", { "250 ok", "250 ok" }, "354 go", { "452 4.3.1 full", "250 ok" }, { "T 4.3.1|T 4.3.1", "T 4.3.1|D 2.0.0" } },
	{ "content 5xx", "250 ok", { "250 ok", "250 ok" }, "354 go", { "554 5.6.0 no", "450 4.2.2 no" }, { "R 5.6.0|R 5.6.0", "R 5.6.0|T 4.2.2" } },
	{ "content 2xx and 5xx", "250 ok", { "250 ok", "250 ok" }, "354 go", { "250 ok", "550 5.7.1 no" }, { "D 2.0.0|D 2.0.0", "D 2.0.0|R 5.7.1" } },
};

/* ---- from a case to the server's script ---- */

struct steps {
	const char  *list[100];
	size_t       n;
	struct arena *arena;
};

static void add(struct steps *s, const char *what, const char *text)
{
	s->list[s->n++] = arena_printf(s->arena, "%s%s", what, text).p;
}

static bool good(const char *reply)
{
	return reply[0] == '2' || reply[0] == '3';
}

static void content_replies(struct steps *s, const struct tx_case *c, struct way w, unsigned accepted)
{
	for (unsigned i = 0; i < (w.lmtp ? accepted : 1); i++)
		add(s, "S ", c->content[i]);
}

static void group(struct steps *s, const struct tx_case *c, struct way w, unsigned accepted)
{
	bool data_ok = good(c->data) && accepted > 0;

	add(s, "E MAIL", "");
	add(s, "E RCPT", "");
	add(s, "E RCPT", "");
	add(s, w.bdat ? "B" : "E DATA", "");
	add(s, "S ", c->mail);
	add(s, "S ", c->rcpt[0]);
	add(s, "S ", c->rcpt[1]);
	if (!w.bdat)
		add(s, "S ", c->data);
	else if (accepted == 0)
		add(s, "S ", c->data);
	if (w.bdat ? accepted > 0 : data_ok) {
		if (!w.bdat)
			add(s, "D", "");
		content_replies(s, c, w, accepted);
	}
}

static void one_by_one(struct steps *s, const struct tx_case *c, struct way w, unsigned accepted)
{
	add(s, "E MAIL", "");
	add(s, "S ", c->mail);
	for (unsigned i = 0; i < 2 && good(c->mail); i++) {
		add(s, "E RCPT", "");
		add(s, "S ", c->rcpt[i]);
	}
	if (accepted == 0)
		return;
	add(s, w.bdat ? "B" : "E DATA", "");
	if (!w.bdat)
		add(s, "S ", c->data);
	if (!w.bdat && !good(c->data))
		return;
	if (!w.bdat)
		add(s, "D", "");
	content_replies(s, c, w, accepted);
}

static void transaction(struct steps *s, const struct tx_case *c, struct way w, bool *ret_dirty)
{
	unsigned accepted = good(c->mail) ? (unsigned)good(c->rcpt[0]) + (unsigned)good(c->rcpt[1]) : 0;
	bool     contents = accepted > 0;

	for (unsigned i = 0; contents && w.bdat && i < (w.lmtp ? accepted : 1); i++)
		contents = good(c->content[i]);
	*ret_dirty = !contents || (!w.bdat && !good(c->data));
	(w.pipelined ? group : one_by_one)(s, c, w, accepted);
}

static void hello(struct steps *s, struct way w)
{
	add(s, "S 220 mx", "");
	add(s, "E ", w.lmtp ? "LHLO" : "EHLO");
	add(s, "S 250-mx", "");
	if (w.bdat)
		add(s, "S 250-CHUNKING", "");
	if (w.pipelined)
		add(s, "S 250-PIPELINING", "");
	add(s, "S 250 8BITMIME", "");
}

static void check_case(const struct tx_case *c, struct way w)
{
	struct steps s = { .arena = arena_new(NULL) };
	struct run   r;
	bool         dirty, ignored;
	const char  *name = arena_printf(s.arena, "%s, %s%s%s", c->name, w.lmtp ? "LMTP " : "", w.pipelined ? "pipelined " : "",
					 w.bdat ? "BDAT" : "DATA").p;

	hello(&s, w);
	transaction(&s, c, w, &dirty);
	if (dirty) {
		add(&s, "E RSET", "");
		add(&s, "S 250 ok", "");
	}
	transaction(&s, &cases[0], w, &ignored);
	add(&s, "E QUIT", "");
	run_init(&r, 2, s.list);
	r.q.content = STR(CONTENT);
	r.q.relay = arena_printf(r.arena, "%s127.0.0.1:%u", w.lmtp ? "lmtp:" : "", r.script.port);
	r.remote.pool = remote_pool_new(60000);
	run_deliver(&r);
	run_check(&r, name, c->want[w.lmtp]);
	assert_int_equal(r.reply.site, REMOTE_SITE_ANSWERED);
	run_deliver(&r);
	run_check(&r, name, "D 2.0.0|D 2.0.0");
	assert_int_equal(r.note.nth, 2);
	assert_int_equal(r.note.connects, 0);
	run_end(&r);
	assert_str(buf_str(&r.script.data), w.bdat ? STR(CONTENT) : STR("Subject: x\r\n\r\n..hello\r\n.\r\n"));
	run_done(&r);
	arena_free(&s.arena);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (unsigned way = 0; way < 8; way++)
			check_case(&cases[i], (struct way){ way & 1, way & 2, way & 4 });
}

/* ---- BDAT, what is special ---- */

#define CHUNKS HELLO, "S 250-mx.test", "S 250-PIPELINING", "S 250 CHUNKING"
#define GROUP  "E MAIL", "E RCPT", "B"

static void test_bdat(void **state)
{
	const struct {
		const char        *name;
		const char *const *steps;
		const char        *want;
		enum remote_site   site;
	} rows[] = {
		{ "one round trip", STEPS(CHUNKS, GROUP, "S 250 ok", "S 250 ok", "S 250 ok", QUIT), "D 2.0.0", REMOTE_SITE_ANSWERED },
		{ "all refused, taken all the same", STEPS(CHUNKS, GROUP, "S 250 ok", "S 550 5.1.1 no", "S 250 ok", QUIT), "R 5.1.1", REMOTE_SITE_ANSWERED },
		{ "MAIL refused, the rest is taken all the same", STEPS(CHUNKS, GROUP, "S 550 5.7.1 no", "S 250 ok", "S 250 ok", QUIT), "R 5.7.1",
		  REMOTE_SITE_ANSWERED },
		{ "MAIL 421", STEPS(CHUNKS, GROUP, "S 421 4.3.2 bye", "W"), "T 4.3.2", REMOTE_SITE_TROUBLE },
		{ "RCPT 421", STEPS(CHUNKS, GROUP, "S 250 ok", "S 421 4.3.2 bye", "W"), "T 4.3.2", REMOTE_SITE_ANSWERED },
		{ "BDAT 421", STEPS(CHUNKS, GROUP, "S 250 ok", "S 250 ok", "S 421 4.3.2 bye", "W"), "T 4.3.2", REMOTE_SITE_ANSWERED },
		/* It may have arrived: nothing is said of the host, or queue would give it away again at once. */
		{ "lost before MAIL's reply", STEPS(CHUNKS, GROUP, "X"), "T 4.4.2", REMOTE_SITE_NONE },
		{ "lost before the last reply", STEPS(CHUNKS, GROUP, "S 250 ok", "S 250 ok", "X"), "T 4.4.2", REMOTE_SITE_ANSWERED },
		{ "lost, all refused", STEPS(CHUNKS, GROUP, "S 250 ok", "S 550 5.1.1 no", "X"), "R 5.1.1", REMOTE_SITE_ANSWERED },
		{ "354", STEPS(CHUNKS, GROUP, "S 250 ok", "S 250 ok", "S 354 what", "W"), "T 4.5.0", REMOTE_SITE_ANSWERED },
		{ "BDAT unknown: DATA on another session",
		  STEPS(CHUNKS, GROUP, "S 250 ok", "S 250 ok", "S 500 5.5.1 what", "C", CHUNKS, "E MAIL", "E RCPT", "E DATA", "S 250 ok", "S 250 ok",
			"S 354 go", "D", "S 250 ok", QUIT),
		  "D 2.0.0", REMOTE_SITE_ANSWERED },
		{ "BDAT unknown, one by one",
		  STEPS(HELLO, "S 250-mx.test", "S 250 CHUNKING", "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "B", "S 502 what", "C", PLAIN, "E MAIL",
			"S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 ok", QUIT),
		  "D 2.0.0", REMOTE_SITE_ANSWERED },
		{ "503 because nobody was taken is no break", STEPS(CHUNKS, GROUP, "S 250 ok", "S 450 4.7.1 grey", "S 503 5.5.1 nobody", QUIT), "T 4.7.1",
		  REMOTE_SITE_ANSWERED },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, 1, rows[i].steps);
		run_go(&r);
		run_check(&r, rows[i].name, rows[i].want);
		assert_int_equal(r.reply.site, rows[i].site);
		run_done(&r);
	}
}

/* Content that is not small waits for the replies to RCPT, and is not sent to nobody. */
static void test_large(void **state)
{
	struct buf content;

	(void)state;
	buf_init(&content, 4 * MIB);
	while (content.n < 300 * KIB)
		buf_add(&content, STR(".0123456789012345678901234567890123456789012345678901234567890123\r\n"));
	for (unsigned refused = 0; refused < 2; refused++) {
		struct run r;

		run_init(&r, 1,
			 refused ? STEPS(CHUNKS, "E MAIL", "E RCPT", "S 250 ok", "S 550 5.1.1 no", QUIT)
				 : STEPS(CHUNKS, "E MAIL", "E RCPT", "S 250 ok", "S 250 ok", "B", "S 250 ok", QUIT));
		r.q.content = buf_str(&content);
		run_go(&r);
		run_check(&r, "large", refused ? "R 5.1.1" : "D 2.0.0");
		if (!refused)
			assert_str(buf_str(&r.script.data), buf_str(&content));
		run_done(&r);
	}
	buf_done(&content);
}

/* A host is remembered that does not know what it announces. */
static void test_remembered(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 1,
		 STEPS(CHUNKS, GROUP, "S 250 ok", "S 250 ok", "S 500 what", "C", CHUNKS, "E MAIL", "E RCPT", "E DATA", "S 250 ok", "S 250 ok", "S 354 go",
		       "D", "S 250 ok", "E QUIT", "C", CHUNKS, "E MAIL", "E RCPT", "E DATA", "S 250 ok", "S 250 ok", "S 354 go", "D", "S 250 ok", QUIT));
	r.remote.hosts = remote_hosts_new();
	run_deliver(&r);
	run_check(&r, "unknown", "D 2.0.0");
	run_deliver(&r);
	run_check(&r, "remembered", "D 2.0.0");
	run_end(&r);
	remote_hosts_free(&r.remote.hosts);
	run_done(&r);
}

/* ---- too many recipients ---- */

static void test_too_many(void **state)
{
	const struct {
		const char        *name;
		const char *const *steps;
		const char        *want;
	} rows[] = {
		{ "452, the rest in another transaction",
		  STEPS(PLAIN, "E MAIL", "S 250 ok", "E RCPT TO:<r0", "S 250 ok", "E RCPT TO:<r1", "S 452 4.5.3 too many", "E RCPT TO:<r2",
			"S 452 4.5.3 too many", "E DATA", "S 354 go", "D", "S 250 ok", "E MAIL", "S 250 ok", "E RCPT TO:<r1", "S 250 ok", "E DATA",
			"S 354 go", "D", "S 250 ok", "E MAIL", "S 250 ok", "E RCPT TO:<r2", "S 250 ok", "E DATA", "S 354 go", "D", "S 451 4.3.0 no", QUIT),
		  "D 2.0.0|D 2.0.0|T 4.3.0" },
		{ "552 without a code",
		  STEPS(PLAIN, "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT TO:<r2", "S 552 no more", "E DATA", "S 354 go",
			"D", "S 250 ok", "E MAIL", "S 250 ok", "E RCPT TO:<r2", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 ok", QUIT),
		  "D 2.0.0|D 2.0.0|D 2.0.0" },
		{ "none is taken: no further transaction",
		  STEPS(PLAIN, "E MAIL", "S 250 ok", "E RCPT", "S 452 4.5.3 a", "E RCPT", "S 452 4.5.3 b", "E RCPT", "S 452 4.5.3 c", QUIT),
		  "T 4.5.3|T 4.5.3|T 4.5.3" },
		{ "a full mailbox is another matter",
		  STEPS(PLAIN, "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT", "S 452 4.2.2 full", "E RCPT", "S 552 5.2.2 full", "E DATA", "S 354 go",
			"D", "S 250 ok", QUIT),
		  "D 2.0.0|T 4.2.2|R 5.2.2" },
		{ "RCPTMAX",
		  STEPS(HELLO, "S 250-mx.test", "S 250-PIPELINING", "S 250 LIMITS RCPTMAX=2", "E MAIL", "E RCPT", "E RCPT", "E DATA", "S 250 ok", "S 250 ok",
			"S 250 ok", "S 354 go", "D", "S 250 ok", "E MAIL", "E RCPT TO:<r2", "E DATA", "S 250 ok", "S 250 ok", "S 354 go", "D", "S 250 ok",
			QUIT),
		  "D 2.0.0|D 2.0.0|D 2.0.0" },
		{ "MAILMAX: another session",
		  STEPS(HELLO, "S 250-mx.test", "S 250 LIMITS RCPTMAX=2 MAILMAX=1", "E MAIL", "S 250 ok", "E RCPT TO:<r0", "S 250 ok", "E RCPT TO:<r1",
			"S 550 5.1.1 no", "E DATA", "S 354 go", "D", "S 250 ok", "E QUIT", "C", HELLO, "S 250-mx.test", "S 250 LIMITS RCPTMAX=2 MAILMAX=1",
			"E MAIL", "S 250 ok", "E RCPT TO:<r2", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 ok", QUIT),
		  "D 2.0.0|R 5.1.1|D 2.0.0" },
		{ "RCPTDOMAINMAX",
		  STEPS(HELLO, "S 250-mx.test", "S 250 LIMITS RCPTDOMAINMAX=1", "E MAIL", "S 250 ok", "E RCPT TO:<r0@", "S 250 ok", "E RCPT TO:<r2@", "S 250 ok",
			"E DATA", "S 354 go", "D", "S 250 ok", "E MAIL", "S 250 ok", "E RCPT TO:<r1@e", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 ok",
			QUIT),
		  "D 2.0.0|D 2.0.0|D 2.0.0" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, 3, rows[i].steps);
		if (str_eq(str_of(rows[i].name), STR("RCPTDOMAINMAX")))
			r.rcpts[1].address = STR("r1@e.test");
		run_go(&r);
		run_check(&r, rows[i].name, rows[i].want);
		run_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_bdat), cmocka_unit_test(test_large), cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
