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

static enum status ask_quota(void *ctx, uint64_t account, struct auth_quota_reply *ret)
{
	struct imap_ask_ipc *q = ctx;
	struct arena *a      CLEANUP(arena_free) = arena_new(NULL);

	return ipc_call(q->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_QUOTA, &(struct auth_quota_request){ account }, a, ret);
}

static enum status ask_shared(void *ctx, const struct auth_shared_request *q, struct arena *a, struct auth_shared_reply *ret)
{
	return ipc_call(((struct imap_ask_ipc *)ctx)->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_SHARED, q, a, ret);
}

static enum status ask_subject(void *ctx, const struct auth_subject_request *q, struct auth_subject_reply *ret)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);

	return ipc_call(((struct imap_ask_ipc *)ctx)->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_SUBJECT, q, a, ret);
}

static enum status ask_subjects(void *ctx, const struct auth_subjects_request *q, struct arena *a, struct auth_subjects_reply *ret)
{
	return ipc_call(((struct imap_ask_ipc *)ctx)->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_SUBJECTS, q, a, ret);
}

static enum status ask_share(void *ctx, const struct auth_share_request *q)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);

	return ipc_call(((struct imap_ask_ipc *)ctx)->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_SHARE, q, a, NULL);
}

static void ask_used(void *ctx, const struct auth_used_request *note)
{
	struct imap_ask_ipc *q = ctx;
	struct arena        *a CLEANUP(arena_free) = arena_new(NULL);

	/* One that is lost does no harm: the next says it all again. */
	(void)!ipc_call(q->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_USED, note, a, NULL);
}

const struct imap_ask imap_ask_ipc = { .connect = ask_connect, .shared = ask_shared, .subject = ask_subject,
				      .subjects = ask_subjects, .share = ask_share, .quota = ask_quota, .used = ask_used, .changed = ask_changed };
