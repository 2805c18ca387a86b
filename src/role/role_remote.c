/* role/role_remote.c - everything outward: talks to any host, opens no file. */
#include <fcntl.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "base/log.h"
#include "deliver/remote.h"
#include "deliver/remote_answers.h"
#include "deliver/remote_connect.h"
#include "deliver/remote_hosts.h"
#include "deliver/remote_login.h"
#include "deliver/remote_pool.h"
#include "deliver/remote_token.h"
#include "deliver/remote_trust.h"
#include "net/net_tls.h"
#include "role/config_filter.h"
#include "role/role.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/sandbox.h"

#define THREADS          600u  /* deliveries at once; queue asks for fewer */
#define BACKLOG          2000u
#define PROBE_POOL       2u /* apart, so that probes and deliveries do not wait for each other */
#define PROBE_THREADS    LIMIT_SMTP_PROBES
#define CONNECT_POOL     3u
#define CONNECTS         200u /* connections to filters that are being made */
#define CONNECTS_WAITING 2000u
#define CONNECT_MS       10000u
#define QUIT_MS          1000u /* at the end, for peers to answer QUIT */

static struct str authorities; /* PEM; "" if none can be trusted. Read before the sandbox is entered */

/* What deliveries are made by; one that has begun ends by the settings it began with, so old ones are kept. */
struct remote_role {
	struct ipc *ipc;
	/* All live as long as the process, and all settings share them. */
	struct remote_pool      *pool;
	struct remote_answers   *answers;
	struct remote_hosts     *hosts;
	struct remote_sts_cache *sts;
	struct remote_tlsrpt    *tlsrpt;
	struct remote_logins    *logins;
	_Atomic(const struct remote *) now;
	/* Sessions that began before a reload mean the filters of then. */
	_Atomic(const struct config_filters *) filters, filters_before;
};

static void settings_take(struct role *r)
{
	struct remote_role *self = r->self;
	struct remote      *remote = ARENA_NEW(r->arena, struct remote);
	struct str *own = ARENA_ARRAY(r->arena, struct str, r->config->listen_count);
	size_t      n = 0;
	uint32_t    port;

	for (size_t i = 0; i < r->config->listen_count; i++)
		if (config_address_split(r->config->listen[i].text, &own[n], &port) && own[n].n)
			n++;
	remote->resolver = remote_answers_resolver(self->answers);
	remote->pool = self->pool;
	remote->hosts = self->hosts;
	remote->logins = self->logins;
	remote->settings = (struct remote_settings){
		.hostname = r->config->hostname,
		.port = r->config->remote_port,
		.relay = r->config->relay,
		.lab = r->config->lab,
		.trusts = authorities.n > 0,
		.authorities = authorities,
		.https_port = r->config->remote_https_port,
		.unvalidated = r->config->dns_forward.n > 0 && r->config->dns_anchor.n == 0,
		.own = own,
		.own_count = n,
		.timeouts = remote_timeouts_default,
	};
	remote->sts = r->config->remote_sts ? self->sts : NULL;
	remote->tlsrpt = self->tlsrpt;
	if (remote->settings.unvalidated)
		log_info("DANE is off: answers of DNS are not validated (dns.forward without dns.anchor)");
	atomic_store(&self->now, remote);
	atomic_store(&self->filters_before, atomic_load(&self->filters));
	atomic_store(&self->filters, config_filters_of(r->config, r->arena));
}

static void on_deliver(void *ctx, struct ipc_request *q)
{
	struct remote_role *self = ctx;

	deliver_remote_rows[0].handler((void *)(uintptr_t)atomic_load(&self->now), q);
}

static void on_probe(void *ctx, struct ipc_request *q)
{
	struct remote_role *self = ctx;

	remote_probe_handle(atomic_load(&self->now), self->ipc, q);
}

static const struct filter_conf *filter_find(const struct config_filters *f, const struct remote_connect_request *q)
{
	return f ? config_filter_find(q->purpose == REMOTE_CONNECT_MILTER ? &f->milters : &f->policies, q->index, q->check) : NULL;
}

static void on_connect(void *ctx, struct ipc_request *q)
{
	struct remote_role                  *self = ctx;
	const struct remote_connect_request *want = q->body;
	const struct filter_conf            *f = filter_find(atomic_load(&self->filters), want);
	struct remote_connect_reply          reply = { .fd = -1 };
	enum status                          st = ST_NOT_FOUND;

	f = f ? f : filter_find(atomic_load(&self->filters_before), want);
	if (f)
		st = remote_connect_host(atomic_load(&self->now), f->host, f->port, MIN(f->timeout_ms, CONNECT_MS), &reply.fd);
	ipc_reply(q, st, &reply);
	fd_close(&reply.fd);
}

static enum status credentials(void *ctx, uint64_t login, struct arena *a, struct auth_login *ret)
{
	const struct remote_role *self = ctx;

	return ipc_call(self->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_HOP_SECRET, &(struct auth_hop_secret_request){ login }, a, ret);
}

static enum status token(void *ctx, const struct auth_login *login, struct arena *a, struct str *ret_token, uint32_t *ret_s, struct str *ret_why)
{
	struct remote_role *self = ctx;

	return remote_token_fetch(atomic_load(&self->now), login, a, ret_token, ret_s, ret_why);
}

static const struct ipc_row rows[] = {
	{ IPC_REMOTE_DELIVER, on_deliver, 1 },
	{ IPC_REMOTE_PROBE, on_probe, PROBE_POOL },
	{ IPC_REMOTE_CONNECT, on_connect, CONNECT_POOL },
};

static bool prepare(struct role *r, const char **ret_why)
{
	struct str  pem = STR_NONE;
	const char *why = "the file cannot be read";

	(void)ret_why;
	net_tls_preload();
	http_init();
	if (r->config->tls_authorities.n > 0 &&
	    file_read(r->arena, AT_FDCWD, r->config->tls_authorities.p, LIMIT_TLS_CA_PEM, &pem) == ST_OK && net_tls_trust(pem, &why) == ST_OK)
		authorities = pem;
	else
		log_info("no authorities: mail that requires verified TLS waits", LOG_STR("file", r->config->tls_authorities), LOG_C("why", why));
	return true;
}

static bool start(struct role *r, const char **ret_why)
{
	const struct remote_sts_options    sts = remote_sts_ipc(r->ipc);
	const struct remote_tlsrpt_options tlsrpt = remote_tlsrpt_ipc(r->ipc);
	struct remote_role                *self = ARENA_NEW(r->arena, struct remote_role);

	CHECK(deliver_remote_row_count == 1 && deliver_remote_rows[0].id == IPC_REMOTE_DELIVER);
	self->ipc = r->ipc;
	self->pool = remote_pool_new(REMOTE_IDLE_MS);
	self->answers = remote_answers_new(remote_resolver_ipc(r->ipc));
	self->hosts = remote_hosts_new();
	self->sts = remote_sts_open(&sts);
	self->tlsrpt = remote_tlsrpt_open(&tlsrpt);
	self->logins = remote_logins_new(&(struct remote_login_source){ credentials, token, self });
	r->self = self;
	settings_take(r);
	ipc_pool(r->ipc, 1, THREADS, BACKLOG);
	ipc_pool(r->ipc, PROBE_POOL, PROBE_THREADS, PROBE_THREADS);
	ipc_pool(r->ipc, CONNECT_POOL, CONNECTS, CONNECTS_WAITING);
	ipc_serve(r->ipc, rows, LEN(rows), r->self);
	(void)ret_why;
	return true;
}

/* What was counted and not told yet; auth may be gone already. Deliveries may still be under way, so nothing is closed. */
static void stop(struct role *r, unsigned grace_ms)
{
	const struct remote_role *self = r->self;

	remote_tlsrpt_flush(self->tlsrpt);
	remote_pool_stop(self->pool, MIN(grace_ms, QUIT_MS));
}

const struct role_def role_remote = {
	.id = ROLE_REMOTE,
	.needs = SANDBOX_OUT,
	.user = "remote",
	.prepare = prepare,
	.start = start,
	.reload = settings_take,
	.stop = stop,
};
