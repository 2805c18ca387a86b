/* store/store_mend.h - repairing what breaks the invariants of docs/formats/account.md, without guessing.
 *
 * What can be counted again is counted again; facts are read again from the content; a message whose content is gone is expunged and
 * told as lost; one whose content is not what its hash says, or whose mailbox is gone, comes into the mailbox "Recovered" under a new
 * uid. A database that SQLite cannot read to the end is left as it is: ST_CORRUPT.
 *
 * Tests: tests/unit/test_store_mend.c.
 */
#ifndef STORE_STORE_MEND_H
#define STORE_STORE_MEND_H

#include "store/store.h"

enum store_mend_kind {
	STORE_MEND_BROKEN, /* an invariant, found by the check */
	STORE_MEND_FIXED,
	STORE_MEND_MOVED,  /* a message that is in Recovered now */
	STORE_MEND_LOST,   /* a message */
	STORE_MEND_LAST = STORE_MEND_LOST,
};
typedef void store_mend_fn(void *arg, enum store_mend_kind kind, const char *invariant, struct str text);

#define STORE_RECOVERED STR("Recovered")

/* One transaction of the account, durable. Whatever is told is only done if it returns ST_OK. *ret_changes: how much was told. */
MUST_CHECK enum status store_mend(struct store_account *a, store_mend_fn *tell, void *arg, uint64_t *ret_changes);

#endif
