/* db/db.c - opening: connection settings, schema steps. New files are made in db_birth.c; transactions are in db_txn.c,
 * statements in db_stmt.c.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "db/db_internal.h"
#include "sys/disk.h"

static void init_once(void)
{
	char seed[8];

	CHECK(sqlite3_config(SQLITE_CONFIG_MULTITHREAD) == SQLITE_OK);
	/* Counting octets takes a lock that all threads share. */
	CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
	db_heap_init();
	CHECK(sqlite3_initialize() == SQLITE_OK);
	db_vfs_init();
	sqlite3_randomness(sizeof(seed), seed);
	(void)boot_id();
}

void db_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_once);
}

enum status db_root(const char *name, int fd)
{
	if (disk_on_nfs(fd)) {
		log_error("directory is on NFS, where locks and syncs cannot be trusted", LOG_C("directory", name));
		return ST_DENIED;
	}
	return db_vfs_root(name, fd);
}

enum status db_connect(const char *path, unsigned cache_kib, sqlite3 **ret)
{
	char     full[DB_PATH_MAX + 2];
	sqlite3 *sql = NULL;
	int      rc;
	static const int off[] = { SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_DQS_DML,
				   SQLITE_DBCONFIG_DQS_DDL, SQLITE_DBCONFIG_TRUSTED_SCHEMA };
	char     pragmas[200];

	snprintf(full, sizeof(full), "/%s", path);
	rc = sqlite3_open_v2(full, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(sql, 1);
		sqlite3_busy_timeout(sql, DB_LOCK_MS);
		sqlite3_limit(sql, SQLITE_LIMIT_LENGTH, (int)LIMIT_DB_VALUE);
		sqlite3_limit(sql, SQLITE_LIMIT_ATTACHED, 0);
		for (size_t i = 0; i < LEN(off); i++)
			sqlite3_db_config(sql, off[i], 0, NULL);
		sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_db_config(sql, SQLITE_DBCONFIG_LOOKASIDE, NULL, 128, 64);
		snprintf(pragmas, sizeof(pragmas),
			 "PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%u; PRAGMA cell_size_check=ON",
			 cache_kib);
		rc = sqlite3_exec(sql, pragmas, NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK) {
		struct db db = { .sql = sql };
		enum status st = db_result(&db, rc);

		sqlite3_close(sql);
		return st;
	}
	*ret = sql;
	return ST_OK;
}

static enum status version_read(struct db *db, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int           rc = sqlite3_prepare_v2(db->sql, "PRAGMA user_version", -1, &s, NULL);
	enum status   st;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	st = rc == SQLITE_ROW ? ST_OK : db_result(db, rc);
	sqlite3_finalize(s);
	return st;
}

static enum status version_write(struct db *db, int64_t version)
{
	char text[64];

	snprintf(text, sizeof(text), "PRAGMA user_version=%lld", (long long)version);
	return db_exec(db, text);
}

/* One transaction under the writer lock that is already held, counted like any other: what a checkpoint may then copy must stand in
 * the part of the log that is noted as synced. */
static enum status steps_run(struct db *db, unsigned from)
{
	const struct db_schema *schema = db->options.schema;
	enum status             st = db_header_read(db->file, &db->header);

	if (st == ST_OK)
		st = db_exec(db, "BEGIN IMMEDIATE");
	for (unsigned i = from; st == ST_OK && i < schema->count; i++)
		st = db_exec(db, schema->steps[i]);
	if (st == ST_OK)
		st = version_write(db, schema->count);
	if (st == ST_OK)
		st = db_commit_synced(db);
	if (st != ST_OK && !sqlite3_get_autocommit(db->sql))
		(void)db_exec(db, "ROLLBACK");
	return st;
}

/* The file is there with an older schema (new ones are in db_birth.c). Versions below 0 are of an older program: a new file of schema
 * -N that was perhaps not synced. */
static enum status schema_make(struct db *db)
{
	char        text[64];
	int64_t     version = 0;
	enum status st = version_read(db, &version);

	if (st != ST_OK || version == (int64_t)db->options.schema->count)
		return st;
	if (version > (int64_t)db->options.schema->count || version < -(int64_t)db->options.schema->count)
		return ST_VERSION;
	if (version == 0) {
		/* Both are without effect if an interrupted creation has come further than this. */
		snprintf(text, sizeof(text), "PRAGMA page_size=%u", db->options.page_size);
		st = db_exec(db, text);
		if (st == ST_OK)
			st = db_exec(db, "PRAGMA journal_mode=WAL");
	}
	return st == ST_OK ? steps_run(db, (unsigned)(version < 0 ? -version : version)) : st;
}

static int hook(void *arg, sqlite3 *sql, const char *name, int frames)
{
	(void)sql, (void)name;
	((struct db *)arg)->frames = (unsigned)frames;
	return SQLITE_OK;
}

static enum status connect_file(struct db *db)
{
	enum status st = db_connect(db->file->path, db->options.cache_kib, &db->sql);

	if (st != ST_OK)
		return st;
	sqlite3_wal_hook(db->sql, hook, db);
	return db_each_init(db);
}

static enum status look(struct db *db, bool *ret_suspect, bool *ret_there)
{
	enum status st = db_suspect_look(db->file, ret_suspect);

	if (st != ST_OK)
		return st;
	st = disk_look(db->file->dir, db->file->below, NULL);
	*ret_there = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Under the writer lock: finish an interrupted repair, make the file if there is none or half of one. */
static enum status file_make(struct db *db)
{
	struct db_header h;
	bool             made = false, suspect = false, there = false;
	enum status      st = db_repair_finish(db->file);

	if (st == ST_OK)
		st = db_header_read(db->file, &h);
	if (st == ST_OK)
		st = look(db, &suspect, &there);
	if (st == ST_OK && !suspect && (!db_header_current(&h) || !there))
		st = db_birth(db, &made);
	if (st == ST_OK)
		st = connect_file(db);
	if (st == ST_OK && made)
		st = db_relax(db);
	return st;
}

/* Under the writer lock: bring the file, the schema and the lock file up to date. */
static enum status open_locked(struct db *db, bool need_schema)
{
	struct db_header h;
	bool             connect = !db->sql, suspect;
	enum status      st = db_file_lock(db->file, db->options.lock_ms);

	if (st != ST_OK)
		return st;
	if (connect)
		st = file_make(db);
	if (st == ST_OK)
		st = db_header_read(db->file, &h);
	if (st == ST_OK && connect)
		db->generation = h.generation;
	if (st == ST_OK && !db_header_current(&h))
		st = db_boot(db);
	if (st == ST_OK && need_schema && (st = db_suspect_look(db->file, &suspect)) == ST_OK && !suspect)
		st = schema_make(db);
	db_file_unlock(db->file);
	return st;
}

/* If it is there and not set aside; the first reading opens the log. */
static enum status open_unlocked(struct db *db, int64_t *ret_version)
{
	bool        suspect = false, there = false;
	enum status st = disk_fetch(db->file->dir, db->file->below);

	if (st == ST_OK)
		st = look(db, &suspect, &there);
	if (st == ST_OK && !suspect && there)
		st = connect_file(db);
	if (st == ST_OK && db->sql)
		st = version_read(db, ret_version);
	disk_fetch_end(db->file->dir);
	return st;
}

/* Usually the file is there, of our version, and used in this boot before: then no lock is taken. */
static enum status open_file(struct db *db)
{
	struct db_header h = { 0 };
	int64_t          version = 0;
	enum status      st = db_header_read(db->file, &h);
	bool             first = st == ST_OK && !db_header_current(&h);

	/* Read before the file is opened: a repair in between must leave the handle stale, not look like ours. */
	db->generation = h.generation;
	if (st == ST_OK && !first)
		st = open_unlocked(db, &version);
	if (st == ST_OK && !db->sql) {
		st = open_locked(db, false);
		if (st == ST_OK)
			st = version_read(db, &version);
	}
	if (st == ST_OK && version > (int64_t)db->options.schema->count)
		return ST_VERSION;
	if (st == ST_OK && version != (int64_t)db->options.schema->count)
		st = open_locked(db, true);
	return st;
}

static struct db_options options_filled(const struct db_options *given)
{
	struct db_options o = *given;

	o.page_size = o.page_size ? o.page_size : 4096;
	o.cache_kib = o.cache_kib ? o.cache_kib : DB_CACHE_KIB;
	o.checkpoint_pages = o.checkpoint_pages ? o.checkpoint_pages : DB_CHECKPOINT;
	o.lock_ms = o.lock_ms ? o.lock_ms : DB_LOCK_MS;
	return o;
}

enum status db_open(const char *path, const struct db_options *options, struct db **ret)
{
	struct db  *db;
	int         dir;
	const char *below;
	enum status st;

	if (strlen(path) > DB_PATH_MAX - 32 || !db_vfs_locate(path, &dir, &below))
		return ST_DENIED;
	if (!options->create && !disk_exists(dir, below))
		return ST_NOT_FOUND;
	db = calloc(1, sizeof(*db));
	CHECK(db);
	db->options = options_filled(options);
	(void)db_vfs_kept_failure();
	st = db_file_get(path, &db->file);
	if (st == ST_OK)
		st = open_file(db);
	(void)db_vfs_kept_failure(); /* of a look that did not matter */
	if (st != ST_OK) {
		db_close(&db);
		return st;
	}
	*ret = db;
	return ST_OK;
}

void db_close(struct db **handle)
{
	struct db *db = *handle;

	*handle = NULL;
	if (!db)
		return;
	db_rollback(db);
	db_stmts_drop(db);
	CHECK(sqlite3_close(db->sql) == SQLITE_OK);
	db_file_put(&db->file);
	free(db);
}

static size_t memory_of(const struct db *db, int what)
{
	int now = 0, high;

	sqlite3_db_status(db->sql, what, &now, &high, 0);
	return (size_t)now;
}

size_t db_memory(struct db *db)
{
	/* For schema and statements SQLite walks over all of them: only when there are others. */
	if (db->stmt_count != db->stmt_measured || db->stmt_count == 0) {
		db->stmt_measured = db->stmt_count;
		db->stmt_memory = memory_of(db, SQLITE_DBSTATUS_SCHEMA_USED) + memory_of(db, SQLITE_DBSTATUS_STMT_USED);
	}
	return sizeof(*db) + 128 * 64 + db->stmt_count * sizeof(struct db_stmt) + db->stmt_memory +
	       memory_of(db, SQLITE_DBSTATUS_CACHE_USED);
}
