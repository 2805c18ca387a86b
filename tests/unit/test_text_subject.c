/* wire/text/text_subject.h: RFC 5256 §2.1. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "wire/text/text_subject.h"

static void test_base(void **state)
{
	static const struct {
		struct str in, base;
		bool       reply;
	} cases[] = {
		{ STR("hello"), STR("hello"), false },
		{ STR("  hello \t"), STR("hello"), false },
		{ STR("Re: hello"), STR("hello"), true },
		{ STR("RE : re:Fw:FWD: hello"), STR("hello"), true },
		{ STR("Re [3]: hello"), STR("hello"), true },
		{ STR("Re[3] : hello"), STR("hello"), true },
		{ STR("Re[3[4]]: hello"), STR("Re[3[4]]: hello"), false },
		{ STR("[list] hello"), STR("hello"), false },
		{ STR("[list] [other]  Re: [list] hello"), STR("hello"), true },
		{ STR("[list]"), STR("[list]"), false },
		{ STR("[a][b]"), STR("[b]"), false },
		{ STR("[a] [b] "), STR("[b]"), false },
		{ STR("hello (fwd)"), STR("hello"), true },
		{ STR("hello (FWD)  (fwd) "), STR("hello"), true },
		{ STR("[Fwd: hello]"), STR("hello"), true },
		{ STR("[fwd: Re: [x] hello (fwd)]"), STR("hello"), true },
		{ STR("[fwd: [fwd: a] ]"), STR("a"), true },
		{ STR("[fwd:]"), STR(""), true },
		{ STR("[fwd:"), STR("[fwd:"), false },
		{ STR("Re:"), STR(""), true },
		{ STR("Re: Re: (fwd)"), STR(""), true },
		{ STR("Reply: hello"), STR("Reply: hello"), false },
		{ STR("Review"), STR("Review"), false },
		{ STR("fwdx: a"), STR("fwdx: a"), false },
		{ STR("[open hello"), STR("[open hello"), false },
		{ STR("Re: \xc3\xbc" "ber  uns"), STR("\xc3\xbc" "ber  uns"), true },
		{ STR(""), STR(""), false },
		{ STR("   "), STR(""), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str in = unit_exact(cases[i].in);
		bool       reply;

		assert_str(text_subject_base(in, &reply), cases[i].base);
		assert_int_equal(reply, cases[i].reply);
		unit_exact_free(in);
	}
}

/* Long rows of what could begin something: linear, or this test would not end. */
static void test_hostile(void **state)
{
	static const struct str pieces[] = { STR("[a]"), STR("re:"), STR("[fwd:"), STR("(fwd)"), STR("[a]re:"), STR("["), STR("re[a]") };
	const size_t n = 500000;

	(void)state;
	for (size_t k = 0; k < LEN(pieces); k++) {
		char *p = malloc(n * pieces[k].n);
		bool  reply;

		assert_non_null(p);
		for (size_t i = 0; i < n; i++)
			memcpy(p + i * pieces[k].n, pieces[k].p, pieces[k].n);
		assert_true(text_subject_base(str_n(p, n * pieces[k].n), &reply).n <= n * pieces[k].n);
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_base), cmocka_unit_test(test_hostile) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
