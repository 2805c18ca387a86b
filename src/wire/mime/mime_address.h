/* wire/mime/mime_address.h - address lists of header fields (RFC 5322 §3.4, obsolete forms §4.4, UTF-8 RFC 6532).
 *
 *   address = mailbox / group        mailbox = [display-name] "<" [route] addr-spec ">" / addr-spec
 *   group   = display-name ":" [mailbox-list] ";"
 *
 * Tolerant but telling: any octets give a list; `malformed` is set for whatever is not of the grammar with its obsolete
 * forms, because two programs may then see two different addresses. Pure.
 */
#ifndef WIRE_MIME_MIME_ADDRESS_H
#define WIRE_MIME_MIME_ADDRESS_H

#include "base/arena.h"

enum mime_address_kind {
	MIME_ADDRESS_MAILBOX,
	MIME_ADDRESS_GROUP,     /* begin of a group: name only */
	MIME_ADDRESS_GROUP_END, /* groups are closed always, and hold no groups */
};

/* Slices of memory of the arena. Quotes, comments and folding are removed. */
struct mime_address {
	enum mime_address_kind kind;
	struct str             name;   /* display name, or a comment standing for it; encoded words as they are */
	struct str             route;  /* "@a,@b" of the obsolete source route, or empty */
	struct str             local;  /* empty if missing */
	struct str             domain; /* with the brackets of a literal; empty if missing */
};

struct mime_addresses {
	struct mime_address *items;
	size_t               count;
	bool                 malformed;
	bool                 broken; /* malformed, and not only by mailboxes without a domain, as local programs write them */
	bool                 limit; /* more than LIMIT_ADDRESSES: the rest is left out */
};

/* Parse the value of a field, folding and all. */
void mime_addresses_parse(struct str value, struct arena *a, struct mime_addresses *ret);

/* Exactly one mailbox, of the grammar: what a From field should be. False otherwise. */
MUST_CHECK bool mime_address_single(struct str value, struct arena *a, struct mime_address *ret);

/* The display name in UTF-8. */
struct str mime_address_name(const struct mime_address *address, struct arena *a);

#endif
