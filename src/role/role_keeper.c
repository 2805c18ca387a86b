/* role/role_keeper.c - opens files of accounts for session roles, and passes their descriptors; asks nobody, talks to nobody else. */
#include <string.h>

#include "role/role.h"
#include "store/keeper_rows.h"
#include "sys/sandbox.h"

#define THREADS 8u
#define BACKLOG 4000u

static bool start(struct role *r, const char **ret_why)
{
	struct keeper *k = ARENA_NEW(r->arena, struct keeper);

	if (r->session_key.n != SESSION_KEY) {
		*ret_why = "there is no key for tokens of sign-ins";
		return false;
	}
	k->accounts = role_root(r, "accounts");
	memcpy(k->key, r->session_key.p, SESSION_KEY);
	ipc_pool(r->ipc, KEEPER_POOL, THREADS, BACKLOG);
	ipc_pool(r->ipc, KEEPER_SYNC_POOL, THREADS, BACKLOG);
	ipc_serve(r->ipc, keeper_rows, keeper_row_count, k);
	r->self = k;
	return true;
}

const struct role_def role_keeper = {
	.id = ROLE_KEEPER,
	.needs = SANDBOX_FILES,
	.user = "store",
	.root = "accounts",
	.tokens = true,
	.start = start,
};
