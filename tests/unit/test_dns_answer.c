/* dns/dns_answer.h: record data from strangers, names that may be asked, names answered here. */
#include "unit.h"

#include "dns/dns_answer.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_rdata(void **state)
{
	static const struct {
		enum dns_type type;
		struct str    in, want; /* STR_NONE: malformed */
		uint32_t      preference;
	} cases[] = {
		{ DNS_A, STR("\x7f\0\0\1"), STR("127.0.0.1") },
		{ DNS_A, STR("\x7f\0\0"), STR_NONE },
		{ DNS_A, STR("\x7f\0\0\1\1"), STR_NONE },
		{ DNS_A, STR(""), STR_NONE },
		{ DNS_AAAA, STR("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), STR("2001:db8::1") },
		{ DNS_AAAA, STR("\x20\1\x0d\xb8"), STR_NONE },
		{ DNS_MX, STR("\0\x0a\2MX\4Test\0"), STR("mx.test"), 10 },
		{ DNS_MX, STR("\xff\xff\0"), STR(""), 65535 }, /* RFC 7505: null MX */
		{ DNS_MX, STR(""), STR_NONE },
		{ DNS_MX, STR("\0"), STR_NONE },
		{ DNS_MX, STR("\0\x0a"), STR_NONE },
		{ DNS_MX, STR("\0\x0a\2mx\4test"), STR_NONE },      /* no end */
		{ DNS_MX, STR("\0\x0a\2mx\4tes"), STR_NONE },       /* label cut */
		{ DNS_MX, STR("\0\x0a\2mx\4test\0x"), STR_NONE },   /* more after it */
		{ DNS_MX, STR("\0\x0a\2mx\xc0\x0c"), STR_NONE },    /* compressed */
		{ DNS_MX, STR("\0\x0a\x40" L63 "a\0"), STR_NONE },  /* label of 64 */
		{ DNS_MX, STR("\0\x0a\5a\nb.c\0"), STR_NONE },
		{ DNS_MX, STR("\0\x0a\3a b\0"), STR_NONE },
		{ DNS_MX, STR("\0\x0a\3a.b\0"), STR_NONE },
		{ DNS_MX, STR("\0\x0a\3a\0b\0"), STR_NONE },
		{ DNS_MX, STR("\0\x0a\3a\xffz\0"), STR_NONE },
		{ DNS_CNAME, STR("\4_tcp\4test\0"), STR("_tcp.test") },
		{ DNS_PTR, STR("\4host\4test\0"), STR("host.test") },
		{ DNS_PTR, STR("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"),
		  STR(L63 "." L63 "." L63 "." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") },
		{ DNS_PTR, STR("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3f" L63 "\0"), STR_NONE },
		{ DNS_TXT, STR("\3abc"), STR("abc") },
		{ DNS_TXT, STR("\3abc\0\2de"), STR("abcde") },
		{ DNS_TXT, STR("\0"), STR("") },
		{ DNS_TXT, STR(""), STR_NONE },
		{ DNS_TXT, STR("\4abc"), STR_NONE },
		{ DNS_TXT, STR("\xff"), STR_NONE },
		{ DNS_TLSA, STR("\3\1\1x"), STR("\3\1\1x") },
		{ DNS_TLSA, STR("\3\1\1"), STR_NONE },
		{ DNS_TLSA, STR(""), STR_NONE },
		{ DNS_SRV, STR("\0\1\0\2\2\x4b\2MX\4test\0"), STR("1 2 587 mx.test") },
		{ DNS_SRV, STR("\xff\xff\0\0\0\0\0"), STR("65535 0 0 ") }, /* decidedly not available */
		{ DNS_SRV, STR("\0\1\0\2\2"), STR_NONE },
		{ DNS_SRV, STR("\0\1\0\2\2\x4b"), STR_NONE },
		{ DNS_SRV, STR("\0\1\0\2\2\x4b\2mx\0x"), STR_NONE },
		{ (enum dns_type)99, STR("x"), STR_NONE },
	};
	struct arena *a = arena_new(NULL);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str        in = unit_exact(cases[i].in);
		struct dns_record r = { 0 };
		bool              ok = dns_rdata_decode(cases[i].type, in, a, &r);

		if (ok != (cases[i].want.p != NULL))
			print_error("case %zu\n", i);
		assert_int_equal(ok, cases[i].want.p != NULL);
		if (ok) {
			assert_str(r.data, cases[i].want);
			assert_int_equal(r.preference, cases[i].preference);
		}
		unit_exact_free(in);
	}
	arena_free(&a);
}

static void test_big(void **state)
{
	struct arena     *a = arena_new(NULL);
	char             *text = arena_alloc(a, 5000);
	struct dns_record r;

	(void)state;
	for (size_t i = 0; i < 4864; i += 256)
		text[i] = (char)0xff;
	assert_true(dns_rdata_decode(DNS_TXT, str_n(text, 16 * 256), a, &r));
	assert_int_equal(r.data.n, 16 * 255);
	assert_false(dns_rdata_decode(DNS_TXT, str_n(text, 17 * 256), a, &r));
	assert_true(dns_rdata_decode(DNS_TLSA, str_n(text, LIMIT_DNS_DATA), a, &r));
	assert_false(dns_rdata_decode(DNS_TLSA, str_n(text, LIMIT_DNS_DATA + 1), a, &r));
	arena_free(&a);
}

static void test_name(void **state)
{
	static const struct {
		struct str in, want;
	} cases[] = {
		{ STR("demo.test"), STR("demo.test") },
		{ STR("demo.test."), STR("demo.test") },
		{ STR("_25._tcp.mx.demo.test"), STR("_25._tcp.mx.demo.test") },
		{ STR("1.2.0.192.in-addr.arpa"), STR("1.2.0.192.in-addr.arpa") },
		{ STR(""), STR_NONE },
		{ STR("."), STR_NONE },
		{ STR("a..b"), STR_NONE },
		{ STR("a.."), STR_NONE },
		{ STR(".a"), STR_NONE },
		{ STR("a b"), STR_NONE },
		{ STR("a\0b"), STR_NONE },
		{ STR("a\\046b"), STR_NONE },
		{ STR("a\"b"), STR_NONE },
		{ STR("b\xc3\xbc" "cher"), STR_NONE },
		{ STR(L63 ".a"), STR(L63 ".a") },
		{ STR(L63 "a.a"), STR_NONE },
		{ STR(L63 "." L63 "." L63 "." L63), STR_NONE },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str in = unit_exact(cases[i].in), got;
		bool       ok = dns_name_check(in, &got);

		assert_int_equal(ok, cases[i].want.p != NULL);
		if (ok)
			assert_str(got, cases[i].want);
		unit_exact_free(in);
	}
}

static void test_local(void **state)
{
	struct arena           *a = arena_new(NULL);
	struct dns_lookup_reply r;

	(void)state;
	assert_int_equal(dns_local(STR("LocalHost"), DNS_A, a, &r), ST_OK);
	assert_str(r.records[0].data, STR("127.0.0.1"));
	assert_int_equal(dns_local(STR("x.localhost"), DNS_AAAA, a, &r), ST_OK);
	assert_str(r.records[0].data, STR("::1"));
	assert_int_equal(dns_local(STR("localhost"), DNS_MX, a, &r), ST_OK);
	assert_int_equal(r.rcode, DNS_NODATA);
	assert_int_equal(dns_local(STR("192.0.2.1"), DNS_A, a, &r), ST_OK);
	assert_int_equal(r.rcode, DNS_NXDOMAIN);
	assert_int_equal(dns_local(STR("notlocalhost"), DNS_A, a, &r), ST_NOT_FOUND);
	assert_int_equal(dns_local(STR("localhost.test"), DNS_A, a, &r), ST_NOT_FOUND);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rdata), cmocka_unit_test(test_big), cmocka_unit_test(test_name), cmocka_unit_test(test_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
