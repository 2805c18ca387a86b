/* role/role_imap.c - mailbox access: IMAP and POP3, in one net. Opens no file and no socket: keeper passes the files of those who have signed in. */
#include "db/db.h"
#include "imap/imap.h"
#include "pop3/pop3.h"
#include "wire/text/text_charset.h"
#include "role/role_net.h"
#include "store/store_kept.h"
#include "sys/sandbox.h"

struct imap_role {
	struct net         *net;
	struct net_tls     *tls;
	struct store       *store;
	struct imap_ask_ipc ask;
	struct imap_env     env;
	struct pop3_ask     pop3_ask;
	struct pop3_env     pop3;
	struct role_net_trim trim;
};

static const struct imap_settings *settings_of(struct role *r)
{
	struct imap_settings *s = ARENA_NEW(r->arena, struct imap_settings);

	imap_settings_init(s);
	s->message_octets = r->config->message_octets;
	s->allow_plain = r->config->lab;
	s->scram = r->config->signin_scram;
	if (!str_to_c(r->config->hostname, s->hostname, sizeof(s->hostname)))
		s->hostname[0] = '\0'; /* no URL with a host is ours then */
	s->client_certificates = r->config->tls_client_certificates;
	s->message_limit = r->config->imap_message_limit;
	s->save_limit = r->config->imap_save_limit;
	return s;
}

static const struct pop3_settings *pop3_settings_of(struct role *r)
{
	struct pop3_settings *s = ARENA_NEW(r->arena, struct pop3_settings);

	pop3_settings_init(s);
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

static void listen_all(struct role *r)
{
	struct imap_role *s = r->self;

	for (unsigned i = 0; i < r->listener_count; i++) {
		uint32_t kind = r->listeners[i].kind;
		bool     pop3 = kind == LISTEN_POP3 || kind == LISTEN_POP3S;

		net_listen(s->net, r->listeners[i].fd, pop3 ? &pop3_proto : &imap_proto, pop3 ? (void *)&s->pop3 : &s->env, s->tls,
			   kind == LISTEN_IMAPS || kind == LISTEN_POP3S);
	}
}

static bool start(struct role *r, const char **ret_why)
{
	struct imap_role    *s = r->self;
	struct store_options options = { .watermark_octets = r->config->watermark_octets,
					.retention_ms = (int64_t)r->config->undelete_s * 1000,
					.hostname = arena_cstr(r->arena, r->config->hostname) };

	CHECK(config_warn_parse(r->config->quota_warn, options.warn)); /* config_check() has seen it */

	if (store_new_kept(r->ipc, &options, &s->store) != ST_OK) {
		*ret_why = "there can be no store";
		return false;
	}
	if (r->config->probe)
		role_probe_keeper(r);
	s->net = role_net_new(r);
	s->ask = (struct imap_ask_ipc){ .ipc = r->ipc, .notify = imap_notify_new() };
	s->env = (struct imap_env){ .settings = settings_of(r), .store = s->store, .notify = s->ask.notify, .ask = &imap_ask_ipc, .ask_ctx = &s->ask,
				   .sasl = &sasl_ask_ipc, .sasl_ctx = r->ipc };
	s->pop3_ask = (struct pop3_ask){ .connect = imap_ask_ipc.connect, .quota = imap_ask_ipc.quota, .used = imap_ask_ipc.used,
					  .changed = imap_ask_ipc.changed };
	s->pop3 = (struct pop3_env){ .settings = pop3_settings_of(r), .store = s->store, .ask = &s->pop3_ask, .ask_ctx = &s->ask,
				     .sasl = &sasl_ask_ipc, .sasl_ctx = r->ipc };
	ipc_bus_listen(r->ipc, imap_notify_bus, s->ask.notify);
	listen_all(r);
	net_run(s->net);
	return true;
}

static void reload(struct role *r)
{
	struct imap_role *s = r->self;

	s->env.settings = settings_of(r);
	s->pop3.settings = pop3_settings_of(r);
	role_net_reload(r, s->net);
}

static void measure(struct role *r)
{
	struct imap_role *s = r->self;

	store_forget(s->store, STORE_LINGER_MS);
	role_net_trim(s->net, &s->trim);
}

static void stop(struct role *r, unsigned grace_ms)
{
	net_drain(((struct imap_role *)r->self)->net, grace_ms);
}

const struct role_def role_imap = {
	.id = ROLE_IMAP,
	.needs = SANDBOX_ACCEPT | SANDBOX_PASSED,
	.listeners = 1u << LISTEN_IMAP | 1u << LISTEN_IMAPS | 1u << LISTEN_POP3 | 1u << LISTEN_POP3S,
	.user = "store", /* whose files they are */
	.tls = true,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.measure = measure,
	.stop = stop,
};
