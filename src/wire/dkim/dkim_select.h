/* wire/dkim/dkim_select.h - which header fields are signed, and their canonical octets in that order.
 *
 * RFC 6376 §5.4: fields of one name are taken from the bottom up, as a verifier does. Those that a reader believes are named once more than
 * they are there ("oversigning", §8.15): adding another one breaks the signature. Never signed: what changes on the way (Received,
 * Return-Path) and what must not be seen (Bcc).
 */
#ifndef WIRE_DKIM_DKIM_SELECT_H
#define WIRE_DKIM_DKIM_SELECT_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/dkim/dkim.h"

#define DKIM_NAMES_MAX 80u /* fields that are signed; of further ones nothing is said */

/* Append the names to `names` ("From:From:To"), the fields' canonical octets to `input`. `header` ends before the empty line. */
void dkim_select(struct str header, enum dkim_canon canon, struct arena *a, struct buf *names, struct buf *input);

#endif
