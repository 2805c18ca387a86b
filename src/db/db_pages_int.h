/* db/db_pages_int.h - shared by db_pages*.c. */
#ifndef DB_DB_PAGES_INT_H
#define DB_DB_PAGES_INT_H

#include "base/buf.h"
#include "db/db_pages.h"

#define DB_PAGES_DEPTH 24u /* of a tree; SQLite's own limit is 20 */

enum db_page_state { DB_PAGE_UNSEEN, DB_PAGE_TREE, DB_PAGE_OVERFLOW, DB_PAGE_FREE };

struct db_frame { /* `page` as it is in the log at frame `at` */
	uint32_t page, at;
};

struct db_pages {
	struct db_pages_source source;
	uint32_t               count;  /* pages; they are numbered from 1 */
	uint8_t               *states; /* two bits each */
	struct db_frame       *frames; /* by page; the last of each is the one that counts */
	size_t                 frame_count;
	struct db_frame       *behind; /* as they stand in the log */
	size_t                 behind_count;
	bool                   log_whole;
	struct buf             row;    /* one payload */
	bool                   alone;  /* no overflow pages: of pages behind the log's end nobody knows which ones go with them */
};

static inline uint32_t db_be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t db_be32(const uint8_t *p) { return db_be16(p) << 16 | db_be16(p + 2); }

enum db_page_state db_page_state(const struct db_pages *p, uint32_t page);
void db_page_set(struct db_pages *p, uint32_t page, enum db_page_state state);
/* False: there is none, or it cannot be read. */
MUST_CHECK bool db_page_read(struct db_pages *p, uint32_t page, uint8_t ret[DB_PAGE]);
MUST_CHECK bool db_page_read_frame(struct db_pages *p, uint32_t at, uint8_t ret[DB_PAGE]);

/* ---- db_pages_log.c ---- */
MUST_CHECK enum status db_pages_log_load(struct db_pages *p);

/* ---- db_pages_row.c ---- */
enum { DB_PAGE_INDEX = 0x02, DB_PAGE_TABLE = 0x05, DB_PAGE_INDEX_LEAF = 0x0a, DB_PAGE_TABLE_LEAF = 0x0d };

struct db_page_head {
	uint8_t  kind;
	unsigned at, cells; /* where its header stands; number of cells */
	unsigned pointers;  /* where the list of cells begins */
	uint32_t right;     /* the last child, of an inner page */
};
MUST_CHECK bool db_page_head(const uint8_t page[DB_PAGE], uint32_t number, struct db_page_head *ret);
bool db_page_inner(const struct db_page_head *h);
/* Cell i; *ret_child is 0 in a leaf. *ret_row is left alone where a cell has none (inner pages of tables). Its octets are in p->row, until the next. */
MUST_CHECK bool db_page_cell(struct db_pages *p, const uint8_t page[DB_PAGE], const struct db_page_head *h, unsigned i, uint32_t *ret_child,
			     bool *ret_has_row, struct db_row *ret_row);

#endif
