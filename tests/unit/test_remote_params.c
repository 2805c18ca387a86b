/* What goes with MAIL and RCPT (RFC 3461, 2852, 6710), REQUIRETLS (RFC 8689), and LMTP (RFC 2033). */
#include "unit.h"

#include <openssl/pem.h>

#include "deliver/remote_params.h"
#include "ipc/msg_queue.h"
#include "net/net_tls.h"
#include "remote_rig.h"

#define LHLO  "S 220 mx.test LMTP", "E LHLO me.test", "S 250 mx.test"
#define TLS   "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO me.test"

/* ---- as text ---- */

static void test_mail(void **state)
{
	const unsigned all = SMTP_CAP_DSN | SMTP_CAP_DELIVERBY | SMTP_CAP_MT_PRIORITY | SMTP_CAP_REQUIRETLS;
	const struct {
		unsigned                      offered;
		struct remote_deliver_request q;
		const char                   *want;
	} cases[] = {
		{ all, { .flags = 0 }, "" },
		{ all, { .flags = QUEUE_FLAG_RET_FULL, .envid = STR("a+b=c d") }, " RET=FULL ENVID=a+2Bb+3Dc+20d" },
		{ all, { .flags = QUEUE_FLAG_RET_HDRS }, " RET=HDRS" },
		{ all, { .by = true, .by_s = 120 }, " BY=120;R" },
		{ all, { .by = true, .by_s = -5, .flags = QUEUE_FLAG_BY_NOTIFY | QUEUE_FLAG_BY_TRACE }, " BY=-5;NT" },
		{ all, { .by = true, .by_s = INT64_MAX, .flags = QUEUE_FLAG_BY_TRACE }, " BY=999999999;RT" },
		{ all, { .by = true, .by_s = INT64_MIN + 1, .flags = QUEUE_FLAG_BY_NOTIFY }, " BY=-999999999;N" },
		{ all, { .priority = -4 }, " MT-PRIORITY=-4" },
		{ all, { .flags = QUEUE_FLAG_REQUIRETLS }, " REQUIRETLS" },
		{ 0, { .flags = QUEUE_FLAG_RET_FULL, .envid = STR("a"), .by = true, .by_s = 9, .priority = 3 }, "" },
		{ SMTP_CAP_DSN, { .envid = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa++") }, "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct smtp_caps caps = { .offered = cases[i].offered };
		struct buf       out;

		buf_init(&out, 2000);
		remote_params_mail(&out, &caps, &cases[i].q);
		assert_str(buf_str(&out), str_of(cases[i].want));
		buf_done(&out);
	}
}

static void test_rcpt(void **state)
{
	static const struct {
		struct remote_rcpt rcpt;
		const char        *want;
	} cases[] = {
		{ { .notify = 0 }, "" },
		{ { .notify = QUEUE_NOTIFY_NEVER }, " NOTIFY=NEVER" },
		{ { .notify = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE | QUEUE_NOTIFY_DELAY }, " NOTIFY=SUCCESS,FAILURE,DELAY" },
		{ { .orcpt = STR("rfc822;a+b@x.test") }, " ORCPT=rfc822;a+2Bb@x.test" },
		{ { .orcpt = STR("utf-8;b\xc3\xb6\xe2\x82\xac\xf0\x9f\x90\xb4@x.test") }, " ORCPT=utf-8;b\\x{F6}\\x{20AC}\\x{1F434}@x.test" },
		{ { .orcpt = STR("utf-8;a+b\\c=d@x.test") }, " ORCPT=utf-8;a\\x{2B}b\\x{5C}c\\x{3D}d@x.test" },
		{ { .orcpt = STR("rfc822;\xff") }, "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (unsigned offered = 0; offered <= SMTP_CAP_DSN; offered += SMTP_CAP_DSN) {
			struct smtp_caps caps = { .offered = offered };
			struct buf       out;

			buf_init(&out, 2000);
			remote_params_rcpt(&out, &caps, &cases[i].rcpt);
			assert_str(buf_str(&out), str_of(offered ? cases[i].want : ""));
			buf_done(&out);
		}
}

static void test_unfit(void **state)
{
	static const struct {
		unsigned    offered;
		uint64_t    min_s;
		bool        by;
		int64_t     by_s;
		uint32_t    flags;
		const char *code; /* NULL: fit */
	} cases[] = {
		{ 0, 0, false, 0, 0, NULL },
		{ 0, 0, false, 0, QUEUE_FLAG_REQUIRETLS, "5.7.30" },
		{ SMTP_CAP_REQUIRETLS, 0, false, 0, QUEUE_FLAG_REQUIRETLS, NULL },
		{ 0, 0, true, 60, 0, "5.3.3" },
		{ 0, 0, true, 60, QUEUE_FLAG_BY_NOTIFY, NULL },
		{ SMTP_CAP_DELIVERBY, 0, true, 60, 0, NULL },
		{ SMTP_CAP_DELIVERBY, 61, true, 60, 0, "5.4.7" },
		{ SMTP_CAP_DELIVERBY, 0, true, 0, 0, "5.4.7" },
		{ SMTP_CAP_DELIVERBY, 61, true, -60, QUEUE_FLAG_BY_NOTIFY, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct remote_deliver_request q = { .flags = cases[i].flags, .by = cases[i].by, .by_s = cases[i].by_s };
		struct smtp_caps              caps = { .offered = cases[i].offered, .by_min_s = cases[i].min_s };
		struct remote_outcome         why = { 0 };

		assert_int_equal(remote_params_unfit(&q, &caps, &why), cases[i].code != NULL);
		if (cases[i].code)
			assert_str(why.code, str_of(cases[i].code));
	}
}

static void test_caps(void **state)
{
	struct smtp_caps c;

	(void)state;
	smtp_caps_parse(STR("mx\nDSN\nDELIVERBY 240\nMT-PRIORITY MIXER\nREQUIRETLS"), &c);
	assert_int_equal(c.offered, SMTP_CAP_DSN | SMTP_CAP_DELIVERBY | SMTP_CAP_MT_PRIORITY | SMTP_CAP_REQUIRETLS);
	assert_int_equal(c.by_min_s, 240);
	smtp_caps_parse(STR("mx\nDELIVERBY"), &c);
	assert_int_equal(c.offered, SMTP_CAP_DELIVERBY);
	assert_int_equal(c.by_min_s, 0);
	smtp_caps_parse(STR("mx\nDELIVERBY soon"), &c);
	assert_int_equal(c.offered, 0);
}

/* ---- on the wire ---- */

static void test_dsn(void **state)
{
	const struct {
		const char *const *steps;
		uint32_t           passed;
	} cases[] = {
		{ STEPS(HELLO, "S 250-mx.test", "S 250-DELIVERBY", "S 250 DSN", "E MAIL FROM:<s@me.test> RET=HDRS ENVID=e1 BY=60;N", "S 250 ok",
			"E RCPT TO:<r0@d.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@list.test", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 ok", QUIT),
		  REMOTE_PASSED_DSN | REMOTE_PASSED_BY },
		{ STEPS(HELLO, "S 250 mx.test", "E MAIL FROM:<s@me.test>", "S 250 ok", "E RCPT TO:<r0@d.test>", "S 250 ok", "E DATA", "S 354 go", "D",
			"S 250 ok", QUIT),
		  0 },
		{ STEPS(HELLO, "S 250-mx.test", "S 250 DSN", "E MAIL", "S 250 ok", "E RCPT", "S 550 5.1.1 no", QUIT), 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct run r;

		run_init(&r, 1, cases[i].steps);
		r.q.flags = QUEUE_FLAG_RET_HDRS | QUEUE_FLAG_BY_NOTIFY;
		r.q.envid = STR("e1");
		r.q.by = true;
		r.q.by_s = 60;
		r.rcpts[0].notify = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE;
		r.rcpts[0].orcpt = STR("rfc822;bob@list.test");
		run_go(&r);
		run_check(&r, "dsn", i < 2 ? "D 2.0.0" : "R 5.1.1");
		assert_int_equal(r.reply.results[0].passed, cases[i].passed);
		if (i == 1)
			assert_true(str_search(buf_str(&r.script.seen), STR("NOTIFY")) < 0);
		run_done(&r);
	}
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

static void test_requiretls(void **state)
{
	static const char *const none[] = { "X", NULL };
	const struct {
		const char        *name, *domain, *relay; /* relay: of the script's port */
		bool               secure, trusts;
		const char *const *steps; /* NULL: nobody may call */
		const char        *want;
	} cases[] = {
		{ "all is well", "d.test", "", true, true,
		  STEPS(HELLO, TLS, "S 250-mx.test", "S 250 REQUIRETLS", "E MAIL FROM:<s@me.test> REQUIRETLS", "S 250 ok", "E RCPT", "S 250 ok", "E DATA",
			"S 354 go", "D", "S 250 ok", QUIT),
		  "D 2.0.0" },
		{ "names not signed", "d.test", "", false, true, NULL, "R 5.7.30" },
		{ "no authorities", "d.test", "", true, false, NULL, "T 4.7.5" },
		{ "no STARTTLS", "d.test", "", true, true, STEPS(HELLO, "S 250-mx.test", "S 250 REQUIRETLS", QUIT), "R 5.7.10" },
		{ "STARTTLS refused", "d.test", "", true, true, STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 502 no", QUIT), "R 5.7.10" },
		{ "STARTTLS not now", "d.test", "", true, true, STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 454 4.7.0 no", QUIT),
		  "T 4.7.0" },
		{ "offered in clear only", "d.test", "", true, true, STEPS(HELLO, "S 250-mx.test", "S 250-REQUIRETLS", "S 250 STARTTLS", "E STARTTLS",
			"S 220 go", "T", "E EHLO", "S 250 mx.test", QUIT), "R 5.7.30" },
		{ "another name", "other.test", "", true, true, STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "t"), "R 5.7.10" },
		{ "an address literal", "[127.0.0.1]", "", true, true, NULL, "R 5.7.30" },
		{ "an address as relay", "d.test", "127.0.0.1", false, true, STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "t"),
		  "R 5.7.10" },
		{ "a relay by name", "d.test", "mx.test", false, true, STEPS(HELLO, TLS, "S 250 mx.test", QUIT), "R 5.7.30" },
	};

	(void)state;
	trust_script();
	for (size_t i = 0; i < LEN(cases); i++) {
		struct run r;

		run_init(&r, 1, cases[i].steps ? cases[i].steps : none);
		if (!cases[i].steps)
			script_stop(&r.script);
		r.q.flags = QUEUE_FLAG_REQUIRETLS;
		r.q.domain = str_of(cases[i].domain);
		if (*cases[i].relay)
			r.q.relay = arena_printf(r.arena, "%s:%u", cases[i].relay, r.script.port);
		r.zone.secure = cases[i].secure;
		r.remote.settings.trusts = cases[i].trusts;
		if (cases[i].steps) {
			run_go(&r);
			run_check(&r, cases[i].name, cases[i].want);
		} else {
			run_deliver(&r);
			assert_str(arena_printf(r.arena, "%c %.*s", "DTR"[r.reply.results[0].result], STR_FMT(r.reply.results[0].code)),
				   str_of(cases[i].want));
		}
		run_done(&r);
	}
}

static void test_lmtp(void **state)
{
	const struct {
		const char        *name;
		const char *const *steps;
		const char        *want;
	} cases[] = {
		{ "a reply for each", STEPS(LHLO, "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT", "S 550 5.1.1 no", "E RCPT", "S 250 ok", "E DATA",
			"S 354 go", "D", "S 250 2.0.0 ok", "S 452 4.2.2 full", QUIT), "D 2.0.0|R 5.1.1|T 4.2.2" },
		{ "pipelined", STEPS("S 220 mx", "E LHLO", "S 250-mx", "S 250 PIPELINING", "E MAIL", "E RCPT", "E RCPT", "E RCPT", "E DATA", "S 250 ok",
			"S 250 ok", "S 250 ok", "S 250 ok", "S 354 go", "D", "S 550 5.7.1 spam", "S 250 ok", "S 250 ok", QUIT), "R 5.7.1|D 2.0.0|D 2.0.0" },
		{ "lost between the replies", STEPS(LHLO, "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT", "S 250 ok", "E DATA",
			"S 354 go", "D", "S 250 ok", "X"), "D 2.0.0|T 4.4.2|T 4.4.2" },
		{ "421 between them", STEPS(LHLO, "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT", "S 250 ok", "E RCPT", "S 250 ok", "E DATA",
			"S 354 go", "D", "S 250 ok", "S 421 4.3.2 bye", "W"), "D 2.0.0|T 4.3.2|T 4.3.2" },
		{ "nobody taken, 354 all the same", STEPS("S 220 mx", "E LHLO", "S 250-mx", "S 250 PIPELINING", "E MAIL", "E RCPT", "E RCPT", "E RCPT", "E DATA",
			"S 250 ok", "S 550 5.1.1 a", "S 550 5.1.1 b", "S 550 5.1.1 c", "S 354 go", "W"), "R 5.1.1|R 5.1.1|R 5.1.1" },
		{ "no LHLO", STEPS("S 220 mx", "E LHLO", "S 500 5.5.1 what", QUIT), "R 5.5.1|R 5.5.1|R 5.5.1" },
		{ "our own name", STEPS("S 220 me.test LMTP", "E LHLO", "S 250-me.test", "S 250 8BITMIME", "E MAIL", "S 250 ok", "E RCPT", "S 250 ok",
			"E RCPT", "S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 a", "S 250 b", "S 250 c", QUIT),
		  "D 2.0.0|D 2.0.0|D 2.0.0" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct run r;

		run_init(&r, 3, cases[i].steps);
		r.q.relay = arena_printf(r.arena, "lmtp:127.0.0.1:%u", r.script.port);
		run_go(&r);
		run_check(&r, cases[i].name, cases[i].want);
		run_done(&r);
	}
}

/* The filter's hop may have our name too; another relay of our name is a loop. */
static void test_own_name(void **state)
{
	(void)state;
	for (int filter = 0; filter < 2; filter++) {
		struct run r;

		run_init(&r, 1,
			 filter ? STEPS("S 220 me.test", "E EHLO", "S 250 me.test", "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 ok", QUIT) :
				  STEPS("S 220 me.test", QUIT));
		r.q.relay = arena_printf(r.arena, "127.0.0.1:%u", r.script.port);
		r.q.flags = filter ? QUEUE_FLAG_FILTER : 0;
		run_go(&r);
		run_check(&r, "own name", filter ? "D 2.0.0" : "R 5.4.6");
		run_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail), cmocka_unit_test(test_rcpt),       cmocka_unit_test(test_unfit), cmocka_unit_test(test_caps),
		cmocka_unit_test(test_dsn),  cmocka_unit_test(test_requiretls), cmocka_unit_test(test_lmtp),  cmocka_unit_test(test_own_name),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
