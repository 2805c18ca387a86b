/* tests/unit/test_smtp_wire.c - the parsers and printers of wire/smtp and wire/sasl: tables, each case in an exact-size block. */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/smtp/smtp_helo.h"
#include "wire/smtp/smtp_mail.h"
#include "wire/smtp/smtp_param.h"
#include "wire/smtp/smtp_rcpt.h"
#include "wire/smtp/smtp_received.h"
#include "wire/smtp/smtp_reply.h"
#include "wire/smtp/smtp_verb.h"

/* Like STR, for literals with NULs in them or the end cut off. */
#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

/* RFC 5321 §2.4, §4.1.1 */
static void test_verb(void **state)
{
	static const struct {
		struct str line;
		bool       ok;
		struct str verb, arg;
	} rows[] = {
		{ RAW("NOOP"), true, RAW("NOOP"), RAW("") },
		{ RAW("noop"), true, RAW("noop"), RAW("") },
		{ RAW("QUIT  \t "), true, RAW("QUIT"), RAW("") },
		{ RAW("MAIL FROM:<a@b>"), true, RAW("MAIL"), RAW("FROM:<a@b>") },
		{ RAW("MAIL  FROM:<a@b> "), true, RAW("MAIL"), RAW(" FROM:<a@b>") },
		{ RAW("VRFY \xc3\xa4"), true, RAW("VRFY"), RAW("\xc3\xa4") },
		{ RAW(""), false, { 0 }, { 0 } },
		{ RAW("   "), false, { 0 }, { 0 } },
		{ RAW(" NOOP"), false, { 0 }, { 0 } },
		{ RAW("MAIL\tFROM:<a@b>"), false, { 0 }, { 0 } },
		{ RAW("MAIL:FROM"), false, { 0 }, { 0 } },
		{ RAW("X-1 a"), false, { 0 }, { 0 } },
		{ RAW("\xc3\xa4 a"), false, { 0 }, { 0 } },
		{ RAW("NOOP a\0b"), false, { 0 }, { 0 } },
		{ RAW("NOOP a\rb"), false, { 0 }, { 0 } },
		{ RAW("NOOP \x7f"), false, { 0 }, { 0 } },
		{ RAW("NOOP\0"), false, { 0 }, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str line = unit_exact(rows[i].line), verb = STR("untouched"), arg = verb;

		assert_int_equal(smtp_verb_split(line, &verb, &arg), rows[i].ok);
		assert_str(verb, rows[i].ok ? rows[i].verb : STR("untouched"));
		assert_str(arg, rows[i].ok ? rows[i].arg : STR("untouched"));
		unit_exact_free(line);
	}
	assert_true(smtp_verb_is_http(STR("GET / HTTP/1.1")));
	assert_true(smtp_verb_is_http(STR("PRI * HTTP/2.0")));
	assert_false(smtp_verb_is_http(STR("GET")));
	assert_false(smtp_verb_is_http(STR("get it")));
	assert_false(smtp_verb_is_http(STR("GETX it")));
}

/* RFC 5321 §4.1.1.1, §4.1.3 */
static void test_helo(void **state)
{
	static const struct {
		struct str arg;
		bool       strict, lenient;
	} rows[] = {
		{ RAW("mx.example.org"), true, true },
		{ RAW("localhost"), true, true },
		{ RAW("xn--bcher-kva.example"), true, true },
		{ RAW("[192.0.2.1]"), true, true },
		{ RAW("[IPv6:2001:db8::1]"), true, true },
		{ RAW("[2001:db8::1]"), false, true },
		{ RAW("[]"), false, false },
		{ RAW("["), false, false },
		{ RAW("[192.0.2.1"), false, false },
		{ RAW("[x y]"), false, false },
		{ RAW("[a](b)]"), false, false },
		{ RAW("192.0.2.1"), false, true },
		{ RAW("my_host"), false, true },
		{ RAW("host."), false, true },
		{ RAW("-host"), false, true },
		{ RAW("a b"), false, false },
		{ RAW("a(b)"), false, false },
		{ RAW("a;b"), false, false },
		{ RAW("a\"b"), false, false },
		{ RAW("a\\b"), false, false },
		{ RAW("<a@b>"), false, false },
		{ RAW("b\xc3\xbc" "cher.example"), false, false },
		{ RAW(""), false, false },
	};
	char long_name[LIMIT_DOMAIN + 1];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str arg = unit_exact(rows[i].arg);

		assert_int_equal(smtp_helo_valid(arg, false), rows[i].strict);
		assert_int_equal(smtp_helo_valid(arg, true), rows[i].lenient);
		unit_exact_free(arg);
	}
	memset(long_name, '_', sizeof(long_name));
	assert_true(smtp_helo_valid(str_n(long_name, LIMIT_DOMAIN), true));
	assert_false(smtp_helo_valid(str_n(long_name, LIMIT_DOMAIN + 1), true));
}

#define ALL (SMTP_PARAM_SIZE | SMTP_PARAM_BODY | SMTP_PARAM_SMTPUTF8 | SMTP_PARAM_AUTH)

/* RFC 5321 §4.1.1.2, RFC 1870, RFC 6152, RFC 6531, RFC 4954 §5 */
static void test_mail(void **state)
{
	static const struct {
		struct str         arg;
		unsigned           announced;
		enum smtp_mail_err err;
		struct str         path;
		uint64_t           size;
		unsigned           given;
	} rows[] = {
		{ RAW("FROM:<a@b.example>"), ALL, SMTP_MAIL_OK, RAW("a@b.example"), 0, 0 },
		{ RAW("from:<a@b.example>"), 0, SMTP_MAIL_OK, RAW("a@b.example"), 0, 0 },
		{ RAW("FROM:<>"), 0, SMTP_MAIL_OK, RAW(""), 0, 0 },
		{ RAW("FROM:<> SIZE=0"), ALL, SMTP_MAIL_OK, RAW(""), 0, SMTP_PARAM_SIZE },
		{ RAW("FROM:<a@b.example> SIZE=123 BODY=8BITMIME SMTPUTF8"), ALL, SMTP_MAIL_OK, RAW("a@b.example"), 123,
		  SMTP_PARAM_SIZE | SMTP_PARAM_BODY | SMTP_PARAM_SMTPUTF8 },
		{ RAW("FROM:<a@b.example> body=7bit"), ALL, SMTP_MAIL_OK, RAW("a@b.example"), 0, SMTP_PARAM_BODY },
		{ RAW("FROM:<a@b.example> AUTH=<>"), ALL, SMTP_MAIL_OK, RAW("a@b.example"), 0, SMTP_PARAM_AUTH },
		{ RAW("FROM:<a@b.example> AUTH=e+3Dmc2@b.example"), ALL, SMTP_MAIL_OK, RAW("a@b.example"), 0, SMTP_PARAM_AUTH },
		{ RAW("FROM:<a@b.example> AUTH=e+3dmc2@b.example"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> AUTH=e+3"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> AUTH=x"), 0, SMTP_MAIL_UNKNOWN, { 0 }, 0, 0 },
		{ RAW("FROM:<\"a b>c\"@b.example>"), 0, SMTP_MAIL_OK, RAW("\"a b>c\"@b.example"), 0, 0 },
		{ RAW("FROM:<\"a\\\">\"@b.example>"), 0, SMTP_MAIL_OK, RAW("\"a\\\">\"@b.example"), 0, 0 },
		{ RAW("FROM:<a@[192.0.2.1]>"), 0, SMTP_MAIL_OK, RAW("a@[192.0.2.1]"), 0, 0 },
		{ RAW("FROM:<b%c@d.example>"), 0, SMTP_MAIL_OK, RAW("b%c@d.example"), 0, 0 },
		{ RAW("FROM: <a@b.example>"), ALL, SMTP_MAIL_OK, RAW("a@b.example"), 0, 0 }, /* lenient_space */
		{ RAW("FROM:<\xc3\xa4@b.example> SMTPUTF8"), ALL, SMTP_MAIL_OK, RAW("\xc3\xa4@b.example"), 0, SMTP_PARAM_SMTPUTF8 },
		{ RAW("FROM:<\xc3\xa4@b.example>"), ALL, SMTP_MAIL_UTF8, { 0 }, 0, 0 },
		{ RAW("FROM:<\xc3@b.example> SMTPUTF8"), ALL, SMTP_MAIL_UTF8, { 0 }, 0, 0 },
		{ RAW("FROM:<@relay.example:a@b.example>"), ALL, SMTP_MAIL_ADDRESS, { 0 }, 0, 0 },
		{ RAW("FROM:<@>"), ALL, SMTP_MAIL_ADDRESS, { 0 }, 0, 0 },
		{ RAW("FROM:<\"\">"), ALL, SMTP_MAIL_ADDRESS, { 0 }, 0, 0 },
		{ RAW("FROM:<a>"), ALL, SMTP_MAIL_ADDRESS, { 0 }, 0, 0 },
		{ RAW("FROM:< >"), ALL, SMTP_MAIL_ADDRESS, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b@c.example>"), ALL, SMTP_MAIL_ADDRESS, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example>>"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example>SIZE=1"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example>  SIZE=1"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE="), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> =1"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SI_ZE=1"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE=1=2"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SMTPUTF8=1"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE=-1"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE=18446744073709551615"), ALL, SMTP_MAIL_OK, RAW("a@b.example"), UINT64_MAX, SMTP_PARAM_SIZE },
		{ RAW("FROM:<a@b.example> SIZE=18446744073709551616"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE=000000000000000000001"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE=1 SIZE=1"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> BODY=BINARYMIME"), ALL, SMTP_MAIL_VALUE, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> SIZE=1"), 0, SMTP_MAIL_UNKNOWN, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example> RET=HDRS"), ALL, SMTP_MAIL_UNKNOWN, { 0 }, 0, 0 },
		{ RAW("FROM:a@b.example"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM <a@b.example>"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<a@b.example"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<\"a\\"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("FROM:<\"a>"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW("TO:<a@b.example>"), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
		{ RAW(""), ALL, SMTP_MAIL_SYNTAX, { 0 }, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str         arg = unit_exact(rows[i].arg);
		struct smtp_mail   m = { .size_octets = 42 };
		enum smtp_mail_err err = smtp_mail_parse(arg, rows[i].announced, true, &m);

		if (err != rows[i].err)
			print_error("%.*s\n", STR_FMT(rows[i].arg));
		assert_int_equal(err, rows[i].err);
		if (err == SMTP_MAIL_OK) {
			assert_str(m.path, rows[i].path);
			assert_int_equal(m.given, rows[i].given);
			assert_true(m.size_octets == rows[i].size);
		} else {
			assert_true(m.size_octets == 42);
		}
		/* Every prefix, in its own block: no read past the end, and never "unknown" memory. */
		for (size_t n = 0; n < arg.n; n++) {
			struct str prefix = unit_exact(str_first(arg, n));

			(void)!smtp_mail_parse(prefix, rows[i].announced, false, &m);
			unit_exact_free(prefix);
		}
		unit_exact_free(arg);
	}
	assert_int_equal(smtp_mail_parse(STR("FROM: <a@b.example>"), ALL, false, &(struct smtp_mail){ 0 }), SMTP_MAIL_SYNTAX);
}

/* RFC 5321 §4.1.1.3 */
static void test_rcpt(void **state)
{
	static const struct {
		struct str         arg;
		bool               utf8;
		enum smtp_rcpt_err err;
		struct str         path;
		bool               postmaster;
	} rows[] = {
		{ RAW("TO:<a@b.example>"), false, SMTP_RCPT_OK, RAW("a@b.example"), false },
		{ RAW("to:<a@b.example>"), false, SMTP_RCPT_OK, RAW("a@b.example"), false },
		{ RAW("TO: <a@b.example>"), false, SMTP_RCPT_OK, RAW("a@b.example"), false },
		{ RAW("TO:<Postmaster>"), false, SMTP_RCPT_OK, RAW("Postmaster"), true },
		{ RAW("TO:<POSTMASTER@b.example>"), false, SMTP_RCPT_OK, RAW("POSTMASTER@b.example"), false },
		{ RAW("TO:<a%c@b.example>"), false, SMTP_RCPT_OK, RAW("a%c@b.example"), false },
		{ RAW("TO:<c!a@b.example>"), false, SMTP_RCPT_OK, RAW("c!a@b.example"), false },
		{ RAW("TO:<\"x@far.example\"@b.example>"), false, SMTP_RCPT_OK, RAW("\"x@far.example\"@b.example"), false },
		{ RAW("TO:<\xc3\xa4@b.example>"), true, SMTP_RCPT_OK, RAW("\xc3\xa4@b.example"), false },
		{ RAW("TO:<\xc3\xa4@b.example>"), false, SMTP_RCPT_UTF8, { 0 }, false },
		{ RAW("TO:<>"), false, SMTP_RCPT_ADDRESS, { 0 }, false },
		{ RAW("TO:<a>"), false, SMTP_RCPT_ADDRESS, { 0 }, false },
		{ RAW("TO:<@far.example:a@b.example>"), false, SMTP_RCPT_ADDRESS, { 0 }, false },
		{ RAW("TO:<a@b.example.>"), false, SMTP_RCPT_ADDRESS, { 0 }, false },
		{ RAW("TO:<a@b.example> NOTIFY=NEVER"), false, SMTP_RCPT_UNKNOWN, { 0 }, false },
		{ RAW("TO:<a@b.example> "), false, SMTP_RCPT_SYNTAX, { 0 }, false },
		{ RAW("TO:<a@b.example>x"), false, SMTP_RCPT_SYNTAX, { 0 }, false },
		{ RAW("TO:a@b.example"), false, SMTP_RCPT_SYNTAX, { 0 }, false },
		{ RAW("FROM:<a@b.example>"), false, SMTP_RCPT_SYNTAX, { 0 }, false },
		{ RAW(""), false, SMTP_RCPT_SYNTAX, { 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str         arg = unit_exact(rows[i].arg);
		struct smtp_rcpt   r;
		enum smtp_rcpt_err err = smtp_rcpt_parse(arg, 0, rows[i].utf8, true, &r);

		if (err != rows[i].err)
			print_error("%.*s\n", STR_FMT(rows[i].arg));
		assert_int_equal(err, rows[i].err);
		if (err == SMTP_RCPT_OK) {
			assert_str(r.path, rows[i].path);
			assert_int_equal(r.postmaster, rows[i].postmaster);
		}
		unit_exact_free(arg);
	}
}

/* RFC 5321 §4.2, §4.5.3.1.5 */
static void test_reply(void **state)
{
	char       line[SMTP_REPLY_LINE], text[1000];
	struct str s;

	(void)state;
	assert_str(smtp_reply_line(line, 250, "2.1.0", STR("OK"), true), STR("250 2.1.0 OK\r\n"));
	assert_str(smtp_reply_line(line, 250, NULL, STR("SIZE 5"), false), STR("250-SIZE 5\r\n"));
	assert_str(smtp_reply_line(line, 334, NULL, STR(""), true), STR("334 \r\n"));
	assert_str(smtp_reply_line(line, 550, "5.1.1", RAW("a\r\n250 b\0\xff"), true), STR("550 5.1.1 a??250 b??\r\n"));
	memset(text, 'x', sizeof(text));
	s = smtp_reply_line(line, 550, "5.1.1", str_n(text, sizeof(text)), true);
	assert_int_equal(s.n, SMTP_REPLY_LINE);
	assert_true(str_iends(s, STR("x\r\n")));
}

/* RFC 5321 §4.4, RFC 3848, RFC 6531 §4.3 */
static void test_received(void **state)
{
	struct smtp_received r = {
		.helo = STR("client.example"),
		.peer = STR("192.0.2.7"),
		.host = STR("mx.demo.test"),
		.id = STR("s1.1"),
		.when_ms = 1795248000000,
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4 * KIB);
	smtp_received_print(&b, &r);
	assert_str(buf_str(&b), STR("Received: from client.example ([192.0.2.7])\r\n\tby mx.demo.test with SMTP id s1.1;\r\n"
				    "\tSat, 21 Nov 2026 08:00:00 +0000\r\n"));
	buf_clear(&b);
	r.peer = STR("2001:db8::1");
	r.rcpt = STR("alice@demo.test");
	r.cipher = STR("TLS_AES_256_GCM_SHA384");
	r.esmtp = r.tls = r.signed_in = true;
	smtp_received_print(&b, &r);
	assert_str(buf_str(&b), STR("Received: from client.example ([IPv6:2001:db8::1])\r\n\tby mx.demo.test with ESMTPSA id s1.1\r\n"
				    "\tfor <alice@demo.test> tls TLS_AES_256_GCM_SHA384;\r\n\tSat, 21 Nov 2026 08:00:00 +0000\r\n"));
	buf_clear(&b);
	r.utf8 = true;
	r.tls = false;
	smtp_received_print(&b, &r);
	assert_true(str_search(buf_str(&b), STR(" with UTF8SMTPA id")) > 0);
	buf_done(&b);
}

/* RFC 4616 §2 */
static void test_plain(void **state)
{
	static const struct {
		struct str message;
		bool       ok;
		struct str authzid, user, password;
	} rows[] = {
		{ RAW("\0user\0secret"), true, RAW(""), RAW("user"), RAW("secret") },
		{ RAW("other\0user\0secret"), true, RAW("other"), RAW("user"), RAW("secret") },
		{ RAW("\0us\xc3\xa9r\0s\xc3\xa9"), true, RAW(""), RAW("us\xc3\xa9r"), RAW("s\xc3\xa9") },
		{ RAW("\0user\0sec\0ret"), false, { 0 }, { 0 }, { 0 } },
		{ RAW("\0user\0secret\0"), false, { 0 }, { 0 }, { 0 } },
		{ RAW("\0\0secret"), false, { 0 }, { 0 }, { 0 } },
		{ RAW("\0user\0"), false, { 0 }, { 0 }, { 0 } },
		{ RAW("\0user"), false, { 0 }, { 0 }, { 0 } },
		{ RAW("user"), false, { 0 }, { 0 }, { 0 } },
		{ RAW("\0\0"), false, { 0 }, { 0 }, { 0 } },
		{ RAW(""), false, { 0 }, { 0 }, { 0 } },
		{ RAW("\0us\xc3r\0secret"), false, { 0 }, { 0 }, { 0 } },
		{ RAW("\xff\0user\0secret"), false, { 0 }, { 0 }, { 0 } },
	};
	char long_text[LIMIT_PASSWORD + 10];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str        message = unit_exact(rows[i].message);
		struct sasl_plain m;

		assert_int_equal(sasl_plain_parse(message, &m), rows[i].ok);
		if (rows[i].ok) {
			assert_str(m.authzid, rows[i].authzid);
			assert_str(m.user, rows[i].user);
			assert_str(m.password, rows[i].password);
		}
		unit_exact_free(message);
	}
	memset(long_text, 'p', sizeof(long_text));
	memcpy(long_text, "\0u\0", 3);
	assert_true(sasl_plain_parse(str_n(long_text, LIMIT_PASSWORD + 3), &(struct sasl_plain){ 0 }));
	assert_false(sasl_plain_parse(str_n(long_text, LIMIT_PASSWORD + 4), &(struct sasl_plain){ 0 }));
}

static void test_xtext(void **state)
{
	(void)state;
	assert_true(smtp_xtext_valid(STR("")));
	assert_true(smtp_xtext_valid(STR("a+2Bb+00")));
	assert_false(smtp_xtext_valid(STR("a=b")));
	assert_false(smtp_xtext_valid(STR("a b")));
	assert_false(smtp_xtext_valid(STR("a+")));
	assert_false(smtp_xtext_valid(STR("a+2b")));
	assert_false(smtp_xtext_valid(STR("\xc3\xa4")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verb),     cmocka_unit_test(test_helo), cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),     cmocka_unit_test(test_reply), cmocka_unit_test(test_received),
		cmocka_unit_test(test_plain),    cmocka_unit_test(test_xtext),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
