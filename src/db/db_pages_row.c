/* db/db_pages_row.c - cells of a page, payloads in overflow pages, rows. https://www.sqlite.org/fileformat2.html#b_tree_pages */
#include <string.h>

#include "db/db_pages_int.h"

#define FIRST_AT  100u /* the header of page 1 stands behind that of the file */
#define SPARE     (DB_PAGE - 4u)
#define LEAF_MAX  (DB_PAGE - 35u)                 /* what a leaf of a table holds of a payload, at most */
#define INDEX_MAX ((DB_PAGE - 12u) * 64 / 255 - 23) /* the others */
#define LOCAL_MIN ((DB_PAGE - 12u) * 32 / 255 - 23)

bool db_page_inner(const struct db_page_head *h)
{
	return h->kind == DB_PAGE_INDEX || h->kind == DB_PAGE_TABLE;
}

bool db_page_head(const uint8_t page[DB_PAGE], uint32_t number, struct db_page_head *ret)
{
	struct db_page_head h = { .at = number == 1 ? FIRST_AT : 0 };
	const uint8_t      *p = page + h.at;

	h.kind = p[0];
	if (h.kind != DB_PAGE_INDEX && h.kind != DB_PAGE_TABLE && h.kind != DB_PAGE_INDEX_LEAF && h.kind != DB_PAGE_TABLE_LEAF)
		return false;
	h.cells = db_be16(p + 3);
	h.pointers = h.at + (db_page_inner(&h) ? 12 : 8);
	h.right = db_page_inner(&h) ? db_be32(p + 8) : 0;
	if (h.cells > (DB_PAGE - h.pointers) / 4) /* a pointer, and two octets at least */
		return false;
	*ret = h;
	return true;
}

/* 1 to 9 octets, the highest bits first. */
static bool varint(struct str *in, uint64_t *ret)
{
	uint64_t v = 0;
	char     c = 0;

	for (int i = 0; i < 8; i++) {
		if (!str_take(in, &c))
			return false;
		v = v << 7 | ((uint8_t)c & 0x7f);
		if (!((uint8_t)c & 0x80)) {
			*ret = v;
			return true;
		}
	}
	if (!str_take(in, &c))
		return false;
	*ret = v << 8 | (uint8_t)c;
	return true;
}

static int64_t integer(const char *p, size_t n)
{
	uint64_t v = n > 0 && (uint8_t)p[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return (int64_t)v;
}

/* https://www.sqlite.org/fileformat2.html#record_format */
static bool value(uint64_t type, struct str *body, struct db_value *ret)
{
	static const uint8_t sizes[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0 };
	uint64_t             n = type >= 12 ? (type - 12) / 2 : type < LEN(sizes) ? sizes[type] : UINT64_MAX;

	if (n > body->n)
		return false;
	*ret = (struct db_value){ .kind = DB_INT, .octets = STR_NONE };
	if (type >= 12) {
		ret->kind = type % 2 ? DB_TEXT : DB_BLOB;
		ret->octets = str_first(*body, (size_t)n);
	} else if (type == 0) {
		ret->kind = DB_NULL;
	} else if (type == 7) {
		ret->kind = DB_REAL;
	} else {
		ret->number = type == 9 ? 1 : integer(body->p, (size_t)n);
	}
	*body = str_from(*body, (size_t)n);
	return true;
}

static bool record(struct str payload, struct db_row *ret)
{
	struct str in = payload, types, body;
	uint64_t   n, type;

	if (!varint(&in, &n) || n > payload.n || n < payload.n - in.n)
		return false;
	types = str_first(in, (size_t)n - (payload.n - in.n));
	body = str_from(payload, (size_t)n);
	for (ret->count = 0; types.n > 0; ret->count++) {
		if (ret->count == DB_COLUMNS || !varint(&types, &type) || !value(type, &body, &ret->values[ret->count]))
			return false;
	}
	return body.n == 0 && ret->count > 0; /* a payload is as long as its values */
}

/* ---- payloads ---- */

/* Give back the pages of a chain that came to nothing: they may belong to another row. */
static void chain_forget(struct db_pages *p, uint32_t first, unsigned taken)
{
	uint8_t page[DB_PAGE];

	for (uint32_t at = first; taken > 0; taken--) {
		db_page_set(p, at, DB_PAGE_UNSEEN);
		if (!db_page_read(p, at, page))
			return;
		at = db_be32(page);
	}
}

/* The rest of a payload: exactly the chain that it needs, of pages that nothing else has taken. */
static bool overflow(struct db_pages *p, uint32_t first, size_t n)
{
	uint8_t  page[DB_PAGE];
	uint32_t at = first;
	unsigned taken = 0;

	while (n > 0 && at > 1 && at <= p->count && db_page_state(p, at) == DB_PAGE_UNSEEN && db_page_read(p, at, page)) {
		size_t part = MIN(n, (size_t)SPARE);

		db_page_set(p, at, DB_PAGE_OVERFLOW);
		taken++;
		buf_add(&p->row, str_n(page + 4, part));
		n -= part;
		at = db_be32(page);
	}
	if (n == 0 && at == 0)
		return true;
	chain_forget(p, first, taken);
	return false;
}

static bool payload(struct db_pages *p, struct str in, uint64_t n, bool leaf_of_table)
{
	size_t max = leaf_of_table ? LEAF_MAX : INDEX_MAX, local = LOCAL_MIN + (size_t)((n - LOCAL_MIN) % SPARE);

	if (n > LIMIT_DB_ROW)
		return false;
	if (n <= max)
		local = (size_t)n;
	else if (local > max)
		local = LOCAL_MIN;
	buf_clear(&p->row);
	if (in.n < local || (local < n && (in.n < local + 4 || p->alone)))
		return false;
	buf_add(&p->row, str_first(in, local));
	return local == n || overflow(p, db_be32((const uint8_t *)in.p + local), (size_t)n - local);
}

bool db_page_cell(struct db_pages *p, const uint8_t page[DB_PAGE], const struct db_page_head *h, unsigned i, uint32_t *ret_child,
		  bool *ret_has_row, struct db_row *ret_row)
{
	unsigned   at = db_be16(page + h->pointers + 2 * (size_t)i);
	struct str in;
	uint64_t   n, id = 0;
	bool       leaf = !db_page_inner(h);

	*ret_child = 0;
	*ret_has_row = false;
	if (at < h->pointers + 2 * h->cells || at >= DB_PAGE || (!leaf && at + 4 > DB_PAGE))
		return false;
	in = str_n(page + at, DB_PAGE - at);
	if (!leaf) {
		*ret_child = db_be32(page + at);
		in = str_from(in, 4);
	}
	if (h->kind == DB_PAGE_TABLE)
		return true;
	if (!varint(&in, &n) || (h->kind == DB_PAGE_TABLE_LEAF && !varint(&in, &id)))
		return false;
	if (!payload(p, in, n, h->kind == DB_PAGE_TABLE_LEAF))
		return false;
	ret_row->table = h->kind == DB_PAGE_TABLE_LEAF;
	ret_row->id = (int64_t)id;
	*ret_has_row = record(buf_str(&p->row), ret_row);
	return *ret_has_row;
}
