/* store/store_keep.h - content files that no row names, and that are not removed, since they may be messages.
 *
 * Usually such a file is what a crash left, and store_sweep removes it. But where the database was damaged, or was gone and made anew, the row may be what
 * is missing. Then content/keep is made: files that are not younger than it and have no row stay, until store_salvage or store_adopt has brought
 * them into Recovered. It is made when a new database finds content files, and when store_clean or fsck finds both such files and a break.
 * The price: what a kept file's message leaves behind when it is expunged, in the time between, comes into Recovered too.
 *
 * Tests: tests/unit/test_store_salvage.c.
 */
#ifndef STORE_STORE_KEEP_H
#define STORE_STORE_KEEP_H

#include "store/store.h"

#define STORE_KEEP "keep" /* in content/ */

/* Content files without a row: that content/keep protects, and that it does not. */
struct store_orphans {
	uint64_t kept, loose;
};
MUST_CHECK enum status store_orphans_count(struct store_account *a, struct store_orphans *ret);
/* From now on all that are there stay. On disk when it returns ST_OK. */
MUST_CHECK enum status store_keep_begin(struct store *s, uint64_t account);
/* The same if there are any, whatever the database says of them. */
MUST_CHECK enum status store_keep_if_any(struct store *s, uint64_t account);
void store_keep_end(struct store *s, uint64_t account); /* what is there then goes with the next sweep */

#endif
