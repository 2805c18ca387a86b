/* src/sasl through its views: the same table of exchanges, over SMTP, IMAP and POP3. */
#include "unit.h"

#include <stdio.h>

#include "db/db.h"
#include "imap/imap.h"
#include "pop3/pop3.h"
#include "scram_client.h"
#include "smtp_rig.h"
#include "store_unit.h"

#define USER     "alice@demo.test"
#define EXPORTER "0123456789abcdef0123456789abcdef"

enum view { SMTP, IMAP, POP3, VIEWS };

struct talk {
	struct rig           r;
	enum view            view;
	struct imap_env      imap;
	struct store        *imap_store;
	struct imap_settings set;
	struct pop3_env      pop3;
	struct pop3_settings pop3_set;
	struct store_unit    mail; /* a sign-in to POP3 opens the mailbox */
};

static void start(struct talk *t, enum view view, bool tls)
{
	static const struct imap_ask nobody; /* lets everybody in */
	static const struct pop3_ask pop3_nobody;

	t->view = view;
	rig_init(&t->r, SMTP_KIND_SUBMISSION);
	t->r.set.allow_plain = false;
	imap_settings_init(&t->set);
	db_init();
	assert_int_equal(store_new(-1, NULL, &t->imap_store), ST_OK); /* nothing is opened in it */
	t->imap = (struct imap_env){ .store = t->imap_store, .ask = &nobody, .settings = &t->set, .sasl = &fake_sasl, .sasl_ctx = &t->r.ask, .notify = imap_notify_new() };
	if (view == POP3)
		store_unit_open(&t->mail, NULL);
	pop3_settings_init(&t->pop3_set);
	t->pop3 = (struct pop3_env){ .ask = &pop3_nobody, .settings = &t->pop3_set, .sasl = &fake_sasl, .sasl_ctx = &t->r.ask, .store = t->mail.store };
	t->r.conn.exporter = STR(EXPORTER);
	t->r.conn.end_point = STR("end-point");
	if (tls) {
		t->r.conn.info.tls = true;
		t->r.conn.info.tls_version = "TLSv1.3";
	}
}

/* Change settings and conn before. */
static void begin(struct talk *t)
{
	if (t->view == SMTP) {
		rig_start(&t->r);
		fake_feed(&t->r.conn, STR(HELLO));
	} else if (t->view == IMAP) {
		fake_start(&t->r.conn, &imap_proto, &t->imap);
	} else {
		t->pop3_set.allow_plain = t->set.allow_plain;
		t->pop3_set.scram = t->set.scram;
		fake_start(&t->r.conn, &pop3_proto, &t->pop3);
	}
}

static void done(struct talk *t)
{
	rig_done(&t->r);
	store_free(&t->imap_store);
	imap_notify_free(&t->imap.notify);
	if (t->view == POP3)
		store_unit_done(&t->mail);
}

/* What came back, in common words; a challenge is "+ " and its base64. */
static struct str answer_of(struct talk *t)
{
	static const struct {
		const char *line, *word;
	} words[] = {
		{ "235 ", "ok" },      { "535 ", "denied" },    { "454 ", "later" },     { "501 ", "syntax" }, { "500 ", "syntax" },
		{ "504 ", "unknown" }, { "538 ", "clear" },     { "421 ", "bye" },       { "503 ", "order" },  { "* BYE", "bye" },
		{ "a OK ", "ok" },     { "a NO [AUTH", "denied" }, { "a NO [LIMIT", "later" }, { "a NO [UNAV", "later" },
		{ "-ERR Nobody", "bye" }, { "-ERR [AUTH]", "denied" }, { "-ERR [SYS/TEMP]", "later" }, { "-ERR Mech", "unknown" },
		{ "-ERR Start", "clear" }, { "-ERR You have", "order" }, { "-ERR ", "syntax" }, { "+OK 0 messages", "ok" },
		{ "a NO [CANNOT", "unknown" }, { "a NO [PRIV", "clear" }, { "a BAD You have", "order" }, { "a BAD ", "syntax" },
	};
	struct str out = str_chomp(buf_str(&t->r.conn.out));

	if (str_skip(&out, STR("334 ")) || str_skip(&out, STR("+ ")))
		return out;
	for (size_t i = 0; i < LEN(words); i++)
		if (str_starts(out, str_of(words[i].line)))
			return str_of(words[i].word);
	return out;
}

static struct str line(struct talk *t, struct str text)
{
	buf_clear(&t->r.conn.out);
	fake_feed(&t->r.conn, text);
	fake_feed(&t->r.conn, STR("\r\n"));
	return answer_of(t);
}

static struct str say(struct talk *t, const char *fmt, struct str octets)
{
	char       room[20000];
	struct buf b = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	buf_add(&b, str_of(fmt));
	text_base64_encode(octets, &b);
	CHECK(!b.over);
	return line(t, buf_str(&b));
}

/* Begin with an initial response, or with NULL without. */
static struct str auth(struct talk *t, const char *mechanism, const struct str *initial)
{
	char head[64];

	snprintf(head, sizeof(head), "%s %s%s", t->view == IMAP ? "a AUTHENTICATE" : "AUTH", mechanism, initial ? " " : "");
	return initial ? say(t, head, *initial) : line(t, str_of(head));
}

#define AUTH(t, mechanism, lit) auth((t), (mechanism), &STR(lit))

static bool is_alive(struct talk *t)
{
	static const struct {
		struct str say, want;
	} noop[VIEWS] = {
		[SMTP] = { STR("NOOP\r\n"), STR("250 ") },
		[IMAP] = { STR("b NOOP\r\n"), STR("b OK") },
		[POP3] = { STR("CAPA\r\n"), STR("+OK") },
	};

	buf_clear(&t->r.conn.out);
	fake_feed(&t->r.conn, noop[t->view].say);
	return str_starts(buf_str(&t->r.conn.out), noop[t->view].want);
}

static struct str decoded(struct str base64, char *room, size_t cap)
{
	struct buf b = { .p = room, .cap = cap, .max = cap };

	CHECK(text_base64_decode(base64, &b));
	return buf_str(&b);
}

/* ---- what is announced ---- */

static void test_announced(void **state)
{
	static const struct {
		bool        tls, lab, exporter, end_point, certificate, stranger, no_scram;
		const char *smtp;
	} cases[] = {
		{ .exporter = true, .smtp = NULL },
		{ .lab = true, .exporter = true, .smtp = "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN" },
		{ .tls = true, .exporter = true,
		  .smtp = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN OAUTHBEARER XOAUTH2" },
		{ .tls = true, .end_point = true,
		  .smtp = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN OAUTHBEARER XOAUTH2" },
		{ .tls = true, .smtp = "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN OAUTHBEARER XOAUTH2" },
		{ .tls = true, .stranger = true, .smtp = "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN OAUTHBEARER XOAUTH2" },
		{ .tls = true, .certificate = true, .smtp = "EXTERNAL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN OAUTHBEARER XOAUTH2" },
		{ .certificate = true, .smtp = NULL },
		{ .tls = true, .exporter = true, .no_scram = true, .smtp = "PLAIN LOGIN OAUTHBEARER XOAUTH2" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases) * VIEWS; i++) {
		struct talk t;
		char        want[300];
		struct str  names, one, out;

		start(&t, i % VIEWS, cases[i / VIEWS].tls);
		t.r.set.allow_plain = t.set.allow_plain = cases[i / VIEWS].lab;
		t.r.set.scram = t.set.scram = !cases[i / VIEWS].no_scram;
		if (!cases[i / VIEWS].exporter)
			t.r.conn.exporter = STR_NONE;
		if (!cases[i / VIEWS].end_point)
			t.r.conn.end_point = STR_NONE;
		if (cases[i / VIEWS].certificate)
			t.r.conn.certificate = STR(FAKE_FINGERPRINT);
		if (cases[i / VIEWS].stranger)
			t.r.conn.certificate = STR("nobody's certificate fingerprint");
		begin(&t);
		out = buf_str(&t.r.conn.out);
		names = str_of(cases[i / VIEWS].smtp);
		snprintf(want, sizeof(want), "250-AUTH %.*s\r\n", STR_FMT(names));
		if (t.view == SMTP) {
			assert_int_equal(str_search(out, names.n > 0 ? str_of(want) : STR("AUTH")) >= 0, names.n > 0);
		} else if (t.view == POP3) {
			fake_feed(&t.r.conn, STR("CAPA\r\n"));
			out = buf_str(&t.r.conn.out);
			snprintf(want, sizeof(want), "\r\nSASL %.*s\r\n", STR_FMT(names));
			assert_int_equal(str_search(out, names.n > 0 ? str_of(want) : STR("SASL")) >= 0, names.n > 0);
			assert_int_equal(str_search(out, STR("\r\nUSER\r\n")) >= 0, names.n > 0);
		} else {
			want[0] = '\0';
			while (str_cut(names, ' ', &one, &names), one.n > 0)
				snprintf(want + strlen(want), sizeof(want) - strlen(want), " AUTH=%.*s", STR_FMT(one));
			snprintf(want + strlen(want), sizeof(want) - strlen(want), "] Post");
			assert_true(str_search(out, str_of(want)) > 0);
			assert_int_equal(str_search(out, STR("LOGINDISABLED")) > 0, !cases[i / VIEWS].smtp);
			assert_true(cases[i / VIEWS].smtp || str_search(out, STR("AUTH=")) < 0);
		}
		done(&t);
	}
}

/* ---- one exchange of each kind: what is said, what must be answered ---- */

#define STEPS 4
struct step {
	struct str  say; /* octets; for raw ones as they are */
	const char *want; /* a word, or the challenge's octets behind ":" */
	bool        raw;
};

static const struct exchange {
	const char *mechanism;
	bool        lab, certificate;
	struct step steps[STEPS]; /* the first: initial response; say.p NULL: none */
	bool        signed_in;
	unsigned    logins;
} exchanges[] = {
	{ "PLAIN", .steps = { { STR("\0" USER "\0password"), "ok" } }, .signed_in = true, .logins = 1 },
	{ "plain", .steps = { { STR_NONE, ":" }, { STR(USER "\0" USER "\0password"), "ok" } }, .signed_in = true, .logins = 1 },
	{ "PLAIN", .steps = { { STR("\0" USER "\0wrong"), "denied" } }, .logins = 1 },
	{ "PLAIN", .steps = { { STR("bob@demo.test\0" USER "\0password"), "denied" } } },
	{ "PLAIN", .steps = { { STR("\0busy@demo.test\0x"), "later" } }, .logins = 1 },
	{ "PLAIN", .steps = { { STR("\0limit@demo.test\0x"), "later" } }, .logins = 1 },
	{ "PLAIN", .steps = { { STR("\0a\0b\0c"), "syntax" } } },
	{ "PLAIN", .steps = { { STR("\0\0\0"), "syntax" } } },
	{ "PLAIN", .steps = { { STR("\0a\0\xff"), "syntax" } } },
	{ "LOGIN", .steps = { { STR_NONE, ":Username:" }, { STR(USER), ":Password:" }, { STR("password"), "ok" } }, .signed_in = true,
	  .logins = 1 },
	{ "LOGIN", .steps = { { STR(USER), ":Password:" }, { STR("wrong"), "denied" } }, .logins = 1 },
	{ "LOGIN", .steps = { { STR(USER), ":Password:" }, { STR(""), "syntax" } } },
	{ "LOGIN", .steps = { { STR("a\0b"), "syntax" } } },
	{ "LOGIN", .steps = { { STR(USER), ":Password:" }, { STR("pass\0word"), "syntax" } } },
	{ "OAUTHBEARER", .steps = { { STR("n,a=" USER ",\1auth=Bearer good.token\1\1"), "ok" } }, .signed_in = true, .logins = 1 },
	{ "OAUTHBEARER", .steps = { { STR_NONE, ":" }, { STR("n,,\1host=x\1auth=Bearer good.token\1\1"), "ok" } }, .signed_in = true,
	  .logins = 1 },
	{ "OAUTHBEARER", .steps = { { STR("n,,\1auth=Bearer bad\1\1"), ":{\"status\":\"invalid_token\",\"scope\":\"mail\"}" },
				    { STR("\1"), "denied" } }, .logins = 1 },
	{ "OAUTHBEARER", .steps = { { STR("n,,\1auth=Bearer bad\1\1"), ":{\"status\":\"invalid_token\",\"scope\":\"mail\"}" },
				    { STR("*"), "denied", true } }, .logins = 1 },
	{ "OAUTHBEARER", .steps = { { STR("n,,\1auth=Bearer bad\1\1"), ":{\"status\":\"invalid_token\",\"scope\":\"mail\"}" },
				    { STR("n,,\1auth=Bearer good.token\1\1"), "denied" } }, .logins = 1 }, /* too late */
	{ "OAUTHBEARER", .steps = { { STR("n,,\1auth=\1\1"), ":{\"status\":\"invalid_token\",\"scope\":\"mail\"}" }, { STR("\1"), "denied" } } },
	{ "OAUTHBEARER", .steps = { { STR("n,,\1auth=Bearer limit\1\1"), "later" } }, .logins = 1 },
	{ "OAUTHBEARER", .steps = { { STR("n,,\1auth=Bearer good.token\1"), "syntax" } } },
	{ "XOAUTH2", .steps = { { STR("user=" USER "\1auth=Bearer good.token\1\1"), "ok" } }, .signed_in = true, .logins = 1 },
	{ "XOAUTH2", .steps = { { STR("user=bob@demo.test\1auth=Bearer good.token\1\1"),
				  ":{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}" }, { STR(""), "denied" } }, .logins = 1 },
	{ "EXTERNAL", .certificate = true, .steps = { { STR("="), "ok", true } }, .signed_in = true, .logins = 1 },
	{ "EXTERNAL", .certificate = true, .steps = { { STR_NONE, ":" }, { STR(""), "ok" } }, .signed_in = true, .logins = 1 },
	{ "EXTERNAL", .certificate = true, .steps = { { STR(USER), "ok" } }, .signed_in = true, .logins = 1 },
	{ "EXTERNAL", .certificate = true, .steps = { { STR("bob@demo.test"), "denied" } }, .logins = 1 },
	{ "EXTERNAL", .certificate = true, .steps = { { STR("a\0b"), "syntax" } } },
	{ "EXTERNAL", .steps = { { STR("="), "unknown", true } } },
	{ "SCRAM-SHA-256", .steps = { { STR("n,,m=x,n=" USER ",r=c"), "syntax" } } },
	{ "SCRAM-SHA-256", .steps = { { STR("n,,n=a=b,r=c"), "syntax" } } },
	{ "SCRAM-SHA-256", .steps = { { STR("n,,n=busy@demo.test,r=c"), "later" } } },
	{ "SCRAM-SHA-256", .steps = { { STR("n,a=bob@demo.test,n=" USER ",r=c"), "denied" } } },
	{ "SCRAM-SHA-256", .steps = { { STR("y,,n=" USER ",r=c"), "denied" } } },           /* -PLUS was in the list */
	{ "SCRAM-SHA-256", .lab = true, .steps = { { STR("y,,n=" USER ",r=c"), ":r=cserver-nonce,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096" },
						   { STR("*"), "syntax", true } } },             /* here it was not */
	{ "SCRAM-SHA-256", .steps = { { STR("p=tls-exporter,,n=" USER ",r=c"), "denied" } } },
	{ "SCRAM-SHA-256-PLUS", .steps = { { STR("n,,n=" USER ",r=c"), "denied" } } },
	{ "SCRAM-SHA-256-PLUS", .steps = { { STR("y,,n=" USER ",r=c"), "denied" } } },
	{ "SCRAM-SHA-256-PLUS", .steps = { { STR("p=tls-unique,,n=" USER ",r=c"), "denied" } } },
	{ "SCRAM-SHA-256-PLUS", .lab = true, .steps = { { STR("p=tls-exporter,,n=" USER ",r=c"), "unknown" } } },
	{ "OAUTHBEARER", .lab = true, .steps = { { STR("n,,\1auth=Bearer good.token\1\1"), "unknown" } } },
	{ "SCRAM-SHA-1", .steps = { { STR("n,,n=" USER ",r=c"), ":r=cserver-nonce,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096" },
				    { STR("c=biws,r=cserver-nonc,p=AAAA"), "denied" } } },
	{ "SCRAM-SHA-1", .steps = { { STR("n,,n=" USER ",r=c"), ":r=cserver-nonce,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096" },
				    { STR("c=eSws,r=cserver-nonce,p=AAAA"), "denied" } } }, /* "y,," now */
	{ "SCRAM-SHA-1", .steps = { { STR("n,,n=" USER ",r=c"), ":r=cserver-nonce,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096" },
				    { STR("c=biws,r=cserver-nonce,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "denied" } }, .logins = 1 },
	{ "SCRAM-SHA-1", .steps = { { STR("n,,n=" USER ",r=c"), ":r=cserver-nonce,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096" },
				    { STR("c=biws,r=cserver-nonce,p=AAA"), "syntax" } } },
	{ "NTLM", .steps = { { STR("x"), "unknown" } } },
	{ "SCRAM-SHA-512", .steps = { { STR("x"), "unknown" } } },
};

static void assert_answer(struct str got, const char *want)
{
	char room[2000];

	if (want[0] == ':')
		assert_str(decoded(got, room, sizeof(room)), str_of(want + 1));
	else
		assert_str(got, str_of(want));
}

static void run(const struct exchange *x, enum view view)
{
	struct talk t;

	start(&t, view, !x->lab);
	t.r.set.allow_plain = t.set.allow_plain = x->lab;
	if (x->certificate)
		t.r.conn.certificate = STR(FAKE_FINGERPRINT);
	begin(&t);
	for (unsigned i = 0; i < STEPS && x->steps[i].want; i++) {
		const struct step *s = &x->steps[i];
		struct str         got;
		char               text[300];

		if (i > 0) {
			got = s->raw ? line(&t, s->say) : say(&t, "", s->say);
		} else if (s->raw) {
			snprintf(text, sizeof(text), "%s %s %.*s", view == IMAP ? "a AUTHENTICATE" : "AUTH", x->mechanism, STR_FMT(s->say));
			got = line(&t, str_of(text));
		} else {
			got = auth(&t, x->mechanism, s->say.p ? &s->say : NULL);
		}
		assert_answer(got, s->want);
	}
	assert_int_equal(t.r.conn.trusted, x->signed_in);
	assert_int_equal(t.r.ask.logins, x->logins);
	if (!x->signed_in) { /* the next one begins from nothing */
		assert_true(is_alive(&t));
		assert_str(AUTH(&t, "PLAIN", "\0" USER "\0password"), STR("ok"));
	}
	assert_str(AUTH(&t, "PLAIN", "\0" USER "\0password"), STR("order"));
	done(&t);
}

static void test_exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(exchanges); i++)
		for (enum view v = 0; v < VIEWS; v++)
			run(&exchanges[i], v);
}

/* ---- SCRAM as a whole ---- */

static void test_scram(void **state)
{
	static const struct {
		const char          *mechanism;
		enum auth_scram_hash hash;
		struct str           gs2, binding;
		bool                 ok;
	} cases[] = {
		{ "SCRAM-SHA-1", AUTH_SCRAM_SHA1, STR("n,,"), STR(""), true },
		{ "SCRAM-SHA-256", AUTH_SCRAM_SHA256, STR("n,,"), STR(""), true },
		{ "SCRAM-SHA-256", AUTH_SCRAM_SHA256, STR("n,a=" USER ","), STR(""), true },
		{ "SCRAM-SHA-1-PLUS", AUTH_SCRAM_SHA1, STR("p=tls-exporter,,"), STR(EXPORTER), true },
		{ "SCRAM-SHA-256-PLUS", AUTH_SCRAM_SHA256, STR("p=tls-exporter,,"), STR(EXPORTER), true },
		{ "SCRAM-SHA-256-PLUS", AUTH_SCRAM_SHA256, STR("p=tls-server-end-point,,"), STR("end-point"), true },
		{ "SCRAM-SHA-256-PLUS", AUTH_SCRAM_SHA256, STR("p=tls-exporter,,"), STR("end-point"), false },
		{ "SCRAM-SHA-256-PLUS", AUTH_SCRAM_SHA256, STR("p=tls-exporter,,"), STR(""), false },
		{ "SCRAM-SHA-256-PLUS", AUTH_SCRAM_SHA256, STR("p=tls-exporter,,"), STR(EXPORTER "0"), false },
		{ "SCRAM-SHA-256", AUTH_SCRAM_SHA256, STR("n,,"), STR("x"), false },
		{ "SCRAM-SHA-256", AUTH_SCRAM_SHA1, STR("n,,"), STR(""), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases) * VIEWS; i++) {
		struct scram_client c = { .hash = cases[i / VIEWS].hash, .password = STR("password"), .gs2 = cases[i / VIEWS].gs2,
					  .binding = cases[i / VIEWS].binding, .user = STR(USER), .nonce = STR("fyko+d2lbbFgONRv9qkxdawL") };
		struct talk         t;
		char                room[2000];
		struct str          first = scram_client_first(&c), got;

		start(&t, i % VIEWS, true);
		begin(&t);
		got = auth(&t, cases[i / VIEWS].mechanism, &first);
		got = say(&t, "", scram_client_final(&c, decoded(got, room, sizeof(room))));
		if (cases[i / VIEWS].ok) {
			assert_str(decoded(got, room, sizeof(room)), str_of(c.server_final));
			assert_false(t.r.conn.trusted); /* not before the client has seen it */
			assert_str(line(&t, STR("")), STR("ok"));
			assert_true(t.r.conn.trusted);
		} else {
			assert_str(got, STR("denied"));
			assert_true(is_alive(&t));
		}
		done(&t);
	}
}

/* ---- lines that are too long, or end the session ---- */

static void test_oversized(void **state)
{
	static const size_t sizes[] = { LIMIT_SASL_LINE, LIMIT_SASL_LINE + 1, LIMIT_SASL_LINE + 2, 70000 };
	char               *text = malloc(70000);

	(void)state;
	memset(text, 'A', 70000);
	for (size_t i = 0; i < LEN(sizes) * VIEWS; i++) {
		struct talk t;

		start(&t, i % VIEWS, true);
		begin(&t);
		assert_str(auth(&t, "PLAIN", NULL), STR(""));
		assert_str(line(&t, str_n(text, sizes[i / VIEWS])), STR("syntax"));
		assert_true(is_alive(&t));
		assert_str(auth(&t, "OAUTHBEARER", &STR("n,,\1auth=Bearer bad\1\1")).n > 10 ? STR("") : STR("short"), STR(""));
		assert_str(line(&t, str_n(text, sizes[i / VIEWS])), STR("denied")); /* it had failed before */
		assert_true(is_alive(&t));
		done(&t);
	}
	free(text);
}

static void test_failures_end(void **state)
{
	(void)state;
	for (enum view v = 0; v < VIEWS; v++) {
		struct talk t;

		start(&t, v, true);
		begin(&t);
		for (unsigned i = 1; i < 5; i++) {
			AUTH(&t, "XOAUTH2", "user=x\1auth=Bearer bad\1\1");
			assert_str(line(&t, STR("")), STR("denied"));
			assert_str(AUTH(&t, "PLAIN", "\0limit@demo.test\0x"), STR("later")); /* not counted: it was not looked at */
		}
		assert_false(t.r.conn.closed);
		AUTH(&t, "SCRAM-SHA-256", "y,,n=" USER ",r=c");
		assert_true(t.r.conn.closed);
		done(&t);
	}
}

static void test_clear(void **state)
{
	static const char *const names[] = { "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "EXTERNAL", "NONE" };

	(void)state;
	for (size_t i = 0; i < LEN(names) * VIEWS; i++) {
		struct talk t;

		start(&t, i % VIEWS, false);
		begin(&t);
		assert_str(AUTH(&t, names[i / VIEWS], "\0" USER "\0password"), STR("clear"));
		assert_int_equal(t.r.ask.logins, 0);
		assert_true(is_alive(&t));
		done(&t);
	}
}

/* IMAP LOGIN goes the same way. */
static void test_login_command(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a LOGIN " USER " password", "ok" },      { "a LOGIN \"" USER "\" \"password\"", "ok" },
		{ "a LOGIN " USER " wrong", "denied" },     { "a LOGIN \"\" x", "denied" },
		{ "a LOGIN busy@demo.test x", "later" },    { "a LOGIN limit@demo.test x", "later" },
		{ "a LOGIN " USER, "syntax" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct talk t;

		start(&t, IMAP, true);
		begin(&t);
		assert_str(line(&t, str_of(cases[i].text)), str_of(cases[i].want));
		done(&t);
	}
}

/* The client goes away in the middle of each. */
static void test_gone(void **state)
{
	(void)state;
	for (enum view v = 0; v < VIEWS; v++) {
		struct talk t;

		start(&t, v, true);
		begin(&t);
		AUTH(&t, "SCRAM-SHA-256", "n,,n=" USER ",r=c");
		fake_event(&t.r.conn, NET_EV_TIMEOUT);
		assert_true(t.r.conn.closed);
		done(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announced), cmocka_unit_test(test_exchanges),    cmocka_unit_test(test_scram),
		cmocka_unit_test(test_oversized), cmocka_unit_test(test_failures_end), cmocka_unit_test(test_clear),
		cmocka_unit_test(test_login_command), cmocka_unit_test(test_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
