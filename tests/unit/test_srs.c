/* directory/srs.h: what comes back is what went out; what was not made here, or is too old, is not believed. */
#include "unit.h"

#include <string.h>

#include "directory/srs.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static const uint8_t key[SRS_KEY] = "0123456789abcdef0123456789abcde";
static const uint8_t other_key[SRS_KEY] = "another";
static const int64_t now_ms = 1795248000000;

static struct address_canon canon(struct str s)
{
	struct address_canon c;

	assert_int_equal(address_canon_of(s, false, &c), ADDRESS_OK);
	return c;
}

static struct address_canon forward(struct str from, const char *domain)
{
	struct address_canon c = canon(from), out;

	assert_true(srs_forward(key, &c, str_of(domain), now_ms, &out));
	/* Canonical, and in a heap block of exactly its size it reads the same. */
	c = canon(address_text(&out));
	assert_str(address_text(&c), address_text(&out));
	return out;
}

static enum srs_err reverse(const struct address_canon *a, int64_t at_ms, struct address_canon *ret)
{
	return srs_reverse(key, a, at_ms, SRS_DAYS, ret);
}

static void test_there_and_back(void **state)
{
	static const struct str senders[] = {
		STR("ann@example.org"),        STR("Ann.Mixed.Case@example.org"), STR("\"a b\"@example.org"),
		STR("a=b=c@example.org"),      STR("\"q\\\"uote\\\\\"@example.org"), STR("\"a@b\"@example.org"),
		STR("ann@[192.0.2.1]"),        STR("ann@[IPv6:2001:db8::1]"),     STR("J\xc3\xb6rg@example.org"),
		STR("srs0@example.org"),       STR("SRS0x=a@example.org"),        STR("ann@xn--bcher-kva.example"),
		STR("\"\"@example.org"),
	};

	(void)state;
	for (size_t i = 0; i < LEN(senders); i++) {
		struct address_canon from = canon(senders[i]), out = { 0 }, back = { 0 };

		if (str_starts(senders[i], STR("\"\""))) /* nobody: it goes out, but not back */
			continue;
		out = forward(senders[i], "forward.test");
		assert_true(srs_is(&out));
		assert_str(address_domain_of(&out), STR("forward.test"));
		assert_int_equal(reverse(&out, now_ms, &back), SRS_OK);
		assert_str(address_text(&back), address_text(&from));
	}
}

/* SRS1 names the first forwarder, however often it is forwarded again. */
static void test_chain(void **state)
{
	static const struct str firsts[] = {
		STR("SRS0=abcd=TT=example.org=ann@first.test"), STR("SRS0+abcd=TT=example.org=ann@first.test"),
		STR("srs0-abcd=TT=example.org=ann@first.test"),
	};

	(void)state;
	for (size_t i = 0; i < LEN(firsts); i++) {
		struct address_canon second = forward(firsts[i], "second.test"), third, back;

		assert_true(str_starts(address_text(&second), STR("SRS1=")));
		assert_int_equal(reverse(&second, now_ms, &back), SRS_OK);
		assert_true(str_icmp(address_text(&back), firsts[i]) == 0);
		third = forward(address_text(&second), "third.test");
		assert_int_equal(second.n - strlen("second.test"), third.n - strlen("third.test"));
		assert_int_equal(reverse(&third, now_ms, &back), SRS_OK);
		assert_true(str_icmp(address_text(&back), firsts[i]) == 0);
		/* SRS1 has no day of its own. */
		assert_int_equal(reverse(&third, now_ms + 100 * DAY_MS, &back), SRS_OK);
	}
}

static void test_age(void **state)
{
	static const struct {
		int64_t      days;
		enum srs_err want;
	} cases[] = {
		{ 0, SRS_OK },  { 1, SRS_OK },       { 21, SRS_OK },        { 22, SRS_EXPIRED }, { 500, SRS_EXPIRED },
		{ -1, SRS_OK }, { -2, SRS_EXPIRED }, { 1022, SRS_EXPIRED }, { 1024, SRS_OK } /* it repeats */,
	};
	struct address_canon out = forward(STR("ann@example.org"), "forward.test"), back;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(reverse(&out, now_ms + cases[i].days * DAY_MS, &back), cases[i].want);
}

/* A relay may fold the local part: still right. */
static void test_folded(void **state)
{
	struct address_canon out = forward(STR("Ann@Example.org"), "forward.test"), back;

	(void)state;
	for (size_t i = 0; i < out.local_n; i++)
		out.text[i] = ascii_lower(out.text[i]);
	assert_int_equal(reverse(&out, now_ms, &back), SRS_OK);
	assert_str(address_text(&back), STR("ann@example.org"));
	for (size_t i = 0; i < out.local_n; i++)
		out.text[i] = ascii_upper(out.text[i]);
	assert_int_equal(reverse(&out, now_ms, &back), SRS_OK);
	assert_str(address_text(&back), STR("ANN@example.org"));
}

/* No octet can be changed, but for case. */
static void test_forged(void **state)
{
	static const struct str from[] = { STR("ann@example.org"), STR("SRS0=abcd=TT=example.org=ann@first.test") };

	(void)state;
	for (size_t k = 0; k < LEN(from); k++) {
		struct address_canon out = forward(from[k], "forward.test"), back;

		assert_int_equal(srs_reverse(other_key, &out, now_ms, SRS_DAYS, &back), SRS_FORGED);
		for (size_t i = 0; i < out.local_n; i++) {
			struct address_canon bad = out;

			bad.text[i] = bad.text[i] == 'x' ? 'y' : 'x';
			assert_int_not_equal(reverse(&bad, now_ms, &back), SRS_OK);
			/* cut there */
			bad = out;
			memmove(bad.text + i, bad.text + out.local_n, out.n - out.local_n);
			bad.n = i + out.n - out.local_n;
			bad.local_n = i;
			if (i > 0)
				assert_int_not_equal(reverse(&bad, now_ms, &back), SRS_OK);
		}
	}
}

static void test_not_srs(void **state)
{
	static const struct str none[] = {
		STR("ann@example.org"), STR("srs0@example.org"), STR("SRS0+a=b=c=d@example.org"), STR("SRS2=a=b=c=d@example.org"),
		STR("xSRS0=a@example.org"),
	};
	static const struct str bad[] = {
		STR("SRS0=@example.org"), STR("SRS0=aaaaaa=aa=x.org=ann@example.org"), STR("SRS1=aaaaaa=first.org@example.org"),
		STR("SRS0=a@example.org"), STR("SRS0======@example.org"),
	};
	struct address_canon back;

	(void)state;
	for (size_t i = 0; i < LEN(none); i++) {
		struct address_canon c = canon(none[i]);

		assert_false(srs_is(&c));
		assert_int_equal(reverse(&c, now_ms, &back), SRS_SYNTAX);
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		struct address_canon c = canon(bad[i]);

		assert_true(srs_is(&c));
		assert_int_not_equal(reverse(&c, now_ms, &back), SRS_OK);
	}
}

/* An address that is too long to be rewritten is said to be. */
static void test_long(void **state)
{
	char                 text[LIMIT_ADDRESS];
	struct address_canon from, out;

	(void)state;
	for (size_t n = 200; n <= LIMIT_LOCAL_PART; n++) {
		struct address_canon back;

		memset(text, 'a', n);
		memcpy(text + n, "@example.org", 13);
		from = canon(str_of(text));
		if (!srs_forward(key, &from, STR("forward.test"), now_ms, &out)) {
			assert_true(n + strlen("SRS0=hhhhhh=tt=example.org=") > LIMIT_LOCAL_PART);
			return;
		}
		assert_int_equal(reverse(&out, now_ms, &back), SRS_OK);
		assert_str(address_text(&back), address_text(&from));
	}
	fail_msg("nothing is too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_chain),   cmocka_unit_test(test_age),
		cmocka_unit_test(test_folded),         cmocka_unit_test(test_forged),  cmocka_unit_test(test_not_srs),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
