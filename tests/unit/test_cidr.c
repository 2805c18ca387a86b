/* tests/unit/test_cidr.c - networks of a setting, each text in an exact-size block. */
#include "unit.h"

#include "base/buf.h"
#include "base/limits.h"
#include "wire/address/cidr.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool        ok;
		unsigned    bits;
	} rows[] = {
		{ "192.0.2.1", true, 128 },
		{ "192.0.2.0/24", true, 120 },
		{ "0.0.0.0/0", true, 96 },
		{ "10.0.0.0/8", true, 104 },
		{ "2001:db8::/32", true, 32 },
		{ "::1", true, 128 },
		{ "::/0", true, 0 },
		{ "::ffff:192.0.2.0/120", true, 120 },
		{ "192.0.2.1/24", false, 0 }, /* bits behind the prefix */
		{ "2001:db8::1/64", false, 0 },
		{ "192.0.2.0/33", false, 0 },
		{ "::/129", false, 0 },
		{ "192.0.2.0/", false, 0 },
		{ "192.0.2.0/x", false, 0 },
		{ "192.0.2.0/-1", false, 0 },
		{ "192.0.2.0/0024", false, 0 },
		{ "192.0.2", false, 0 },
		{ "192.0.2.256", false, 0 },
		{ "[::1]", false, 0 },
		{ "fe80::1%eth0", false, 0 },
		{ "localhost", false, 0 },
		{ "/8", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str  text = unit_exact(str_of(rows[i].text));
		struct cidr c = { .bits = 77 };

		if (cidr_parse(text, &c) != rows[i].ok)
			print_error("%s\n", rows[i].text);
		assert_int_equal(cidr_parse(text, &c), rows[i].ok);
		assert_int_equal(c.bits, rows[i].ok ? rows[i].bits : 77);
		unit_exact_free(text);
	}
}

static void test_list(void **state)
{
	static const struct {
		const char *address;
		bool        inside;
	} rows[] = {
		{ "192.0.2.0", true },         { "192.0.2.255", true },  { "192.0.3.0", false }, { "::ffff:192.0.2.9", true },
		{ "198.51.100.5", true },      { "198.51.100.4", false }, { "2001:db8::ffff", true }, { "2001:db9::", false },
		{ "10.127.0.1", true },        { "10.128.0.1", false },  { "local", false },     { "", false },
		{ "::", false },
	};
	struct arena    *a = arena_new(NULL);
	struct cidr_list list;
	struct str       bad;
	struct buf       many;

	(void)state;
	assert_true(cidr_list_parse(STR(" 192.0.2.0/24,198.51.100.5\t 2001:db8::/32 , 10.0.0.0/9 "), a, &list, &bad));
	assert_int_equal(list.count, 4);
	for (size_t i = 0; i < LEN(rows); i++) {
		if (cidr_list_has(&list, str_of(rows[i].address)) != rows[i].inside)
			print_error("%s\n", rows[i].address);
		assert_int_equal(cidr_list_has(&list, str_of(rows[i].address)), rows[i].inside);
	}
	assert_false(cidr_list_parse(STR("192.0.2.0/24 bad/8 ::1"), a, &list, &bad));
	assert_str(bad, STR("bad/8"));
	assert_false(cidr_list_parse(STR("::1,,::2"), a, &list, &bad));
	assert_false(cidr_list_parse(STR(",::1"), a, &list, &bad));
	assert_true(cidr_list_parse(STR(""), a, &list, &bad));
	assert_int_equal(list.count, 0);
	assert_false(cidr_list_has(&list, STR("127.0.0.1")));
	buf_init(&many, 64 * KIB);
	for (size_t i = 0; i < LIMIT_CIDRS; i++)
		buf_add(&many, STR("::1 "));
	assert_true(cidr_list_parse(buf_str(&many), a, &list, &bad));
	buf_add(&many, STR("::1"));
	assert_false(cidr_list_parse(buf_str(&many), a, &list, &bad));
	buf_done(&many);
	arena_free(&a);
}

static void test_inside(void **state)
{
	static const struct {
		const char *address;
		bool        inside;
	} rows[] = {
		{ "127.0.0.1", true },      { "127.255.255.255", true },  { "128.0.0.1", false },   { "126.255.255.255", false },
		{ "0.0.0.0", true },        { "1.0.0.0", false },         { "10.0.0.1", true },     { "11.0.0.0", false },
		{ "172.16.0.1", true },     { "172.31.255.255", true },   { "172.32.0.0", false },  { "172.15.255.255", false },
		{ "192.168.255.1", true },  { "192.169.0.0", false },     { "192.167.9.9", false }, { "100.64.0.1", true },
		{ "100.127.255.255", true }, { "100.128.0.0", false },    { "100.63.0.0", false },  { "169.254.1.1", true },
		{ "169.255.0.0", false },   { "192.0.2.1", false },       { "::", true },           { "::1", true },
		{ "::2", false },           { "::ffff:127.0.0.1", true }, { "::ffff:192.0.2.1", false }, { "fc00::1", true },
		{ "fdff::", true },         { "fe00::", false },          { "fe80::1", true },      { "febf::1", true },
		{ "fec0::1", false },       { "2001:db8::1", false },     { "localhost", false },   { "", false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		if (cidr_inside(str_of(rows[i].address)) != rows[i].inside)
			print_error("%s\n", rows[i].address);
		assert_int_equal(cidr_inside(str_of(rows[i].address)), rows[i].inside);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_list), cmocka_unit_test(test_inside) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
