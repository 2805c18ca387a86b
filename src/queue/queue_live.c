/* queue/queue_live.c - the options that change while the queue runs. A round reads them once. */
#include "queue/queue_in.h"

void queue_set_live(struct queue *q, const struct queue_live *live)
{
	struct queue_live *copy = ARENA_NEW(q->arena, struct queue_live); /* kept: rounds that began look at the old ones */

	*copy = *live;
	copy->hostname = arena_dup(q->arena, live->hostname.n ? live->hostname : q->o.hostname);
	copy->relay = arena_dup(q->arena, live->relay);
	copy->filter = arena_dup(q->arena, live->filter);
	copy->site_first = live->site_first ? live->site_first : q->o.site_first;
	copy->site_connections = live->site_connections ? live->site_connections : q->o.site_connections;
	atomic_store(&q->live, copy);
}

struct queue_live queue_live(const struct queue *q)
{
	const struct queue_live *live = atomic_load(&q->live);

	return live ? *live
		    : (struct queue_live){ .hostname = q->o.hostname,
					   .relay = q->o.relay,
					   .filter = q->o.filter,
					   .retry_first_ms = q->o.retry_first_ms,
					   .retry_max_ms = q->o.retry_max_ms,
					   .expire_ms = q->o.expire_ms,
					   .delay_warning_ms = q->o.delay_warning_ms,
					   .site_first = q->o.site_first,
					   .site_connections = q->o.site_connections };
}

void queue_set_trace(struct queue *q, uint64_t octets, int64_t keep_ms)
{
	queue_trace_set(q->trace, octets, keep_ms);
}
