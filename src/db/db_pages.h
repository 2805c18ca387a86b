/* db/db_pages.h - rows of a SQLite file that SQLite itself cannot read any more: its pages, one by one.
 *
 * Format: https://www.sqlite.org/fileformat2.html. A parser of hostile octets: nothing that a page says is believed before it was looked at, and what
 * cannot be read (also because the disk refuses) counts as bad and is passed over. The log is applied first: frames with a good checksum up to
 * the last commit.
 *
 * Rows come from trees, whose root is known, and from strays: pages that no tree has led to, because what leads there is damaged, and
 * that are not known to be free. A stray may be of long ago. What a value holds is never taken for a page: in an overflow page it stands
 * behind the number of the next one, whose first octet is 0 or 1 below LIMIT_DB_PAGES.
 *
 * Each page and each overflow page is read once. Memory: two bits per page, 8 octets per frame of the log, one row.
 * Tests: tests/unit/test_store_salvage.c, tests/fuzz/fuzz_db_pages.c.
 */
#ifndef DB_DB_PAGES_H
#define DB_DB_PAGES_H

#include "base/limits.h"
#include "base/status.h"
#include "base/str.h"

#define DB_PAGE    4096u /* the one page size */
#define DB_COLUMNS 32u   /* of a row; those beyond are left out */

enum db_kind { DB_NULL, DB_INT, DB_REAL, DB_TEXT, DB_BLOB };

struct db_value {
	enum db_kind kind;
	int64_t      number; /* INT */
	struct str   octets; /* TEXT, BLOB: until the call ends */
};

struct db_row {
	bool            table; /* of a table with row numbers; otherwise of an index, or a table without them */
	int64_t         id;    /* then its row number */
	size_t          count;
	struct db_value values[DB_COLUMNS];
};

/* Where the octets come from: the database, or its log. Fewer than n only at the end. */
struct db_pages_source {
	enum status (*read)(void *ctx, bool log, void *p, size_t n, uint64_t offset, size_t *ret_n);
	void    *ctx;
	uint64_t size, log_size;
	uint64_t frames, salt; /* of the log count no more than so many frames, if its header has that salt; frames UINT64_MAX: all */
	uint64_t least, least_salt; /* it is known to have had so many, with that salt; 0: nothing is known */
};

struct db_pages;
/* `source` is copied. ST_LIMIT: over LIMIT_DB_PAGES, or LIMIT_DB_FRAMES. */
MUST_CHECK enum status db_pages_new(const struct db_pages_source *source, struct db_pages **ret);
void db_pages_free(struct db_pages **p);

/* Is the log whole: there, with a header, as long as it was known to be, and nothing of this log behind the first bad checksum. Otherwise commits may
 * be missing. */
bool db_pages_log_whole(const struct db_pages *p);

/* A row. ST_OK; ST_INVALID: it cannot be one of this table, which counts as bad; another status ends the walk. */
typedef enum status db_row_fn(void *arg, const struct db_row *row);

struct db_pages_sum {
	uint64_t pages, rows, bad; /* bad: pages and rows that could not be read */
};
/* The tree at `root`, in the order of its keys. *sum is added to. */
MUST_CHECK enum status db_pages_tree(struct db_pages *p, uint32_t root, bool table, db_row_fn *fn, void *arg, struct db_pages_sum *sum);
/* Pages that no tree has led to so far; after the trees. Free pages are left out as far as the list of them can be read. */
MUST_CHECK enum status db_pages_strays(struct db_pages *p, db_row_fn *fn, void *arg, struct db_pages_sum *sum);
/* Pages in the log behind its first bad checksum, the last one first: newer than all others, if they are of this log at all. */
MUST_CHECK enum status db_pages_behind(struct db_pages *p, db_row_fn *fn, void *arg, struct db_pages_sum *sum);

#endif
