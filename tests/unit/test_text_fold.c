/* wire/text/text_fold.h. */
#include "unit.h"

#include "wire/text/text_fold.h"

static void test_fold(void **state)
{
	static const struct {
		struct str in, out;
	} cases[] = {
		{ STR("Hello  World"), STR("hello world") },
		{ STR("a\r\n\tb"), STR("a b") },
		{ STR("\xc3\x9c" "BER"), STR("\xc3\xbc" "ber") },
		{ STR("\xc3\x97\xc3\x9f"), STR("\xc3\x97\xc3\x9f") },       /* times, sharp s */
		{ STR("\xc5\xa0\xc5\xbd\xc5\x81"), STR("\xc5\xa1\xc5\xbe\xc5\x82") }, /* S caron, Z caron, L stroke */
		{ STR("\xc4\x80\xc4\x81"), STR("\xc4\x81\xc4\x81") },
		{ STR("\xce\xa3\xcf\x82"), STR("\xcf\x83\xcf\x83") },
		{ STR("\xd0\x9f\xd0\xa0\xd0\x81"), STR("\xd0\xbf\xd1\x80\xd1\x91") },
		{ STR("\xe6\x97\xa5"), STR("\xe6\x97\xa5") },
		{ STR("\xc5\xbf"), STR("s") },
		{ STR("A\xff" "B\xc3"), STR("a\xff" "b\xc3") },
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
