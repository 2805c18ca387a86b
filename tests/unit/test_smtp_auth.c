/* tests/unit/test_smtp_auth.c - AUTH and STARTTLS. */
#include "unit.h"

#include <stdio.h>

#include "smtp_rig.h"
#include "wire/text/text_base64.h"

static void start(struct rig *r)
{
	rig_init(r, SMTP_KIND_SUBMISSION);
	rig_start(r);
	assert_int_equal(talk(r, HELLO), 250);
}

/* A line with the base64 of octets behind a prefix. */
static unsigned talk_base64(struct rig *r, const char *prefix, const char *octets, size_t n)
{
	struct buf b;
	unsigned   code;

	buf_init(&b, 64 * KIB);
	buf_add(&b, str_of(prefix));
	text_base64_encode(str_n(octets, n), &b);
	buf_add(&b, STR("\r\n"));
	code = talk_str(r, buf_str(&b));
	buf_done(&b);
	return code;
}

#define B64(r, prefix, lit) talk_base64((r), (prefix), (lit), sizeof(lit) - 1)

static void assert_signed_in(struct rig *r)
{
	assert_true(r->conn.trusted);
	assert_int_equal(talk(r, "AUTH PLAIN\r\n"), 503);
	assert_int_equal(talk(r, "MAIL FROM:<alice@demo.test>\r\n"), 250);
	rig_done(r);
}

static void test_ways(void **state)
{
	struct rig r;

	(void)state;
	start(&r); /* RFC 4954 §4: initial response, or a challenge; any letter case */
	assert_int_equal(B64(&r, "AUTH PLAIN ", "\0alice@demo.test\0password"), 235);
	assert_signed_in(&r);
	start(&r);
	assert_int_equal(talk(&r, "auth plain\r\n"), 334);
	assert_str(buf_str(&r.conn.out), STR("334 \r\n"));
	assert_int_equal(B64(&r, "", "\0alice@demo.test\0password"), 235);
	assert_signed_in(&r);
	start(&r);
	assert_int_equal(B64(&r, "AUTH PLAIN ", "alice@demo.test\0alice@demo.test\0password"), 235);
	assert_signed_in(&r);
	start(&r);
	assert_int_equal(talk(&r, "AUTH LOGIN\r\n"), 334);
	assert_str(buf_str(&r.conn.out), STR("334 VXNlcm5hbWU6\r\n"));
	assert_int_equal(B64(&r, "", "alice@demo.test"), 334);
	assert_str(buf_str(&r.conn.out), STR("334 UGFzc3dvcmQ6\r\n"));
	assert_int_equal(B64(&r, "", "password"), 235);
	assert_signed_in(&r);
	start(&r);
	assert_int_equal(B64(&r, "AUTH LOGIN ", "alice@demo.test"), 334);
	assert_int_equal(B64(&r, "", "password"), 235);
	assert_signed_in(&r);
}

static void test_abuse(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	assert_int_equal(talk(&r, "AUTH\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH NTLM\r\n"), 504);
	assert_int_equal(talk(&r, "AUTH CRAM-MD5\r\n"), 504);
	assert_int_equal(talk(&r, "AUTH PLAIN =\r\n"), 501); /* the empty message */
	assert_int_equal(talk(&r, "AUTH PLAIN ====\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH PLAIN AGFsaWNl!\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH PLAIN AGE=AGE=\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH PLAIN AGE= AGE=\r\n"), 501);
	assert_int_equal(B64(&r, "AUTH PLAIN ", "\0alice@demo.test\0pass\0word"), 501);
	assert_int_equal(B64(&r, "AUTH PLAIN ", "\0alice@demo.test\0"), 501);
	assert_int_equal(B64(&r, "AUTH LOGIN ", ""), 334); /* no initial response after all: trailing space */
	assert_int_equal(talk(&r, "*\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH PLAIN\r\n"), 334); /* cancelled; a command inside is no command */
	assert_int_equal(talk(&r, "*\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH PLAIN\r\n"), 334);
	assert_int_equal(talk(&r, "AUTH LOGIN\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH LOGIN\r\n"), 334);
	assert_int_equal(talk(&r, "\r\n"), 501);
	assert_int_equal(talk(&r, "AUTH LOGIN\r\n"), 334); /* mechanism change: nothing is kept of the first */
	assert_int_equal(B64(&r, "", "alice@demo.test"), 334);
	assert_int_equal(talk(&r, "*\r\n"), 501);
	assert_int_equal(r.ask.logins, 0);
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n"), 530);
	rig_done(&r);

	start(&r);
	assert_int_equal(B64(&r, "AUTH PLAIN ", "\0busy@demo.test\0x"), 454);
	assert_int_equal(B64(&r, "AUTH PLAIN ", "\0limit@demo.test\0x"), 454);
	assert_int_equal(B64(&r, "AUTH PLAIN ", "bob@demo.test\0alice@demo.test\0password"), 535); /* for somebody else */
	assert_int_equal(talk(&r, "RSET\r\n"), 250);
	assert_int_equal(talk(&r, "AUTH PLAIN\r\n"), 334);
	assert_int_equal(talk_str(&r, (struct str){ "\0\r\n", 3 }), 500);
	assert_int_equal(talk(&r, "RSET\r\n"), 250); /* the exchange is over */
	rig_done(&r);

	start(&r);
	for (unsigned i = 1; i < LIMIT_SMTP_AUTH_FAILURES; i++)
		assert_int_equal(B64(&r, "AUTH PLAIN ", "\0alice@demo.test\0wrong"), 535);
	assert_int_equal(B64(&r, "AUTH PLAIN ", "\0alice@demo.test\0wrong"), 421);
	assert_true(r.conn.closed);
	rig_done(&r);
}

static void test_oversized(void **state)
{
	char       *line = malloc(20000);
	struct rig  r;
	size_t      sizes[] = { LIMIT_SMTP_AUTH_LINE - 2, LIMIT_SMTP_AUTH_LINE - 1, 19000 };
	unsigned    codes[] = { 501, 500, 500 };

	(void)state;
	memset(line, 'A', 20000);
	for (size_t i = 0; i < LEN(sizes); i++) {
		start(&r);
		assert_int_equal(talk(&r, "AUTH PLAIN\r\n"), 334);
		memcpy(line + sizes[i], "\r\n", 2);
		assert_int_equal(talk_str(&r, str_n(line, sizes[i] + 2)), codes[i]);
		memcpy(line, "AUTH PLAIN ", 11); /* the same as an initial response */
		assert_int_equal(talk_str(&r, str_n(line, sizes[i] + 2)), codes[i]);
		memset(line, 'A', 20000);
		assert_int_equal(talk(&r, "NOOP\r\n"), 250);
		rig_done(&r);
	}
	free(line);
}

/* Every octet of an exchange may be the last of its packet. */
static void test_split(void **state)
{
	static const char script[] = "AUTH LOGIN\r\nYWxpY2VAZGVtby50ZXN0\r\ncGFzc3dvcmQ=\r\n";
	static const size_t ends[] = { 12, 34, 48 };

	(void)state;
	for (size_t cut = 1; cut < sizeof(script) - 1; cut++) {
		struct rig r;
		size_t     at = 0;

		start(&r);
		for (size_t i = 0; i < LEN(ends); i++) {
			if (cut > at && cut < ends[i]) {
				fake_feed(&r.conn, str_n(script + at, cut - at));
				at = cut;
			}
			fake_feed(&r.conn, str_n(script + at, ends[i] - at));
			at = ends[i];
		}
		assert_true(str_iends(buf_str(&r.conn.out), STR("235 2.7.0 Signed in\r\n")));
		rig_done(&r);
	}
}

/* ---- STARTTLS: papers 1.8 B ---- */

static void test_starttls_resets(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 503); /* before EHLO */
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 503); /* in a transaction */
	assert_int_equal(talk(&r, "RSET\r\n"), 250);
	assert_int_equal(talk(&r, "STARTTLS now\r\n"), 501);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 220);
	buf_clear(&r.conn.out);
	fake_tls(&r.conn);
	assert_int_equal(r.conn.out.n, 0);
	assert_int_equal(talk(&r, FROM), 503); /* EHLO is forgotten */
	assert_int_equal(talk(&r, HELLO), 250);
	assert_true(str_search(buf_str(&r.conn.out), STR("STARTTLS")) < 0);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 503);
	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_true(str_search(buf_str(&r.ask.content), STR(" with ESMTPS id s1.2\r\n\tfor <alice@demo.test> tls TLS_AES_256_GCM_SHA384;")) > 0);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_SUBMISSION); /* sign-in in clear is neither offered nor taken; after it no STARTTLS */
	r.set.allow_plain = false;
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, SIGN_IN), 538);
	assert_int_equal(r.ask.logins, 0);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 220);
	fake_tls(&r.conn);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, SIGN_IN), 235);
	assert_int_equal(talk(&r, HELLO), 250); /* EHLO again keeps the sign-in */
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n"), 250);
	rig_done(&r);

	start(&r);
	assert_int_equal(talk(&r, SIGN_IN), 235);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 503);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY);
	r.conn.tls_possible = false;
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_true(str_search(buf_str(&r.conn.out), STR("STARTTLS")) < 0);
	assert_int_equal(talk(&r, "STARTTLS\r\n"), 502);
	rig_done(&r);
}

/* CVE-2011-0411 and the like: what was sent in clear behind STARTTLS is never answered inside TLS. */
static void test_starttls_injection(void **state)
{
	static const char tail[] = "STARTTLS\r\nNOOP\r\nRSET\r\n";

	(void)state;
	for (size_t n = 11; n < sizeof(tail); n++) {
		struct rig r;

		rig_init(&r, SMTP_KIND_RELAY);
		rig_start(&r);
		assert_int_equal(talk(&r, HELLO), 250);
		assert_int_equal(talk_str(&r, str_n(tail, n)), 554);
		assert_true(r.conn.closed);
		rig_done(&r);

		rig_init(&r, SMTP_KIND_RELAY); /* it comes just after the reply was written */
		rig_start(&r);
		assert_int_equal(talk(&r, HELLO), 250);
		assert_int_equal(talk_str(&r, str_n(tail, 10)), 220);
		assert_int_equal(talk_str(&r, str_n(tail + 10, n - 10)), 0);
		assert_true(r.conn.closed);
		rig_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),  cmocka_unit_test(test_abuse),           cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_split), cmocka_unit_test(test_starttls_resets), cmocka_unit_test(test_starttls_injection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
