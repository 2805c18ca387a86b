/* wire/smtp/smtp_bdat.h - the argument of BDAT, and the content that its chunks carry.
 *
 * Grammar, RFC 3030 §2:
 *   bdat = "BDAT" SP chunk-size [ SP "LAST" ] CRLF        chunk-size = 1*DIGIT, here at most 20
 *
 * Chunks are octets, counted; a dot is a dot and there is no end to be found in them. But what is stored has one form (CRLF only), so
 * they pass a canonicaliser: octets in, in pieces of any size, over the borders of chunks; canonical runs out.
 *
 *   strict (default)  bare CR, bare LF and NUL pass unchanged and set a flag; the caller refuses the message when one is set
 *   normalise         a bare CR or LF becomes CRLF, the flags are set all the same. NUL passes and sets its flag
 *
 * A last line without CRLF gets one at the end. A CR that ends a chunk is held until the next one shows what it is.
 *
 * Pure: no I/O, no allocation, no clock. Tests: tests/unit/test_smtp_bdat.c, tests/fuzz/fuzz_smtp_bdat.c.
 */
#ifndef WIRE_SMTP_SMTP_BDAT_H
#define WIRE_SMTP_SMTP_BDAT_H

#include "wire/smtp/smtp_data.h"

struct smtp_bdat {
	uint64_t octets;
	bool     last;
};

/* `arg`: what stands behind "BDAT ". *ret is written only if it is true. */
MUST_CHECK bool smtp_bdat_parse(struct str arg, struct smtp_bdat *ret);

struct smtp_chunk {
	bool normalise;
	bool middle;                /* of a line: something but its end was handed on */
	bool cr;                    /* the last octet was a CR, not handed on yet */
	bool bare_cr, bare_lf, nul; /* was seen */
};

void smtp_chunk_init(struct smtp_chunk *c, bool normalise);
/* Hand on what `in` gives. A run borrows from `in` or is static; it is never empty. */
void smtp_chunk_feed(struct smtp_chunk *c, struct str in, smtp_data_fn out, void *ctx);
/* The content is complete. */
void smtp_chunk_end(struct smtp_chunk *c, smtp_data_fn out, void *ctx);

#endif
