/* db/db_salvage.c - the old file is read, a new one takes its place; see db.h. The places on disk are those of a repair: db_repair.c. */
#include <stdio.h>
#include <stdlib.h>

#include "db/db_internal.h"
#include "db/db_pages.h"
#include "sys/disk.h"

#define LOCK_MS 2000

struct db_salvage {
	struct db_file  *file;
	struct db_pages *pages;
	int              fd, log_fd; /* -1: none */
	char             path[DB_PATH_MAX + 8];
};

static enum status read_raw(void *ctx, bool log, void *p, size_t n, uint64_t offset, size_t *ret_n)
{
	const struct db_salvage *s = ctx;
	int                      fd = log ? s->log_fd : s->fd;

	*ret_n = 0;
	return fd >= 0 ? disk_read_at(fd, p, n, offset, ret_n) : ST_OK;
}

/* One that is not there has no octets. */
static enum status raw_open(struct db_salvage *s, const char *suffix, int *ret_fd, uint64_t *ret_size)
{
	char        path[DB_PATH_MAX + 8];
	enum status st;

	snprintf(path, sizeof(path), "%s%s", s->file->below, suffix);
	st = disk_open(s->file->dir, path, DISK_READ, ret_fd);
	if (st == ST_OK)
		return disk_size(*ret_fd, ret_size);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status begin_locked(struct db_salvage *s)
{
	struct db_pages_source source = { .read = read_raw, .ctx = s };
	struct db_header       h = { 0 };
	enum status            st = db_repair_finish(s->file);

	if (st == ST_OK)
		st = db_header_read(s->file, &h);
	source.least = h.done.frames;
	source.least_salt = h.done.salt;
	if (st == ST_OK)
		st = db_suspect_begin(s->file, &source.frames, &source.salt);
	if (st == ST_OK)
		st = raw_open(s, "", &s->fd, &source.size);
	if (st == ST_OK)
		st = raw_open(s, "-wal", &s->log_fd, &source.log_size);
	return st == ST_OK ? db_pages_new(&source, &s->pages) : st;
}

static void salvage_free(struct db_salvage **salvage)
{
	struct db_salvage *s = *salvage;

	*salvage = NULL;
	db_pages_free(&s->pages);
	fd_close(&s->fd);
	fd_close(&s->log_fd);
	db_file_put(&s->file);
	free(s);
}

enum status db_salvage_begin(const char *path, struct db_salvage **ret, struct db_pages **ret_pages)
{
	struct db_salvage *s = calloc(1, sizeof(*s));
	enum status        st;

	CHECK(s);
	s->fd = s->log_fd = -1;
	snprintf(s->path, sizeof(s->path), "%s.repair", path);
	st = db_file_get(path, &s->file);
	if (st == ST_OK) {
		st = db_file_lock(s->file, LOCK_MS);
		st = st == ST_TEMP ? ST_BUSY : st;
	}
	if (st == ST_OK && (st = begin_locked(s)) != ST_OK)
		db_file_unlock(s->file);
	if (st != ST_OK) {
		salvage_free(&s);
		return st;
	}
	*ret = s;
	*ret_pages = s->pages;
	return ST_OK;
}

const char *db_salvage_path(const struct db_salvage *s) { return s->path; }

enum status db_salvage_end(struct db_salvage **salvage, enum status st, uint64_t *ret_aside)
{
	struct db_salvage *s = *salvage;

	if (st == ST_OK)
		st = db_suspect_replace(s->file, ret_aside);
	else
		db_suspect_drop_copy(s->file);
	db_file_unlock(s->file);
	salvage_free(salvage);
	return st;
}
