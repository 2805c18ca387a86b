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

/* ---- the structure that mime4j expects, as "(" multipart ")", "[" message "]" and "." for a body ---- */

struct difference {
	const char *file, *why;
};

/* RFC 2046 §5.2.1 allows no base64 there; mime4j decodes it, we flag and do not look inside. */
static const char encoded[] = "encoded message/rfc822";
/* RFC 2046 §5.1.1: a boundary does not end in blanks. We drop them and flag, since transports drop them too. */
static const char blanks[] = "blanks at the end of the boundary";

/* Where the two readings differ, each for a reason; everything else must be equal. */
static const struct difference differences[] = {
	{ "multi-2gifs-base64.msg", encoded },
	{ "base64encoded-rfc822message.msg", encoded },
	{ "base64encoded-rfc822message-nested.msg", encoded },
	{ "bad-newlines-multiple-parts-base64.msg", encoded },
	{ "weird-boundary.msg", blanks },
	{ "very-long-boundary.msg", blanks },
	{ "very-very-long-boundary.msg", blanks },
};

static void shape_of_part(const struct mime_part *p, struct buf *out)
{
	if (p->message) {
		buf_add_char(out, '[');
		shape_of_part(p->child, out);
		buf_add_char(out, ']');
	} else if (p->multipart) {
		buf_add_char(out, '(');
		for (const struct mime_part *c = p->child; c; c = c->next)
			shape_of_part(c, out);
		buf_add_char(out, ')');
	} else {
		buf_add_char(out, '.');
	}
}

/* Tags at line starts; the outermost <message> is no part of a part. */
static void shape_of_xml(struct str xml, struct buf *out)
{
	static const struct {
		struct str tag;
		char       sign;
	} tags[] = {
		{ STR("<message>"), '[' },	 { STR("</message>"), ']' }, { STR("<multipart>"), '(' },
		{ STR("</multipart>"), ')' }, { STR("<body>"), '.' },
	};
	unsigned depth = 0;

	while (xml.n > 0) {
		struct str line, rest;

		str_cut(xml, '\n', &line, &rest);
		for (size_t i = 0; i < LEN(tags); i++) {
			if (!str_starts(line, tags[i].tag))
				continue;
			depth -= tags[i].sign == ']';
			if (depth > 0 || (tags[i].sign != '[' && tags[i].sign != ']'))
				buf_add_char(out, tags[i].sign);
			depth += tags[i].sign == '[';
		}
		xml = rest;
	}
}

static const char *difference_of(const char *path)
{
	struct str dir, name;

	str_rcut(str_of(path), '/', &dir, &name);
	for (size_t i = 0; i < LEN(differences); i++)
		if (str_eq(name, str_of(differences[i].file)))
			return differences[i].why;
	return NULL;
}

static size_t unequal;

static void compare_file(const char *path)
{
	struct str    raw = unit_data_file(path), xml;
	struct arena *a = arena_new(NULL);
	struct mime   m;
	struct buf    got, want;
	const char   *why = difference_of(path);
	char          xml_path[1024];

	assert_true(snprintf(xml_path, sizeof(xml_path), "%.*s.xml", (int)strlen(path) - 4, path) < (int)sizeof(xml_path));
	xml = unit_data_file(xml_path);
	buf_init(&got, 10000);
	buf_init(&want, 10000);
	mime_parse(raw, a, &m);
	shape_of_part(m.root, &got);
	shape_of_xml(xml, &want);
	if (str_eq(buf_str(&got), buf_str(&want)) != !why) {
		print_error("%s\n  got  %.*s flags %#x\n  want %.*s\n", path, STR_FMT(buf_str(&got)), m.flags, STR_FMT(buf_str(&want)));
		unequal++;
	}
	buf_done(&got);
	buf_done(&want);
	unit_exact_free(raw);
	unit_exact_free(xml);
	arena_free(&a);
}

static void test_mime4j_structure(void **state)
{
	char dir[512];

	(void)state;
	if (!unit_data_dir("mime4j", dir, sizeof(dir)))
		skip();
	unequal = 0;
	unit_data_each(dir, ".msg", compare_file);
	assert_int_equal(unequal, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpython),
		cmocka_unit_test(test_ruby),
		cmocka_unit_test(test_mime4j_legal),
		cmocka_unit_test(test_mime4j_structure),
	};

	return cmocka_run_group_tests_name("mime_vectors", tests, NULL, NULL);
}
