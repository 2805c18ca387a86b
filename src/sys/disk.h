/* sys/disk.h - files below a directory descriptor: create, read and write at offsets, sync, rename, lock.
 *
 * `dir` is an open directory, `path` relative to it, without ".." and with no link as its last component. Where a function takes
 * both a descriptor and a path, the path only names the file for fault points and logs (sys/fault.h).
 * Statuses: fd_status() of errno.
 */
#ifndef SYS_DISK_H
#define SYS_DISK_H

#include "sys/fd.h"

enum disk_mode {
	DISK_READ,   /* must exist */
	DISK_UPDATE, /* read and write, must exist */
	DISK_OPEN,   /* read and write, made if missing */
	DISK_NEW,    /* read and write, must not exist */
};
MUST_CHECK enum status disk_open(int dir, const char *path, enum disk_mode mode, int *ret_fd);

/* For names that were asked for by somebody who is not to be trusted, in a directory where others write too. `name` has one component. A link, a
 * directory where a file is wanted, a device, a file with several names: ST_DENIED; none is waited for. */
MUST_CHECK enum status disk_open_plain(int dir, const char *name, enum disk_mode mode, int *ret_fd);
/* A directory, to name what is in it; no link. */
MUST_CHECK enum status disk_open_dir(int dir, const char *name, int *ret_fd);

/* Read up to n octets, fewer only at the end of the file. */
MUST_CHECK enum status disk_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n);
MUST_CHECK enum status disk_write_at(int fd, const char *path, uint64_t offset, struct str s);
MUST_CHECK enum status disk_size(int fd, uint64_t *ret);
MUST_CHECK enum status disk_sync(int fd, const char *path);     /* fdatasync */
MUST_CHECK enum status disk_sync_dir(int dir, const char *path); /* fsync of the directory `path`; "" is dir itself */
MUST_CHECK enum status disk_sync_fs(int fd);                     /* the whole file system that fd is on */

MUST_CHECK enum status disk_rename(int dir, const char *from, const char *to); /* replaces `to` */
MUST_CHECK enum status disk_remove(int dir, const char *path);    /* ST_NOT_FOUND if there is none */
MUST_CHECK enum status disk_make_dir(int dir, const char *path);  /* ST_EXISTS */
MUST_CHECK enum status disk_remove_dir(int dir, const char *path); /* with all in it; ST_NOT_FOUND */
bool disk_exists(int dir, const char *path); /* false also when that cannot be known: for what does no harm then */

struct disk_entry {
	uint64_t device, inode, size;
	bool     directory;
};
/* What has that name: ST_NOT_FOUND if nothing has. *ret may be NULL. */
MUST_CHECK enum status disk_look(int dir, const char *path, struct disk_entry *ret);
MUST_CHECK enum status disk_entry_of(int fd, struct disk_entry *ret);

/* Call fn for each entry of the directory but "." and "..", until it returns false. mtime_ms is the wall clock. */
typedef bool disk_list_fn(void *arg, const char *name, int64_t mtime_ms);
MUST_CHECK enum status disk_list(int dir, const char *path, disk_list_fn *fn, void *arg);

/* Lock octet `at` of an open file description against others (not against other users of the same descriptor). ST_BUSY. */
MUST_CHECK enum status disk_lock(int fd, uint64_t at);
void disk_unlock(int fd, uint64_t at);

/* Octets free for this process, and in all. */
MUST_CHECK enum status disk_space(int fd, uint64_t *ret_free, uint64_t *ret_total);
/* Make a file that really takes n octets. ST_FULL; there is then no file. */
MUST_CHECK enum status disk_allocate(int dir, const char *path, uint64_t n);
bool disk_on_nfs(int fd);

/* ---- a directory that another process keeps (docs/concepts/keeper.md) ----
 *
 * As `dir`, DISK_KEPT is a directory that this process has no descriptor of. The functions above that take `dir` and a path ask
 * through these instead, with the same statuses, and ST_TEMP when the other process could not be asked or has not answered: what was to be
 * changed is then changed or not. What is made, removed or renamed so is not told to the recorder. */
#define DISK_KEPT (-2)
enum disk_change { DISK_REMOVE, DISK_RENAME, DISK_MAKE_DIR, DISK_SYNC_DIR };
struct disk_keeper {
	enum status (*open)(void *ctx, const char *path, enum disk_mode mode, int *ret_fd);
	enum status (*look)(void *ctx, const char *path, struct disk_entry *ret);
	enum status (*change)(void *ctx, enum disk_change what, const char *path, const char *to); /* to: RENAME */
	enum status (*list)(void *ctx, const char *path, disk_list_fn *fn, void *arg);
	enum status (*space)(void *ctx, uint64_t *ret_free, uint64_t *ret_total);
	enum status (*fetch)(void *ctx, const char *path);
	void (*fetch_end)(void);
};
/* Of the database `path`: whatever of it is there is asked for at once, and is what the functions above give to this thread until disk_fetch_end(), or
 * until one of them changes something. Nothing for other directories. */
MUST_CHECK enum status disk_fetch(int dir, const char *path);
void disk_fetch_end(int dir);
/* One per process; before any thread uses DISK_KEPT. */
void disk_keep(const struct disk_keeper *keeper, void *ctx);

/* Read-only view of the file's n octets; only of files that nobody else can write. */
MUST_CHECK enum status disk_map(int fd, size_t n, struct str *ret);
void disk_unmap(struct str map);

#endif
