/* store/store_events.h - what happened in an account since a moment of its clock, by mailbox: for NOTIFY (RFC 5465).
 *
 * What happened to messages is summed up for each mailbox (store_changes lists it); the rest is told one by one, at most
 * STORE_EVENTS_MAX, with names of at most STORE_EVENTS_OCTETS. Nothing is remembered for a reader but `since`: names that are gone stand
 * in the change rows.
 *
 * Durability and statuses: store.h. Tests: tests/unit/test_store_notes.c.
 */
#ifndef STORE_STORE_EVENTS_H
#define STORE_STORE_EVENTS_H

#include "store/store_mailbox.h"

#define STORE_EVENTS_MAX    1000u
#define STORE_EVENTS_OCTETS ((size_t)1 * MIB) /* of names, in all */

enum store_event_kind { STORE_EVENT_MAILBOX, STORE_EVENT_SUBSCRIPTION, STORE_EVENT_METADATA };
enum store_event_op { /* bit mask */
	STORE_EVENT_CREATED = 1u << 0, /* messages came; a subscription was made */
	STORE_EVENT_UPDATED = 1u << 1, /* flags; renamed, or another special use */
	STORE_EVENT_REMOVED = 1u << 2,
};

struct store_event {
	enum store_event_kind kind;
	enum store_event_op   op;
	uint64_t              mailbox; /* METADATA: 0 is the account */
	struct str            name, old; /* of the mailbox or subscription; old: before, if it was renamed. METADATA: name has the
	                                  * entries with spaces between them */
};

struct store_touched {
	uint64_t mailbox;
	unsigned ops; /* of its messages: enum store_event_op */
};

struct store_events {
	uint64_t              modseq;     /* the lists are complete up to here */
	bool                  everything; /* it is not known what happened, or it is too much: the lists are empty */
	struct store_event   *list;       /* in their order */
	size_t                count;
	struct store_touched *touched; /* by mailbox */
	size_t                touched_count;
};
MUST_CHECK enum status store_events(struct store_account *a, uint64_t since, struct arena *arena, struct store_events *ret);

#endif
