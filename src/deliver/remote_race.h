/* deliver/remote_race.h - connections to several addresses, tried beside each other: RFC 8305 §5, as far as it suits mail.
 *
 *   start --> UNDER WAY --connected--> WON: the caller has it, and remote_race_end() closes the others
 *                       --refused, or over its time--> LOST: the caller has it, and starts the next
 *                       --no answer for beside_ms--> SLOW: the next is started beside it, and it stays under way
 *
 * One that connects wins, whatever it answers afterwards: that is no matter of the race.
 *
 * How long is slow: remote_timeouts.beside_ms, 2 s, the longest delay of RFC 8305 §8. A browser waits 250 ms, as somebody looks at it; here a
 * connection too many, to a host that would have answered, costs more than a second. In 2 s a SYN may be lost once (the next is sent after 1 s,
 * RFC 6298 §2) and the round trip last a second.
 *
 * Bounded: LIMIT_REMOTE_BESIDE of one race, LIMIT_REMOTE_BESIDE_ALL of the process that are beside another: with no place a race goes on with
 * what it has until something happens to one of those. Who has nothing beside it holds no place, however long it takes: hosts that are down do
 * not use them up by being tried. Nobody polls: who races sleeps in poll(2). A race belongs to one thread.
 */
#ifndef DELIVER_REMOTE_RACE_H
#define DELIVER_REMOTE_RACE_H

#include "deliver/remote_route.h"

struct remote_connect_why {
	int  err;    /* errno */
	bool source; /* it is about the address that we were to connect from */
	bool ours;   /* it is about ourselves (no way to it, no port, no descriptor), the target was not asked */
};

struct remote_policy;

struct remote_attempt {
	const struct remote_target *target;
	struct remote_policy       *policy; /* the caller's, of the target */
	int                         fd;
	int64_t                     began_ms, until_ms;
};

struct remote_race { /* { .beside_ms = ... } to begin with */
	struct remote_attempt attempts[LIMIT_REMOTE_BESIDE]; /* in the order of their start */
	size_t                count;
	size_t                places; /* of LIMIT_REMOTE_BESIDE_ALL */
	unsigned              beside_ms;
};

enum remote_race_event { REMOTE_RACE_WON, REMOTE_RACE_LOST, REMOTE_RACE_SLOW };

/* May another be started, now or when all are slow, if there is a place? */
bool remote_race_room(const struct remote_race *race);
/* The place for one more; the first needs none. False: there is none, or no room. A place that no attempt was started in is given back in
 * remote_race_wait() and remote_race_end(). */
MUST_CHECK bool remote_race_place(struct remote_race *race);
/* All that are under way are slow; also if there are none. */
bool remote_race_slow(const struct remote_race *race);
bool remote_attempt_slow(const struct remote_race *race, const struct remote_attempt *attempt);
/* Only in a place. From the address `source` ("": the system's choice; never another than asked for). False: it failed at once, *ret_why. */
MUST_CHECK bool remote_race_start(struct remote_race *race, const struct remote_target *target, struct remote_policy *policy, struct str source,
				  unsigned timeout_ms, struct remote_connect_why *ret_why);
/* Sleep until something happens to one of those under way (there is one). WON, LOST: *ret is no more in the race; its descriptor is connected and
 * does not block, or closed and *ret_why says why. SLOW comes only if `more`: the caller has another to start. */
enum remote_race_event remote_race_wait(struct remote_race *race, bool more, struct remote_attempt *ret, struct remote_connect_why *ret_why);
/* The same for who has something else to do: without sleeping, is one connected? *ret as for WON. */
MUST_CHECK bool remote_race_won(struct remote_race *race, struct remote_attempt *ret);
/* Close what is under way. */
void remote_race_end(struct remote_race *race);

#endif
