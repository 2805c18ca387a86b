/* sys/fd.h - descriptors: owned on the stack, read and written whole, passed between processes. */
#ifndef SYS_FD_H
#define SYS_FD_H

#include "base/status.h"
#include "base/str.h"

/* Close and set to -1; -1 is fine. Also for CLEANUP(fd_close). */
void fd_close(int *fd);

struct stat;
/* fstat(2) itself. libc's is newfstatat with an empty path, and who may open no paths may not call that. */
int fd_stat(int fd, struct stat *ret);

/* Read up to n octets, until the end of the file; *ret_n says how many. ST_OK or ST_IO. */
MUST_CHECK enum status fd_read(int fd, void *p, size_t n, size_t *ret_n);
/* Write all of s to a blocking descriptor. ST_OK, ST_FULL, ST_CLOSED or ST_IO. */
MUST_CHECK enum status fd_write(int fd, struct str s);

MUST_CHECK enum status fd_set_nonblock(int fd, bool on);
MUST_CHECK enum status fd_set_cloexec(int fd, bool on);

/* Another descriptor of the same file, close-on-exec. */
MUST_CHECK enum status fd_dup(int fd, int *ret);
/* A connected pair of sockets, close-on-exec, with send buffers of about `octets`: a stream, or records (SOCK_SEQPACKET). */
MUST_CHECK enum status fd_pair(int ret_fd[2], bool records, int octets);

/* What errno means to a caller: ENOSPC, EDQUOT, EFBIG => ST_FULL; ENOENT => ST_NOT_FOUND; EEXIST => ST_EXISTS; EACCES,
 * EPERM, EROFS => ST_DENIED; EPIPE, ECONNRESET => ST_CLOSED; EAGAIN => ST_AGAIN; ETIMEDOUT => ST_TEMP; else ST_IO. */
enum status fd_status(int err);

#endif
