/* tests/fuzz/fuzz_smtp_bdat.c - BDAT's argument, and its canonicaliser: any split of the content gives the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/smtp/smtp_bdat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(void *ctx, struct str run)
{
	CHECK(run.n > 0);
	buf_add(ctx, run);
}

static struct smtp_chunk feed(struct str in, size_t piece, bool normalise, struct buf *out)
{
	struct smtp_chunk c;

	smtp_chunk_init(&c, normalise);
	for (size_t at = 0; at < in.n; at += piece) {
		struct str part = str_sub(in, at, piece);
		char      *copy = malloc(part.n);

		memcpy(copy, part.p, part.n);
		smtp_chunk_feed(&c, str_n(copy, part.n), add, out);
		free(copy);
	}
	smtp_chunk_end(&c, add, out);
	return c;
}

static void check(struct str in, size_t piece, bool normalise)
{
	struct buf        whole, pieces;
	struct smtp_chunk a, b;

	buf_init(&whole, 2 * in.n + 2);
	buf_init(&pieces, 2 * in.n + 2);
	a = feed(in, in.n, normalise, &whole);
	b = feed(in, piece, normalise, &pieces);
	CHECK(!whole.over && str_eq(buf_str(&whole), buf_str(&pieces)));
	CHECK(a.bare_cr == b.bare_cr && a.bare_lf == b.bare_lf && a.nul == b.nul);
	CHECK(a.nul == (str_find(in, '\0') >= 0));
	if (normalise || !(a.bare_cr || a.bare_lf)) {
		for (size_t i = 0; i < whole.n; i++)
			CHECK(whole.p[i] == '\n' ? i > 0 && whole.p[i - 1] == '\r' : whole.p[i] != '\r' || (i + 1 < whole.n && whole.p[i + 1] == '\n'));
		CHECK(str_iends(buf_str(&whole), STR("\r\n")));
	}
	if (!(a.bare_cr || a.bare_lf))
		CHECK(str_starts(buf_str(&whole), in) && whole.n <= in.n + 2);
	buf_done(&whole);
	buf_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str       in = str_n(data + 1, size ? size - 1 : 0);
	struct smtp_bdat b;

	if (in.n == 0)
		return 0;
	if (smtp_bdat_parse(in, &b))
		CHECK(in.n <= 25 && ascii_is_digit(in.p[0]) && b.last == (str_isearch(in, STR(" LAST")) > 0));
	check(in, data[0] % 8 + 1, data[0] & 128);
	return 0;
}
