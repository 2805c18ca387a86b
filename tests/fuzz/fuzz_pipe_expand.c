/* deliver/pipe_expand.h: whatever the word and the addresses, an argument is one argument, has no control character, and is no option that the word was not. */
#include <string.h>

#include "base/arena.h"
#include "deliver/pipe_expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Word, sender, recipient, second recipient: parted by NUL. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena           *a = arena_new(NULL);
	struct str              part[4], rest = str_n(data, size);
	struct pipe_arg         words[2] = { { STR("/bin/x") } };
	struct pipe_conf        conf = { .name = STR("x"), .command = words, .command_count = 2, .recipients = 2 };
	struct pipe_rcpt        rcpts[2];
	const struct pipe_rcpt *list[2] = { &rcpts[0], &rcpts[1] };
	struct pipe_run         run = { .conf = &conf, .flags = PIPE_FOLD_LOCAL | PIPE_FOLD_DOMAIN, .rcpts = list, .rcpt_count = 2, .queue_id = STR("q"), .separators = STR("+-") };
	const char            **argv = NULL, **envp;
	size_t                  bad = 0;

	for (size_t i = 0; i < LEN(part); i++)
		str_cut(rest, '\0', &part[i], &rest);
	words[1].text = part[0];
	run.sender = str_first(part[1], LIMIT_ADDRESS);
	for (size_t i = 0; i < 2; i++)
		rcpts[i] = (struct pipe_rcpt){ (uint32_t)i, str_first(part[2 + i], LIMIT_ADDRESS), str_first(part[3], LIMIT_ORCPT) };
	if (!pipe_conf_wrong(&conf) && pipe_expand(&run, a, &argv, &bad) == PIPE_EXPAND_OK) {
		bool   of_rcpt;
		size_t count = 0;

		CHECK(!pipe_word_wrong(part[0], &of_rcpt));
		for (; argv[count]; count++) {
			CHECK(!str_has_ctl(str_of(argv[count])));
			CHECK(argv[count][0] != '-' || str_starts(part[0], STR("-")));
		}
		CHECK(count == (of_rcpt ? 3 : 2));
	}
	envp = pipe_environment(&run, a);
	for (size_t i = 0; envp[i]; i++)
		CHECK(strchr(envp[i], '=') && !str_has_ctl(str_of(envp[i])));
	arena_free(&a);
	return 0;
}
