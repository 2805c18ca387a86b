/* tests/unit/test_pipe_exit.c - what the end of a program means. */
#include "unit.h"

#include "deliver/pipe_exit.h"

static void test_ends(void **state)
{
	static const struct {
		enum program_how   how;
		int                number;
		const char        *output;
		enum remote_result result;
		const char        *code, *text;
	} rows[] = {
		{ PROGRAM_EXITED, 0, "", REMOTE_DELIVERED, "2.0.0", "The program took it" },
		{ PROGRAM_EXITED, 0, "5.1.1 no\n", REMOTE_DELIVERED, "2.0.0", "The program took it: 5.1.1 no" },
		{ PROGRAM_EXITED, 75, "", REMOTE_DEFERRED, "4.3.0", "The program ended with code 75, temporary failure" },
		{ PROGRAM_EXITED, 75, "\n \n disk is slow\nmore\n", REMOTE_DEFERRED, "4.3.0", "The program ended with code 75, temporary failure: disk is slow" },
		{ PROGRAM_EXITED, 64, "", REMOTE_REFUSED, "5.3.0", NULL }, { PROGRAM_EXITED, 65, "", REMOTE_REFUSED, "5.6.0", NULL },
		{ PROGRAM_EXITED, 66, "", REMOTE_REFUSED, "5.3.0", NULL }, { PROGRAM_EXITED, 67, "", REMOTE_REFUSED, "5.1.1", NULL },
		{ PROGRAM_EXITED, 68, "", REMOTE_REFUSED, "5.1.2", NULL }, { PROGRAM_EXITED, 69, "", REMOTE_REFUSED, "5.3.0", NULL },
		{ PROGRAM_EXITED, 70, "", REMOTE_REFUSED, "5.3.0", NULL }, { PROGRAM_EXITED, 71, "", REMOTE_DEFERRED, "4.3.0", NULL },
		{ PROGRAM_EXITED, 72, "", REMOTE_DEFERRED, "4.3.0", NULL }, { PROGRAM_EXITED, 73, "", REMOTE_REFUSED, "5.2.0", NULL },
		{ PROGRAM_EXITED, 74, "", REMOTE_DEFERRED, "4.3.0", NULL }, { PROGRAM_EXITED, 76, "", REMOTE_REFUSED, "5.5.0", NULL },
		{ PROGRAM_EXITED, 77, "", REMOTE_REFUSED, "5.7.0", NULL }, { PROGRAM_EXITED, 78, "", REMOTE_DEFERRED, "4.3.5", NULL },
		{ PROGRAM_EXITED, 1, "", REMOTE_REFUSED, "5.3.0", "The program ended with code 1, unknown exit code" },
		{ PROGRAM_EXITED, 126, "", REMOTE_DEFERRED, "4.3.5", NULL }, { PROGRAM_EXITED, 127, "", REMOTE_DEFERRED, "4.3.5", NULL },
		/* The program's own word. */
		{ PROGRAM_EXITED, 1, "4.2.2 mailbox is full", REMOTE_DEFERRED, "4.2.2", "The program ended with code 1, unknown exit code: mailbox is full" },
		{ PROGRAM_EXITED, 75, "5.2.2 never\r\n", REMOTE_REFUSED, "5.2.2", "The program ended with code 75, temporary failure: never" },
		{ PROGRAM_EXITED, 67, "4.2.1", REMOTE_DEFERRED, "4.2.1", "The program ended with code 67, user unknown" },
		{ PROGRAM_EXITED, 67, "2.0.0 fine", REMOTE_REFUSED, "5.1.1", "The program ended with code 67, user unknown: 2.0.0 fine" },
		{ PROGRAM_EXITED, 67, "4.2 no", REMOTE_REFUSED, "5.1.1", NULL }, { PROGRAM_EXITED, 67, "4.2.2x no", REMOTE_REFUSED, "5.1.1", NULL },
		{ PROGRAM_EXITED, 67, "4.1234.2 no", REMOTE_REFUSED, "5.1.1", NULL }, { PROGRAM_EXITED, 67, "4..2 no", REMOTE_REFUSED, "5.1.1", NULL },
		{ PROGRAM_EXITED, 67, "45.1.2 no", REMOTE_REFUSED, "5.1.1", NULL }, { PROGRAM_EXITED, 67, "4", REMOTE_REFUSED, "5.1.1", NULL },
		{ PROGRAM_EXITED, 67, "a\x1b[31m\xff" "b", REMOTE_REFUSED, "5.1.1", "The program ended with code 67, user unknown: a [31m?b" },
		{ PROGRAM_SIGNALLED, 9, "", REMOTE_DEFERRED, "4.3.0", "The program was ended by signal 9" },
		{ PROGRAM_LATE, 9, "5.0.0 x", REMOTE_DEFERRED, "4.3.0", "The program did not end within 7 s" },
		{ PROGRAM_CANCELLED, 9, "", REMOTE_DEFERRED, "4.3.0", NULL }, { PROGRAM_NO_INPUT, 9, "", REMOTE_DEFERRED, "4.3.0", NULL },
		{ PROGRAM_NOT_RUN, 2, "", REMOTE_DEFERRED, "4.3.5", "The program cannot be run: No such file or directory" },
		{ PROGRAM_NOT_RUN, 99999, "", REMOTE_DEFERRED, "4.3.5", "The program cannot be run: unknown error" },
	};
	struct arena *a = arena_new(NULL);

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct program_end  end = { rows[i].how, rows[i].number, unit_exact(str_of(rows[i].output)) };
		struct pipe_verdict v;

		pipe_verdict_of(&end, 7, a, &v);
		if (v.result != rows[i].result || !str_eq(v.code, str_of(rows[i].code)) || (rows[i].text && !str_eq(v.text, str_of(rows[i].text))))
			fail_msg("%zu: %d %.*s %.*s", i, v.result, STR_FMT(v.code), STR_FMT(v.text));
		unit_exact_free(end.output);
	}
	arena_free(&a);
}

static void test_long(void **state)
{
	struct arena       *a = arena_new(NULL);
	char                text[LIMIT_PIPE_OUTPUT];
	struct pipe_verdict v;

	(void)state;
	memset(text, 'x', sizeof(text));
	pipe_verdict_of(&(struct program_end){ PROGRAM_EXITED, 67, str_n(text, sizeof(text)) }, 7, a, &v);
	assert_true(v.text.n < LIMIT_REMOTE_ANSWER);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ends), cmocka_unit_test(test_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
