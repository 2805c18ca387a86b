/* guard/guard_memo.h - what is remembered for days, also over a restart: greylist pairs, known-good networks, sign-ins, ...
 *
 * A table of fixed size, as guard_count.h, whose rows are written to guard.db by their slot: the file can hold no more rows than
 * memory has slots, and a row that made room is overwritten there too. The slot follows from the key under a secret that is kept in
 * guard.db, so rows come back where they were; one that does not belong where it stands is dropped.
 *
 * Not thread-safe. Times in ms since 1970: they are stored.
 */
#ifndef GUARD_GUARD_MEMO_H
#define GUARD_GUARD_MEMO_H

#include "base/base.h"

#define GUARD_SECRET 16u

struct guard_memo {
	uint64_t a, b; /* the key; both 0: free */
	int64_t  first_ms, last_ms;
	uint32_t n;     /* of the table's own meaning */
	bool     dirty; /* guard.db has another row in this slot */
};

struct guard_memos {
	unsigned           sets;
	struct guard_memo *rows; /* sets * 8 */
	const uint8_t     *secret;
	size_t             dirty;
};

void guard_memos_init(struct guard_memos *t, unsigned sets, const uint8_t secret[GUARD_SECRET]);
void guard_memos_done(struct guard_memos *t);

/* NULL: not known. */
struct guard_memo *guard_memos_find(struct guard_memos *t, uint64_t a, uint64_t b);
/* Made, with first_ms = last_ms = now_ms, if it is not known; the row quiet longest makes room. */
struct guard_memo *guard_memos_get(struct guard_memos *t, uint64_t a, uint64_t b, int64_t now_ms);
/* It was changed. */
void guard_memos_touch(struct guard_memos *t, struct guard_memo *m);
void guard_memos_forget(struct guard_memos *t, struct guard_memo *m);

/* A row read from guard.db; false: it does not belong there. */
bool guard_memos_load(struct guard_memos *t, uint64_t slot, const struct guard_memo *row);
/* Copy up to `max` dirty rows with their slots, from *at on, and mark them clean; *at is where to go on. 0: no more. */
size_t guard_memos_take(struct guard_memos *t, size_t *at, struct guard_memo *ret, uint64_t *ret_slots, size_t max);

#endif
