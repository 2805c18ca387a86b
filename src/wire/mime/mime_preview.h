/* wire/mime/mime_preview.h - the beginning of what a message says, as plain text (PREVIEW, RFC 8970 §3.1).
 *
 * From the first part that is text/plain (else text/html, its markup taken off), not an attachment, and whose encoding and charset are
 * known. Blanks and line ends become one space; control characters go; quoted lines ("> ") of plain text are left out if something else
 * is there.
 *
 * Pure. Tests: tests/unit/test_mime_decoder.c, tests/fuzz/fuzz_mime_decoder.c.
 */
#ifndef WIRE_MIME_MIME_PREVIEW_H
#define WIRE_MIME_MIME_PREVIEW_H

#include "base/arena.h"
#include "base/buf.h"

#define MIME_PREVIEW_CHARS 200u /* RFC 8970 §3.1: "SHOULD" 200 characters, never more than 256 */
#define MIME_PREVIEW_OCTETS ((size_t)4 * MIME_PREVIEW_CHARS)

/* `message`: all of it or its beginning. Adds at most MIME_PREVIEW_CHARS characters of UTF-8; nothing: there is no text in it. */
void mime_preview(struct str message, struct arena *a, struct buf *out);

#endif
