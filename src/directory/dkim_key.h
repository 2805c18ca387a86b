/* directory/dkim_key.h - one key that signs: made, read, printed, used.
 *
 * Thread-safe: a key does not change; who uses one holds a reference. The private part is given out by dkim_key_secret alone, for the
 * database.
 */
#ifndef DIRECTORY_DKIM_KEY_H
#define DIRECTORY_DKIM_KEY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "wire/dkim/dkim.h"

#define DKIM_RSA_BITS 2048u

struct dkim_key; /* counted */

/* Slow: RSA takes a tenth of a second, with 4096 bits up to some. ST_INVALID: a size out of LIMIT_DKIM_RSA_MIN to _MAX. */
MUST_CHECK enum status dkim_key_make(enum dkim_algorithm a, unsigned bits, struct dkim_key **ret);
/* A private key as PEM (PKCS#1, PKCS#8, without a password) or DER (PKCS#8). ST_INVALID: it is none, or RSA out of the limits, or of another
 * kind. */
MUST_CHECK enum status dkim_key_read(struct str text, struct dkim_key **ret);
struct dkim_key *dkim_key_ref(struct dkim_key *k);
void             dkim_key_free(struct dkim_key **k); /* gives the reference up; NULL inside is fine */

enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *k);
unsigned            dkim_key_bits(const struct dkim_key *k);
/* PKCS#8 DER, in a wiping arena. */
struct str dkim_key_secret(const struct dkim_key *k, struct arena *secret);
/* The text of its TXT record. */
void dkim_key_record(const struct dkim_key *k, struct buf *out);
/* Sign the octets of a canonical header. ST_IO: the library refuses. */
MUST_CHECK enum status dkim_key_sign(const struct dkim_key *k, struct str input, struct buf *ret_signature);

#endif
