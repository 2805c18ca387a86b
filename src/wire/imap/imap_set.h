/* wire/imap/imap_set.h - sequence sets: ranges of message numbers or UIDs, never expanded.
 *
 * Grammar, RFC 9051 §9:
 *   sequence-set = (seq-number / seq-range) ["," sequence-set]
 *   seq-range    = seq-number ":" seq-number              either order, RFC 9051: 4:2 is 2:4
 *   seq-number   = nz-number / "*"
 *   sequence-set =/ "$"                                   RFC 5182 §5: the result of the last SEARCH with SAVE
 *
 * A parsed set still holds "*"; imap_set_resolve() makes it a list of ascending ranges that do not touch, so that
 * 1:4294967295 costs what the mailbox holds and no more. At most LIMIT_IMAP_SET ranges.
 *
 * Pure. Tests: tests/unit/test_imap_set.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_SET_H
#define WIRE_IMAP_IMAP_SET_H

#include "base/buf.h"
#include "wire/imap/imap_lex.h"

#define IMAP_STAR 0u /* "*" in a set that is not resolved yet */

struct imap_range {
	uint32_t first, last;
};

struct imap_set {
	struct imap_range *ranges;
	size_t             count;
	bool               saved; /* "$", and no ranges: the session has them */
};

MUST_CHECK bool imap_lex_set(struct imap_lex *x, struct imap_set *ret);

/* The same set with `largest` for "*", sorted, merged and cut to 1..largest; "*" in an empty mailbox (largest 0) is
 * nothing. For UIDs, where "n:*" always names the last message even if n is above it (RFC 9051 §6.4.8), `largest` is
 * that UID. */
struct imap_set imap_set_resolve(const struct imap_set *set, uint32_t largest, struct arena *a);
/* Does it name a number above `largest` on its own, not as the end of a range that begins within? Such message numbers
 * are an error of the client (RFC 9051 §9, seq-number); but "1:*" in an empty mailbox, which clients send blindly, is
 * not. */
bool imap_set_beyond(const struct imap_set *set, uint32_t largest);

/* In a resolved set. */
bool     imap_set_has(const struct imap_set *resolved, uint32_t n);
uint64_t imap_set_size(const struct imap_set *resolved);

/* Collect numbers into a printed set: consecutive ones become a range. Order is kept, so that COPYUID's two sets
 * correspond. */
struct imap_set_writer {
	struct buf *out;
	uint32_t    first, last; /* range not printed yet; 0: none */
	bool        some;
};
void imap_set_writer_init(struct imap_set_writer *w, struct buf *out);
void imap_set_writer_add(struct imap_set_writer *w, uint32_t n);
/* A whole range, above the last number if order matters. */
void imap_set_writer_range(struct imap_set_writer *w, uint32_t first, uint32_t last);
void imap_set_writer_done(struct imap_set_writer *w);

#endif
