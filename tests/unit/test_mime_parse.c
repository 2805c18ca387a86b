/* Tests of wire/mime/mime.h: the tree, its offsets, sections, and what IMAP prints of it. */
#include "unit.h"

#include "mime_check.h"

struct parsed {
	struct arena *a;
	struct str    message;
	struct mime   m;
	struct buf    out;
};

static void parse(struct parsed *p, struct str message)
{
	p->a = arena_new(NULL);
	p->message = unit_exact(message);
	mime_parse(p->message, p->a, &p->m);
	buf_init(&p->out, LIMIT_BODYSTRUCTURE);
}

static void done(struct parsed *p)
{
	buf_done(&p->out);
	unit_exact_free(p->message);
	arena_free(&p->a);
}

static const struct {
	const char *message, *envelope;
} envelopes[] = {
	{ "Date: d\r\nFrom: user@domain (Real Name)\r\nTo: group: g1@d1.org, g2@d2.org;, group2: g3@d3.org;\r\n\r\n",
	  "(\"d\" NIL ((\"Real Name\" NIL \"user\" \"domain\")) ((\"Real Name\" NIL \"user\" \"domain\")) "
	  "((\"Real Name\" NIL \"user\" \"domain\")) ((NIL NIL \"group\" NIL)(NIL NIL \"g1\" \"d1.org\")"
	  "(NIL NIL \"g2\" \"d2.org\")(NIL NIL NIL NIL)(NIL NIL \"group2\" NIL)(NIL NIL \"g3\" \"d3.org\")"
	  "(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
	{ "From: <@route:user@domain>\r\nSender: \r\nReply-To:\r\nSubject:\r\n\r\n",
	  "(NIL \"\" ((NIL \"@route\" \"user\" \"domain\")) ((NIL \"@route\" \"user\" \"domain\")) "
	  "((NIL \"@route\" \"user\" \"domain\")) NIL NIL NIL NIL NIL)" },
	{ "Sender: s@x\r\nCc:\r\n\r\n", "(NIL NIL NIL ((NIL NIL \"s\" \"x\")) NIL NIL NIL NIL NIL NIL)" },
	{ "To: a@x\r\nTo: b@x\r\nFrom: f@x\r\nFrom: g@x\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <2@x>\r\n <3@x>\r\n\r\n",
	  "(NIL NIL ((NIL NIL \"f\" \"x\")) ((NIL NIL \"f\" \"x\")) ((NIL NIL \"f\" \"x\")) "
	  "((NIL NIL \"a\" \"x\")(NIL NIL \"b\" \"x\")) NIL NIL \"<2@x> <3@x>\" \"<1@x>\")" },
	{ "Subject: a \"b\" \\c\r\n\r\n", "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "Subject: caf\xc3\xa9 ol\xc3\xa9\r\n\r\n",
	  "(NIL \"=?utf-8?B?Y2Fmw6kgb2zDqQ==?=\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
};

static void test_envelope(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(envelopes); i++) {
		struct parsed p;

		parse(&p, str_of(envelopes[i].message));
		mime_print_envelope(p.message, p.m.root, false, &p.out);
		assert_str(buf_str(&p.out), str_of(envelopes[i].envelope));
		done(&p);
	}
}


static const struct {
	const char *message, *structure;
} structures[] = {
	{ "", "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL)" },
	{ "Subject: x\r\n\r\na\r\nb", "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 4 1 NIL NIL NIL NIL)" },
	{ "Content-Type: text/html; charset=\"utf-8\"; x=y\r\nContent-Transfer-Encoding: Quoted-Printable\r\n"
	  "Content-ID: <i@x>\r\nContent-Description: d\r\n e\r\nContent-MD5: m\r\nContent-Language: en, de\r\n"
	  "Content-Location: l\r\nContent-Disposition: attachment; filename=\"a \\\"b\\\".txt\"\r\n\r\nx\r\n",
	  "(\"TEXT\" \"HTML\" (\"charset\" \"utf-8\" \"x\" \"y\") \"<i@x>\" \"d e\" \"QUOTED-PRINTABLE\" 3 1 \"m\" "
	  "(\"ATTACHMENT\" (\"filename\" \"a \\\"b\\\".txt\")) (\"en\" \"de\") \"l\")" },
	{ "Content-Type: multipart/mixed; boundary=\"foo\r\n bar\"\r\n\r\n--foo bar\r\nContent-Type: text/x-myown; "
	  "charset=us-ascii\r\n\r\nhello\r\n\r\n--foo bar--\r\n",
	  "((\"TEXT\" \"X-MYOWN\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 7 1 NIL NIL NIL NIL) \"MIXED\" "
	  "(\"boundary\" \"foo bar\") NIL NIL NIL)" },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: s\r\n\r\nt\r\n--b\r\n"
	  "Content-Type: text/plain\r\n\r\nu\r\n--b--\r\n",
	  "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 15 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	  "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)"
	  "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 0 NIL NIL NIL NIL) \"DIGEST\" (\"boundary\" \"b\") NIL NIL NIL)" },
	/* no parts, no boundary, message without anything inside */
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\nno part\r\n",
	  "((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0) \"MIXED\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n",
	  "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 10 3 NIL NIL NIL NIL)" },
	{ "Content-Type: message/rfc822",
	  "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
	  "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL) 0 NIL NIL NIL NIL)" },
	{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQp5\r\n",
	  "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"BASE64\" 22 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
	  "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0) 1 NIL NIL NIL NIL)" },
	/* RFC 2231 §4.1, and 8-bit parameters in ASCII */
	{ "Content-Type: application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n"
	  " title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"\r\n\r\n",
	  "(\"APPLICATION\" \"X-STUFF\" (\"title\" \"This is even more ***fun*** isn't it!\") NIL NIL \"7BIT\" 0 NIL NIL NIL NIL)" },
	{ "Content-Type: image/png; name=caf\xe9.png\r\n\r\n",
	  "(\"IMAGE\" \"PNG\" (\"name*\" \"utf-8''caf%C3%A9.png\") NIL NIL \"7BIT\" 0 NIL NIL NIL NIL)" },
	{ "Content-Type: image/png; name=a b.png; name*=utf-8''c.png\r\n\r\n",
	  "(\"IMAGE\" \"PNG\" (\"name\" \"c.png\") NIL NIL \"7BIT\" 0 NIL NIL NIL NIL)" },
};

static void test_structure(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(structures); i++) {
		struct parsed p;

		parse(&p, str_of(structures[i].message));
		mime_print_structure(p.message, p.m.root, true, false, &p.out);
		assert_str(buf_str(&p.out), str_of(structures[i].structure));
		done(&p);
	}
}

/* A message/global is a message to who knows of UTF-8 (RFC 9755 §6), and octets to all others. */
static void test_global(void **state)
{
	const struct str message = STR("Content-Type: message/global\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n");
	struct parsed    p;

	(void)state;
	parse(&p, message);
	mime_print_structure(p.message, p.m.root, false, false, &p.out);
	assert_str(buf_str(&p.out), STR("(\"MESSAGE\" \"GLOBAL\" NIL NIL NIL \"7BIT\" 18)"));
	buf_clear(&p.out);
	mime_print_structure(p.message, p.m.root, false, true, &p.out);
	assert_str(buf_str(&p.out), STR("(\"MESSAGE\" \"GLOBAL\" NIL NIL NIL \"7BIT\" 18 (NIL \"\xc3\xbc\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	                                "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1) 3)"));
	done(&p);
}

/* The text of every message above, cut at each octet, is legal in all its forms. */
static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(structures) + LEN(envelopes); i++) {
		struct str whole = str_of(i < LEN(structures) ? structures[i].message
							      : envelopes[i - LEN(structures)].message);

		for (size_t n = 0; n <= whole.n; n++) {
			struct str cut = unit_exact(str_first(whole, n));

			check_message(cut);
			unit_exact_free(cut);
		}
	}
}

static const struct str nested = STR(
	"Subject: outer\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
	"--o\r\nContent-Type: text/plain\r\n\r\none\r\n"
	"--o\r\nContent-Type: message/rfc822\r\n\r\n"
	"Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
	"--i\r\n\r\ntwo.one\r\n--i\r\nContent-Type: text/html\r\n\r\ntwo.two\r\n--i--\r\n"
	"--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: single\r\n\r\nthree\r\n"
	"--o\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\nfour.one\r\n--q--\r\n--o--\r\n");

static void test_sections(void **state)
{
	static const struct {
		const char *section, *body; /* body: its beginning; NULL: no such part */
	} rows[] = {
		{ "", "--o" },		 { "1", "one" },	   { "1.1", NULL },	     { "2", "Subject: inner" },
		{ "2.1", "two.one" },	 { "2.2", "two.two" },	   { "2.3", NULL },	     { "2.1.1", NULL },
		{ "3", "Subject: sin" }, { "3.1", "three" },	   { "3.1.1", NULL },	     { "3.2", NULL },
		{ "4", "--q" },		 { "4.1", "four.one" },	   { "5", NULL },	     { "0", NULL },
		{ "1.", NULL },		 { ".1", NULL },	   { "x", NULL },	     { "4294967296", NULL },
	};
	static const struct str x2 = STR("Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n"
					 "Subject: submsg\r\n\r\nHello world\r\n");
	struct parsed           p;

	(void)state;
	parse(&p, nested);
	assert_int_equal(p.m.flags, 0);
	assert_int_equal(p.m.part_count, 10);
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct mime_part *part = mime_section(&p.m, str_of(rows[i].section));

		assert_int_equal(part != NULL, rows[i].body != NULL);
		if (part)
			assert_true(str_starts(str_sub(p.message, part->body_at, part->body_n), str_of(rows[i].body)));
	}
	done(&p);
	parse(&p, x2); /* a message whose body is a message whose body is a message */
	assert_ptr_equal(mime_section(&p.m, STR("1")), p.m.root);
	assert_ptr_equal(mime_section(&p.m, STR("1.1")), p.m.root->child);
	assert_ptr_equal(mime_section(&p.m, STR("1.1.1")), p.m.root->child->child);
	assert_null(mime_section(&p.m, STR("1.1.1.1")));
	done(&p);
}

static void test_fields(void **state)
{
	struct str        rest = STR("From x\r\nA: 1\r\n 2\r\nno field\r\n more\r\nB :3\r\nC:\r\nReceived: x\r\nreceived: y\r\n\r\nD: 4\r\n");
	struct mime_field f;
	struct arena     *a = arena_new(NULL);
	struct str        header = rest;

	(void)state;
	assert_true(mime_field_next(&rest, &f));
	assert_str(f.name, STR("A"));
	assert_str(f.value, STR(" 1\r\n 2"));
	assert_str(f.whole, STR("A: 1\r\n 2\r\nno field\r\n more\r\n"));
	assert_str(mime_unfold(a, f.value), STR("1 2"));
	assert_true(mime_field_next(&rest, &f));
	assert_str(f.name, STR("B"));
	assert_true(mime_field_next(&rest, &f));
	assert_str(f.value, STR(""));
	assert_true(mime_field_next(&rest, &f) && mime_field_next(&rest, &f));
	assert_false(mime_field_next(&rest, &f));
	assert_str(rest, STR("\r\nD: 4\r\n"));
	assert_true(mime_field_find(header, STR("b"), &f));
	assert_false(mime_field_find(header, STR("D"), &f));
	assert_int_equal(mime_received_count(header), 2);
	arena_free(&a);
}

static void test_summary(void **state)
{
	struct parsed       p;
	struct mime_summary s;

	(void)state;
	parse(&p, STR("From: a@b\r\nTo: c@d,\r\n e@f\r\nSubject: =?utf-8?q?=C3=A9?=\r\nDate: Thu, 1 Jan 1970 00:00:01 +0000\r\n"
		      "Message-ID: <1@x>\r\nReferences: <2@x>\r\n\t<3@x>\r\n\r\n"));
	mime_summary(p.message, &p.m, p.a, &s);
	assert_str(s.subject, STR("\xc3\xa9"));
	assert_str(s.to, STR("c@d, e@f"));
	assert_str(s.references, STR("<2@x>\t<3@x>"));
	assert_true(s.date_ms == 1000 && s.cc.p == NULL && s.cc.n == 0);
	done(&p);
	parse(&p, STR("Date: soon\r\n\r\n"));
	mime_summary(p.message, &p.m, p.a, &s);
	assert_true(s.date_ms == INT64_MIN && s.from.n == 0);
	done(&p);
}

/* Too long for its buffer: a legal shorter form, and what stood before it stays. */
static void test_shorter_forms(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, nested);
	for (size_t max = 100; max < 1000; max += 7) {
		struct buf out;
		struct str s;

		buf_init(&out, max);
		buf_add(&out, STR("x"));
		mime_print_structure(p.message, p.m.root, true, false, &out);
		s = str_from(buf_str(&out), 1);
		check_body(&s, true, false);
		assert_true(s.n == 0 && !out.over && out.p[0] == 'x');
		buf_clear(&out);
		mime_print_envelope(p.message, p.m.root, false, &out);
		s = buf_str(&out);
		check_envelope(&s, false);
		assert_int_equal(s.n, 0);
		buf_done(&out);
	}
	done(&p);
}

static void test_decode(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_true(mime_decode_body(STR("Zm9v"), STR("base64"), &out));
	assert_true(mime_decode_body(STR("=41"), STR("QUOTED-PRINTABLE"), &out));
	assert_true(mime_decode_body(STR("x"), STR("8BIT"), &out));
	assert_false(mime_decode_body(STR("y"), STR("X-UUENCODE"), &out));
	assert_str(buf_str(&out), STR("fooAxy"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope), cmocka_unit_test(test_structure),
		cmocka_unit_test(test_global), cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_sections), cmocka_unit_test(test_fields),	   cmocka_unit_test(test_summary),
		cmocka_unit_test(test_decode),	 cmocka_unit_test(test_shorter_forms),
	};

	return cmocka_run_group_tests_name("mime_parse", tests, NULL, NULL);
}
