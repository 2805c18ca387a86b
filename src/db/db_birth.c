/* db/db_birth.c - a new database: written whole, as an image of the schema, without a sync.
 *
 *   nothing, or half of an image -> lock file: not of this boot -> image -> lock file: of this boot, nothing synced
 *
 * The first sync of the file (db_sync, or a syncfs that db_synced tells of) makes it durable with its names; until then nothing in
 * it was promised to anybody. A power cut before that leaves any part of the image: whoever opens such a file first writes it
 * again, and drops its log. A file counts as half made only if each of its sectors is the image's or zero, so one that
 * ever had a checkpoint is never taken for that, whatever has befallen it: it is damaged, and stays for somebody to look at.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_internal.h"
#include "sys/disk.h"

#define SECTOR      512u
#define WRITE_WAL   18 /* https://www.sqlite.org/fileformat2.html#file_format_version_numbers */
#define READ_WAL    19
#define FORMAT_WAL  2
#define FILE_COUNTER 24
#define VALID_FOR   92
#define LIBRARY     96 /* version of the library: informs only, and must not make images differ */

/* ---- the image: one per schema and page size, kept for as long as the process lives ---- */

struct image {
	const struct db_schema *schema;
	unsigned                page_size;
	struct str              octets;
	struct image           *next;
};

static struct {
	pthread_mutex_t lock;
	struct image   *first;
} images = { .lock = PTHREAD_MUTEX_INITIALIZER };

static enum status image_fill(struct db *db, const struct db_schema *schema, unsigned page_size)
{
	char        text[64];
	enum status st;

	snprintf(text, sizeof(text), "PRAGMA page_size=%u", page_size);
	st = db_exec(db, text);
	for (unsigned i = 0; i < schema->count && st == ST_OK; i++)
		st = db_exec(db, schema->steps[i]);
	snprintf(text, sizeof(text), "PRAGMA user_version=%u", schema->count);
	return st == ST_OK ? db_exec(db, text) : st;
}

static enum status image_make(const struct db_schema *schema, unsigned page_size, struct str *ret)
{
	static const char counter[] = { 0, 0, 0, 1 }, none[4];
	struct db         db = { 0 };
	sqlite3_int64     n = 0;
	unsigned char    *p = NULL;
	int               rc = sqlite3_open_v2(":memory:", &db.sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	enum status       st = rc == SQLITE_OK ? image_fill(&db, schema, page_size) : db_result(&db, rc);

	if (st == ST_OK && !(p = sqlite3_serialize(db.sql, "main", &n, 0)))
		st = ST_LIMIT;
	sqlite3_close(db.sql);
	if (st != ST_OK)
		return st;
	CHECK(n >= page_size && n % page_size == 0);
	p[WRITE_WAL] = p[READ_WAL] = FORMAT_WAL;
	memcpy(p + FILE_COUNTER, counter, sizeof(counter));
	memcpy(p + VALID_FOR, counter, sizeof(counter));
	memcpy(p + LIBRARY, none, sizeof(none));
	*ret = str_n(p, (size_t)n);
	return ST_OK;
}

static enum status image_get(const struct db_options *o, struct str *ret)
{
	struct image *i;
	enum status   st = ST_OK;

	pthread_mutex_lock(&images.lock);
	for (i = images.first; i && (i->schema != o->schema || i->page_size != o->page_size);)
		i = i->next;
	if (!i) {
		i = calloc(1, sizeof(*i));
		CHECK(i);
		*i = (struct image){ .schema = o->schema, .page_size = o->page_size, .next = images.first };
		st = image_make(o->schema, o->page_size, &i->octets);
		if (st == ST_OK)
			images.first = i;
	}
	if (st == ST_OK)
		*ret = i->octets;
	else
		free(i);
	pthread_mutex_unlock(&images.lock);
	return st;
}

/* ---- the file, through SQLite's VFS: only that may open and close a database, for the sake of its locks ---- */

struct raw {
	sqlite3_file    *file;
	sqlite3_filename name;
};

static enum status raw_open(struct db *db, bool create, struct raw *ret)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	char         full[DB_PATH_MAX + 2];
	int          rc, flags = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);

	snprintf(full, sizeof(full), "/%s", db->file->path);
	ret->file = calloc(1, (size_t)vfs->szOsFile);
	ret->name = sqlite3_create_filename(full, "", "", 0, NULL);
	CHECK(ret->file && ret->name);
	rc = vfs->xOpen(vfs, ret->name, ret->file, flags, &flags);
	return db_result(db, rc);
}

static void raw_done(struct raw *r)
{
	if (r->file->pMethods)
		r->file->pMethods->xClose(r->file);
	sqlite3_free_filename((char *)(uintptr_t)r->name);
	free(r->file);
}

/* SQLite's own calls are a page each, and its VFS cuts longer ones off at 128 KiB. */
static size_t piece(size_t n, size_t at)
{
	return MIN(n - at, (size_t)64 * KIB);
}

/* The first n octets; those behind the end of the file are zero. */
static enum status raw_read(struct db *db, char *p, size_t n, uint64_t *ret_size)
{
	struct raw    r;
	sqlite3_int64 size = 0;
	enum status   st = raw_open(db, false, &r);

	if (st == ST_OK)
		st = db_result(db, r.file->pMethods->xFileSize(r.file, &size));
	for (size_t at = 0; st == ST_OK && size <= (sqlite3_int64)n && at < n; at += piece(n, at)) {
		int rc = r.file->pMethods->xRead(r.file, p + at, (int)piece(n, at), (sqlite3_int64)at);

		st = rc == SQLITE_IOERR_SHORT_READ ? ST_OK : db_result(db, rc);
	}
	raw_done(&r);
	*ret_size = (uint64_t)size;
	return st;
}

static enum status raw_write(struct db *db, struct str image)
{
	struct raw  r;
	enum status st = raw_open(db, true, &r);

	for (size_t at = 0; st == ST_OK && at < image.n; at += piece(image.n, at))
		st = db_result(db, r.file->pMethods->xWrite(r.file, image.p + at, (int)piece(image.n, at), (sqlite3_int64)at));
	raw_done(&r);
	return st;
}

/* ---- */

static bool sectors_of(const char *p, struct str image)
{
	static const char zero[SECTOR];

	for (size_t at = 0; at < image.n; at += SECTOR)
		if (memcmp(p + at, image.p + at, SECTOR) != 0 && memcmp(p + at, zero, SECTOR) != 0)
			return false;
	return true;
}

static enum status look(struct db *db, struct str image, bool *ret_half)
{
	char       *p;
	uint64_t    size = 0;
	enum status st;

	st = disk_look(db->file->dir, db->file->below, NULL);
	*ret_half = st == ST_NOT_FOUND;
	if (st != ST_OK)
		return *ret_half ? ST_OK : st;
	p = calloc(1, image.n);
	CHECK(p);
	st = raw_read(db, p, image.n, &size);
	*ret_half = st == ST_OK && size <= image.n && sectors_of(p, image) && (size < image.n || memcmp(p, image.p, image.n) != 0);
	free(p);
	return st;
}

static enum status companions_remove(struct db *db)
{
	static const char *const companions[] = { "-wal", "-shm", "-journal" };
	char                     path[DB_PATH_MAX + 32];
	enum status              st = ST_OK;

	for (size_t i = 0; i < LEN(companions) && st == ST_OK; i++) {
		snprintf(path, sizeof(path), "%s%s", db->file->below, companions[i]);
		st = disk_remove(db->file->dir, path);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	return st;
}

/* Until the image is complete the lock file must not look like one of this boot, nor of another: then it would count as durable. */
static enum status make(struct db *db, struct str image)
{
	struct db_header h;
	enum status      st = db_header_read(db->file, &h);

	h = (struct db_header){ .magic = DB_MAGIC, .begun = h.begun, .generation = h.generation };
	if (st == ST_OK)
		st = db_header_reset(db->file, &h);
	if (st == ST_OK)
		st = companions_remove(db);
	if (st == ST_OK)
		st = raw_write(db, image);
	if (st != ST_OK)
		return st;
	h.boot = boot_id();
	h.begun = h.done_again = h.done.commit = h.begun + 1;
	return db_header_reset(db->file, &h);
}

enum status db_birth(struct db *db, bool *ret_made)
{
	struct str  image = STR_NONE;
	bool        half = false;
	enum status st = image_get(&db->options, &image);

	*ret_made = false;
	if (st == ST_OK)
		st = look(db, image, &half);
	if (st != ST_OK || !half)
		return st;
	if (!db->options.create)
		return ST_NOT_FOUND;
	st = make(db, image);
	*ret_made = st == ST_OK;
	return st;
}
