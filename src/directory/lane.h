/* directory/lane.h - a few threads that do what is slow, in order, with a bounded queue and a share per source.
 *
 * Thread-safe.
 */
#ifndef DIRECTORY_LANE_H
#define DIRECTORY_LANE_H

#include "base/status.h"

#define LANE_NO_SOURCE UINT64_MAX /* has no share to keep to */

struct lane;

/* Part of the caller's own struct; owned by the lane from submit until run() is called, which may free it. */
struct lane_job {
	void (*run)(struct lane_job *job);
	struct lane_job *next;
	uint64_t         source;
	bool             favoured; /* goes before the others, into places kept for it when the queue is full for them */
};

/* `threads` at once, `backlog` waiting and `reserve` more that are favoured, of all at most `share` for one source. */
struct lane *lane_new(unsigned threads, unsigned backlog, unsigned reserve, unsigned share);
/* Runs what waits, then ends the threads. Nobody may submit any more. */
void lane_free(struct lane **l);

/* ST_BUSY: full, or the source's share is used up; the job is then still the caller's. */
MUST_CHECK enum status lane_submit(struct lane *l, struct lane_job *job);

#endif
