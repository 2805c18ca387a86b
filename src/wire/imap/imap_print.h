/* wire/imap/imap_print.h - values as IMAP prints them.
 *
 * Each appends to a bounded buffer, whose `over` the caller looks at once, at the end.
 * Pure. Tests: tests/unit/test_imap_args.c.
 */
#ifndef WIRE_IMAP_IMAP_PRINT_H
#define WIRE_IMAP_IMAP_PRINT_H

#include "base/buf.h"

/* As an atom where the grammar allows it (and it is not NIL), else as a string. */
void imap_print_astring(struct buf *out, struct str s);
/* Quoted if it has no CR, LF, NUL or octet over 127 and is not long, else a literal. */
void imap_print_string(struct buf *out, struct str s);
/* Quoted, though it has octets over 127: UTF-8 without CR, LF and NUL, to a client that has enabled it (RFC 9755 §3). */
void imap_print_utf8(struct buf *out, struct str s);
/* The same as imap_print_string; NIL if s.p is NULL. */
void imap_print_nstring(struct buf *out, struct str s);

/* "(\Flag \Flag) "/" name": one LIST, LSUB or similar answer, behind its name. `wire_name` from imap_name_wire. */
void imap_print_list(struct buf *out, struct str attributes, struct str wire_name);

#endif
