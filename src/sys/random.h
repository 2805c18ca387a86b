/* sys/random.h - octets nobody can guess. Aborts if the system has none. */
#ifndef SYS_RANDOM_H
#define SYS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void     random_octets(void *p, size_t n);
uint64_t random_u64(void);
/* 0 .. limit-1, without bias; limit > 0. */
uint64_t random_below(uint64_t limit);

#endif
