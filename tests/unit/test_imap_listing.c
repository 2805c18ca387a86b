/* store/store_listing.h, and FETCH BODY[HEADER.FIELDS (...)]: with listings it says octet for octet what it says without. */
#include "imap_rig.h"
#include "unit.h"

#include <sqlite3.h>

#include "base/limits.h"
#include "store/store_listing.h"

static struct imap_rig rig;

static int begin(void **state)
{
	(void)state;
	imap_rig_open(&rig);
	rig.options.retention_ms = 1;
	store_free(&rig.store);
	assert_int_equal(store_new(rig.fd, &rig.options, &rig.store), ST_OK);
	rig.env.store = rig.store;
	return 0;
}

static int end(void **state)
{
	(void)state;
	imap_rig_close(&rig);
	return 0;
}

static void sql(const char *text)
{
	sqlite3 *db;
	char    *why = NULL;

	assert_int_equal(sqlite3_open_v2("/accounts/01/1/mail.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	sqlite3_close(db);
}

static long long sql_number(const char *text)
{
	sqlite3      *db;
	sqlite3_stmt *s;
	long long     n;

	assert_int_equal(sqlite3_open_v2("/accounts/01/1/mail.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

/* ---- messages ---- */

#define BODY "\r\nbody\r\n"

static const struct {
	struct str text;
	bool       listed; /* has a row */
} messages[] = {
	{ STR("Received: from a\r\n by b\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\nFrom: Ann <a@b.test>\r\nTo: b@b.test\r\nSubject: one\r\nX-Other: x\r\n"
	      "Message-ID: <1@b.test>\r\nContent-Type: text/plain\r\n" BODY), true },
	{ STR("Subject: folded\r\n and\r\n\tfolded\r\nX-Other: a\r\n b\r\nReferences: <1@b.test>\r\n <2@b.test>\r\n" BODY), true },
	{ STR("Subject: a\r\nTo: a\r\nSubject: b\r\nX-Other: x\r\nTo: b\r\nTo: b\r\n" BODY), true },
	{ STR("Subject:\r\nTo: \r\nFrom:\r\n  \r\nCc:\r\n x\r\n" BODY), true },
	{ STR("sUBJECT: a\r\nTO:a\r\nfrom:\ta\r\nmessage-id: <x>\r\n" BODY), true },
	{ STR("Subject : a\r\nTo\t: b\r\nFrom \t : c\r\n" BODY), true },
	{ STR("Subject: gr\xc3\xbc\xc3\x9f" "e\r\nTo: \xff\xfe\r\nFrom: =?utf-8?q?=C3=BC?= <a@b.test>\r\n" BODY), true },
	{ STR("Subject: nothing behind it\r\nTo: a\r\n"), true },
	{ STR("Subject: the empty line behind it\r\n\r\n"), true },
	{ STR("Subject: cut off"), false },
	{ STR("To: a\r\nSubject: cut off in the fold\r\n "), false },
	{ STR("Subject: a carriage return\r"), false },
	{ STR("Subject: what is cut off is another\r\nX-Other: y"), true },
	{ STR("\r\nSubject: in the body\r\n"), true },
	{ STR("no header at all\r\nSubject: behind junk\r\n\r\n"), true },
	{ STR("From nobody Mon Jan  2 15:04:05 2006\r\nSubject: an envelope before\r\n" BODY), true },
	{ STR("Subject: a\r\njunk line\r\n of more\r\nTo: b\r\n: c\r\n" BODY), true },
	{ STR("Subject: line feeds\nTo: a\n b\nFrom: c\n\nbody\n"), true },
	{ STR("Subject: one\rtwo\r\r\nTo: a\r\n" BODY), true },
	{ STR("Subject: a\0b\r\nTo: \0\r\n" BODY), true },
	{ STR("X-Other: none of them\r\n" BODY), true },
	{ STR("Content-Type: message/rfc822\r\nSubject: outside\r\n\r\nSubject: inside\r\nTo: a\r\n" BODY), true },
	{ STR("List-Id: <x.test>\r\nX-BeenThere: x\r\nChat-Version: 1.0\r\nDate: never\r\n" BODY), true },
};
#define LONG 7u /* made by add_long */

/* `count` times `line`, then a subject or another. */
static void add(const char *line, size_t count, bool last_other)
{
	struct buf b;

	buf_init(&b, 4 * MIB);
	for (size_t i = 0; i < count; i++)
		buf_add(&b, str_of(line));
	buf_add(&b, last_other ? STR("X-Other: x\r\n" BODY) : STR("Subject: behind them\r\n" BODY));
	imap_rig_add(&rig, buf_str(&b));
	buf_done(&b);
}

static void add_long(void)
{
	char line[5000];

	add("To: a\r\n", STORE_LISTING_FIELDS - 1, false); /* 1 */
	add("To: a\r\n", STORE_LISTING_FIELDS, false);
	add("To: a\r\n", STORE_LISTING_FIELDS + 1, true);
	add("X-Other: some of many lines that nobody lists with\r\n", 1000, false); /* 2: over STORE_HEADER_MAX */
	add("X-Other: some of many lines that nobody lists with\r\n", LIMIT_HEADER_BLOCK / 40, false);
	for (size_t more = 0; more < 2; more++) { /* 3: two octets and three of one field in front */
		size_t n = STORE_LISTING_MAX - 5 + more;

		snprintf(line, sizeof(line), "To: %0*d\r\n", (int)(n - 6), 0);
		add(line, 1, true);
	}
}

static void fill(void)
{
	long long listed = 3;

	for (size_t i = 0; i < LEN(messages); i++) {
		imap_rig_add(&rig, messages[i].text);
		listed += messages[i].listed;
		assert_int_equal(sql_number("SELECT count(*) FROM listing WHERE id = (SELECT max(id) FROM email)"), messages[i].listed);
	}
	add_long();
	assert_int_equal(sql_number("SELECT count(*) FROM email"), LEN(messages) + LONG);
	assert_int_equal(sql_number("SELECT count(*) FROM listing"), listed);
	assert_int_equal(sql_number("SELECT max(length(fields)) FROM listing"), STORE_LISTING_MAX);
}

/* ---- commands ---- */

#define LIST "BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES CONTENT-TYPE IN-REPLY-TO REPLY-TO)]"
#define SUBJECT "BODY.PEEK[HEADER.FIELDS (Subject)]"

static const char *const items[] = {
	"UID FLAGS INTERNALDATE RFC822.SIZE " LIST,
	LIST,
	SUBJECT,
	"BODY.PEEK[HEADER.FIELDS (\"sUbJeCt\" to To {4}\r\nFrom)]",
	"BODY.PEEK[HEADER.FIELDS (Subject X-Other)]",
	"BODY.PEEK[HEADER.FIELDS (X-Other)]",
	"BODY.PEEK[HEADER.FIELDS (Received X-None)]",
	"BODY.PEEK[HEADER.FIELDS (Bcc)]",
	"BODY.PEEK[HEADER.FIELDS (\"Subject \")]",
	"BODY.PEEK[HEADER.FIELDS (Chat-Version X-BeenThere)]",
	"BODY.PEEK[HEADER.FIELDS.NOT (Subject)]",
	SUBJECT " " LIST,
	SUBJECT " BODY.PEEK[HEADER.FIELDS (X-Other)]",
	SUBJECT " BODY.PEEK[HEADER.FIELDS.NOT (X-Other)]",
	SUBJECT " BODY.PEEK[HEADER]",
	SUBJECT " BODY.PEEK[TEXT]<0.10>",
	SUBJECT " BINARY.PEEK[1]<0.10> BINARY.SIZE[1]",
	SUBJECT " BODY.PEEK[1.HEADER.FIELDS (Subject)]",
	"BODY.PEEK[1.HEADER.FIELDS (Subject To)]",
	"ENVELOPE " LIST,
	"BODYSTRUCTURE BODY " LIST "<4.60>",
	"PREVIEW " LIST,
	"EMAILID THREADID SAVEDATE MODSEQ " LIST,
	LIST "<0.1>", LIST "<0.1000000>", LIST "<1.1>", LIST "<7.30>", LIST "<20.100>", LIST "<4090.10>", LIST "<100000.1>",
	SUBJECT "<9.1> " SUBJECT "<10.1> " SUBJECT "<11.1> " SUBJECT "<12.1> " SUBJECT "<13.2>", SUBJECT "<3.10> " SUBJECT,
};

static const char *const enabled[] = { "NOOP", "ENABLE IMAP4rev2", "ENABLE UTF8=ACCEPT", "ENABLE UIDONLY", "ENABLE QRESYNC" };
static const char *const sets[] = { "1:*", "1,3,9,30", "22", "10:12" };

/* All that a session is told. */
static struct str session(const char *enable, struct arena *arena)
{
	struct buf all;
	struct str ret;

	buf_init(&all, 256 * MIB);
	imap_rig_begin(&rig);
	(void)imap_rig_say(&rig, IMAP_SIGN_IN);
	(void)imap_rig_say(&rig, arena_cstr(arena, arena_printf(arena, "b %s\r\nc EXAMINE INBOX\r\n", enable)));
	for (size_t i = 0; i < LEN(items); i++)
		for (size_t k = 0; k < LEN(sets); k++)
			buf_add(&all, imap_rig_say(&rig, arena_cstr(arena, arena_printf(arena, "%zu.%zu UID FETCH %s (%s)\r\n", i, k, sets[k], items[i]))));
	imap_rig_end(&rig);
	ret = arena_dup(arena, buf_str(&all));
	buf_done(&all);
	return ret;
}

/* Of two long texts, where they part. */
static void same(struct str got, struct str want)
{
	size_t i = 0;

	while (i < got.n && i < want.n && got.p[i] == want.p[i])
		i++;
	if (got.n != want.n || i < got.n)
		assert_str(str_sub(got, i - MIN(i, 300u), 600), str_sub(want, i - MIN(i, 300u), 600));
}

static void test_same(void **state)
{
	static const char *const fewer[] = { "DELETE FROM listing WHERE id % 3 = 1", "DELETE FROM listing WHERE id < 12", "DELETE FROM listing" };
	struct str               with[LEN(enabled)];

	(void)state;
	fill();
	for (size_t i = 0; i < LEN(enabled); i++) {
		with[i] = session(enabled[i], rig.arena);
		assert_true(str_search(with[i], STR(" BAD ")) < 0);
	}
	assert_true(str_search(with[0], STR("sUBJECT: a\r\nTO:a\r\nfrom:\ta\r\nmessage-id: <x>\r\n\r\n")) > 0);
	for (size_t k = 0; k < LEN(fewer); k++) {
		sql(fewer[k]);
		for (size_t i = 0; i < (k + 1 == LEN(fewer) ? LEN(enabled) : 1); i++)
			same(session(enabled[i], rig.arena), with[i]);
	}
}

/* Numbers of emails that do not lie dense, and messages in an order of their own. */
static void test_scattered(void **state)
{
	struct str with;

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		imap_rig_add(&rig, messages[i].text);
		sql("UPDATE account SET next_id = next_id + 1000");
	}
	imap_rig_begin(&rig);
	(void)imap_rig_say(&rig, IMAP_SIGN_IN "b SELECT INBOX\r\nc COPY 9,2,5 INBOX\r\nd NOOP\r\n");
	with = arena_dup(rig.arena, imap_rig_say(&rig, "e FETCH 1:* (" LIST ")\r\nf FETCH 13:15 (ENVELOPE " LIST ")\r\n"));
	assert_true(str_search(with, STR("\r\ne OK")) > 0 && str_search(with, STR("\r\nf OK")) > 0 && str_search(with, STR("* 15 FETCH")) > 0);
	sql("DELETE FROM listing WHERE id % 2000 < 1000");
	same(imap_rig_say(&rig, "e FETCH 1:* (" LIST ")\r\nf FETCH 13:15 (ENVELOPE " LIST ")\r\n"), with);
	sql("DELETE FROM listing");
	same(imap_rig_say(&rig, "e FETCH 1:* (" LIST ")\r\nf FETCH 13:15 (ENVELOPE " LIST ")\r\n"), with);
	imap_rig_end(&rig);
}

/* It is the listing that is read, unless it says that it cannot be: one of other names, or damaged. */
static void test_read(void **state)
{
	static const char *const bad[] = { "x''", "x'00'", "x'0000'", "x'2f01'", "x'2f0107ff00'", "x'2fff'", "x'ff00'", "x'2f010700ff41'", "x'2f00'||x'41'",
					   "x'0500'", "zeroblob(5000)", "substr(fields, 1, length(fields) - 1)", "fields || x'0a'" };

	(void)state;
	imap_rig_add(&rig, STR("Subject: what it was\r\nX-Other: x\r\n" BODY));
	imap_rig_begin(&rig);
	(void)imap_rig_say(&rig, IMAP_SIGN_IN "b SELECT INBOX\r\n");
	sql("UPDATE listing SET fields = replace(CAST(fields AS TEXT), 'was', 'is!')");
	sql("UPDATE listing SET fields = CAST(fields AS BLOB)");
	assert_str(imap_rig_say(&rig, "c FETCH 1 " SUBJECT "\r\n"),
		   STR("* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {24}\r\nSubject: what it is!\r\n\r\n)\r\nc OK That is all\r\n"));
	for (size_t i = 0; i < LEN(bad); i++) {
		sql(arena_cstr(rig.arena, arena_printf(rig.arena, "UPDATE listing SET fields = %s", bad[i])));
		assert_str(imap_rig_say(&rig, "c FETCH 1 " SUBJECT "\r\n"),
			   STR("* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {24}\r\nSubject: what it was\r\n\r\n)\r\nc OK That is all\r\n"));
	}
	imap_rig_end(&rig);
}

static void test_seen(void **state)
{
	(void)state;
	imap_rig_add(&rig, messages[0].text);
	imap_rig_begin(&rig);
	(void)imap_rig_say(&rig, IMAP_SIGN_IN "b SELECT INBOX\r\n");
	assert_str(imap_rig_say(&rig, "c FETCH 1 BODY[HEADER.FIELDS (Subject)]\r\n"),
		   STR("* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: one\r\n\r\n)\r\nc OK That is all\r\n"));
	imap_rig_end(&rig);
}

/* Somebody else expunges: what can be read is shown, then it is gone, and its listing with it. */
static void gone(bool listed)
{
	imap_rig_add(&rig, messages[0].text);
	imap_rig_add(&rig, messages[1].text);
	if (!listed)
		sql("DELETE FROM listing");
	imap_rig_begin(&rig);
	(void)imap_rig_say(&rig, IMAP_SIGN_IN "b SELECT INBOX\r\n");
	imap_rig_expunge(&rig, 1);
	assert_int_equal(sql_number("SELECT count(*) FROM listing"), listed ? 2 : 0);
	assert_true(str_search(imap_rig_say(&rig, "c FETCH 1:2 " SUBJECT "\r\n"),
			       STR("* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: one\r\n\r\n)\r\n* 2 FETCH (BODY[HEADER.FIELDS (Subject)] {")) == 0);
	usleep(5000);
	imap_rig_add(&rig, messages[2].text); /* and what was expunged before is given up */
	assert_int_equal(sql_number("SELECT count(*) FROM email"), 2);
	assert_int_equal(sql_number("SELECT count(*) FROM listing WHERE id NOT IN (SELECT id FROM email)"), 0);
	assert_true(str_search(imap_rig_say(&rig, "c FETCH 1:2 " SUBJECT "\r\n"), STR("* 2 FETCH (BODY[HEADER.FIELDS (Subject)] {")) == 0);
	assert_true(str_search(buf_str(&rig.conn.out), STR("\r\nc NO [EXPUNGEISSUED] ")) > 0);
	imap_rig_end(&rig);
}

static void test_gone(void **state)
{
	(void)state;
	gone(true);
}

static void test_gone_unlisted(void **state)
{
	(void)state;
	gone(false);
}

/* ---- the listing itself ---- */

/* Of each beginning, and with each octet another, it is read inside its bounds or refused. */
static void test_pick(void **state)
{
	static const char    whole[] = "\x2f\x03\x07\x05\x00\x03\x04\x00\x07\x06\x00S: a\nT: \nS: bc\n";
	const struct str     s = str_n(whole, sizeof(whole) - 1);
	struct store_listed  l;

	(void)state;
	assert_true(store_listing_pick(s, 1u << 7, &l));
	assert_int_equal(l.octets, 11);
	assert_int_equal(l.count, 2);
	assert_str(l.runs[1], STR("S: bc\n"));
	assert_true(store_listing_pick(s, 1u << 7 | 1u << 3, &l));
	assert_int_equal(l.count, 1);
	assert_str(l.runs[0], STR("S: a\nT: \nS: bc\n"));
	assert_true(store_listing_pick(s, 1u, &l));
	assert_int_equal(l.octets, 0);
	assert_false(store_listing_pick(s, (uint64_t)1 << 47, &l));
	for (size_t n = 0; n < s.n; n++) {
		struct str part = unit_exact(str_first(s, n));

		assert_false(store_listing_pick(part, 1u << 7, &l));
		unit_exact_free(part);
	}
	for (size_t i = 0; i < s.n * 256; i++) {
		struct str other = unit_exact(s);

		((char *)(uintptr_t)other.p)[i / 256] = (char)(i % 256);
		if (store_listing_pick(other, 1u << 7 | 1u << 3, &l))
			assert_true(l.octets <= 15 && l.count <= 3);
		unit_exact_free(other);
	}
}

static void test_names(void **state)
{
	const struct str two[] = { STR("SUBJECT"), STR("date") }, other[] = { STR("Subject"), STR("Received") };

	(void)state;
	assert_int_equal(store_listing_names(two, 2), 1u << 7 | 1u);
	assert_int_equal(store_listing_names(other, 2), 0);
	assert_int_equal(store_listing_names(other, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, begin, end),
		cmocka_unit_test_setup_teardown(test_scattered, begin, end),
		cmocka_unit_test_setup_teardown(test_read, begin, end),
		cmocka_unit_test_setup_teardown(test_seen, begin, end),
		cmocka_unit_test_setup_teardown(test_gone, begin, end),
		cmocka_unit_test_setup_teardown(test_gone_unlisted, begin, end),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
