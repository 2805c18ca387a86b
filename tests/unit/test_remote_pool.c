/* deliver/remote_pool.h, deliver/remote_hosts.h, and what of a route's hop and of TLS belongs to a session: several deliveries to a server
 * that counts its connections. RFC 5321 §3.8, RFC 9422, RFC 5077, RFC 8446 §2.2. */
#include "unit.h"

#include "deliver/remote_connect.h"
#include "remote_rig.h"

#define IDLE_MS   60000u
#define MAIL_OK   "E MAIL FROM:<s@me.test>", "S 250 ok", "E RCPT TO:<", "S 250 ok"
#define SEND_OK   "E DATA", "S 354 go", "D", "S 250 2.0.0 ok"
#define ONE       MAIL_OK, SEND_OK
#define CHUNKS    HELLO, "S 250-mx.test", "S 250-PIPELINING", "S 250 CHUNKING"
#define EARLY     "E MAIL", "E RCPT", "B"
#define EARLY_OK  EARLY, "S 250 ok", "S 250 ok", "S 250 ok"
#define LATE_OK   "E MAIL", "E RCPT", "S 250 ok", "S 250 ok", "B", "S 250 ok"

/* ---- sessions are used again ---- */

struct pool_case {
	const char        *name;
	const char *const *steps;
	const char        *want[3];     /* of each delivery; NULL: no further one */
	unsigned           connects[3]; /* made by it */
	unsigned           flags;       /* wait for that many before the second */
};

static const struct pool_case pool_cases[] = {
	{ "three mails, one connection", STEPS(PLAIN, ONE, ONE, ONE, QUIT), { "D 2.0.0", "D 2.0.0", "D 2.0.0" }, { 1, 0, 0 }, 0 },
	{ "the peer closes meanwhile", STEPS(PLAIN, ONE, "X", "F", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 1 }, 1 },
	{ "the peer says 421 meanwhile", STEPS(PLAIN, ONE, "S 421 4.4.2 idle", "F", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 1 }, 1 },
	{ "something is said out of turn", STEPS(PLAIN, ONE, "S 250 what", "F", "E QUIT", "C", PLAIN, ONE, QUIT), { NULL }, { 0 }, 0 },
	{ "421 on the second", STEPS(PLAIN, ONE, "E MAIL", "S 421 4.7.0 enough", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 1 }, 0 },
	{ "452 on the second: enough for this session", STEPS(PLAIN, ONE, "E MAIL", "S 452 4.5.3 enough", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 1 }, 0 },
	{ "452 on the second: the host is full", STEPS(PLAIN, ONE, "E MAIL", "S 452 4.3.1 disk", "E RSET", "S 250 ok", ONE, QUIT), { "D 2.0.0", "T 4.3.1", "D 2.0.0" },
	  { 1, 0, 0 }, 0 },
	{ "452 without a code", STEPS(PLAIN, ONE, "E MAIL", "S 452 enough", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 1 }, 0 },
	{ "452 on the second, and none was taken", STEPS(PLAIN, "E MAIL", "S 452 4.5.3 no", "E RSET", "S 250 ok", "E MAIL", "S 452 4.5.3 no", QUIT),
	  { "T 4.5.3", "T 4.5.3" }, { 1, 0 }, 0 },
	{ "closed on the second", STEPS(PLAIN, ONE, "E MAIL", "X", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 1 }, 0 },
	{ "reset on the second", STEPS(PLAIN, ONE, "E MAIL", "Z", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 1 }, 0 },
	{ "closed behind the second's MAIL: that is a failure",
	  STEPS(PLAIN, ONE, "E MAIL", "S 250 ok", "E RCPT", "X"), { "D 2.0.0", "T 4.4.2" }, { 1, 0 }, 0 },
	{ "450 on the second's MAIL: too", STEPS(PLAIN, ONE, "E MAIL", "S 450 4.7.1 no", "E RSET", "S 250 ok", ONE, QUIT),
	  { "D 2.0.0", "T 4.7.1", "D 2.0.0" }, { 1, 0, 0 }, 0 },
	{ "silent on the second: too", STEPS(PLAIN, ONE, "E MAIL", "W"), { "D 2.0.0", "T 4.4.2" }, { 1, 0 }, 0 },
	{ "RSET refused", STEPS(PLAIN, "E MAIL", "S 450 4.7.1 no", "E RSET", "S 500 what", "C", PLAIN, ONE, QUIT), { "T 4.7.1", "D 2.0.0" }, { 1, 1 }, 0 },
	{ "and the new one fails", STEPS(PLAIN, ONE, "X", "F", "C", "S 421 4.3.2 busy", "W"), { "D 2.0.0", "T 4.3.2" }, { 1, 1 }, 1 },
	{ "MAILMAX 1", STEPS(HELLO, "S 250-mx.test", "S 250 LIMITS MAILMAX=1", ONE, "E QUIT", "C", PLAIN, ONE, QUIT), { "D 2.0.0", "D 2.0.0" },
	  { 1, 1 }, 0 },
	{ "MAILMAX 2", STEPS(HELLO, "S 250-mx.test", "S 250 LIMITS MAILMAX=2", ONE, ONE, "E QUIT", "C", PLAIN, ONE, QUIT),
	  { "D 2.0.0", "D 2.0.0", "D 2.0.0" }, { 1, 0, 1 }, 0 },
	{ "unfit for one message is fit for another", STEPS(HELLO, "S 250-mx.test", "S 250 SIZE 10", QUIT), { "R 5.3.4", "R 5.3.4" }, { 1, 0 }, 0 },
	/* content sent ahead */
	{ "one flight each", STEPS(CHUNKS, EARLY_OK, EARLY_OK, QUIT), { "D 2.0.0", "D 2.0.0" }, { 1, 0 }, 0 },
	{ "421 on the second, content sent", STEPS(CHUNKS, EARLY_OK, EARLY, "S 421 4.7.0 enough", "C", CHUNKS, EARLY_OK, QUIT), { "D 2.0.0", "D 2.0.0" },
	  { 1, 1 }, 0 },
	{ "452 on the second, content sent", STEPS(CHUNKS, EARLY_OK, EARLY, "S 452 4.5.3 enough", "C", CHUNKS, EARLY_OK, QUIT), { "D 2.0.0", "D 2.0.0" },
	  { 1, 1 }, 0 },
	{ "closed with the content in hand: it may have been delivered; then MAIL is waited for",
	  STEPS(CHUNKS, EARLY_OK, EARLY, "X", "C", CHUNKS, LATE_OK, QUIT), { "D 2.0.0", "T 4.4.2", "D 2.0.0" }, { 1, 0, 1 }, 0 },
};

static void check_pool_case(const struct pool_case *c)
{
	struct run r;

	run_init(&r, 1, c->steps);
	r.remote.pool = remote_pool_new(IDLE_MS);
	r.remote.hosts = remote_hosts_new();
	r.remote.settings.timeouts.mail_ms = 1000;
	for (unsigned i = 0; i < LEN(c->want) && c->want[i]; i++) {
		if (i == 1)
			script_wait(&r.script, c->flags);
		run_deliver(&r);
		run_check(&r, c->name, c->want[i]);
		if (r.note.connects != c->connects[i])
			print_error("case \"%s\", delivery %u\n", c->name, i);
		assert_int_equal(r.note.connects, c->connects[i]);
	}
	if (c->want[0])
		run_end(&r);
	else
		script_stop(&r.script);
	remote_pool_free(&r.remote.pool);
	remote_hosts_free(&r.remote.hosts);
	run_done(&r);
}

static void test_pool(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(pool_cases); i++)
		check_pool_case(&pool_cases[i]);
}

/* What a session depends on: another one is opened, though the first would be there. */
static void test_key(void **state)
{
	static const char *const twice[] = { PLAIN, ONE, "F", "C", "S 220 mx.test", "E EHLO", "S 250 mx.test", ONE, QUIT, NULL };
	const struct {
		const char *name;
		struct hop  hop;
	} rows[] = {
		{ "name", { .helo = STR("route.test") } },
		{ "address", { .source4 = STR("127.0.0.9") } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, 1, twice);
		r.remote.pool = remote_pool_new(IDLE_MS);
		run_deliver(&r);
		run_check(&r, rows[i].name, "D 2.0.0");
		script_wait(&r.script, 1);
		r.q.hop = rows[i].hop;
		run_deliver(&r);
		run_check(&r, rows[i].name, "D 2.0.0");
		assert_int_equal(r.note.connects, 1);
		run_end(&r);
		run_done(&r);
	}
}

static void test_key_text(void **state)
{
	struct arena                *a = arena_new(NULL);
	const struct remote_policy   may = { .level = REMOTE_TLS_MAY, .key = 1 }, verified = { .level = REMOTE_TLS_VERIFIED, .key = 4 };
	const struct hop             none = { 0 }, login = { .login = 7 }, six = { .source6 = STR("2001:db8::1") };
	struct remote_target         t = { .host = STR("mx.test"), .port = 25 }, other;
	struct str                   key;

	(void)state;
	assert_true(remote_address_parse(STR("192.0.2.1"), 25, &t.address));
	key = remote_pool_key(a, &t, &may, &none, STR("me.test"));
	assert_str(remote_pool_key(a, &t, &may, &six, STR("me.test")), key); /* of the other family */
	assert_false(str_eq(remote_pool_key(a, &t, &verified, &none, STR("me.test")), key));
	assert_false(str_eq(remote_pool_key(a, &t, &may, &login, STR("me.test")), key));
	for (unsigned i = 0; i < 5; i++) {
		other = t;
		other.lmtp = i == 0;
		other.any_name = i == 1;
		other.port += i == 2;
		if (i == 3)
			other.host = STR("mx2.test");
		if (i == 4)
			assert_true(remote_address_parse(STR("192.0.2.2"), 25, &other.address));
		assert_false(str_eq(remote_pool_key(a, &other, &may, &none, STR("me.test")), key));
	}
	arena_free(&a);
}

/* Nobody comes: the pool says QUIT by itself. And at its end. */
static void test_idle(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 1, STEPS(PLAIN, ONE, "E QUIT", "S 221 bye", "W", "F", "C", PLAIN, ONE, QUIT));
	r.remote.pool = remote_pool_new(1);
	run_deliver(&r);
	script_wait(&r.script, 1);
	run_deliver(&r);
	run_check(&r, "after the pool's QUIT", "D 2.0.0");
	assert_int_equal(r.note.connects, 1);
	remote_pool_stop(r.remote.pool, 1000);
	run_deliver(&r); /* nothing is kept now; nobody listens any more, either */
	run_end(&r);
	run_done(&r);
}

/* No more than there is room for; the oldest goes. */
static void test_bounds(void **state)
{
	enum { COUNT = LIMIT_REMOTE_IDLE_HOST + 1 };
	static const char     *steps[4 * COUNT + 8];
	size_t                 n = 0;
	struct run             r;
	struct remote_session *open[COUNT];
	struct remote_policy   policy = { .level = REMOTE_TLS_NONE, .name = STR("") };
	struct remote_target   t = { .host = STR("mx.test") };
	struct remote_outcome  why;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (const char *const *p = STEPS("S 220 mx", "E EHLO", "S 250 mx", "C"); *p; p++)
			steps[n++] = *p;
	run_init(&r, 1, steps);
	r.remote.pool = remote_pool_new(IDLE_MS);
	t.port = r.script.port;
	assert_true(remote_address_parse(STR("127.0.0.1"), t.port, &t.address));
	for (size_t i = 0; i < COUNT; i++) {
		open[i] = remote_session_new(&r.remote, r.arena, INT64_MAX);
		assert_int_equal(remote_session_open(open[i], &t, &policy, &r.q.hop, -1, &why), REMOTE_OPEN_READY);
		open[i]->dead = false;
	}
	script_stop(&r.script);
	for (size_t i = 0; i < COUNT; i++)
		remote_pool_put(r.remote.pool, &open[i]);
	/* Their peers are gone by now: none of them is handed out, and all that were kept are looked at. */
	assert_null(remote_pool_take(r.remote.pool, remote_pool_key(r.arena, &t, &policy, &r.q.hop, r.remote.settings.hostname)));
	remote_pool_free(&r.remote.pool);
	run_done(&r);
}

/* What the peer's system has acknowledged it may have; what it has answered by a reset it has not. */
static void test_undelivered(void **state)
{
	const struct {
		const char        *name;
		const char *const *steps;
		bool               flag_first, undelivered;
	} rows[] = {
		{ "read, then closed", STEPS("E hello", "F", "X"), false, false },
		{ "closed before", STEPS("S hi", "X", "F"), true, true },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run                r;
		struct remote_target      t = { .host = STR("mx.test") };
		struct remote_connect_why why;
		struct net_stream        *s;
		struct buf                line;
		enum status               st = ST_OK;

		run_init(&r, 1, rows[i].steps);
		buf_init(&line, 100);
		assert_true(remote_address_parse(STR("127.0.0.1"), r.script.port, &t.address));
		s = net_stream_new(remote_connect(&t, STR(""), 5000, &why));
		if (rows[i].flag_first)
			script_wait(&r.script, 1);
		assert_int_equal(net_stream_write(s, STR("hello\r\n"), 5000), ST_OK);
		while (st == ST_OK)
			st = net_stream_line(s, &line, 5000);
		assert_int_equal(st, ST_CLOSED);
		assert_int_equal(net_stream_undelivered(s), rows[i].undelivered);
		net_stream_free(&s);
		script_stop(&r.script);
		buf_done(&line);
		run_done(&r);
	}
}

/* ---- TLS ---- */

#define TLS_ONE  "S 220 mx.test", "E EHLO", "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO", "S 250 mx.test", ONE, "E QUIT", "S 221 bye", "W"
#define REQ_ONE  "S 220 mx.test", "E EHLO", "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO", "S 250-mx.test", "S 250 REQUIRETLS", \
		"E MAIL", "S 250 ok", "E RCPT", "S 250 ok", SEND_OK, "E QUIT", "S 221 bye", "W"

static bool resumed(const struct run *r)
{
	struct str text = r->reply.results[0].tls;

	assert_true(str_starts(text, STR("TLSv1.")));
	return str_iends(text, STR(" resumed"));
}

static void trust_script(void)
{
	BIO        *bio = BIO_new(BIO_s_mem());
	const char *why;
	char       *p;

	assert_int_equal(PEM_write_bio_X509(bio, SSL_CTX_get0_certificate(tls)), 1);
	long n = BIO_get_mem_data(bio, &p);
	assert_int_equal(net_tls_trust(str_n(p, (size_t)n), &why), ST_OK);
	BIO_free(bio);
}

static void test_resumption(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < LEN(versions); i++) {
		struct run r;

		SSL_CTX_set_max_proto_version(tls, versions[i]);
		run_init(&r, 1, STEPS(TLS_ONE, "C", TLS_ONE, "C", TLS_ONE, "C", REQ_ONE, "C", REQ_ONE, "C", TLS_ONE));
		trust_script(); /* forgets what was kept, too */
		r.zone.secure = r.remote.settings.trusts = true;
		run_deliver(&r);
		assert_false(resumed(&r));
		run_deliver(&r);
		assert_true(resumed(&r));
		r.q.hop.helo = STR("route.test"); /* something else in the key */
		run_deliver(&r);
		assert_false(resumed(&r));
		r.q.hop.helo = STR("");
		r.q.flags = QUEUE_FLAG_REQUIRETLS; /* verified: not by a session of which nobody knows who the peer was */
		run_deliver(&r);
		run_check(&r, "verified", "D 2.0.0");
		assert_false(resumed(&r));
		run_deliver(&r);
		run_check(&r, "verified and resumed", "D 2.0.0");
		assert_true(resumed(&r));
		trust_script(); /* other authorities: all is forgotten */
		r.q.flags = 0;
		run_deliver(&r);
		assert_false(resumed(&r));
		run_end(&r);
		run_done(&r);
	}
	SSL_CTX_set_max_proto_version(tls, 0);
}

/* The server knows nothing of it any more, or never did: a full handshake. */
static void test_not_resumed(void **state)
{
	SSL_CTX   *kept = tls, *other = script_tls();
	struct run r;

	(void)state;
	run_init(&r, 1, STEPS(TLS_ONE, "F", "C", TLS_ONE));
	r.q.hop.helo = STR("again.test");
	run_deliver(&r);
	script_wait(&r.script, 1);
	r.script.tls = other;
	run_deliver(&r);
	run_check(&r, "another key", "D 2.0.0");
	assert_false(resumed(&r));
	run_end(&r);
	run_done(&r);
	SSL_CTX_free(other);
	tls = kept;
}

/* TLS sessions are used again as others are; records that came meanwhile (tickets) are nothing to be afraid of. */
static void test_tls_pool(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 1, STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO", "S 250 mx.test", ONE, ONE, "E QUIT"));
	r.remote.pool = remote_pool_new(IDLE_MS);
	run_deliver(&r);
	run_deliver(&r);
	run_check(&r, "TLS", "D 2.0.0");
	assert_int_equal(r.note.connects, 0);
	assert_int_equal(r.note.nth, 2);
	run_end(&r);
	run_done(&r);
}

/* ---- hosts that are dead ---- */

static const struct fake_record two_hosts[] = {
	{ "d.test", DNS_MX, "10 dead.test" },
	{ "d.test", DNS_MX, "20 mx.test" },
	{ "dead.test", DNS_A, "127.0.0.2" }, /* the script listens on 127.0.0.1 */
	{ "mx.test", DNS_A, "127.0.0.1" },
	{ "only.test", DNS_MX, "10 dead.test" },
	{ NULL, 0, NULL },
};

static void test_dead(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 1, STEPS(PLAIN, ONE, "E QUIT", "C", PLAIN, ONE, "E QUIT", "C", "S 421 4.3.2 busy", "C", PLAIN, ONE, "E QUIT"));
	r.zone.records = two_hosts;
	r.remote.hosts = remote_hosts_new();
	run_deliver(&r);
	run_check(&r, "first", "D 2.0.0");
	assert_int_equal(r.note.connects, 2);
	run_deliver(&r);
	run_check(&r, "it is known", "D 2.0.0");
	assert_int_equal(r.note.connects, 1);
	run_deliver(&r);
	run_check(&r, "behind the good one it is tried", "T 4.4.1");
	assert_int_equal(r.note.connects, 2);
	assert_int_equal(r.reply.site, REMOTE_SITE_TROUBLE);
	run_deliver(&r);
	run_check(&r, "both suspect: in their order", "D 2.0.0");
	assert_int_equal(r.note.connects, 2);
	r.q.domain = STR("only.test");
	run_deliver(&r);
	run_check(&r, "the only one is tried", "T 4.4.1");
	assert_int_equal(r.note.connects, 1);
	run_end(&r);
	remote_hosts_free(&r.remote.hosts);
	run_done(&r);
}

static void test_hosts(void **state)
{
	struct remote_hosts *h = remote_hosts_new();
	struct remote_target t[3] = { 0 };

	(void)state;
	for (unsigned i = 0; i < LEN(t); i++)
		assert_true(remote_address_parse(i < 2 ? STR("192.0.2.1") : STR("2001:db8::1"), 25 + i % 2, &t[i].address));
	assert_false(remote_hosts_avoid(h, &t[0]));
	remote_hosts_mark(h, &t[0], REMOTE_HOST_SUSPECT);
	assert_true(remote_hosts_avoid(h, &t[0]));
	assert_false(remote_hosts_avoid(h, &t[1])); /* another port */
	remote_hosts_mark(h, &t[0], REMOTE_HOST_NO_BDAT);
	remote_hosts_clear(h, &t[0], REMOTE_HOST_SUSPECT);
	assert_false(remote_hosts_avoid(h, &t[0]));
	assert_true(remote_hosts_marked(h, &t[0], REMOTE_HOST_NO_BDAT));
	assert_false(remote_hosts_marked(h, &t[2], REMOTE_HOST_NO_BDAT));
	/* Bounded: many more than there is room for. */
	for (unsigned i = 0; i < 3 * LIMIT_REMOTE_KNOWN; i++) {
		assert_true(remote_address_parse(STR("192.0.2.2"), i % 65536, &t[1].address));
		remote_hosts_mark(h, &t[1], REMOTE_HOST_SUSPECT);
		assert_true(remote_hosts_avoid(h, &t[1]));
	}
	remote_hosts_free(&h);
	assert_null(h);
	assert_false(remote_hosts_avoid(NULL, &t[0]));
}

/* ---- what the attempt says of the destination ---- */

static void test_site(void **state)
{
	const struct {
		const char        *name, *domain;
		const char *const *steps;
		enum remote_site   site;
	} rows[] = {
		{ "no DNS", "fails.test", STEPS("X"), REMOTE_SITE_NONE },
		{ "no domain", "none.test", STEPS("X"), REMOTE_SITE_NONE },
		{ "no connection", "only.test", STEPS("X"), REMOTE_SITE_TROUBLE },
		{ "closes", "d.test", STEPS("X"), REMOTE_SITE_TROUBLE },
		{ "421", "d.test", STEPS("S 421 busy", "W"), REMOTE_SITE_TROUBLE },
		{ "EHLO closes", "d.test", STEPS(HELLO, "X"), REMOTE_SITE_TROUBLE },
		{ "MAIL closes", "d.test", STEPS(PLAIN, "E MAIL", "X"), REMOTE_SITE_TROUBLE },
		{ "MAIL 421", "d.test", STEPS(PLAIN, "E MAIL", "S 421 4.7.0 no", "W"), REMOTE_SITE_TROUBLE },
		{ "MAIL 450", "d.test", STEPS(PLAIN, "E MAIL", "S 450 4.7.0 no", QUIT), REMOTE_SITE_ANSWERED },
		{ "RCPT 450", "d.test", STEPS(PLAIN, "E MAIL", "S 250 ok", "E RCPT", "S 450 4.7.0 no", QUIT), REMOTE_SITE_ANSWERED },
		{ "RCPT closes", "d.test", STEPS(PLAIN, "E MAIL", "S 250 ok", "E RCPT", "X"), REMOTE_SITE_ANSWERED },
		{ "too small", "d.test", STEPS(HELLO, "S 250-mx.test", "S 250 SIZE 10", QUIT), REMOTE_SITE_ANSWERED },
	};
	static const struct fake_record zone[] = {
		{ "d.test", DNS_MX, "20 mx.test" },       { "mx.test", DNS_A, "127.0.0.1" },  { "fails.test", DNS_MX, "!" },
		{ "only.test", DNS_MX, "10 dead.test" }, { "dead.test", DNS_A, "127.0.0.2" }, { NULL, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, 1, rows[i].steps);
		r.zone.records = zone;
		r.q.domain = str_of(rows[i].domain);
		run_go(&r);
		if (r.reply.site != rows[i].site)
			print_error("case \"%s\"\n", rows[i].name);
		assert_int_equal(r.reply.site, rows[i].site);
		run_done(&r);
	}
}

/* ---- source address and name ---- */

static void test_source(void **state)
{
	struct run r;
	char       text[INET_ADDRSTRLEN];

	(void)state;
	run_init(&r, 1, STEPS("S 220 mx.test", "E EHLO out.route.test", "S 250 mx.test", ONE, QUIT));
	r.q.hop = (struct hop){ .source4 = STR("127.0.0.77"), .source6 = STR("2001:db8::77"), .helo = STR("out.route.test") };
	run_go(&r);
	run_check(&r, "from there", "D 2.0.0");
	assert_string_equal(inet_ntop(AF_INET, &r.script.client.sin_addr, text, sizeof(text)), "127.0.0.77");
	run_done(&r);
	/* The loop is seen by the name that is ours, whatever the route says. */
	run_init(&r, 1, STEPS("S 220 me.test", QUIT));
	r.q.hop.helo = STR("out.route.test");
	run_go(&r);
	run_check(&r, "loop", "R 5.4.6");
	run_done(&r);
}

/* Never from another address than the one asked for. */
static void test_no_source(void **state)
{
	static const char *const bad[] = { "192.0.2.77", "nonsense", "2001:db8::1" };

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct run r;

		run_init(&r, 1, STEPS("S 220 nobody comes"));
		r.remote.hosts = remote_hosts_new();
		r.q.hop.source4 = str_of(bad[i]);
		run_deliver(&r);
		script_stop(&r.script);
		run_check(&r, bad[i], "T 4.4.1");
		assert_true(str_starts(r.reply.results[0].answer, STR("Cannot connect from the address ")));
		assert_int_equal(r.reply.site, REMOTE_SITE_NONE);
		remote_hosts_free(&r.remote.hosts);
		run_done(&r);
	}
}

static void test_bad_name(void **state)
{
	static const char *const bad[] = { "a b", "a\r\nMAIL FROM:<x@y>", "\x7f" };

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct run r;

		run_init(&r, 1, STEPS("S 220 nobody comes"));
		r.q.hop.helo = str_of(bad[i]);
		run_go(&r);
		run_check(&r, bad[i], "T 4.3.5");
		assert_int_equal(r.reply.site, REMOTE_SITE_NONE);
		run_done(&r);
	}
}

/* ---- content ---- */

static void test_prefix(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 1,
		 STEPS(HELLO, "S 250-mx.test", "S 250 SIZE", "E MAIL FROM:<s@me.test> SIZE=36", "S 250 ok", "E RCPT", "S 250 ok", SEND_OK, QUIT));
	r.q.prefix = STR("DKIM-Sig: x\r\n y\r\n");
	r.q.content = STR("a: b\r\n\r\nhello.\r\n.\r\n");
	run_go(&r);
	run_check(&r, "prefix", "D 2.0.0");
	assert_str(buf_str(&r.script.data), STR("DKIM-Sig: x\r\n y\r\na: b\r\n\r\nhello.\r\n..\r\n.\r\n"));
	run_done(&r);
	run_init(&r, 1, STEPS(PLAIN, QUIT));
	r.q.prefix = STR("X: \xc3\xbc\r\n");
	run_go(&r);
	run_check(&r, "its 8-bit octets count", "R 5.6.3");
	run_done(&r);
}

/* By DATA and by BDAT the same octets: no line over 998, no bare CR or LF, whatever is stored. */
static void test_folded(void **state)
{
	struct buf content, want;
	char       line[1200];

	(void)state;
	memset(line, 'x', sizeof(line));
	buf_init(&content, 64 * KIB);
	buf_init(&want, 64 * KIB);
	buf_addf(&content, "a: b\n\n%.1100s\r\n.\rend", line);
	buf_addf(&want, "a: b\r\n\r\n%.998s\r\n %.102s\r\n.\r\nend\r\n", line, line);
	for (unsigned bdat = 0; bdat < 2; bdat++) {
		struct run  r;
		const char *mail;
		static char expect[100];

		snprintf(expect, sizeof(expect), "E MAIL FROM:<s@me.test> SIZE=%zu", want.n);
		mail = expect;
		run_init(&r, 1,
			 bdat ? STEPS(HELLO, "S 250-mx.test", "S 250-SIZE", "S 250 CHUNKING", mail, "S 250 ok", "E RCPT", "S 250 ok", "B", "S 250 ok", QUIT)
			      : STEPS(HELLO, "S 250-mx.test", "S 250 SIZE", mail, "S 250 ok", "E RCPT", "S 250 ok", SEND_OK, QUIT));
		r.q.content = buf_str(&content);
		run_go(&r);
		run_check(&r, "folded", "D 2.0.0");
		assert_int_equal(r.note.folded, 1);
		if (bdat) {
			assert_str(buf_str(&r.script.data), buf_str(&want));
		} else {
			assert_int_equal(r.script.data.n, want.n + 4);
			assert_true(str_iends(buf_str(&r.script.data), STR("\r\n..\r\nend\r\n.\r\n")));
		}
		run_done(&r);
	}
	buf_done(&content);
	buf_done(&want);
}

/* RFC 6531 §3.2: only the domain is not ASCII. */
static void test_alabels(void **state)
{
	const struct {
		struct str         from, rcpt;
		const char *const *steps;
		const char        *want;
	} rows[] = {
		{ STR("s@b\xc3\xbc.test"), STR("r@b\xc3\xbc" "cher.test"),
		  STEPS(PLAIN, "E MAIL FROM:<s@xn--b-eha.test>", "S 250 ok", "E RCPT TO:<r@xn--bcher-kva.test>", "S 250 ok", SEND_OK, QUIT), "D 2.0.0" },
		{ STR("s@me.test"), STR("r@b\xc3\xbc" "cher.test"),
		  STEPS(HELLO, "S 250-mx.test", "S 250 SMTPUTF8", "E MAIL FROM:<s@me.test> SMTPUTF8", "S 250 ok", "E RCPT TO:<r@b\xc3\xbc" "cher.test>",
			"S 250 ok", SEND_OK, QUIT),
		  "D 2.0.0" },
		{ STR("s@me.test"), STR("\xc3\xbc@b\xc3\xbc" "cher.test"), STEPS(PLAIN, QUIT), "R 5.6.7" },
		{ STR("\xc3\xbc@me.test"), STR("r@d.test"), STEPS(PLAIN, QUIT), "R 5.6.7" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		run_init(&r, 1, rows[i].steps);
		r.q.from = rows[i].from;
		r.rcpts[0].address = rows[i].rcpt;
		run_go(&r);
		run_check(&r, "A-labels", rows[i].want);
		run_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool),     cmocka_unit_test(test_key),       cmocka_unit_test(test_key_text), cmocka_unit_test(test_idle),   cmocka_unit_test(test_bounds), cmocka_unit_test(test_undelivered),
		cmocka_unit_test(test_resumption), cmocka_unit_test(test_not_resumed), cmocka_unit_test(test_tls_pool), cmocka_unit_test(test_dead),
		cmocka_unit_test(test_hosts),    cmocka_unit_test(test_site),      cmocka_unit_test(test_source), cmocka_unit_test(test_no_source), cmocka_unit_test(test_bad_name),
		cmocka_unit_test(test_prefix),   cmocka_unit_test(test_folded),    cmocka_unit_test(test_alabels),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
