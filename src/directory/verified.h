/* directory/verified.h - passwords that were right a few minutes ago, so that the next sign-in costs no hash.
 *
 * Kept is a MAC of (account, generation, password) under a key made at the start, never the password. The generation is
 * the account's: it changes with the password, so an old password cannot come back. The table has a fixed size.
 *
 * Thread-safe.
 */
#ifndef DIRECTORY_VERIFIED_H
#define DIRECTORY_VERIFIED_H

#include "base/str.h"

#define VERIFIED_MS ((int64_t)10 * 60 * 1000)

struct verified;

struct verified *verified_new(void);
void             verified_free(struct verified **v); /* wipes */

bool verified_find(struct verified *v, uint64_t account, uint64_t generation, struct str password, int64_t now_ms);
void verified_put(struct verified *v, uint64_t account, uint64_t generation, struct str password, int64_t now_ms);
void verified_drop(struct verified *v, uint64_t account);

#endif
