/* wire/address/nexthop.h: every form, and what is none. */
#include "unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "wire/address/nexthop.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *in, *want; /* want: hops as "flags host port;"; NULL: none. Flags: m, l, s, a */
} rows[] = {
	{ "mx.test:25", "- mx.test 25;" },
	{ "mx.test.:25", "- mx.test 25;" },
	{ "MX_1.Test:2525", "- MX_1.Test 2525;" },
	{ "localhost:24", "- localhost 24;" },
	{ "[mx.test]:25", "- mx.test 25;" },
	{ "192.0.2.1:25", "a 192.0.2.1 25;" },
	{ "[192.0.2.1]:25", "a 192.0.2.1 25;" },
	{ "[2001:db8::1]:25", "a 2001:db8::1 25;" },
	{ "lmtp:store.test:24", "l store.test 24;" },
	{ "lmtp:[::1]:24", "la ::1 24;" },
	{ "smtps:smart.test:465", "s smart.test 465;" },
	{ "mx:other.test", "m other.test 0;" },
	{ "mx:other.test.", "m other.test 0;" },
	{ "mx:other.test:2525", "m other.test 2525;" },
	{ "mx:localhost:25", "m localhost 25;" },
	{ "a.test:25,smtps:b.test:465,mx:c.test", "- a.test 25;s b.test 465;m c.test 0;" },
	{ "a.test:25 ,\tb.test:25", "- a.test 25;- b.test 25;" },
	{ L63 ".test:25", "- " L63 ".test 25;" },
	{ "a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1", "- a 1;- b 1;- c 1;- d 1;- e 1;- f 1;- g 1;- h 1;" },
	/* none */
	{ "", NULL },
	{ " ", NULL },
	{ ",", NULL },
	{ "a:1,", NULL },
	{ ",a:1", NULL },
	{ "a:1,,b:1", NULL },
	{ "a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1", NULL },
	{ "mx.test", NULL },
	{ "mx.test:", NULL },
	{ ":25", NULL },
	{ "mx.test:0", NULL },
	{ "mx.test:65536", NULL },
	{ "mx.test:25 x", NULL },
	{ "mx.test :25", NULL },
	{ "a b:25", NULL },
	{ "a\nb:25", NULL },
	{ "a..b:25", NULL },
	{ ".a:25", NULL },
	{ "..:25", NULL },
	{ ".:25", NULL },
	{ "*:25", NULL },
	{ "b\xc3\xbc" "cher.test:25", NULL },
	{ "192.0.2:25", NULL },
	{ "192.0.2.300:25", NULL },
	{ "192.0.2.1.:25", NULL },
	{ "25:25", NULL },
	{ "::1:25", NULL },
	{ "[::1:25", NULL },
	{ "::1]:25", NULL },
	{ "[]:25", NULL },
	{ "[::g]:25", NULL },
	{ "[fe80::1%eth0]:25", NULL },
	{ "lmtp:", NULL },
	{ "lmtp:host", NULL },
	{ "smtp:host:25", NULL },
	{ "lmtp:smtps:host:25", NULL },
	{ "smtps:lmtp:host:25", NULL },
	{ "smtps:mx:host", NULL },
	{ "mx:", NULL },
	{ "mx::25", NULL },
	{ "mx:a.test:", NULL },
	{ "mx:a.test:0", NULL },
	{ "mx:192.0.2.1", NULL },
	{ "mx:[192.0.2.1]", NULL },
	{ "mx:[a.test]:25", NULL },
	{ "mx:a.test:25:25", NULL },
	{ "a" L63 ".test:25", NULL },
};

static void print(struct str list, struct buf *out)
{
	struct nexthop n;
	struct str     bad;

	while (nexthop_take(&list, &n, &bad))
		buf_addf(out, "%s%s%s%s%s %.*s %u;", n.mx ? "m" : "", n.lmtp ? "l" : "", n.smtps ? "s" : "", n.address ? "a" : "",
			 n.mx || n.lmtp || n.smtps || n.address ? "" : "-", STR_FMT(n.host), n.port);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = unit_exact(str_of(rows[i].in));
		struct buf out;

		buf_init(&out, 4096);
		if (nexthops_valid(in) != (rows[i].want != NULL))
			print_error("\"%s\"\n", rows[i].in);
		assert_int_equal(nexthops_valid(in), rows[i].want != NULL);
		print(in, &out);
		if (rows[i].want)
			assert_str(buf_str(&out), str_of(rows[i].want));
		buf_done(&out);
		unit_exact_free(in);
	}
}

/* What is wrong is said. */
static void test_bad(void **state)
{
	struct str     list = STR("a.test:25, b.test, c.test:25"), bad;
	struct nexthop n;

	(void)state;
	assert_true(nexthop_take(&list, &n, &bad));
	assert_int_equal(bad.n, 0);
	assert_false(nexthop_take(&list, &n, &bad));
	assert_str(bad, STR("b.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
