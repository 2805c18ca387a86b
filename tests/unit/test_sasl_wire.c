/* wire/sasl: SCRAM, OAUTHBEARER, XOAUTH2, SASLprep: tables, each case in an exact-size block, and every beginning of it. */
#include "unit.h"

#include "base/limits.h"
#include "wire/sasl/sasl_oauth.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/sasl/sasl_prep.h"
#include "wire/sasl/sasl_scram.h"

static void test_scram_first(void **state)
{
	static const struct {
		struct str text;
		bool       ok;
		char       flag;
		struct str binding, authzid, user, nonce, bare;
	} cases[] = {
		/* RFC 5802 §5, RFC 7677 §3 */
		{ STR("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), true, 'n', STR(""), STR(""), STR("user"),
		  STR("fyko+d2lbbFgONRv9qkxdawL"), STR("n=user,r=fyko+d2lbbFgONRv9qkxdawL") },
		{ STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), true, 'n', STR(""), STR(""), STR("user"), STR("rOprNGfwEbeRWgbNEkqO"),
		  STR("n=user,r=rOprNGfwEbeRWgbNEkqO") },
		{ STR("y,a=b,n=u,r=x"), true, 'y', STR(""), STR("b"), STR("u"), STR("x"), STR("n=u,r=x") },
		{ STR("p=tls-exporter,,n=u,r=x"), true, 'p', STR("tls-exporter"), STR(""), STR("u"), STR("x"), STR("n=u,r=x") },
		{ STR("n,,n=a=2Cb=3Dc,r=x"), true, 'n', STR(""), STR(""), STR("a=2Cb=3Dc"), STR("x"), STR("n=a=2Cb=3Dc,r=x") },
		{ STR("n,,n=u,r=x,t=hello,z=1"), true, 'n', STR(""), STR(""), STR("u"), STR("x"), STR("n=u,r=x,t=hello,z=1") },
		{ STR("n,,n=\xc3\xa9,r=x"), true, 'n', STR(""), STR(""), STR("\xc3\xa9"), STR("x"), STR("n=\xc3\xa9,r=x") },
		{ .text = STR("n,,m=1,n=u,r=x") }, /* an extension that must be understood */
		{ .text = STR("") }, { .text = STR("n") }, { .text = STR("n,") }, { .text = STR("n,,") }, { .text = STR("N,,n=u,r=x") },
		{ .text = STR("x,,n=u,r=x") }, { .text = STR("nn,,n=u,r=x") }, { .text = STR(",,n=u,r=x") },
		{ .text = STR("p,,n=u,r=x") }, { .text = STR("p=,,n=u,r=x") }, { .text = STR("p=a_b,,n=u,r=x") },
		{ .text = STR("P=tls-exporter,,n=u,r=x") }, { .text = STR("n,a=,n=u,r=x") }, { .text = STR("n,b,n=u,r=x") },
		{ .text = STR("n,a=x=y,n=u,r=x") }, { .text = STR("n,,n=,r=x") }, { .text = STR("n,,r=x,n=u") },
		{ .text = STR("n,,n=u") }, { .text = STR("n,,n=u,") }, { .text = STR("n,,n=u,r=") }, { .text = STR("n,,n=u,r=x,") },
		{ .text = STR("n,,n=u,r=x,t") }, { .text = STR("n,,n=u,r=x,t=") }, { .text = STR("n,,n=u,r=x,1=a") },
		{ .text = STR("n,,n=u,r=x y") }, { .text = STR("n,,n=u,r=x\0y") }, { .text = STR("n,,n=u\0,r=x") },
		{ .text = STR("n,,n=u=2c,r=x") }, { .text = STR("n,,n=u=,r=x") }, { .text = STR("n,,n=u=2,r=x") },
		{ .text = STR("n,,n=\xff,r=x") }, { .text = STR("n,,n=u,r=\xc3\xa9") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str              text = unit_exact(cases[i].text);
		struct sasl_scram_first m;

		if (sasl_scram_first_parse(text, &m) != cases[i].ok)
			print_error("case %zu: %s\n", i, cases[i].text.p);
		assert_int_equal(sasl_scram_first_parse(text, &m), cases[i].ok);
		if (cases[i].ok) {
			assert_int_equal(m.gs2.flag, cases[i].flag);
			assert_str(m.gs2.binding, cases[i].binding);
			assert_str(m.gs2.authzid, cases[i].authzid);
			assert_str(m.user, cases[i].user);
			assert_str(m.nonce, cases[i].nonce);
			assert_str(m.bare, cases[i].bare);
			assert_int_equal(m.gs2.text.n + m.bare.n, text.n);
		}
		unit_exact_free(text);
		for (size_t n = 0; n < cases[i].text.n; n++) {
			text = unit_exact(str_first(cases[i].text, n));
			(void)!sasl_scram_first_parse(text, &m);
			unit_exact_free(text);
		}
	}
}

static void test_scram_final(void **state)
{
	static const struct {
		struct str text;
		bool       ok;
		struct str binding, nonce, unproved, proof;
	} cases[] = {
		{ STR("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), true, STR("biws"),
		  STR("fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"), STR("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"),
		  STR("v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=") },
		{ STR("c=biws,r=x,t=1,p=AA=="), true, STR("biws"), STR("x"), STR("c=biws,r=x,t=1"), STR("AA==") },
		{ .text = STR("") }, { .text = STR("c=biws,r=x") }, { .text = STR("c=biws,p=AA==") }, { .text = STR("r=x,c=biws,p=AA==") },
		{ .text = STR("c=,r=x,p=AA==") }, { .text = STR("c=biws,r=,p=AA==") }, { .text = STR("c=biws,r=x,p=") },
		{ .text = STR("c=biws,r=x,p=AA==,t=1") }, { .text = STR("c=bi ws,r=x,p=AA==") }, { .text = STR("c=biws,r=x,p=A\0A=") },
		{ .text = STR("m=1,c=biws,r=x,p=AA==") }, { .text = STR("c=biws,r=x,,p=AA==") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct sasl_scram_final m;

		for (size_t n = 0; n <= cases[i].text.n; n++) {
			struct str text = unit_exact(str_first(cases[i].text, n));
			bool       ok = sasl_scram_final_parse(text, &m);

			if (n == cases[i].text.n) {
				assert_int_equal(ok, cases[i].ok);
				assert_true(!ok || (str_eq(m.binding, cases[i].binding) && str_eq(m.nonce, cases[i].nonce) &&
						    str_eq(m.unproved, cases[i].unproved) && str_eq(m.proof, cases[i].proof)));
			}
			unit_exact_free(text);
		}
	}
}

static void test_scram_print(void **state)
{
	char       room[200];
	struct buf b = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	(void)state;
	sasl_scram_server_first(STR("rOprNGfwEbeRWgbNEkqO"), STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
				STR("\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81"), 4096, &b);
	assert_str(buf_str(&b), STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
	buf_clear(&b);
	sasl_scram_server_final(STR("\xae\x61\x7d\xa6\xa5\x7c\x4b\xbb\x2e\x02\x86\x56\x8d\xae\x1d\x25\x19\x05\xb0\xa4"), &b);
	assert_str(buf_str(&b), STR("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")); /* RFC 5802 §5 */
}

static void test_limits(void **state)
{
	static char             text[4096], room[LIMIT_USER];
	struct sasl_scram_first m;
	struct buf              name = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	(void)state;
	memcpy(text, "n,,n=u,r=", 9);
	memset(text + 9, 'x', sizeof(text) - 9);
	assert_true(sasl_scram_first_parse(str_n(text, 9 + LIMIT_SASL_NONCE / 2), &m));
	assert_false(sasl_scram_first_parse(str_n(text, 10 + LIMIT_SASL_NONCE / 2), &m));
	memset(text, 'u', sizeof(text));
	assert_true(sasl_name_decode(str_n(text, LIMIT_USER), &name));
	buf_clear(&name);
	assert_false(sasl_name_decode(str_n(text, LIMIT_USER + 1), &name));
	assert_int_equal(name.n, 0);
	assert_true(sasl_name_decode(STR("a=2Cb=3D"), &name));
	assert_str(buf_str(&name), STR("a,b="));
	assert_false(sasl_name_decode(STR("a,b"), &name));
	assert_false(sasl_name_decode(STR("a=2"), &name));
}

static void test_oauth(void **state)
{
	static const struct {
		bool       google;
		struct str text;
		bool       ok;
		struct str user, token;
	} cases[] = {
		/* RFC 7628 §4.1, §4.3 */
		{ false, STR("n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"),
		  true, STR("user@example.com"), STR("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==") },
		{ false, STR("n,a=user@example.com,\1host=server.example.com\1port=143\1auth=\1\1"), true, STR("user@example.com"), STR("") },
		{ false, STR("n,,\1auth=bearer  x\1\1"), true, STR(""), STR("x") },
		{ false, STR("y,,\1auth=Bearer a.b-c_d~e+f/g==\1\1"), true, STR(""), STR("a.b-c_d~e+f/g==") },
		{ false, STR("n,,\1\1"), true, STR(""), STR("") },
		{ .text = STR("n,,\1") }, { .text = STR("") }, { .text = STR("\1") }, { .text = STR("n,,\1auth=Bearer x\1") },
		{ .text = STR("n,,\1auth=Bearer x\1\1\1") }, { .text = STR("n,,\1auth=Bearer\1\1") }, { .text = STR("n,,\1auth=Bearer =\1\1") },
		{ .text = STR("n,,\1auth=Bearer x y\1\1") }, { .text = STR("n,,\1auth=Bearer x\1auth=Bearer x\1\1") },
		{ .text = STR("n,,\1auth=Basic x\1\1") }, { .text = STR("p=tls-exporter,,\1auth=Bearer x\1\1") },
		{ .text = STR("n,,\1a1=b\1\1") }, { .text = STR("n,,\1=b\1\1") }, { .text = STR("n,,\1host=\0\1\1") },
		{ .text = STR("n,,auth=Bearer x\1\1") },
		{ true, STR("user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1"), true,
		  STR("someuser@example.com"), STR("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg") },
		{ true, .text = STR("user=\1auth=Bearer x\1\1") }, { true, .text = STR("user=u\1auth=Bearer x\1") },
		{ true, .text = STR("user=u\1auth=Bearer x\1\1\1") }, { true, .text = STR("auth=Bearer x\1user=u\1\1") },
		{ true, .text = STR("user=u\0\1auth=Bearer x\1\1") }, { true, .text = STR("user=u\1auth=x\1\1") }, { true, .text = STR("") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (size_t n = 0; n <= cases[i].text.n; n++) {
			struct str        text = unit_exact(str_first(cases[i].text, n));
			struct sasl_oauth m;
			bool              ok = cases[i].google ? sasl_xoauth2_parse(text, &m) : sasl_oauthbearer_parse(text, &m);

			if (n == cases[i].text.n) {
				assert_int_equal(ok, cases[i].ok);
				assert_true(!ok || (str_eq(m.user, cases[i].user) && str_eq(m.token, cases[i].token)));
			}
			unit_exact_free(text);
		}
}

static void test_prep(void **state)
{
	static const struct {
		struct str in, out;
	} cases[] = {
		/* RFC 4013 §3 */
		{ STR("I\xc2\xadX"), STR("IX") }, { STR("user"), STR("user") }, { STR("USER"), STR("USER") },
		{ STR("\xc2\xaa"), STR("a") }, { STR("\xe2\x85\xa8"), STR("IX") },
		{ STR("\x07"), STR("\x07") },                             /* prohibited: as it was sent */
		{ STR("\xd8\xa7" "1"), STR("\xd8\xa7" "1") },             /* directions: likewise */
		{ STR("e\xcc\x81t\xc3\xa9"), STR("\xc3\xa9t\xc3\xa9") },  /* composed, or not */
		{ STR("a\xc2\xa0" "b"), STR("a b") },                     /* a space is a space */
		{ STR("\xf0\x9f\x98\x80" "e\xcc\x81"), STR("\xf0\x9f\x98\x80" "e\xcc\x81") }, /* unknown to Unicode 3.2 */
		{ STR("\xff\xfe"), STR("\xff\xfe") }, { STR("\xc3\xa9\0"), STR("\xc3\xa9\0") }, { STR(""), STR("") },
		{ STR("\xc2\xad"), STR("\xc2\xad") },                     /* nothing would be left */
	};
	struct arena *a = arena_new_secret(NULL);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str in = unit_exact(cases[i].in);

		assert_str(sasl_prep(in, a), cases[i].out);
		unit_exact_free(in);
	}
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scram_first), cmocka_unit_test(test_scram_final), cmocka_unit_test(test_scram_print),
		cmocka_unit_test(test_limits),      cmocka_unit_test(test_oauth),       cmocka_unit_test(test_prep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
