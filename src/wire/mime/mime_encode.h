/* wire/mime/mime_encode.h - a message with NULs in it, made one without: the parts that have them in base64.
 *
 * A message that comes by literal8 may hold NUL (RFC 3516 §4.4), but FETCH BODY[] can show none (RFC 9051 §4.3), nor can POP3 or
 * SMTP; the server may change the encoding of what is appended if nothing is lost. So bodies of leaf parts that hold a NUL are encoded,
 * and their Content-Transfer-Encoding field says so. All else stays octet for octet.
 *
 * Pure. Tests: tests/unit/test_mime_decoder.c, tests/fuzz/fuzz_mime_decoder.c.
 */
#ifndef WIRE_MIME_MIME_ENCODE_H
#define WIRE_MIME_MIME_ENCODE_H

#include "base/arena.h"

struct mime_sink {
	bool (*write)(void *ctx, struct str octets); /* false: stop */
	void *ctx;
};
/* False: the sink stopped, or a NUL is where it cannot be encoded: in a header, between parts, in a part that is said to be encoded
 * already. */
MUST_CHECK bool mime_encode_nul(struct str message, struct arena *a, const struct mime_sink *sink);

#endif
