/* directory/throttle.h - failures to sign in make whoever fails wait, and nobody else.
 *
 * Counted are (source, account) and the source alone, where a source is an IPv4 address or an IPv6 /64 (source.h):
 *
 *   pair    LIMIT_SIGNIN_FREE failures cost nothing; after that the wait doubles with each, from one second to
 *           LIMIT_SIGNIN_WAIT. Success forgets the pair, so does an hour without a failure.
 *   source  the same from LIMIT_SIGNIN_FREE_SOURCE on, to LIMIT_SIGNIN_WAIT_SOURCE: one who tries a password on many
 *           accounts. It forgets one failure each THROTTLE_DRAIN_MS; success of one account forgets nothing here, or
 *           whoever has one could go on guessing at others.
 *   known   a pair that signed in within THROTTLE_KNOWN_MS: the source alone does not count, and the pair waits only
 *           from LIMIT_SIGNIN_FREE_KNOWN on, LIMIT_SIGNIN_WAIT_KNOWN at most. So whoever sits behind the same address
 *           cannot keep the owner out, and guesses at most some hundred passwords in an hour. Its failures are a device
 *           with an old password, more often than not, and do not count against the source.
 *
 * An account alone is never counted: failures from elsewhere, however many, do not keep its owner out. What is kept has
 * fixed sizes and secret hashes as keys; when a set is full, the entry that was quiet longest makes room.
 *
 * Thread-safe. Times in milliseconds of any steady clock.
 */
#ifndef DIRECTORY_THROTTLE_H
#define DIRECTORY_THROTTLE_H

#include "base/str.h"

#define THROTTLE_DRAIN_MS ((int64_t)30 * 1000)
#define THROTTLE_KNOWN_MS ((int64_t)30 * 24 * 3600 * 1000)

struct throttle;

struct throttle *throttle_new(void);
void             throttle_free(struct throttle **t);

/* How long this pair still has to wait; 0: may try. */
int64_t throttle_wait_ms(struct throttle *t, uint64_t network, struct str account, int64_t now_ms);
void    throttle_failed(struct throttle *t, uint64_t network, struct str account, int64_t now_ms);
void    throttle_succeeded(struct throttle *t, uint64_t network, struct str account, int64_t now_ms);
bool    throttle_known(struct throttle *t, uint64_t network, struct str account, int64_t now_ms);

#endif
