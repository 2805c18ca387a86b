/* wire/imap: parameters of SELECT, modifiers of FETCH and STORE. */
#include "unit.h"

#include "wire/imap/imap_command.h"
#include "wire/imap/imap_modifier.h"

static const struct {
	struct str in;
	bool       ok, condstore, qresync, known, match;
	uint64_t   modseq;
} selects[] = {
	{ STR("(CONDSTORE)"), true, true, false, false, false, 0 },
	{ STR("(qresync (7 9223372036854775807))"), true, false, true, false, false, INT64_MAX },
	{ STR("(QRESYNC (7 1 1:5,9))"), true, false, true, true, false, 1 },
	{ STR("(QRESYNC (7 1 (1,3:4 10,20:21)))"), true, false, true, false, true, 1 },
	{ STR("(CONDSTORE QRESYNC (4294967295 0 1 (1 1)))"), true, true, true, true, true, 0 },
	{ STR("(QRESYNC (7 1) CONDSTORE)"), true, true, true, false, false, 1 },
	{ STR("()"), false, 0, 0, 0, 0, 0 },
	{ STR("(CONDSTORE CONDSTORE)"), false, 0, 0, 0, 0, 0 },
	{ STR("(CONDSTOREX)"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC(7 1))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (0 1))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 9223372036854775808))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 1 *))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 1 1 (*:2 1:2)))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 1 (1:2 1:3)))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 1 (2:1 1:2)))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 1 (1,1 1,2)))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 1 1 (1 1) 1))"), false, 0, 0, 0, 0, 0 },
	{ STR("(QRESYNC (7 1 ))"), false, 0, 0, 0, 0, 0 },
};

static void test_select(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(selects); i++) {
		for (size_t n = selects[i].in.n + 1; n-- > 0;) {
			struct str                in = unit_exact(str_first(selects[i].in, n));
			struct imap_lex           x = { .in = in, .arena = arena_new(NULL) };
			struct imap_select_params p = { 0 };
			bool                      ok = imap_lex_select_params(&x, &p) && imap_lex_end(&x);

			assert_int_equal(ok, n == selects[i].in.n && selects[i].ok);
			if (ok) {
				assert_int_equal(p.condstore, selects[i].condstore);
				assert_int_equal(p.qresync, selects[i].qresync);
				assert_int_equal(p.resync.known_given, selects[i].known);
				assert_int_equal(p.resync.match_given, selects[i].match);
				assert_int_equal(p.resync.modseq, selects[i].modseq);
			}
			arena_free(&x.arena);
			unit_exact_free(in);
		}
	}
}

static void test_fetch(void **state)
{
	static const struct {
		struct str in;
		bool       ok, since, vanished;
	} cases[] = {
		{ STR("(CHANGEDSINCE 5)"), true, true, false },
		{ STR("(changedsince 0 vanished)"), true, true, true },
		{ STR("(VANISHED CHANGEDSINCE 5)"), true, true, true },
		{ STR("(VANISHED)"), true, false, true },
		{ STR("()"), false, 0, 0 },
		{ STR("(CHANGEDSINCE)"), false, 0, 0 },
		{ STR("(CHANGEDSINCE 5 CHANGEDSINCE 5)"), false, 0, 0 },
		{ STR("(VANISHED VANISHED)"), false, 0, 0 },
		{ STR("(CHANGEDSINCE 9223372036854775808)"), false, 0, 0 },
		{ STR("(CHANGEDSINCE  5)"), false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		for (size_t n = cases[i].in.n + 1; n-- > 0;) {
			struct str                  in = unit_exact(str_first(cases[i].in, n));
			struct imap_lex             x = { .in = in };
			struct imap_fetch_modifiers m = { 0 };
			bool                        ok = imap_lex_fetch_modifiers(&x, &m) && imap_lex_end(&x);

			assert_int_equal(ok, n == cases[i].in.n && cases[i].ok);
			assert_int_equal(m.changed_since, ok && cases[i].since);
			assert_int_equal(m.vanished, ok && cases[i].vanished);
			unit_exact_free(in);
		}
	}
}

static void test_store(void **state)
{
	static const struct {
		struct str in;
		bool       ok;
		uint64_t   since;
	} cases[] = {
		{ STR("(UNCHANGEDSINCE 12) FLAGS ()"), true, 12 },
		{ STR("(unchangedsince 0) +FLAGS.SILENT \\Seen"), true, 0 },
		{ STR("(UNCHANGEDSINCE 9223372036854775807) FLAGS ()"), true, INT64_MAX },
		{ STR("(UNCHANGEDSINCE 18446744073709551615) FLAGS ()"), false, 0 },
		{ STR("(UNCHANGEDSINCE) FLAGS ()"), false, 0 },
		{ STR("(UNCHANGEDSINCE 1)FLAGS ()"), false, 0 },
		{ STR("() FLAGS ()"), false, 0 },
		{ STR("(CHANGEDSINCE 1) FLAGS ()"), false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str        in = unit_exact(cases[i].in);
		struct imap_lex   x = { .in = in, .arena = arena_new(NULL) };
		struct imap_store s = { 0 };

		assert_int_equal(imap_lex_store(&x, &s), cases[i].ok);
		assert_int_equal(s.conditional, cases[i].ok);
		assert_int_equal(s.unchanged_since, cases[i].since);
		arena_free(&x.arena);
		unit_exact_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
