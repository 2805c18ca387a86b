/* wire/mime/mime_decoder.h - a body decoded by its transfer encoding in pieces, in bounded memory (RFC 2045 §6).
 *
 * What comes out does not depend on how the input is cut, and is what mime_decode_body gives; but of quoted-printable, a line of more
 * than LIMIT_IMAP_BINARY_LINE is decoded as if it were several, cut where no code is broken.
 *
 * Pure. Tests: tests/unit/test_mime_decoder.c, tests/fuzz/fuzz_mime_decoder.c.
 */
#ifndef WIRE_MIME_MIME_DECODER_H
#define WIRE_MIME_MIME_DECODER_H

#include "base/buf.h"

enum mime_decoder_kind { MIME_DECODER_IDENTITY, MIME_DECODER_BASE64, MIME_DECODER_QP };

struct mime_decoder {
	enum mime_decoder_kind kind;
	struct buf             held; /* the beginning of a group, or of a line */
};

/* False: the encoding is not known. `encoding` as in struct mime_part. */
MUST_CHECK bool mime_decoder_init(struct mime_decoder *d, struct str encoding);
/* Append what is certain now: not more than held + in. */
void mime_decoder_feed(struct mime_decoder *d, struct str in, struct buf *out);
/* The rest; then it is as after init. */
void mime_decoder_end(struct mime_decoder *d, struct buf *out);
void mime_decoder_done(struct mime_decoder *d);

#endif
