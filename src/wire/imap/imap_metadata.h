/* wire/imap/imap_metadata.h - entries of METADATA: their names, what GETMETADATA and SETMETADATA ask for.
 *
 * Grammar, RFC 5464 §5:
 *   getmetadata  = "GETMETADATA" [SP "(" option *(SP option) ")"] SP mailbox SP entries
 *   option       = "MAXSIZE" SP number / "DEPTH" SP ("0" / "1" / "infinity")
 *   setmetadata  = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"
 *   entries      = entry / "(" entry *(SP entry) ")"
 *   value        = nstring / literal8
 * The options may also stand behind the mailbox, where the RFC's own examples have them.
 * An entry's name (§3.2) begins with "/private/" or "/shared/", has ASCII without control characters, "*" and "%", no empty
 * level, and no letter case: here it is in small letters. At most LIMIT_METADATA_NAME octets.
 *
 * Pure. Tests: tests/unit/test_imap_list.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_METADATA_H
#define WIRE_IMAP_IMAP_METADATA_H

#include "wire/imap/imap_lex.h"

struct imap_entries {
	struct str *names; /* in small letters */
	size_t      count; /* at most LIMIT_METADATA_ASKED */
};

struct imap_getmetadata {
	struct str          mailbox; /* as on the wire; empty: of the server */
	struct imap_entries entries;
	uint32_t            depth;   /* UINT32_MAX: infinity */
	bool                has_max;
	uint32_t            max;     /* octets of a value */
};

struct imap_metadata_set {
	struct str name, value; /* value.p NULL: NIL, remove it */
};
struct imap_setmetadata {
	struct str                mailbox;
	struct imap_metadata_set *entries;
	size_t                    count; /* at most LIMIT_METADATA_ASKED */
};

/* Fails too if a name is none. */
MUST_CHECK bool imap_lex_entries(struct imap_lex *x, struct imap_entries *ret);
MUST_CHECK bool imap_lex_getmetadata(struct imap_lex *x, struct imap_getmetadata *ret);
MUST_CHECK bool imap_lex_setmetadata(struct imap_lex *x, struct imap_setmetadata *ret);

#endif
