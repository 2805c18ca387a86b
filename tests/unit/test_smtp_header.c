/* tests/unit/test_smtp_header.c - what the door does with a header: refused authors, fields taken out, TLS-Required. */
#include "unit.h"

#include <stdio.h>

#include "smtp_rig.h"

/* "Composition Kills", the cases that are decided here; a1 and a3-a6 are for SPF, DKIM and DMARC to judge (a5 is no Mailbox). */
static void test_composition_kills(void **state)
{
	static const struct {
		const char *name, *mail, *header;
		unsigned    mail_code, code;
	} rows[] = {
		{ "a2", "<(any@legitimate.example>", "", 553, 0 },
		{ "a5", "<any@legitimate.example(a.attack.example>", "", 553, 0 },
		{ "a6", "<any@legitimate.example'@any.attack.example>", "", 553, 0 },
		{ "a7", "<@legitimate.example,@any.example:'any@attack.example>", "", 553, 0 },
		{ "a8", "<any@attack.example>", "From: <first@attack.example>\r\nFrom: <admin@legitimate.example>\r\n", 250, 550 },
		{ "a9", "<any@attack.example>", " From: <first@attack.example>\r\nFrom: <admin@legitimate.example>\r\n", 250, 550 },
		{ "a10", "<any@attack.example>", "From: <first@attack.example>\r\nFrom : <admin@legitimate.example>\r\n", 250, 550 },
		{ "a11", "<any@attack.example>", "From\r\n : <first@attack.example>\r\nFrom: <admin@legitimate.example>\r\n", 250, 550 },
		{ "a12", "<any@attack.example>", "From\r\n : <first@attack.example>\r\nSender: <admin@legitimate.example>\r\n", 250, 550 },
		{ "a13", "<any@attack.example>", "From\r\n : <first@attack.example>\r\nResent-From: <admin@legitimate.example>\r\n", 250, 550 },
		{ "a14", "<any@attack.example>", "From: <first@attack.example>, <admin@legitimate.example>\r\n", 250, 550 },
		{ "a15", "<any@attack.example>", "From:=?utf-8?B?PGFkbWluQGxlZ2l0aW1hdGUuY29tPg==?=,<second@attack.example>\r\n", 250, 550 },
		{ "a16", "<any@attack.example>", "From: <@attack.example,@any.example:admin@legitimate.example>\r\n", 250, 550 },
		{ "a17", "<any@attack.example>", "From: <admin@legitimate.example>\\,<second@attack.example>\r\n", 250, 550 },
		{ "a18", "<any@attack.example>", "From: admin@legitimate.example,<second@attack.example>\r\n", 250, 550 },
		{ "a19", "<any@attack.example>", "From: <any@attack.example>admin@legitimate.example\r\n", 250, 550 },
		{ "none", "<any@attack.example>", "Subject: x\r\n", 250, 550 },
		{ "bounce", "<>", "From: MAILER-DAEMON (Mail Delivery System)\r\n", 250, 250 },
		{ "bounce without", "<>", "Subject: x\r\n", 250, 250 },
		{ "honest", "<any@attack.example>", "From: Any <any@attack.example>\r\n", 250, 250 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		for (int strict = 0; strict < 2; strict++) {
			struct rig r;
			char       text[512];
			unsigned   code;

			rig_init(&r, SMTP_KIND_RELAY);
			r.set.strict_header = strict;
			rig_start(&r);
			assert_int_equal(talk(&r, HELLO), 250);
			snprintf(text, sizeof(text), "MAIL FROM:%s\r\n", rows[i].mail);
			code = talk(&r, text);
			if (code != rows[i].mail_code)
				print_error("%s: MAIL %u\n", rows[i].name, code);
			assert_int_equal(code, rows[i].mail_code);
			if (code == 250) {
				assert_int_equal(talk(&r, TO "DATA\r\n"), 354);
				snprintf(text, sizeof(text), "%s\r\nx\r\n.\r\n", rows[i].header);
				code = talk(&r, text);
				if (code != (strict ? rows[i].code : 250))
					print_error("%s: %u\n", rows[i].name, code);
				assert_int_equal(code, strict ? rows[i].code : 250);
				assert_true(code == 250 || str_starts(buf_str(&r.conn.out), STR("550 5.6.0 ")));
				assert_int_equal(r.ask.submits, code == 250);
			}
			rig_done(&r);
		}
	}
}

static void test_no_from(void **state)
{
	struct rig r;
	struct buf b;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	r.set.strict_header = true;
	r.set.allow_no_from = true; /* the lab */
	rig_start(&r);
	rig_to_data(&r);
	assert_int_equal(talk(&r, "Subject: x\r\n\r\nx\r\n.\r\n"), 250);
	assert_int_equal(talk(&r, FROM TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, "From: a@b.example\r\nFrom: a@b.example\r\n\r\nx\r\n.\r\n"), 550);
	assert_int_equal(talk(&r, FROM TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, " From: a@b.example\r\n\r\nx\r\n.\r\n"), 550);
	/* A second From behind what is looked at. */
	buf_init(&b, 4 * MIB);
	buf_add(&b, STR("From: a@b.example\r\n"));
	while (b.n < 2 * LIMIT_INLINE)
		buf_add(&b, STR("X-Field: value\r\n"));
	buf_add(&b, STR("From: c@d.example\r\n\r\nx\r\n.\r\n"));
	assert_int_equal(talk(&r, FROM TO "DATA\r\n"), 354);
	assert_int_equal(talk_str(&r, buf_str(&b)), 552);
	buf_done(&b);
	rig_done(&r);
}

static bool content_has(struct rig *r, const char *text)
{
	return str_search(buf_str(&r->ask.content), str_of(text)) >= 0;
}

static void test_dropped(void **state)
{
	struct rig r;
	struct buf b;

	(void)state;
	rig_init(&r, SMTP_KIND_SUBMISSION);
	rig_start(&r);
	rig_to_data(&r);
	assert_int_equal(talk(&r, "Bcc: secret@demo.test,\r\n other@demo.test\r\nFrom: alice@demo.test\r\nResent-Bcc: third@demo.test\r\n"
				  "Authentication-Results: mx.demo.test; spf=pass\r\nSubject: s\r\n\r\nBcc: body\r\n.\r\n"), 250);
	assert_false(content_has(&r, "secret") || content_has(&r, "other@") || content_has(&r, "third") || content_has(&r, "spf=pass"));
	assert_true(content_has(&r, "From: alice@demo.test\r\nSubject: s\r\nDate: "));
	assert_true(content_has(&r, "\r\n\r\nBcc: body\r\n"));
	/* Before it goes into a spool file. */
	buf_init(&b, 4 * MIB);
	buf_add(&b, STR("From: alice@demo.test\r\nBcc: secret@demo.test\r\n\r\n"));
	while (b.n < 2 * LIMIT_INLINE)
		buf_add(&b, STR("line\r\n"));
	buf_add(&b, STR(".\r\n"));
	assert_int_equal(talk(&r, "MAIL FROM:<alice@demo.test>\r\n" TO "DATA\r\n"), 354);
	assert_int_equal(talk_str(&r, buf_str(&b)), 250);
	assert_int_equal(r.ask.spools, 1);
	assert_false(content_has(&r, "secret"));
	buf_done(&b);
	rig_done(&r);

	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	rig_to_data(&r);
	assert_int_equal(talk(&r, "Authentication-Results: MX.demo.test; dmarc=pass\r\nAuthentication-Results: other.example; dmarc=pass\r\n"
				  "Bcc: kept@demo.test\r\n\r\nx\r\n.\r\n"), 250);
	assert_false(content_has(&r, "MX.demo.test"));
	assert_true(content_has(&r, "\r\nAuthentication-Results: other.example; dmarc=pass\r\nBcc: kept@demo.test\r\n\r\nx\r\n"));
	rig_done(&r);
}

static void test_tls_required(void **state)
{
	static const struct {
		const char *header;
		bool        set;
	} rows[] = {
		{ "TLS-Required: No\r\n", true }, { "tls-required:no\r\n", true }, { "TLS-Required: Yes\r\n", false },
		{ "TLS-Required: No\r\nTLS-Required: No\r\n", false }, { "", false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;
		char       text[256];

		rig_init(&r, SMTP_KIND_SUBMISSION);
		rig_start(&r);
		rig_to_data(&r);
		snprintf(text, sizeof(text), "From: alice@demo.test\r\n%s\r\nx\r\n.\r\n", rows[i].header);
		assert_int_equal(talk(&r, text), 250);
		assert_int_equal((r.ask.flags & QUEUE_FLAG_TLS_OPTIONAL) != 0, rows[i].set);
		rig_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_composition_kills),
		cmocka_unit_test(test_no_from),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_tls_required),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
