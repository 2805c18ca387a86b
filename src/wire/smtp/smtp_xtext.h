/* wire/smtp/smtp_xtext.h - the codings of values: xtext, and the original recipient's.
 *
 * Grammar, RFC 3461 §4, §4.2 and RFC 6533 §3:
 *   xtext     = *( xchar / "+" 2HEXDIG )           upper-case digits; xchar: %d33-126 without "+" and "="
 *   orcpt     = addr-type ";" value                addr-type = atom
 *   value     = xtext                              any type but utf-8
 *             / 1*( QCHAR / "\x{" HEXPOINT "}" / UTF8-non-ascii )     "utf-8"; the last with SMTPUTF8 only
 *   QCHAR     = %d33-126 without "\", "+" and "="
 *   HEXPOINT  = 2*6HEXDIG, without needless zeros: "\", space, "+", "=" or a code point above U+009F
 *
 * Decoded text is printable: no control (so no "+00"), and of xtext no octet over 126 (RFC 3461 §4.2, §4.4).
 *
 * Pure. Tests: tests/unit/test_smtp_envelope.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_XTEXT_H
#define WIRE_SMTP_SMTP_XTEXT_H

#include "base/buf.h"

/* Append what xtext stands for; NULL: only check. false: no xtext, empty, or it stands for an octet that is not printable. */
MUST_CHECK bool smtp_xtext_decode(struct str s, struct buf *out);

/* The same for the value of ORCPT, with its type: "utf-8;\x{E4}@b" becomes the same in UTF-8. */
MUST_CHECK bool smtp_orcpt_decode(struct str s, bool utf8, struct buf *out);

#endif
