/* store/store_metadata.h - annotations: small named values of a mailbox or of the account (RFC 5464).
 *
 * A name begins with "/shared/" (one for all) or "/private/" (one for each reader: the account that sees the mailbox). Names are the
 * caller's to check (wire/imap/imap_metadata.h). "/private/specialuse" of a mailbox is no row, but its special use (RFC 6154 §5.4).
 * Bounds: LIMIT_METADATA_VALUE, LIMIT_METADATA_ENTRIES per mailbox, LIMIT_METADATA_ACCOUNT in all, of what is shared and of each reader; what changes at
 * once has names of STORE_METADATA_NAMES at most.
 *
 * Durability and statuses: store.h. Tests: tests/unit/test_store_notes.c.
 */
#ifndef STORE_STORE_METADATA_H
#define STORE_STORE_METADATA_H

#include "store/store_mailbox.h"

#define STORE_METADATA_SPECIAL STR("/private/specialuse")
#define STORE_METADATA_NAMES   ((size_t)2000) /* octets, with a space between two */

struct store_metadata {
	struct str         name;
	struct str         value;   /* p NULL: none; to set: remove it */
	enum store_special special; /* to set, where the name is STORE_METADATA_SPECIAL: instead of the value */
};

/* The entry `name` and, if `below`, those below it ("/shared/a" has "/shared/a/b"), as `reader` sees them, sorted by name; without special use.
 * mailbox 0: of the account. */
MUST_CHECK enum status store_metadata_list(struct store_account *a, uint64_t mailbox, uint64_t reader, struct str name,
					   bool below, struct arena *arena, struct store_metadata **ret, size_t *ret_count);
/* All or nothing. ST_NOT_FOUND: mailbox; ST_LIMIT: too many or too large; ST_BUSY: another has this special use; ST_INVALID: INBOX
 * keeps its own, and the account has none. *ret_modseq is unchanged if nothing changed. */
MUST_CHECK enum status store_metadata_set(struct store_account *a, uint64_t mailbox, uint64_t reader, const struct store_metadata *list,
					  size_t count, uint64_t *ret_modseq);

#endif
