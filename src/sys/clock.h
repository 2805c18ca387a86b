/* sys/clock.h - time. Deadlines use the monotonic clock; what is stored uses the wall clock. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_mono_ms(void); /* not affected by changes of the wall clock */
int64_t clock_mono_us(void); /* for measuring */
int64_t clock_wall_ms(void); /* since 1970-01-01 UTC */
/* now + ms (less than 0 counts as 0) as an absolute CLOCK_MONOTONIC timespec, for pthread_cond_clockwait. */
struct timespec clock_deadline(int64_t ms);

#endif
