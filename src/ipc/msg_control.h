/* ipc/msg_control.h - what control itself answers, on control.sock and on submit.sock. */
#ifndef IPC_MSG_CONTROL_H
#define IPC_MSG_CONTROL_H

#include "base/limits.h"
#include "base/metric.h"
#include "base/str.h"
#include "ipc/ipc_graph.h"
#include "ipc/msg_queue.h"

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

/* ---- submit.sock: a local program hands over a message ----
 *
 *   OPEN, then for each message BEGIN, DATA..., END; one question at a time. `code` is what the program exits with (sysexits.h: 0, 65, 67,
 *   69, 75, 77); after a refusal the message is forgotten and the connection may go on with another BEGIN.
 */
#define CONTROL_SUBMIT_CHUNK ((size_t)128 * KIB)

struct control_submit_open_reply {
	struct str hostname;
	struct str domain; /* of addresses without one */
	uint64_t   message_octets;
};
struct control_submit_begin_request {
	struct str         from;  /* "" is the null reverse-path */
	struct str         login; /* what the program says of who runs it: for the log */
	struct queue_rcpt *rcpts;
	size_t             rcpt_count;
	struct str         envid;
	bool               ret_hdrs, ret_full;
};
struct control_submit_refused {
	uint32_t   index; /* of the recipient */
	struct str text;
};
struct control_submit_begin_reply {
	uint32_t                       code;
	struct str                     text;
	struct control_submit_refused *refused; /* if there are any, the message is not begun */
	size_t                         refused_count;
};
struct control_submit_data_request { /* canonical: lines end in CRLF, no other CR, LF or NUL; one may be cut anywhere */
	struct str octets;
};
struct control_submit_end_reply { /* of DATA and END */
	uint32_t   code;
	struct str text;
	uint64_t   id; /* END with code 0 */
};

#endif
