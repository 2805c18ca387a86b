/* guard/guard_lookup.c - lists in DNS, asked over the channel of this process. */
#include "guard/guard.h"
#include "ipc/msg_dns.h"

void guard_lookup_ipc(void *ctx, struct str name, ipc_done_fn *done, void *arg)
{
	const struct dns_lookup_request q = { .name = name, .type = DNS_A };

	ipc_start(ctx, ROLE_DNS, IPC_ANY, IPC_DNS_LOOKUP, &q, done, arg);
}
