/* wire/mime/mime_content.h - what the header of a part says about its content (RFC 2045, 2183, 1864, 3282, 2557). For
 * wire/mime only.
 */
#ifndef WIRE_MIME_MIME_CONTENT_H
#define WIRE_MIME_MIME_CONTENT_H

#include "wire/mime/mime.h"

/* Fill `part` from its header, with defaults for what is missing (`digest`: inside multipart/digest). `whole_message`: the
 * header is that of a message, so the rules of RFC 5322 §3.6 on repeated fields are looked at too. Findings go to *flags. */
void mime_content_read(struct mime_part *part, struct str header, bool whole_message, bool digest, struct arena *a,
		       unsigned *flags);

/* Make it a part of which nobody knows the inside. */
void mime_content_opaque(struct mime_part *part);

#endif
