/* queue/queue_why.h - why a recipient waits, and until then, in words: from what the tables say. Pure.
 */
#ifndef QUEUE_QUEUE_WHY_H
#define QUEUE_QUEUE_WHY_H

#include "base/arena.h"
#include "ipc/msg_queue.h"

struct queue_waits { /* of a message */
	const struct queue_show_reply *show; /* all but the recipients */
	int64_t                        due, deliver_by, entered; /* queue time; due 0: none, deliver_by 0: none */
	int64_t                        delay_warning_ms;         /* negative: none */
	int64_t                        last_ms;                  /* wall clock: its last round was over */
	uint32_t                       warned;                   /* enum queue_warned */
};

/* One line; static or in `a`. "" for one that is done or has failed. */
struct str queue_why(struct arena *a, const struct queue_waits *w, const struct queue_show_rcpt *r);

#endif
