/* wire/imap: FETCH, STORE, SEARCH, STATUS arguments, dates, printers. */
#include "unit.h"

#include "wire/imap/imap_command.h"
#include "wire/imap/imap_date.h"
#include "wire/imap/imap_fetch.h"
#include "wire/imap/imap_print.h"
#include "wire/imap/imap_search.h"

static const struct {
	struct str  in;
	bool        ok;
	unsigned    items;
	const char *names; /* of the sections, "!" before those that peek */
} fetches[] = {
	{ STR("FLAGS"), true, IMAP_FETCH_FLAGS, "" },
	{ STR("(uid Flags)"), true, IMAP_FETCH_UID | IMAP_FETCH_FLAGS, "" },
	{ STR("FAST"), true, IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE | IMAP_FETCH_RFC822_SIZE, "" },
	{ STR("full"), true, 0x3e, "" },
	{ STR("(FAST)"), false, 0, "" },
	{ STR("BODY"), true, IMAP_FETCH_BODY, "" },
	{ STR("BODYSTRUCTURE"), true, IMAP_FETCH_BODYSTRUCTURE, "" },
	{ STR("body[]"), true, 0, "BODY[] " },
	{ STR("BODY.PEEK[]<0.1024>"), true, 0, "!BODY[] " },
	{ STR("BODY[]<1024>"), false, 0, "" },
	{ STR("BODY[]<0.0>"), false, 0, "" },
	{ STR("BODY[]<9223372036854775807.9223372036854775807>"), true, 0, "BODY[] " },
	{ STR("BODY[]<9223372036854775808.1>"), false, 0, "" },
	{ STR("BODY[]<1.9223372036854775808>"), false, 0, "" },
	{ STR("(BODY[1.2.MIME] BODY[1] BODY[header])"), true, 0, "BODY[1.2.MIME] BODY[1] BODY[HEADER] " },
	{ STR("BODY[MIME]"), false, 0, "" },
	{ STR("BODY[0]"), false, 0, "" },
	{ STR("BODY[1.]"), false, 0, "" },
	{ STR("BODY[1.0]"), false, 0, "" },
	{ STR("BODY[1..2]"), false, 0, "" },
	{ STR("BODY[.1]"), false, 0, "" },
	{ STR("BODY[TEXT.1]"), false, 0, "" },
	{ STR("BODY.PEEK[header.fields (Date \"From\" {2}\r\nTo)]"), true, 0, "!BODY[HEADER.FIELDS (Date \"From\" To)] " },
	{ STR("BODY[3.HEADER.FIELDS.NOT (x)]<1.2>"), true, 0, "BODY[3.HEADER.FIELDS.NOT (x)] " },
	{ STR("BODY[HEADER.FIELDS ()]"), false, 0, "" },
	{ STR("BODY[HEADER.FIELDS(a)]"), false, 0, "" },
	{ STR("BODY[HEADER.FIELDS]"), false, 0, "" },
	{ STR("(RFC822 RFC822.SIZE RFC822.HEADER RFC822.TEXT RFC822.PEEK)"), true, IMAP_FETCH_RFC822_SIZE,
	  "RFC822 !RFC822.HEADER RFC822.TEXT !RFC822 " },
	{ STR("()"), false, 0, "" },
	{ STR("(FLAGS "), false, 0, "" },
	{ STR("(FLAGS UID"), false, 0, "" },
	{ STR("XYZ"), false, 0, "" },
	{ STR(""), false, 0, "" },
};

static bool fetch_parse(struct str in, struct imap_fetch *f, struct arena *a)
{
	struct imap_lex x = { .in = in, .arena = a };

	return imap_lex_fetch(&x, f) && imap_lex_end(&x);
}

static void test_fetch(void **state)
{
	struct buf names;

	(void)state;
	buf_init(&names, 1000);
	for (size_t i = 0; i < LEN(fetches); i++) {
		struct imap_fetch f;
		struct arena     *a = arena_new(NULL);
		struct str        in = unit_exact(fetches[i].in);

		if (fetch_parse(in, &f, a) != fetches[i].ok)
			fail_msg("%.*s", STR_FMT(in));
		buf_clear(&names);
		for (struct imap_section *s = fetches[i].ok ? f.sections : NULL; s; s = s->next)
			buf_addf(&names, "%s%.*s ", s->peek ? "!" : "", STR_FMT(s->name));
		assert_str(buf_str(&names), str_of(fetches[i].names));
		if (fetches[i].ok)
			assert_int_equal(f.items, fetches[i].items);
		unit_exact_free(in);
		/* Cut anywhere: never more than the text is read. */
		for (size_t n = 0; n < fetches[i].in.n; n++) {
			in = unit_exact(str_first(fetches[i].in, n));
			(void)fetch_parse(in, &f, a);
			unit_exact_free(in);
		}
		arena_free(&a);
	}
	buf_done(&names);
}

static void key_print(struct buf *out, const struct imap_key *k)
{
	static const char *const names[] = { "all",  "flags",   "keyword", "unkeyword", "seq",   "uid",     "uidafter", "uidbefore",
		                             "before", "on", "since", "sentbefore", "senton", "sentsince", "larger", "smaller", "older", "younger",
		                             "header", "body",    "text",    "modseq",    "emailid", "threadid", "savedbefore", "savedon",
		                             "savedsince", "not", "or",    "and" };

	buf_addf(out, "%s", names[k->kind]);
	if (k->kind == IMAP_KEY_FLAGS)
		buf_addf(out, "=%x/%x", k->want, k->mask);
	if (k->field.n > 0)
		buf_addf(out, ":%.*s", STR_FMT(k->field));
	if (k->text.n > 0)
		buf_addf(out, "=%.*s", STR_FMT(k->text));
	if (k->number > 0)
		buf_addf(out, "=%u", (unsigned)k->number);
	if (k->day != 0)
		buf_addf(out, "=%d", k->day);
	if (!k->child)
		return;
	buf_add_char(out, '(');
	for (const struct imap_key *c = k->child; c; c = c->next) {
		key_print(out, c);
		if (c->next)
			buf_add_char(out, ' ');
	}
	buf_add_char(out, ')');
}

static const struct {
	struct str           in;
	enum imap_search_err err;
	const char          *tree;
} searches[] = {
	{ STR("ALL"), IMAP_SEARCH_OK, "and(all)" },
	{ STR("unseen FROM \"a b\""), IMAP_SEARCH_OK, "and(flags=0/1 header:From=a b)" },
	{ STR("OR SEEN NOT (DELETED 1:3)"), IMAP_SEARCH_OK, "and(or(flags=1/1 not(and(flags=8/8 seq))))" },
	{ STR("NEW OLD"), IMAP_SEARCH_OK, "and(flags=20/21 flags=0/20)" },
	{ STR("HEADER Message-ID \"\""), IMAP_SEARCH_OK, "and(header:Message-ID)" },
	{ STR("SINCE 2-Jan-1970 LARGER 5 UID 4:*"), IMAP_SEARCH_OK, "and(since=1 larger=5 uid)" },
	{ STR("ON \"02-Feb-1970\""), IMAP_SEARCH_OK, "and(on=32)" },
	{ STR("CHARSET utf-8 TEXT {2}\r\n\xc3\xbc"), IMAP_SEARCH_OK, "and(text=\xc3\xbc)" },
	{ STR("TEXT {2}\r\n\xff\xff"), IMAP_SEARCH_TEXT, "" },
	{ STR("CHARSET US-ASCII TEXT {2}\r\n\xc3\xbc"), IMAP_SEARCH_TEXT, "" },
	{ STR("CHARSET X-UNKNOWN TEXT a"), IMAP_SEARCH_CHARSET, "" },
	{ STR("KEYWORD $Label1 UNKEYWORD x"), IMAP_SEARCH_OK, "and(keyword=$Label1 unkeyword=x)" },
	{ STR("$ UID $ NOT $"), IMAP_SEARCH_OK, "and(seq uid not(seq))" },
	{ STR("$,1"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("UIDAFTER 7 NOT UIDBEFORE 4294967295"), IMAP_SEARCH_OK, "and(uidafter=7 not(uidbefore=4294967295))" },
	{ STR("UIDAFTER 0"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("UIDBEFORE 1:2"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("UIDBEFORE *"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("MODSEQ 620162338"), IMAP_SEARCH_OK, "and(modseq=620162338)" },
	{ STR("MODSEQ \"/flags/\\\\draft\" all 5 OLDER 7"), IMAP_SEARCH_OK, "and(modseq=5 older=7)" },
	{ STR("MODSEQ \"/flags/\\\\draft\" none 5"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("MODSEQ \"/x\" all 5"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("MODSEQ 9223372036854775808"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("EMAILID M_6d99ac3275bb4e THREADID T64b478a75b7ea9"), IMAP_SEARCH_OK, "and(emailid=M_6d99ac3275bb4e threadid=T64b478a75b7ea9)" },
	{ STR("EMAILID a.b"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("SAVEDBEFORE 2-Jan-1970 SAVEDON 3-Jan-1970 SAVEDSINCE 4-Jan-1970 SAVEDATESUPPORTED"), IMAP_SEARCH_OK,
	  "and(savedbefore=1 savedon=2 savedsince=3 all)" },
	{ STR("()"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("(ALL"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("NOT"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("OR ALL"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("SINCE 32-Jan-1970"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("SINCE 1-Xyz-1970"), IMAP_SEARCH_SYNTAX, "" },
	{ STR("ALL "), IMAP_SEARCH_SYNTAX, "" },
	{ STR(""), IMAP_SEARCH_SYNTAX, "" },
	{ STR("CHARSET UTF-8"), IMAP_SEARCH_SYNTAX, "" },
};

static void test_search(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < LEN(searches); i++) {
		for (size_t n = searches[i].in.n + 1; n-- > 0;) {
			struct str       in = unit_exact(str_first(searches[i].in, n));
			struct imap_lex  x = { .in = in, .arena = arena_new(NULL) };
			struct imap_search p = { 0 };

			enum imap_search_err err = imap_lex_search(&x, &p);

			if (n == searches[i].in.n) {
				assert_int_equal(err, searches[i].err);
				buf_clear(&out);
				if (err == IMAP_SEARCH_OK)
					key_print(&out, p.root);
				assert_str(buf_str(&out), str_of(searches[i].tree));
			}
			arena_free(&x.arena);
			unit_exact_free(in);
		}
	}
	buf_done(&out);
}

/* Nesting is counted whatever makes it: CVE-2026-27857 and its like. */
static void test_search_depth(void **state)
{
	static const struct str levels[] = { STR("("), STR("NOT "), STR("OR ALL ") };

	(void)state;
	for (size_t kind = 0; kind < LEN(levels); kind++) {
		for (size_t depth = LIMIT_IMAP_DEPTH - 1; depth < 20000; depth += 19000) {
			struct buf       b;
			struct imap_search p;

			buf_init(&b, MIB);
			for (size_t i = 0; i < depth; i++)
				buf_add(&b, levels[kind]);
			buf_add(&b, STR("ALL"));
			for (size_t i = 0; i < depth && kind == 0; i++)
				buf_add_char(&b, ')');

			struct imap_lex x = { .in = buf_str(&b), .arena = arena_new(NULL) };

			assert_int_equal(imap_lex_search(&x, &p),
					 depth < LIMIT_IMAP_DEPTH ? IMAP_SEARCH_OK : IMAP_SEARCH_SYNTAX);
			arena_free(&x.arena);
			buf_done(&b);
		}
	}
}

static void test_store(void **state)
{
	static const struct {
		struct str         in;
		bool               ok;
		enum imap_store_op op;
		bool               silent;
		unsigned           mask;
		size_t             keywords;
	} cases[] = {
		{ STR("FLAGS (\\Seen)"), true, IMAP_STORE_REPLACE, false, IMAP_SEEN, 0 },
		{ STR("+flags.silent \\deleted $a $A b"), true, IMAP_STORE_ADD, true, IMAP_DELETED, 2 },
		{ STR("-FLAGS (\\Answered \\Draft)"), true, IMAP_STORE_REMOVE, false, IMAP_ANSWERED | IMAP_DRAFT, 0 },
		{ STR("FLAGS ()"), true, IMAP_STORE_REPLACE, false, 0, 0 },
		{ STR("FLAGS"), false, 0, false, 0, 0 },
		{ STR("FLAGS "), false, 0, false, 0, 0 },
		{ STR("+ FLAGS ()"), false, 0, false, 0, 0 },
		{ STR("FLAGS (\\Foo)"), false, 0, false, 0, 0 },
		{ STR("FLAGS (\\*)"), false, 0, false, 0, 0 },
		{ STR("FLAGS (a b"), false, 0, false, 0, 0 },
		{ STR("FLAGS () x"), false, 0, false, 0, 0 },
		{ STR("FLAGS.SILENTLY ()"), false, 0, false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		for (size_t n = cases[i].in.n + 1; n-- > 0;) {
			struct str        in = unit_exact(str_first(cases[i].in, n));
			struct imap_lex   x = { .in = in, .arena = arena_new(NULL) };
			struct imap_store s = { 0 };
			bool              ok = imap_lex_store(&x, &s);

			if (n == cases[i].in.n) {
				assert_int_equal(ok, cases[i].ok);
				assert_int_equal(s.op, cases[i].op);
				assert_int_equal(s.silent, cases[i].silent);
				assert_int_equal(s.flags.mask, cases[i].mask);
				assert_int_equal(s.flags.keyword_count, cases[i].keywords);
			}
			arena_free(&x.arena);
			unit_exact_free(in);
		}
	}
}

static void test_status(void **state)
{
	struct imap_lex x = { .in = STR("(messages UIDNEXT)") };
	unsigned        items = 0;

	(void)state;
	assert_true(imap_lex_status(&x, &items));
	assert_int_equal(items, IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT);
	x.in = STR("()");
	assert_false(imap_lex_status(&x, &items));
	x.in = STR("(MESSAGES FOO)");
	assert_false(imap_lex_status(&x, &items));
}

static void test_dates(void **state)
{
	static const struct {
		struct str text;
		int64_t    ms;
		int        zone;
	} cases[] = {
		{ STR("\" 1-Jan-1970 00:00:00 +0000\""), 0, 0 },
		{ STR("\"17-Jul-1996 02:44:25 -0700\""), INT64_C(837596665000), -420 },
		{ STR("\"29-Feb-2024 23:59:59 +0530\""), INT64_C(1709231399000), 330 },
		{ STR("\"31-Dec-1969 23:59:59 +0000\""), -1000, 0 },
		{ STR("\"31-Dec-9999 23:59:59 +0000\""), INT64_C(253402300799000), 0 },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct imap_lex x = { .in = cases[i].text };
		int64_t         ms = 1;
		int             zone = 1;

		assert_true(imap_lex_date_time(&x, &ms, &zone));
		assert_true(ms == cases[i].ms);
		assert_int_equal(zone, cases[i].zone);
		buf_clear(&out);
		imap_print_date_time(&out, ms, zone);
		assert_str(buf_str(&out), cases[i].text);
	}
	assert_int_equal(imap_day_of(-1, 0), -1);
	assert_int_equal(imap_day_of(-1, 60), 0);
	buf_done(&out);
}

static void test_print(void **state)
{
	static const struct {
		struct str in;
		bool       astring;
		struct str out;
	} cases[] = {
		{ STR("abc"), true, STR("abc") },
		{ STR("a b"), true, STR("\"a b\"") },
		{ STR(""), true, STR("\"\"") },
		{ STR("nil"), true, STR("\"nil\"") },
		{ STR("a]"), true, STR("a]") },
		{ STR("a%"), true, STR("\"a%\"") },
		{ STR("a\"\\"), false, STR("\"a\\\"\\\\\"") },
		{ STR("a\r\n"), false, STR("{3}\r\na\r\n") },
		{ STR("\xc3\xbc"), false, STR("{2}\r\n\xc3\xbc") },
		{ STR_NONE, false, STR("NIL") },
	};
	static const struct str keywords[] = { STR("$a"), STR("b") };
	struct buf              out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < LEN(cases); i++) {
		buf_clear(&out);
		if (cases[i].astring)
			imap_print_astring(&out, cases[i].in);
		else
			imap_print_nstring(&out, cases[i].in);
		assert_str(buf_str(&out), cases[i].out);
	}
	buf_clear(&out);
	imap_print_flags(&out, IMAP_SEEN | IMAP_RECENT, keywords, 2);
	assert_str(buf_str(&out), STR("\\Seen \\Recent $a b"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fetch), cmocka_unit_test(test_search), cmocka_unit_test(test_search_depth),
		cmocka_unit_test(test_store), cmocka_unit_test(test_status), cmocka_unit_test(test_dates),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
