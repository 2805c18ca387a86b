/* sys/spool.c - see spool.h. */
#include "sys/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/fault.h"

#define STEP (64 * KIB) /* of the plain loop */

enum status spool_new(int dir, int *ret_fd)
{
	int fd = openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0)
		return fd_status(errno);
	*ret_fd = fd;
	return ST_OK;
}

/* For file systems that cannot copy between two files themselves. */
static enum status copy_plain(int from, int to, const char *path, uint64_t at, uint64_t size)
{
	char        step[STEP];
	size_t      n;
	enum status st = ST_OK;

	while (at < size && st == ST_OK) {
		st = disk_read_at(from, step, (size_t)MIN((uint64_t)sizeof(step), size - at), at, &n);
		if (st == ST_OK && n == 0)
			return ST_CORRUPT;
		if (st == ST_OK)
			st = disk_write_at(to, path, at, str_n(step, n));
		at += n;
	}
	return st;
}

/* What the kernel copied is seen by no write: tell the recorder of tests. */
static enum status record(int fd, const char *path, uint64_t at, uint64_t end)
{
#ifdef POSTRIDER_FAULTS
	while (at < end) {
		char        step[STEP];
		size_t      n;
		enum status st = disk_read_at(fd, step, (size_t)MIN((uint64_t)sizeof(step), end - at), at, &n);

		if (st != ST_OK || n == 0)
			return st == ST_OK ? ST_CORRUPT : st;
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_WRITE, .path = path, .offset = at, .data = str_n(step, n) });
		at += n;
	}
#endif
	(void)fd, (void)path, (void)at, (void)end;
	return ST_OK;
}

enum status spool_copy(int from, int to, const char *path, uint64_t size)
{
	uint64_t at = 0;
	int      err = fault_at("disk.write", path);

	if (err)
		return fd_status(err);
	while (at < size) {
		off_t   in = (off_t)at, out = (off_t)at;
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)MIN(size - at, (uint64_t)GIB), 0);

		if (n < 0 && at == 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
			return copy_plain(from, to, path, 0, size);
		if (n < 0 && errno != EINTR)
			return fd_status(errno);
		if (n == 0)
			return ST_CORRUPT;
		at += n > 0 ? (uint64_t)n : 0;
	}
	return record(to, path, 0, size);
}

enum status spool_reserve(int fd, uint64_t octets)
{
	int err;

	if (octets == 0)
		return ftruncate(fd, 0) < 0 ? fd_status(errno) : ST_OK;
	do
		err = posix_fallocate(fd, 0, (off_t)octets);
	while (err == EINTR);
	return fd_status(err);
}
