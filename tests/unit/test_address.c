/* wire/address/: RFC 5321 §4.1.2, §4.1.3, RFC 6531 §3.3. */
#include "unit.h"

#include <stdio.h>

#include "wire/address/address.h"

#define UE "\xc3\xbc"

static const struct parse_case {
	struct str       text;
	enum address_err err;  /* with UTF-8 allowed */
	struct str       want; /* canonical, folded */
	struct str       keep; /* canonical, not folded; STR_NONE: as want */
} parse_cases[] = {
	{ STR("a@b"), ADDRESS_OK, STR("a@b"), STR_NONE },
	{ STR("Alice@Demo.Test"), ADDRESS_OK, STR("alice@demo.test"), STR("Alice@demo.test") },
	{ STR("a.b.c@x.example"), ADDRESS_OK, STR("a.b.c@x.example"), STR_NONE },
	{ STR("!#$%&'*+-/=?^_`{|}~@x.example"), ADDRESS_OK, STR("!#$%&'*+-/=?^_`{|}~@x.example"), STR_NONE },
	{ STR("user%other.example@x.example"), ADDRESS_OK, STR("user%other.example@x.example"), STR_NONE },
	{ STR("other!user@x.example"), ADDRESS_OK, STR("other!user@x.example"), STR_NONE },
	/* quoted: one mailbox, however it is written */
	{ STR("\"alice\"@demo.test"), ADDRESS_OK, STR("alice@demo.test"), STR_NONE },
	{ STR("\"\\a\\l\\ice\"@demo.test"), ADDRESS_OK, STR("alice@demo.test"), STR_NONE },
	{ STR("\"a b\"@demo.test"), ADDRESS_OK, STR("\"a b\"@demo.test"), STR_NONE },
	{ STR("\"a\\\"b\\\\c\"@demo.test"), ADDRESS_OK, STR("\"a\\\"b\\\\c\"@demo.test"), STR_NONE },
	{ STR("\"a@b\"@demo.test"), ADDRESS_OK, STR("\"a@b\"@demo.test"), STR_NONE },
	{ STR("\"a..b\"@demo.test"), ADDRESS_OK, STR("\"a..b\"@demo.test"), STR_NONE },
	{ STR("\"\"@demo.test"), ADDRESS_OK, STR("\"\"@demo.test"), STR_NONE },
	{ STR("\"a<b>,;:\"@demo.test"), ADDRESS_OK, STR("\"a<b>,;:\"@demo.test"), STR_NONE },
	/* literals */
	{ STR("a@[192.0.2.1]"), ADDRESS_OK, STR("a@[192.0.2.1]"), STR_NONE },
	{ STR("a@[ipv6:2001:DB8:0:0::1]"), ADDRESS_OK, STR("a@[IPv6:2001:db8::1]"), STR_NONE },
	{ STR("a@[IPv6:::ffff:192.0.2.1]"), ADDRESS_OK, STR("a@[IPv6:::ffff:192.0.2.1]"), STR_NONE },
	{ STR("a@[192.0.2.256]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[192.0.2.010]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[192.0.2]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[::1]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[IPv6:192.0.2.1]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[IPv6:fe80::1%eth0]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[x400:abc]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[]"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@["), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[192.0.2.1"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@[192.0.2.1]x"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@192.0.2.1"), ADDRESS_DOMAIN, STR_NONE, STR_NONE },
	{ STR("a@x.0"), ADDRESS_DOMAIN, STR_NONE, STR_NONE },
	{ STR("a@3com.example"), ADDRESS_OK, STR("a@3com.example"), STR_NONE },
	/* not mailboxes */
	{ STR(""), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("@"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"\""), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"a\"b@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a\"b\"@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"a\\"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@b@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a..b@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR(".a@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a.@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a b@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x.example."), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@.x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x..example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@-x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x-.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x_y.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x .example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x.example "), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("<a@x.example>"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a\0b@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x.exa\0mple"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x.example\0"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a\r\n@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"a\r\nb\"@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"a\0b\"@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"a\\\nb\"@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"a\tb\"@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("\"a\x7f\"@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("a@x.example\n"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	{ STR("@relay.example:a@x.example"), ADDRESS_SYNTAX, STR_NONE, STR_NONE },
	/* RFC 6531: U-label and A-label are one domain, in any case */
	{ STR("x@b" UE "cher.example"), ADDRESS_OK, STR("x@xn--bcher-kva.example"), STR_NONE },
	{ STR("x@B\xc3\x9c" "CHER.example"), ADDRESS_OK, STR("x@xn--bcher-kva.example"), STR_NONE },
	{ STR("x@bu\xcc\x88" "cher.example"), ADDRESS_OK, STR("x@xn--bcher-kva.example"), STR_NONE },
	{ STR("x@XN--Bcher-KVA.example"), ADDRESS_OK, STR("x@xn--bcher-kva.example"), STR_NONE },
	{ STR("x@fa\xc3\x9f.example"), ADDRESS_OK, STR("x@xn--fa-hia.example"), STR_NONE },
	{ STR("x@\xef\xbd\x81.example"), ADDRESS_OK, STR("x@a.example"), STR_NONE },             /* fullwidth a */
	{ STR("x@a\xe3\x80\x82" "b.example"), ADDRESS_OK, STR("x@a.b.example"), STR_NONE },      /* ideographic full stop */
	{ STR("x@a\xef\xbc\xa0" "b.example"), ADDRESS_DOMAIN, STR_NONE, STR_NONE },              /* fullwidth @ */
	{ STR("x@a\xe2\x84\x80" "b.example"), ADDRESS_DOMAIN, STR_NONE, STR_NONE },              /* a/c */
	{ STR("x@\xd1\x80\xd0\xb0ypal.example"), ADDRESS_OK, STR("x@xn--ypal-43d9g.example"), STR_NONE }, /* Cyrillic: another domain */
	{ STR("x@a\xe2\x80\x8b" "b.example"), ADDRESS_OK, STR("x@ab.example"), STR_NONE },       /* zero width space maps away */
	{ STR("x@\xe2\x80\x8b.example"), ADDRESS_DOMAIN, STR_NONE, STR_NONE },
	{ STR("x@\xff.example"), ADDRESS_UTF8, STR_NONE, STR_NONE },
	{ STR("\xc3@x.example"), ADDRESS_UTF8, STR_NONE, STR_NONE },
	{ STR("a\xc2\x85z@x.example"), ADDRESS_UTF8, STR_NONE, STR_NONE }, /* C1: NEL */
	/* local parts with UTF-8 */
	{ STR("J\xc3\x96RG@demo.test"), ADDRESS_OK, STR("j\xc3\xb6rg@demo.test"), STR("J\xc3\x96RG@demo.test") },
	{ STR("Jo\xcc\x88rg@demo.test"), ADDRESS_OK, STR("j\xc3\xb6rg@demo.test"), STR("Jo\xcc\x88rg@demo.test") },
	{ STR("\xef\xbd\x81lice@demo.test"), ADDRESS_OK, STR("alice@demo.test"), STR("\xef\xbd\x81lice@demo.test") },
	{ STR("a\xef\xbc\xa0" "B@demo.test"), ADDRESS_OK, STR("a\xef\xbc\xa0" "b@demo.test"), STR("a\xef\xbc\xa0" "B@demo.test") },
	{ STR("A\xcd\xbe@demo.test"), ADDRESS_OK, STR("a\xcd\xbe@demo.test"), STR("A\xcd\xbe@demo.test") }, /* NFC is ";" */
	{ STR("\xf0\x9f\x93\xac@demo.test"), ADDRESS_OK, STR("\xf0\x9f\x93\xac@demo.test"), STR_NONE },
	{ STR("\"\xc3\x9c x\"@demo.test"), ADDRESS_OK, STR("\"\xc3\xbc x\"@demo.test"), STR("\"\xc3\x9c x\"@demo.test") },
};

static void check_case(const struct parse_case *c)
{
	struct str           text = unit_exact(c->text);
	struct address       a;
	struct address_canon canon, again, keep;
	enum address_err     err = address_canon_of(text, true, &canon);

	if (err != c->err)
		print_error("\"%.*s\": got %s\n", STR_FMT(text), address_err_name(err));
	assert_int_equal(err, c->err);
	if (err != ADDRESS_OK) {
		unit_exact_free(text);
		return;
	}
	assert_str(address_text(&canon), c->want);
	assert_int_equal(address_canon_of(address_text(&canon), true, &again), ADDRESS_OK);
	assert_str(address_text(&again), c->want);
	assert_int_equal(address_canon_of(text, false, &keep), ADDRESS_OK);
	assert_str(address_text(&keep), c->keep.p != NULL ? c->keep : c->want);
	/* Without SMTPUTF8 the same, unless there is UTF-8. */
	err = address_parse(text, false, &a);
	assert_int_equal(err, str_is_ascii(text) ? ADDRESS_OK : ADDRESS_UTF8);
	unit_exact_free(text);
}

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(parse_cases); i++)
		check_case(&parse_cases[i]);
}

static struct str repeat(char *out, const char *what, size_t times, const char *after)
{
	size_t n = 0, len = strlen(what);

	for (size_t i = 0; i < times; i++, n += len)
		memcpy(out + n, what, len);
	memcpy(out + n, after, strlen(after));
	return str_n(out, n + strlen(after));
}

static void test_length(void **state)
{
	char                 out[2000];
	struct address_canon c;
	struct address       a;

	(void)state;
	assert_int_equal(address_canon_of(repeat(out, "a", 255, "@x.example"), true, &c), ADDRESS_OK);
	assert_int_equal(address_canon_of(repeat(out, "a", 256, "@x.example"), true, &c), ADDRESS_LENGTH);
	assert_int_equal(address_parse(repeat(out, "a", 300, "@x.example"), true, &a), ADDRESS_LENGTH);
	assert_int_equal(address_parse(repeat(out, "a", 1000, "@x.example"), true, &a), ADDRESS_LENGTH);
	assert_int_equal(address_domain(repeat(out, "a", 63, ".example"), &c), ADDRESS_OK);
	assert_int_equal(address_domain(repeat(out, "a", 64, ".example"), &c), ADDRESS_LENGTH);
	assert_int_equal(address_domain(repeat(out, "a.", 125, "bcd"), &c), ADDRESS_OK); /* 253 */
	assert_int_equal(address_domain(repeat(out, "a.", 125, "bcde"), &c), ADDRESS_LENGTH);
	assert_int_equal(address_domain(repeat(out, "a", 300, ""), &c), ADDRESS_LENGTH);
	assert_int_equal(address_domain(repeat(out, UE, 50, ".example"), &c), ADDRESS_OK);
	assert_int_equal(address_domain(STR(""), &c), ADDRESS_SYNTAX);
	assert_int_equal(address_domain(STR("[192.0.2.1]"), &c), ADDRESS_DOMAIN);
	assert_int_equal(address_domain(STR("a\0b" UE), &c), ADDRESS_SYNTAX);
	/* Folding may grow a local part: U+FDFA is 18 letters in NFKC. */
	assert_int_equal(address_canon_of(repeat(out, "\xef\xb7\xba", 80, "@x.example"), true, &c), ADDRESS_OK);
	assert_int_equal(address_canon_of(repeat(out, "\\\"", 127, "@x.example"), true, &c), ADDRESS_SYNTAX);
}

static void test_domain_ascii(void **state)
{
	(void)state;
	assert_true(address_domain_is_ascii(STR("Mail.Example.ORG")));
	assert_true(address_domain_is_ascii(STR("localhost")));
	assert_false(address_domain_is_ascii(STR("")));
	assert_false(address_domain_is_ascii(STR("a.b.")));
	assert_false(address_domain_is_ascii(STR("127.0.0.1")));
	assert_false(address_domain_is_ascii(STR("b" UE "cher.example")));
	assert_false(address_domain_is_ascii(STR("a b")));
}

static void test_base(void **state)
{
	static const struct {
		struct str in, want; /* want STR_NONE: no subaddress */
	} cases[] = {
		{ STR("alice+list@demo.test"), STR("alice@demo.test") },
		{ STR("alice+a+b@demo.test"), STR("alice@demo.test") },
		{ STR("alice+@demo.test"), STR("alice@demo.test") },
		{ STR("+x@demo.test"), STR_NONE },
		{ STR("++x@demo.test"), STR("+@demo.test") },
		{ STR("alice@demo.test"), STR_NONE },
		{ STR("\"a b+c d\"@demo.test"), STR("\"a b\"@demo.test") },
		{ STR("\"alice+c d\"@demo.test"), STR("alice@demo.test") },
		{ STR("\"\"@demo.test"), STR_NONE },
		{ STR("a@x+y"), STR_NONE },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct address_canon a, base;
		bool                 ok = address_canon_of(cases[i].in, true, &a) == ADDRESS_OK && address_base(&a, STR("+"), &base);

		assert_int_equal(ok, cases[i].want.p != NULL);
		if (ok)
			assert_str(address_text(&base), cases[i].want);
	}
}

/* Of a set, the first that occurs counts. */
static void test_base_set(void **state)
{
	static const struct {
		struct str set, in, want;
	} cases[] = {
		{ STR("+-"), STR("a-b+c@demo.test"), STR("a@demo.test") },
		{ STR("+-"), STR("a+b-c@demo.test"), STR("a@demo.test") },
		{ STR("-+"), STR("-a+b@demo.test"), STR("-a@demo.test") },
		{ STR("="), STR("a+b@demo.test"), STR_NONE },
		{ STR(""), STR("a+b@demo.test"), STR_NONE },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct address_canon a, base;
		bool                 ok = address_canon_of(cases[i].in, true, &a) == ADDRESS_OK && address_base(&a, cases[i].set, &base);

		assert_int_equal(ok, cases[i].want.p != NULL);
		if (ok)
			assert_str(address_text(&base), cases[i].want);
	}
}

static void test_parts(void **state)
{
	struct address_canon c;

	(void)state;
	assert_int_equal(address_canon_of(STR("\"a@b\"@Demo.Test"), true, &c), ADDRESS_OK);
	assert_str(address_local(&c), STR("\"a@b\""));
	assert_str(address_domain_of(&c), STR("demo.test"));
	assert_int_equal(address_domain(STR("Demo.Test"), &c), ADDRESS_OK);
	assert_str(address_domain_of(&c), STR("demo.test"));
	assert_str(address_text(&c), STR("demo.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),        cmocka_unit_test(test_length), cmocka_unit_test(test_domain_ascii),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_base_set),         cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
