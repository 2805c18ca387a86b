/* deliver/pipe_conf.c - see pipe_conf.h. */
#include "deliver/pipe_conf.h"

#include "base/limits.h"
#include "deliver/pipe_expand.h"
#include "wire/address/endpoint.h"

bool pipe_flags_parse(struct str text, uint32_t *ret)
{
	static const struct str letters = STR("DFORuhB>.");
	uint32_t                flags = 0;

	for (size_t i = 0; i < text.n; i++) {
		ptrdiff_t at = str_find(letters, text.p[i]);

		if (at < 0 || (flags & 1u << at))
			return false;
		flags |= 1u << at;
	}
	*ret = flags;
	return true;
}

static const char *command_wrong(const struct pipe_conf *c)
{
	const char *why = NULL;
	bool        rcpt, any = false;

	if (c->command_count == 0)
		return "command is missing";
	if (c->command_count > LIMIT_PIPE_ARGS)
		return "command has too many words";
	for (size_t i = 0; i < c->command_count && !why; i++) {
		struct str word = c->command[i].text;

		why = word.n > LIMIT_PIPE_ARG || str_has_ctl(word) ? "command: a word is too long or has control characters" : pipe_word_wrong(word, &rcpt);
		any = any || (!why && rcpt);
	}
	if (why)
		return why;
	if (!str_starts(c->command[0].text, STR("/")) || str_find(c->command[0].text, '$') >= 0)
		return "command: its first word must be an absolute path, without ${...}";
	return NULL;
}

const char *pipe_conf_wrong(const struct pipe_conf *c)
{
	const char *why = command_wrong(c);
	uint32_t    flags;

	if (!endpoint_pipe_name(c->name))
		return "its name may have letters, digits, '-' and '_', 32 at most";
	if (why)
		return why;
	if (!pipe_flags_parse(c->flags, &flags))
		return "flags: letters of DFORuhB>. , each once";
	if ((flags & (PIPE_DELIVERED_TO | PIPE_ORIGINAL_TO)) && c->recipients > 1)
		return "flags D and O need recipients = 1";
	return NULL;
}
