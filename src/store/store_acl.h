/* store/store_acl.h - who may do what with a mailbox, beside its owner (RFC 4314); and what others have seen in it.
 *
 * An entry gives a subject rights, or takes them (negative). The owner has no entries: he may do everything. Subjects are numbers of the
 * directory, so a new name changes nothing, and a name that is given away again inherits nothing. Rights are the bits of wire/imap/imap_acl.h;
 * nothing here depends on their meaning but STORE_ACL_LOOKUP and STORE_ACL_ADMIN.
 *
 * A new mailbox gets the entries of the mailbox above it; a deleted one loses them. Durability and statuses: store.h.
 */
#ifndef STORE_STORE_ACL_H
#define STORE_STORE_ACL_H

#include "store/store_mailbox.h"

enum store_acl_kind { /* stored */
	STORE_ACL_ANYONE,  /* whoever has signed in */
	STORE_ACL_ACCOUNT,
	STORE_ACL_GROUP,
	STORE_ACL_LAST = STORE_ACL_GROUP,
};
#define STORE_ACL_LOOKUP (1u << 0)  /* l */
#define STORE_ACL_ADMIN  (1u << 10) /* a */

struct store_acl {
	enum store_acl_kind kind;
	uint64_t            subject; /* 0 for ANYONE */
	bool                negative;
	unsigned            rights;
};
enum store_acl_op { STORE_ACL_REPLACE, STORE_ACL_ADD, STORE_ACL_REMOVE };

/* In order of kind, subject, negative. ST_NOT_FOUND: mailbox. */
MUST_CHECK enum status store_acl_list(struct store_account *a, uint64_t mailbox, struct arena *arena, struct store_acl **ret, size_t *ret_count);
/* Change one entry; one without rights is none. ST_NOT_FOUND: mailbox; ST_LIMIT: LIMIT_ACL_ENTRIES. */
MUST_CHECK enum status store_acl_change(struct store_account *a, uint64_t mailbox, const struct store_acl *entry, enum store_acl_op op);
/* All that the entries give an account with these groups, less what they take. */
MUST_CHECK enum status store_acl_rights(struct store_account *a, uint64_t mailbox, uint64_t account, const uint64_t *groups, size_t group_count,
					unsigned *ret);
/* What the subject is given in any mailbox of the account: for the index of the directory. */
MUST_CHECK enum status store_acl_anywhere(struct store_account *a, enum store_acl_kind kind, uint64_t subject, unsigned *ret);

/* From here to store_close, \Seen is that of the account `reader`, not the owner's, in what is loaded and changed; and only the flags of
 * `flags` (enum store_flag), and keywords, may be changed by store_flags or come with append and copy: others stay as they are, or are left
 * out. \Recent is nobody's but the owner's. 0 or the owner: everything as if this had not been called. */
void store_reader_set(struct store_account *a, uint64_t reader, unsigned flags, bool keywords);
/* In `m`, which was read before, the number that the reader has not seen. */
MUST_CHECK enum status store_reader_unseen(struct store_account *a, struct store_mailbox *m);

#endif
