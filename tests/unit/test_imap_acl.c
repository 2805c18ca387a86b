/* wire/imap/imap_acl: rights and identifiers. */
#include "unit.h"

#include "wire/imap/imap_acl.h"

enum { L = IMAP_RIGHT_LOOKUP, R = IMAP_RIGHT_READ, S = IMAP_RIGHT_SEEN, W = IMAP_RIGHT_WRITE, K = IMAP_RIGHT_CREATE,
       D = IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE | IMAP_RIGHT_DELETE_BOX };

static void test_rights(void **state)
{
	static const struct {
		struct str          in;
		bool                ok;
		enum imap_rights_op op;
		unsigned            rights;
		const char         *out;
	} cases[] = {
		{ STR(""), true, IMAP_RIGHTS_REPLACE, 0, "" },
		{ STR("+"), true, IMAP_RIGHTS_ADD, 0, "" },
		{ STR("-"), true, IMAP_RIGHTS_REMOVE, 0, "" },
		{ STR("lr"), true, IMAP_RIGHTS_REPLACE, L | R, "lr" },
		{ STR("rlrl"), true, IMAP_RIGHTS_REPLACE, L | R, "lr" },
		{ STR("+sw"), true, IMAP_RIGHTS_ADD, S | W, "sw" },
		{ STR("-k"), true, IMAP_RIGHTS_REMOVE, K, "kc" },
		{ STR("c"), true, IMAP_RIGHTS_REPLACE, K, "kc" },
		{ STR("d"), true, IMAP_RIGHTS_REPLACE, D, "xted" },
		{ STR("t"), true, IMAP_RIGHTS_REPLACE, IMAP_RIGHT_DELETE, "td" },
		{ STR("lrswipkxteacd"), true, IMAP_RIGHTS_REPLACE, IMAP_RIGHT_ALL, "lrswipkxtecda" },
		{ STR("L"), false, 0, 0, NULL },
		{ STR("lrq"), false, 0, 0, NULL },
		{ STR("lr0"), false, 0, 0, NULL },
		{ STR("++l"), false, 0, 0, NULL },
		{ STR("l+r"), false, 0, 0, NULL },
		{ STR("l r"), false, 0, 0, NULL },
		{ STR("l\0r"), false, 0, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		enum imap_rights_op op = IMAP_RIGHTS_REPLACE;
		unsigned            rights = 0;
		char                text[IMAP_RIGHTS_TEXT];

		assert_int_equal(imap_rights_parse(cases[i].in, &op, &rights), cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_int_equal(op, cases[i].op);
		assert_int_equal(rights, cases[i].rights);
		imap_rights_print(rights, text);
		assert_string_equal(text, cases[i].out);
	}
}

/* Told and read again a set without "d" grows by nothing that it had not. */
static void test_round(void **state)
{
	(void)state;
	for (unsigned rights = 0; rights <= IMAP_RIGHT_ALL; rights++) {
		enum imap_rights_op op;
		unsigned            back;
		char                text[IMAP_RIGHTS_TEXT];

		imap_rights_print(rights, text);
		assert_true(imap_rights_parse(str_of(text), &op, &back));
		assert_int_equal(back & rights, rights);
		assert_int_equal(back & ~rights & ~(unsigned)D, 0);
	}
}

static void test_identifiers(void **state)
{
	static const struct {
		struct str                in;
		bool                      ok, negative;
		enum imap_identifier_kind kind;
		struct str                name;
	} cases[] = {
		{ STR("ann@example.org"), true, false, IMAP_IDENTIFIER_ACCOUNT, STR("ann@example.org") },
		{ STR("-ann@example.org"), true, true, IMAP_IDENTIFIER_ACCOUNT, STR("ann@example.org") },
		{ STR("anyone"), true, false, IMAP_IDENTIFIER_ANYONE, STR("") },
		{ STR("-anyone"), true, true, IMAP_IDENTIFIER_ANYONE, STR("") },
		{ STR("Anyone"), true, false, IMAP_IDENTIFIER_ACCOUNT, STR("Anyone") },
		{ STR("$sales"), true, false, IMAP_IDENTIFIER_GROUP, STR("sales") },
		{ STR("-$sales"), true, true, IMAP_IDENTIFIER_GROUP, STR("sales") },
		{ STR("--a"), true, true, IMAP_IDENTIFIER_ACCOUNT, STR("-a") },
		{ STR("m\xc3\xbcller@example.org"), true, false, IMAP_IDENTIFIER_ACCOUNT, STR("m\xc3\xbcller@example.org") },
		{ STR(""), false, false, 0, STR("") },       { STR("-"), false, false, 0, STR("") },
		{ STR("$"), false, false, 0, STR("") },      { STR("-$"), false, false, 0, STR("") },
		{ STR("a\rb"), false, false, 0, STR("") },   { STR("a\nb"), false, false, 0, STR("") },
		{ STR("a\0b"), false, false, 0, STR("") },   { STR("a\x7f"), false, false, 0, STR("") },
		{ STR("\xff\xfe"), false, false, 0, STR("") },
	};
	static char long_name[LIMIT_ADDRESS + 1];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct imap_identifier id = { 0 };

		assert_int_equal(imap_identifier_parse(cases[i].in, &id), cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_int_equal(id.kind, cases[i].kind);
		assert_int_equal(id.negative, cases[i].negative);
		assert_str(id.name, cases[i].name);
	}
	memset(long_name, 'a', sizeof(long_name));
	assert_false(imap_identifier_parse(str_n(long_name, sizeof(long_name)), &(struct imap_identifier){ 0 }));
	assert_true(imap_identifier_parse(str_n(long_name, sizeof(long_name) - 1), &(struct imap_identifier){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_identifiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
