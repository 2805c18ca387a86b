/* sys/dir.c - see dir.h. */
#include "sys/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/fd.h"

static void make_parents(int at, const char *name, mode_t mode)
{
	char path[4096];

	if (!str_to_c(str_of(name), path, sizeof(path)))
		return;
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdirat(at, path, mode); /* failure shows at the end */
			*p = '/';
		}
}

enum status dir_open(int at, const char *name, mode_t mode, bool parents, int *ret_fd)
{
	int fd;

	if (parents)
		make_parents(at, name, 0755);
	if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return fd_status(errno);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fd_status(errno);
	*ret_fd = fd;
	return ST_OK;
}

enum status dir_own(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	return fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 ? fd_status(errno) : ST_OK;
}

enum status file_read(struct arena *a, int at, const char *name, size_t max, struct str *ret)
{
	CLEANUP(fd_close) int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
	struct stat           info;
	enum status           st;
	size_t                n;
	char                 *p;

	if (fd < 0 || fstat(fd, &info) < 0)
		return fd_status(errno);
	if (!S_ISREG(info.st_mode))
		return ST_INVALID;
	if ((uint64_t)info.st_size > max)
		return ST_LIMIT;
	p = arena_alloc(a, (size_t)info.st_size);
	st = fd_read(fd, p, (size_t)info.st_size, &n);
	if (st == ST_OK)
		*ret = str_n(p, n);
	return st;
}

enum status file_replace(int at, const char *name, mode_t mode, struct str content)
{
	char        temporary[300];
	enum status st;

	if (snprintf(temporary, sizeof(temporary), "%s.new", name) >= (int)sizeof(temporary))
		return ST_LIMIT;
	unlinkat(at, temporary, 0); /* of an interrupted run, or somebody's trap */
	CLEANUP(fd_close) int fd = openat(at, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return fd_status(errno);
	st = fd_write(fd, content);
	if (st == ST_OK && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || renameat(at, temporary, at, name) < 0))
		st = fd_status(errno);
	if (st != ST_OK) {
		unlinkat(at, temporary, 0);
		return st;
	}
	CLEANUP(fd_close) int dir = at == AT_FDCWD ? -1 : openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && fsync(dir) < 0)
		return fd_status(errno);
	return ST_OK;
}

static pid_t pid_in(int fd)
{
	char     digits[24] = { 0 };
	uint32_t pid = 0;
	ssize_t  n = pread(fd, digits, sizeof(digits) - 1, 0);

	return n > 0 && str_to_u32(str_trim_ws(str_n(digits, (size_t)n)), &pid) ? (pid_t)pid : 0;
}

enum status dir_lock(int at, const char *name, int *ret_fd, pid_t *ret_pid)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int          fd = openat(at, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	char         digits[24];
	int          n;

	if (fd < 0)
		return fd_status(errno);
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		enum status st = errno == EAGAIN || errno == EACCES ? ST_BUSY : fd_status(errno);
		*ret_pid = pid_in(fd);
		close(fd);
		return st;
	}
	n = snprintf(digits, sizeof(digits), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, digits, (size_t)n, 0) != n) {
		enum status st = fd_status(errno);
		close(fd);
		return st;
	}
	*ret_fd = fd;
	return ST_OK;
}

/* Does the process belong to whoever owns the file that names it, or the file to us? */
static bool pid_believed(int fd, pid_t pid)
{
	char        path[40];
	struct stat file, process;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return fstat(fd, &file) == 0 && (file.st_uid == geteuid() || (stat(path, &process) == 0 && file.st_uid == process.st_uid));
}

enum status dir_lock_holder(int at, const char *name, pid_t *ret_pid)
{
	CLEANUP(fd_close) int fd = openat(at, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct flock          lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fd < 0)
		return fd_status(errno);
	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return fd_status(errno);
	if (lock.l_type == F_UNLCK)
		return ST_NOT_FOUND;
	*ret_pid = pid_in(fd);
	return pid_believed(fd, *ret_pid) ? ST_OK : ST_DENIED;
}

/* Socket names hold 107 octets: reach the directory by its descriptor, however long its path is. */
static bool socket_name(int at, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", at, name) < (int)sizeof(ret->sun_path);
}

enum status dir_socket_listen(int at, const char *name, mode_t mode, int *ret_fd)
{
	struct sockaddr_un addr;
	int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fd_status(errno);
	unlinkat(at, name, 0);
	/* Nobody can connect before listen(), so not before the mode is right, whatever the umask. */
	if (!socket_name(at, name, &addr) || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || fchmodat(at, name, mode, 0) < 0 ||
	    listen(fd, 64) < 0) {
		enum status st = fd_status(errno);
		close(fd);
		return st;
	}
	*ret_fd = fd;
	return ST_OK;
}

enum status dir_socket_connect(int at, const char *name, int *ret_fd)
{
	struct sockaddr_un addr;
	int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fd_status(errno);
	if (!socket_name(at, name, &addr) || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		enum status st = errno == ECONNREFUSED ? ST_CLOSED : fd_status(errno);
		close(fd);
		return st;
	}
	*ret_fd = fd;
	return ST_OK;
}
