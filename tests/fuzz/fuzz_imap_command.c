/* All of wire/imap's command parsers on one input. */
#include "wire/imap/imap_command.h"
#include "wire/imap/imap_fetch.h"
#include "wire/imap/imap_list.h"
#include "wire/imap/imap_notice.h"
#include "wire/imap/imap_return.h"
#include "wire/imap/imap_search.h"
#include "wire/imap/imap_sort.h"
#include "wire/imap/imap_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void names_check(const struct imap_entries *e)
{
	CHECK(e->count > 0 && e->count <= LIMIT_METADATA_ASKED);
	for (size_t i = 0; i < e->count; i++)
		CHECK(e->names[i].n <= LIMIT_METADATA_NAME &&
		      (str_starts(e->names[i], STR("/private")) || str_starts(e->names[i], STR("/shared"))));
}

static void lists(struct imap_lex x)
{
	struct imap_lex         y = x;
	struct imap_list        list;
	struct imap_getmetadata get;
	struct imap_setmetadata set;
	struct imap_notice      notice;

	if (imap_lex_list(&y, &list)) {
		CHECK(list.pattern_count > 0 && list.pattern_count <= LIMIT_IMAP_PATTERNS && y.in.n == 0);
		if (list.want & IMAP_LIST_METADATA)
			names_check(&list.entries);
	}
	y = x;
	if (imap_lex_getmetadata(&y, &get))
		names_check(&get.entries);
	y = x;
	if (imap_lex_setmetadata(&y, &set))
		CHECK(set.count > 0 && set.count <= LIMIT_METADATA_ASKED);
	y = x;
	if (imap_lex_notice(&y, &notice))
		CHECK(notice.count <= IMAP_NOTICE_GROUPS && notice.set == (notice.count > 0));
}

static void arguments(struct imap_lex x)
{
	struct imap_lex    y = x;
	struct imap_set    set;
	struct imap_fetch  fetch;
	struct imap_store  store;
	struct imap_search search;
	struct imap_return ret;
	struct imap_sort   sort;
	struct imap_sources sources;
	enum imap_thread_kind kind;
	unsigned           items;

	if (imap_lex_set(&y, &set)) {
		struct imap_set r = imap_set_resolve(&set, 1000, y.arena);

		for (size_t i = 0; i < r.count; i++) {
			CHECK(r.ranges[i].first >= 1 && r.ranges[i].first <= r.ranges[i].last &&
			      r.ranges[i].last <= 1000);
			CHECK(i == 0 || r.ranges[i].first > r.ranges[i - 1].last + 1);
		}
		if (imap_lex_sp(&y)) {
			struct imap_lex z = y;

			if (imap_lex_fetch(&z, &fetch))
				CHECK(fetch.items != 0 || fetch.section_count > 0);
			z = y;
			(void)imap_lex_store(&z, &store);
		}
	}
	y = x;
	if (imap_lex_sources(&y, &sources) && imap_lex_sp(&y) && imap_lex_return(&y, &ret)) {
		uint64_t first, n;

		imap_partial_cut(&ret.partial, 100, &first, &n);
		CHECK(!(ret.what & IMAP_RETURN_PARTIAL) || first + n <= 100);
	}
	y = x;
	(void)imap_lex_search(&y, &search);
	y = x;
	if (imap_lex_sort(&y, &sort))
		CHECK(sort.count > 0 && sort.count <= IMAP_SORT_MAX);
	y = x;
	(void)imap_lex_thread(&y, &kind);
	y = x;
	(void)imap_lex_status(&y, &items);
	lists(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena       *a = arena_new(NULL);
	struct imap_command c;

	if (imap_command_parse(str_n(data, size), a, &c) && c.args)
		arguments(c.x);
	arena_free(&a);
	return 0;
}
