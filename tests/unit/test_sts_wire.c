/* wire/sts: the record and the policy of RFC 8461 §3.1, §3.2. */
#include "unit.h"

#include "wire/sts/sts_policy.h"
#include "wire/sts/sts_record.h"

static const struct {
	const char *text, *id; /* NULL: refused */
} records[] = {
	{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" }, /* RFC 8461 §3.1, the example */
	{ "v=STSv1; id=20160831085700Z", "20160831085700Z" },
	{ "v=STSv1;id=1", "1" },
	{ "v=STSv1 \t; \tid=1 ; ", "1" },
	{ "v=STSv1; a=b; id=1; x.y-z_0=!", "1" },
	{ "v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012" },
	{ "v=STSv1; id=123456789012345678901234567890123", NULL },
	{ "v=STSv1; id=", NULL },
	{ "v=STSv1; id=a-b", NULL },
	{ "v=STSv1; id=1; id=2", NULL },
	{ "v=STSv1; ID=1", NULL }, /* an extension of that name, and no id */
	{ "v=STSv1;", NULL },
	{ "v=STSv1", NULL },
	{ "V=STSv1; id=1", NULL },
	{ "v=stsv1; id=1", NULL },
	{ " v=STSv1; id=1", NULL },
	{ "v=STSv12; id=1", NULL },
	{ "v=STSv1; id=1;;", NULL },
	{ "v=STSv1; ; id=1", NULL },
	{ "v=STSv1; id", NULL },
	{ "v=STSv1; id=1; a=", NULL },
	{ "v=STSv1; id=1; a=b=c", NULL },
	{ "v=STSv1; id=1; a=b c", NULL },
	{ "v=STSv1; id=1; -a=b", NULL },
	{ "v=STSv1; id=1; abcdefghijklmnopqrstuvwxyz1234567=b", NULL },
	{ "v=STSv1; id=\xc3\xa4", NULL },
	{ "id=1; v=STSv1", NULL },
	{ "", NULL },
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(records); i++) {
		struct str exact = unit_exact(str_of(records[i].text)), id = STR("untouched");
		bool       ok = sts_record_parse(exact, &id);

		if (ok != (records[i].id != NULL))
			fail_msg("\"%s\"", records[i].text);
		assert_str(id, str_of(ok ? records[i].id : "untouched"));
		unit_exact_free(exact);
	}
	assert_false(sts_record_parse(str_n("v=STSv1; id=1\0", 14), &(struct str){ 0 }));
	/* Which ones count among several, RFC 8461 §3.1 */
	assert_true(sts_record_is(STR("v=STSv1; nonsense")));
	assert_true(sts_record_is(STR("v=STSv1;")));
	assert_false(sts_record_is(STR("v=STSv1")));
	assert_false(sts_record_is(STR("v=spf1 -all;")));
	assert_false(sts_record_is(STR("v=STSv10;")));
}

#define OK_REST "mode: enforce\nmx: a.example\nmax_age: 86400\n"

static const struct {
	const char         *text;
	enum sts_policy_err err;
	enum sts_mode       mode;
	uint32_t            max_age_s;
	size_t              mx;
} policies[] = {
	/* RFC 8461 §3.2, the example */
	{ "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n", STS_POLICY_OK,
	  STS_ENFORCE, 604800, 3 },
	{ "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1", STS_POLICY_OK, STS_TESTING, 1, 1 },
	{ "version: STSv1\nmode: none\nmax_age: 0\n", STS_POLICY_OK, STS_NONE, 0, 0 },
	{ "version:STSv1\nmode \t:\t none \t\nmax_age: 31557600", STS_POLICY_OK, STS_NONE, 31557600, 0 },
	{ "max_age: 00000086400\nmode: none\nversion: STSv1", STS_POLICY_VALUE, 0, 0, 0 }, /* 11 digits */
	{ "max_age: 0000086400\nmode: none\nversion: STSv1", STS_POLICY_OK, STS_NONE, 86400, 0 },
	{ "version: STSv1\nx-new.one_2: \xc3\xa4 b; c\n" OK_REST, STS_POLICY_OK, STS_ENFORCE, 86400, 1 },
	{ "\r\n\nversion: STSv1\n \n" OK_REST "\n\n", STS_POLICY_OK, STS_ENFORCE, 86400, 1 },
	/* RFC 8461 §3.2: of what is given twice the first counts */
	{ "version: STSv1\nversion: STSv2\n" OK_REST "mode: none\nmax_age: 5\nmax_age: nonsense\n", STS_POLICY_OK, STS_ENFORCE, 86400, 1 },
	{ "version: STSv1\nmode: enforce\nmx: xn--bcher-kva.example\nmax_age: 5\n", STS_POLICY_OK, STS_ENFORCE, 5, 1 },
	{ OK_REST, STS_POLICY_VERSION, 0, 0, 0 },
	{ "version: STSv2\n" OK_REST, STS_POLICY_VERSION, 0, 0, 0 },
	{ "version: stsv1\n" OK_REST, STS_POLICY_VERSION, 0, 0, 0 },
	{ "Version: STSv1\n" OK_REST, STS_POLICY_VERSION, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmx: a.example\nmax_age: 5\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmx: a.example\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 5\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: none\nmax_age: 31557601\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: none\nmax_age: 4294967297\n", STS_POLICY_VALUE, 0, 0, 0 }, /* 1, in 32 bits */
	{ "version: STSv1\nmode: none\nmax_age: 18446744073709551617\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: none\nmax_age: -1\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: none\nmax_age: 1d\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx: *\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx: *.*.example\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx: a.*.example\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx: .example.com\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx: 192.0.2.1\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx: b\xc3\xbc" "cher.example\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx: a.example b.example\n", STS_POLICY_VALUE, 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 5\nmx:\n", STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "version: STSv1\nno colon\n" OK_REST, STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "version: STSv1\n: value\n" OK_REST, STS_POLICY_SYNTAX, 0, 0, 0 },
	{ " version: STSv1\n" OK_REST, STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "version: STSv1\n-x: y\n" OK_REST, STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "version: STSv1\nx: a\rb\n" OK_REST, STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "version: STSv1\nx: \xff\n" OK_REST, STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "version: STSv1\nx: a\x1b[2J\n" OK_REST, STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "<html><body>not found</body></html>", STS_POLICY_SYNTAX, 0, 0, 0 },
	{ "", STS_POLICY_VERSION, 0, 0, 0 },
};

/* The printed form says the same, and printing it again changes nothing. */
static void check_printed(struct str text, const struct sts_policy *p)
{
	struct sts_policy again = { 0 };
	struct buf        once, twice;
	struct str        a, b, rest_a = text, rest_b;

	buf_init(&once, STS_PRINTED_MAX);
	buf_init(&twice, STS_PRINTED_MAX);
	sts_policy_print(text, &once);
	assert_false(once.over);
	assert_int_equal(sts_policy_parse(buf_str(&once), &again), STS_POLICY_OK);
	assert_int_equal(again.mode, p->mode);
	assert_int_equal(again.max_age_s, p->max_age_s);
	assert_int_equal(again.mx_count, p->mx_count);
	for (rest_b = buf_str(&once); sts_policy_mx(&rest_a, &a);) {
		assert_true(sts_policy_mx(&rest_b, &b));
		assert_str(a, b);
	}
	assert_false(sts_policy_mx(&rest_b, &b));
	sts_policy_print(buf_str(&once), &twice);
	assert_str(buf_str(&twice), buf_str(&once));
	buf_done(&once);
	buf_done(&twice);
}

static void test_policies(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(policies); i++) {
		struct str          exact = unit_exact(str_of(policies[i].text));
		struct sts_policy   p = { .mx_count = 77 };
		enum sts_policy_err err = sts_policy_parse(exact, &p);

		if (err != policies[i].err)
			fail_msg("\"%s\": %s", policies[i].text, sts_policy_err_text(err));
		if (err == STS_POLICY_OK) {
			assert_int_equal(p.mode, policies[i].mode);
			assert_int_equal(p.max_age_s, policies[i].max_age_s);
			assert_int_equal(p.mx_count, policies[i].mx);
			check_printed(exact, &p);
		} else {
			assert_int_equal(p.mx_count, 77);
		}
		unit_exact_free(exact);
	}
}

static void test_hostile_sizes(void **state)
{
	const struct {
		size_t              lines;
		const char         *line;
		enum sts_policy_err err;
	} rows[] = {
		{ STS_MX_MAX - 1, "mx: a.example\n", STS_POLICY_OK }, /* one more stands in front */
		{ STS_MX_MAX, "mx: a.example\n", STS_POLICY_LIMIT },
		{ 10000, "mx: a.example\n", STS_POLICY_LIMIT },
		{ 10000, "mx: b.c\n", STS_POLICY_LIMIT },
		{ 10000, "x: y\n", STS_POLICY_OK },
		{ 20000, "x: y\n", STS_POLICY_LIMIT },
		{ 60000, "\n", STS_POLICY_OK },
		{ 400, "mx: mail-server-with-a-long-name-of-forty.example.com\n", STS_POLICY_LIMIT }, /* over STS_PRINTED_MAX */
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct sts_policy p;
		struct buf        b;
		struct str        exact;

		buf_init(&b, 1 * MIB);
		buf_add(&b, STR("version: STSv1\n" OK_REST));
		for (size_t k = 0; k < rows[i].lines; k++)
			buf_add(&b, str_of(rows[i].line));
		exact = unit_exact(buf_str(&b));
		if (sts_policy_parse(exact, &p) != rows[i].err)
			fail_msg("%zu times %s", rows[i].lines, rows[i].line);
		if (rows[i].err == STS_POLICY_OK)
			check_printed(exact, &p);
		unit_exact_free(exact);
		buf_done(&b);
	}
	assert_int_equal(sts_policy_parse(str_n("version: STSv1\nx: \0\n" OK_REST, 20 + sizeof(OK_REST) - 1), &(struct sts_policy){ 0 }), STS_POLICY_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_hostile_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
