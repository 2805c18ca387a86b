/* wire/text/text_nfc.h - Unicode normalization form C: one spelling for what looks alike ("e" with an accent, and "e" and an accent).
 *
 * Pure. Tests: tests/unit/test_imap_name.c, tests/fuzz/fuzz_imap_list.c.
 */
#ifndef WIRE_TEXT_TEXT_NFC_H
#define WIRE_TEXT_TEXT_NFC_H

#include "base/arena.h"

/* `s` is UTF-8. The same slice if it is ASCII. */
struct str text_nfc(struct str s, struct arena *a);

#endif
