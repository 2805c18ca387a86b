/* Messages made to be expensive: what is kept stays within the limits, and the flag tells. */
#include "unit.h"

#include <string.h>

#include "mime_check.h"

static void add_times(struct buf *b, struct str s, size_t times)
{
	while (times-- > 0)
		buf_add(b, s);
}

/* Parse, check, give back flags and parts. */
static unsigned run(struct str message, size_t *ret_parts)
{
	struct arena *a = arena_new(NULL);
	struct mime   m;

	mime_parse(message, a, &m);
	*ret_parts = m.part_count;
	/* At most the tables for the limits, never a multiple of the message. */
	assert_true(arena_size(a) < 16 * MIB);
	arena_free(&a);
	return check_message(message);
}

static void test_depth(void **state)
{
	struct buf b;
	size_t     parts;

	(void)state;
	buf_init(&b, 10 * MIB);
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "Content-Type: multipart/mixed; boundary=b%04d\r\n\r\n--b%04d\r\n", i, i);
	buf_add(&b, STR("\r\ninnermost\r\n"));
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	assert_int_equal(parts, LIMIT_MIME_DEPTH + 1);
	buf_clear(&b);
	add_times(&b, STR("Content-Type: message/rfc822\r\n\r\n"), 1000);
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	assert_int_equal(parts, LIMIT_MIME_DEPTH + 1);
	buf_clear(&b); /* one boundary for all */
	add_times(&b, STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"), 1000);
	add_times(&b, STR("--b--\r\n"), 1000);
	run(buf_str(&b), &parts);
	buf_done(&b);
}

static void test_parts(void **state)
{
	struct buf b;
	size_t     parts;

	(void)state;
	buf_init(&b, 10 * MIB);
	buf_add(&b, STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
	add_times(&b, STR("--b\r\n\r\n"), 100000);
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	assert_int_equal(parts, LIMIT_MIME_PARTS);
	buf_clear(&b);
	buf_add(&b, STR("Content-Type: multipart/digest; boundary=b\r\n\r\n"));
	add_times(&b, STR("--b\r\n\r\nSubject: x\r\n\r\n"), 30000);
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	assert_true(parts <= LIMIT_MIME_PARTS + 1);
	buf_done(&b);
}

static void test_header(void **state)
{
	struct buf b;
	size_t     parts;

	(void)state;
	buf_init(&b, 20 * MIB);
	add_times(&b, STR("A: b\r\n"), 100000);
	buf_add(&b, STR("Content-Type: text/html\r\n\r\nx"));
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	buf_clear(&b);
	add_times(&b, STR("To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bbbb\r\n"), 140000);
	buf_add(&b, STR("\r\nx"));
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	buf_clear(&b); /* one field of 10 MB */
	buf_add(&b, STR("Subject: "));
	add_times(&b, STR("=?utf-8?q?=C3=A9?=\r\n "), 500000);
	buf_add(&b, STR("\r\n\r\nx"));
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	buf_clear(&b); /* encoded words that never end */
	buf_add(&b, STR("Subject: "));
	add_times(&b, STR("=?a?q?x"), 140000);
	run(buf_str(&b), &parts);
	buf_clear(&b); /* a header without an end */
	add_times(&b, STR("no field "), 1000000);
	run(buf_str(&b), &parts);
	buf_done(&b);
}

static void test_params(void **state)
{
	struct buf b;
	size_t     parts;

	(void)state;
	buf_init(&b, 20 * MIB);
	buf_add(&b, STR("Content-Type: text/plain"));
	for (int i = 0; i < 20000; i++)
		buf_addf(&b, "; a*%d*=%%41", i);
	buf_add(&b, STR("\r\n\r\nx"));
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	buf_clear(&b);
	buf_add(&b, STR("Content-Type: text/plain"));
	for (int i = 0; i < 20000; i++)
		buf_addf(&b, "; a%d=b", i);
	buf_add(&b, STR("\r\n\r\nx"));
	assert_true(run(buf_str(&b), &parts) & MIME_FLAG_LIMIT);
	buf_done(&b);
}

/* Lines that look like delimiters, under the deepest nesting. */
static void test_dashes(void **state)
{
	struct buf b;
	size_t     parts;

	(void)state;
	buf_init(&b, 20 * MIB);
	for (int i = 0; i < 99; i++)
		buf_addf(&b, "Content-Type: multipart/mixed; boundary=----b%04d\r\n\r\n------b%04d\r\n", i, i);
	buf_add(&b, STR("\r\n"));
	add_times(&b, STR("------b\r\n"), 200000);
	run(buf_str(&b), &parts);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth),  cmocka_unit_test(test_parts),  cmocka_unit_test(test_header),
		cmocka_unit_test(test_params), cmocka_unit_test(test_dashes),
	};

	return cmocka_run_group_tests_name("mime_limits", tests, NULL, NULL);
}
