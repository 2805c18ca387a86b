/* Any octets as main.cf: lines move on, words are parts of their line, expansion of a file in terms of itself ends. */
#include <stdint.h>

#include "base/base.h"
#include "wire/text/text_logical.h"
#include "wire/text/text_postfix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
	struct str    text;
	struct arena *a;
};

static bool lookup(void *ctx, struct str name, struct str *ret)
{
	struct file *f = ctx;
	struct str   rest = f->text, line, found;
	unsigned     at, n = 0;

	while ((line = text_logical_next(&rest, &n, f->a, &at)).n > 0)
		if (text_postfix_param(line, &found, ret) && str_eq(found, name))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file f = { str_n(data, MIN(size, 300)), arena_new(NULL) };
	struct str  rest = f.text, line, word, name, value;
	unsigned    at, n = 0;
	struct buf  out;

	buf_init(&out, 4096);
	while ((line = text_logical_next(&rest, &n, f.a, &at)).n > 0) {
		CHECK(at <= n);
		buf_clear(&out);
		if (text_postfix_param(line, &name, &value) && text_postfix_expand(value, lookup, &f, &out))
			CHECK(!out.over);
		while (text_postfix_word(&line, &word))
			CHECK(word.n <= size);
	}
	CHECK(rest.n == 0);
	buf_done(&out);
	arena_free(&f.a);
	return 0;
}
