/* wire/text/text_quantity.h - sizes and times as people write them, in settings and on the command line.
 *
 *   size = 1*DIGIT [ "k" / "m" / "g" / "t" ]     octets; units of 1024
 *   time = 1*DIGIT [ "s" / "m" / "h" / "d" ]     seconds
 *
 * Letter case does not count. Pure. Tests: tests/unit/test_text_quantity.c.
 */
#ifndef WIRE_TEXT_TEXT_QUANTITY_H
#define WIRE_TEXT_TEXT_QUANTITY_H

#include "base/str.h"

/* False: not of the grammar, or more than 64 bits hold. *ret is written only if true. */
MUST_CHECK bool text_size_parse(struct str text, uint64_t *ret_octets);
MUST_CHECK bool text_seconds_parse(struct str text, uint64_t *ret_s);

#endif
