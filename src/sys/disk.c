/* sys/disk.c - thin over the system calls, with a fault point at each that a disk can refuse. */
#include "sys/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/fault.h"

#define NFS_MAGIC 0x6969

static struct {
	const struct disk_keeper *by;
	void                     *ctx;
} kept;

void disk_keep(const struct disk_keeper *keeper, void *ctx)
{
	kept.by = keeper;
	kept.ctx = ctx;
}

static enum status failed(void)
{
	return fd_status(errno);
}

static const int open_flags[] = {
	[DISK_READ] = O_RDONLY,
	[DISK_UPDATE] = O_RDWR,
	[DISK_OPEN] = O_RDWR | O_CREAT,
	[DISK_NEW] = O_RDWR | O_CREAT | O_EXCL,
};

enum status disk_open(int dir, const char *path, enum disk_mode mode, int *ret_fd)
{
	int fd;

	if (dir == DISK_KEPT)
		return kept.by->open(kept.ctx, path, mode, ret_fd);
	fd = openat(dir, path, open_flags[mode] | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return failed();
	if (mode == DISK_NEW)
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_CREATE, .path = path });
	*ret_fd = fd;
	return ST_OK;
}

/* What O_NOFOLLOW and O_DIRECTORY say to links and to the wrong kind. */
static enum status refused(void)
{
	return errno == ELOOP || errno == ENOTDIR || errno == EISDIR || errno == ENXIO ? ST_DENIED : failed();
}

enum status disk_open_plain(int dir, const char *name, enum disk_mode mode, int *ret_fd)
{
	int         fd = openat(dir, name, open_flags[mode] | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st = { 0 };

	if (fd < 0)
		return refused();
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		bool gone = S_ISREG(st.st_mode) && st.st_nlink == 0; /* it was removed just now */

		fd_close(&fd);
		return gone ? ST_NOT_FOUND : ST_DENIED;
	}
	*ret_fd = fd;
	return ST_OK;
}

enum status disk_open_dir(int dir, const char *name, int *ret_fd)
{
	int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return refused();
	*ret_fd = fd;
	return ST_OK;
}

enum status disk_fetch(int dir, const char *path)
{
	return dir == DISK_KEPT ? kept.by->fetch(kept.ctx, path) : ST_OK;
}

void disk_fetch_end(int dir)
{
	if (dir == DISK_KEPT)
		kept.by->fetch_end();
}

enum status disk_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, (char *)p + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failed();
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_n = done;
	return ST_OK;
}

enum status disk_write_at(int fd, const char *path, uint64_t offset, struct str s)
{
	size_t done = 0;
	int    err = fault_at("disk.write", path);

	if (err)
		return fd_status(err);
	while (done < s.n) {
		ssize_t put = pwrite(fd, s.p + done, s.n - done, (off_t)(offset + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return failed();
		done += (size_t)put;
	}
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_WRITE, .path = path, .offset = offset, .data = s });
	return ST_OK;
}

enum status disk_size(int fd, uint64_t *ret)
{
	struct stat st;

	if (fd_stat(fd, &st) < 0)
		return failed();
	*ret = (uint64_t)st.st_size;
	return ST_OK;
}

enum status disk_sync(int fd, const char *path)
{
	int err = fault_at("disk.sync", path);

	if (err)
		return fd_status(err);
	if (fdatasync(fd) < 0)
		return failed();
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_SYNC, .path = path });
	return ST_OK;
}

enum status disk_sync_dir(int dir, const char *path)
{
	int         err = fault_at("disk.sync_dir", path), fd;
	enum status st = ST_OK;

	if (dir == DISK_KEPT)
		return err ? fd_status(err) : kept.by->change(kept.ctx, DISK_SYNC_DIR, path, NULL);
	fd = openat(dir, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed();
	if (err)
		st = fd_status(err);
	else if (fsync(fd) < 0)
		st = failed();
	fd_close(&fd);
	if (st == ST_OK)
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_SYNC_DIR, .path = path });
	return st;
}

enum status disk_sync_fs(int fd)
{
	int err = fault_at("disk.syncfs", "");

	if (err)
		return fd_status(err);
	if (syncfs(fd) < 0)
		return failed();
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_SYNC_FS, .path = "" });
	return ST_OK;
}

enum status disk_rename(int dir, const char *from, const char *to)
{
	int err = fault_at("disk.rename", to);

	if (err)
		return fd_status(err);
	if (dir == DISK_KEPT)
		return kept.by->change(kept.ctx, DISK_RENAME, from, to);
	if (renameat(dir, from, dir, to) < 0)
		return failed();
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_RENAME, .path = from, .other = to });
	return ST_OK;
}

enum status disk_remove(int dir, const char *path)
{
	if (dir == DISK_KEPT)
		return kept.by->change(kept.ctx, DISK_REMOVE, path, NULL);
	if (unlinkat(dir, path, 0) < 0)
		return failed();
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_UNLINK, .path = path });
	return ST_OK;
}

enum status disk_make_dir(int dir, const char *path)
{
	if (dir == DISK_KEPT)
		return kept.by->change(kept.ctx, DISK_MAKE_DIR, path, NULL);
	if (mkdirat(dir, path, 0700) < 0)
		return failed();
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_MKDIR, .path = path });
	return ST_OK;
}

bool disk_exists(int dir, const char *path)
{
	return disk_look(dir, path, NULL) == ST_OK;
}

enum status disk_entry_of(int fd, struct disk_entry *ret)
{
	struct stat s;

	if (fd_stat(fd, &s) < 0)
		return failed();
	*ret = (struct disk_entry){ s.st_dev, s.st_ino, (uint64_t)s.st_size, S_ISDIR(s.st_mode) };
	return ST_OK;
}

enum status disk_look(int dir, const char *path, struct disk_entry *ret)
{
	struct disk_entry e;
	struct stat       s;
	enum status       st = ST_OK;

	if (dir == DISK_KEPT)
		st = kept.by->look(kept.ctx, path, &e);
	else if (fstatat(dir, path, &s, AT_SYMLINK_NOFOLLOW) < 0)
		st = failed();
	else
		e = (struct disk_entry){ s.st_dev, s.st_ino, (uint64_t)s.st_size, S_ISDIR(s.st_mode) };
	if (st == ST_OK && ret)
		*ret = e;
	return st;
}

static DIR *dir_open(int dir, const char *path)
{
	int  fd = openat(dir, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		fd_close(&fd);
	return d;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

enum status disk_list(int dir, const char *path, disk_list_fn *fn, void *arg)
{
	DIR           *d;
	struct dirent *e;

	if (dir == DISK_KEPT)
		return kept.by->list(kept.ctx, path, fn, arg);
	d = dir_open(dir, path);
	if (!d)
		return failed();
	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (is_dots(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!fn(arg, e->d_name, (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000))
			break;
	}
	closedir(d);
	return ST_OK;
}

static enum status remove_all(int dir, const char *path, unsigned depth)
{
	DIR           *d = dir_open(dir, path);
	struct dirent *e;
	enum status    st = ST_OK;

	if (!d)
		return failed();
	while (st == ST_OK && (e = readdir(d)) != NULL) {
		if (is_dots(e->d_name))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		if ((errno == EISDIR || errno == EPERM) && depth > 0)
			st = remove_all(dirfd(d), e->d_name, depth - 1);
		else
			st = failed();
	}
	closedir(d);
	if (st == ST_OK && unlinkat(dir, path, AT_REMOVEDIR) < 0)
		st = failed();
	return st;
}

enum status disk_remove_dir(int dir, const char *path)
{
	return remove_all(dir, path, 8);
}

static struct flock lock_of(short type, uint64_t at)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1 };
}

enum status disk_lock(int fd, uint64_t at)
{
	struct flock l = lock_of(F_WRLCK, at);

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return ST_OK;
	return errno == EAGAIN || errno == EACCES ? ST_BUSY : failed();
}

void disk_unlock(int fd, uint64_t at)
{
	struct flock l = lock_of(F_UNLCK, at);

	CHECK(fcntl(fd, F_OFD_SETLK, &l) == 0);
}

enum status disk_space(int fd, uint64_t *ret_free, uint64_t *ret_total)
{
	struct statvfs s;

	if (fd == DISK_KEPT)
		return kept.by->space(kept.ctx, ret_free, ret_total);
	if (fstatvfs(fd, &s) < 0)
		return failed();
	*ret_free = (uint64_t)s.f_bavail * s.f_frsize;
	*ret_total = (uint64_t)s.f_blocks * s.f_frsize;
	return ST_OK;
}

enum status disk_allocate(int dir, const char *path, uint64_t n)
{
	int         fd, err;
	enum status st = disk_open(dir, path, DISK_OPEN, &fd);

	if (st != ST_OK)
		return st;
	err = posix_fallocate(fd, 0, (off_t)n);
	fd_close(&fd);
	if (err == 0)
		return ST_OK;
	unlinkat(dir, path, 0);
	return fd_status(err);
}

bool disk_on_nfs(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && s.f_type == NFS_MAGIC;
}

enum status disk_map(int fd, size_t n, struct str *ret)
{
	void *p = n > 0 ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;

	if (p == MAP_FAILED)
		return failed();
	*ret = (struct str){ p, n };
	return ST_OK;
}

void disk_unmap(struct str map)
{
	if (map.n > 0)
		munmap((void *)(uintptr_t)map.p, map.n);
}
