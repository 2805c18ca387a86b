/* sys/dir.h - directories, small files and sockets below them, by descriptor. */
#ifndef SYS_DIR_H
#define SYS_DIR_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/status.h"

/* Open a directory below `at` (AT_FDCWD for the working directory), made with `mode` if it is missing (with its parents when
 * `parents`). A symbolic link at the end is refused. Logs errno on ST_IO. */
MUST_CHECK enum status dir_open(int at, const char *name, mode_t mode, bool parents, int *ret_fd);
/* Give it to a user, with this mode. */
MUST_CHECK enum status dir_own(int fd, uid_t uid, gid_t gid, mode_t mode);

#define DIR_PATH_MAX ((size_t)4096)

/* Could another user put something else in the place of `path`, or into it? Each part of it that is there must belong to us or to root
 * and be writable by no others, but for sticky directories on the way. ST_DENIED: *ret_part could not be trusted. */
MUST_CHECK enum status dir_trust(const char *path, char ret_part[DIR_PATH_MAX]);

/* A whole small file: ST_NOT_FOUND, ST_DENIED, ST_LIMIT (over max octets), ST_IO. */
MUST_CHECK enum status file_read(struct arena *a, int at, const char *name, size_t max, struct str *ret);
/* Write a new file under a temporary name (what has that name is removed, not written), sync, rename over `name`, sync the directory. */
MUST_CHECK enum status file_replace(int at, const char *name, mode_t mode, struct str content);

/* Take the lock of a directory for this process: file `name`, with our process id inside. ST_BUSY: held, by *ret_pid. The descriptor keeps
 * it (an open file description lock, so that it ends with the last process that has it). */
MUST_CHECK enum status dir_lock(int at, const char *name, int *ret_fd, pid_t *ret_pid);
/* The process that holds it; ST_NOT_FOUND if nobody does. ST_DENIED: what the file of another user says is not to be believed. */
MUST_CHECK enum status dir_lock_holder(int at, const char *name, pid_t *ret_pid);

/* A listening stream socket `name` in the directory, of this mode; an old one is replaced. */
MUST_CHECK enum status dir_socket_listen(int at, const char *name, mode_t mode, int *ret_fd);
/* Connect to it: ST_NOT_FOUND or ST_CLOSED when nobody listens, ST_DENIED. */
MUST_CHECK enum status dir_socket_connect(int at, const char *name, int *ret_fd);

#endif
