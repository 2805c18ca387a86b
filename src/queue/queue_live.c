/* queue/queue_live.c - the options that change while the queue runs. Each step reads them as they are then. */
#include "queue/queue_in.h"

static const struct queue_pipe *pipes_copy(struct arena *a, const struct queue_live *live)
{
	struct queue_pipe *pipes = ARENA_ARRAY(a, struct queue_pipe, live->pipe_count);

	for (size_t i = 0; i < live->pipe_count; i++)
		pipes[i] = (struct queue_pipe){ arena_dup(a, live->pipes[i].name), MAX(live->pipes[i].recipients, 1u), live->pipes[i].runs };
	return pipes;
}

void queue_set_live(struct queue *q, const struct queue_live *live)
{
	struct queue_live *copy = ARENA_NEW(q->arena, struct queue_live); /* kept: rounds that began look at the old ones */

	*copy = *live;
	copy->hostname = arena_dup(q->arena, live->hostname.n ? live->hostname : q->o.hostname);
	copy->relay = arena_dup(q->arena, live->relay);
	copy->filter = arena_dup(q->arena, live->filter);
	copy->pipes = pipes_copy(q->arena, live);
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

struct str queue_relay_setting(const struct queue *q)
{
	const struct queue_live live = queue_live(q);

	return live.relay.n > 0 ? live.relay : STR("");
}
