/* wire/pop3/pop3_command.c - contract is in pop3_command.h. */
#include "wire/pop3/pop3_command.h"

bool pop3_command_parse(struct str line, struct pop3_command *ret)
{
	struct pop3_command c;

	str_cut(line, ' ', &c.keyword, &c.arg);
	if (c.keyword.n < 3 || c.keyword.n > POP3_KEYWORD_MAX)
		return false;
	for (size_t i = 0; i < c.keyword.n; i++)
		if (!ascii_is_alnum(c.keyword.p[i]) && c.keyword.p[i] != '-')
			return false;
	*ret = c;
	return true;
}

static bool number(struct str word, uint32_t *ret)
{
	uint64_t value = 0;

	if (word.n == 0)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		if (!ascii_is_digit(word.p[i]))
			return false;
		value = MIN(value * 10 + (unsigned)(word.p[i] - '0'), (uint64_t)UINT32_MAX);
	}
	*ret = (uint32_t)value;
	return true;
}

bool pop3_numbers(struct str arg, unsigned max, uint32_t *ret, unsigned *ret_count)
{
	struct str rest = str_trim(arg), word;
	unsigned   count = 0;

	do {
		str_cut(rest, ' ', &word, &rest);
		if (count == max || !number(word, &ret[count]))
			return false;
		count++;
	} while (rest.n > 0);
	*ret_count = count;
	return true;
}
