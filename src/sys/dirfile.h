/* sys/dirfile.h - files below a directory descriptor: made, copied, made durable, removed.
 *
 * Names are single path components of ours; nothing follows a symbolic link. Statuses are those of fd_status().
 */
#ifndef SYS_DIRFILE_H
#define SYS_DIRFILE_H

#include "base/status.h"
#include "base/str.h"

/* A new file for reading and writing, mode 0600. ST_EXISTS if the name is taken. */
MUST_CHECK enum status dirfile_create(int dir, const char *name, int *ret_fd);
/* A file without a name (O_TMPFILE): gone when its last descriptor is closed. */
MUST_CHECK enum status dirfile_unnamed(int dir, int *ret_fd);
MUST_CHECK enum status dirfile_open(int dir, const char *name, int *ret_fd); /* for reading */
MUST_CHECK enum status dirfile_remove(int dir, const char *name);
/* The directory `name` below dir, made (durably) if it is missing. */
MUST_CHECK enum status dirfile_subdir(int dir, const char *name, int *ret_fd);

/* Copy `size` octets from offset 0 of `from` to offset 0 of `to`, in the kernel where it can. ST_CORRUPT: `from` is shorter. */
MUST_CHECK enum status dirfile_copy(int from, int to, uint64_t size);
MUST_CHECK enum status dirfile_size(int fd, uint64_t *ret);
/* Read at an offset; *ret_n is less than n only at the end of the file. */
MUST_CHECK enum status dirfile_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n);
/* Make a file's data, or a directory's names, durable. A failure means: written data may be lost. Never repeat it. */
MUST_CHECK enum status dirfile_sync(int fd);

/* Blocks really taken for `octets` (0 gives them back): space to go on with when the disk is full. */
MUST_CHECK enum status dirfile_reserve(int fd, uint64_t octets);
/* Space of the file system for an ordinary user. */
MUST_CHECK enum status dirfile_space(int dir, uint64_t *ret_free, uint64_t *ret_total);
/* Call fn for every name (without "." and ".."). */
MUST_CHECK enum status dirfile_each(int dir, void (*fn)(void *arg, const char *name), void *arg);

#endif
