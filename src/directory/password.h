/* directory/password.h - hashes of passwords: made with Argon2id, imported ones verified by crypt(3).
 *
 * Stored form: "{ARGON2ID}$argon2id$..." (libsodium's string) or "{CRYPT}$..." (a crypt(3) string). Given one of these
 * instead of a password, password_hash() takes it over as it is, after looking at its shape and its cost.
 *
 * Thread-safe; each call takes the cost's memory for its time.
 */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H

#include "base/limits.h"
#include "base/status.h"
#include "base/str.h"

/* 19 MiB and two passes: about 20 ms of one core, so that a small machine verifies some 50 in a second. */
#define PASSWORD_OPS    2u
#define PASSWORD_MEMORY ((size_t)19 * MIB)

struct password_cost {
	unsigned ops;
	size_t   memory_octets;
};

struct password_hash {
	size_t n;
	char   p[LIMIT_PASSWORD_HASH];
};

/* Before the others; again does no harm. */
MUST_CHECK enum status password_init(void);

/* ST_INVALID: empty, over LIMIT_PASSWORD, with a NUL, or an imported hash that is unknown or too costly to verify;
 * ST_TEMP: no memory. */
MUST_CHECK enum status password_hash(const struct password_cost *cost, struct str password, struct password_hash *ret);

/* Does it look like a stored form ("{ARGON2ID}...", "{CRYPT}..."), which is taken over and no password? */
bool password_is_hash(struct str password);

/* False also for a stored form that is none. Takes as long for a wrong password as for the right one. */
MUST_CHECK bool password_verify(struct str stored, struct str password);

#endif
