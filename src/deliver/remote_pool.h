/* deliver/remote_pool.h - sessions that wait for another message to the same host.
 *
 *   delivery --put--> idle --take--> delivery
 *                     idle --time over, or no room--> QUIT said, its reply is waited for --> closed
 *
 * No delivery waits for a session to end: a thread of the pool's own says QUIT and closes, for those that waited too long and for those that
 * are of no use any more. It runs from the first session on, sleeps while there is none, and else looks around every TICK_MS.
 *
 * A session is kept if it is in step, younger than LIMIT_REMOTE_SESSION_MS, and its peer takes another transaction (RFC 9422 MAILMAX). It is
 * only taken for a target with the same key, and only if the peer has not said anything meanwhile (421, or the end). That it is there still
 * shows when MAIL is answered (remote_session.reused).
 *
 * Bounded: LIMIT_REMOTE_IDLE, LIMIT_REMOTE_IDLE_HOST, LIMIT_REMOTE_CLOSING. Thread-safe.
 */
#ifndef DELIVER_REMOTE_POOL_H
#define DELIVER_REMOTE_POOL_H

#include "deliver/remote_session.h"

#define REMOTE_IDLE_MS 3000u /* a session waits so long for another message */

struct remote_pool *remote_pool_new(unsigned idle_ms);
/* From now on nothing is kept. Sessions that wait say QUIT, and their peers have up to grace_ms to answer. */
void remote_pool_stop(struct remote_pool *p, unsigned grace_ms);
void remote_pool_free(struct remote_pool **p); /* stops; nobody may be using it */

/* Says all that a session depends on: host, address, port, protocol, policy, our address, name and login. */
struct str remote_pool_key(struct arena *a, const struct remote_target *t, const struct remote_policy *policy, const struct hop *hop,
			   struct str helo);
/* NULL: there is none, or `p` is NULL. The caller attaches it. */
struct remote_session *remote_pool_take(struct remote_pool *p, struct str key);
/* The delivery is through with it; *s becomes NULL. Without a pool it is closed. */
void remote_pool_put(struct remote_pool *p, struct remote_session **s);

#endif
