/* wire/mime/mime_param.h - parameters of Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2231). For wire/mime only. */
#ifndef WIRE_MIME_MIME_PARAM_H
#define WIRE_MIME_MIME_PARAM_H

#include "wire/mime/mime.h"

struct mime_params {
	struct mime_param *items; /* in the arena */
	size_t             count;
};

/* Parse *(";" parameter), the rest of a field behind its first value. Of two with one name the first stays, but the
 * extended form (RFC 2231) goes before the plain one. Adds to *flags: MIME_FLAG_DUP_PARAM, MIME_FLAG_LIMIT,
 * MIME_FLAG_BAD_BOUNDARY (a boundary in the extended form) and `bad` for what is not of the grammar. */
struct mime_params mime_params_parse(struct str s, struct arena *a, unsigned bad, unsigned *flags);

/* NULL if there is none of that name. */
const struct mime_param *mime_param_find(const struct mime_param *items, size_t count, struct str name);

#endif
