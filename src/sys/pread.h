/* sys/pread.h - read from a place in a file, whatever others do with the descriptor's own position. */
#ifndef SYS_PREAD_H
#define SYS_PREAD_H

#include "base/status.h"

/* Read up to n octets from `offset`, fewer only at the end of the file; *ret_n says how many. ST_OK or ST_IO. */
MUST_CHECK enum status fd_pread(int fd, uint64_t offset, void *p, size_t n, size_t *ret_n);

#endif
