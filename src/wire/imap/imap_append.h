/* wire/imap/imap_append.h - the arguments of APPEND and REPLACE, which come in pieces: content is never part of the text.
 *
 * Grammar, RFC 9051 §9 with RFC 3502 §6.3.11, RFC 3516 §4.4, RFC 4469 §5, RFC 6855 §4, RFC 8508 §5:
 *   append       = "APPEND" SP mailbox 1*append-message
 *   replace      = "REPLACE" SP seq-number SP mailbox append-message
 *   append-message = [SP flag-list] [SP date-time] SP append-data
 *   append-data  = literal / literal8 / "UTF8" SP "(" literal8 ")" / "CATENATE" SP "(" cat-part *(SP cat-part) ")"
 *   cat-part     = "TEXT" SP (literal / literal8) / "URL" SP astring / "UTF8" SP "(" literal8 ")"
 *
 * The reader is asked for one item after another. `x` stands in the text that came so far, which ends at the end of the command
 * or in the head of a literal that has not come yet ("{n}", "~{n}"). What that literal is decides who reads it: IMAP_APPEND_MORE
 * says it belongs to the text (a mailbox name, a URL): ask again when the text is longer, from where `x` stands.
 * IMAP_APPEND_OCTETS says it is content: what comes behind the octets is a new text.
 *
 * Pure. Tests: tests/unit/test_imap_append.c, tests/fuzz/fuzz_imap_append.c.
 */
#ifndef WIRE_IMAP_IMAP_APPEND_H
#define WIRE_IMAP_IMAP_APPEND_H

#include "wire/imap/imap_flag.h"

enum imap_append_item {
	IMAP_APPEND_BAD,
	IMAP_APPEND_MORE,
	IMAP_APPEND_MAILBOX, /* `mailbox` is known, as on the wire */
	IMAP_APPEND_MESSAGE, /* another message begins: flags, dated, internal_ms, zone */
	IMAP_APPEND_OCTETS,  /* content of it: the literal at the end of the text; binary, utf8 */
	IMAP_APPEND_URL,     /* content of it: what `url` names */
	IMAP_APPEND_WHOLE,   /* the message has all its content */
	IMAP_APPEND_END,     /* the command is whole */
};

enum imap_append_state {
	IMAP_APPEND_AT_MAILBOX,
	IMAP_APPEND_AT_OPTIONS, /* or the end, behind the first message */
	IMAP_APPEND_AT_DATA,
	IMAP_APPEND_AT_PART,
	IMAP_APPEND_AT_PART_END,
	IMAP_APPEND_AT_UTF8_END,
	IMAP_APPEND_AT_DATA_END,
};

struct imap_append { /* all zero: before the mailbox */
	enum imap_append_state state;
	size_t                 messages;
	bool                   catenate; /* inside the parentheses */
	struct str             mailbox, url; /* borrowed from the text or in the arena of x */
	struct imap_flags      flags; /* likewise */
	bool                   dated;
	int64_t                internal_ms;
	int                    zone; /* minutes */
	bool                   binary; /* literal8: NUL is allowed */
	bool                   utf8;
};

MUST_CHECK enum imap_append_item imap_append_next(struct imap_append *p, struct imap_lex *x);

#endif
