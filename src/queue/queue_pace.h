/* queue/queue_pace.h - how much at once, and how often: the arithmetic of a destination.
 *
 * Concurrency, after W. Venema and V. Duchovni, Postfix SCHEDULER_README, "Concurrency scheduling": a success widens the window by
 * 1/window, a failure narrows it by 1/window, so that a cohort (as many deliveries as the window is wide) moves it by one. Successes count
 * when a whole one has come together; failures the other way round (the reversed hysteresis): the first of a cohort narrows at once, the
 * rest of its cohort nothing more. Fixed steps of one would swing so wide that a host which limits connections defers half of the mail.
 *
 * Beyond that, a failure while others go on is not laid at the message's door. Nothing new is started until one of the others has ended
 * (`hold`), and the caller may keep the one that failed in its line. If that other one succeeds, the host takes so many at once and no more:
 * the window stays there (`cap`) for some minutes, then one more is tried. So nothing is deferred at all where a host limits connections.
 *
 * A whole cohort that failed, with no success between, takes the window to one. Dead is a destination after QUEUE_PACE_DEAD more failed
 * cohorts there.
 *
 * Rates: N messages in S seconds, kept in any S seconds. A tenth of N (at least one) may go at once, the rest evenly: the generic cell rate
 * algorithm (ITU-T I.371); so in the long run a tenth of the rate is not used. A full bucket of N, emptied at once after a quiet hour and refilled in the next, would be twice the rate in some
 * hour; and even spacing alone makes five messages to one provider wait for minutes without need.
 *
 * Pure: time comes from the caller, in milliseconds. Tests: tests/unit/test_queue_pace.c.
 */
#ifndef QUEUE_QUEUE_PACE_H
#define QUEUE_QUEUE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_PACE_DEAD   2      /* failed cohorts at a window of one */
#define QUEUE_PACE_CAP_MS 300000 /* so long a host is believed that it takes no more at once */
#define QUEUE_PACE_CAP_SHORT_MS 30000 /* the same, when fewer were under way than might have been: it may have been chance */

struct queue_pace {
	unsigned first, ceiling; /* where the window begins, how far it may go: 1 or more */
	unsigned window;         /* so many at once */
	unsigned hold;           /* 0: none, else so many until one of them ends */
	bool     full;           /* then the window was full */
	unsigned cap;            /* 0: none, else not beyond until cap_until */
	int64_t  cap_until;
	double   success, failure; /* parts of a cohort, since the last step */
	double   cohorts;          /* failed since the last success */
	double   last;             /* failed of them at a window of one */
};

void queue_pace_init(struct queue_pace *p, unsigned first, unsigned ceiling);
/* Settings or the route have changed. */
void queue_pace_limit(struct queue_pace *p, unsigned first, unsigned ceiling);
/* A delivery ended with an answer; `now` others go on. */
void queue_pace_success(struct queue_pace *p, unsigned now, int64_t at_ms);
/* It ended in trouble. True: the destination is dead. With `hold` set afterwards it was perhaps only one too many. */
bool queue_pace_failure(struct queue_pace *p, unsigned now, int64_t at_ms);
/* How many at once, now. */
unsigned queue_pace_window(const struct queue_pace *p, int64_t at_ms);

#define QUEUE_RATE_S_MAX 2592000u /* 30 days: longer ones are cut */

struct queue_rate {
	uint32_t n, s; /* n 0: no limit */
	int64_t  full_us; /* theoretical arrival time of the next, in microseconds of the caller's clock */
};

void queue_rate_set(struct queue_rate *r, uint32_t n, uint32_t s);
/* When the next may start: `at_ms` or later. */
int64_t queue_rate_next(const struct queue_rate *r, int64_t at_ms);
/* When the one after `ahead` others may. */
int64_t queue_rate_after(const struct queue_rate *r, uint64_t ahead, int64_t at_ms);
/* How many may start from `at_ms` until then. */
unsigned queue_rate_within(const struct queue_rate *r, int64_t at_ms, int64_t until_ms);
/* One starts. */
void queue_rate_take(struct queue_rate *r, int64_t at_ms);

#endif
