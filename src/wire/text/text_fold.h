/* wire/text/text_fold.h - text as it is compared: i;unicode-casemap (RFC 5051), with spaces made one.
 *
 * RFC 5051 §2: each code point becomes its title-case form, then that is decomposed as far as the Unicode character database goes
 * (canonical and compatibility mappings). So letter case, ligatures, full-width forms and the way an accent was written do not matter.
 * Results are compared by octets, for order too. Runs of space, tab, CR and LF become one space, because folding of header lines and
 * wrapping of paragraphs split what was one phrase.
 *
 * Pure. The table is made by scripts/casemap-table. Tests: tests/unit/test_text_fold.c, tests/fuzz/fuzz_text.c.
 */
#ifndef WIRE_TEXT_TEXT_FOLD_H
#define WIRE_TEXT_TEXT_FOLD_H

#include "base/buf.h"

/* Append `utf8` folded; octets that are not well-formed are kept. A character becomes 33 octets at most: look at out->over. */
void text_fold(struct str utf8, struct buf *out);

#endif
