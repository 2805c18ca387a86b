/* wire/mime/mime_print.h - strings as IMAP prints them (RFC 9051 §4.3). For wire/mime only. */
#ifndef WIRE_MIME_MIME_PRINT_H
#define WIRE_MIME_MIME_PRINT_H

#include "base/buf.h"

/* A quoted string, never a literal: CR, LF and NUL, which cannot stand in one, become blanks. Octets over 127 as
 * well-formed UTF-8 when utf8, else the text as encoded words (RFC 2047). */
void mime_print_string(struct str s, bool utf8, struct buf *out);
/* The same, or NIL when s.p is NULL. */
void mime_print_nstring(struct str s, bool utf8, struct buf *out);

#endif
