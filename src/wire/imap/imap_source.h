/* wire/imap/imap_source.h - which mailboxes ESEARCH looks into.
 *
 * Grammar, RFC 7377 §4, RFC 5465 §8:
 *   esearch-source-opts = "IN" SP "(" filter *(SP filter) ")"
 *   filter              = "selected" / "inboxes" / "personal" / "subscribed" / ("subtree" / "subtree-one" / "mailboxes") SP names
 *   names               = mailbox / "(" mailbox *(SP mailbox) ")"
 *
 * No scope option is defined; one that is given is refused.
 *
 * Pure. Tests: tests/unit/test_imap_search.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_SOURCE_H
#define WIRE_IMAP_IMAP_SOURCE_H

#include "wire/imap/imap_lex.h"

#define IMAP_SOURCE_MAX  16u   /* filters */
#define IMAP_SOURCE_NAMES 1000u /* names of all of them */

enum imap_source_kind {
	IMAP_SOURCE_SELECTED,
	IMAP_SOURCE_INBOXES,
	IMAP_SOURCE_PERSONAL,
	IMAP_SOURCE_SUBSCRIBED,
	IMAP_SOURCE_SUBTREE,
	IMAP_SOURCE_SUBTREE_ONE,
	IMAP_SOURCE_MAILBOXES,
};

struct imap_sources {
	bool   given;
	size_t count;
	struct imap_source {
		enum imap_source_kind kind;
		struct str           *names; /* as on the wire */
		size_t                name_count;
	} items[IMAP_SOURCE_MAX];
	size_t name_count;
};

/* "IN (...)" if it stands next; "selected" if not. */
MUST_CHECK bool imap_lex_sources(struct imap_lex *x, struct imap_sources *ret);

#endif
