/* wire/smtp/smtp_stuff.h - message content as DATA carries it: CRLF line ends only, dots doubled.
 *
 * RFC 5321 §4.5.2 (transparency) and §2.3.8 (CR and LF only together). Every bare CR and every bare LF becomes CRLF
 * before the dots are looked at, so that no receiver, whatever it takes for a line end, sees the end of the data early.
 * NUL is dropped: it may not be sent, and a receiver that drops it itself would see CRLF.CRLF in CRLF NUL.CRLF. POP3 keeps
 * it, as its client is to have what is stored, and counts what it sends (RFC 1939 §3, §11).
 *
 * Pure: any split of the input gives the same output. Tests: tests/unit/test_smtp_stuff.c,
 * tests/fuzz/fuzz_smtp_stuff.c.
 */
#ifndef WIRE_SMTP_SMTP_STUFF_H
#define WIRE_SMTP_SMTP_STUFF_H

#include "base/buf.h"

struct smtp_stuff {
	bool middle; /* of a line: something but its end was written */
	bool cr;     /* the last octet read was a CR, nothing written for it yet */
	bool nul;    /* keep NUL; set before the start */
	uint64_t dots; /* that were put in so far */
};

/* All zero (but for `nul`) is the start of a message. */

/* Append `in`, encoded, to `out`: at most twice as many octets, and two more. False if they do not fit. */
MUST_CHECK bool smtp_stuff_add(struct smtp_stuff *s, struct buf *out, struct str in);
/* Octets of `in` before the first CR, LF or NUL. */
size_t smtp_plain_length(struct str in);
/* Append the end: a CRLF if the last line has none, then ".CRLF". */
MUST_CHECK bool smtp_stuff_end(struct smtp_stuff *s, struct buf *out);

#endif
