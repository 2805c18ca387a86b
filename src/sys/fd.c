/* sys/fd.c - see fd.h. */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

enum status fd_status(int err)
{
	switch (err) {
	case 0:            return ST_OK;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:        return ST_FULL;
	case ENOENT:       return ST_NOT_FOUND;
	case EEXIST:       return ST_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:        return ST_DENIED;
	case EPIPE:
	case ECONNRESET:   return ST_CLOSED;
	case EAGAIN:       return ST_AGAIN;
	case ETIMEDOUT:    return ST_TEMP;
	default:           return ST_IO;
	}
}

int fd_stat(int fd, struct stat *ret)
{
	return (int)syscall(SYS_fstat, fd, ret);
}

enum status fd_read(int fd, void *p, size_t n, size_t *ret_n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t got = read(fd, (char *)p + at, n - at);
		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			return fd_status(errno);
		at += got > 0 ? (size_t)got : 0;
	}
	*ret_n = at;
	return ST_OK;
}

enum status fd_write(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t put = write(fd, s.p, s.n);
		if (put < 0 && errno != EINTR)
			return fd_status(errno);
		s = str_from(s, put > 0 ? (size_t)put : 0);
	}
	return ST_OK;
}

static enum status flag_set(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0 || fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0)
		return fd_status(errno);
	return ST_OK;
}

enum status fd_set_nonblock(int fd, bool on)
{
	return flag_set(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

enum status fd_set_cloexec(int fd, bool on)
{
	return flag_set(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

enum status fd_dup(int fd, int *ret)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return fd_status(errno);
	*ret = copy;
	return ST_OK;
}

enum status fd_pair(int ret_fd[2], bool records, int octets)
{
	if (socketpair(AF_UNIX, (records ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0, ret_fd) < 0)
		return fd_status(errno);
	for (int i = 0; i < 2; i++)
		setsockopt(ret_fd[i], SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
	return ST_OK;
}
