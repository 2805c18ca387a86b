/* db/db_heap.c - what one statement may take from the heap.
 *
 * With temp_store=MEMORY (the sandbox has no temporary files) sorts, DISTINCT, and what a statement keeps to undo itself grow in memory
 * with the rows that it meets. SQLite's own heap limit needs its statistics, which take a lock that all threads share; so the allocator
 * is wrapped, and counts for each thread what its statement has taken and not given back. A statement runs on one thread. What a
 * handle keeps beyond it (pages, up to cache_size; prepared statements) is small, and bounded elsewhere.
 * Past the limit SQLite gets no more: the statement ends with SQLITE_NOMEM, which is ST_LIMIT.
 */
#include <sqlite3.h>

#include "base/limits.h"
#include "db/db_internal.h"

static sqlite3_mem_methods plain;
static _Thread_local int64_t taken;

static void *heap_malloc(int n)
{
	void *p = taken + n <= (int64_t)LIMIT_DB_STATEMENT ? plain.xMalloc(n) : NULL;

	if (p)
		taken += plain.xSize(p);
	return p;
}

static void heap_free(void *p)
{
	taken -= plain.xSize(p);
	plain.xFree(p);
}

static void *heap_realloc(void *p, int n)
{
	int   had = plain.xSize(p);
	void *q = taken - had + n <= (int64_t)LIMIT_DB_STATEMENT ? plain.xRealloc(p, n) : NULL;

	if (q)
		taken += plain.xSize(q) - had;
	return q;
}

void db_heap_init(void)
{
	sqlite3_mem_methods m;

	CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) == SQLITE_OK);
	m = plain;
	m.xMalloc = heap_malloc;
	m.xFree = heap_free;
	m.xRealloc = heap_realloc;
	CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &m) == SQLITE_OK);
}

void db_heap_begin(void) { taken = 0; }
