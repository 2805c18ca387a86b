/* wire/smtp/smtp_stuff.h. RFC 5321 §4.5.2; the sequences of SMTP smuggling (CVE-2023-51764 and its kind). */
#include "unit.h"

#include "wire/smtp/smtp_stuff.h"

static const struct {
	struct str in, out;
} cases[] = {
	{ STR(""), STR(".\r\n") },
	{ STR("a"), STR("a\r\n.\r\n") },
	{ STR("a\r\n"), STR("a\r\n.\r\n") },
	{ STR("\r\n"), STR("\r\n.\r\n") },
	{ STR("."), STR("..\r\n.\r\n") },
	{ STR(".."), STR("...\r\n.\r\n") },
	{ STR("..."), STR("....\r\n.\r\n") },
	{ STR("a.b\r\n.c\r\n"), STR("a.b\r\n..c\r\n.\r\n") },
	{ STR("a\nb\n"), STR("a\r\nb\r\n.\r\n") },
	{ STR("a\rb\r"), STR("a\r\nb\r\n.\r\n") },
	{ STR("a\n.\nb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\n.\rb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\r.\nb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\r.\rb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\n.\r\nb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\r.\r\nb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\r\n.\r\nb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\r\n\0.\r\nb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\r\n.\0\r\nb"), STR("a\r\n..\r\nb\r\n.\r\n") },
	{ STR("a\r\n.\r\r\nb"), STR("a\r\n..\r\n\r\nb\r\n.\r\n") },
	{ STR("a\r\r\n.\r\r\nb"), STR("a\r\n\r\n..\r\n\r\nb\r\n.\r\n") },
	{ STR("a\r\0\nb"), STR("a\r\nb\r\n.\r\n") },
	{ STR("\xff\xfe.\r\n"), STR("\xff\xfe.\r\n.\r\n") },
};

/* The same with `nul`; dots put in. */
static const struct {
	struct str in, out;
	uint64_t   dots;
} nul_cases[] = {
	{ STR("\0"), STR("\0\r\n.\r\n"), 0 },
	{ STR("a\0b\r\n"), STR("a\0b\r\n.\r\n"), 0 },
	{ STR(".\0\r\n"), STR("..\0\r\n.\r\n"), 1 },
	{ STR("\0.\r\n.\r\n..\n"), STR("\0.\r\n..\r\n...\r\n.\r\n"), 2 },
	{ STR("a\r\0\nb"), STR("a\r\n\0\r\nb\r\n.\r\n"), 0 },
	{ STR("\r\0.\0"), STR("\r\n\0.\0\r\n.\r\n"), 0 },
	{ STR("\0\0\0\0\0\0\0\0\0\r."), STR("\0\0\0\0\0\0\0\0\0\r\n..\r\n.\r\n"), 1 },
};

/* `in` in pieces of the given size. */
static uint64_t encode(struct str in, size_t piece, bool nul, struct buf *out)
{
	struct smtp_stuff s = { .nul = nul };

	buf_init(out, in.n * 2 + 8);
	while (in.n > 0) {
		struct str part = unit_exact(str_first(in, piece));

		assert_true(smtp_stuff_add(&s, out, part));
		in = str_from(in, part.n);
		unit_exact_free(part);
	}
	assert_true(smtp_stuff_end(&s, out));
	return s.dots;
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (size_t piece = 1; piece <= cases[i].in.n + 1; piece++) {
			struct buf out;

			encode(cases[i].in, piece, false, &out);
			assert_str(buf_str(&out), cases[i].out);
			buf_done(&out);
		}
}

static void test_nul(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(nul_cases); i++)
		for (size_t piece = 1; piece <= nul_cases[i].in.n + 1; piece++) {
			struct buf out;

			assert_int_equal(encode(nul_cases[i].in, piece, true, &out), nul_cases[i].dots);
			assert_str(buf_str(&out), nul_cases[i].out);
			buf_done(&out);
		}
}

/* As a server reads it, RFC 5321 §4.5.2. */
static void decode(struct str wire, struct buf *out)
{
	struct str line;

	buf_init(out, wire.n);
	while (!str_eq(wire, STR(".\r\n"))) {
		assert_true(str_cut(wire, '\n', &line, &wire));
		(void)str_skip_char(&line, '.');
		buf_add(out, line);
		buf_add_char(out, '\n');
	}
}

/* Lines of none to three dots, in every order of four. */
static void test_dots(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 256; order++) {
		struct buf in, wire, back;

		buf_init(&in, 100);
		for (unsigned i = 0; i < 4; i++)
			buf_addf(&in, "%.*s\r\n", (int)(order >> 2 * i & 3), "...");
		encode(buf_str(&in), 1 + order % 5, false, &wire);
		decode(buf_str(&wire), &back);
		assert_str(buf_str(&back), buf_str(&in));
		buf_done(&in);
		buf_done(&wire);
		buf_done(&back);
	}
}

static void test_full(void **state)
{
	struct smtp_stuff s = { 0 };
	struct buf        out;

	(void)state;
	buf_init(&out, 3);
	assert_false(smtp_stuff_add(&s, &out, STR("....")));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_nul), cmocka_unit_test(test_dots),
					    cmocka_unit_test(test_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
