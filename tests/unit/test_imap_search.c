/* wire/imap: what SEARCH, SORT, THREAD and ESEARCH take beside their keys. */
#include "unit.h"

#include "wire/imap/imap_return.h"
#include "wire/imap/imap_search.h"
#include "wire/imap/imap_sort.h"
#include "wire/imap/imap_source.h"

/* Whole, and each of its beginnings in a block of exactly that size. */
typedef bool parse_fn(struct imap_lex *x, struct buf *out);

static void check(parse_fn *parse, struct str in, const char *want)
{
	struct buf out;

	buf_init(&out, 1000);
	for (size_t n = in.n + 1; n-- > 0;) {
		struct str      piece = unit_exact(str_first(in, n));
		struct imap_lex x = { .in = piece, .arena = arena_new(NULL) };
		bool            ok;

		buf_clear(&out);
		ok = parse(&x, &out) && imap_lex_end(&x);
		if (n == in.n) {
			assert_int_equal(ok, want != NULL);
			if (want)
				assert_str(buf_str(&out), str_of(want));
		}
		arena_free(&x.arena);
		unit_exact_free(piece);
	}
	buf_done(&out);
}

static bool parse_return(struct imap_lex *x, struct buf *out)
{
	struct imap_return r;

	if (!imap_lex_return(x, &r))
		return false;
	buf_addf(out, "%d %x", r.given, r.what);
	if (r.what & IMAP_RETURN_PARTIAL)
		buf_addf(out, " %.*s %d %u %u", STR_FMT(r.partial.text), r.partial.back, r.partial.from, r.partial.to);
	if (r.fetch.n > 0)
		buf_addf(out, " %.*s", STR_FMT(r.fetch));
	return true;
}

static void test_return(void **state)
{
	(void)state;
	check(parse_return, STR(""), "0 0");
	check(parse_return, STR("RETURN ()"), "1 4");
	check(parse_return, STR("return (min MAX count)"), "1 b");
	check(parse_return, STR("RETURN (SAVE)"), "1 10");
	check(parse_return, STR("RETURN (UPDATE CONTEXT)"), "1 c4");
	check(parse_return, STR("RETURN (UPDATE (UID BODY.PEEK[]) COUNT)"), "1 48 (UID BODY.PEEK[])");
	check(parse_return, STR("RETURN (UPDATE(UID))"), "1 44 (UID)");
	check(parse_return, STR("RETURN (UPDATE ())"), NULL);
	check(parse_return, STR("RETURN (UPDATE (NONE))"), NULL);
	check(parse_return, STR("RETURN (UPDATE (UID)"), NULL);
	check(parse_return, STR("RETURN (COUNT (UID))"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 500:1)"), "1 20 500:1 0 1 500");
	check(parse_return, STR("RETURN (PARTIAL -1:-100 COUNT)"), "1 28 -1:-100 1 1 100");
	check(parse_return, STR("RETURN (PARTIAL -1:100)"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 1:-100)"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 0:1)"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 1:*)"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 1)"), NULL);
	check(parse_return, STR("RETURN (PARTIAL)"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 1:2 PARTIAL 3:4)"), NULL);
	check(parse_return, STR("RETURN (ALL PARTIAL 1:2)"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 1:2 ALL)"), NULL);
	check(parse_return, STR("RETURN (MIN  MAX)"), NULL);
	check(parse_return, STR("RETURN (MIN"), NULL);
	check(parse_return, STR("RETURN MIN"), NULL);
	check(parse_return, STR("RETURN (RELEVANCY)"), NULL);
	check(parse_return, STR("RETURN ((MIN))"), NULL);
	check(parse_return, STR("RETURN (PARTIAL 1:4294967296)"), NULL);
}

static void test_partial(void **state)
{
	static const struct {
		uint32_t from, to;
		bool     back;
		uint64_t count, first, n;
	} cases[] = {
		{ 1, 10, false, 0, 0, 0 },   { 1, 10, false, 100, 0, 10 },  { 91, 100, false, 95, 90, 5 }, { 96, 100, false, 95, 0, 0 },
		{ 1, 10, true, 100, 90, 10 }, { 91, 100, true, 95, 0, 5 },   { 96, 100, true, 95, 0, 0 },   { 3, 3, true, 5, 2, 1 },
		{ 1, UINT32_MAX, false, 7, 0, 7 }, { 1, UINT32_MAX, true, 7, 0, 7 }, { UINT32_MAX, UINT32_MAX, true, 7, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const struct imap_partial p = { .back = cases[i].back, .from = cases[i].from, .to = cases[i].to };
		uint64_t                  first, n;

		imap_partial_cut(&p, cases[i].count, &first, &n);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(n, cases[i].n);
	}
}

static bool parse_sort(struct imap_lex *x, struct buf *out)
{
	struct imap_sort s;

	if (!imap_lex_sort(x, &s))
		return false;
	for (size_t i = 0; i < s.count; i++)
		buf_addf(out, "%s%d ", s.by[i].reverse ? "-" : "", s.by[i].key);
	return true;
}

static void test_sort(void **state)
{
	(void)state;
	check(parse_sort, STR("(SUBJECT REVERSE date)"), "5 -2 ");
	check(parse_sort, STR("(ARRIVAL CC DATE FROM SIZE SUBJECT TO DISPLAYFROM DISPLAYTO)"), "0 1 2 3 4 5 6 7 8 ");
	check(parse_sort, STR("()"), NULL);
	check(parse_sort, STR("(REVERSE)"), NULL);
	check(parse_sort, STR("(REVERSE REVERSE DATE)"), NULL);
	check(parse_sort, STR("DATE"), NULL);
	check(parse_sort, STR("(DATE,SIZE)"), NULL);
	check(parse_sort, STR("(TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO)"), "6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 ");
	check(parse_sort, STR("(TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO)"), NULL);
}

static bool parse_sources(struct imap_lex *x, struct buf *out)
{
	struct imap_sources s;

	if (!imap_lex_sources(x, &s))
		return false;
	for (size_t i = 0; i < s.count; i++) {
		buf_addf(out, "%d", s.items[i].kind);
		for (size_t k = 0; k < s.items[i].name_count; k++)
			buf_addf(out, ",%.*s", STR_FMT(s.items[i].names[k]));
		buf_add_char(out, ' ');
	}
	return true;
}

static void test_sources(void **state)
{
	struct buf b;

	(void)state;
	check(parse_sources, STR(""), "0 ");
	check(parse_sources, STR("IN (selected)"), "0 ");
	check(parse_sources, STR("in (PERSONAL subscribed inboxes)"), "2 3 1 ");
	check(parse_sources, STR("IN (mailboxes \"a b\" subtree-one x subtree (y {1}\r\nz))"), "6,a b 5,x 4,y,z ");
	check(parse_sources, STR("IN (mailboxes ())"), NULL);
	check(parse_sources, STR("IN (mailboxes)"), NULL);
	check(parse_sources, STR("IN (selected-delayed)"), NULL);
	check(parse_sources, STR("IN (personal (X))"), NULL);
	check(parse_sources, STR("IN ()"), NULL);
	check(parse_sources, STR("IN selected"), NULL);
	for (size_t n = IMAP_SOURCE_NAMES; n <= IMAP_SOURCE_NAMES + 1; n++) {
		struct imap_lex     x = { .arena = arena_new(NULL) };
		struct imap_sources s;

		buf_init(&b, 100000);
		buf_add(&b, STR("IN (mailboxes (a"));
		for (size_t i = 1; i < n; i++)
			buf_add(&b, STR(" a"));
		buf_add(&b, STR("))"));
		x.in = buf_str(&b);
		assert_int_equal(imap_lex_sources(&x, &s), n == IMAP_SOURCE_NAMES);
		arena_free(&x.arena);
		buf_done(&b);
	}
}

static void test_keys(void **state)
{
	struct buf         b;
	struct imap_search p;

	(void)state;
	for (size_t n = LIMIT_IMAP_KEYS; n <= LIMIT_IMAP_KEYS + 1; n++) {
		struct imap_lex x = { .arena = arena_new(NULL) };

		buf_init(&b, 100000);
		buf_add(&b, STR("ALL"));
		for (size_t i = 1; i < n; i++)
			buf_add(&b, STR(" ALL"));
		x.in = buf_str(&b);
		assert_int_equal(imap_lex_search(&x, &p), n == LIMIT_IMAP_KEYS ? IMAP_SEARCH_OK : IMAP_SEARCH_SYNTAX);
		arena_free(&x.arena);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_return),  cmocka_unit_test(test_partial), cmocka_unit_test(test_sort),
		cmocka_unit_test(test_sources), cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
