/* tests/unit/test_text_aliases.c - the file format of aliases(5). */
#include "unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "wire/text/text_aliases.h"

/* "line:name=kind'text',kind'text'" for each logical line; kinds by their first letter. */
static void print(struct str file, struct arena *a, struct buf *out)
{
	struct text_alias al;
	unsigned          line = 0;

	while (text_alias_next(&file, &line, a, &al)) {
		buf_addf(out, "%u:%.*s=", al.line, STR_FMT(al.name));
		for (size_t i = 0; i < al.value_count; i++)
			buf_addf(out, "%c'%.*s'", "AICFO"[al.values[i].kind], STR_FMT(al.values[i].text));
		buf_add_char(out, '\n');
	}
}

static void test_files(void **state)
{
	static const struct {
		const char *file, *want;
	} rows[] = {
		{ "", "" },
		{ "# only\n\n   \n", "" },
		{ "postmaster: root\n", "1:postmaster=A'root'\n" },
		{ "postmaster:root", "1:postmaster=A'root'\n" },
		{ "a: b,\r\n\tc\r\n# x\r\n  , d\r\ne:f\r\n", "1:a=A'b'A'c'A'd'\n5:e=A'f'\n" },
		{ "\"a: b\": c\n", "1:a: b=A'c'\n" },
		{ "a: \"|/bin/sh -c \\\"x, y\\\"\", |cmd, /var/x, \"/y z\", :include:/l, \":include:/m\", :fail: no\n",
		  "1:a=C'|/bin/sh -c \"x, y\"'C'|cmd'F'/var/x'F'/y z'I'/l'I'/m'O':fail: no'\n" },
		{ "a: Ann <x@y.example>, \"b, c\" <d@e.example>, f (g, h)\n", "1:a=A'Ann <x@y.example>'A'\"b, c\" <d@e.example>'A'f (g, h)'\n" },
		{ "a: \\root\n", "1:a=A'root'\n" },
		{ "no colon\n  continued: x\nb: c\n", "1:no colon continued=A'x'\n3:b=A'c'\n" },
		{ "no colon\nb:\n", "1:=\n2:b=\n" },
		{ "  leading: x\n", "1:leading=A'x'\n" },
		{ ": x\n", "1:=A'x'\n" },
		{ "a: \"open, b\n", "1:a=A'\"open, b'\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct arena *a = arena_new(NULL);
		struct str    exact = unit_exact(str_of(rows[i].file));
		struct buf    out;

		buf_init(&out, 4 * KIB);
		print(exact, a, &out);
		assert_str(buf_str(&out), str_of(rows[i].want));
		buf_clear(&out);
		for (size_t n = 0; n < exact.n; n++) { /* cut anywhere */
			struct str cut = unit_exact(str_first(exact, n));

			print(cut, a, &out);
			buf_clear(&out);
			unit_exact_free(cut);
		}
		buf_done(&out);
		unit_exact_free(exact);
		arena_free(&a);
	}
}

static void test_list(void **state)
{
	struct arena     *a = arena_new(NULL);
	struct text_alias l;

	(void)state;
	text_alias_list(STR("ann\n# bob, carol\n\n dave, \"|x\"\n:include:/y"), a, &l);
	assert_int_equal(l.value_count, 4);
	assert_str(l.values[0].text, STR("ann"));
	assert_str(l.values[1].text, STR("dave"));
	assert_int_equal(l.values[2].kind, TEXT_ALIAS_COMMAND);
	assert_int_equal(l.values[3].kind, TEXT_ALIAS_INCLUDE);
	text_alias_list(STR(""), a, &l);
	assert_int_equal(l.value_count, 0);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_files), cmocka_unit_test(test_list) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
