/* db/db.h - one small SQL interface over two engines (SQLite now, PostgreSQL later).
 *
 * Statements use ?1 ?2 ... parameters and typed columns; they are prepared once per handle and
 * kept by the address of their text, so always pass the same static string.
 *
 * SQLite rules (DESIGN section 5): WAL; one writer at a time per file by our own lock (a timed mutex, then an OFD
 * lock on "<file>.lock"), taken before BEGIN IMMEDIATE; whoever holds it checkpoints when the log is long; automatic checkpoints
 * and checkpoint on close are off; temporary data stays in memory. Commits do not sync (synchronous=OFF in effect):
 * durability is db_sync(), by the caller's rules. A failed sync makes the database SUSPECT, durably and outside of itself;
 * every process then refuses to write to it until db_repair has made a copy without the refused part.
 *
 * All files are opened below directory descriptors (db_root), never by absolute path: SQLite sees "/<root>/<path>" and its
 * system-call table maps that to openat(). NFS is refused.
 *
 * A handle is used by one thread at a time; different handles of one file are independent (also across processes).
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/arena.h"
#include "base/status.h"

struct db;
struct db_stmt; /* borrowed: reset by db_done or the next db_sql of the same text */

/* Install the VFS; call once before anything else. */
void db_init(void);
/* Make the directory `fd` (kept open, not owned) known under `name` ("accounts"): paths are then "accounts/ab/cd/mail.db". */
enum status db_root(const char *name, int fd);

struct db_schema { /* versions 1, 2, ...: steps[i] brings version i to i+1; several statements each */
	const char *const *steps;
	unsigned           count;
};

struct db_options {
	const struct db_schema *schema;
	bool                    create;
	unsigned                page_size;        /* at creation; 0: 4096 */
	unsigned                cache_kib;        /* page cache of this handle; 0: 256 */
	unsigned                checkpoint_pages; /* log length that makes the writer checkpoint; 0: 1000 */
	unsigned                lock_ms;          /* wait for the writer lock; 0: 10 s */
};

/* ST_OK; ST_NOT_FOUND (no file, create unset); ST_VERSION (schema of a newer program); ST_CORRUPT; ST_SUSPECT; ST_FULL; ST_IO. */
MUST_CHECK enum status db_open(const char *path, const struct db_options *options, struct db **ret);
void db_close(struct db **db);
size_t db_memory(struct db *db); /* octets this handle takes, about */

/* ---- transactions ---- */
MUST_CHECK enum status db_begin_write(struct db *db); /* ST_TEMP: lock not had in time; ST_SUSPECT */
MUST_CHECK enum status db_begin_read(struct db *db);  /* one consistent snapshot over several statements */
MUST_CHECK enum status db_commit(struct db *db);      /* either kind; on failure it was rolled back */
void db_rollback(struct db *db);                      /* nothing happens if none is open */
/* The write transaction that is open will change many pages: it keeps up to LIMIT_DB_CACHE octets of them until it ends. With the small
 * cache of a handle the pages that lead to the others would be read again for each row, as those that were changed stay. */
void db_large(struct db *db);
/* Commit the open write transaction, sync, and begin the next one, all without letting another writer in between. On failure no
 * transaction is open. */
MUST_CHECK enum status db_flush(struct db *db);

/* Pages of the log, when this handle has last written. */
unsigned db_log_pages(const struct db *db);
/* When nobody waits: checkpoint if the log is that long, so that a busy time begins with a short one. ST_TEMP: somebody writes just now. */
MUST_CHECK enum status db_tidy(struct db *db, unsigned pages);

/* Make all commits of this file so far durable: fdatasync of its log. ST_SUSPECT when it failed: the file is marked. */
MUST_CHECK enum status db_sync(struct db *db);
/* The log's descriptor-independent number: grows with every commit that is complete. */
uint64_t db_commits(const struct db *db);
/* Is anything in this file not yet durable, whoever committed it. One pread. */
bool db_unsynced(const struct db *db);
/* The file was repaired (replaced) since this handle was opened: close it. Transactions on it begin with ST_TEMP. */
bool db_stale(const struct db *db);
/* Raised by each repair. In one boot of the machine and one generation nothing that was committed has been lost. */
uint64_t db_generation(const struct db *db);
/* Something else made durable what was committed when db_commits() said `commits` (a syncfs that began after that); if more was
 * committed since, sync that too. ST_SUSPECT, ST_TEMP: the file was set aside, or repaired, meanwhile: nobody knows whether those
 * commits stay. */
MUST_CHECK enum status db_synced(struct db *db, uint64_t commits);
/* Mark by hand (a syncfs over many files failed). */
void db_mark_suspect(const char *path);
bool db_is_suspect(const char *path);
/* Copy a suspect (or damaged) file into a new one without the refused part, sync, rename over it, clear the mark.
 * Nobody may have it open for writing. ST_BUSY: somebody is at it, or salvages it. */
MUST_CHECK enum status db_repair(const char *path);

/* ---- salvage ----
 *
 * Of a file that SQLite cannot read: it is set aside (its writers get ST_SUSPECT), read by pages (db_pages.h), and a new one, which the caller fills,
 * takes its place. The writer lock is held from begin to end. The old file and its log are kept as "<file>.damaged.<N>" and "<file>.damaged.<N>-wal",
 * N from 1. Whoever dies in between leaves the file set aside, or replaced. */
struct db_salvage;
struct db_pages;
/* *ret_pages: of the old file, or of nothing where there is none. ST_BUSY: somebody is at it. */
MUST_CHECK enum status db_salvage_begin(const char *path, struct db_salvage **ret, struct db_pages **ret_pages);
/* Where the new database is to be made, by db_open. */
const char *db_salvage_path(const struct db_salvage *s);
/* Frees *s. ST_OK as `st`: the new database, closed by now, takes the old one's place, durably; *ret_aside is N. Otherwise it is removed, `st` is
 * returned, and the old one stays as it is, set aside. */
MUST_CHECK enum status db_salvage_end(struct db_salvage **s, enum status st, uint64_t *ret_aside);

/* ---- statements ---- */
struct db_stmt *db_sql(struct db *db, const char *text); /* static text; a bug in it is a CHECK */
void db_bind_u64(struct db_stmt *s, int at, uint64_t v); /* stored as a signed 64-bit integer */
void db_bind_i64(struct db_stmt *s, int at, int64_t v);
void db_bind_str(struct db_stmt *s, int at, struct str v);  /* text; the octets must live until db_done */
void db_bind_blob(struct db_stmt *s, int at, struct str v); /* likewise */
void db_bind_null(struct db_stmt *s, int at);

/* ST_OK: a row is there; ST_NOT_FOUND: no (more) row; ST_EXISTS: a constraint; ST_LIMIT: it needs more than LIMIT_DB_STATEMENT octets of
 * memory; ST_FULL; ST_CORRUPT; ST_IO; ST_TEMP. */
MUST_CHECK enum status db_step(struct db_stmt *s);
uint64_t   db_u64(struct db_stmt *s, int column);
int64_t    db_i64(struct db_stmt *s, int column);
struct str db_str(struct db_stmt *s, int column); /* text or blob; until the next step or db_done */
bool       db_null(struct db_stmt *s, int column);
void       db_done(struct db_stmt *s); /* reset: always, also after the last row */

/* All rows of a "SELECT each(a, b, ...) FROM ...", one after the other: a third cheaper than steps where rows are many and small. fn gets the values
 * of each(); a status that is not ST_OK ends it, and is returned. The statement is reset. No other db_each of the handle meanwhile. */
struct db_values;
typedef enum status db_each_fn(void *arg, struct db_values *v);
MUST_CHECK enum status db_each(struct db_stmt *s, db_each_fn *fn, void *arg);
uint64_t   db_value_u64(struct db_values *v, int i);
int64_t    db_value_i64(struct db_values *v, int i);
struct str db_value_str(struct db_values *v, int i); /* text or blob; until fn returns */
bool       db_value_null(struct db_values *v, int i);

/* Step a statement that gives no row, and reset it: ST_OK. */
MUST_CHECK enum status db_run(struct db_stmt *s);
/* Outside of transactions: forget prepared statements, when many others follow that are seldom used. */
void db_forget(struct db *db);
/* Rows changed by the last statement; id of the last inserted row. */
uint64_t db_changed(struct db *db);
uint64_t db_last_id(struct db *db);

#endif
