/* store/store_undelete.h - putting back what was expunged, or was in a mailbox that was deleted, while its retention lasts.
 *
 * A message comes back with a new uid, its flags without \Deleted, its keywords and its INTERNALDATE, into the mailbox of the name that
 * it was in (made again if need be; the name of today if the mailbox was renamed), or into one that is named. Each expunge is undone
 * once, however often it is asked: the row remembers it. What was moved is not put back: it is where it was moved to. Durable on return.
 *
 * Tests: tests/unit/test_store_undelete.c.
 */
#ifndef STORE_STORE_UNDELETE_H
#define STORE_STORE_UNDELETE_H

#include "store/store.h"

struct store_undelete {
	struct str mailbox; /* "": all; else what was in the mailbox of this name */
	struct str into;    /* "": where it was */
	int64_t    since_ms, until_ms; /* when it was expunged, both inclusive */
	bool       list;    /* change nothing */
	size_t     max_rows; /* of the answer; all that is found is put back all the same */
};

struct store_undeleted_row {
	struct str mailbox; /* where it was; "": a name that nobody knows any more, which needs `into` */
	uint32_t   uid, new_uid; /* new_uid 0: not put back */
	int64_t    gone_ms;
	uint64_t   size;
	struct str from, subject;
};
struct store_undeleted {
	struct store_undeleted_row *rows; /* by mailbox and time, the first max_rows */
	size_t   row_count;
	uint64_t count, size; /* all that was found and has a place to go (list: would have) */
	uint64_t nameless;    /* found, not put back */
	uint64_t modseq;
};

/* ST_INVALID: `into` is no name; ST_NOT_FOUND: there is and was no mailbox `mailbox`; ST_LIMIT: too many mailboxes, or uids are used up. */
MUST_CHECK enum status store_undelete(struct store_account *a, const struct store_undelete *q, struct arena *arena,
				      struct store_undeleted *ret);

#endif
