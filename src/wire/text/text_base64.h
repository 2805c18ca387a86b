/* wire/text/text_base64.h - base64 (RFC 4648 §4, RFC 2045 §6.8) and hexadecimal digits.
 *
 * Two decoders, because two questions are asked: protocols (SASL, keys, digests) take exactly the grammar or nothing;
 * mail bodies are read however broken they are.
 * Pure. What does not fit the maximum of `out` sets out->over (base/buf.h). `in` must not lie inside `out`.
 */
#ifndef WIRE_TEXT_TEXT_BASE64_H
#define WIRE_TEXT_TEXT_BASE64_H

#include "base/buf.h"

/* One run of characters with padding, no line ends. */
void text_base64_encode(struct str in, struct buf *out);
/* Lines of 76 characters, each ended by CRLF; nothing for nothing. */
void text_base64_encode_lines(struct str in, struct buf *out);

/* Strict, RFC 4648 §3: the alphabet only, padding complete, unused bits zero. On false `out` is as it was. */
MUST_CHECK bool text_base64_decode(struct str in, struct buf *out);
/* Lenient, for bodies: octets outside the alphabet are skipped; "=" ends a group and decoding goes on behind it; a last
 * incomplete group gives the octets that it holds whole. */
void text_base64_decode_lenient(struct str in, struct buf *out);

/* Pairs of hexadecimal digits in either case; on false `out` is as it was. (Encoding is buf_add_hex.) */
MUST_CHECK bool text_hex_decode(struct str in, struct buf *out);
/* The value of one hexadecimal digit, or -1. */
int text_hex_digit(char c);

#endif
