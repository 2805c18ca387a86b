/* deliver/remote_tls.h: a whole delivery under each level, what becomes of it and how it is told. RFC 3207, RFC 8314 §3, RFC 7672. */
#include "unit.h"

#include "remote_rig.h"

#define MAIL "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 ok", QUIT
#define OFFER HELLO, "S 250-mx.test", "S 250 STARTTLS"
#define UP    "E STARTTLS", "S 220 go", "T", "E EHLO", "S 250 mx.test"

static const struct fake_record wrong_digest[] = {
	{ "d.test", DNS_MX, "10 mx.test" }, { "mx.test", DNS_A, "127.0.0.1" }, { "_0._tcp.mx.test", DNS_TLSA, "3 1 1 x" }, { NULL, 0, NULL },
};

static void test_levels(void **state)
{
	const struct {
		const char        *name, *relay; /* what stands before the port; NULL: by MX */
		enum hop_tls       rule;
		const char *const *steps;
		const char        *want, *tls; /* tls: its end */
	} cases[] = {
		{ "may, not offered", NULL, 0, STEPS(PLAIN, MAIL), "D 2.0.0", "in clear: not offered" },
		{ "may, declined", NULL, 0, STEPS(OFFER, "E STARTTLS", "S 454 no", MAIL), "D 2.0.0", "in clear: offered, then declined" },
		{ "may, breaks", NULL, 0, STEPS(OFFER, "E STARTTLS", "S 220 go", "C", OFFER, MAIL), "D 2.0.0", "in clear: the TLS handshake failed" },
		{ "may", NULL, 0, STEPS(OFFER, UP, MAIL), "D 2.0.0", ", unverified" },
		{ "never", NULL, HOP_TLS_NEVER, STEPS(OFFER, MAIL), "D 2.0.0", "in clear: the route says so" },
		{ "encrypt", NULL, HOP_TLS_ENCRYPT, STEPS(OFFER, UP, MAIL), "D 2.0.0", ", unverified" },
		{ "encrypt, not offered", NULL, HOP_TLS_ENCRYPT, STEPS(PLAIN, QUIT), "T 4.7.10", "" },
		{ "encrypt, refused", NULL, HOP_TLS_ENCRYPT, STEPS(OFFER, "E STARTTLS", "S 502 5.5.1 no", QUIT), "T 4.7.10", "" },
		{ "encrypt, not now", NULL, HOP_TLS_ENCRYPT, STEPS(OFFER, "E STARTTLS", "S 454 4.7.0 no", QUIT), "T 4.7.0", "" },
		{ "encrypt, breaks", NULL, HOP_TLS_ENCRYPT, STEPS(OFFER, "E STARTTLS", "S 220 go", "X"), "T 4.7.5", "" },
		{ "verify, nobody knows it", "mx.test", HOP_TLS_VERIFY, STEPS(OFFER, "E STARTTLS", "S 220 go", "t"), "T 4.7.5", "" },
		{ "implicit", "smtps:mx.test", 0, STEPS("T", PLAIN, MAIL), "D 2.0.0", ", unverified" },
		{ "implicit, offers it again", "smtps:mx.test", 0, STEPS("T", OFFER, MAIL), "D 2.0.0", ", unverified" },
		{ "implicit, never means it too", "smtps:mx.test", HOP_TLS_NEVER, STEPS("T", PLAIN, MAIL), "D 2.0.0", ", unverified" },
		{ "implicit, clear text", "smtps:mx.test", 0, STEPS("S 220 mx.test", "W"), "T 4.7.5", "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct run r;

		run_init(&r, 1, cases[i].steps);
		r.q.hop.tls = cases[i].rule;
		r.remote.settings.trusts = true;
		if (cases[i].relay)
			r.q.relay = arena_printf(r.arena, "%s:%u", cases[i].relay, r.script.port);
		run_go(&r);
		run_check(&r, cases[i].name, cases[i].want);
		if (!str_iends(r.reply.results[0].tls, str_of(cases[i].tls)))
			print_error("case \"%s\": %.*s\n", cases[i].name, STR_FMT(r.reply.results[0].tls));
		assert_true(str_iends(r.reply.results[0].tls, str_of(cases[i].tls)));
		run_done(&r);
	}
}

/* TLSA records for the port of the script: one that fits no certificate, and none that can be used. */
static void test_dane(void **state)
{
	const struct {
		const char        *data, *want;
		const char *const *steps;
	} cases[] = {
		{ "3 1 1 x", "T 4.7.5", (const char *const[]){ OFFER, "E STARTTLS", "S 220 go", "t", NULL } },
		{ "3 1 1 x", "T 4.7.10", (const char *const[]){ PLAIN, QUIT, NULL } },
		{ "1 1 1 x", "D 2.0.0", (const char *const[]){ OFFER, UP, MAIL, NULL } },
		{ "1 1 1 x", "T 4.7.10", (const char *const[]){ PLAIN, QUIT, NULL } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct fake_record records[LEN(wrong_digest)];
		struct run         r;

		run_init(&r, 1, cases[i].steps);
		memcpy(records, wrong_digest, sizeof(records));
		records[2].name = arena_cstr(r.arena, arena_printf(r.arena, "_%u._tcp.mx.test", r.script.port));
		records[2].data = cases[i].data;
		r.zone.records = records;
		r.zone.secure = true;
		run_go(&r);
		run_check(&r, cases[i].data, cases[i].want);
		run_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_levels), cmocka_unit_test(test_dane) };

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
