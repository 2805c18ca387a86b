/* Whatever the line: keyword and argument lie in it, and numbers are the ones that stand there. */
#include "wire/pop3/pop3_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str          line = str_n(data, size);
	struct pop3_command c;
	uint32_t            numbers[2];
	unsigned            count = 0;

	if (!pop3_command_parse(line, &c))
		return 0;
	CHECK(c.keyword.n >= 3 && c.keyword.n <= POP3_KEYWORD_MAX && str_starts(line, c.keyword));
	CHECK(c.arg.n == 0 || (line.p[c.keyword.n] == ' ' && c.keyword.n + 1 + c.arg.n == line.n));
	if (pop3_numbers(c.arg, 2, numbers, &count)) {
		CHECK(count == 1 || count == 2);
		for (size_t i = 0; i < c.arg.n; i++)
			CHECK(ascii_is_digit(c.arg.p[i]) || ascii_is_wsp(c.arg.p[i]));
	}
	return 0;
}
