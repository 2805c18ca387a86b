/* db/db_pages.c - trees, and what no tree leads to; see db_pages.h. */
#include "db/db_pages.h"

#include <stdlib.h>
#include <string.h>

#include "db/db_pages_int.h"

#define MAGIC       "SQLite format 3" /* with the NUL behind it */
#define FIRST_FREE  32
#define FREE_LEAVES ((DB_PAGE - 8) / 4)

enum status db_pages_new(const struct db_pages_source *source, struct db_pages **ret)
{
	struct db_pages *p = calloc(1, sizeof(*p));
	uint64_t         count = (source->size + DB_PAGE - 1) / DB_PAGE;
	enum status      st;

	CHECK(p);
	p->source = *source;
	p->count = (uint32_t)MIN(count, (uint64_t)LIMIT_DB_PAGES);
	buf_init(&p->row, LIMIT_DB_ROW);
	st = count > LIMIT_DB_PAGES ? ST_LIMIT : db_pages_log_load(p);
	/* The log's last commit says how many pages there are; a file that is longer has some behind it, which the next checkpoint cuts off. But that
	 * number too may be wrong. */
	p->count = (uint32_t)MAX((uint64_t)p->count, MIN(count, (uint64_t)LIMIT_DB_PAGES));
	p->states = calloc(1, p->count / 4 + 1);
	CHECK(p->states);
	if (st != ST_OK)
		db_pages_free(&p);
	else
		*ret = p;
	return st;
}

void db_pages_free(struct db_pages **pages)
{
	struct db_pages *p = *pages;

	*pages = NULL;
	if (!p)
		return;
	buf_done(&p->row);
	free(p->states);
	free(p->frames);
	free(p->behind);
	free(p);
}

bool db_pages_log_whole(const struct db_pages *p) { return p->log_whole; }

/* ---- pages ---- */

enum db_page_state db_page_state(const struct db_pages *p, uint32_t page)
{
	return (enum db_page_state)(p->states[page / 4] >> page % 4 * 2 & 3);
}

void db_page_set(struct db_pages *p, uint32_t page, enum db_page_state state)
{
	unsigned shift = page % 4 * 2;

	p->states[page / 4] = (uint8_t)((p->states[page / 4] & ~(3u << shift)) | (unsigned)state << shift);
}

/* The last frame of the page; NULL: the log has none. */
static const struct db_frame *frame_of(const struct db_pages *p, uint32_t page)
{
	size_t low = 0, high = p->frame_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->frames[middle].page <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && p->frames[low - 1].page == page ? &p->frames[low - 1] : NULL;
}

bool db_page_read(struct db_pages *p, uint32_t page, uint8_t ret[DB_PAGE])
{
	const struct db_frame *f;
	size_t                 n = 0;

	if (page == 0 || page > p->count)
		return false;
	f = frame_of(p, page);
	if (f)
		return db_page_read_frame(p, f->at, ret);
	memset(ret, 0, DB_PAGE);
	return p->source.read(p->source.ctx, false, ret, DB_PAGE, (uint64_t)(page - 1) * DB_PAGE, &n) == ST_OK && n > 0;
}

/* ---- trees ---- */

struct walk {
	struct db_pages     *p;
	db_row_fn           *fn;
	void                *arg;
	struct db_pages_sum *sum;
};

static enum status row_give(struct walk *w, const struct db_row *row)
{
	enum status st = w->fn(w->arg, row);

	w->sum->rows += st == ST_OK;
	w->sum->bad += st == ST_INVALID;
	return st == ST_INVALID ? ST_OK : st;
}

static enum status visit(struct walk *w, uint32_t number, bool table, unsigned depth);

static enum status children(struct walk *w, const uint8_t *page, const struct db_page_head *h, bool table, unsigned depth)
{
	enum status st = ST_OK;

	for (unsigned i = 0; i < h->cells && st == ST_OK; i++) {
		struct db_row row;
		uint32_t      child;
		bool          has;

		/* The child comes before the row, whose octets must not be overwritten by it: so the cell is looked at twice. */
		if (db_page_inner(h)) {
			unsigned at = db_be16(page + h->pointers + 2 * (size_t)i);

			if (at + 4 <= DB_PAGE)
				st = visit(w, db_be32(page + at), table, depth + 1);
			else
				w->sum->bad++;
		}
		if (st == ST_OK && !db_page_cell(w->p, page, h, i, &child, &has, &row))
			w->sum->bad++;
		else if (st == ST_OK && has)
			st = row_give(w, &row);
	}
	return st == ST_OK && db_page_inner(h) ? visit(w, h->right, table, depth + 1) : st;
}

static enum status visit(struct walk *w, uint32_t number, bool table, unsigned depth)
{
	struct db_page_head h;
	uint8_t            *page;
	enum status         st = ST_OK;

	if (depth >= DB_PAGES_DEPTH || number == 0 || number > w->p->count || db_page_state(w->p, number) != DB_PAGE_UNSEEN) {
		w->sum->bad++;
		return ST_OK;
	}
	page = malloc(DB_PAGE);
	CHECK(page);
	if (db_page_read(w->p, number, page) && db_page_head(page, number, &h) &&
	    (h.kind == DB_PAGE_TABLE || h.kind == DB_PAGE_TABLE_LEAF) == table) {
		db_page_set(w->p, number, DB_PAGE_TREE);
		w->sum->pages++;
		st = children(w, page, &h, table, depth);
	} else {
		w->sum->bad++;
	}
	free(page);
	return st;
}

enum status db_pages_tree(struct db_pages *p, uint32_t root, bool table, db_row_fn *fn, void *arg, struct db_pages_sum *sum)
{
	struct walk w = { p, fn, arg, sum };

	return visit(&w, root, table, 0);
}

/* ---- strays ---- */

/* https://www.sqlite.org/fileformat2.html#the_freelist: what is free is no stray. It ends at the first thing that is odd. */
static void free_mark(struct db_pages *p)
{
	uint8_t  page[DB_PAGE];
	uint32_t at;

	if (!db_page_read(p, 1, page) || memcmp(page, MAGIC, sizeof(MAGIC)) != 0)
		return;
	for (at = db_be32(page + FIRST_FREE); at > 1 && at <= p->count && db_page_state(p, at) == DB_PAGE_UNSEEN; at = db_be32(page)) {
		if (!db_page_read(p, at, page) || db_be32(page + 4) > FREE_LEAVES)
			return;
		db_page_set(p, at, DB_PAGE_FREE);
		for (uint32_t i = 0; i < db_be32(page + 4); i++) {
			uint32_t leaf = db_be32(page + 8 + 4 * (size_t)i);

			if (leaf > 1 && leaf <= p->count && db_page_state(p, leaf) == DB_PAGE_UNSEEN)
				db_page_set(p, leaf, DB_PAGE_FREE);
		}
	}
}

/* Its rows, without its children. */
static enum status alone(struct walk *w, const uint8_t *page, uint32_t number)
{
	struct db_page_head h;
	enum status         st = ST_OK;

	if (!db_page_head(page, number, &h))
		return ST_OK; /* an overflow page, perhaps of one that comes later */
	if (!w->p->alone)
		db_page_set(w->p, number, DB_PAGE_TREE); /* no row of it leads back here */
	w->sum->pages++;
	for (unsigned i = 0; i < h.cells && st == ST_OK; i++) {
		struct db_row row;
		uint32_t      child;
		bool          has;

		if (!db_page_cell(w->p, page, &h, i, &child, &has, &row))
			w->sum->bad++;
		else if (has)
			st = row_give(w, &row);
	}
	return st;
}

enum status db_pages_strays(struct db_pages *p, db_row_fn *fn, void *arg, struct db_pages_sum *sum)
{
	struct walk w = { p, fn, arg, sum };
	uint8_t     page[DB_PAGE];
	enum status st = ST_OK;

	free_mark(p);
	for (uint32_t i = 1; i <= p->count && st == ST_OK; i++) {
		if (db_page_state(p, i) != DB_PAGE_UNSEEN || !db_page_read(p, i, page))
			continue;
		st = alone(&w, page, i);
	}
	return st;
}

enum status db_pages_behind(struct db_pages *p, db_row_fn *fn, void *arg, struct db_pages_sum *sum)
{
	struct walk w = { p, fn, arg, sum };
	uint8_t     page[DB_PAGE];
	enum status st = ST_OK;

	p->alone = true;
	for (size_t i = p->behind_count; i-- > 0 && st == ST_OK;)
		if (db_page_read_frame(p, p->behind[i].at, page))
			st = alone(&w, page, p->behind[i].page);
	p->alone = false;
	return st;
}
