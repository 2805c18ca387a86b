/* Messages that two programs may read differently (the families of "Inbox Invasion", CCS 2024): each must set a flag and
 * still give a legal tree. The controls at the end must set none.
 *
 * A case is a multipart message built from pieces; a row says which piece is odd. Every case runs with CRLF, with bare LF,
 * and cut at every octet.
 */
#include "unit.h"

#include <string.h>

#include "mime_check.h"

#define EOL "\r\n"

struct build {
	const char *type;  /* lines of the header about the content, instead of the plain one */
	const char *blank; /* between header and body */
	const char *body;  /* all of it */
	unsigned    flag;  /* at least one of these must be set; 0: none of any */
};

static const char plain_type[] = "Content-Type: multipart/mixed; boundary=\"b1\"" EOL;
static const char plain_body[] = "--b1" EOL "Content-Type: text/plain" EOL EOL "one" EOL "--b1" EOL
				 "Content-Type: text/html" EOL EOL "two" EOL "--b1--" EOL;
#define LEAF(fields) "--b1" EOL fields EOL "one" EOL "--b1--" EOL

static const struct build rows[] = {
	/* Duplicate or conflicting fields */
	{ "Content-Type: multipart/mixed; boundary=b1" EOL "Content-Type: text/plain" EOL, NULL, NULL, MIME_FLAG_DUP_FIELD },
	{ "Content-Type: text/plain" EOL "Content-Type: multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_DUP_FIELD },
	{ "MIME-Version: 1.0" EOL "MIME-Version: 1.0" EOL, NULL, NULL, MIME_FLAG_DUP_FIELD },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: base64" EOL "Content-Transfer-Encoding: 7bit" EOL), MIME_FLAG_DUP_FIELD },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: 7bit" EOL "X: y" EOL "content-transfer-encoding: base64" EOL), MIME_FLAG_DUP_FIELD },
	{ NULL, NULL, LEAF("Content-Disposition: inline" EOL "Content-Disposition: attachment" EOL), MIME_FLAG_DUP_FIELD },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: base64, 7bit" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: \"base64\"" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: base64 7bit" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: base64;" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding:" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: (base64" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: base64 (7bit" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: base64\x0b" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: x-uuencode" EOL), MIME_FLAG_BAD_CTE },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: =?utf-8?q?base64?=" EOL), MIME_FLAG_BAD_CTE },
	/* Names and values */
	{ "Content-Type : multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	{ "Content-Type\t: multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	{ "X: y" EOL "Content-Type" EOL " : multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	{ "Content -Type: multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	{ "Content-Type multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	{ "=43ontent-Type\x80: multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	{ ": multipart/mixed" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	{ "Content-Type:" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: /mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed, text/plain; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed/x; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: \"multipart/mixed\"; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; x; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary=b1(" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed (; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "X: y\r\n\t\r\nContent-Type: multipart/mixed; boundary=b1" EOL, NULL, NULL, MIME_FLAG_BAD_FIELD },
	/* Boundaries */
	{ "Content-Type: multipart/mixed" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=\"\"" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=\" \"" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=\"b1 \"" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=\"b1;\"" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=\"b\xc3\xa9\"" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=\"b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary=b1\"" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary=b1 b2" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary=b1, boundary=b2" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary==b1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary=(x)b1(y" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary=b1; boundary=b2" EOL, NULL, NULL, MIME_FLAG_DUP_PARAM },
	{ "Content-Type: multipart/mixed; boundary=b2; Boundary=b1" EOL, NULL, NULL, MIME_FLAG_DUP_PARAM },
	{ "Content-Type: multipart/mixed; boundary=b2; boundary*=us-ascii''b1" EOL, NULL, NULL, MIME_FLAG_DUP_PARAM },
	{ "Content-Type: multipart/mixed; boundary*=us-ascii''b1" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary*0=b; boundary*1=1" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary*1=1" EOL, NULL, NULL, MIME_FLAG_BAD_TYPE },
	{ "Content-Type: multipart/mixed; boundary*0=b; boundary*0=c; boundary*1=1" EOL, NULL, NULL, MIME_FLAG_DUP_PARAM },
	{ "Content-Type: multipart/mixed; boundary=\"=?utf-8?q?b1?=\"" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	{ "Content-Type: multipart/mixed; boundary=\"01234567890123456789012345678901234567890123456789012345678901234567890\"" EOL, NULL, NULL, MIME_FLAG_BAD_BOUNDARY },
	/* Delimiters */
	{ NULL, NULL, "--b1" EOL EOL "one" EOL "--b1" EOL, MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL, MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, "one" EOL, MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, "", MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL "--b1-" EOL "--b1--" EOL, MIME_FLAG_BAD_BOUNDARY },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL "--b1x" EOL "two" EOL "--b1--" EOL, MIME_FLAG_BAD_BOUNDARY },
	{ NULL, NULL, "--b1 x" EOL EOL "one" EOL "--b1--" EOL, MIME_FLAG_BAD_BOUNDARY },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL "--b1--x" EOL, MIME_FLAG_BAD_BOUNDARY },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL " --b1--" EOL, MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL "x--b1--" EOL, MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, "--B1" EOL EOL "one" EOL "--B1--" EOL, MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, "--b1--" EOL "--b1" EOL EOL "one" EOL "--b1--" EOL, MIME_FLAG_PREAMBLE },
	{ NULL, NULL, "hidden" EOL "--b1" EOL EOL "one" EOL "--b1--" EOL, MIME_FLAG_PREAMBLE },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL "--b1--" EOL "hidden", MIME_FLAG_PREAMBLE },
	{ NULL, NULL, "--b1" EOL EOL "one" EOL "--b1--" EOL "--b1" EOL EOL "two" EOL "--b1--" EOL, MIME_FLAG_PREAMBLE },
	/* Nesting */
	{ NULL, NULL, LEAF("Content-Type: multipart/mixed; boundary=b1" EOL), MIME_FLAG_BOUNDARY_CLASH },
	{ NULL, NULL, LEAF("Content-Type: multipart/mixed; boundary=b" EOL), MIME_FLAG_BOUNDARY_CLASH },
	{ NULL, NULL, LEAF("Content-Type: multipart/mixed; boundary=b12" EOL), MIME_FLAG_BOUNDARY_CLASH },
	{ NULL, NULL, LEAF("Content-Type: multipart/mixed; boundary=b1--" EOL), MIME_FLAG_BOUNDARY_CLASH },
	{ NULL, NULL, LEAF("Content-Type: multipart/mixed" EOL), MIME_FLAG_BAD_BOUNDARY },
	{ NULL, NULL, LEAF("Content-Type: multipart/mixed; boundary=b2" EOL), MIME_FLAG_NO_CLOSE },
	{ NULL, NULL, LEAF("Content-Type: message/rfc822" EOL "Content-Transfer-Encoding: base64" EOL), MIME_FLAG_CTE_COMPOSITE },
	{ "Content-Type: multipart/mixed; boundary=b1" EOL "Content-Transfer-Encoding: quoted-printable" EOL, NULL, NULL, MIME_FLAG_CTE_COMPOSITE },
	{ "Content-Type: multipart/mixed; boundary=b1" EOL "Content-Transfer-Encoding: x" EOL, NULL, NULL, MIME_FLAG_CTE_COMPOSITE },
	/* Between header and body */
	{ NULL, "", NULL, MIME_FLAG_NO_SEPARATOR | MIME_FLAG_BAD_FIELD },
	{ NULL, " " EOL, NULL, MIME_FLAG_BAD_FIELD },
	{ NULL, "\n", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\r", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\n\r", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\r\r\n", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\r\n\r", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\r \n", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\rx\n", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\n\n", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\r\n\n", NULL, MIME_FLAG_BARE_EOL },
	{ NULL, "\x0b\r\n", NULL, MIME_FLAG_BAD_FIELD },
	{ NULL, NULL, "--b1" EOL "text without header" EOL "--b1--" EOL, MIME_FLAG_NO_SEPARATOR },
	{ NULL, NULL, "--b1" EOL "Content-Type: text/plain" EOL "--b1--" EOL, MIME_FLAG_NO_SEPARATOR },
	/* The message's own fields */
	{ "From: a@b" EOL "From: c@d" EOL, NULL, NULL, MIME_FLAG_DUP_FROM },
	{ "Subject: x" EOL "Subject: y" EOL, NULL, NULL, MIME_FLAG_DUP_FROM },
	{ "Date: x" EOL "date: y" EOL, NULL, NULL, MIME_FLAG_DUP_FROM },
	{ "Subject: caf\xe9" EOL, NULL, NULL, MIME_FLAG_8BIT_HEADER },
	/* Controls: nothing here may be flagged */
	{ NULL, NULL, NULL, 0 },
	{ NULL, NULL, "--b1 \t" EOL EOL "one" EOL "--b1-- " EOL, 0 },
	{ NULL, NULL, EOL "--b1" EOL EOL "one" EOL "--b1--" EOL EOL, 0 },
	{ "Content-Type: (c) multipart (d) / mixed (e) ; (f) boundary = b1 (g)" EOL, NULL, NULL, 0 },
	{ "Content-Type: multipart/mixed;" EOL "\tboundary=\"b1\";" EOL, NULL, NULL, 0 },
	{ "CONTENT-TYPE: MULTIPART/MIXED; BOUNDARY=b1" EOL, NULL, NULL, 0 },
	{ "Content-Type: multipart/mixed; boundary=\"b\\1\"" EOL, NULL, NULL, 0 },
	{ NULL, NULL, LEAF("Content-Transfer-Encoding: (x) base64 (y)" EOL), 0 },
	{ NULL, NULL, LEAF("Subject: in a part" EOL "Subject: may be anything" EOL), 0 },
};

static void message_build(const struct build *r, struct buf *out)
{
	const char *type = r->type ? r->type : plain_type, *blank = r->blank ? r->blank : EOL;
	const char *body = r->body ? r->body : plain_body;

	buf_clear(out);
	buf_add(out, STR("To: x@y" EOL "MIME-Version: 1.0" EOL));
	buf_add(out, str_of(type));
	buf_add(out, str_of(blank));
	buf_add(out, str_of(body));
}

static void test_families(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf b;
		struct str s;
		unsigned   flags;

		buf_init(&b, 10000);
		message_build(&rows[i], &b);
		s = unit_exact(buf_str(&b));
		flags = check_message(s);
		if (rows[i].flag ? !(flags & rows[i].flag) : flags != 0)
			fail_msg("row %zu: flags %#x, want %#x in:\n%.*s", i, flags, rows[i].flag, STR_FMT(s));
		unit_exact_free(s);
		for (size_t n = 0; n < b.n; n++) {
			s = unit_exact(str_first(buf_str(&b), n));
			check_message(s);
			unit_exact_free(s);
		}
		buf_done(&b);
	}
}

/* Each kind of line end at each place of a control message: flagged unless it is CRLF, legal always. */
static void test_line_ends(void **state)
{
	static const struct str ends[] = { STR("\n"), STR("\r"), STR("\n\r"), STR("\r\r\n"), STR("\r\n\n"), STR("\r\0\n"), STR("\0\r\n") };
	struct buf              b, odd;

	(void)state;
	buf_init(&b, 10000);
	buf_init(&odd, 10000);
	message_build(&(struct build){ 0 }, &b);
	for (size_t k = 0; k < LEN(ends); k++) {
		for (size_t i = 0; i + 1 < b.n; i++) {
			struct str s;

			if (b.p[i] != '\r')
				continue;
			buf_clear(&odd);
			buf_add(&odd, str_first(buf_str(&b), i));
			buf_add(&odd, ends[k]);
			buf_add(&odd, str_from(buf_str(&b), i + 2));
			s = unit_exact(buf_str(&odd));
			assert_true(check_message(s) & (MIME_FLAG_BARE_EOL | MIME_FLAG_NUL));
			unit_exact_free(s);
		}
	}
	buf_done(&b);
	buf_done(&odd);
}

/* One octet put in or taken out anywhere: legal. */
static void test_octets(void **state)
{
	static const char junk[] = { '\0', '\r', '\n', ' ', ';', ',', '"', '(', '\\', '=', '-', '\xff', ':' };
	struct buf        b, odd;

	(void)state;
	buf_init(&b, 10000);
	buf_init(&odd, 10000);
	message_build(&(struct build){ 0 }, &b);
	for (size_t k = 0; k <= sizeof(junk); k++) {
		for (size_t i = 0; i < b.n; i++) {
			struct str s;

			buf_clear(&odd);
			buf_add(&odd, str_first(buf_str(&b), i));
			if (k < sizeof(junk))
				buf_add_char(&odd, junk[k]);
			buf_add(&odd, str_from(buf_str(&b), k < sizeof(junk) ? i : i + 1));
			s = unit_exact(buf_str(&odd));
			check_message(s);
			unit_exact_free(s);
		}
	}
	buf_done(&b);
	buf_done(&odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_octets),
	};

	return cmocka_run_group_tests_name("mime_ambiguity", tests, NULL, NULL);
}
