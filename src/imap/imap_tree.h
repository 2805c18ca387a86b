/* imap/imap_tree.h - the names of an account, as LIST, LSUB and NOTIFY go over them.
 *
 * Invariants, once it is finished: sorted, INBOX first, children behind their parent at once (those of INBOX where their name
 * sorts); each name once; every parent of a name is there, though it may be no mailbox.
 */
#ifndef IMAP_IMAP_TREE_H
#define IMAP_IMAP_TREE_H

#include "imap/imap_session.h"

struct imap_node {
	struct str                  name;
	const struct store_mailbox *box; /* NULL: there is none of that name */
	uint64_t                    owner; /* 0: the session's own */
	unsigned                    rights;
	bool                        subscribed, children;
};

struct imap_tree { /* zeroed: empty */
	struct imap_node *nodes;
	size_t            count, cap;
};

void imap_tree_add(struct imap_tree *t, struct arena *a, struct imap_node n);
/* The tree is in s->arena, all of which is counted now as what the command holds. False: there is no room for it. */
MUST_CHECK bool imap_tree_finish(struct imap_tree *t, struct imap_session *s);
/* Mailboxes, names that are subscribed to if `subscribed`, mailboxes of others if `others`; in s->arena. ST_LIMIT: no room. */
MUST_CHECK enum status imap_tree_load(struct imap_session *s, bool subscribed, bool others, struct imap_tree *ret);

/* As LIST has them, but for \Subscribed of those who do not ask: "\HasNoChildren \Sent". `none`: what is told of a name that is no mailbox. */
struct str imap_node_attributes(const struct imap_node *n, const char *none, bool subscribed, struct arena *arena);
/* "\Sent"; "" if there is none. */
const char *imap_special_name(enum store_special special);
/* STORE_SPECIAL_NONE: it is not known. */
enum store_special imap_special_find(struct str name);

#endif
