/* sys/landlock.h - Landlock by its system calls (glibc has no wrappers); used by sandbox.c only. */
#ifndef SYS_LANDLOCK_H
#define SYS_LANDLOCK_H

#include "base/base.h"

/* ABI that the kernel offers, 0: none. */
unsigned landlock_abi(void);

/* Allow everything below `roots`, nothing else in the file system, or, without `files`, all of it; no TCP bind or connect unless `net` (ABI 4); no
 * signals or abstract sockets to outside (ABI 6). max_abi: 0 for the newest known. False if not to be had. */
bool landlock_enter(const int *roots, size_t root_count, bool files, bool net, unsigned max_abi);

#endif
