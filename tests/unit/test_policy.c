/* wire/policy/policy.h: nothing that a peer said ends a line; answers whole and octet by octet. */
#include "unit.h"

#include "base/limits.h"
#include "wire/policy/policy.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

static void test_question(void **state)
{
	static const struct {
		struct str value, want;
	} cases[] = {
		{ STR("a@b.example"), STR("sender=a@b.example\n") },
		{ STR(""), STR("sender=\n") },
		{ STR("a=b=c"), STR("sender=a=b=c\n") },
		{ STR("a\nrecipient=evil"), STR("sender=a?recipient=evil\n") },
		{ STR("a\r\n\r\naction=OK"), STR("sender=a????action=OK\n") },
		{ RAW("a\0b\x7f\x1b"), STR("sender=a?b??\n") },
		{ STR("\xc3\xa9"), STR("sender=\xc3\xa9\n") },
	};
	struct buf out;
	char       long_value[LIMIT_POLICY_VALUE + 50];

	(void)state;
	buf_init(&out, 8 * KIB);
	for (size_t i = 0; i < LEN(cases); i++) {
		buf_clear(&out);
		policy_line_add(&out, STR("sender"), cases[i].value);
		assert_str(buf_str(&out), cases[i].want);
	}
	memset(long_value, 'x', sizeof(long_value));
	buf_clear(&out);
	policy_line_add(&out, STR("n"), str_n(long_value, sizeof(long_value)));
	assert_int_equal(out.n, 2 + LIMIT_POLICY_VALUE + 1);
	buf_done(&out);
}

static const struct {
	struct str         in;
	enum policy_err    err;
	enum policy_action action;
	unsigned           code;
	struct str         text; /* of the reply's line, or .text, or .value */
} cases[] = {
	{ STR("action=DUNNO\n\n"), POLICY_ANSWER_OK, POLICY_DUNNO, 0, STR("") },
	{ STR("action=dunno\r\n\r\n"), POLICY_ANSWER_OK, POLICY_DUNNO, 0, STR("") },
	{ STR("x=y\naction=OK\n\n"), POLICY_ANSWER_OK, POLICY_OK, 0, STR("") },
	{ STR("action=REJECT\n\n"), POLICY_ANSWER_OK, POLICY_REPLY, 554, STR("Refused by policy") },
	{ STR("action=REJECT 5.7.9 go away\n\n"), POLICY_ANSWER_OK, POLICY_REPLY, 554, STR("go away") },
	{ STR("action=defer try later\n\n"), POLICY_ANSWER_OK, POLICY_REPLY, 450, STR("try later") },
	{ STR("action=DEFER_IF_REJECT a\n\n"), POLICY_ANSWER_OK, POLICY_DEFER_IF_REJECT, 450, STR("a") },
	{ STR("action=DEFER_IF_PERMIT a\n\n"), POLICY_ANSWER_OK, POLICY_DEFER_IF_PERMIT, 450, STR("a") },
	{ STR("action=450 4.7.1 b\n\n"), POLICY_ANSWER_OK, POLICY_REPLY, 450, STR("b") },
	{ STR("action=550\n\n"), POLICY_ANSWER_OK, POLICY_REPLY, 550, STR("") },
	{ STR("action=250 fine\n\n"), POLICY_ANSWER_OK, POLICY_UNKNOWN, 0, STR("250") },
	{ STR("action=PREPEND X-A: b c\n\n"), POLICY_ANSWER_OK, POLICY_PREPEND, 0, STR("b c") },
	{ STR("action=PREPEND X A: b\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("action=PREPEND nothing\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("action=PREPEND\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("action=HOLD why\n\n"), POLICY_ANSWER_OK, POLICY_HOLD, 0, STR("why") },
	{ STR("action=DISCARD\n\n"), POLICY_ANSWER_OK, POLICY_DISCARD, 0, STR("") },
	{ STR("action=WARN w\n\n"), POLICY_ANSWER_OK, POLICY_LOG, 0, STR("w") },
	{ STR("action=REDIRECT a@b\n\n"), POLICY_ANSWER_OK, POLICY_UNSUPPORTED, 0, STR("REDIRECT") },
	{ STR("action=reject_unauth_destination\n\n"), POLICY_ANSWER_OK, POLICY_UNKNOWN, 0, STR("reject_unauth_destination") },
	{ STR("action=\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("action=OK\naction=REJECT\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("nonsense\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("action=OK\n\nx"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ RAW("action=O\0K\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("action=REJECT \x1b[31m\n\n"), POLICY_ANSWER_BAD, 0, 0, STR("") },
	{ STR("action=OK\n"), POLICY_ANSWER_MORE, 0, 0, STR("") },
	{ STR("action=OK"), POLICY_ANSWER_MORE, 0, 0, STR("") },
	{ STR(""), POLICY_ANSWER_MORE, 0, 0, STR("") },
};

static void test_answer(void **state)
{
	struct buf scratch;

	(void)state;
	buf_init(&scratch, LIMIT_POLICY_ANSWER);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct policy_answer a = { 0 };

		for (size_t n = 0; n < cases[i].in.n; n++) { /* no prefix is an answer */
			struct str in = unit_exact(str_first(cases[i].in, n));

			if (cases[i].err != POLICY_ANSWER_BAD)
				assert_int_equal(policy_answer_parse(in, &scratch, &a), POLICY_ANSWER_MORE);
			else
				assert_true(n == cases[i].in.n - 1 || policy_answer_parse(in, &scratch, &a) != POLICY_ANSWER_OK);
			unit_exact_free(in);
		}
		struct str in = unit_exact(cases[i].in);

		if (policy_answer_parse(in, &scratch, &a) != cases[i].err)
			fail_msg("case %zu", i);
		if (cases[i].err == POLICY_ANSWER_OK) {
			assert_int_equal(a.action, cases[i].action);
			assert_int_equal(a.reply.code, cases[i].code);
			assert_str(a.reply.code ? a.reply.lines[0] : a.action == POLICY_PREPEND ? a.value : a.text, cases[i].text);
		}
		unit_exact_free(in);
	}
	buf_done(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_question), cmocka_unit_test(test_answer) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
