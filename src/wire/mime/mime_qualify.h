/* wire/mime/mime_qualify.h - address fields of local programs: mailboxes without a domain get one ("From: root (Cron Daemon)").
 *
 * Pure. Tests: tests/unit/test_mime_header.c.
 */
#ifndef WIRE_MIME_MIME_QUALIFY_H
#define WIRE_MIME_MIME_QUALIFY_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/mime/mime_address.h"

/* Is this a field of addresses (From, To, Reply-To, Resent-Cc ...)? */
bool mime_is_address_field(struct str name);

/* If a mailbox of the value has no domain, and the value is well-formed but for that: print the whole field anew, with `domain` there,
 * and return true. Else false, nothing printed. */
MUST_CHECK bool mime_qualify(struct str name, struct str value, struct str domain, struct arena *a, struct buf *out);

/* "local@domain" of a mailbox, the local part quoted if it must be; `domain` if it has none. */
struct str mime_mailbox_text(const struct mime_address *m, struct str domain, struct arena *a);

/* As mime_addresses_parse, but a mailbox without a domain is well-formed. */
MUST_CHECK bool mime_addresses_local(struct str value, struct arena *a, struct mime_addresses *ret);

#endif
