/* wire/dkim/dkim_canon.h - the two canonicalisations, RFC 6376 §3.4.
 *
 *            header                                            body
 *   simple   as it is                                          empty lines at the end go; an empty body is one CRLF
 *   relaxed  name in lower case, unfolded, runs of blanks are  runs of blanks are one space, those at the end of a line
 *            one space, none at the ends                       go, then as simple; an empty body is nothing
 *
 * A line ends in CRLF. A CR or LF alone is an octet like any other: what is signed or verified has none.
 *
 * Pure: any split of the body into chunks gives the same octets. Memory does not grow with the message.
 */
#ifndef WIRE_DKIM_DKIM_CANON_H
#define WIRE_DKIM_DKIM_CANON_H

#include "base/buf.h"
#include "wire/dkim/dkim.h"

struct dkim_body {
	enum dkim_canon canon;
	dkim_sink      *sink;
	void           *ctx;
	uint64_t        ends;   /* line ends that wait: they count only if something follows them */
	bool            cr;     /* the last octet was a CR */
	bool            blank;  /* relaxed: blanks wait */
	bool            any;    /* something was given to the sink */
};

void dkim_body_init(struct dkim_body *b, enum dkim_canon canon, dkim_sink *sink, void *ctx);
void dkim_body_add(struct dkim_body *b, struct str chunk);
void dkim_body_end(struct dkim_body *b);

/* Append one header field, canonical, with its CRLF. `whole` is the field as in the message: name, colon, value, the lines that
 * continue it; its last CRLF may be missing. A field without a colon is nothing. */
void dkim_header_field(enum dkim_canon canon, struct str whole, struct buf *out);

#endif
