/* db/db_repair.c - databases set aside after a failed sync, and their way back.
 *
 * The mark is the file "<file>.suspect" (struct mark, synced with its directory) and a word in the lock file that other processes
 * see at their next write. It keeps how much of the log was synced when the sync failed.
 *
 *   marked, ready = 0    reads go on, writes are refused
 *     copy database and the synced part of the log to "<file>.repair", merge them, check, sync
 *   marked, ready = 1    the copy is complete: from here db_repair_finish goes on after a crash, at the next open
 *     remove log; rename the copy over the database; sync the directory; remove the mark; generation + 1
 *   not marked
 *
 * A salvage (db_salvage.c) goes the same way with a copy that it has built itself; its mark says where the old files go: instead of being
 * removed they become "<file>.damaged.<N>" and "<file>.damaged.<N>-wal".
 *
 * What a checkpoint wrote into the database without a sync does no harm: those pages are all in the synced part of the log too,
 * because the log is synced, and that is noted, before a checkpoint; and the log is not started over while the mark is there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/db_internal.h"
#include "sys/disk.h"

#define MARK_MAGIC  UINT64_C(0x31304b52414d4250) /* "PBMARK01" */
#define WAL_HEADER  32u /* https://sqlite.org/fileformat2.html#walformat */
#define WAL_FRAME   24u
#define COPY_OCTETS (64 * KIB)
#define WHOLE_LOG   UINT64_MAX /* as struct mark's frames */
#define LOCK_MS     200 /* nobody writes to a marked file: who has the lock longer is repairing it, or salvaging it, which takes a while */

struct mark {
	uint64_t magic, ready;
	uint64_t frames, salt; /* of the log: known to be synced; WHOLE_LOG: all of it, as far as its checksums go */
	uint64_t aside;        /* 0: the old files are removed; otherwise N of the names that they are kept under */
};
#define MARK_FIRST offsetof(struct mark, aside) /* length of a mark without the last field, as older programs write it */

static void beside(const struct db_file *f, const char *suffix, char ret[DB_PATH_MAX + 32])
{
	snprintf(ret, DB_PATH_MAX + 32, "%s%s", f->below, suffix);
}

static enum status mark_write(struct db_file *f, const struct mark *m)
{
	char        path[DB_PATH_MAX + 32];
	int         fd;
	enum status st;

	beside(f, ".suspect", path);
	st = disk_open(f->dir, path, DISK_OPEN, &fd);
	if (st != ST_OK)
		return st;
	st = disk_write_at(fd, path, 0, str_n(m, sizeof(*m)));
	if (st == ST_OK)
		st = disk_sync(fd, path);
	fd_close(&fd);
	return st == ST_OK ? db_file_sync_dir(f) : st;
}

/* ST_NOT_FOUND: not marked. A mark that was cut short says: nothing of the log is known to be synced. */
static enum status mark_read(struct db_file *f, struct mark *ret)
{
	char        path[DB_PATH_MAX + 32];
	int         fd;
	size_t      n = 0;
	struct mark m = { 0 };
	enum status st;

	beside(f, ".suspect", path);
	st = disk_open(f->dir, path, DISK_READ, &fd);
	if (st != ST_OK)
		return st;
	st = disk_read_at(fd, &m, sizeof(m), 0, &n);
	fd_close(&fd);
	*ret = n >= MARK_FIRST && m.magic == MARK_MAGIC ? m : (struct mark){ 0 };
	return st;
}

void db_suspect_mark(struct db_file *f)
{
	struct db_header h = { 0 };
	struct mark      m = { .magic = MARK_MAGIC };
	enum status      st = db_header_read(f, &h);

	if (st == ST_OK && db_header_current(&h) && h.suspect)
		return;
	/* First of all: what is noted as synced changes no more, so the mark tells all of it. */
	st = db_header_suspect(f);
	if (st == ST_OK)
		st = db_header_read(f, &h);
	/* In the first opening of this boot nothing was refused yet: what could be read had been on disk. */
	m.frames = db_header_current(&h) ? h.synced.frames : WHOLE_LOG;
	m.salt = h.synced.salt;
	if (st != ST_OK || (st = mark_write(f, &m)) != ST_OK)
		log_error("mark of a suspect database not written", LOG_C("file", f->below), LOG_ST("status", st));
	log_error("sync failed: database set aside, writes to it are refused until it is repaired", LOG_C("file", f->below));
}

void db_mark_suspect(const char *path)
{
	struct db_file *f;

	if (db_file_get(path, &f) != ST_OK)
		return;
	db_suspect_mark(f);
	db_file_put(&f);
}

enum status db_suspect_look(struct db_file *f, bool *ret_suspect)
{
	struct db_header h;
	char             mark[DB_PATH_MAX + 32];
	enum status      st;

	beside(f, ".suspect", mark);
	st = disk_look(f->dir, mark, NULL);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	*ret_suspect = st == ST_OK || (db_header_read(f, &h) == ST_OK && db_header_current(&h) && h.suspect);
	return ST_OK;
}

bool db_is_suspect(const char *path)
{
	struct db_file *f;
	bool            suspect = false;

	if (db_file_get(path, &f) != ST_OK)
		return false;
	if (db_suspect_look(f, &suspect) != ST_OK)
		log_debug("not known whether it is suspect", LOG_C("file", f->below));
	db_file_put(&f);
	return suspect;
}

/* The log first: without its database it is worth nothing, and the other way round. */
static enum status set_aside(struct db_file *f, uint64_t n)
{
	static const char *const companions[] = { "-wal", "" };
	enum status              st = ST_OK;

	for (size_t i = 0; i < LEN(companions) && st == ST_OK; i++) {
		char from[DB_PATH_MAX + 32], to[DB_PATH_MAX + 64];

		beside(f, companions[i], from);
		snprintf(to, sizeof(to), "%s.damaged.%" PRIu64 "%s", f->below, n, companions[i]);
		st = disk_rename(f->dir, from, to);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	return st;
}

static enum status companions_remove(struct db_file *f)
{
	static const char *const companions[] = { "-wal", "-shm" };
	char                     path[DB_PATH_MAX + 32];
	enum status              st = ST_OK;

	for (size_t i = 0; i < LEN(companions) && st == ST_OK; i++) {
		beside(f, companions[i], path);
		st = disk_remove(f->dir, path);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	return st;
}

/* The copy is complete and synced. Every step may find itself done. */
static enum status replace(struct db_file *f, const struct mark *m)
{
	char             copy[DB_PATH_MAX + 32], path[DB_PATH_MAX + 32];
	struct db_header h;
	enum status      st;
	bool             copied;

	beside(f, ".repair", copy);
	st = disk_look(f->dir, copy, NULL);
	copied = st == ST_OK;
	if (st == ST_NOT_FOUND)
		st = ST_OK; /* renamed already */
	if (copied) {
		st = m->aside > 0 ? set_aside(f, m->aside) : ST_OK;
		if (st == ST_OK)
			st = companions_remove(f);
		/* First surely without the old log, which would be read into the new database. */
		if (st == ST_OK)
			st = db_file_sync_dir(f);
		if (st == ST_OK)
			st = disk_rename(f->dir, copy, f->below);
	}
	if (st == ST_OK)
		st = db_file_sync_names(f); /* all of them: the first sync of a new file may be the one that failed */
	beside(f, ".suspect", path);
	if (st == ST_OK)
		st = disk_remove(f->dir, path);
	if (st == ST_OK)
		st = db_file_sync_dir(f);
	if (st == ST_OK)
		st = db_header_read(f, &h);
	if (st != ST_OK)
		return st;
	/* As if after another boot: the next open levels the counters. */
	h = (struct db_header){ .magic = DB_MAGIC, .generation = h.generation + 1, .begun = h.begun };
	return db_header_reset(f, &h);
}

enum status db_repair_finish(struct db_file *f)
{
	struct mark m;
	enum status st = mark_read(f, &m);

	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_OK : st;
	/* keeper lets nobody rename the database: local will do that. */
	if (m.ready && m.aside > 0 && f->dir == DISK_KEPT)
		return ST_SUSPECT;
	return m.ready ? replace(f, &m) : ST_OK;
}

/* Copy the first `n` octets (fewer if the file is shorter) of the database or its log to a new file. */
static enum status copy_raw(struct db *from, bool log, uint64_t n, const char *to)
{
	sqlite3_file *f = NULL;
	sqlite3_int64 size = 0;
	char         *chunk = malloc(COPY_OCTETS);
	int           fd = -1;
	enum status   st;

	CHECK(chunk);
	sqlite3_file_control(from->sql, "main", log ? SQLITE_FCNTL_JOURNAL_POINTER : SQLITE_FCNTL_FILE_POINTER, &f);
	if (f && f->pMethods)
		f->pMethods->xFileSize(f, &size);
	n = MIN(n, (uint64_t)size);
	st = disk_open(from->file->dir, to, DISK_NEW, &fd);
	for (uint64_t at = 0; st == ST_OK && at < n; at += COPY_OCTETS) {
		size_t part = (size_t)MIN(n - at, (uint64_t)COPY_OCTETS);

		st = db_raw_read(from, log, chunk, part, at);
		if (st == ST_OK)
			st = disk_write_at(fd, to, at, str_n(chunk, part));
	}
	fd_close(&fd);
	free(chunk);
	return st;
}

static uint64_t log_octets(struct db *from, const struct mark *m)
{
	uint32_t page = 0;
	uint64_t salt = 0;

	if (!m || m->frames == WHOLE_LOG)
		return UINT64_MAX;
	if (db_raw_read(from, true, &page, sizeof(page), 8) != ST_OK || db_raw_read(from, true, &salt, sizeof(salt), 16) != ST_OK ||
	    salt != m->salt || m->frames == 0)
		return 0;
	return WAL_HEADER + m->frames * (WAL_FRAME + (uint64_t)__builtin_bswap32(page));
}

/* Merge the copied log into the copy, and see that the result is whole. */
static enum status copy_finish(const char *copy_path)
{
	struct db     db = { .file = NULL };
	sqlite3_stmt *s = NULL;
	enum status   st = db_connect(copy_path, DB_CACHE_KIB, &db.sql);

	if (st != ST_OK)
		return st;
	st = db_exec(&db, "PRAGMA wal_checkpoint(TRUNCATE)");
	if (st == ST_OK)
		st = db_result(&db, sqlite3_prepare_v2(db.sql, "PRAGMA quick_check(1)", -1, &s, NULL));
	if (st == ST_OK && (sqlite3_step(s) != SQLITE_ROW || strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0))
		st = ST_CORRUPT;
	sqlite3_finalize(s);
	sqlite3_close(db.sql);
	return st;
}

static enum status copy_sync(struct db_file *f, const char *copy)
{
	int         fd;
	enum status st = disk_open(f->dir, copy, DISK_UPDATE, &fd);

	if (st != ST_OK)
		return st;
	st = disk_sync(fd, copy);
	fd_close(&fd);
	return st == ST_OK ? db_file_sync_dir(f) : st;
}

static void copies_remove(struct db_file *f, bool database)
{
	static const char *const suffixes[] = { ".repair", ".repair-wal", ".repair-shm", ".repair.lock", ".repair.suspect" };
	char                     path[DB_PATH_MAX + 32];

	for (size_t i = database ? 0 : 1; i < LEN(suffixes); i++) {
		beside(f, suffixes[i], path);
		if (disk_remove(f->dir, path) != ST_OK)
			continue; /* there was none */
	}
}

static enum status copy_make(struct db_file *f, const struct mark *m)
{
	struct db   from = { .file = f };
	char        copy[DB_PATH_MAX + 32], log[DB_PATH_MAX + 32], full[DB_PATH_MAX + 32];
	enum status st = db_connect(f->path, DB_CACHE_KIB, &from.sql);

	if (st != ST_OK)
		return st;
	beside(f, ".repair", copy);
	beside(f, ".repair-wal", log);
	snprintf(full, sizeof(full), "%s.repair", f->path);
	copies_remove(f, true);
	st = db_exec(&from, "SELECT 1 FROM sqlite_schema"); /* opens the log */
	if (st == ST_OK)
		st = copy_raw(&from, false, UINT64_MAX, copy);
	if (st == ST_OK)
		st = copy_raw(&from, true, log_octets(&from, m), log);
	sqlite3_close(from.sql);
	if (st == ST_OK)
		st = copy_finish(full);
	copies_remove(f, false);
	return st == ST_OK ? copy_sync(f, copy) : st;
}

static enum status repair_locked(struct db_file *f)
{
	struct mark m = { 0 };
	enum status st = mark_read(f, &m);
	bool        marked;

	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if (st == ST_OK && m.ready)
		return replace(f, &m);
	marked = st == ST_OK;
	st = copy_make(f, marked ? &m : NULL);
	if (st == ST_OK) {
		m = (struct mark){ MARK_MAGIC, 1, m.frames, m.salt, 0 };
		st = mark_write(f, &m);
	}
	return st == ST_OK ? replace(f, &m) : st;
}

enum status db_repair(const char *path)
{
	struct db_file *f;
	int             dir;
	const char     *below;
	char            copy[DB_PATH_MAX + 32];
	enum status     st;

	if (!db_vfs_locate(path, &dir, &below))
		return ST_DENIED;
	snprintf(copy, sizeof(copy), "%s.repair", below);
	if (!disk_exists(dir, below) && !disk_exists(dir, copy)) /* between set_aside() and the end of a salvage there is only the copy */
		return ST_NOT_FOUND;
	st = db_file_get(path, &f);
	if (st != ST_OK)
		return st;
	st = db_file_lock(f, LOCK_MS);
	st = st == ST_TEMP ? ST_BUSY : st;
	if (st == ST_OK) {
		st = repair_locked(f);
		db_file_unlock(f);
	}
	db_file_put(&f);
	return st;
}

/* ---- for db_salvage.c ---- */

enum status db_suspect_begin(struct db_file *f, uint64_t *ret_frames, uint64_t *ret_salt)
{
	struct mark m = { MARK_MAGIC, 0, WHOLE_LOG, 0, 0 }, before;
	enum status st = mark_read(f, &before);

	if (st == ST_OK)
		m = before;
	else if (st == ST_NOT_FOUND)
		st = mark_write(f, &m);
	if (st == ST_OK)
		st = db_header_suspect(f);
	copies_remove(f, true);
	*ret_frames = m.frames;
	*ret_salt = m.salt;
	return st;
}

/* The first N of which neither name is taken. */
static enum status aside_find(struct db_file *f, uint64_t *ret)
{
	char        path[DB_PATH_MAX + 64];
	enum status st = ST_OK;

	for (uint64_t n = 1; n <= DB_ASIDE_MAX; n++) {
		static const char *const companions[] = { "", "-wal" };
		bool                     taken = false;

		for (size_t i = 0; i < LEN(companions) && !taken; i++) {
			snprintf(path, sizeof(path), "%s.damaged.%" PRIu64 "%s", f->below, n, companions[i]);
			st = disk_look(f->dir, path, NULL);
			taken = st == ST_OK;
			if (st != ST_OK && st != ST_NOT_FOUND)
				return st;
		}
		*ret = n;
		if (!taken)
			return ST_OK;
	}
	return ST_LIMIT;
}

enum status db_suspect_replace(struct db_file *f, uint64_t *ret_aside)
{
	struct mark m = { MARK_MAGIC, 1, WHOLE_LOG, 0, 0 };
	char        copy[DB_PATH_MAX + 32], full[DB_PATH_MAX + 32];
	enum status st = aside_find(f, &m.aside);

	beside(f, ".repair", copy);
	snprintf(full, sizeof(full), "%s.repair", f->path);
	if (st == ST_OK)
		st = copy_finish(full);
	copies_remove(f, st != ST_OK);
	if (st == ST_OK)
		st = copy_sync(f, copy);
	if (st == ST_OK)
		st = mark_write(f, &m);
	if (st == ST_OK)
		st = replace(f, &m);
	*ret_aside = m.aside;
	return st;
}

void db_suspect_drop_copy(struct db_file *f) { copies_remove(f, true); }
