/* sasl/sasl_client.h: which mechanism, what it says, and what no server gets away with. */
#include "unit.h"

#include "base/limits.h"
#include "directory/scram.h"
#include "sasl/sasl_client.h"
#include "wire/sasl/sasl_oauth.h"
#include "wire/sasl/sasl_scram.h"
#include "wire/sasl/sasl_scram_peer.h"
#include "wire/text/text_base64.h"

#define S256P SASL_OFFER_SCRAM_SHA256_PLUS
#define S1P   SASL_OFFER_SCRAM_SHA1_PLUS
#define S256  SASL_OFFER_SCRAM_SHA256
#define S1    SASL_OFFER_SCRAM_SHA1
#define PLAIN SASL_OFFER_PLAIN
#define LOGIN SASL_OFFER_LOGIN
#define BEAR  SASL_OFFER_OAUTHBEARER
#define XO    SASL_OFFER_XOAUTH2

static void test_offer(void **state)
{
	static const struct {
		const char *words;
		unsigned    mask;
	} cases[] = {
		{ "", 0 },
		{ "PLAIN LOGIN", PLAIN | LOGIN },
		{ "plain  Login ", PLAIN | LOGIN },
		{ "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1", S256P | S256 | S1P | S1 },
		{ "XOAUTH2 OAUTHBEARER GSSAPI CRAM-MD5 NTLM", XO | BEAR },
		{ "PLAINX XPLAIN SCRAM-SHA-25", 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(sasl_offer_parse(str_of(cases[i].words)), cases[i].mask);
	assert_str(sasl_offer_name(S1P), STR("SCRAM-SHA-1-PLUS"));
}

static void test_choose(void **state)
{
	static const struct {
		unsigned offered;
		bool     token, tls;
		unsigned tried;
		bool     binding;
		unsigned want;
	} cases[] = {
		{ S256P | S256 | S1 | PLAIN, false, true, 0, true, S256P },
		{ S256P | S256 | S1 | PLAIN, false, true, 0, false, S256 },
		{ S256P | S256 | S1P | PLAIN, false, true, S256P, true, S1P },
		{ S1P | S256, false, true, 0, true, S1P },
		{ S1 | PLAIN | LOGIN, false, true, 0, true, S1 },
		{ PLAIN | LOGIN, false, true, 0, true, PLAIN },
		{ PLAIN | LOGIN, false, true, PLAIN, true, LOGIN },
		{ PLAIN | LOGIN, false, true, PLAIN | LOGIN, true, 0 },
		{ PLAIN | LOGIN, false, false, 0, false, 0 }, /* in clear: never as it is */
		{ PLAIN | S1, false, false, 0, false, S1 },
		{ S256P, false, false, 0, false, 0 },
		{ XO | BEAR | PLAIN, true, true, 0, true, BEAR },
		{ XO | PLAIN, true, true, 0, true, XO },
		{ XO | BEAR, true, false, 0, false, 0 },
		{ PLAIN | S256, true, true, 0, true, 0 }, /* a token is no password */
		{ XO, false, true, 0, true, 0 },
		{ 0, false, true, 0, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct sasl_client_side side = { .token = cases[i].token, .tls = cases[i].tls, .binding = cases[i].binding ? STR("x") : STR("") };

		if (sasl_client_choose(cases[i].offered, &side, cases[i].tried) != cases[i].want)
			fail_msg("case %zu", i);
	}
}

static struct sasl_client_side user_side(void)
{
	return (struct sasl_client_side){ .user = STR("user"), .secret = STR("pencil"), .tls = true, .binding = STR(""), .nonce = STR("") };
}

static void test_vectors(void **state)
{
	static const struct {
		enum sasl_offer offer;
		struct str      nonce, first, server_first, final, server_final;
	} cases[] = {
		/* RFC 5802 §5 */
		{ S1, STR("fyko+d2lbbFgONRv9qkxdawL"), STR("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
		  STR("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"),
		  STR("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), STR("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") },
		/* RFC 7677 §3 */
		{ S256, STR("rOprNGfwEbeRWgbNEkqO"), STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
		  STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
		  STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
		  STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct sasl_client_side side = user_side();
		struct sasl_client     *x;
		struct str              said;

		side.nonce = cases[i].nonce;
		x = sasl_client_new(cases[i].offer, cases[i].offer, &side);
		assert_true(sasl_client_initial(x, &said));
		assert_str(said, cases[i].first);
		assert_false(sasl_client_proved(x));
		assert_int_equal(sasl_client_step(x, cases[i].server_first, &said), SASL_CLIENT_SEND);
		assert_str(said, cases[i].final);
		assert_false(sasl_client_proved(x));
		assert_int_equal(sasl_client_step(x, cases[i].server_final, &said), SASL_CLIENT_SEND);
		assert_str(said, STR(""));
		assert_true(sasl_client_proved(x));
		assert_int_equal(sasl_client_step(x, STR("more"), &said), SASL_CLIENT_BROKEN);
		assert_false(sasl_client_proved(x));
		sasl_client_free(&x);
	}
}

/* Against the server's side of the same: keys, proof, binding and what is said of it. */
static void test_binding(void **state)
{
	static const struct {
		enum sasl_offer offer;
		unsigned        offered;
		struct str      binding;
		const char     *gs2;
	} cases[] = {
		{ S256P, S256P | S256, STR("0123456789abcdef0123456789abcdef"), "p=tls-exporter,," },
		{ S1P, S1P | S1, STR("binding"), "p=tls-exporter,," },
		{ S256, S256, STR("binding"), "y,," },         /* we could */
		{ S256, S256P | S256, STR("binding"), "n,," }, /* it could too, but that did not work */
		{ S256, S1P | S256, STR("binding"), "n,," },
		{ S256, S256, STR(""), "n,," },
		{ S256, S256P | S256, STR(""), "n,," },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		enum auth_scram_hash    hash = cases[i].offer & (S1 | S1P) ? AUTH_SCRAM_SHA1 : AUTH_SCRAM_SHA256;
		struct sasl_client_side side = user_side();
		struct sasl_scram_first first;
		struct sasl_scram_final final;
		struct scram_key        key;
		struct arena           *a = arena_new(NULL);
		struct sasl_client     *x;
		struct str              said;
		struct buf              out, plain;
		uint8_t                 signature[SCRAM_OCTETS];

		buf_init(&out, 4 * KIB);
		buf_init(&plain, 4 * KIB);
		side.user = STR("u,s=er");
		side.secret = STR("I\xc2\xad" "X"); /* SASLprep: the soft hyphen goes */
		side.binding = cases[i].binding;
		side.binding_name = "tls-exporter";
		x = sasl_client_new(cases[i].offer, cases[i].offered, &side);
		assert_true(sasl_client_initial(x, &said));
		assert_true(sasl_scram_first_parse(said, &first));
		assert_str(first.gs2.text, str_of(cases[i].gs2));
		assert_str(first.user, STR("u=2Cs=3Der"));
		scram_key_make(hash, STR("IX"), STR("0123456789abcdef"), 4096, &key);
		sasl_scram_server_first(first.nonce, STR("server"), STR("0123456789abcdef"), 4096, &out);
		said = STR("");
		assert_int_equal(sasl_client_step(x, buf_str(&out), &said), SASL_CLIENT_SEND);
		assert_true(sasl_scram_final_parse(said, &final));
		assert_true(text_base64_decode(final.binding, &plain));
		assert_str(buf_str(&plain), arena_printf(a, "%s%.*s", cases[i].gs2, STR_FMT(cases[i].gs2[0] == 'p' ? cases[i].binding : STR(""))));
		buf_clear(&plain);
		assert_true(text_base64_decode(final.proof, &plain));
		assert_true(scram_check(hash, &key, arena_printf(a, "%.*s,%.*s,%.*s", STR_FMT(first.bare), STR_FMT(buf_str(&out)), STR_FMT(final.unproved)), buf_str(&plain), signature));
		buf_clear(&out);
		sasl_scram_server_final(str_n(signature, scram_octets(hash)), &out);
		assert_int_equal(sasl_client_step(x, buf_str(&out), &said), SASL_CLIENT_SEND);
		assert_true(sasl_client_proved(x));
		sasl_client_free(&x);
		buf_done(&out);
		buf_done(&plain);
		arena_free(&a);
	}
}

/* Every nonce is another one. */
static void test_nonce(void **state)
{
	struct sasl_client_side side = user_side();
	struct sasl_client     *x = sasl_client_new(S256, S256, &side), *y = sasl_client_new(S256, S256, &side);
	struct str              a = STR(""), b = STR("");

	(void)state;
	assert_true(sasl_client_initial(x, &a) && sasl_client_initial(y, &b));
	assert_false(str_eq(a, b));
	assert_true(a.n >= 40);
	sasl_client_free(&x);
	sasl_client_free(&y);
}

#define R "r=fyko+d2lbbFgONRv9qkxdawL"
static void test_hostile_first(void **state)
{
	static const struct {
		struct str  message;
		const char *why;
	} cases[] = {
		{ STR(""), "none of SCRAM" },
		{ STR("m=x," R "3,s=QSXCR+Q6sek8bf92,i=4096"), "none of SCRAM" },
		{ STR(R "3"), "none of SCRAM" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92"), "none of SCRAM" },
		{ STR(R "3,s=,i=4096"), "none of SCRAM" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i="), "none of SCRAM" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=x"), "none of SCRAM" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=-4096"), "none of SCRAM" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=04096"), "none of SCRAM" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=99999999999"), "none of SCRAM" },
		{ STR(R "3,i=4096,s=QSXCR+Q6sek8bf92"), "none of SCRAM" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=4096,"), "none of SCRAM" },
		{ STR(R "3\0,s=QSXCR+Q6sek8bf92,i=4096"), "none of SCRAM" },
		{ STR(R "3\xff,s=QSXCR+Q6sek8bf92,i=4096"), "none of SCRAM" },
		{ STR(R "3,s=Q*XC,i=4096"), "no base64" },
		{ STR(R "3,s=Q,i=4096"), "no base64" },
		{ STR(R ",s=QSXCR+Q6sek8bf92,i=4096"), "nonce" },                     /* nothing of its own */
		{ STR("r=Fyko+d2lbbFgONRv9qkxdawL3,s=QSXCR+Q6sek8bf92,i=4096"), "nonce" },
		{ STR("r=x,s=QSXCR+Q6sek8bf92,i=4096"), "nonce" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=1"), "iterations" },                  /* a proof that is cheap to guess against */
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=4095"), "iterations" },
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=1000001"), "iterations" },            /* a bomb */
		{ STR(R "3,s=QSXCR+Q6sek8bf92,i=4294967295"), "iterations" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct sasl_client_side side = user_side();
		struct sasl_client     *x;
		struct str              said = STR("untouched"), message = unit_exact(cases[i].message);

		side.nonce = STR("fyko+d2lbbFgONRv9qkxdawL");
		x = sasl_client_new(S1, S1, &side);
		assert_true(sasl_client_initial(x, &said));
		if (sasl_client_step(x, message, &said) != SASL_CLIENT_BROKEN || !strstr(sasl_client_why(x), cases[i].why))
			fail_msg("case %zu: %s", i, sasl_client_why(x));
		assert_false(sasl_client_proved(x));
		sasl_client_free(&x);
		unit_exact_free(message);
	}
}

/* After our proof. */
static void test_hostile_final(void **state)
{
	static const struct {
		struct str            message;
		enum sasl_client_next next;
	} cases[] = {
		{ STR("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), SASL_CLIENT_SEND },
		{ STR("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,x=y"), SASL_CLIENT_SEND },
		{ STR("e=invalid-proof"), SASL_CLIENT_SEND }, /* and is refused, then */
		{ STR("v=rmF9pqV8S7suAoZWja4dJRkFsKR="), SASL_CLIENT_BROKEN },
		{ STR("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA="), SASL_CLIENT_BROKEN },
		{ STR("v=rmF9"), SASL_CLIENT_BROKEN },
		{ STR("v=*"), SASL_CLIENT_BROKEN },
		{ STR("v="), SASL_CLIENT_BROKEN },
		{ STR("e="), SASL_CLIENT_BROKEN },
		{ STR(""), SASL_CLIENT_BROKEN },
		{ STR("V=rmF9pqV8S7suAoZWja4dJRkFsKQ="), SASL_CLIENT_BROKEN },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct sasl_client_side side = user_side();
		struct sasl_client     *x;
		struct str              said;

		side.nonce = STR("fyko+d2lbbFgONRv9qkxdawL");
		x = sasl_client_new(S1, S1, &side);
		assert_true(sasl_client_initial(x, &said));
		assert_int_equal(sasl_client_step(x, STR(R "3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"), &said), SASL_CLIENT_SEND);
		assert_int_equal(sasl_client_step(x, cases[i].message, &said), cases[i].next);
		assert_int_equal(sasl_client_proved(x), i < 2);
		sasl_client_free(&x);
	}
}

static void test_others(void **state)
{
	struct sasl_client_side side = { .user = STR("me@a.test"), .secret = STR("s=e,t"), .tls = true, .binding = STR(""), .host = STR("a.test"), .port = 587 };
	struct sasl_oauth       parsed;
	struct sasl_client     *x = sasl_client_new(PLAIN, PLAIN, &side);
	struct str              said;

	(void)state;
	assert_true(sasl_client_initial(x, &said));
	assert_str(said, STR("\0me@a.test\0s=e,t"));
	assert_true(sasl_client_proved(x));
	assert_int_equal(sasl_client_step(x, STR(""), &said), SASL_CLIENT_BROKEN);
	sasl_client_free(&x);
	/* asked for, not sent along; and a server that has something to say first */
	x = sasl_client_new(PLAIN, PLAIN, &side);
	assert_int_equal(sasl_client_step(x, STR(""), &said), SASL_CLIENT_SEND);
	assert_str(said, STR("\0me@a.test\0s=e,t"));
	sasl_client_free(&x);
	x = sasl_client_new(PLAIN, PLAIN, &side);
	assert_int_equal(sasl_client_step(x, STR("hello"), &said), SASL_CLIENT_BROKEN);
	assert_false(sasl_client_proved(x));
	sasl_client_free(&x);
	/* LOGIN */
	x = sasl_client_new(LOGIN, LOGIN, &side);
	assert_false(sasl_client_initial(x, &said));
	assert_int_equal(sasl_client_step(x, STR("User Name"), &said), SASL_CLIENT_SEND);
	assert_str(said, STR("me@a.test"));
	assert_false(sasl_client_proved(x));
	assert_int_equal(sasl_client_step(x, STR("\xff\0x"), &said), SASL_CLIENT_SEND);
	assert_str(said, STR("s=e,t"));
	assert_true(sasl_client_proved(x));
	assert_int_equal(sasl_client_step(x, STR("again"), &said), SASL_CLIENT_BROKEN);
	sasl_client_free(&x);
	/* tokens */
	side.token = true;
	side.secret = STR("ya29.token");
	side.user = STR("me,you@a.test");
	x = sasl_client_new(BEAR, BEAR, &side);
	assert_true(sasl_client_initial(x, &said));
	assert_str(said, STR("n,a=me=2Cyou@a.test,\1host=a.test\1port=587\1auth=Bearer ya29.token\1\1"));
	assert_true(sasl_oauthbearer_parse(said, &parsed));
	assert_str(parsed.token, side.secret);
	assert_true(sasl_client_proved(x));
	assert_int_equal(sasl_client_step(x, STR("{\"status\":\"invalid_token\"}"), &said), SASL_CLIENT_SEND);
	assert_str(said, STR("\1"));
	assert_false(sasl_client_proved(x));
	assert_int_equal(sasl_client_step(x, STR("{}"), &said), SASL_CLIENT_BROKEN);
	sasl_client_free(&x);
	x = sasl_client_new(XO, XO, &side);
	assert_true(sasl_client_initial(x, &said));
	assert_str(said, STR("user=me,you@a.test\1auth=Bearer ya29.token\1\1"));
	assert_true(sasl_xoauth2_parse(said, &parsed));
	assert_int_equal(sasl_client_step(x, STR("{}"), &said), SASL_CLIENT_SEND);
	assert_str(said, STR(""));
	assert_false(sasl_client_proved(x));
	sasl_client_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offer),         cmocka_unit_test(test_choose),        cmocka_unit_test(test_vectors), cmocka_unit_test(test_binding),
		cmocka_unit_test(test_nonce),         cmocka_unit_test(test_hostile_first), cmocka_unit_test(test_hostile_final),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
