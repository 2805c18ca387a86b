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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),
	};

	return cmocka_run_group_tests_name("mime_parse", tests, NULL, NULL);
}
