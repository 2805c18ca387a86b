/* wire/imap/imap_fetch.h - what FETCH asks for.
 *
 * Grammar, RFC 9051 §9 and, for RFC822.*, RFC 3501 §9:
 *   fetch-arg = "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"
 *   fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] / "BODY" ["STRUCTURE"]
 * / "UID" / "BODY" [".PEEK"] section ["<" number "." nz-number ">"] section   = "[" [section-msgtext / (section-part
 * ["." (section-msgtext / "MIME")])] "]" section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP "(" astring *(SP
 * astring) ")" / "TEXT" / "BINARY" [".PEEK"] "[" [section-part] "]" ["<" number "." nz-number ">"] (RFC 3516) /
 * "BINARY.SIZE" "[" [section-part] "]" / "PREVIEW" [SP "(" "LAZY" ")"] (RFC 8970) / "SAVEDATE" (RFC 8514). Macros stand alone. RFC822.PEEK and RFC822.TEXT.PEEK (RFC 1176, still sent by old clients) are
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
		       IMAP_FETCH_PREVIEW = 1u << 12,      /* RFC 8970 */
		       IMAP_FETCH_PREVIEW_LAZY = 1u << 13, /* the same, if it costs nothing */
		       IMAP_FETCH_SAVEDATE = 1u << 14,     /* RFC 8514 */
		       IMAP_FETCH_MODSEQ = 1u << 20, /* RFC 7162 §3.1.4.2 */
		       IMAP_FETCH_EMAILID = 1u << 21,  /* RFC 8474 */
		       IMAP_FETCH_THREADID = 1u << 22,
};

enum imap_section_kind {
	IMAP_SECTION_ALL,        /* BODY[] or BODY[1.2] */
	IMAP_SECTION_HEADER,     /* of the message, or of part n being a message */
	IMAP_SECTION_FIELDS,     /* HEADER.FIELDS (...) */
	IMAP_SECTION_FIELDS_NOT, /* HEADER.FIELDS.NOT (...) */
	IMAP_SECTION_TEXT,
	IMAP_SECTION_MIME,
	IMAP_SECTION_BINARY,      /* BINARY[1.2]: decoded (RFC 3516) */
	IMAP_SECTION_BINARY_SIZE, /* BINARY.SIZE[1.2] */
};

struct imap_section {
	struct imap_section   *next;
	enum imap_section_kind kind;
	struct str             part;   /* "1.2", or empty: the whole message */
	struct str            *fields; /* names asked for */
	size_t                 field_count;
	uint64_t               listed; /* not set here; for who answers: the names in a listing (store_listing.h), 0: they are not */
	struct str             name; /* how the answer names it, up to the origin: "BODY[1.2]", "RFC822.TEXT" */
	bool                   peek; /* does not set \Seen */
	bool                   partial;
	uint64_t               from, count; /* if partial; count > 0; each at most INT64_MAX */
};

struct imap_fetch {
	unsigned             items;
	struct imap_section *sections; /* in the order asked for */
	size_t               section_count;
};

#define IMAP_FETCH_SECTIONS 256u /* in one command */

/* The whole fetch-arg. */
MUST_CHECK bool imap_lex_fetch(struct imap_lex *x, struct imap_fetch *ret);

/* What stands in BODY[...], for readers other than FETCH: all of `text`. */
MUST_CHECK bool imap_section_parse(struct str text, struct arena *a, struct imap_section *ret);

#endif
