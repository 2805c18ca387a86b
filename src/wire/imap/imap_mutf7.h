/* wire/imap/imap_mutf7.h - mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3) against UTF-8.
 *
 *   name   = *( printable US-ASCII except "&" / "&-" / "&" base64 "-" )
 *   base64 = modified: "," instead of "/", no "="; UTF-16, big-endian
 *
 * Strict: decoding takes only what encoding gives, so every name has one spelling on the wire and a wrong one
 * never matches anything. Refused: octets over 127, control characters, characters that need no shift, two shifts in a
 * row, half surrogate pairs, set bits in the padding.
 *
 * Pure. Tests: tests/unit/test_imap_name.c, tests/fuzz/fuzz_imap_list.c.
 */
#ifndef WIRE_IMAP_IMAP_MUTF7_H
#define WIRE_IMAP_IMAP_MUTF7_H

#include "base/buf.h"

/* Append; false if `wire` is not well-formed, or the buffer is full. */
MUST_CHECK bool imap_mutf7_decode(struct str wire, struct buf *ret_utf8);
/* Append; false if `utf8` is not well-formed or holds control characters, or the buffer is full. */
MUST_CHECK bool imap_mutf7_encode(struct str utf8, struct buf *ret_wire);

/* Take one character off *s: false if it is not well-formed UTF-8 (RFC 3629). */
MUST_CHECK bool imap_utf8_take(struct str *s, uint32_t *ret);

#endif
