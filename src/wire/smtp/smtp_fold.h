/* wire/smtp/smtp_fold.h - message content as any SMTP server may get it: CRLF line ends only, no NUL, no line over 998 octets.
 *
 * RFC 5321 §2.3.8 (CR and LF only together), §4.5.3.1.6 and RFC 5322 §2.1.1 (998 octets and CRLF). Every bare CR and every bare LF becomes
 * CRLF, NUL is dropped, a last line without CRLF gets one. A line that is too long is continued on the next:
 *
 *   header  before the last white space that has text on both sides: unfolded (RFC 5322 §2.2.3) it is what it was
 *   else    CRLF SP is put in, not inside a UTF-8 sequence; without them the line is what it was
 *
 * Content that is so already is by far the most: smtp_scan finds that out without writing.
 *
 * Pure: any split of the input gives the same output. Tests: tests/unit/test_smtp_fold.c, tests/fuzz/fuzz_smtp_fold.c.
 */
#ifndef WIRE_SMTP_SMTP_FOLD_H
#define WIRE_SMTP_SMTP_FOLD_H

#include "base/buf.h"

#define SMTP_LINE_TEXT ((size_t)998) /* without CRLF */

/* All zero is the start of a message, in its header. */
struct smtp_fold {
	char     held[SMTP_LINE_TEXT]; /* the line so far, from its last fold on */
	size_t   n;
	bool     body;
	bool     cr;     /* the last octet read was a CR, nothing written for it yet */
	bool     folded; /* the present line */
	uint64_t lines;  /* that were too long */
};

/* Append `in` to `out`: at most twice as many octets, and 2000 more. False if they do not fit. */
MUST_CHECK bool smtp_fold_add(struct smtp_fold *f, struct buf *out, struct str in);
/* Append the end of the last line. */
MUST_CHECK bool smtp_fold_end(struct smtp_fold *f, struct buf *out);

/* All zero is the start of a message. */
struct smtp_scan {
	size_t n; /* of the present line, without a CR at the end */
	bool   cr, body;
	bool   changes;                     /* smtp_fold would not write it as it is */
	bool   eight_bit, eight_bit_header; /* octets over 127 anywhere; in the header */
};

void smtp_scan_add(struct smtp_scan *s, struct str in);
void smtp_scan_end(struct smtp_scan *s);

#endif
