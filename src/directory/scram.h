/* directory/scram.h - what is stored of a password for SCRAM, and the check of a proof (RFC 5802 §3, RFC 7677).
 *
 * From a verifier one can check a client, but not sign in as it. Guessing passwords against a stolen one costs
 * `iterations` HMACs each, much less than against Argon2: the hash in password.h stays the stronger one.
 *
 * With SCRAM_ITERATIONS both verifiers take about 10 ms of one core, paid when a password is set, and by the client at each
 * sign-in, never by us then. RFC 7677 §4: 4096 at least.
 *
 * Thread-safe.
 */
#ifndef DIRECTORY_SCRAM_H
#define DIRECTORY_SCRAM_H

#include "base/str.h"
#include "ipc/msg_auth.h"

#define SCRAM_ITERATIONS     10000u
#define SCRAM_ITERATIONS_LAB 4096u
#define SCRAM_SALT           ((size_t)16)
#define SCRAM_OCTETS         ((size_t)32) /* of the longest hash */

struct scram_key {
	uint8_t salt[SCRAM_SALT];
	uint8_t stored[SCRAM_OCTETS], server[SCRAM_OCTETS]; /* StoredKey, ServerKey: scram_octets() of each are used */
};

struct scram_keys {
	uint32_t         iterations; /* 0: there are none */
	struct scram_key key[AUTH_SCRAM_LAST + 1];
};

size_t scram_octets(enum auth_scram_hash hash);

/* One verifier; `password` is prepared (sasl_prep), the salt at most SCRAM_SALT long. */
void scram_key_make(enum auth_scram_hash hash, struct str password, struct str salt, uint32_t iterations,
		    struct scram_key *ret);
/* One for each hash, with new salts. */
void scram_keys_make(struct str password, uint32_t iterations, struct scram_keys *ret);

/* Is it the proof of one who knows the password? Then the server's signature is in ret_signature. The time it takes tells
 * nothing. */
MUST_CHECK bool scram_check(enum auth_scram_hash hash, const struct scram_key *key, struct str auth_message, struct str proof,
			    uint8_t ret_signature[SCRAM_OCTETS]);

#endif
