/* deliver/remote_trust.c - see remote_trust.h. */
#include "deliver/remote_trust.h"

#include "base/log.h"

static enum status sts_get(void *ctx, struct str domain, struct arena *a, struct auth_sts *ret)
{
	const struct auth_sts_get_request q = { .domain = domain };

	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_STS_GET, &q, a, ret);
}

/* What is not kept is fetched again after a restart. */
static void sts_put(void *ctx, const struct auth_sts *sts)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	enum status st = ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_STS_PUT, sts, a, NULL);

	if (st != ST_OK)
		log_info("mta-sts policy is not kept", LOG_STR("domain", sts->domain), LOG_ST("status", st));
}

static enum status tlsrpt_send(void *ctx, const struct auth_tlsrpt_note_request *q)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);

	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_TLSRPT_NOTE, q, a, NULL);
}

struct remote_sts_options remote_sts_ipc(struct ipc *ipc)
{
	return (struct remote_sts_options){ .get = sts_get, .put = sts_put, .ctx = ipc };
}

struct remote_tlsrpt_options remote_tlsrpt_ipc(struct ipc *ipc)
{
	return (struct remote_tlsrpt_options){ .send = tlsrpt_send, .ctx = ipc };
}
