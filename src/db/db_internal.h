/* db/db_internal.h - the handle, as db*.c see it. */
#ifndef DB_DB_INTERNAL_H
#define DB_DB_INTERNAL_H

#include <sqlite3.h>

#include "db/db.h"
#include "db/db_file.h"

#define DB_STMTS_MAX   256 /* places; a power of two. A check or a mend has more than a hundred in one transaction */
#define DB_STMTS_KEEP  64  /* if there are more, all are dropped before the next transaction */
#define DB_LOCK_MS     10000
#define DB_CACHE_KIB   256
#define DB_CHECKPOINT  1000

struct db_stmt {
	sqlite3_stmt *stmt;
	const char   *text;
	struct db    *db;
};

enum db_txn { DB_TXN_NONE, DB_TXN_READ, DB_TXN_WRITE };

struct db {
	sqlite3          *sql;
	struct db_file   *file;
	struct db_options options;
	enum db_txn       txn;
	struct db_header  header;     /* during a write transaction: what the lock file says */
	uint64_t          generation; /* of the file when it was opened */
	bool              relaxed;    /* see db_relax */
	bool              large;      /* see db_large */
	unsigned          frames;     /* length of the log, set by each commit that wrote */
	struct db_stmt   *stmts[DB_STMTS_MAX];
	unsigned          stmt_count;
	unsigned          stmt_measured; /* the number of statements that stmt_memory is of */
	size_t            stmt_memory;   /* with the schema's */
	struct {
		db_each_fn *fn;
		void       *arg;
		enum status st;
	} each; /* of the call at hand */
};

/* What SQLite's result means to a caller. A failed sync marks the file suspect on the way. */
enum status db_result(struct db *db, int rc);
/* Run static SQL without result rows outside of the cache of statements. */
enum status db_exec(struct db *db, const char *sql);
void db_stmts_drop(struct db *db);
/* Let statements of the handle have each(). */
MUST_CHECK enum status db_each_init(struct db *db);

/* Bring the lock file up to this boot; the writer lock is held, no transaction is open. */
MUST_CHECK enum status db_boot(struct db *db);
/* Copy the log into the database; the writer lock is held. *ret_all: all of it, and both are synced. */
MUST_CHECK enum status db_checkpoint(struct db *db, bool wait, bool *ret_all);
/* Sync the log whatever the lock file says; of a new file all there is. */
MUST_CHECK enum status db_sync_log(struct db *db);
/* Octets `offset`.. of the database (log = false) or its log. */
MUST_CHECK enum status db_raw_read(struct db *db, bool log, void *p, size_t n, uint64_t offset);

/* Open the SQLite handle of a file that is there and set it up; no schema, no lock. */
MUST_CHECK enum status db_connect(const char *path, unsigned cache_kib, sqlite3 **ret);
/* Commit the transaction that a handle without db->txn has open, and make it durable; the writer lock is held. */
MUST_CHECK enum status db_commit_synced(struct db *db);

/* ---- db_heap.c ---- */
void db_heap_init(void); /* before SQLite is */
/* A statement begins on this thread: it may take LIMIT_DB_STATEMENT octets. */
void db_heap_begin(void);

/* ---- db_birth.c ---- */
/* Write the file if there is none, or half of one; the writer lock is held, nobody has the file open. Nothing is synced. ST_NOT_FOUND:
 * it would have to be made, and options.create is not set. */
MUST_CHECK enum status db_birth(struct db *db, bool *ret_made);
/* Let the first commit of a new file do without the sync of the log's header: that is for logs that start over. */
MUST_CHECK enum status db_relax(struct db *db);

/* ---- db_repair.c ---- */
#define DB_ASIDE_MAX 1000u /* damaged files that are kept */
/* Mark the file if it is not, and remove copies that came to nothing; the writer lock is held. How much of its log counts: see struct db_pages_source. */
MUST_CHECK enum status db_suspect_begin(struct db_file *f, uint64_t *ret_frames, uint64_t *ret_salt);
/* Put "<file>.repair", which nobody has open, in the place of the file, which is kept: "<file>.damaged.<*ret_aside>". */
MUST_CHECK enum status db_suspect_replace(struct db_file *f, uint64_t *ret_aside);
void db_suspect_drop_copy(struct db_file *f);
/* If a repair was interrupted after its copy was complete, finish it. The writer lock is held, no handle is open here. */
MUST_CHECK enum status db_repair_finish(struct db_file *f);
void db_suspect_mark(struct db_file *f);
MUST_CHECK enum status db_suspect_look(struct db_file *f, bool *ret_suspect);

#endif
