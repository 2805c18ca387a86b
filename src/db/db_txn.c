/* db/db_txn.c - transactions, and what makes them durable.
 *
 *   db_begin_write   writer lock; lock file says: not suspect, same generation; BEGIN IMMEDIATE
 *   db_commit        begun + 1 in the lock file; COMMIT (no sync); done = begun and where the log ends now
 *   db_sync          fdatasync of the log; synced = the `done` read before it
 *
 * "Unsynced" is begun != synced: begun is raised before a commit becomes visible, so nobody can see a commit and find it counted
 * as synced. A writer that dies in between leaves begun ahead of done; the next one that writes anything levels them. One that
 * writes nothing leaves them as they are: the dead one's commit may stand, and is in no place that a sync has noted.
 *
 * SQLite runs with synchronous=NORMAL: no sync at commits; the log before and the database after a checkpoint, and the log's
 * new header when it starts over. All of these happen under our writer lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "db/db_internal.h"
#include "sys/disk.h"

#define LOG_WAIT_PAGES 8000u /* readers may keep the log from starting over until it is so long; then they are waited for once */
#define WAL_SALT_AT 16 /* https://sqlite.org/fileformat2.html#walformat */

enum status db_result(struct db *db, int rc)
{
	int         err;
	enum status st;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:        return ST_OK;
	case SQLITE_DONE:       return ST_NOT_FOUND;
	case SQLITE_CONSTRAINT: return ST_EXISTS;
	case SQLITE_FULL:       return ST_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:   return ST_TEMP;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:     return ST_CORRUPT;
	case SQLITE_TOOBIG:
	case SQLITE_NOMEM:      return ST_LIMIT;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:       break;
	default:
		log_error("statement refused", LOG_I64("code", rc), LOG_C("text", db->sql ? sqlite3_errmsg(db->sql) : ""));
		BUG("a statement is wrong");
	}
	if ((rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC) && db->file) {
		db_suspect_mark(db->file);
		return ST_SUSPECT;
	}
	st = db_vfs_kept_failure();
	if (st != ST_OK)
		return st;
	err = db->sql ? sqlite3_system_errno(db->sql) : 0;
	log_debug("database refused", LOG_I64("code", rc), LOG_ERRNO(err), LOG_C("file", db->file ? db->file->below : ""));
	return err == ENOSPC /* the log's index cannot grow */ ? ST_FULL : ST_IO;
}

enum status db_exec(struct db *db, const char *sql)
{
	db_heap_begin();
	return db_result(db, sqlite3_exec(db->sql, sql, NULL, NULL, NULL));
}

static sqlite3_file *raw_file(struct db *db, bool log)
{
	sqlite3_file *f = NULL;

	sqlite3_file_control(db->sql, "main", log ? SQLITE_FCNTL_JOURNAL_POINTER : SQLITE_FCNTL_FILE_POINTER, &f);
	return f && f->pMethods ? f : NULL;
}

enum status db_raw_read(struct db *db, bool log, void *p, size_t n, uint64_t offset)
{
	sqlite3_file *f = raw_file(db, log);
	int           rc = f ? f->pMethods->xRead(f, p, (int)n, (sqlite3_int64)offset) : SQLITE_IOERR_SHORT_READ;

	return rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ ? ST_OK : db_result(db, rc); /* a short read is zero-filled */
}

static uint64_t log_salt(struct db *db)
{
	uint64_t salt = 0;

	return db_raw_read(db, true, &salt, sizeof(salt), WAL_SALT_AT) == ST_OK ? salt : 0;
}

static enum status raw_sync(struct db *db, bool log)
{
	sqlite3_file *f = raw_file(db, log);

	return f ? db_result(db, f->pMethods->xSync(f, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY)) : ST_OK;
}

/* Database, log, and the names of both. */
static enum status sync_whole(struct db *db)
{
	enum status st = raw_sync(db, false);

	if (st == ST_OK)
		st = raw_sync(db, true);
	if (st != ST_OK || (st = db_file_sync_names(db->file)) == ST_OK)
		return st;
	if (db->file->dir == DISK_KEPT && (st == ST_TEMP || st == ST_DENIED || st == ST_BUSY))
		return st; /* keeper was not asked, or has died over it: no sync was refused */
	db_suspect_mark(db->file);
	return ST_SUSPECT;
}

enum status db_sync_log(struct db *db)
{
	struct db_header h;
	enum status      st = db_header_read(db->file, &h);

	if (st != ST_OK)
		return st;
	return db_header_current(&h) && h.synced.commit == 0 ? sync_whole(db) : raw_sync(db, true);
}

enum status db_relax(struct db *db)
{
	db->relaxed = true;
	return db_exec(db, "PRAGMA synchronous=OFF");
}

static enum status relax_end(struct db *db)
{
	enum status st = db->relaxed ? db_exec(db, "PRAGMA synchronous=NORMAL") : ST_OK;

	if (st == ST_OK)
		db->relaxed = false;
	return st;
}

enum status db_boot(struct db *db)
{
	struct db_header h;
	int              in_log = 0, copied = 0;
	bool             suspect, other;
	enum status      st = relax_end(db);

	if (st == ST_OK)
		st = db_suspect_look(db->file, &suspect);
	if (st == ST_OK)
		st = db_header_read(db->file, &h);
	if (st != ST_OK)
		return st;
	/* After another boot all that can be read has been on disk. Without a lock file that tells of one, who knows: its maker
	 * may have died just now, or somebody has put the file here. */
	other = h.magic == DB_MAGIC && (h.boot.hi | h.boot.lo) != 0;
	/* Start with an empty log, so that what was recovered is synced and known to be. A read makes SQLite open the log. But the
	 * refused part of a suspect file's log must not get into the database. */
	if (st == ST_OK)
		st = db_exec(db, "SELECT 1 FROM sqlite_schema");
	if (st == ST_OK && !suspect)
		st = db_result(db, sqlite3_wal_checkpoint_v2(db->sql, "main", SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied));
	if (st == ST_OK && !suspect)
		st = other ? raw_sync(db, true) : sync_whole(db);
	if (st != ST_OK)
		return st;
	h.magic = DB_MAGIC;
	h.boot = boot_id();
	h.begun = h.done_again = h.done.commit = h.synced.commit = h.begun + 1;
	h.done.frames = h.synced.frames = in_log > 0 ? (uint64_t)in_log : 0;
	h.done.salt = h.synced.salt = log_salt(db);
	h.suspect = suspect;
	if (suspect)
		h.synced = (struct db_place){ 0 }; /* the mark knows better */
	return db_header_reset(db->file, &h);
}

enum status db_checkpoint(struct db *db, bool wait, bool *ret_all)
{
	int         in_log = 0, copied = -1;
	enum status st = db_result(db, sqlite3_wal_checkpoint_v2(db->sql, "main",
								 wait ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
								 &in_log, &copied));

	/* With a reader in the way it may not even have synced the log. */
	*ret_all = st == ST_OK && in_log == copied;
	return st == ST_TEMP ? ST_OK : st;
}

static enum status begin_locked(struct db *db)
{
	enum status st = db_header_read(db->file, &db->header);

	if (st == ST_OK && !db_header_current(&db->header)) {
		st = db_boot(db);
		if (st == ST_OK)
			st = db_header_read(db->file, &db->header);
	}
	if (st != ST_OK)
		return st;
	if (db->header.generation != db->generation)
		return ST_TEMP;
	if (db->header.suspect)
		return ST_SUSPECT;
	return db_run(db_sql(db, "BEGIN IMMEDIATE"));
}

enum status db_begin_write(struct db *db)
{
	enum status st;

	CHECK(db->txn == DB_TXN_NONE);
	if (db->stmt_count > DB_STMTS_KEEP)
		db_stmts_drop(db);
	st = db_file_lock(db->file, db->options.lock_ms);
	if (st != ST_OK)
		return st;
	st = begin_locked(db);
	if (st != ST_OK) {
		db_file_unlock(db->file);
		return st;
	}
	db->txn = DB_TXN_WRITE;
	return ST_OK;
}

enum status db_begin_read(struct db *db)
{
	struct db_header h;
	enum status      st = db_header_read(db->file, &h);

	CHECK(db->txn == DB_TXN_NONE);
	if (st == ST_OK && h.generation != db->generation)
		st = ST_TEMP;
	if (st == ST_OK)
		st = db_run(db_sql(db, "BEGIN"));
	if (st == ST_OK)
		db->txn = DB_TXN_READ;
	return st;
}

static void cache_set(struct db *db, size_t octets)
{
	char text[64];

	snprintf(text, sizeof(text), "PRAGMA cache_size=-%zu", octets / KIB);
	if (db_exec(db, text) != ST_OK)
		log_debug("database refused", LOG_C("file", db->file->below)); /* slower, no worse */
}

void db_large(struct db *db)
{
	CHECK(db->txn == DB_TXN_WRITE);
	if (!db->large)
		cache_set(db, LIMIT_DB_CACHE);
	db->large = true;
}

static void large_end(struct db *db)
{
	if (db->large)
		cache_set(db, (size_t)db->options.cache_kib * KIB);
	db->large = false;
}

static enum status commit_write(struct db *db)
{
	struct db_header *h = &db->header;
	uint64_t          before = h->begun;
	enum status       st;

	h->begun = before + 1;
	st = db_header_write(db->file, h);
	if (st != ST_OK)
		return st;
	db->frames = 0;
	st = db_run(db_sql(db, "COMMIT"));
	if (st == ST_OK && db->frames > 0) {
		h->done = (struct db_place){ h->begun, db->frames, log_salt(db) };
		h->done_again = h->begun;
	} else {
		h->begun = before; /* nothing was written */
	}
	if (st == ST_OK && db->frames > 0 && relax_end(db) != ST_OK)
		log_debug("database refused", LOG_C("file", db->file->below));
	/* If this write fails, begun stays ahead of done: the file counts as unsynced until the next commit. */
	if (db_header_write(db->file, h) != ST_OK)
		log_debug("lock file refused", LOG_C("file", db->file->below));
	return st;
}

/* If it cannot be noted, the next to ask syncs once more. */
static void note_synced(struct db *db, struct db_place p)
{
	if (db_header_synced(db->file, p) != ST_OK)
		log_debug("lock file refused", LOG_C("file", db->file->below));
}

enum status db_commit_synced(struct db *db)
{
	enum status st = commit_write(db);

	if (st == ST_OK)
		st = db_sync_log(db);
	if (st == ST_OK)
		note_synced(db, db->header.done);
	return st;
}

/* After the commit and still under the lock. A failure here marks the file; the commit stands, and db_sync tells.
 * The log is synced first, and that is noted: what the checkpoint writes into the database must all stand in the part of the log
 * that a repair keeps. */
static void checkpoint_if_long(struct db *db, unsigned pages)
{
	bool all, wait = db->frames > MAX(2 * db->options.checkpoint_pages, LOG_WAIT_PAGES);

	if (db->frames < pages || db->relaxed || db_sync_log(db) != ST_OK)
		return;
	note_synced(db, db->header.done);
	if (db_checkpoint(db, wait, &all) != ST_OK || !all)
		return;
	note_synced(db, db->header.done);
	db->frames = 0; /* the next commit starts the log over */
}

unsigned db_log_pages(const struct db *db) { return db->frames; }

enum status db_tidy(struct db *db, unsigned pages)
{
	enum status st;

	CHECK(db->txn == DB_TXN_NONE);
	if (db->frames < pages)
		return ST_OK;
	st = db_file_lock(db->file, 0);
	if (st != ST_OK)
		return st;
	st = db_header_read(db->file, &db->header);
	if (st == ST_OK && db_header_current(&db->header) && db->header.generation == db->generation && !db->header.suspect)
		checkpoint_if_long(db, pages);
	db_file_unlock(db->file);
	return st;
}

enum status db_commit(struct db *db)
{
	enum status st;

	CHECK(db->txn != DB_TXN_NONE);
	st = db->txn == DB_TXN_WRITE ? commit_write(db) : db_run(db_sql(db, "COMMIT"));
	if (st != ST_OK) {
		db_rollback(db);
		return st;
	}
	large_end(db);
	if (db->txn == DB_TXN_WRITE) {
		checkpoint_if_long(db, db->options.checkpoint_pages);
		db_file_unlock(db->file);
	}
	db->txn = DB_TXN_NONE;
	return ST_OK;
}

enum status db_flush(struct db *db)
{
	enum status st;

	CHECK(db->txn == DB_TXN_WRITE);
	st = db_commit_synced(db);
	if (st == ST_OK)
		st = db_run(db_sql(db, "BEGIN IMMEDIATE"));
	if (st != ST_OK)
		db_rollback(db);
	return st;
}

void db_rollback(struct db *db)
{
	if (db->txn == DB_TXN_NONE)
		return;
	for (unsigned i = 0; i < DB_STMTS_MAX; i++) {
		if (db->stmts[i])
			sqlite3_reset(db->stmts[i]->stmt);
	}
	/* SQLite may have rolled back by itself. The result says what made it fail before; the transaction is gone either way. */
	if (!sqlite3_get_autocommit(db->sql))
		(void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	CHECK(sqlite3_get_autocommit(db->sql));
	large_end(db);
	if (db->txn == DB_TXN_WRITE)
		db_file_unlock(db->file);
	db->txn = DB_TXN_NONE;
}

bool db_unsynced(const struct db *db)
{
	struct db_header h;

	return db_header_read(db->file, &h) != ST_OK || !db_header_current(&h) || h.begun != h.synced.commit;
}

bool db_stale(const struct db *db)
{
	struct db_header h;

	return db_header_read(db->file, &h) == ST_OK && h.generation != db->generation;
}

uint64_t db_generation(const struct db *db) { return db->generation; }

/* Not `begun`: what is being committed just now may get into the log only after the sync that this is asked for. */
uint64_t db_commits(const struct db *db)
{
	struct db_header h;

	return db_header_read(db->file, &h) == ST_OK ? h.done.commit : 0;
}

/* A sync was noted. If somebody has set the file aside by now, the mark may not know of it, and a repair may drop what it covered. */
static enum status still_kept(struct db *db)
{
	struct db_header h;
	enum status      st = db_header_read(db->file, &h);

	if (st == ST_OK && h.generation != db->generation)
		return ST_TEMP;
	return st == ST_OK && h.suspect ? ST_SUSPECT : st;
}

enum status db_sync(struct db *db)
{
	struct db_header h;
	enum status      st = db_header_read(db->file, &h);

	if (st == ST_OK && h.generation != db->generation)
		return ST_TEMP; /* what this handle committed may have been left out by the repair: first of all */
	if (st != ST_OK || (h.begun == h.synced.commit && db_header_current(&h)))
		return st;
	if (h.suspect)
		return ST_SUSPECT; /* a failed sync is never tried again */
	st = db_sync_log(db);
	if (st == ST_OK) {
		note_synced(db, h.done);
		return still_kept(db);
	}
	return st == ST_FULL || st == ST_IO ? ST_SUSPECT : st;
}

enum status db_synced(struct db *db, uint64_t commits)
{
	struct db_header h;
	enum status      st = db_header_read(db->file, &h);

	if (st == ST_OK && h.generation != db->generation)
		return ST_TEMP;
	if (st != ST_OK || h.begun == h.synced.commit)
		return st;
	/* More was committed since: where what was synced ends is not known, and what is not noted a repair would drop. */
	if (h.done.commit != commits)
		return db_sync(db);
	st = db_header_synced(db->file, h.done);
	return st == ST_OK ? still_kept(db) : st;
}
