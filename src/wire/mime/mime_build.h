/* wire/mime/mime_build.h - header fields and parts, written.
 *
 * Pure: dates, identifiers and boundaries come from the caller. Nothing that is passed in can end a field or a line: CR, LF
 * and NUL become blanks. What does not fit the maximum of `out` sets out->over.
 */
#ifndef WIRE_MIME_MIME_BUILD_H
#define WIRE_MIME_MIME_BUILD_H

#include "base/buf.h"
#include "wire/text/text_date.h"

/* "name: value" CRLF, folded before blanks so that lines keep to 78 octets where the value allows it, and to 998 in any
 * case (RFC 5322 §2.1.1). The value is written as it is otherwise. */
void mime_build_field(struct str name, struct str value, struct buf *out);

/* The same for unstructured text: UTF-8 stays when utf8 (RFC 6532), else it becomes encoded words. */
void mime_build_text(struct str name, struct str text, bool utf8, struct buf *out);

/* An address field of one mailbox; the display name may be empty. */
void mime_build_mailbox(struct str name, struct str display, struct str address, bool utf8, struct buf *out);

void mime_build_date(struct str name, struct text_date when, struct buf *out);

/* "Content-Type: type; boundary="..."" and the like: `type` with its parameters. Then the empty line of the part. */
void mime_build_part(struct str boundary, struct str type, struct str encoding, struct buf *out);
void mime_build_end(struct str boundary, struct buf *out); /* the closing delimiter */

/* Received, RFC 5321 §4.4; empty members are left out. Octets that do not belong in a domain or address become "?". */
struct mime_received {
	struct str       helo;     /* what the client called itself */
	struct str       rdns, ip; /* what it is */
	struct str       by, with, id, recipient;
	struct text_date when;
};
void mime_build_received(const struct mime_received *r, struct buf *out);

#endif
