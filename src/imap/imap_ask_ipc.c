/* imap/imap_ask_ipc.c - what a session asks, over the process's channels. */
#include "imap/imap.h"

static enum status ask_connect(void *ctx, const struct guard_connect_request *request, struct arena *a,
			       struct guard_connect_reply *ret)
{
	struct imap_ask_ipc *q = ctx;

	return ipc_call(q->ipc, ROLE_AUTH, IPC_ANY, IPC_GUARD_CONNECT, request, a, ret);
}

static void ask_changed(void *ctx, uint64_t account, uint64_t modseq)
{
	struct imap_ask_ipc *q = ctx;

	imap_notify_wake(q->notify, account);
	ipc_bus_send(q->ipc, account, 0, modseq);
}

const struct imap_ask imap_ask_ipc = { .connect = ask_connect, .changed = ask_changed };
