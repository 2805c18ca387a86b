/* wire/text/text_word.h - encoded words in header fields (RFC 2047, with the language of RFC 2231 §5).
 *
 * Pure. What does not fit the maximum of `out` sets out->over. `in` must not lie inside `out`.
 */
#ifndef WIRE_TEXT_TEXT_WORD_H
#define WIRE_TEXT_TEXT_WORD_H

#include "base/buf.h"

/* Unstructured text or a phrase to UTF-8. Lenient: encoded words also inside other text and with blanks in them; octets
 * over 127 outside of them are guessed (text_guess_utf8). What is no encoded word stays as it is. White space between two
 * encoded words is dropped; two of one charset are joined before they are converted, because some programs cut inside
 * a character. */
void text_words_decode(struct str in, struct buf *out);

/* UTF-8 to ASCII: from the first word that needs it to the last, as encoded words of at most 75 characters separated
 * by a space; safe in phrases too (RFC 2047 §5 (3)). Text that needs none is appended as it is.
 * decode(encode(x)) is x for well-formed x. Octets that are not well-formed are guessed first. */
void text_words_encode(struct str in, struct buf *out);

#endif
