/* queue/queue_backoff.h - when to try again.
 *
 * The n-th wait is first * 2^(n-1), at most max, times a random factor of 0.8 to 1.2 so that what failed together is not
 * tried together again (a retry storm is smoothed). The first wait is never longer than `first`: hosts that greylist expect the
 * message again within minutes.
 *
 * Pure. Tests: tests/unit/test_queue_id.c.
 */
#ifndef QUEUE_QUEUE_BACKOFF_H
#define QUEUE_QUEUE_BACKOFF_H

#include <stdint.h>

/* `tries` so far, 1 or more; `random` any number, uniform. Milliseconds, at least 1. */
int64_t queue_backoff_ms(int64_t first_ms, int64_t max_ms, uint64_t tries, uint64_t random);

#endif
