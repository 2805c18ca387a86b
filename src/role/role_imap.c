/* role/role_imap.c - mailbox access. Opens files of accounts only, and no socket. */
#include "db/db.h"
#include "imap/imap.h"
#include "wire/text/text_charset.h"
#include "role/role_net.h"
#include "sys/sandbox.h"

struct imap_role {
	struct net         *net;
	struct net_tls     *tls;
	struct store       *store;
	struct imap_ask_ipc ask;
	struct imap_env     env;
};

static const struct imap_settings *settings_of(struct role *r)
{
	struct imap_settings *s = ARENA_NEW(r->arena, struct imap_settings);

	imap_settings_init(s);
	s->message_octets = r->config->message_octets;
	s->allow_plain = r->config->lab;
	s->scram = r->config->signin_scram;
	s->client_certificates = r->config->tls_client_certificates;
	return s;
}

static bool prepare(struct role *r, const char **ret_why)
{
	struct imap_role *s = r->self = ARENA_NEW(r->arena, struct imap_role);

	db_init();
	text_charset_preload();
	return role_net_tls(r, &s->tls, ret_why);
}


static bool start(struct role *r, const char **ret_why)
{
	struct imap_role    *s = r->self;
	struct store_options options = { .watermark_octets = r->config->watermark_octets,
					 .hostname = arena_cstr(r->arena, r->config->hostname) };

	CHECK(config_warn_parse(r->config->quota_warn, options.warn)); /* config_check() has seen it */

	if (store_new(role_root(r, "accounts"), &options, &s->store) != ST_OK) {
		*ret_why = "the accounts directory cannot be used";
		return false;
	}
	s->net = role_net_new(r);
	s->ask = (struct imap_ask_ipc){ .ipc = r->ipc, .notify = imap_notify_new() };
	s->env = (struct imap_env){ .settings = settings_of(r), .store = s->store, .notify = s->ask.notify, .ask = &imap_ask_ipc, .ask_ctx = &s->ask,
				   .sasl = &sasl_ask_ipc, .sasl_ctx = r->ipc };
	ipc_bus_listen(r->ipc, imap_notify_bus, s->ask.notify);
	for (unsigned i = 0; i < r->listener_count; i++)
		net_listen(s->net, r->listeners[i].fd, &imap_proto, &s->env, s->tls, r->listeners[i].kind == LISTEN_IMAPS);
	net_run(s->net);
	return true;
}

static void reload(struct role *r)
{
	struct imap_role *s = r->self;

	s->env.settings = settings_of(r);
	role_net_reload(r, s->net);
}

static void measure(struct role *r)
{
	role_net_measure(((struct imap_role *)r->self)->net, METRIC_IMAP_SESSIONS, METRIC_IMAP_CONNECTIONS, METRIC_IMAP_CONNECTIONS_REFUSED);
}

static void stop(struct role *r, unsigned grace_ms)
{
	net_drain(((struct imap_role *)r->self)->net, grace_ms);
}

const struct role_def role_imap = {
	.id = ROLE_IMAP,
	.needs = SANDBOX_ACCEPT | SANDBOX_FILES,
	.listeners = 1u << LISTEN_IMAP | 1u << LISTEN_IMAPS,
	.user = "store",
	.root = "accounts",
	.tls = true,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.stop = stop,
	.measure = measure,
};
