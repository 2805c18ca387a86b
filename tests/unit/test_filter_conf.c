/* milter/filter_conf.h: what may stand in the settings, and what is said about the rest. */
#include "unit.h"

#include "milter/filter_conf.h"

static void test_list(void **state)
{
	static const struct {
		enum filter_kind kind;
		struct str       text;
		bool             ok;
		struct str       at; /* what is wrong */
	} cases[] = {
		{ FILTER_MILTER, STR(""), true, STR("") },
		{ FILTER_MILTER, STR(" inet:127.0.0.1:8891 , inet:8892@localhost,inet6:[::1]:8893, inet6:8894@::1,"), true, STR("") },
		{ FILTER_MILTER, STR("inet:a.example:1 default=accept timeout=30s content=500ms total=5m listeners=smtp+submission"), true, STR("") },
		{ FILTER_MILTER, STR("unix:/run/x.sock"), false, STR("unix:/run/x.sock") },
		{ FILTER_MILTER, STR("local:/run/x.sock"), false, STR("local:/run/x.sock") },
		{ FILTER_MILTER, STR("/run/x.sock"), false, STR("/run/x.sock") },
		{ FILTER_MILTER, STR("127.0.0.1:8891"), false, STR("127.0.0.1:8891") },
		{ FILTER_MILTER, STR("inet:127.0.0.1"), false, STR("inet:127.0.0.1") },
		{ FILTER_MILTER, STR("inet::1:25"), false, STR("inet::1:25") },
		{ FILTER_MILTER, STR("inet::25"), false, STR("inet::25") },
		{ FILTER_MILTER, STR("inet:a:0"), false, STR("inet:a:0") },
		{ FILTER_MILTER, STR("inet:a:65536"), false, STR("inet:a:65536") },
		{ FILTER_MILTER, STR("inet:a;b:1"), false, STR("inet:a;b:1") },
		{ FILTER_MILTER, STR("inet:a:1 default=maybe"), false, STR("default=maybe") },
		{ FILTER_MILTER, STR("inet:a:1 timeout=0"), false, STR("timeout=0") },
		{ FILTER_MILTER, STR("inet:a:1 timeout=2h"), false, STR("timeout=2h") },
		{ FILTER_MILTER, STR("inet:a:1 timeout=99999m"), false, STR("timeout=99999m") },
		{ FILTER_MILTER, STR("inet:a:1 stages=rcpt"), false, STR("stages=rcpt") },
		{ FILTER_MILTER, STR("inet:a:1 listeners=imap"), false, STR("listeners=imap") },
		{ FILTER_MILTER, STR("inet:a:1 word"), false, STR("word") },
		{ FILTER_POLICY, STR("inet:a:1 stages=rcpt+data+end default=reject"), true, STR("") },
		{ FILTER_POLICY, STR("inet:a:1 stages="), false, STR("stages=") },
		{ FILTER_POLICY, STR("inet:a:1 default=quarantine"), false, STR("default=quarantine") },
		{ FILTER_POLICY, STR("inet:a:1 content=5s"), false, STR("content=5s") },
		{ FILTER_MILTER, STR("inet:a:1,inet:a:2,inet:a:3,inet:a:4,inet:a:5,inet:a:6,inet:a:7,inet:a:8,inet:a:9"), false, STR("inet:a:9") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str         text = unit_exact(cases[i].text), at = STR("");
		struct filter_list list;
		const char        *why = NULL;

		if (filter_list_parse(cases[i].kind, text, FILTER_TEMPFAIL, &list, &why, &at) != cases[i].ok)
			fail_msg("case %zu: %s", i, why ? why : "");
		if (!cases[i].ok) {
			assert_str(at, cases[i].at);
			assert_non_null(why);
		}
		unit_exact_free(text);
	}
}

static void test_values(void **state)
{
	struct filter_list list;
	const char        *why;
	struct str         at, relay;

	(void)state;
	assert_true(filter_list_parse(FILTER_MILTER, STR("inet6:[2001:db8::1]:8891 default=quarantine timeout=2 total=1m listeners=submission, inet:1@h"),
				      FILTER_ACCEPT, &list, &why, &at));
	assert_int_equal(list.count, 2);
	assert_str(list.filters[0].host, STR("2001:db8::1"));
	assert_int_equal(list.filters[0].port, 8891);
	assert_int_equal(list.filters[0].fallback, FILTER_QUARANTINE);
	assert_int_equal(list.filters[0].timeout_ms, 2000);
	assert_int_equal(list.filters[0].total_ms, 60000);
	assert_int_equal(list.filters[0].where, FILTER_AT_SUBMISSION);
	assert_int_equal(list.filters[1].fallback, FILTER_ACCEPT);
	assert_int_equal(list.filters[1].where, FILTER_AT_SMTP | FILTER_AT_SUBMISSION);
	assert_true(filter_check(&list.filters[0]) != filter_check(&list.filters[1]));
	assert_true(filter_content_parse(STR("lmtp:[::1]:10024"), &relay, &why));
	assert_str(relay, STR("lmtp:[::1]:10024"));
	assert_true(filter_content_parse(STR("smtp:127.0.0.1:10024"), &relay, &why));
	assert_false(filter_content_parse(STR("127.0.0.1:10024"), &relay, &why));
	assert_false(filter_content_parse(STR("lmtp:unix:/x"), &relay, &why));
	assert_false(filter_content_parse(STR("smtp:::1:25"), &relay, &why));
	assert_false(filter_content_parse(STR("smtp:"), &relay, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_list), cmocka_unit_test(test_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
