/* Any octets as an aliases file: every line moves on, nothing is longer than what was read. */
#include <stdint.h>

#include "base/base.h"
#include "wire/text/text_aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena     *a = arena_new(NULL);
	struct text_alias al;
	struct str        rest = str_n(data, size);
	unsigned          line = 0, last = 0;

	while (text_alias_next(&rest, &line, a, &al)) {
		size_t total = al.name.n;

		CHECK(al.line > last && al.line <= line);
		last = al.line;
		for (size_t i = 0; i < al.value_count; i++)
			total += al.values[i].text.n;
		CHECK(total <= size);
	}
	CHECK(rest.n == 0);
	text_alias_list(str_n(data, size), a, &al);
	arena_free(&a);
	return 0;
}
