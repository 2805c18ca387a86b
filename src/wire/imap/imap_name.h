/* wire/imap/imap_name.h - mailbox names and the patterns of LIST.
 *
 * Inside, a name is UTF-8 with "/" between its levels, and the first level "INBOX" is in capitals whatever the client
 * wrote (RFC 9051 §5.1), in normalization form C. On the wire it is modified UTF-7, or UTF-8 after ENABLE UTF8=ACCEPT (RFC 9755 §3).
 *
 * Pure. Tests: tests/unit/test_imap_name.c, tests/fuzz/fuzz_imap_list.c.
 */
#ifndef WIRE_IMAP_IMAP_NAME_H
#define WIRE_IMAP_IMAP_NAME_H

#include "base/arena.h"
#include "base/limits.h"

#define IMAP_DELIMITER '/'

enum imap_name_err {
	IMAP_NAME_OK,
	IMAP_NAME_BAD,  /* not modified UTF-7 (or UTF-8), a control character, an empty level */
	IMAP_NAME_LONG, /* over LIMIT_MAILBOX_NAME or LIMIT_MAILBOX_DEPTH */
};

/* A name as the client wrote it, as we keep it. A delimiter at the end is refused; CREATE takes it off first with
 * imap_name_container (RFC 9051 §6.3.4: "the client intends to create names under it"). */
MUST_CHECK enum imap_name_err imap_name_parse(struct str wire, bool utf8, struct arena *a, struct str *ret);
bool                          imap_name_container(struct str *wire);

/* The name as it goes on the wire, not quoted yet. The name is one we keep. */
struct str imap_name_wire(struct str name, bool utf8, struct arena *a);

/* The name above it: "a/b" of "a/b/c"; empty if it is at the top. */
struct str imap_name_parent(struct str name);
bool       imap_name_is_inbox(struct str name);
/* Is `name` below `parent`, at any depth? */
bool imap_name_below(struct str name, struct str parent);

/* ---- patterns, RFC 9051 §6.3.9: "*" is anything, "%" anything without the delimiter ---- */

struct imap_pattern {
	struct str      text; /* UTF-8; runs of wildcards made one */
	const uint64_t *rows; /* imap_name.c */
};
/* reference + pattern as one; false if either is no name with wildcards, or is longer than any name: such a pattern matches nothing. */
MUST_CHECK bool imap_pattern_parse(struct str reference, struct str pattern, bool utf8, struct arena *a,
				   struct imap_pattern *ret);
/* Time is the product of both lengths over 64, whatever the pattern. A first level INBOX matches in any case. */
bool imap_pattern_match(const struct imap_pattern *p, struct str name);

#endif
