/* wire/text/text_fold.h. */
#include "unit.h"

#include "wire/text/text_fold.h"

static void test_fold(void **state)
{
	static const struct {
		struct str in, out;
	} cases[] = {
		{ STR("Hello  World_"), STR("HELLO WORLD_") },
		{ STR("a\r\n\tb"), STR("A B") },
		/* Title case, then decomposed: U and a diaeresis, however it was written. */
		{ STR("\xc3\x9c" "BER"), STR("U\xcc\x88" "BER") },
		{ STR("u\xcc\x88" "ber"), STR("U\xcc\x88" "BER") },
		{ STR("\xc3\x97\xc3\x9f"), STR("\xc3\x97\xc3\x9f") },       /* times, sharp s */
		{ STR("\xc5\xa1\xc5\xbe\xc5\x82"), STR("S\xcc\x8cZ\xcc\x8c\xc5\x81") }, /* s caron, z caron, l stroke */
		{ STR("\xc4\x80\xc4\x81"), STR("A\xcc\x84" "A\xcc\x84") },
		{ STR("\xce\xa3\xcf\x82\xcf\x83"), STR("\xce\xa3\xce\xa3\xce\xa3") }, /* sigmas */
		{ STR("\xd0\xbf\xd1\x80\xd1\x91"), STR("\xd0\x9f\xd0\xa0\xd0\x95\xcc\x88") },
		{ STR("\xe6\x97\xa5"), STR("\xe6\x97\xa5") },
		{ STR("\xc5\xbf"), STR("S") },
		{ STR("A\xff" "b\xc3"), STR("A\xff" "B\xc3") },
		{ STR("\xc7\x86"), STR("Dz\xcc\x8c") },                       /* U+01C6: title case is U+01C5, not U+01C4 */
		{ STR("\xef\xac\x81x"), STR("fiX") },                       /* a ligature has no title case in UnicodeData */
		{ STR("\xea\xb0\x81"), STR("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8") }, /* Hangul GAG */
		{ STR("\xea\xb0\x80"), STR("\xe1\x84\x80\xe1\x85\xa1") },   /* Hangul GA */
		{ STR("\xe1\xbe\xb3"), STR("\xce\x91\xcd\x85") },           /* U+1FB3: title U+1FBC, decomposed */
		{ STR("a\xc2\xa0 b"), STR("A B") },                         /* no-break space */
		{ STR("\xf0\x9d\x90\x80"), STR("A") },                      /* mathematical bold */
		{ STR("\xf0\x90\x90\xa8"), STR("\xf0\x90\x90\x80") },       /* Deseret */
	};
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str in = unit_exact(cases[i].in);

		buf_clear(&out);
		text_fold(in, &out);
		assert_str(buf_str(&out), cases[i].out);
		unit_exact_free(in);
	}
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fold) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
