/* ipc/msg_pipe.h - what pipe is asked: give a message to a program.
 *
 * IPC_PIPE_DELIVER is answered with a remote_deliver_reply: one result per recipient, `host` is "pipe:NAME", `tls` and `passed` are empty. The
 * recipients of one request are given to one run of the program; queue asks for no more than the pipe takes. ST_BUSY: certainly not run.
 */
#ifndef IPC_MSG_PIPE_H
#define IPC_MSG_PIPE_H

#include "base/limits.h"
#include "base/str.h"

struct pipe_rcpt {
	uint32_t   index;    /* the asker's, given back */
	struct str address;  /* where it goes */
	struct str original; /* as its sender knows it: ORCPT without its type, else as it was given in RCPT */
};
struct pipe_deliver_request {
	struct str        id;      /* queue id, as it is shown */
	struct str        name;    /* of the pipe */
	struct str        nexthop;
	struct str        from;
	struct pipe_rcpt *rcpts;
	size_t            rcpt_count;
	struct str        peer;
	uint64_t          size;
	struct str        content; /* if size <= LIMIT_INLINE */
	int               file;    /* else: queue's finished copy, for reading */
};

#endif
