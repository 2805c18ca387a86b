/* store/store_mailbox.h - mailboxes of an account, subscriptions, keywords.
 *
 * Names are UTF-8, "/" between levels, no level empty, at most LIMIT_MAILBOX_NAME octets and LIMIT_MAILBOX_DEPTH levels, no
 * control characters; unique as octets, and kept in normalization form C. INBOX is one in any letter case as the whole name or the first level (RFC 9051 §5.1).
 * A parent need not exist: deleting "a" leaves "a/b" (the session shows "a" as \NonExistent).
 *
 * Durability and statuses: store.h. Strings of results live in the given arena.
 */
#ifndef STORE_STORE_MAILBOX_H
#define STORE_STORE_MAILBOX_H

#include "store/store.h"

enum store_special { /* RFC 6154 §2; stored: append only */
	STORE_SPECIAL_NONE,
	STORE_SPECIAL_INBOX, /* exactly one, cannot be deleted */
	STORE_SPECIAL_DRAFTS,
	STORE_SPECIAL_SENT,
	STORE_SPECIAL_TRASH,
	STORE_SPECIAL_JUNK,
	STORE_SPECIAL_ARCHIVE,
	STORE_SPECIAL_ALL,
	STORE_SPECIAL_FLAGGED,
	STORE_SPECIAL_IMPORTANT,
	STORE_SPECIAL_LAST = STORE_SPECIAL_IMPORTANT,
};

struct store_mailbox {
	uint64_t           id;   /* never used again in the account */
	struct str         name;
	enum store_special special;
	bool               subscribed;
	uint32_t           uidvalidity; /* not 0; grows when a name is created again */
	uint32_t           uidnext;
	uint64_t           messages, unseen, deleted, recent; /* deleted: with \Deleted */
	uint64_t           size;        /* octets of its messages */
	uint64_t           deleted_size;
	uint64_t           modseq;      /* of the last change of its messages: HIGHESTMODSEQ */
};

/* Each reads rows of the mailbox table only. list is sorted by name, octet order. ST_NOT_FOUND. */
MUST_CHECK enum status store_mailbox_list(struct store_account *a, struct arena *arena, struct store_mailbox **ret, size_t *ret_count);
MUST_CHECK enum status store_mailbox_find(struct store_account *a, struct str name, struct arena *arena, struct store_mailbox *ret);
MUST_CHECK enum status store_mailbox_get(struct store_account *a, uint64_t id, struct arena *arena, struct store_mailbox *ret);

/* Create with its missing parents (a final "/" in `name` is ignored). ST_EXISTS; ST_INVALID: not a name; ST_BUSY: the special use is
 * taken; ST_LIMIT. ret_id may be NULL. */
MUST_CHECK enum status store_mailbox_create(struct store_account *a, struct str name, enum store_special special, uint64_t *ret_id);
/* Its messages are gone for good when the retention ends. ST_NOT_FOUND; ST_DENIED: INBOX. Children stay. */
MUST_CHECK enum status store_mailbox_delete(struct store_account *a, struct str name);
/* With all its children; missing parents of `to` are created. Renaming INBOX moves its messages into a new mailbox `to` and
 * leaves INBOX and its children (RFC 9051 §6.3.6). ST_NOT_FOUND; ST_EXISTS; ST_INVALID; ST_LIMIT. */
MUST_CHECK enum status store_mailbox_rename(struct store_account *a, struct str from, struct str to);

/* The name need not exist (RFC 9051 §6.3.7). ST_INVALID; ST_LIMIT. */
MUST_CHECK enum status store_subscribe(struct store_account *a, struct str name, bool on);
MUST_CHECK enum status store_subscriptions(struct store_account *a, struct arena *arena, struct str **ret, size_t *ret_count);

/* \Recent: messages from *ret_first on (to uidnext - 1) are recent for this caller and for nobody after it. Nothing is written
 * when none is. Not for EXAMINE, which reads store_mailbox.recent and .uidnext. */
MUST_CHECK enum status store_recent_claim(struct store_account *a, uint64_t mailbox, uint32_t *ret_first, uint32_t *ret_uidnext);

/* ---- keywords ---- */
struct store_keywords {
	uint64_t bits[2]; /* keyword number n: bits[n / 64] >> (n % 64) & 1 */
};
_Static_assert(LIMIT_KEYWORDS == 128, "struct store_keywords has a bit for each");

/* Names by number, as first written; at most LIMIT_KEYWORDS. Matching is without letter case (ASCII). */
MUST_CHECK enum status store_keyword_list(struct store_account *a, struct arena *arena, struct str **ret, size_t *ret_count);

/* Is it a legal mailbox name. */
bool store_name_valid(struct str name);

#endif
