/* wire/smtp/smtp_data.h: the end of data and nothing else. */
#include "unit.h"

#include "base/buf.h"
#include "wire/smtp/smtp_data.h"

enum { CR_ = 1, LF_ = 2, NUL_ = 4 };

/* `in` up to `used` octets is data with its end; `used` 0: no end in it. */
static const struct {
	struct str in, strict, normal;
	size_t     used;
	unsigned   flags;
} cases[] = {
	{ STR(".\r\n"), STR(""), STR(""), 3, 0 },
	{ STR("a\r\n.\r\n"), STR("a\r\n"), STR("a\r\n"), 6, 0 },
	{ STR("a\r\n.\r\nQUIT\r\n\n"), STR("a\r\n"), STR("a\r\n"), 6, 0 },
	{ STR("\r\n.\r\n"), STR("\r\n"), STR("\r\n"), 5, 0 },
	/* RFC 5321 §4.5.2 */
	{ STR("..\r\n.\r\n"), STR(".\r\n"), STR(".\r\n"), 7, 0 },
	{ STR("...\r\n..a\r\n.b\r\n.\r\n"), STR("..\r\n.a\r\nb\r\n"), STR("..\r\n.a\r\nb\r\n"), 17, 0 },
	{ STR("a.\r\n.\r\n"), STR("a.\r\n"), STR("a.\r\n"), 7, 0 },
	{ STR(". \r\n.\r\n"), STR(" \r\n"), STR(" \r\n"), 7, 0 },
	/* Not the end: SMTP smuggling. What follows stays content. */
	{ STR("a\n.\nMAIL\r\n.\r\n"), STR("a\n.\nMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 13, LF_ },
	{ STR("a\n.\r\nMAIL\r\n.\r\n"), STR("a\n.\r\nMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 14, LF_ },
	{ STR("a\n.\rMAIL\r\n.\r\n"), STR("a\n.\rMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 13, LF_ | CR_ },
	{ STR("a\r.\nMAIL\r\n.\r\n"), STR("a\r.\nMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 13, LF_ | CR_ },
	{ STR("a\r.\rMAIL\r\n.\r\n"), STR("a\r.\rMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 13, CR_ },
	{ STR("a\r.\r\nMAIL\r\n.\r\n"), STR("a\r.\r\nMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 14, CR_ },
	{ STR("a\r\n.\nMAIL\r\n.\r\n"), STR("a\r\n\nMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 14, LF_ },
	{ STR("a\r\n.\rMAIL\r\n.\r\n"), STR("a\r\n\rMAIL\r\n"), STR("a\r\n\r\nMAIL\r\n"), 14, CR_ },
	{ STR("a\r\n.\r\r\nMAIL\r\n.\r\n"), STR("a\r\n\r\r\nMAIL\r\n"), STR("a\r\n\r\n\r\nMAIL\r\n"), 16, CR_ },
	{ STR("a\r\r\n.\r\r\nMAIL\r\n.\r\n"), STR("a\r\r\n\r\r\nMAIL\r\n"), STR("a\r\n\r\n\r\n\r\nMAIL\r\n"), 17, CR_ },
	{ STR("a\r\n\0.\r\nMAIL\r\n.\r\n"), STR("a\r\n\0.\r\nMAIL\r\n"), STR("a\r\n\0.\r\nMAIL\r\n"), 16, NUL_ },
	{ STR("a\r\n.\0\r\nMAIL\r\n.\r\n"), STR("a\r\n\0\r\nMAIL\r\n"), STR("a\r\n\0\r\nMAIL\r\n"), 16, NUL_ },
	/* A bare CR before a true end line is not part of it. */
	{ STR("a\r\r\n.\r\n"), STR("a\r\r\n"), STR("a\r\n\r\n"), 7, CR_ },
	{ STR("\n..b\n.\r\n\r\n.\r\n"), STR("\n..b\n.\r\n\r\n"), STR("\r\n.b\r\n\r\n\r\n"), 13, LF_ },
	/* No end yet; the flags of what is behind the end do not count. */
	{ STR("a\n.\n"), STR("a\n.\n"), STR("a\r\n\r\n"), 0, LF_ },
	{ STR(".\r\n\0\n\r"), STR(""), STR(""), 3, 0 },
	{ STR("\r\r\r\n\n\n.\r\n.\r\n"), STR("\r\r\r\n\n\n.\r\n"), STR("\r\n\r\n\r\n\r\n\r\n\r\n"), 12, CR_ | LF_ },
};

static void collect(void *ctx, struct str run)
{
	assert_true(run.n > 0);
	assert_true(buf_add(ctx, run));
}

static bool feed(struct smtp_data *d, struct str piece, size_t *used, struct buf *out)
{
	struct str in = unit_exact(piece), rest = in;
	bool       end = smtp_data_feed(d, &rest, collect, out);

	*used += in.n - rest.n;
	unit_exact_free(in);
	return end;
}

/* In pieces of `piece` octets, the first of `first`. */
static void run(size_t i, bool normalise, size_t first, size_t piece)
{
	struct smtp_data d;
	struct buf       out;
	struct str       in = cases[i].in;
	size_t           used = 0, n = first;
	bool             end = false;

	buf_init(&out, 4096);
	smtp_data_init(&d, normalise);
	while (!end && in.n > 0) {
		end = feed(&d, str_first(in, n), &used, &out);
		in = str_from(in, MIN(n, in.n));
		n = piece;
	}
	assert_int_equal(end, cases[i].used > 0);
	assert_int_equal(used, cases[i].used ? cases[i].used : cases[i].in.n);
	assert_int_equal((d.bare_cr ? CR_ : 0) | (d.bare_lf ? LF_ : 0) | (d.nul ? NUL_ : 0), cases[i].flags);
	assert_str(buf_str(&out), normalise ? cases[i].normal : cases[i].strict);
	buf_done(&out);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		for (int normalise = 0; normalise < 2; normalise++) {
			run(i, normalise, 1, 1);
			for (size_t first = 0; first <= cases[i].in.n; first++)
				run(i, normalise, first, SIZE_MAX);
		}
	}
}

/* Clean data is handed on in one piece, uncopied, whatever its number of lines. */
static void test_clean_is_one_run(void **state)
{
	struct smtp_data d;
	struct buf       in, out;
	struct str       rest;

	(void)state;
	buf_init(&in, 100000);
	buf_init(&out, 100000);
	for (int i = 0; i < 1000; i++)
		assert_true(buf_addf(&in, "line %d of a clean message\r\n", i));
	rest = buf_str(&in);
	smtp_data_init(&d, false);
	assert_false(smtp_data_feed(&d, &rest, collect, &out));
	assert_int_equal(rest.n, 0);
	assert_str(buf_str(&out), buf_str(&in));
	buf_done(&in);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_clean_is_one_run) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
