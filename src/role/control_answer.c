/* role/control_answer.c - see control_answer.h. */
#include "role/control_answer.h"

#include "base/limits.h"
#include "ipc/ipc_msg.h"

enum status control_answer(int fd, const struct ipc_frame *request, enum status st, const void *reply)
{
	struct ipc_fds   fds = { .n = 0 };
	struct ipc_frame head = { .type = request->type, .reply = true, .number = request->number, .status = st };
	struct buf       out;

	buf_init(&out, LIMIT_IPC_FRAME + IPC_HEADER);
	ipc_frame_begin(&out);
	if (st == ST_OK && ipc_encode(&out, &fds, &ipc_msgs[request->type].reply, reply, IPC_VERSION) != ST_OK) {
		ipc_frame_begin(&out);
		head.status = ST_LIMIT;
	}
	st = ipc_frame_send(fd, &out, &head, NULL);
	buf_done(&out);
	return st;
}
