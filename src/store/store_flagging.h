/* store/store_flagging.h - changes of flags that are not yet in the rows of their messages; see store_flagging.c.
 *
 * All but the last inside a transaction of the caller; what writes, inside one that writes.
 */
#ifndef STORE_STORE_FLAGGING_H
#define STORE_STORE_FLAGGING_H

#include "store/store_internal.h"

/* One STORE. flags' = flags | x, flags & ~x, or (flags & keep) | x, by `op`; keywords likewise with keep_keywords. */
struct store_flagging {
	uint64_t              modseq;
	enum store_flag_op    op;
	unsigned              flags, keep;
	struct store_keywords keywords;
	uint64_t              keep_keywords;
	struct str            uids; /* ranges, as in `change` */
};

/* Of a row of `flagging`: it cannot be applied (after a modseq above the last nothing could come). And how many messages its uids name; false: they
 * cannot be read. */
#define STORE_FLAGGING_LAST (INT64_MAX - 5807)
#define STORE_FLAGGING_BAD \
	"(modseq NOT BETWEEN 1 AND 9223372036854770000 OR op NOT BETWEEN 0 AND 2 OR flags & ~31 <> 0 OR keep & ~31 <> 0 OR keep_kw NOT IN (0, -1))"
MUST_CHECK bool store_flagging_uids(struct str uids, uint64_t *ret_n);

/* Is it worth a row of its own? */
bool store_flagging_pays(size_t messages);
MUST_CHECK enum status store_flagging_any(struct store_account *a, uint64_t mailbox, bool *ret);
/* Of the transaction's modseq. uids ascending; f->modseq and f->uids are not looked at. */
MUST_CHECK enum status store_flagging_add(struct store_account *a, uint64_t mailbox, const struct store_flagging *f, const uint32_t *uids, size_t n);
/* Rows of `message` (ascending uid) become what they are. ST_CORRUPT: one of them cannot be read. */
MUST_CHECK enum status store_flagging_lay(struct store_account *a, uint64_t mailbox, struct store_row *rows, size_t count);
/* Write f into the rows of a range that have a lower modseq. */
MUST_CHECK enum status store_flagging_write(struct store_account *a, uint64_t mailbox, const struct store_flagging *f, struct store_range r);
/* Write a row that was read, laid over and changed. */
MUST_CHECK enum status store_flagging_write_row(struct store_account *a, uint64_t mailbox, const struct store_row *row);
/* Write them into the rows, the oldest first: of a mailbox `most` uids. */
MUST_CHECK enum status store_flagging_apply(struct store_account *a, uint64_t mailbox, uint64_t most);
/* All there are, of every mailbox; a row that cannot be read is ST_CORRUPT. */
MUST_CHECK enum status store_flagging_apply_all(struct store_account *a);

/* In transactions of its own, each of a bounded number of uids: those of mailboxes that have many, or `all`. */
MUST_CHECK enum status store_flagging_tidy(struct store_account *a, bool all);

#endif
