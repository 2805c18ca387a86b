/* guard/guard_count.h - how much of what a subject (address, network, account, domain) did in the last hour and day.
 *
 * A window slides by two buckets: what the running hour holds, and of the hour before the part that the window still covers, as if
 * it had been spread evenly. So a count is never lower than the truth of the running hour, and 88 octets remember both windows.
 *
 * The table has a fixed size: sets of GUARD_WAYS entries. The caller's key is a keyed hash, so nobody can choose subjects that meet in
 * one set; where a set is full, the entry that was quiet longest makes room. Not thread-safe. Times in ms of a steady clock.
 */
#ifndef GUARD_GUARD_COUNT_H
#define GUARD_GUARD_COUNT_H

#include "base/base.h"

#define GUARD_WAYS 8u

enum guard_what { GUARD_CONNECTIONS, GUARD_MESSAGES, GUARD_RCPTS, GUARD_KIB, GUARD_FAILURES, GUARD_WHATS };

struct guard_counter {
	uint64_t key; /* 0: free */
	uint32_t used_s;
	uint32_t hour, day; /* numbers of the buckets [0] */
	uint32_t hours[2][GUARD_WHATS], days[2][GUARD_WHATS]; /* [0] running, [1] the one before */
};

struct guard_counts {
	unsigned              sets;
	struct guard_counter *entries; /* sets * GUARD_WAYS */
};

void guard_counts_init(struct guard_counts *t, unsigned sets);
void guard_counts_done(struct guard_counts *t);

/* Its entry, made if there is none; valid until the next call. */
struct guard_counter *guard_counts_get(struct guard_counts *t, uint64_t key, int64_t now_ms);
/* Or NULL. */
struct guard_counter *guard_counts_find(struct guard_counts *t, uint64_t key, int64_t now_ms);

/* Of an entry that was just got or found. */
void     guard_counter_add(struct guard_counter *c, enum guard_what what, uint64_t n);
uint64_t guard_counter_hour(const struct guard_counter *c, enum guard_what what, int64_t now_ms);
uint64_t guard_counter_day(const struct guard_counter *c, enum guard_what what, int64_t now_ms);
void     guard_counter_forget(struct guard_counter *c, enum guard_what what);

#endif
