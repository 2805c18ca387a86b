/* role/role_queue.c - the queue: sole owner of every accepted message until it is delivered. */
#include "base/metric.h"
#include "db/db.h"
#include "queue/queue.h"
#include "role/config_filter.h"
#include "role/role.h"
#include "sys/sandbox.h"

static bool prepare(struct role *r, const char **ret_why)
{
	db_init();
	(void)r;
	(void)ret_why;
	return true;
}

static void reload(struct role *r)
{
	const struct config *c = r->config;

	queue_set_live(r->self, &(struct queue_live){
		.hostname = c->hostname,
		.relay = c->relay,
		.filter = config_content_relay(c),
		.retry_first_ms = (int64_t)c->retry_first_s * 1000,
		.retry_max_ms = (int64_t)c->retry_max_s * 1000,
		.expire_ms = (int64_t)c->expire_s * 1000,
		.delay_warning_ms = c->delay_warning_s ? (int64_t)c->delay_warning_s * 1000 : -1,
		.site_first = c->site_first,
		.site_connections = c->site_connections,
	});
	queue_set_trace(r->self, c->trace_octets, (int64_t)c->trace_keep_s * 1000);
}

static bool start(struct role *r, const char **ret_why)
{
	struct queue_options options = {
		.dir = role_root(r, "queue"),
		.root = "queue",
		.hostname = r->config->hostname,
		.watermark_octets = r->config->watermark_octets,
		.trace_octets = r->config->trace_octets,
		.trace_keep_ms = (int64_t)r->config->trace_keep_s * 1000,
	};
	struct queue *q;
	enum status   st = db_root("queue", options.dir);

	if (st == ST_OK)
		st = queue_open(&options, &q);
	if (st != ST_OK) {
		*ret_why = st == ST_VERSION ? "queue.db was written by a newer version of Postrider" : "queue.db cannot be opened";
		return false;
	}
	r->self = q;
	reload(r);
	ipc_pool(r->ipc, QUEUE_POOL, QUEUE_POOL_THREADS, QUEUE_POOL_BACKLOG);
	ipc_serve(r->ipc, queue_rows, queue_row_count, q);
	queue_start(q, r->ipc);
	return true;
}

static void measure(struct role *r)
{
	struct queue_stats_reply s;

	if (queue_stats(r->self, &s) != ST_OK)
		return;
	metric_set(METRIC_QUEUE_MESSAGES, s.messages);
	metric_set(METRIC_QUEUE_HELD, s.held);
	metric_set(METRIC_QUEUE_IN_FLIGHT, s.in_flight);
	metric_set(METRIC_QUEUE_SUBMITTED, s.submitted);
	metric_set(METRIC_QUEUE_DELIVERED, s.delivered);
	metric_set(METRIC_QUEUE_BOUNCED, s.bounced);
	metric_set(METRIC_QUEUE_FULL, s.full);
	metric_set(METRIC_QUEUE_SUSPECT, s.suspect);
}

static void stop(struct role *r, unsigned grace_ms)
{
	(void)grace_ms;
	queue_stop(r->self);
}

const struct role_def role_queue = {
	.id = ROLE_QUEUE,
	.needs = SANDBOX_FILES,
	.user = "queue",
	.root = "queue",
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.stop = stop,
	.measure = measure,
};
