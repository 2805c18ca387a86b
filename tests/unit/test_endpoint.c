/* tests/unit/test_endpoint.c - hosts with ports, each text in an exact-size block. */
#include "unit.h"

#include "wire/address/endpoint.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: none */
		uint32_t    port;
	} rows[] = {
		{ "mail.example:25", "mail.example", 25 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "[2001:db8::1]:24", "2001:db8::1", 24 },
		{ "[mail.example]:24", "mail.example", 24 },
		{ "*:25", "*", 25 },
		{ "mail.example:0", NULL, 0 },
		{ "mail.example:65536", NULL, 0 },
		{ "mail.example:4294967321", NULL, 0 },
		{ "mail.example:", NULL, 0 },
		{ "mail.example:smtp", NULL, 0 },
		{ "mail.example", NULL, 0 },
		{ "2001:db8::1:25", NULL, 0 },
		{ "[2001:db8::1:25", NULL, 0 },
		{ "[2001:db8::1]25", NULL, 0 },
		{ "[]:25", NULL, 0 },
		{ "[:25", NULL, 0 },
		{ ":25", NULL, 0 },
		{ ":", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str text = unit_exact(str_of(rows[i].text)), host = STR("before");
		uint32_t   port = 77;

		if (endpoint_parse(text, &host, &port) != (rows[i].host != NULL))
			fail_msg("%s", rows[i].text);
		assert_str(host, str_of(rows[i].host ? rows[i].host : "before"));
		assert_int_equal(port, rows[i].host ? rows[i].port : 77);
		unit_exact_free(text);
	}
}

static void test_pipe(void **state)
{
	static const struct {
		const char *text, *name, *nexthop; /* name NULL: none */
	} rows[] = {
		{ "pipe:archive", "archive", "" }, { "pipe:a-1_B:far.test", "a-1_B", "far.test" }, { "pipe:a:b:c d", NULL, NULL }, { "pipe:a:b:c", "a", "b:c" },
		{ "pipe:", NULL, NULL },           { "pipe:a:", NULL, NULL },                      { "pipe:-a", NULL, NULL },     { "pipe:a/b", NULL, NULL },
		{ "pipe:a b", NULL, NULL },        { "lmtp:a:25", NULL, NULL },                    { "", NULL, NULL },            { "pipe:a:\n", NULL, NULL },
		{ "pipe:abcdefghijklmnopqrstuvwxyz0123456", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str text = unit_exact(str_of(rows[i].text)), name = STR("before"), nexthop = STR("before");

		if (endpoint_pipe(text, &name, &nexthop) != (rows[i].name != NULL))
			fail_msg("%s", rows[i].text);
		assert_str(name, str_of(rows[i].name ? rows[i].name : "before"));
		assert_str(nexthop, str_of(rows[i].name ? rows[i].nexthop : "before"));
		unit_exact_free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_pipe) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
