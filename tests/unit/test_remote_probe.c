/* deliver/remote_probe.c against a scripted server: what counts as somebody, as nobody, and as neither; never DATA. */
#include "unit.h"

#include "remote_rig.h"

#define MAIL  "E MAIL FROM:<>", "S 250 ok"

static const struct fake_record two_hosts[] = {
	{ "d.test", DNS_MX, "10 a.test" },
	{ "d.test", DNS_MX, "20 b.test" },
	{ "a.test", DNS_A, "127.0.0.1" },
	{ "b.test", DNS_A, "127.0.0.1" },
	{ NULL, 0, NULL },
};

static const struct {
	const char        *name, *address;
	const char *const *steps;
	enum remote_probe  want;
	const char        *answer;
} cases[] = {
	{ "there", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT TO:<ann@d.test>", "S 250 2.1.5 ok", QUIT), REMOTE_PROBE_EXISTS, "250 2.1.5 ok" },
	{ "251 is there too", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 251 ok", QUIT), REMOTE_PROBE_EXISTS, "251 ok" },
	{ "quoted", "\"a b\"@d.test", STEPS(PLAIN, MAIL, "E RCPT TO:<\"a b\"@d.test>", "S 250 ok", QUIT), REMOTE_PROBE_EXISTS,
	  "" },
	{ "nobody", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 550 5.1.1 no", QUIT), REMOTE_PROBE_UNKNOWN, "550 5.1.1 no" },
	{ "nobody, without a code", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 550 no", QUIT), REMOTE_PROBE_UNKNOWN, "550 no" },
	{ "refused for what we are", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 550 5.7.1 listed", QUIT), REMOTE_PROBE_LATER, "listed" },
	{ "greylisted", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 450 4.2.0 later", QUIT), REMOTE_PROBE_LATER, "later" },
	{ "full", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 452 4.2.2 full", QUIT), REMOTE_PROBE_LATER, "full" },
	{ "354 to RCPT", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 354 what", "W"), REMOTE_PROBE_LATER, "354 what" },
	{ "421 to RCPT", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "S 421 bye", "W"), REMOTE_PROBE_LATER, "bye" },
	{ "the second host", "ann@d.test", STEPS("S 554 go away", "E QUIT", "C", PLAIN, MAIL, "E RCPT", "S 550 no", QUIT), REMOTE_PROBE_UNKNOWN,
	  "no" },
	{ "the second host after a refusal of MAIL", "ann@d.test",
	  STEPS(PLAIN, "E MAIL", "S 550 no null senders", "E QUIT", "C", PLAIN, MAIL, "E RCPT", "S 250 ok", QUIT), REMOTE_PROBE_EXISTS, "" },
	{ "lost at RCPT, then the second", "ann@d.test", STEPS(PLAIN, MAIL, "E RCPT", "X", "C", PLAIN, MAIL, "E RCPT", "S 250 ok", QUIT),
	  REMOTE_PROBE_EXISTS, "" },
	{ "no host takes it", "ann@d.test", STEPS("S 554 a", "E QUIT", "C", "S 554 b", QUIT), REMOTE_PROBE_UNREACHABLE, "554 b" },
	{ "over TLS", "ann@d.test",
	  STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO me.test", "S 250 mx.test", MAIL, "E RCPT", "S 250 ok",
		QUIT),
	  REMOTE_PROBE_EXISTS, "" },
	{ "TLS breaks, then in clear", "ann@d.test",
	  STEPS(HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "X", "C", HELLO, "S 250-mx.test", "S 250 STARTTLS", MAIL,
		"E RCPT", "S 250 ok", QUIT),
	  REMOTE_PROBE_EXISTS, "" },
	{ "SMTPUTF8", "j\xc3\xb6@d.test",
	  STEPS(HELLO, "S 250-mx.test", "S 250 SMTPUTF8", "E MAIL FROM:<> SMTPUTF8", "S 250 ok", "E RCPT TO:<j\xc3\xb6@d.test>", "S 250 ok", QUIT),
	  REMOTE_PROBE_EXISTS, "" },
	{ "no SMTPUTF8 anywhere", "j\xc3\xb6@d.test", STEPS(PLAIN, "E QUIT", "C", PLAIN, QUIT), REMOTE_PROBE_UNREACHABLE, "" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct fake_zone          zone = { .records = two_hosts };
		struct remote             remote = fake_remote(&zone);
		struct arena             *a = arena_new(NULL);
		struct script             script;
		struct remote_probe_reply reply = { 0 };

		script_start(&script, cases[i].steps, tls);
		remote.settings.port = script.port;
		remote.settings.lab = true;
		remote_probe(&remote, &(struct remote_probe_request){ STR("d.test"), STR(""), str_of(cases[i].address) }, a, &reply);
		script_stop(&script);
		if (reply.result != cases[i].want || script.failed || str_search(reply.answer, str_of(cases[i].answer)) < 0)
			fail_msg("%s: %u, \"%.*s\", server failed at \"%s\"\n%.*s", cases[i].name, reply.result, STR_FMT(reply.answer),
				 script.failed ? script.failed : "", STR_FMT(buf_str(&script.seen)));
		assert_true(str_search(buf_str(&script.seen), STR("DATA")) < 0);
		script_free(&script);
		arena_free(&a);
	}
}

/* A host that says nothing takes the time of a probe, not of a delivery: that would be longer than the test may take. */
static void test_slow(void **state)
{
	struct fake_zone          zone = { .records = two_hosts };
	struct remote             remote = fake_remote(&zone);
	struct arena             *a = arena_new(NULL);
	struct script             script;
	struct remote_probe_reply reply = { 0 };

	(void)state;
	script_start(&script, STEPS(PLAIN, MAIL, "E RCPT", "W"), tls);
	remote.settings.port = script.port;
	remote.settings.lab = true;
	remote_probe(&remote, &(struct remote_probe_request){ STR("d.test"), STR(""), STR("ann@d.test") }, a, &reply);
	script_stop(&script);
	assert_int_equal(reply.result, REMOTE_PROBE_UNREACHABLE);
	script_free(&script);
	arena_free(&a);
}

/* A host named by the administrator, which speaks LMTP. */
static void test_lmtp(void **state)
{
	struct fake_zone          zone = { .records = two_hosts };
	struct remote             remote = fake_remote(&zone);
	struct arena             *a = arena_new(NULL);
	struct script             script;
	struct remote_probe_reply reply = { 0 };

	(void)state;
	script_start(&script, STEPS("S 220 mx.test LMTP", "E LHLO me.test", "S 250 mx.test", MAIL, "E RCPT", "S 550 5.1.1 no", QUIT), tls);
	remote_probe(&remote, &(struct remote_probe_request){ STR("d.test"), arena_printf(a, "lmtp:127.0.0.1:%u", script.port), STR("ann@d.test") }, a,
		     &reply);
	script_stop(&script);
	assert_int_equal(reply.result, REMOTE_PROBE_UNKNOWN);
	assert_null(script.failed);
	script_free(&script);
	arena_free(&a);
}

static void test_nowhere(void **state)
{
	static const struct {
		const char *domain, *relay, *address;
	} rows[] = {
		{ "gone.test", "", "ann@gone.test" },
		{ "d.test", "not a relay", "ann@d.test" },
		{ "d.test", "", "" },
		{ "d.test", "", "ann>\r\nRCPT TO:<bob@d.test" },
		{ "d.test", "", "ann>@d.test" },
		{ "[127.0.0.1]", "", "ann@[127.0.0.1]" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct fake_zone          zone = { .records = two_hosts };
		struct remote             remote = fake_remote(&zone);
		struct arena             *a = arena_new(NULL);
		struct remote_probe_reply reply = { 0 };

		remote_probe(&remote, &(struct remote_probe_request){ str_of(rows[i].domain), str_of(rows[i].relay), str_of(rows[i].address) }, a,
			     &reply);
		assert_int_equal(reply.result, REMOTE_PROBE_UNREACHABLE);
		assert_true(reply.answer.n > 0);
		arena_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_lmtp),
		cmocka_unit_test(test_nowhere),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
