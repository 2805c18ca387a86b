/* tests/unit/test_imap_list.c - what LIST, GETMETADATA, SETMETADATA and NOTIFY ask for. */
#include "unit.h"

#include "wire/imap/imap_command.h"
#include "wire/imap/imap_list.h"
#include "wire/imap/imap_notice.h"

static struct imap_lex lex(struct arena *a, const char *text)
{
	return (struct imap_lex){ .in = str_of(text), .arena = a };
}

static void test_list(void **state)
{
	static const struct {
		const char *text;
		bool        extended;
		unsigned    select, want;
		size_t      patterns;
	} good[] = {
		{ "\"\" *", false, 0, 0, 1 },
		{ "\"\" (a b)", true, 0, 0, 2 },
		{ "() \"\" *", true, 0, 0, 1 },
		{ "(subscribed) \"\" * RETURN ()", true, IMAP_LIST_SUBSCRIBED, 0, 1 },
		{ "(REMOTE SPECIAL-USE RECURSIVEMATCH) x %", true, IMAP_LIST_REMOTE | IMAP_LIST_SPECIAL | IMAP_LIST_RECURSIVE, 0, 1 },
		{ "a b return (CHILDREN STATUS (MESSAGES SIZE) METADATA (/private/a /shared/B))", true, 0,
		  IMAP_LIST_CHILDREN | IMAP_LIST_STATUS | IMAP_LIST_METADATA, 1 },
	};
	static const char *const bad[] = {
		"", "\"\"", "\"\" ", "() *", "(RECURSIVEMATCH) \"\" *", "(REMOTE RECURSIVEMATCH) a b", "(X) a b", "(SUBSCRIBED  REMOTE) a b",
		"a () RETURN ()", "a b RETURN", "a b RETURN ( )", "a b RETURN (STATUS)", "a b RETURN (STATUS ())", "a b RETURN (METADATA)",
		"a b RETURN (METADATA ())", "a b RETURN (CHILDREN) ", "a b x", "a (b", "a (b  c)",
		"a (1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3)",
	};
	struct arena    *a = arena_new(NULL);
	struct imap_list l;

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		struct imap_lex x = lex(a, good[i].text);

		assert_true(imap_lex_list(&x, &l));
		assert_int_equal(l.extended, good[i].extended);
		assert_int_equal(l.select, good[i].select);
		assert_int_equal(l.want, good[i].want);
		assert_int_equal(l.pattern_count, good[i].patterns);
	}
	assert_int_equal(l.status, IMAP_STATUS_MESSAGES | IMAP_STATUS_SIZE);
	assert_str(l.entries.names[1], STR("/shared/b"));
	for (size_t i = 0; i < LEN(bad); i++) {
		struct imap_lex x = lex(a, bad[i]);

		assert_false(imap_lex_list(&x, &l));
	}
	arena_free(&a);
}

static void test_metadata(void **state)
{
	static const char *const good[] = { "a /shared/x", "\"\" (/private/x)", "(MAXSIZE 1) a /private/x", "a (DEPTH 1 MAXSIZE 0) (/shared)",
					    "a \"/shared/x\"" };
	static const char *const bad[] = { "a", "a ()", "a /x", "a /shared/", "a /shared//x", "a /sharedx/y", "a \"/shared/a b\"",
					   "a \"/shared/*\"", "(DEPTH 3) a /shared/x", "(DEPTH) a /shared/x", "() a /shared/x",
					   "a /shared/x b", "a (/shared/x", "(MAXSIZE 1) a (MAXSIZE 1) /shared/x" };
	struct arena           *a = arena_new(NULL);
	struct imap_getmetadata g;
	struct imap_setmetadata m;
	struct imap_lex         x;

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		x = lex(a, good[i]);
		assert_true(imap_lex_getmetadata(&x, &g));
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		x = lex(a, bad[i]);
		assert_false(imap_lex_getmetadata(&x, &g));
	}
	x = lex(a, "(DEPTH INFINITY) a /Shared/X");
	assert_true(imap_lex_getmetadata(&x, &g));
	assert_true(g.depth == UINT32_MAX && !g.has_max);
	assert_str(g.entries.names[0], STR("/shared/x"));
	/* NIL, "" and "NIL" differ (mailbox.md 20) */
	x = lex(a, "a (/shared/a NIL /shared/b \"\" /shared/c \"NIL\" /shared/d ~{2}\r\nab)");
	assert_true(imap_lex_setmetadata(&x, &m));
	assert_int_equal(m.count, 4);
	assert_null(m.entries[0].value.p);
	assert_true(m.entries[1].value.p && m.entries[1].value.n == 0);
	assert_str(m.entries[2].value, STR("NIL"));
	assert_str(m.entries[3].value, STR("ab"));
	x = lex(a, "a (/shared \"x\")");
	assert_false(imap_lex_setmetadata(&x, &m));
	x = lex(a, "a (/shared/a x)");
	assert_false(imap_lex_setmetadata(&x, &m));
	x = lex(a, "a (/shared/a)");
	assert_false(imap_lex_setmetadata(&x, &m));
	arena_free(&a);
}

static void test_notice(void **state)
{
	static const char *const bad[] = {
		"",
		"SET",
		"SET STATUS",
		"NONE x",
		"SET (selected (MessageNew))",
		"SET (selected (MailboxName))",
		"SET (personal (FlagChange))",
		"SET (selected NONE) (selected NONE)",
		"SET (personal (MessageNew (UID) MessageExpunge))",
		"SET (selected (MessageNew () MessageExpunge))",
		"SET (subtree NONE)",
		"SET (subtree () NONE)",
		"SET (personal ())",
		"SET (personal NONE",
		"SET (personalx NONE)",
	};
	struct arena      *a = arena_new(NULL);
	struct imap_notice n;
	struct imap_lex    x = lex(a, "NONE");

	(void)state;
	assert_true(imap_lex_notice(&x, &n));
	assert_false(n.set);
	x = lex(a, "SET STATUS (selected-delayed (MessageNew (UID BODY.PEEK[1]) MessageExpunge)) (subtree (a \"b c\") (MailboxName)) (inboxes NONE)");
	assert_true(imap_lex_notice(&x, &n));
	assert_true(n.set && n.status && !n.unknown && n.count == 3);
	assert_int_equal(n.groups[0].filter, IMAP_NOTICE_DELAYED);
	assert_str(n.groups[0].fetch, STR("(UID BODY.PEEK[1])"));
	assert_int_equal(n.groups[1].name_count, 2);
	assert_int_equal(n.groups[2].events, 0);
	x = lex(a, "SET (personal (AnnotationChange))");
	assert_true(imap_lex_notice(&x, &n) && n.unknown);
	for (size_t i = 0; i < LEN(bad); i++) {
		x = lex(a, bad[i]);
		assert_false(imap_lex_notice(&x, &n));
	}
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_list), cmocka_unit_test(test_metadata), cmocka_unit_test(test_notice) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
