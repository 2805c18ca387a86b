/* db/db_vfs.c - SQLite's system calls, mapped below the known directories; see db_vfs.h. */
#include "db/db_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "db/db_gather.h"

static struct {
	pthread_mutex_t lock;
	unsigned        count; /* grows only */
	struct {
		char name[32];
		int  fd;
	} roots[DB_ROOTS_MAX];
} vfs = { .lock = PTHREAD_MUTEX_INITIALIZER };

enum status db_vfs_root(const char *name, int fd)
{
	enum status st = ST_LIMIT;

	pthread_mutex_lock(&vfs.lock);
	for (unsigned i = 0; i < vfs.count; i++) {
		if (strcmp(vfs.roots[i].name, name) == 0) {
			vfs.roots[i].fd = fd;
			st = ST_OK;
		}
	}
	if (st != ST_OK && vfs.count < DB_ROOTS_MAX && str_to_c(str_of(name), vfs.roots[vfs.count].name, sizeof(vfs.roots[0].name))) {
		vfs.roots[vfs.count++].fd = fd;
		st = ST_OK;
	}
	pthread_mutex_unlock(&vfs.lock);
	return st;
}

static int root_find(const char *name, size_t n)
{
	int fd = -1;

	pthread_mutex_lock(&vfs.lock);
	for (unsigned i = 0; i < vfs.count && fd < 0; i++) {
		if (strlen(vfs.roots[i].name) == n && memcmp(vfs.roots[i].name, name, n) == 0)
			fd = vfs.roots[i].fd;
	}
	pthread_mutex_unlock(&vfs.lock);
	return fd;
}

bool db_vfs_locate(const char *path, int *ret_dir, const char **ret_below)
{
	size_t root = strcspn(path, "/");
	int    fd = root_find(path, root);

	if (fd < 0 || strlen(path) >= DB_PATH_MAX || strstr(path, ".."))
		return false;
	*ret_dir = fd;
	*ret_below = path[root] == '/' ? path + root + 1 : path + root;
	return true;
}

/* The same for what SQLite passes; "." for the root itself. Sets errno. */
static bool locate(const char *path, int *dir, const char **below)
{
	if (path[0] != '/' || !db_vfs_locate(path + 1, dir, below)) {
		errno = EACCES;
		return false;
	}
	if (**below == '\0')
		*below = ".";
	return true;
}

static int my_open(const char *path, int flags, int mode)
{
	const char *below;
	int         dir;

	/* The seed of SQLite's random numbers; db_init makes it read this before any sandbox. */
	if (strcmp(path, "/dev/urandom") == 0)
		return open(path, O_RDONLY | O_CLOEXEC);
	return locate(path, &dir, &below) ? openat(dir, below, flags | O_CLOEXEC | O_NOFOLLOW, mode) : -1;
}

static int my_access(const char *path, int mode)
{
	const char *below;
	int         dir;

	return locate(path, &dir, &below) ? faccessat(dir, below, mode, 0) : -1;
}

static int my_stat(const char *path, struct stat *st)
{
	const char *below;
	int         dir;

	return locate(path, &dir, &below) ? fstatat(dir, below, st, AT_SYMLINK_NOFOLLOW) : -1;
}

static int my_unlink(const char *path)
{
	const char *below;
	int         dir;

	return locate(path, &dir, &below) ? unlinkat(dir, below, 0) : -1;
}

static ssize_t my_readlink(const char *path, char *buf, size_t n)
{
	const char *below;
	int         dir;

	return locate(path, &dir, &below) ? readlinkat(dir, below, buf, n) : -1;
}

static int no_mkdir(const char *path, mode_t mode)
{
	(void)path, (void)mode;
	errno = EACCES;
	return -1;
}

static int no_rmdir(const char *path)
{
	(void)path;
	errno = EACCES;
	return -1;
}

static char *no_getcwd(char *buf, size_t n)
{
	(void)buf, (void)n;
	errno = EACCES;
	return NULL;
}

void db_vfs_init(void)
{
	sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
	const struct {
		const char         *name;
		sqlite3_syscall_ptr fn;
	} calls[] = {
		{ "open", (sqlite3_syscall_ptr)my_open },       { "access", (sqlite3_syscall_ptr)my_access },
		{ "stat", (sqlite3_syscall_ptr)my_stat },       { "lstat", (sqlite3_syscall_ptr)my_stat },
		{ "unlink", (sqlite3_syscall_ptr)my_unlink },   { "readlink", (sqlite3_syscall_ptr)my_readlink },
		{ "mkdir", (sqlite3_syscall_ptr)no_mkdir },     { "rmdir", (sqlite3_syscall_ptr)no_rmdir },
		{ "getcwd", (sqlite3_syscall_ptr)no_getcwd },   { "pwrite", (sqlite3_syscall_ptr)db_gather_pwrite },
		{ "pwrite64", (sqlite3_syscall_ptr)db_gather_pwrite }, { "pread", (sqlite3_syscall_ptr)db_gather_pread },
		{ "pread64", (sqlite3_syscall_ptr)db_gather_pread },
	};

	CHECK(unix_vfs);
	for (size_t i = 0; i < LEN(calls); i++)
		CHECK(unix_vfs->xSetSystemCall(unix_vfs, calls[i].name, calls[i].fn) == SQLITE_OK);
	db_record_init();
}
