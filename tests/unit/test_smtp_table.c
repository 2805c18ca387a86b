/* tests/unit/test_smtp_table.c - every command in every state, reached by every kind of answer, on every kind of listener.
 *
 * A way is a dialogue; it ends in one of five states. A row is a line (with the octets that belong to it) and the code that it gets in each of
 * them. After each cell the session is looked into: exactly one answer came, and what is left of sender, recipients and parameters is
 * what RFC 5321 §4.1.4 says and nothing else (a stale recipient after a refusal is how others let mail past their policy). A command
 * of the table without a row here fails the test.
 */
#include "unit.h"

#include <stdio.h>

#include "smtp/smtp_session.h"
#include "smtp_rig.h"

enum listener { RELAY, SUBMISSION, LMTP, TRUSTED, LISTENERS };
enum { NEW, READY, MAIL, RCPT, BDAT, STATES };

static const char *const  listener_names[LISTENERS] = { "relay", "submission", "lmtp", "trusted" };
static const enum smtp_state smtp_states[STATES] = { SMTP_STATE_NEW, SMTP_STATE_READY, SMTP_STATE_MAIL, SMTP_STATE_RCPT, SMTP_STATE_BDAT };

/* ---- rows ---- */

#define A(c)            { c, c, c, c, c }
#define SAME            { 0 }
#define IN_READY(c)     { 503, c, 503, 503, 503 }
#define IN_TX(c)        { 503, 503, c, c, 503 }
#define S_READY(c)      { 530, c, 503, 503, 503 }
#define S_TX(c)         { 530, 503, c, c, 503 }
#define CHUNK(c)        { 503, 503, 503, c, c }

/* What is SAME is as relay; submission is signed in from READY on. Clear, TLS possible, allow_plain. */
static const struct row {
	const char *line;
	unsigned    relay[STATES], submission[STATES], lmtp[STATES], trusted[STATES];
	bool        parameter; /* of EHLO: 555 after HELO */
	bool        ends;      /* the session is closed */
} rows[] = {
	{ "EHLO c.example", A(250), A(250), A(500), SAME, 0, 0 },
	{ "EHLO", A(501), A(501), A(500), SAME, 0, 0 },
	{ "EHLO a b", A(501), A(501), A(500), SAME, 0, 0 },
	{ "HELO c.example", A(250), A(250), A(500), SAME, 0, 0 },
	{ "HELO (x)", A(501), A(501), A(500), SAME, 0, 0 },
	{ "LHLO c.example", A(500), A(500), A(250), SAME, 0, 0 },
	{ "LHLO", A(500), A(500), A(501), SAME, 0, 0 },
	{ "MAIL FROM:<alice@demo.test>", IN_READY(250), S_READY(250), SAME, SAME, 0, 0 },
	{ "MAIL FROM:<>", IN_READY(250), S_READY(250), SAME, SAME, 0, 0 },
	{ "MAIL FROM:<bob@demo.test>", IN_READY(250), S_READY(553), SAME, SAME, 0, 0 },
	{ "MAIL FROM:<a@b.example> FOO=1", IN_READY(555), S_READY(555), SAME, SAME, 0, 0 },
	{ "MAIL FROM:<a@b.example> SIZE=99999999999", IN_READY(552), S_READY(552), SAME, SAME, 1, 0 },
	{ "MAIL FROM:<alice@demo.test> RET=HDRS ENVID=x+2By", IN_READY(250), S_READY(250), SAME, SAME, 1, 0 },
	{ "MAIL FROM:<alice@demo.test> RET=BODY", IN_READY(501), S_READY(501), SAME, SAME, 1, 0 },
	{ "MAIL FROM:<alice@demo.test> BY=600;RT", IN_READY(250), S_READY(250), SAME, SAME, 1, 0 },
	{ "MAIL FROM:<alice@demo.test> BY=0;R", IN_READY(501), S_READY(501), SAME, SAME, 1, 0 },
	{ "MAIL FROM:<alice@demo.test> BY=5;R", IN_READY(555), S_READY(555), SAME, SAME, 1, 0 },
	{ "MAIL FROM:<alice@demo.test> HOLDFOR=60", IN_READY(555), S_READY(250), SAME, SAME, 0, 0 },
	{ "MAIL FROM:<alice@demo.test> HOLDFOR=999999999", IN_READY(555), S_READY(501), SAME, SAME, 0, 0 },
	{ "MAIL FROM:<alice@demo.test> MT-PRIORITY=9", IN_READY(250), S_READY(250), SAME, SAME, 1, 0 },
	{ "MAIL FROM:<alice@demo.test> REQUIRETLS", IN_READY(555), S_READY(555), SAME, SAME, 0, 0 },
	{ "MAIL FROM:<alice@demo.test> BODY=BINARYMIME", IN_READY(501), S_READY(501), SAME, SAME, 1, 0 },
	{ "MAIL", IN_READY(501), S_READY(501), SAME, SAME, 0, 0 },
	{ "RCPT TO:<bob@demo.test>", IN_TX(250), S_TX(250), SAME, SAME, 0, 0 },
	{ "RCPT TO:<bob@demo.test> NOTIFY=NEVER ORCPT=rfc822;b", IN_TX(250), S_TX(250), SAME, SAME, 0, 0 },
	{ "RCPT TO:<bob@demo.test> NOTIFY=NEVER,DELAY", IN_TX(501), S_TX(501), SAME, SAME, 0, 0 },
	{ "RCPT TO:<bob@demo.test> SIZE=1", IN_TX(555), S_TX(555), SAME, SAME, 0, 0 },
	{ "RCPT TO:<nobody@demo.test>", IN_TX(550), S_TX(550), SAME, SAME, 0, 0 },
	{ "RCPT TO:<refused@demo.test>", IN_TX(451), S_TX(451), SAME, SAME, 0, 0 },
	{ "RCPT TO:<a@far.example>", IN_TX(550), S_TX(250), SAME, SAME, 0, 0 },
	{ "RCPT TO:<closed@demo.test>", IN_TX(452), S_TX(452), SAME, SAME, 0, 0 },
	{ "RCPT TO:<down@demo.test>", IN_TX(451), S_TX(451), SAME, SAME, 0, 0 },
	{ "RCPT TO:<>", IN_TX(553), S_TX(553), SAME, SAME, 0, 0 },
	{ "RCPT", IN_TX(501), S_TX(501), SAME, SAME, 0, 0 },
	{ "DATA", { 503, 503, 503, 354, 503 }, { 530, 503, 503, 354, 503 }, SAME, SAME, 0, 0 },
	{ "DATA x", { 503, 503, 503, 501, 503 }, { 530, 503, 503, 501, 503 }, SAME, SAME, 0, 0 },
	{ "BDAT 6\r\nNOOP\r\n", CHUNK(250), { 530, 503, 503, 250, 250 }, SAME, SAME, 0, 0 },
	{ "BDAT 6 LAST\r\nNOOP\r\n", CHUNK(250), { 530, 503, 503, 550, 250 }, SAME, SAME, 0, 0 },
	{ "bdat 0\r\n", CHUNK(250), { 530, 503, 503, 250, 250 }, SAME, SAME, 0, 0 },
	{ "BDAT 0 last\r\n", CHUNK(250), { 530, 503, 503, 550, 250 }, SAME, SAME, 0, 0 },
	{ "BDAT 7\r\nNO\nOP\r\n", CHUNK(554), { 530, 503, 503, 554, 554 }, SAME, SAME, 0, 0 },
	{ "BDAT 7 LAST\r\nRSET\r\n\r", CHUNK(554), { 530, 503, 503, 554, 554 }, SAME, SAME, 0, 0 },
	{ "BDAT", A(501), A(501), SAME, SAME, 0, 1 },
	{ "BDAT x", A(501), A(501), SAME, SAME, 0, 1 },
	{ "BDAT -1", A(501), A(501), SAME, SAME, 0, 1 },
	{ "BDAT 1 LAST x", A(501), A(501), SAME, SAME, 0, 1 },
	{ "BDAT 9223372036854775807", A(552), A(552), SAME, SAME, 0, 1 },
	{ "BDAT 18446744073709551616 LAST", A(501), A(501), SAME, SAME, 0, 1 },
	{ "RSET", A(250), A(250), SAME, SAME, 0, 0 },
	{ "RSET x", A(501), A(501), SAME, SAME, 0, 0 },
	{ "NOOP", A(250), A(250), SAME, SAME, 0, 0 },
	{ "NOOP anything", A(250), A(250), SAME, SAME, 0, 0 },
	{ "VRFY alice", A(252), { 530, 252, 252, 252, 252 }, SAME, SAME, 0, 0 },
	{ "VRFY", A(501), { 530, 501, 501, 501, 501 }, SAME, SAME, 0, 0 },
	{ "VRFY \xc3\xa4@demo.test SMTPUTF8", A(252), { 530, 252, 252, 252, 252 }, SAME, SAME, 0, 0 },
	{ "EXPN list", A(500), A(500), SAME, SAME, 0, 0 },
	{ "HELP", A(214), A(214), SAME, SAME, 0, 0 },
	{ "HELP mail", A(214), A(214), SAME, SAME, 0, 0 },
	{ "HELP me", A(504), A(504), SAME, SAME, 0, 0 },
	{ "QUIT", A(221), A(221), SAME, SAME, 0, 1 },
	{ "QUIT now", A(501), A(501), SAME, SAME, 0, 0 },
	{ "STARTTLS", IN_READY(220), A(503), SAME, SAME, 0, 0 },
	{ "STARTTLS x", IN_READY(501), A(503), SAME, SAME, 0, 0 },
	{ "AUTH PLAIN", A(502), A(503), SAME, SAME, 0, 0 },
	{ "AUTH", A(502), A(503), SAME, SAME, 0, 0 },
	{ "ETRN relay.test", A(459), { 459, 251, 503, 503, 503 }, SAME, IN_READY(251), 0, 0 },
	{ "ETRN demo.test", A(459), { 459, 459, 503, 503, 503 }, SAME, IN_READY(459), 0, 0 },
	{ "ETRN @relay.test", A(459), { 459, 501, 503, 503, 503 }, SAME, IN_READY(501), 0, 0 },
	{ "XCLIENT ADDR=198.51.100.1", A(502), A(502), SAME, { 220, 220, 503, 503, 503 }, 0, 0 },
	{ "XCLIENT ADDR=x", A(502), A(502), SAME, { 501, 501, 503, 503, 503 }, 0, 0 },
	{ "DEBUG", A(500), A(500), SAME, SAME, 0, 0 },
	{ "", A(500), A(500), SAME, SAME, 0, 0 },
	{ " MAIL FROM:<a@b.example>", A(500), A(500), SAME, SAME, 0, 0 },
	{ "MAIL\tFROM:<a@b.example>", A(500), A(500), SAME, SAME, 0, 0 },
	{ "NOOP\n", A(500), A(500), SAME, SAME, 0, 0 },
};

/* ---- ways ---- */

#define H "\1" /* EHLO, or LHLO */
#define S "\2" /* sign-in, where there is one */
#define F "\3" /* MAIL from somebody who may */
#define T "RCPT TO:<alice@demo.test>\r\n"
#define OPEN    { H, 250 }, { S, 235 }
#define TO_MAIL OPEN, { F, 250 }
#define TO_RCPT TO_MAIL, { T, 250 }
#define TO_BDAT TO_RCPT, { "BDAT 25\r\nFrom: alice@demo.test\r\n\r\n", 250 }
#define ONLY(l) (1u << (l))

static const struct way {
	const char *name;
	unsigned    state;
	struct {
		const char *say;
		unsigned    code;
	} steps[8];
	unsigned                 only; /* mask of listeners; 0: all */
	enum queue_submit_result submit;
} ways[] = {
	{ "start", NEW, { { 0 } }, 0, 0 },
	{ "after 500", NEW, { { "FOO\r\n", 500 } }, 0, 0 },
	{ "after RSET", NEW, { { "RSET\r\n", 250 } }, 0, 0 },
	{ "after a refused hello", NEW, { { "EHLO (\r\n", 0 }, { "LHLO (\r\n", 0 } }, 0, 0 },
	{ "after a BDAT that came first", NEW, { { "BDAT 6\r\nRSET\r\n", 0 } }, 0, 0 },
	{ "after hello", READY, { OPEN }, 0, 0 },
	{ "after HELO", READY, { { "HELO c.example\r\n", 250 } }, ONLY(RELAY) | ONLY(TRUSTED), 0 },
	{ "after MAIL, syntax", READY, { OPEN, { "MAIL FROM:<x@y@z>\r\n", 553 } }, 0, 0 },
	{ "after MAIL, parameter", READY, { OPEN, { "MAIL FROM:<a@b.example> FOO\r\n", 555 } }, 0, 0 },
	{ "after MAIL, too big", READY, { OPEN, { "MAIL FROM:<a@b.example> SIZE=99999999999\r\n", 552 } }, 0, 0 },
	{ "after MAIL, sender refused", READY, { OPEN, { "MAIL FROM:<bob@demo.test>\r\n", 553 } }, ONLY(SUBMISSION), 0 },
	{ "after MAIL, sender later", READY, { OPEN, { "MAIL FROM:<down@demo.test>\r\n", 451 } }, ONLY(SUBMISSION), 0 },
	{ "after a cancelled AUTH", READY, { { H, 250 }, { "AUTH LOGIN\r\n", 334 }, { "*\r\n", 501 }, { S, 235 } }, ONLY(SUBMISSION), 0 },
	{ "after a failed AUTH", READY, { { H, 250 }, { "AUTH PLAIN AGEAYg==\r\n", 535 }, { S, 235 } }, ONLY(SUBMISSION), 0 },
	{ "after a message", READY, { TO_RCPT, { "DATA\r\n", 354 }, { MESSAGE, 250 } }, 0, 0 },
	{ "after end of data, content", READY, { TO_RCPT, { "DATA\r\n", 354 }, { "From: alice@demo.test\r\n\r\nb\nb\r\n.\r\n", 554 } }, 0, 0 },
	{ "after end of data, 4xx", READY, { TO_RCPT, { "DATA\r\n", 354 }, { MESSAGE, 452 } }, 0, QUEUE_SUBMIT_FULL },
	{ "after end of data, 5xx", READY, { TO_RCPT, { "DATA\r\n", 354 }, { MESSAGE, 554 } }, 0, QUEUE_SUBMIT_INVALID },
	{ "after a chunk, refused", READY, { TO_RCPT, { "BDAT 3\r\na\nb", 554 } }, 0, 0 },
	{ "after a second chunk, refused", READY, { TO_BDAT, { "BDAT 3\r\n\0\r\n", 554 } }, 0, 0 },
	{ "after chunks behind a refused one", READY, { TO_BDAT, { "BDAT 3\r\na\nb", 554 }, { "BDAT 6\r\nRSET\r\n", 503 } }, 0, 0 },
	{ "after the last chunk, refused", READY, { TO_BDAT, { "BDAT 1 LAST\r\n\r", 554 } }, 0, 0 },
	{ "after the last chunk", READY, { TO_BDAT, { "BDAT 3 LAST\r\na\r\n", 250 } }, 0, 0 },
	{ "after the last chunk, 4xx", READY, { TO_BDAT, { "BDAT 3 LAST\r\na\r\n", 452 } }, 0, QUEUE_SUBMIT_FULL },
	{ "after RSET of MAIL", READY, { TO_MAIL, { "RSET\r\n", 250 } }, 0, 0 },
	{ "after RSET of RCPT", READY, { TO_RCPT, { "RSET\r\n", 250 } }, 0, 0 },
	{ "after RSET of chunks", READY, { TO_BDAT, { "RSET\r\n", 250 } }, 0, 0 },
	{ "after hello in a transaction", READY, { TO_RCPT, { H, 250 } }, 0, 0 },
	{ "after hello between chunks", READY, { TO_BDAT, { H, 250 } }, 0, 0 },
	{ "after MAIL", MAIL, { TO_MAIL }, 0, 0 },
	{ "after RCPT, syntax", MAIL, { TO_MAIL, { "RCPT TO:alice\r\n", 501 } }, 0, 0 },
	{ "after RCPT, UTF-8", MAIL, { TO_MAIL, { "RCPT TO:<\xc3\xa4@demo.test>\r\n", 553 } }, 0, 0 },
	{ "after RCPT, parameter", MAIL, { TO_MAIL, { "RCPT TO:<alice@demo.test> NOTIFY=X\r\n", 501 } }, 0, 0 },
	{ "after RCPT, unknown", MAIL, { TO_MAIL, { "RCPT TO:<nobody@demo.test>\r\n", 550 } }, 0, 0 },
	{ "after RCPT, policy", MAIL, { TO_MAIL, { "RCPT TO:<refused@demo.test>\r\n", 451 } }, 0, 0 },
	{ "after RCPT, later", MAIL, { TO_MAIL, { "RCPT TO:<down@demo.test>\r\n", 451 } }, 0, 0 },
	{ "after DATA without recipients", MAIL, { TO_MAIL, { "DATA\r\n", 503 } }, 0, 0 },
	{ "after BDAT without recipients", MAIL, { TO_MAIL, { "BDAT 6 LAST\r\nQUIT\r\n", 503 } }, 0, 0 },
	{ "after MAIL with VRFY", MAIL, { TO_MAIL, { "VRFY \xc3\xa4@demo.test SMTPUTF8\r\n", 252 } }, 0, 0 },
	{ "after RCPT", RCPT, { TO_RCPT }, 0, 0 },
	{ "after RCPT and one refused", RCPT, { TO_RCPT, { "RCPT TO:<nobody@demo.test>\r\n", 550 } }, 0, 0 },
	{ "after RCPT and one later", RCPT, { TO_RCPT, { "RCPT TO:<closed@demo.test>\r\n", 452 } }, 0, 0 },
	{ "after RCPT and one malformed", RCPT, { TO_RCPT, { "RCPT TO:<@>\r\n", 553 } }, 0, 0 },
	{ "after MAIL in RCPT", RCPT, { TO_RCPT, { F, 503 } }, 0, 0 },
	{ "after DATA with an argument", RCPT, { TO_RCPT, { "DATA x\r\n", 501 } }, 0, 0 },
	{ "after a bare LF", RCPT, { TO_RCPT, { "DATA\nx\r\n", 500 } }, 0, 0 },
	{ "after chunks", BDAT, { TO_BDAT }, 0, 0 },
	{ "after MAIL between chunks", BDAT, { TO_BDAT, { F, 503 } }, 0, 0 },
	{ "after RCPT between chunks", BDAT, { TO_BDAT, { T, 503 } }, 0, 0 },
	{ "after DATA between chunks", BDAT, { TO_BDAT, { "DATA\r\n", 503 } }, 0, 0 },
	{ "after many chunks", BDAT, { TO_BDAT, { "BDAT 0\r\n", 250 }, { "BDAT 3\r\nx\r\n", 250 } }, 0, 0 },
};

/* ---- playing ---- */

static struct smtp_session *session_of(struct rig *r)
{
	return r->conn.session;
}

/* Whole answers that came, each of any number of lines. */
static unsigned answers(struct str out)
{
	unsigned   n = 0;
	struct str line;

	while (str_cut(out, '\n', &line, &out))
		n += line.n > 3 && line.p[3] == ' ';
	return n;
}

static struct str text_of(const char *say, size_t n, enum listener l)
{
	if (str_eq(str_n(say, n), STR(H)))
		return l == LMTP ? STR("LHLO client.example\r\n") : STR(HELLO);
	if (str_eq(str_n(say, n), STR(S)))
		return l == SUBMISSION ? STR(SIGN_IN) : STR_NONE;
	if (str_eq(str_n(say, n), STR(F)))
		return l == SUBMISSION ? STR("MAIL FROM:<alice@demo.test>\r\n") : STR(FROM);
	return str_n(say, n);
}

static void reach(struct rig *r, const struct way *w, enum listener l)
{
	r->ask.submit_result = w->submit;
	for (size_t i = 0; i < LEN(w->steps) && w->steps[i].say; i++) {
		/* One has a NUL among its octets. */
		size_t     n = strcmp(w->steps[i].say, "BDAT 3\r\n") == 0 ? 11 : strlen(w->steps[i].say);
		struct str text = text_of(w->steps[i].say, n, l);
		unsigned   code = text.n ? talk_str(r, text) : 0;

		if (text.n && w->steps[i].code && code != w->steps[i].code) {
			print_error("%s, %s, \"%.*s\": %u\n", listener_names[l], w->name, STR_FMT(text), code);
			fail();
		}
	}
	r->ask.submit_result = QUEUE_SUBMIT_QUEUED;
}

/* Told from the RFCs, not from the code. */
static unsigned state_after(unsigned before, const char *line, unsigned code)
{
	struct str s = str_of(line);

	if (str_istarts(s, STR("BDAT")) && (before == RCPT || before == BDAT))
		return code != 250 || str_isearch(s, STR(" LAST")) > 0 ? READY : BDAT;
	if (code >= 400)
		return before;
	if (str_istarts(s, STR("EHLO")) || str_istarts(s, STR("HELO")) || str_istarts(s, STR("LHLO")))
		return READY;
	if (str_eq(s, STR("RSET")))
		return before == NEW ? NEW : READY;
	if (str_istarts(s, STR("XCLIENT")))
		return NEW;
	if (str_istarts(s, STR("MAIL")))
		return MAIL;
	return str_istarts(s, STR("RCPT")) ? RCPT : before;
}

static void assert_state(struct rig *r, unsigned state, size_t rcpts)
{
	const struct smtp_session *s = session_of(r);
	const struct smtp_tx      *tx = &s->tx;

	assert_int_equal(s->state, smtp_states[state]);
	assert_int_equal(tx->rcpt_count, rcpts);
	assert_int_equal(tx->accepted, rcpts);
	assert_true((tx->arena != NULL) == (state >= MAIL));
	if (state < MAIL)
		assert_true(tx->from.n == 0 && tx->envid.n == 0 && tx->flags == 0 && tx->declared_octets == 0 && !tx->utf8 && tx->priority == 0 &&
			    tx->hold_until_ms == 0 && tx->deliver_by_ms == 0 && tx->content.memory.n == 0 && tx->content.refusal == NULL);
	assert_true(state == BDAT || tx->content.memory.n == 0);
	assert_true(s->skip_reply == NULL && s->hold == NULL);
}

/* After HELO nothing may be sent behind a command, so the octets of a chunk end the session. */
static bool is_ahead(const struct row *row, const struct way *way)
{
	const char *end = strstr(row->line, "\r\n");

	return strcmp(way->name, "after HELO") == 0 && end && end[2];
}

static unsigned wanted(const struct row *row, const struct way *way, enum listener l)
{
	const unsigned *codes[LISTENERS] = { row->relay, row->submission, row->lmtp, row->trusted };
	unsigned        code = codes[l][0] ? codes[l][way->state] : row->relay[way->state];

	if (is_ahead(row, way))
		return 554;
	return strcmp(way->name, "after HELO") == 0 && row->parameter ? 555 : code;
}

static void one_cell(const struct row *row, const struct way *way, enum listener l)
{
	static const enum smtp_kind kinds[LISTENERS] = { SMTP_KIND_RELAY, SMTP_KIND_SUBMISSION, SMTP_KIND_LMTP, SMTP_KIND_RELAY };
	static struct cidr          peer;
	struct rig                  r;
	char                        text[256];
	unsigned                    code, want = wanted(row, way, l), after;
	size_t                      rcpts = way->state >= RCPT;
	bool                        ends = row->ends || is_ahead(row, way);

	rig_init(&r, kinds[l]);
	r.conn.info.loopback = l == LMTP;
	r.ask.words = (struct auth_rcpt_reply){ .kind = AUTH_RCPT_LATER, .code = 451, .enhanced = STR("4.7.1"), .text = STR("Wait") };
	assert_true(cidr_parse(STR("192.0.2.7"), &peer));
	if (l == TRUSTED)
		r.set.trusted = (struct cidr_list){ &peer, 1 };
	rig_start(&r);
	reach(&r, way, l);
	assert_state(&r, way->state, rcpts);
	snprintf(text, sizeof(text), "%s%s", row->line, strstr(row->line, "\r\n") ? "" : "\r\n");
	code = talk(&r, text);
	if (code != want)
		print_error("%s, %s, \"%s\": got %u, want %u\n", listener_names[l], way->name, row->line, code, want);
	assert_int_equal(code, want);
	assert_int_equal(answers(buf_str(&r.conn.out)), 1);
	assert_int_equal(r.conn.closed, ends);
	after = state_after(way->state, row->line, code);
	if (code == 354) {
		assert_int_equal(talk(&r, MESSAGE), 250);
		assert_state(&r, READY, 0);
	} else if (!ends && code == 220 && str_starts(str_of(row->line), STR("STARTTLS"))) {
		assert_int_equal(session_of(&r)->state, SMTP_STATE_TLS);
	} else if (!ends) {
		bool same = strstr(row->line, "alice") != NULL || after < RCPT;
		assert_state(&r, after, after < RCPT ? 0 : rcpts + (code == 250 && !same && str_starts(str_of(row->line), STR("RCPT"))));
	}
	rig_done(&r);
}

static void test_every_cell(void **state)
{
	(void)state;
	for (unsigned l = 0; l < LISTENERS; l++)
		for (size_t w = 0; w < LEN(ways); w++)
			for (size_t i = 0; i < LEN(rows); i++)
				if (ways[w].only == 0 || (ways[w].only & ONLY(l)))
					one_cell(&rows[i], &ways[w], l);
}

/* A command that is added to the session's table must be added here. */
static void test_every_command(void **state)
{
	(void)state;
	for (size_t i = 0; i < smtp_command_count; i++) {
		unsigned count = 0;

		for (size_t k = 0; k < LEN(rows); k++)
			count += str_istarts(str_of(rows[k].line), smtp_commands[i].verb);
		if (count == 0)
			print_error("no row for %.*s\n", STR_FMT(smtp_commands[i].verb));
		assert_true(count > 0);
	}
}

/* Each extension that brings a parameter has one in a row, and each state of a line is reached by some way. */
static void test_every_state(void **state)
{
	unsigned reached = 0, lines = 0;

	(void)state;
	for (size_t w = 0; w < LEN(ways); w++)
		reached |= 1u << smtp_states[ways[w].state];
	for (size_t i = 0; i < smtp_command_count; i++)
		lines |= smtp_commands[i].states;
	assert_int_equal(reached & lines, lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell),
		cmocka_unit_test(test_every_command),
		cmocka_unit_test(test_every_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
