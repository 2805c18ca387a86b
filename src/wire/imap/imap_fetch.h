/* wire/imap/imap_fetch.h - what FETCH asks for.
 *
 * Grammar, RFC 9051 §9 and, for RFC822.*, RFC 3501 §9:
 *   fetch-arg = "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"
 *   fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] / "BODY" ["STRUCTURE"]
 * / "UID" / "BODY" [".PEEK"] section ["<" number "." nz-number ">"] section   = "[" [section-msgtext / (section-part
 * ["." (section-msgtext / "MIME")])] "]" section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP "(" astring *(SP
 * astring) ")" / "TEXT" Macros stand alone. RFC822.PEEK and RFC822.TEXT.PEEK (RFC 1176, still sent by old clients) are
 * known too.
 *
 * Pure. Tests: tests/unit/test_imap_args.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_FETCH_H
#define WIRE_IMAP_IMAP_FETCH_H

#include "wire/imap/imap_lex.h"

enum imap_fetch_item { /* bit mask */
		       IMAP_FETCH_UID = 1u << 0,
		       IMAP_FETCH_FLAGS = 1u << 1,
		       IMAP_FETCH_INTERNALDATE = 1u << 2,
		       IMAP_FETCH_RFC822_SIZE = 1u << 3,
		       IMAP_FETCH_ENVELOPE = 1u << 4,
		       IMAP_FETCH_BODY = 1u << 5,
		       IMAP_FETCH_BODYSTRUCTURE = 1u << 6,
		       IMAP_FETCH_EMAILID = 1u << 20,  /* RFC 8474 */
		       IMAP_FETCH_THREADID = 1u << 21,
};

enum imap_section_kind {
	IMAP_SECTION_ALL,        /* BODY[] or BODY[1.2] */
	IMAP_SECTION_HEADER,     /* of the message, or of part n being a message */
	IMAP_SECTION_FIELDS,     /* HEADER.FIELDS (...) */
	IMAP_SECTION_FIELDS_NOT, /* HEADER.FIELDS.NOT (...) */
	IMAP_SECTION_TEXT,
	IMAP_SECTION_MIME,
};

struct imap_section {
	struct imap_section   *next;
	enum imap_section_kind kind;
	struct str             part;   /* "1.2", or empty: the whole message */
	struct str            *fields; /* names asked for */
	size_t                 field_count;
	struct str             name; /* how the answer names it, up to the origin: "BODY[1.2]", "RFC822.TEXT" */
	bool                   peek; /* does not set \Seen */
	bool                   partial;
	uint32_t               from, count; /* if partial; count > 0 */
};

struct imap_fetch {
	unsigned             items;
	struct imap_section *sections; /* in the order asked for */
	size_t               section_count;
};

#define IMAP_FETCH_SECTIONS 256u /* in one command */

/* The whole fetch-arg. */
MUST_CHECK bool imap_lex_fetch(struct imap_lex *x, struct imap_fetch *ret);

#endif
