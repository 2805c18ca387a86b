/* tests/unit/test_mime_header.c - the header at the door: who is the author, what is missing, what goes. */
#include "unit.h"

#include "wire/mime/mime_header.h"
#include "wire/mime/mime_qualify.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

static enum mime_from from_of(struct str header, bool bounce)
{
	struct str         exact = unit_exact(header);
	struct arena      *a = arena_new(NULL);
	struct mime_header h;
	enum mime_from     from;

	mime_header_scan(exact, &h);
	from = mime_header_from(&h, bounce, a);
	arena_free(&a);
	unit_exact_free(exact);
	return from;
}

/* The header cases of "Composition Kills" (USENIX Security 2020) as its tool sends them, then what honest mail has. */
static void test_from(void **state)
{
	static const struct {
		const char    *name;
		struct str     header;
		enum mime_from stranger, bounce;
	} rows[] = {
		{ "a8", RAW("From: <first@attack.example>\r\nFrom: <admin@legitimate.example>\r\n"), MIME_FROM_TWICE, MIME_FROM_TWICE },
		{ "a9", RAW(" From: <first@attack.example>\r\nFrom: <admin@legitimate.example>\r\n"), MIME_FROM_TWICE, MIME_FROM_TWICE },
		{ "a10", RAW("From: <first@attack.example>\r\nFrom : <admin@legitimate.example>\r\n"), MIME_FROM_TWICE, MIME_FROM_TWICE },
		{ "a11", RAW("From\r\n : <first@attack.example>\r\nFrom: <admin@legitimate.example>\r\n"), MIME_FROM_TWICE, MIME_FROM_TWICE },
		{ "a12", RAW("From\r\n : <first@attack.example>\r\nSender: <admin@legitimate.example>\r\n"), MIME_FROM_TWICE, MIME_FROM_TWICE },
		{ "a13", RAW("From\r\n : <first@attack.example>\r\nResent-From: <admin@legitimate.example>\r\n"), MIME_FROM_TWICE, MIME_FROM_TWICE },
		{ "a14", RAW("From: <first@attack.example>, <admin@legitimate.example>\r\nSender: <s@sender.example>\r\n"), MIME_FROM_DOMAINS, MIME_FROM_DOMAINS },
		{ "a15", RAW("From:=?utf-8?B?PGFkbWluQGxlZ2l0aW1hdGUuY29tPg==?=,<second@attack.example>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "a16", RAW("From: <@attack.example,@any.example:admin@legitimate.example>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "a17", RAW("From: <admin@legitimate.example>\\,<second@attack.example>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "a18", RAW("From: admin@legitimate.example,<second@attack.example>\r\n"), MIME_FROM_DOMAINS, MIME_FROM_DOMAINS },
		{ "a19", RAW("From: <any@attack.example>admin@legitimate.example\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		/* a5 and a6, in From */
		{ "comment", RAW("From: <any@legitimate.example(a.attack.example>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "quote", RAW("From: <any@legitimate.example'@any.attack.example>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "quote 2", RAW("From: <any@legitimate'x.example>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "blank line is none", RAW("Subject: x\r\n\r\nFrom: a@b.example\r\n"), MIME_FROM_MISSING, MIME_FROM_OK },
		{ "only blank first", RAW(" From: <admin@legitimate.example>\r\n"), MIME_FROM_MISSING, MIME_FROM_MISSING },
		{ "bare then angle", RAW("From: admin@legitimate.example <second@attack.example>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "bare then angle 2", RAW("From: a@b.example <a@b.example> c@d.example\r\n"), MIME_FROM_SYNTAX, MIME_FROM_SYNTAX },
		{ "missing", RAW("Subject: x\r\n"), MIME_FROM_MISSING, MIME_FROM_OK },
		{ "empty", RAW("From:\r\n"), MIME_FROM_SYNTAX, MIME_FROM_OK },
		{ "null", RAW("From: <>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_OK },
		{ "daemon", RAW("From: MAILER-DAEMON\r\n"), MIME_FROM_SYNTAX, MIME_FROM_OK },
		{ "daemon 2", RAW("From: Mail Delivery Subsystem <MAILER-DAEMON>\r\n"), MIME_FROM_SYNTAX, MIME_FROM_OK },
		{ "daemon 3", RAW("From: MAILER-DAEMON@mx.example (Mail Delivery System)\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		/* honest */
		{ "plain", RAW("From: a@b.example\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "name", RAW("FROM:\"Last, First\" <a@b.example>\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "obsolete phrase", RAW("From: John Q. Public <a@b.example>\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "folded", RAW("From: =?utf-8?Q?J=C3=B6rg?=\r\n\t<a@b.example>\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "8 bit", RAW("From: J\xf6rg <a@b.example>\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "idn", RAW("From: <a@b\xc3\xbc.example>\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "literal", RAW("From: a@[192.0.2.1]\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "host", RAW("From: root@localhost\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "said twice", RAW("From: a@b.example <A@b.example>\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "two of one domain", RAW("From: a@b.example, c@B.example\r\nSender: a@b.example\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "group, RFC 6854", RAW("From: Staff: a@b.example;\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "empty group", RAW("From: undisclosed-sender:;\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "resent", RAW("Resent-From: c@d.example\r\nFrom: a@b.example\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "mbox line", RAW("From a@b.example Sat Nov 21 08:00:00 2026\r\nFrom: a@b.example\r\n"), MIME_FROM_OK, MIME_FROM_OK },
		{ "folded subject", RAW("Subject: a\r\n From: <x@y.example>\r\nFrom: a@b.example\r\n"), MIME_FROM_OK, MIME_FROM_OK },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		enum mime_from stranger = from_of(rows[i].header, false), bounce = from_of(rows[i].header, true);

		if (stranger != rows[i].stranger || bounce != rows[i].bounce)
			print_error("%s: %d, as a bounce %d\n", rows[i].name, stranger, bounce);
		assert_int_equal(stranger, rows[i].stranger);
		assert_int_equal(bounce, rows[i].bounce);
	}
}

static void test_scan(void **state)
{
	static const struct str text = RAW("Received: a\r\n b\r\nreceived: c\r\nno field\r\n more\r\nTLS-Required : \r\n\tno \r\nBcc: x\r\n\r\nDate: body\r\n");
	struct mime_header h;

	(void)state;
	for (size_t n = 0; n <= text.n; n++) { /* cut anywhere: no octet behind is read */
		struct str exact = unit_exact(str_first(text, n));

		mime_header_scan(exact, &h);
		assert_true(h.end <= n);
		unit_exact_free(exact);
	}
	mime_header_scan(text, &h);
	assert_int_equal(h.count[MIME_HEADER_RECEIVED], 2);
	assert_int_equal(h.count[MIME_HEADER_DATE], 0);
	assert_int_equal(h.count[MIME_HEADER_BCC], 1);
	assert_true(h.odd[MIME_HEADER_TLS_REQUIRED] && h.junk && h.ended && !h.leading_blank);
	assert_str(str_from(text, h.end), STR("\r\nDate: body\r\n"));
	assert_true(mime_header_tls_no(&h));
	assert_false(mime_header_resent(&h));
	mime_header_scan(STR("TLS-Required: No\r\nTLS-Required: No\r\n"), &h);
	assert_false(mime_header_tls_no(&h));
	mime_header_scan(STR("TLS-Required: Yes\r\n"), &h);
	assert_false(mime_header_tls_no(&h) || h.ended);
}

static void test_complete(void **state)
{
	static const struct {
		const char *header, *author, *added;
	} rows[] = {
		{ "Date: x\r\nMessage-ID: x\r\n", "", "" },
		{ "From: x\r\n", "", "Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nMessage-ID: <u@h.example>\r\n" },
		{ "Date : x\r\n", "ann@b.example", "From: Ann <ann@b.example>\r\nMessage-ID: <u@h.example>\r\n" },
		{ "From: x\r\nDate: x\r\nMessage-ID: x\r\nResent-To: x\r\n", "ann@b.example",
		  "Resent-From: Ann <ann@b.example>\r\nResent-Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nResent-Message-ID: <u@h.example>\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct mime_header h;
		struct buf         out;

		buf_init(&out, KIB);
		mime_header_scan(str_of(rows[i].header), &h);
		mime_header_complete(&h, &(struct mime_header_fill){
			.when = { 1795248000000, 0 }, .unique = STR("u"), .host = STR("h.example"),
			.author = str_of(rows[i].author), .display = STR("Ann"),
		}, &out);
		assert_str(buf_str(&out), str_of(rows[i].added));
		buf_done(&out);
	}
}

static void test_drop(void **state)
{
	const unsigned secret = 1u << MIME_HEADER_BCC | 1u << MIME_HEADER_RESENT_BCC, results = 1u << MIME_HEADER_AUTH_RESULTS;
	const struct {
		const char *before;
		unsigned    mask;
		const char *after;
	} rows[] = {
		{ "T: x\r\nBcc: a,\r\n b\r\nSubject: s\r\nresent-bcc:\r\n\r\nBcc: body\r\n", secret, "T: x\r\nSubject: s\r\n\r\nBcc: body\r\n" },
		{ "T: x\r\nBCC\r\n : a\r\n", secret, "T: x\r\n" },
		{ "T: x\r\nBcc: a", secret, "T: x\r\n" },
		{ "T: x\r\nBcc: a\r\n\r\n", results, "T: x\r\nBcc: a\r\n\r\n" },
		{ "T: x\r\nAuthentication-Results: mx.example; spf=pass\r\nAuthentication-Results: other.example; spf=pass\r\n", results,
		  "T: x\r\nAuthentication-Results: other.example; spf=pass\r\n" },
		{ "T: x\r\nAuthentication-Results:\r\n (a (b)) \"MX.example\" 1; none\r\n\r\n", results, "T: x\r\n\r\n" },
		{ "T: x\r\nAuthentication-Results: mx.example.org; none\r\nAuthentication-Results: (open mx.example\r\n", results,
		  "T: x\r\nAuthentication-Results: mx.example.org; none\r\nAuthentication-Results: (open mx.example\r\n" },
		{ "T: x\r\nauthentication-results : mx.example\r\n", results, "T: x\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf b;
		size_t     gone;

		buf_init(&b, KIB);
		buf_add(&b, str_of(rows[i].before));
		gone = mime_header_drop(&b, 6, rows[i].mask, STR("mx.example"));
		assert_str(buf_str(&b), str_of(rows[i].after));
		assert_int_equal(gone, strlen(rows[i].before) - b.n);
		buf_done(&b);
	}
}

static void test_qualify(void **state)
{
	static const struct {
		const char *value, *field; /* NULL: left as it is */
	} rows[] = {
		{ " root (Cron Daemon)", "From: \"Cron Daemon\" <root@d.example>\r\n" },
		{ " bob", "From: bob@d.example\r\n" },
		{ " ann@b.example, bob,\r\n \"c, d\" <carol>", "From: ann@b.example, bob@d.example, \"c, d\" <carol@d.example>\r\n" },
		{ " \"a b\"@c.example, d", "From: \"a b\"@c.example, d@d.example\r\n" },
		{ " team: ann, bob;", "From: team: ann@d.example, bob@d.example;\r\n" },
		{ " ann@b.example", NULL },
		{ " \"Ann\" <ann@b.example> (x)", NULL },
		{ " two words", NULL },
		{ " <a@b.example>c, bob", NULL },
		{ " bob (open", NULL },
		{ " bob <", NULL },
		{ " @r.example:bob", NULL },
		{ "", NULL },
		{ " <>", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct arena *a = arena_new(NULL);
		struct str    exact = unit_exact(str_of(rows[i].value));
		struct buf    out;
		bool          done;

		buf_init(&out, KIB);
		done = mime_qualify(STR("From"), exact, STR("d.example"), a, &out);
		if (done != (rows[i].field != NULL))
			print_error("%s: %.*s\n", rows[i].value, STR_FMT(buf_str(&out)));
		assert_int_equal(done, rows[i].field != NULL);
		if (done)
			assert_str(buf_str(&out), str_of(rows[i].field));
		buf_done(&out);
		unit_exact_free(exact);
		arena_free(&a);
	}
	assert_true(mime_is_address_field(STR("resent-cc")) && mime_is_address_field(STR("FROM")) && !mime_is_address_field(STR("Subject")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_qualify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
