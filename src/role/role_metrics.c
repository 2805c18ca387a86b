/* role/role_metrics.c - tells the master once a second what this process counts (base/metric.h), if it has changed. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/metric.h"
#include "ipc/msg_control.h"
#include "role/role.h"
#include "role/role_msg.h"

#define PERIOD_S 1u

static bool is_ours(const struct role *r, size_t metric)
{
	return strcmp(metric_defs[metric].role, role_name(r->def->id)) == 0;
}

struct teller {
	struct role *role;
	int          channel;
};

/* The samples of this process into `rows`; true if one differs from what was told before. */
static bool collect(struct role *r, struct control_sample rows[METRIC_COUNT], size_t *ret_count, uint64_t told[METRIC_COUNT])
{
	bool changed = false;

	*ret_count = 0;
	for (uint32_t i = 0; i < METRIC_COUNT; i++) {
		uint64_t v = metric_get((enum metric)i);

		if (!is_ours(r, i))
			continue;
		changed |= v != told[i];
		told[i] = v;
		rows[(*ret_count)++] = (struct control_sample){ r->def->id, r->instance, i, v };
	}
	return changed;
}

static void *tell_main(void *arg)
{
	struct teller         t = *(struct teller *)arg;
	struct control_sample rows[METRIC_COUNT];
	uint64_t              told[METRIC_COUNT];
	enum status           st = ST_OK;

	free(arg);
	memset(told, 0xff, sizeof(told)); /* the first time all is new: zeros too, after a predecessor */
	while (st == ST_OK || st == ST_TEMP) {
		struct control_metrics_reply msg = { .samples = rows };

		if (t.role->def->measure)
			t.role->def->measure(t.role);
		if (collect(t.role, rows, &msg.sample_count, told))
			st = role_msg_send(t.channel, ROLE_MSG_METRICS, &msg);
		sleep(PERIOD_S);
	}
	return NULL;
}

bool role_metrics_start(struct role *r, int channel)
{
	struct teller *t;
	pthread_t      thread;
	size_t         first = 0;

	while (first < METRIC_COUNT && !is_ours(r, first))
		first++;
	if (first == METRIC_COUNT)
		return true;
	t = malloc(sizeof(*t));
	CHECK(t);
	*t = (struct teller){ r, channel };
	if (pthread_create(&thread, NULL, tell_main, t) == 0 && pthread_detach(thread) == 0)
		return true;
	free(t);
	return false;
}
