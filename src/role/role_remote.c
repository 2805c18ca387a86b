/* role/role_remote.c - everything outward: talks to any host, opens no file. */
#include "deliver/remote.h"
#include "net/net_tls.h"
#include "role/role.h"
#include "sys/sandbox.h"

#define THREADS 600u  /* deliveries at once; queue asks for fewer */
#define BACKLOG 2000u

static void settings_take(struct role *r, struct remote *remote)
{
	struct str *own = ARENA_ARRAY(r->arena, struct str, r->config->listen_count);
	size_t      n = 0;
	uint32_t    port;

	for (size_t i = 0; i < r->config->listen_count; i++)
		if (config_address_split(r->config->listen[i].text, &own[n], &port) && own[n].n)
			n++;
	remote->settings = (struct remote_settings){
		.hostname = r->config->hostname,
		.port = r->config->remote_port,
		.relay = r->config->relay,
		.lab = r->config->lab,
		.own = own,
		.own_count = n,
		.timeouts = remote_timeouts_default,
	};
}

static bool prepare(struct role *r, const char **ret_why)
{
	net_tls_preload();
	(void)r;
	(void)ret_why;
	return true;
}

static bool start(struct role *r, const char **ret_why)
{
	struct remote *remote = ARENA_NEW(r->arena, struct remote);

	settings_take(r, remote);
	remote->resolver = remote_resolver_ipc(r->ipc);
	ipc_pool(r->ipc, 1, THREADS, BACKLOG);
	ipc_serve(r->ipc, deliver_remote_rows, deliver_remote_row_count, remote);
	(void)ret_why;
	return true;
}

const struct role_def role_remote = {
	.id = ROLE_REMOTE,
	.needs = SANDBOX_OUT,
	.user = "remote",
	.prepare = prepare,
	.start = start,
};
