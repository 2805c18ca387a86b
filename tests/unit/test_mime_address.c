/* Tests of wire/mime/mime_address.h. */
#include "unit.h"

#include "base/buf.h"
#include "base/limits.h"
#include "wire/mime/mime_address.h"

/* name|route|local|domain, groups as {name and }, "," between, "!" at the end if malformed */
static void show(const struct mime_addresses *l, struct buf *out)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct mime_address *m = &l->items[i];

		if (i > 0)
			buf_add_char(out, ',');
		if (m->kind == MIME_ADDRESS_GROUP)
			buf_addf(out, "{%.*s", STR_FMT(m->name));
		else if (m->kind == MIME_ADDRESS_GROUP_END)
			buf_add_char(out, '}');
		else
			buf_addf(out, "%.*s|%.*s|%.*s|%.*s", STR_FMT(m->name), STR_FMT(m->route), STR_FMT(m->local),
				 STR_FMT(m->domain));
	}
	if (l->malformed)
		buf_add_char(out, '!');
}

static const struct {
	const char *in, *out;
} rows[] = {
	{ "", "" },
	{ "a@b", "||a|b" },
	{ "<a@b>", "||a|b" },
	{ "John Q. Public <a@b>", "John Q. Public||a|b" },
	{ "\"Joe, Q.\" <a@b>, c@d", "Joe, Q.||a|b,||c|d" },
	{ "\"a \\\"q\\\" b\"   c <a@b>", "a \"q\" b c||a|b" },
	{ "a@b (John (x) Doe)", "John (x) Doe||a|b" },
	{ "(c1) a (c2) . b @ (c3) x . y (c\\)4)", "c)4||a.b|x.y" },
	{ "\"john doe\"@x", "||john doe|x" },
	{ "\"a\".b@x", "||a.b|x" },
	{ "<\"a@b\"@x>", "||a@b|x" },
	{ "a@[192.0.2.1]", "||a|[192.0.2.1]" },
	{ "<@r1,@r2:a@b>", "|@r1,@r2|a|b" },
	{ "G: a@b, N <c@d>;, e@f", "{G,||a|b,N||c|d,},||e|f" },
	{ "undisclosed-recipients:;", "{undisclosed-recipients,}" },
	{ "\"quoted group\" : ;", "{quoted group,}" },
	{ ",, a@b,, c@d ,", "||a|b,||c|d" },
	{ "=?utf-8?q?J=C3=B6rg?= <j@x>", "=?utf-8?q?J=C3=B6rg?=||j|x" },
	{ "J\xc3\xb6rg <j\xc3\xb6rg@\xc3\xa9.example>", "J\xc3\xb6rg||j\xc3\xb6rg|\xc3\xa9.example" },
	{ "a@b,\r\n c@d,\r\n\t<e@f>", "||a|b,||c|d,||e|f" },
	{ "A\r\n B <a@b>", "A B||a|b" },
	{ "\"\" <a@b>", "||a|b" },
	/* Not of the grammar: something is found, and told */
	{ "local", "||local|!" },
	{ "<>", "|||!" },
	{ "@x", "|||x!" },
	{ "a@", "||a|!" },
	{ "a b@c", "a||b|c!" },
	{ "a@b <c@d>", "a@b||c|d!" },
	{ "<a@b> c@d", "||a|b!" },
	{ "<a@b>victim", "||a|b!" },
	{ "<a@b", "||a|b!" },
	{ "<a@b, c@d", "||a|b,||c|d!" },
	{ "<a@b@c>", "||a|b!" },
	{ "<any@victim(a.attacker>", "a.attacker>||any|victim!" },
	{ "a@b; c@d", "||a|b,||c|d!" },
	{ "G: a@b", "{G,||a|b,}!" },
	{ "G: H: a@b;;", "{G,||a|b,}!" },
	{ "[List] <a@b>", "[List]||a|b!" },
	{ "\"unclosed <a@b>", "||unclosed <a@b>|!" },
	{ "a@[1.2", "||a|[1.2!" },
	{ "a (x", "x||a|!" },
	{ "<@r a@b>", "|@ra@b||!" },
	{ "a@b c@d", "||a|b!" },
	{ ">", "||>|!" },
	{ "\\", "||\\|!" },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str whole = str_of(rows[i].in);

		for (size_t n = 0; n <= whole.n; n++) { /* each cut, then the whole, in exact blocks */
			struct str            in = unit_exact(str_first(whole, n));
			struct arena         *a = arena_new(NULL);
			struct mime_addresses list;
			struct buf            out;

			buf_init(&out, 1000);
			mime_addresses_parse(in, a, &list);
			show(&list, &out);
			if (n == whole.n)
				assert_str(buf_str(&out), str_of(rows[i].out));
			buf_done(&out);
			arena_free(&a);
			unit_exact_free(in);
		}
	}
}

static void test_single(void **state)
{
	struct arena       *a = arena_new(NULL);
	struct mime_address m;

	(void)state;
	assert_true(mime_address_single(STR("=?utf-8?q?J=C3=B6rg?= <j@x>"), a, &m));
	assert_str(mime_address_name(&m, a), STR("J\xc3\xb6rg"));
	assert_false(mime_address_single(STR("a@b, c@d"), a, &m));
	assert_false(mime_address_single(STR("a@b <c@d>"), a, &m));
	assert_false(mime_address_single(STR("G: a@b;"), a, &m));
	assert_false(mime_address_single(STR(""), a, &m));
	arena_free(&a);
}

static void test_limit(void **state)
{
	struct arena         *a = arena_new(NULL);
	struct mime_addresses list;
	struct buf            b;

	(void)state;
	buf_init(&b, 1 * MIB);
	buf_add(&b, STR("G: "));
	for (unsigned i = 0; i < LIMIT_ADDRESSES + 500; i++)
		buf_add(&b, STR("a@b,"));
	mime_addresses_parse(buf_str(&b), a, &list);
	assert_true(list.limit);
	assert_int_equal(list.count, LIMIT_ADDRESSES + 1);
	assert_int_equal(list.items[list.count - 1].kind, MIME_ADDRESS_GROUP_END);
	buf_clear(&b);
	for (size_t i = 0; i < 200000; i++)
		buf_add_char(&b, '(');
	mime_addresses_parse(buf_str(&b), a, &list);
	assert_true(list.malformed && list.count == 0);
	buf_done(&b);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("mime_address", tests, NULL, NULL);
}
