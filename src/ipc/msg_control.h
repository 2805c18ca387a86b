/* ipc/msg_control.h - what control itself answers on control.sock. */
#ifndef IPC_MSG_CONTROL_H
#define IPC_MSG_CONTROL_H

#include "base/limits.h"
#include "base/str.h"

struct control_process {
	struct str role;
	uint32_t   instance, pid, restarts;
	bool       ready;
	int64_t    started_ms;
};
struct control_status_reply {
	struct str              version, hostname;
	int64_t                 started_ms;
	struct control_process *processes;
	size_t                  process_count;
};

#endif
