/* wire/imap/imap_append.h, imap_url.h: APPEND in pieces (RFC 3502, RFC 3516, RFC 4469, RFC 6855), URLs of CATENATE (RFC 5092). */
#include "unit.h"

#include "wire/imap/imap_append.h"
#include "wire/imap/imap_url.h"

/* One letter per item: B bad, ? more, M mailbox, ( message, o octets, u URL, ) whole, . end. */
static const char letters[] = "B?M(ou).";

/* Texts one behind the other, each but the last ending in a literal's head; "" behind a text says that the literal was content. */
static const struct {
	const char *texts[5], *items;
} commands[] = {
	{ { "INBOX {5}", "" }, "M(o)." },
	{ { "INBOX {5+}", "" }, "M(o)." },
	{ { "\"a b\" (\\Seen $x \\Recent) {5}", "" }, "M(o)." },
	{ { "x () \" 1-Jan-1970 00:00:01 +0000\" ~{5}", "" }, "M(o)." },
	{ { "{5}" }, "?" },
	{ { "{5+}\r\nINBOX {3}", "" }, "M(o)." },
	{ { "x {1}", " (\\Seen) {2}", "" }, "M(o)(o)." },
	{ { "x {1}", " {2}", " \"02-Jan-1970 00:30:00 +0100\" ~{3+}", "" }, "M(o)(o)(o)." },
	{ { "x UTF8 (~{1}", ")" }, "M(o)." },
	{ { "x UTF8 (~{1}", ") {5}", "" }, "M(o)(o)." },
	{ { "x UTF8 ({1}" }, "M(B" },
	{ { "x CATENATE (URL /a TEXT {1}", ")" }, "M(uo)." },
	{ { "x CATENATE (TEXT {1}", " URL {3}\r\nabc TEXT ~{2}", " UTF8 (~{1}", "))" }, "M(ouoo)." },
	{ { "x CATENATE (URL {3}" }, "M(?" },
	{ { "x CATENATE (URL a URL {3}" }, "M(u?" },
	{ { "x CATENATE (URL a) CATENATE (URL b)" }, "M(u)(u)." },
	{ { "x CATENATE (URL a" }, "M(uB" },
	{ { "x CATENATE ()" }, "M(B" },
	{ { "x CATENATE (TEXT a)" }, "M(B" },
	{ { "x CATENATE (URL a TEXT {1}", "" }, "M(uoB" },
	{ { "x \"31-Feb-1970 00:30:00 +0100\" {5}" }, "MB" },
	{ { "x \" 1-Jan-1970 24:00:01 +0000\" {5}" }, "MB" },
	{ { "x (\\Foo) {5}" }, "MB" },
	{ { "x" }, "MB" },
	{ { "x{5}" }, "MB" },
	{ { "x \"abc" }, "MB" },
	{ { "x foo {5}" }, "M(B" },
	{ { "x {5}", "{5}" }, "M(o)B" },
	{ { "x {5}", " " }, "M(o)(B" },
	{ { "~{5}" }, "MB" },
};

static void test_items(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(commands); i++) {
		struct arena          *a = arena_new(NULL);
		struct imap_append     p = { 0 };
		char                   got[40];
		size_t                 n = 0, text = 0;
		enum imap_append_item  item;
		struct str             in = unit_exact(str_of(commands[i].texts[0]));
		struct imap_lex        x = { .in = in, .arena = a };

		do {
			item = imap_append_next(&p, &x);
			got[n++] = letters[item];
			if (item == IMAP_APPEND_OCTETS) {
				unit_exact_free(in);
				in = unit_exact(str_of(commands[i].texts[++text]));
				x.in = in;
			}
		} while (item != IMAP_APPEND_BAD && item != IMAP_APPEND_MORE && item != IMAP_APPEND_END && n < sizeof(got));
		assert_str(str_n(got, n), str_of(commands[i].items));
		unit_exact_free(in);
		arena_free(&a);
	}
}

static void test_options(void **state)
{
	struct arena      *a = arena_new(NULL);
	struct imap_append p = { 0 };
	struct imap_lex    x = { .in = STR("x (\\Seen $x) \"02-Jan-1970 00:30:00 +0100\" ~{5}"), .arena = a };

	(void)state;
	assert_int_equal(imap_append_next(&p, &x), IMAP_APPEND_MAILBOX);
	assert_str(p.mailbox, STR("x"));
	assert_int_equal(imap_append_next(&p, &x), IMAP_APPEND_MESSAGE);
	assert_int_equal(p.flags.mask, IMAP_SEEN);
	assert_int_equal(p.flags.keyword_count, 1);
	assert_true(p.dated && p.internal_ms == (23 * 60 + 30) * 60000 && p.zone == 60);
	assert_int_equal(imap_append_next(&p, &x), IMAP_APPEND_OCTETS);
	assert_true(p.binary && !p.utf8);
	/* The next message has nothing of this one. */
	x.in = STR(" {1}");
	assert_int_equal(imap_append_next(&p, &x), IMAP_APPEND_WHOLE);
	assert_int_equal(imap_append_next(&p, &x), IMAP_APPEND_MESSAGE);
	assert_int_equal(p.flags.mask, 0);
	assert_int_equal(p.flags.keyword_count, 0);
	assert_false(p.dated);
	arena_free(&a);
}

static const struct {
	struct str  in;
	bool        ok;
	const char *mailbox, *section;
	uint32_t    uidvalidity, uid, from, count;
} urls[] = {
	{ STR("/INBOX/;UID=5"), true, "INBOX", "", 0, 5, 0, 0 },
	{ STR("/INBOX;UIDVALIDITY=7/;UID=5/;SECTION=1.2"), true, "INBOX", "1.2", 7, 5, 0, 0 },
	{ STR("/a/b%20c;uidvalidity=7/;uid=5/;section=HEADER.FIELDS%20(To)/;partial=3.4"), true, "a/b c", "HEADER.FIELDS (To)", 7, 5, 3, 4 },
	{ STR("/a/;UID=1/;PARTIAL=9"), true, "a", "", 0, 1, 9, 0 },
	{ STR("/Gr%C3%BC/;UID=1"), true, "Gr\xc3\xbc", "", 0, 1, 0, 0 },
	{ STR(";UID=4294967295"), true, "", "", 0, UINT32_MAX, 0, 0 },
	{ STR("imap://joe@example.com:143/INBOX/;UID=1"), true, "INBOX", "", 0, 1, 0, 0 },
	{ STR("imap://joe%40x;AUTH=*@example.com/INBOX/;UID=1"), true, "INBOX", "", 0, 1, 0, 0 },
	{ STR("imap://[::1]:143/INBOX/;UID=1"), true, "INBOX", "", 0, 1, 0, 0 },
	{ STR("//h/INBOX/;UID=1"), true, "INBOX", "", 0, 1, 0, 0 },
	{ STR(""), false, "", "", 0, 0, 0, 0 },
	{ STR("/"), false, "", "", 0, 0, 0, 0 },
	{ STR("INBOX/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("//;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX/;UID=0"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX/;UID=4294967296"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX;UIDVALIDITY=0/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX/;UID=1/"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX/;UID=1/;SECTION="), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX/;UID=1/;SECTION=1;PARTIAL=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX/;UID=1/;SECTION=1/;PARTIAL=1.0"), false, "", "", 0, 0, 0, 0 },
	{ STR("/INBOX/;UID=1;EXPIRE=2038-01-01T00:00:00Z;URLAUTH=anonymous"), false, "", "", 0, 0, 0, 0 },
	{ STR("/IN%/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/IN%4/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/IN%00/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("/IN%ff/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("imap:/INBOX/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("imap:///INBOX/;UID=1"), false, "", "", 0, 0, 0, 0 },
	{ STR("imap://["), false, "", "", 0, 0, 0, 0 },
	{ STR("http://h/INBOX/;UID=1"), false, "", "", 0, 0, 0, 0 },
};

static void test_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(urls); i++) {
		struct arena   *a = arena_new(NULL);
		struct str      in = unit_exact(urls[i].in);
		struct imap_url u = { 0 };

		if (imap_url_parse(in, a, &u) != urls[i].ok)
			fail_msg("%.*s", STR_FMT(in));
		if (urls[i].ok) {
			assert_str(u.mailbox, str_of(urls[i].mailbox));
			assert_int_equal(u.selected, urls[i].mailbox[0] == 0);
			assert_str(u.section, str_of(urls[i].section));
			assert_int_equal(u.uidvalidity, urls[i].uidvalidity);
			assert_int_equal(u.uid, urls[i].uid);
			assert_int_equal(u.from, urls[i].from);
			assert_int_equal(u.count, urls[i].count);
		}
		unit_exact_free(in);
		arena_free(&a);
	}
}

static void test_url_server(void **state)
{
	struct arena   *a = arena_new(NULL);
	struct imap_url u;

	(void)state;
	assert_true(imap_url_parse(STR("imap://joe%40x.test;AUTH=*@Mail.test:10143/I/;UID=1"), a, &u));
	assert_true(u.server);
	assert_str(u.user, STR("joe@x.test"));
	assert_str(u.host, STR("Mail.test"));
	assert_true(imap_url_parse(STR("imap://mail.test/I/;UID=1"), a, &u));
	assert_null(u.user.p);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_url_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
