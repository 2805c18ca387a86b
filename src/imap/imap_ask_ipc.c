/* imap/imap_ask_ipc.c - what a session asks, over the process's channels. */
#include "imap/imap.h"

static void ask_changed(void *ctx, uint64_t account, uint64_t modseq)
{
	struct imap_ask_ipc *q = ctx;

	imap_notify_wake(q->notify, account);
	ipc_bus_send(q->ipc, account, 0, modseq);
}

const struct imap_ask imap_ask_ipc = { .changed = ask_changed };
