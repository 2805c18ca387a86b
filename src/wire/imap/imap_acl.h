/* wire/imap/imap_acl.h - rights and identifiers of access control (RFC 4314).
 *
 *   mod-rights = astring          ["+" / "-"] *right, RFC 4314 §3.1
 *   right      = "l" / "r" / "s" / "w" / "i" / "p" / "k" / "x" / "t" / "e" / "a" / "c" / "d"
 *   identifier = astring          ["-"] ("anyone" / "$" group / address)
 *
 * "c" and "d" are of RFC 2086: taken as "k" and as "ext", and told beside these (RFC 4314 §2.1.1).
 *
 * Pure. Tests: tests/unit/test_imap_acl.c, tests/fuzz/fuzz_imap_acl.c.
 */
#ifndef WIRE_IMAP_IMAP_ACL_H
#define WIRE_IMAP_IMAP_ACL_H

#include "base/arena.h"
#include "base/limits.h"

enum imap_right { /* bit mask, RFC 4314 §2.1; stored: append only */
	IMAP_RIGHT_LOOKUP = 1u << 0,     /* l */
	IMAP_RIGHT_READ = 1u << 1,       /* r */
	IMAP_RIGHT_SEEN = 1u << 2,       /* s */
	IMAP_RIGHT_WRITE = 1u << 3,      /* w: flags other than \Seen and \Deleted */
	IMAP_RIGHT_INSERT = 1u << 4,     /* i: APPEND, COPY into */
	IMAP_RIGHT_POST = 1u << 5,       /* p */
	IMAP_RIGHT_CREATE = 1u << 6,     /* k: below it */
	IMAP_RIGHT_DELETE_BOX = 1u << 7, /* x */
	IMAP_RIGHT_DELETE = 1u << 8,     /* t: \Deleted */
	IMAP_RIGHT_EXPUNGE = 1u << 9,    /* e */
	IMAP_RIGHT_ADMIN = 1u << 10,     /* a */
	IMAP_RIGHT_ALL = (1u << 11) - 1,
};

enum imap_rights_op { IMAP_RIGHTS_REPLACE, IMAP_RIGHTS_ADD, IMAP_RIGHTS_REMOVE };

/* False: a letter that is no right, capitals among them. */
MUST_CHECK bool imap_rights_parse(struct str text, enum imap_rights_op *ret_op, unsigned *ret);
#define IMAP_RIGHTS_TEXT 16u
/* "lrswikxtecda" and the like, with "c" and "d"; ret has a NUL. */
void imap_rights_print(unsigned rights, char ret[IMAP_RIGHTS_TEXT]);

enum imap_identifier_kind { IMAP_IDENTIFIER_ANYONE, IMAP_IDENTIFIER_ACCOUNT, IMAP_IDENTIFIER_GROUP };
struct imap_identifier {
	enum imap_identifier_kind kind;
	bool                      negative;
	struct str                name; /* without signs; "" for anyone */
};
/* Empty, too long, not UTF-8, or with control characters: false (RFC 4314 §3: BAD). */
MUST_CHECK bool imap_identifier_parse(struct str text, struct imap_identifier *ret);

#endif
