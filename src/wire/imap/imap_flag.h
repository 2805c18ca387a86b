/* wire/imap/imap_flag.h - flags and keywords.
 *
 * Grammar, RFC 9051 §9:
 *   flag-list = "(" [flag *(SP flag)] ")"
 *   flag      = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
 *
 * \Recent may stand in a list (clients copy what they were shown) but is never set by a client: it is dropped. Other
 * names with "\" are refused. Keywords are atoms of at most LIMIT_KEYWORD octets, LIMIT_KEYWORDS in a list.
 *
 * Pure. Tests: tests/unit/test_imap_args.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_FLAG_H
#define WIRE_IMAP_IMAP_FLAG_H

#include "base/buf.h"
#include "wire/imap/imap_lex.h"

enum imap_flag { /* bit mask */
		 IMAP_SEEN = 1u << 0,
		 IMAP_ANSWERED = 1u << 1,
		 IMAP_FLAGGED = 1u << 2,
		 IMAP_DELETED = 1u << 3,
		 IMAP_DRAFT = 1u << 4,
		 IMAP_RECENT = 1u << 5, /* never in a parsed list */
};
#define IMAP_FLAGS_ALL 31u /* those that a client may set */

struct imap_flags {
	unsigned    mask;
	struct str *keywords; /* each once, case folded compare; spelled as given */
	size_t      keyword_count;
};

/* A list in parentheses. */
MUST_CHECK bool imap_lex_flag_list(struct imap_lex *x, struct imap_flags *ret);
/* The same, or one or more flags without parentheses up to the end of the command (STORE). */
MUST_CHECK bool imap_lex_flags(struct imap_lex *x, struct imap_flags *ret);

/* "\Seen $Label1", without parentheses. */
void imap_print_flags(struct buf *out, unsigned mask, const struct str *keywords, size_t keyword_count);

#endif
