/* wire/mime/mime_field.h - the field iterator with its findings, and the scan of all octets. For wire/mime only. */
#ifndef WIRE_MIME_MIME_FIELD_H
#define WIRE_MIME_MIME_FIELD_H

#include "wire/mime/mime.h"

/* As mime_field_next; what is odd is added to *flags. */
bool mime_field_scan(struct str *rest, struct mime_field *ret, unsigned *flags);
/* Octets of the first line with its line end; *ret_content without it. 0 at the end. */
size_t mime_field_line(struct str s, struct str *ret_content);
/* The part of a header that is parsed. */
struct str mime_field_bounded(struct str header);

#endif
