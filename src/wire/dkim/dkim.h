/* wire/dkim/dkim.h - what all of DKIM shares: algorithms, canonicalisations, where octets go.
 *
 * RFC 6376, with Ed25519 by RFC 8463 and without SHA-1 by RFC 8301. What is here is for signing and for verifying alike.
 *
 * Pure: no I/O, clock or globals. Tests: tests/unit/test_dkim.c, tests/fuzz/fuzz_dkim.c.
 */
#ifndef WIRE_DKIM_DKIM_H
#define WIRE_DKIM_DKIM_H

#include "base/limits.h"
#include "base/str.h"

#define DKIM_HASH ((size_t)32) /* SHA-256, the only one there is */

enum dkim_algorithm { /* stored */
	DKIM_RSA_SHA256,
	DKIM_ED25519_SHA256, /* RFC 8463 */
	DKIM_ALGORITHM_LAST = DKIM_ED25519_SHA256,
};

enum dkim_canon {
	DKIM_SIMPLE,
	DKIM_RELAXED,
	DKIM_CANON_LAST = DKIM_RELAXED,
};

/* Takes octets in the order in which they are to be hashed. */
typedef void dkim_sink(void *ctx, struct str octets);

/* "rsa-sha256", of the tag a=; "rsa", of the tag k=; "relaxed", of the tag c=. Static text. */
struct str dkim_algorithm_name(enum dkim_algorithm a);
struct str dkim_key_name(enum dkim_algorithm a);
struct str dkim_canon_name(enum dkim_canon c);

#endif
