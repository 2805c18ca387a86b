/* wire/dkim/dkim_field.h - the DKIM-Signature field and the key record, printed.
 *
 *   DKIM-Signature: v=1; a=; c=; d=; s=; t=; [x=;] h=; bh=; b=          RFC 6376 §3.5
 *   selector._domainkey.domain TXT v=DKIM1; k=; p=                      RFC 6376 §3.6.1, RFC 8463 §4
 *
 * l= is never printed: what is added behind a part that is signed would be believed with it (RFC 6376 §8.2). i= is not either: it would
 * say of whom, which the From field does.
 */
#ifndef WIRE_DKIM_DKIM_FIELD_H
#define WIRE_DKIM_DKIM_FIELD_H

#include "base/buf.h"
#include "wire/dkim/dkim.h"

#define DKIM_FIELD_COLUMNS 78u

struct dkim_field {
	enum dkim_algorithm algorithm;
	enum dkim_canon     header, body;
	struct str          domain, selector; /* A-labels */
	struct str          names;            /* h=, with colons */
	struct str          body_hash;        /* octets */
	struct str          signature;        /* octets; "" gives the form that is signed */
	int64_t             time_s;           /* t= */
	int64_t             expires_s;        /* x=; 0: none */
};

/* Append the field with its CRLF, in lines of at most DKIM_FIELD_COLUMNS where there is a place to fold. With and without a signature the
 * octets before its value are the same. */
void dkim_field_print(const struct dkim_field *f, struct buf *out);

/* Append the text of the record. `key`: RSA: SubjectPublicKeyInfo as DER; Ed25519: 32 octets. */
void dkim_record_print(enum dkim_algorithm a, struct str key, struct buf *out);

#endif
