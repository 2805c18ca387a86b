/* sys/spool.h - files that others write into, copied into files that they cannot; and space set aside. */
#ifndef SYS_SPOOL_H
#define SYS_SPOOL_H

#include "sys/disk.h"

/* A file without a name (O_TMPFILE) in the directory: gone when its last descriptor is closed. For reading and writing. */
MUST_CHECK enum status spool_new(int dir, int *ret_fd);
/* Copy `size` octets from offset 0 of `from` to offset 0 of `to`, in the kernel where it can. `path` names `to` for fault points
 * ("disk.write"). ST_CORRUPT: `from` is shorter. The owner of `from` may still be writing: look at the copy only. */
MUST_CHECK enum status spool_copy(int from, int to, const char *path, uint64_t size);
/* Have the file system set blocks aside for a file of `octets`; 0 gives them back. */
MUST_CHECK enum status spool_reserve(int fd, uint64_t octets);

#endif
