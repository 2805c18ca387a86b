/* deliver/remote_way.h - which target of a route is spoken to next, and a connection to it.
 *
 * Targets come in the order of their route, those that took no connection of late behind all others (remote_hosts.h); whom its policy rules out
 * is passed over. One for which a session waits is at once the next; to the others connections are made, beside each other where one is slow
 * (remote_race.h). Before one is started, those under way are looked at once more, as looking for it takes its time: lookups as long as DNS
 * takes, a policy that must be fetched beside_ms, and a target for which that is too short waits until one of them has failed. Whoever wins is given
 * to the caller; of the others, the slow ones are suspect from then on and stand at the end, and one that had no time yet stands in front, for the
 * case that the winner is of no use.
 */
#ifndef DELIVER_REMOTE_WAY_H
#define DELIVER_REMOTE_WAY_H

#include "deliver/remote_policy.h"
#include "deliver/remote_route.h"
#include "deliver/remote_session.h"

struct remote_way {
	const struct remote_target *target;
	struct remote_policy       *policy;
	struct remote_session      *kept; /* from the pool, to be attached; NULL: */
	int                         fd;   /* connected; -1 after the session has it */
};

struct remote_ways {
	const struct remote                 *remote;
	const struct remote_deliver_request *q;
	struct arena                        *arena;
	int64_t                              deadline_ms;
	/* Told of each target that cannot be connected to, and, with no name, of each that is passed over. `asked`: it is the target's doing. */
	void (*failed)(void *ctx, struct str name, bool asked, struct remote_outcome why);
	/* A slow one lost the race. */
	void (*slow)(void *ctx, struct str name, int64_t ms);
	void *ctx;
	const struct remote_asker *asker; /* once gone, nothing more is connected to; NULL: he stays */
	bool  probe; /* strangers set it off: nothing bad is remembered, and the one try that a suspect has is left to a delivery */

	struct remote_route         route;
	const struct remote_target *again;                         /* the next: had no time yet, or no policy; NULL: none */
	const struct remote_target *later[LIMIT_REMOTE_ADDRESSES]; /* suspects */
	size_t                      later_count;
	unsigned                    connects; /* that were begun */
};

/* The members up to `route` are set. False: there is nowhere to go, *ret_why. */
MUST_CHECK bool remote_ways_open(struct remote_ways *w, struct remote_outcome *ret_why);
/* The next one; what *ret holds is the caller's. False: no target is left, the deadline is over, or the asker is gone. */
MUST_CHECK bool remote_ways_next(struct remote_ways *w, struct remote_way *ret);
/* A session from the pool that may be used for a target under this policy, to be attached; or NULL. */
struct remote_session *remote_ways_kept(const struct remote_ways *w, const struct remote_target *target, const struct remote_policy *policy);

#endif
