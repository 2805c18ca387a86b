/* db/db_vfs.c - SQLite's system calls, mapped below the known directories; see db_vfs.h. */
#include "db/db_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "db/db_gather.h"
#include "sys/disk.h"

#define LOCK_DATABASE 0x40000000 /* https://www.sqlite.org/fileformat2.html#the_lock_byte_page */

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

static bool root_find(const char *name, size_t n, int *ret_fd)
{
	bool found = false;

	pthread_mutex_lock(&vfs.lock);
	for (unsigned i = 0; i < vfs.count && !found; i++) {
		found = strlen(vfs.roots[i].name) == n && memcmp(vfs.roots[i].name, name, n) == 0;
		if (found)
			*ret_fd = vfs.roots[i].fd;
	}
	pthread_mutex_unlock(&vfs.lock);
	return found;
}

bool db_vfs_locate(const char *path, int *ret_dir, const char **ret_below)
{
	size_t root = strcspn(path, "/");
	int    fd;

	if (!root_find(path, root, &fd) || strlen(path) >= DB_PATH_MAX || strstr(path, ".."))
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

/* ---- a root that another process keeps (DISK_KEPT in sys/disk.h) ----
 *
 * Its answers become errno, except that SQLite takes a file that cannot be looked at for one that is not there. What it does then is
 * harmless: the database's header says that there is a log, so it opens one all the same, and asks for that again. What is not harmless
 * is settling for less: it would keep a handle that can only read, or a log's index that can only be read, so those are not opened. */

static _Thread_local enum status kept_failure;

enum status db_vfs_kept_failure(void)
{
	enum status st = kept_failure;

	kept_failure = ST_OK;
	return st;
}

static int kept_errno(enum status st)
{
	switch (st) {
	case ST_NOT_FOUND: return ENOENT;
	case ST_EXISTS:    return EEXIST;
	case ST_DENIED:    return EACCES;
	case ST_FULL:      return ENOSPC;
	default:           return EIO;
	}
}

static int kept_open(const char *below, int flags)
{
	enum disk_mode mode = !(flags & O_CREAT) ? DISK_UPDATE : flags & O_EXCL ? DISK_NEW : DISK_OPEN;
	enum status    st = ST_DENIED;
	int            fd = -1;

	if ((flags & O_ACCMODE) == O_RDWR) {
		st = disk_open(DISK_KEPT, below, mode, &fd);
		if (st != ST_OK && st != ST_NOT_FOUND && st != ST_EXISTS)
			kept_failure = st;
	}
	errno = st == ST_OK ? errno : kept_errno(st);
	return fd;
}

static int kept_stat(const char *below, struct stat *ret)
{
	struct disk_entry e;
	enum status       st = disk_look(DISK_KEPT, below, &e);

	if (st == ST_OK)
		*ret = (struct stat){ .st_dev = e.device, .st_ino = e.inode, .st_size = (off_t)e.size, .st_nlink = 1, .st_uid = geteuid(),
				      .st_gid = getegid(), .st_mode = e.directory ? S_IFDIR | 0700 : S_IFREG | 0600 };
	if (st != ST_OK && st != ST_NOT_FOUND)
		kept_failure = st;
	errno = st == ST_OK ? errno : kept_errno(st);
	return st == ST_OK ? 0 : -1;
}

/* SQLite walks the path by this in search of symbolic links, which keeper does not follow. */
static int kept_lstat(const char *below, struct stat *ret)
{
	bool file = strstr(below, ".db") != NULL;

	*ret = (struct stat){ .st_nlink = 1, .st_uid = geteuid(), .st_gid = getegid(), .st_mode = file ? S_IFREG | 0600 : S_IFDIR | 0700 };
	return 0;
}

/* ---- the system calls ---- */

typedef int               open_directory_fn(const char *path, int *ret_fd);
static open_directory_fn *sqlite_open_directory;

static int my_open(const char *path, int flags, int mode)
{
	const char *below;
	int         dir;

	/* The seed of SQLite's random numbers; db_init makes it read this before any sandbox. */
	if (strcmp(path, "/dev/urandom") == 0)
		return open(path, O_RDONLY | O_CLOEXEC);
	if (!locate(path, &dir, &below))
		return -1;
	return dir == DISK_KEPT ? kept_open(below, flags) : openat(dir, below, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

static int my_access(const char *path, int mode)
{
	const char *below;
	int         dir;
	struct stat st;

	if (!locate(path, &dir, &below))
		return -1;
	return dir == DISK_KEPT ? kept_stat(below, &st) : faccessat(dir, below, mode, 0);
}

static int my_stat(const char *path, struct stat *st)
{
	const char *below;
	int         dir;

	if (!locate(path, &dir, &below))
		return -1;
	return dir == DISK_KEPT ? kept_stat(below, st) : fstatat(dir, below, st, AT_SYMLINK_NOFOLLOW);
}

static int my_lstat(const char *path, struct stat *st)
{
	const char *below;
	int         dir;

	if (!locate(path, &dir, &below))
		return -1;
	return dir == DISK_KEPT ? kept_lstat(below, st) : fstatat(dir, below, st, AT_SYMLINK_NOFOLLOW);
}

static int my_unlink(const char *path)
{
	const char *below;
	int         dir;
	enum status st;

	if (!locate(path, &dir, &below))
		return -1;
	if (dir != DISK_KEPT)
		return unlinkat(dir, below, 0);
	st = disk_remove(DISK_KEPT, below);
	errno = st == ST_OK ? errno : kept_errno(st);
	return st == ST_OK ? 0 : -1;
}

/* SQLite's locks in the log's index are of the open file description instead of the process: those of a process go with the first descriptor of
 * the file that it closes, also one that keeper passed in vain, and then others would take readers for gone. For the index that is the same
 * to SQLite, which opens it once per process. Those in the database, at LOCK_DATABASE and above, it takes by any of its descriptors, and they stay
 * as they are: in WAL mode nobody waits for them. */
static int my_fcntl(int fd, int command, ...)
{
	va_list       va;
	void         *arg;
	struct flock *lock;

	va_start(va, command);
	arg = va_arg(va, void *);
	va_end(va);
	lock = arg;
	if ((command != F_SETLK && command != F_SETLKW && command != F_GETLK) || lock->l_start >= LOCK_DATABASE)
		return fcntl(fd, command, arg);
	lock->l_pid = 0;
	return fcntl(fd, command == F_GETLK ? F_OFD_GETLK : command == F_SETLK ? F_OFD_SETLK : F_OFD_SETLKW, lock);
}

/* The directory of a file, to be synced. SQLite does so for new files and looks at no result; this one syncs it then and there. */
static int my_open_directory(const char *path, int *ret_fd)
{
	const char *below;
	char        dir_path[DB_PATH_MAX];
	int         dir;

	if (!locate(path, &dir, &below) || dir != DISK_KEPT)
		return sqlite_open_directory(path, ret_fd);
	snprintf(dir_path, sizeof(dir_path), "%.*s", strrchr(below, '/') ? (int)(strrchr(below, '/') - below) : 0, below);
	if (disk_sync_dir(DISK_KEPT, dir_path) != ST_OK)
		log_debug("directory not synced", LOG_C("file", below));
	return SQLITE_CANTOPEN; /* "nothing to be synced" */
}

static ssize_t my_readlink(const char *path, char *buf, size_t n)
{
	const char *below;
	int         dir;

	if (!locate(path, &dir, &below))
		return -1;
	if (dir != DISK_KEPT)
		return readlinkat(dir, below, buf, n);
	errno = EINVAL;
	return -1;
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
		{ "stat", (sqlite3_syscall_ptr)my_stat },       { "lstat", (sqlite3_syscall_ptr)my_lstat },
		{ "unlink", (sqlite3_syscall_ptr)my_unlink },   { "readlink", (sqlite3_syscall_ptr)my_readlink },
		{ "mkdir", (sqlite3_syscall_ptr)no_mkdir },     { "rmdir", (sqlite3_syscall_ptr)no_rmdir },
		{ "getcwd", (sqlite3_syscall_ptr)no_getcwd },   { "pwrite", (sqlite3_syscall_ptr)db_gather_pwrite },
		{ "pwrite64", (sqlite3_syscall_ptr)db_gather_pwrite }, { "pread", (sqlite3_syscall_ptr)db_gather_pread },
		{ "pread64", (sqlite3_syscall_ptr)db_gather_pread }, { "openDirectory", (sqlite3_syscall_ptr)my_open_directory },
		{ "fstat", (sqlite3_syscall_ptr)fd_stat },                 { "fcntl", (sqlite3_syscall_ptr)my_fcntl },
	};

	CHECK(unix_vfs);
	sqlite_open_directory = (open_directory_fn *)unix_vfs->xGetSystemCall(unix_vfs, "openDirectory");
	CHECK(sqlite_open_directory);
	for (size_t i = 0; i < LEN(calls); i++)
		CHECK(unix_vfs->xSetSystemCall(unix_vfs, calls[i].name, calls[i].fn) == SQLITE_OK);
	db_record_init();
}
