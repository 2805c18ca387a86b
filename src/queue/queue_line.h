/* queue/queue_line.h - a line in which every sender has a lane: stochastic fair queueing (P. McKenney, "Stochastic fairness queueing",
 * INFOCOM 1990).
 *
 * A message has the number of its sender's lane for life (queue_lane_of). Of those of the highest priority (RFC 6710) that wait, the lanes
 * take turns, and each is in order of arrival: 20,000 messages of one sender stand before another's one for a single turn, unless the
 * two senders share a lane, which is one chance in 255. On disk the same number is in the index by which due messages are read.
 *
 * A line owns no entry, only its own bands: entries are parts of what waits. Not thread-safe.
 * Tests: tests/unit/test_queue_line.c.
 */
#ifndef QUEUE_QUEUE_LINE_H
#define QUEUE_QUEUE_LINE_H

#include "base/str.h"

#define QUEUE_LANES        256u
#define QUEUE_LANE_REPORTS 0u /* our own reports: nobody's flood delays them, and theirs delays nobody's mail */

struct queue_wait { /* an entry */
	struct queue_wait *before, *after; /* in its lane, a ring */
	int32_t            priority;
	uint32_t           lane;
	bool               waits; /* it is in a line */
};

struct queue_band;
struct queue_line { /* all zero: empty */
	struct queue_band *bands; /* one for each priority that waits, the highest first */
	unsigned           count;
};

/* Nobody waits any more, as far as this line knows. */
void queue_line_done(struct queue_line *l);
/* Behind the others of its priority and lane; `first`: before them. It waits nowhere else. */
void queue_line_put(struct queue_line *l, struct queue_wait *w, bool first);
/* Whose turn it is; NULL: nobody waits. */
struct queue_wait *queue_line_first(const struct queue_line *l);
/* Take that one; the next turn is another lane's. NULL: nobody waits. */
struct queue_wait *queue_line_take(struct queue_line *l);
/* Out of its turn; nothing if it does not wait. */
void queue_line_remove(struct queue_line *l, struct queue_wait *w);
/* How many wait in a lane, of all priorities. */
unsigned queue_line_lane(const struct queue_line *l, uint32_t lane);

/* The lane of a message: of the signed-in account; else of whoever the sender says it is. `from` "" from outside: of the peer, as it is
 * nobody's. A stranger may call himself many names; how much he may hand in is limited at the door. Of the local part only the letters
 * that it begins with count, so that a list with an address for each recipient (VERP, BATV, SRS) is one sender. Not QUEUE_LANE_REPORTS. */
uint32_t queue_lane_of(uint64_t account, struct str from, struct str peer);

#endif
