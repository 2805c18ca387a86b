/* db/db_file.c - the registry of open database files, their writer lock and lock file; see db_file.h. */
#include "db/db_gather.h"
#include "db/db_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sys/clock.h"
#include "sys/disk.h"

#define LOCK_WRITER 0
#define LOCK_SYNCED 1
#define POLL_MIN_US 20
#define POLL_MAX_US 4000

static struct {
	pthread_mutex_t lock;
	struct db_file *first;
} files = { .lock = PTHREAD_MUTEX_INITIALIZER };

static enum status file_new(const char *path, struct db_file **ret)
{
	struct db_file *f = calloc(1, sizeof(*f));
	enum status     st;

	CHECK(f);
	snprintf(f->path, sizeof(f->path), "%s", path);
	st = db_vfs_locate(f->path, &f->dir, &f->below) ? ST_OK : ST_DENIED;
	if (st == ST_OK) {
		snprintf(f->lock_path, sizeof(f->lock_path), "%s.lock", f->below);
		st = disk_open(f->dir, f->lock_path, DISK_OPEN, &f->lock_fd);
	}
	if (st != ST_OK) {
		free(f);
		return st;
	}
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->given_up, NULL);
	pthread_mutex_init(&f->sync, NULL);
	*ret = f;
	return ST_OK;
}

static void file_free(struct db_file *f)
{
	fd_close(&f->lock_fd);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->given_up);
	pthread_mutex_destroy(&f->sync);
	free(f);
}

/* With one more reference; if it is not there, `made` takes its place, which was made without the lock: that may take a while. */
static struct db_file *file_find(const char *path, struct db_file *made)
{
	struct db_file *f;

	pthread_mutex_lock(&files.lock);
	for (f = files.first; f && strcmp(f->path, path) != 0;)
		f = f->next;
	if (!f && made) {
		f = made;
		f->next = files.first;
		files.first = f;
	}
	if (f)
		f->refs++;
	pthread_mutex_unlock(&files.lock);
	return f;
}

enum status db_file_get(const char *path, struct db_file **ret)
{
	struct db_file *f = file_find(path, NULL), *made = NULL;
	enum status     st = f ? ST_OK : file_new(path, &made);

	if (st != ST_OK)
		return st;
	if (!f)
		f = file_find(path, made);
	if (made && f != made) /* somebody else was quicker */
		file_free(made);
	*ret = f;
	return ST_OK;
}

void db_file_put(struct db_file **file)
{
	struct db_file *f = *file, **at;

	*file = NULL;
	if (!f)
		return;
	pthread_mutex_lock(&files.lock);
	if (--f->refs == 0) {
		for (at = &files.first; *at != f;)
			at = &(*at)->next;
		*at = f->next;
		file_free(f);
	}
	pthread_mutex_unlock(&files.lock);
}

enum status db_file_sync_dir(struct db_file *f)
{
	char        dir[DB_PATH_MAX];
	const char *slash = strrchr(f->below, '/');

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - f->below) : 0, f->below);
	return disk_sync_dir(f->dir, dir);
}

enum status db_file_sync_names(struct db_file *f)
{
	char        dir[DB_PATH_MAX];
	char       *end;
	enum status st = ST_OK;

	snprintf(dir, sizeof(dir), "%s", f->below);
	while (st == ST_OK && (end = strrchr(dir, '/')) != NULL) {
		*end = '\0';
		st = disk_sync_dir(f->dir, dir);
	}
	return st == ST_OK ? disk_sync_dir(f->dir, "") : st;
}

/* OFD locks have no wait with a deadline, so try at growing intervals; only other processes are waited for here. */
static enum status lock_wait(struct db_file *f, uint64_t octet, int64_t deadline_ms)
{
	long        us = POLL_MIN_US;
	enum status st;

	while ((st = disk_lock(f->lock_fd, octet)) == ST_BUSY) {
		struct timespec t = { 0, us * 1000 };

		if (clock_mono_ms() >= deadline_ms)
			return ST_TEMP;
		nanosleep(&t, NULL);
		us = MIN(us * 2, POLL_MAX_US);
	}
	return st;
}

static bool thread_lock(struct db_file *f, unsigned ms)
{
	struct timespec deadline = clock_deadline(ms);
	bool            got;

	pthread_mutex_lock(&f->lock);
	while (f->writing && pthread_cond_clockwait(&f->given_up, &f->lock, CLOCK_MONOTONIC, &deadline) == 0)
		continue;
	got = !f->writing;
	f->writing = true;
	pthread_mutex_unlock(&f->lock);
	return got;
}

static void thread_unlock(struct db_file *f)
{
	pthread_mutex_lock(&f->lock);
	f->writing = false;
	pthread_cond_signal(&f->given_up);
	pthread_mutex_unlock(&f->lock);
}

enum status db_file_lock(struct db_file *f, unsigned ms)
{
	int64_t     deadline_ms = clock_mono_ms() + ms;
	enum status st;

	if (!thread_lock(f, ms))
		return ST_TEMP;
	st = lock_wait(f, LOCK_WRITER, deadline_ms);
	if (st != ST_OK)
		thread_unlock(f);
	return st;
}

void db_file_unlock(struct db_file *f)
{
	db_gather_end(); /* frames of a rolled-back transaction: another writer's may soon stand where they would go */
	disk_unlock(f->lock_fd, LOCK_WRITER);
	thread_unlock(f);
}

enum status db_header_read(struct db_file *f, struct db_header *ret)
{
	struct db_header h;
	size_t           n;
	enum status      st;

	/* A writer writes `done` while we read: again. It does so for well under a microsecond. */
	do {
		memset(&h, 0, sizeof(h));
		st = disk_read_at(f->lock_fd, &h, sizeof(h), 0, &n);
		if (st != ST_OK)
			return st;
		if (n < sizeof(h) || h.magic != DB_MAGIC)
			h = (struct db_header){ 0 };
	} while (h.done.commit != h.done_again);
	*ret = h;
	return ST_OK;
}

static enum status write_part(struct db_file *f, const struct db_header *h, size_t from, size_t to)
{
	return disk_write_at(f->lock_fd, f->lock_path, from, str_n((const char *)h + from, to - from));
}

enum status db_header_write(struct db_file *f, const struct db_header *h)
{
	return write_part(f, h, 0, offsetof(struct db_header, synced));
}

enum status db_header_reset(struct db_file *f, const struct db_header *h)
{
	return write_part(f, h, 0, sizeof(*h));
}

/* Both change what a repair keeps, so never at once: among threads, then among processes. */
static enum status synced_lock(struct db_file *f)
{
	enum status st;

	pthread_mutex_lock(&f->sync);
	st = lock_wait(f, LOCK_SYNCED, clock_mono_ms() + 10000);
	if (st != ST_OK)
		pthread_mutex_unlock(&f->sync);
	return st;
}

static void synced_unlock(struct db_file *f)
{
	disk_unlock(f->lock_fd, LOCK_SYNCED);
	pthread_mutex_unlock(&f->sync);
}

enum status db_header_synced(struct db_file *f, struct db_place p)
{
	struct db_header h;
	enum status      st = synced_lock(f);

	if (st != ST_OK)
		return st;
	st = db_header_read(f, &h);
	if (st == ST_OK && h.suspect)
		st = ST_SUSPECT; /* the mark tells what was synced before */
	if (st == ST_OK && h.synced.commit < p.commit) {
		h.synced = p;
		st = write_part(f, &h, offsetof(struct db_header, synced), offsetof(struct db_header, suspect));
	}
	synced_unlock(f);
	return st;
}

enum status db_header_suspect(struct db_file *f)
{
	struct db_header h = { .suspect = true };
	enum status      st = synced_lock(f);

	if (st != ST_OK)
		return st;
	st = write_part(f, &h, offsetof(struct db_header, suspect), offsetof(struct db_header, generation));
	synced_unlock(f);
	return st;
}

bool db_header_current(const struct db_header *h)
{
	struct boot_id b = boot_id();

	return h->magic == DB_MAGIC && h->boot.hi == b.hi && h->boot.lo == b.lo;
}
