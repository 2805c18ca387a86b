/* wire/text/text_qp.h - quoted-printable (RFC 2045 §6.7).
 *
 * Pure. What does not fit the maximum of `out` sets out->over. `in` must not lie inside `out`.
 */
#ifndef WIRE_TEXT_TEXT_QP_H
#define WIRE_TEXT_TEXT_QP_H

#include "base/buf.h"

/* Lenient: hexadecimal in either case, "=" before what is no code is kept as it stands, blanks at line ends are dropped
 * (rule 3), a soft line break may be followed by blanks or end in a bare LF. */
void text_qp_decode(struct str in, struct buf *out);

/* Lines of at most 76 characters; CRLF in `in` is a line end, every other CR and LF is coded; 7-bit and safe at line
 * starts ("From ", "."). decode(encode(x)) is x for any octets. */
void text_qp_encode(struct str in, struct buf *out);

#endif
