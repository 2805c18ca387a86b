/* ipc/msg_control.h - what control itself answers on control.sock. */
#ifndef IPC_MSG_CONTROL_H
#define IPC_MSG_CONTROL_H

#include "base/limits.h"
#include "base/metric.h"
#include "base/str.h"
#include "ipc/ipc_graph.h"

#define CONTROL_SAMPLES_MAX ((size_t)ROLE_INSTANCES_MAX * METRIC_COUNT)

struct control_process {
	struct str role;
	uint32_t   instance, pid, restarts;
	bool       ready;
	int64_t    started_ms;
};
/* IPC_CONTROL_METRICS: what all processes count (base/metric.h), a few seconds old at most. */
struct control_sample {
	uint32_t role, instance; /* enum role_id */
	uint32_t metric;         /* enum metric */
	uint64_t value;
};
struct control_metrics_reply {
	struct control_sample *samples;
	size_t                 sample_count;
};

struct control_status_reply {
	struct str              version, hostname;
	int64_t                 started_ms;
	struct control_process *processes;
	size_t                  process_count;
};

#endif
