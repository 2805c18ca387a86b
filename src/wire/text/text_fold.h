/* wire/text/text_fold.h - letter case and spaces taken out of text, so that it can be searched.
 *
 * Simple folding of Unicode for Latin, Greek, Cyrillic and Armenian letters; other scripts have no case that matters
 * here. Runs of space, tab, CR and LF become one space, because folding of header lines and wrapping of paragraphs
 * split what was one phrase. Pure. Tests: tests/unit/test_text_fold.c.
 */
#ifndef WIRE_TEXT_TEXT_FOLD_H
#define WIRE_TEXT_TEXT_FOLD_H

#include "base/buf.h"

/* Append `utf8` folded; octets that are not well-formed are kept. */
void text_fold(struct str utf8, struct buf *out);

#endif
