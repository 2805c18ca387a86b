/* deliver/local_used.c - see local_used.h. */
#include "deliver/local_used.h"

#include "ipc/msg_auth.h"

void local_used_tell(struct ipc *ipc, struct store *s, uint64_t account)
{
	struct arena           *arena CLEANUP(arena_free) = arena_new(NULL);
	struct auth_quota_reply q = { 0 };
	struct store_account   *a CLEANUP(store_close) = NULL;
	struct store_info       info;

	if (ipc_call(ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_QUOTA, &(struct auth_quota_request){ account }, arena, &q) != ST_OK || !q.quota_shared)
		return;
	if (store_open(s, account, &a) != ST_OK || store_info(a, &info) != ST_OK)
		return;
	(void)!ipc_call(ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_USED,
			&(struct auth_used_request){ .account = account, .octets = info.size, .messages = info.messages }, arena, NULL);
}
