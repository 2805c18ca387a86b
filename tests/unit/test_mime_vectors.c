/* Messages of other projects: legal trees and printed forms, and the structure that mime4j expects.
 * Each file is read as it is and with CRLF line ends.
 */
#include "unit_data.h"

#include "mime_check.h"

static void check_file(const char *path)
{
	struct str raw = unit_data_file(path), crlf = unit_crlf(raw);

	check_message(raw);
	check_message(crlf);
	unit_exact_free(raw);
	unit_exact_free(crlf);
}

static void test_cpython(void **state)
{
	char dir[512];

	(void)state;
	if (!unit_data_dir("cpython-email", dir, sizeof(dir)))
		skip();
	assert_true(unit_data_each(dir, ".txt", check_file) > 40);
}

static void test_ruby(void **state)
{
	char dir[512];

	(void)state;
	if (!unit_data_dir("ruby-mail", dir, sizeof(dir)))
		skip();
	assert_true(unit_data_each(dir, ".eml", check_file) > 90);
}

static void test_mime4j_legal(void **state)
{
	char dir[512];

	(void)state;
	if (!unit_data_dir("mime4j", dir, sizeof(dir)))
		skip();
	assert_true(unit_data_each(dir, ".msg", check_file) > 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpython),
		cmocka_unit_test(test_ruby),
		cmocka_unit_test(test_mime4j_legal),
	};

	return cmocka_run_group_tests_name("mime_vectors", tests, NULL, NULL);
}
