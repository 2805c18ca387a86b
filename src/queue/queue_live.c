/* queue/queue_live.c - the options that change while the queue runs: relay and times. A round reads them once. */
#include "queue/queue_in.h"

void queue_set_live(struct queue *q, const struct queue_live *live)
{
	struct queue_live *copy = ARENA_NEW(q->arena, struct queue_live); /* kept: rounds that began look at the old ones */

	*copy = *live;
	copy->relay = arena_dup(q->arena, live->relay);
	atomic_store(&q->live, copy);
}

struct queue_live queue_live(const struct queue *q)
{
	const struct queue_live *live = atomic_load(&q->live);

	return live ? *live
		    : (struct queue_live){ .relay = q->o.relay,
					   .retry_first_ms = q->o.retry_first_ms,
					   .retry_max_ms = q->o.retry_max_ms,
					   .expire_ms = q->o.expire_ms };
}

void queue_set_trace(struct queue *q, uint64_t octets, int64_t keep_ms)
{
	queue_trace_set(q->trace, octets, keep_ms);
}
