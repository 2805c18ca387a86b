/* trust/trust_sts.h: RFC 8461 §4.1 (names), §5.1 and §10.2 (age). */
#include "unit.h"

#include "trust/trust_sts.h"

static const struct {
	const char *pattern, *host;
	bool        matches;
} rows[] = {
	{ "mail.example.com", "mail.example.com", true },
	{ "mail.example.com", "MAIL.Example.COM", true },
	{ "MAIL.example.com", "mail.example.com.", true },
	{ "mail.example.com", "amail.example.com", false },
	{ "mail.example.com", "mail.example.com.evil.test", false },
	{ "mail.example.com", "a.mail.example.com", false },
	{ "example.com", "mail.example.com", false },
	/* RFC 8461 §4.1: exactly one label, as in RFC 6125 §6.4 */
	{ "*.example.com", "mail.example.com", true },
	{ "*.Example.com", "mail.example.COM.", true },
	{ "*.example.com", "example.com", false },
	{ "*.example.com", ".example.com", false },
	{ "*.example.com", "a.mail.example.com", false },
	{ "*.example.com", "mailexample.com", false },
	{ "*.example.com", "mail.example.com.evil.test", false },
	{ "*.example.com", "*.example.com", true }, /* no host is called so */
	{ "*.xn--bcher-kva.example", "mx.XN--BCHER-KVA.example", true },
	{ "xn--bcher-kva.example", "bucher.example", false },
	{ "*.", "mail", false },
	{ "*.com", "example.com", true },
	{ "", "", false },
	{ "", "mail.example.com", false },
	{ "mail.example.com", "", false },
	{ ".", ".", false },
};

static void test_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str pattern = unit_exact(str_of(rows[i].pattern)), host = unit_exact(str_of(rows[i].host));

		if (trust_sts_matches(pattern, host) != rows[i].matches)
			fail_msg("\"%s\" \"%s\"", rows[i].pattern, rows[i].host);
		unit_exact_free(pattern);
		unit_exact_free(host);
	}
}

static void test_age(void **state)
{
	const int64_t day_ms = 86400000;

	(void)state;
	assert_int_equal(trust_sts_age(0, 604800), TRUST_STS_FRESH);
	assert_int_equal(trust_sts_age(day_ms - 1, 604800), TRUST_STS_FRESH);
	assert_int_equal(trust_sts_age(day_ms, 604800), TRUST_STS_DUE);
	assert_int_equal(trust_sts_age(7 * day_ms - 1, 604800), TRUST_STS_DUE);
	assert_int_equal(trust_sts_age(7 * day_ms, 604800), TRUST_STS_EXPIRED);
	assert_int_equal(trust_sts_age(1799999, 3600), TRUST_STS_FRESH);
	assert_int_equal(trust_sts_age(1800000, 3600), TRUST_STS_DUE);
	assert_int_equal(trust_sts_age(0, 0), TRUST_STS_EXPIRED);
	assert_int_equal(trust_sts_age(INT64_MAX, 31557600), TRUST_STS_EXPIRED);
	assert_int_equal(trust_sts_age(INT64_MIN, 31557600), TRUST_STS_FRESH); /* a clock was set back */
	assert_int_equal(trust_sts_age(0, UINT32_MAX), TRUST_STS_FRESH);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_matches), cmocka_unit_test(test_age) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
