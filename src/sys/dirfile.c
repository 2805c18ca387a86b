/* sys/dirfile.c - see dirfile.h. */
#include "sys/dirfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sys/fd.h"

#define COPY_STEP (64 * KIB) /* of the plain loop */

static enum status opened(int fd, int *ret_fd)
{
	if (fd < 0)
		return fd_status(errno);
	*ret_fd = fd;
	return ST_OK;
}

enum status dirfile_create(int dir, const char *name, int *ret_fd)
{
	return opened(openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), ret_fd);
}

enum status dirfile_unnamed(int dir, int *ret_fd)
{
	return opened(openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), ret_fd);
}

enum status dirfile_open(int dir, const char *name, int *ret_fd)
{
	return opened(openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), ret_fd);
}

enum status dirfile_remove(int dir, const char *name)
{
	return unlinkat(dir, name, 0) < 0 ? fd_status(errno) : ST_OK;
}

enum status dirfile_subdir(int dir, const char *name, int *ret_fd)
{
	enum status st = ST_OK;

	if (mkdirat(dir, name, 0700) == 0)
		st = dirfile_sync(dir);
	else if (errno != EEXIST)
		return fd_status(errno);
	if (st != ST_OK)
		return st;
	return opened(openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), ret_fd);
}

/* File systems that cannot copy between two files themselves. */
static enum status copy_plain(int from, int to, uint64_t at, uint64_t size)
{
	char        step[COPY_STEP];
	size_t      n;
	enum status st = ST_OK;

	if (lseek(to, (off_t)at, SEEK_SET) < 0)
		return fd_status(errno);
	while (at < size && st == ST_OK) {
		st = dirfile_read_at(from, step, (size_t)MIN((uint64_t)sizeof(step), size - at), at, &n);
		if (st == ST_OK && n == 0)
			return ST_CORRUPT;
		if (st == ST_OK)
			st = fd_write(to, str_n(step, n));
		at += n;
	}
	return st;
}

enum status dirfile_copy(int from, int to, uint64_t size)
{
	uint64_t at = 0;

	while (at < size) {
		off_t   in = (off_t)at, out = (off_t)at;
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)MIN(size - at, (uint64_t)GIB), 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
			return copy_plain(from, to, at, size);
		if (n < 0 && errno != EINTR)
			return fd_status(errno);
		if (n == 0)
			return ST_CORRUPT;
		at += n > 0 ? (uint64_t)n : 0;
	}
	return ST_OK;
}

enum status dirfile_size(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fd_status(errno);
	if (!S_ISREG(st.st_mode))
		return ST_INVALID;
	*ret = (uint64_t)st.st_size;
	return ST_OK;
}

enum status dirfile_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t got = pread(fd, (char *)p + at, n - at, (off_t)(offset + at));
		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			return fd_status(errno);
		at += got > 0 ? (size_t)got : 0;
	}
	*ret_n = at;
	return ST_OK;
}

enum status dirfile_sync(int fd)
{
	return fsync(fd) < 0 ? fd_status(errno) : ST_OK;
}

enum status dirfile_reserve(int fd, uint64_t octets)
{
	int err;

	if (octets == 0)
		return ftruncate(fd, 0) < 0 ? fd_status(errno) : ST_OK;
	do
		err = posix_fallocate(fd, 0, (off_t)octets);
	while (err == EINTR);
	return fd_status(err);
}

enum status dirfile_space(int dir, uint64_t *ret_free, uint64_t *ret_total)
{
	struct statvfs s;

	if (fstatvfs(dir, &s) < 0)
		return fd_status(errno);
	*ret_free = (uint64_t)s.f_bavail * s.f_frsize;
	*ret_total = (uint64_t)s.f_blocks * s.f_frsize;
	return ST_OK;
}

enum status dirfile_each(int dir, void (*fn)(void *arg, const char *name), void *arg)
{
	int            fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR           *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		int err = errno;

		fd_close(&fd);
		return fd_status(err);
	}
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(arg, e->d_name);
	closedir(d);
	return ST_OK;
}
