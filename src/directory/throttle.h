/* directory/throttle.h - failures to sign in, counted per (source network, account), each with a longer wait.
 *
 * The first LIMIT_SIGNIN_FREE failures cost nothing; after that the wait doubles with each, from one second to
 * LIMIT_SIGNIN_WAIT. Success forgets the pair, so does an hour without a failure. Nobody is kept out from another
 * network. The table has a fixed size; when a set is full, the entry that was quiet longest makes room.
 *
 * Thread-safe. Times in milliseconds of any steady clock.
 */
#ifndef DIRECTORY_THROTTLE_H
#define DIRECTORY_THROTTLE_H

#include "base/str.h"

struct throttle;

struct throttle *throttle_new(void);
void             throttle_free(struct throttle **t);

/* How long this pair still has to wait; 0: may try. */
int64_t throttle_wait_ms(struct throttle *t, uint64_t network, struct str account, int64_t now_ms);
void    throttle_failed(struct throttle *t, uint64_t network, struct str account, int64_t now_ms);
void    throttle_succeeded(struct throttle *t, uint64_t network, struct str account);

#endif
