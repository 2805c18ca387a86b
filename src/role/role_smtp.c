/* role/role_smtp.c - reception and submission: talks to strangers, opens nothing. */
#include "role/role_net.h"
#include "smtp/smtp.h"
#include "smtp/smtp_ask.h"
#include "sys/sandbox.h"

struct smtp_role {
	struct net     *net;
	struct net_tls *tls;
	struct smtp_env relay, submission;
};

static const struct smtp_settings *settings_of(struct role *r)
{
	struct smtp_settings *s = ARENA_NEW(r->arena, struct smtp_settings);

	smtp_settings_init(s);
	s->hostname = r->config->hostname;
	s->postmaster = arena_printf(r->arena, "postmaster@%.*s", STR_FMT(r->config->hostname));
	s->message_octets = r->config->message_octets;
	s->allow_plain = r->config->lab;
	s->normalise_eol = r->config->normalise_eol;
	return s;
}

static bool prepare(struct role *r, const char **ret_why)
{
	struct smtp_role *s = r->self = ARENA_NEW(r->arena, struct smtp_role);

	return role_net_tls(r, &s->tls, ret_why);
}

static bool start(struct role *r, const char **ret_why)
{
	struct smtp_role           *s = r->self;
	const struct smtp_settings *settings = settings_of(r);

	s->net = role_net_new(r);
	s->relay = (struct smtp_env){ .kind = SMTP_KIND_RELAY, .settings = settings, .ask = &smtp_ask_ipc, .ask_ctx = r->ipc };
	s->submission = (struct smtp_env){ .kind = SMTP_KIND_SUBMISSION, .settings = settings, .ask = &smtp_ask_ipc, .ask_ctx = r->ipc };
	for (unsigned i = 0; i < r->listener_count; i++)
		net_listen(s->net, r->listeners[i].fd, &smtp_proto, r->listeners[i].kind == LISTEN_SMTP ? &s->relay : &s->submission, s->tls,
			   r->listeners[i].kind == LISTEN_SUBMISSIONS);
	net_run(s->net);
	(void)ret_why;
	return true;
}

static void reload(struct role *r)
{
	struct smtp_role *s = r->self;

	s->relay.settings = s->submission.settings = settings_of(r);
	role_net_reload(r, s->net);
}

static void measure(struct role *r)
{
	role_net_measure(((struct smtp_role *)r->self)->net, METRIC_SMTP_SESSIONS, METRIC_SMTP_CONNECTIONS, METRIC_SMTP_CONNECTIONS_REFUSED);
}

static void stop(struct role *r, unsigned grace_ms)
{
	net_drain(((struct smtp_role *)r->self)->net, grace_ms);
}

const struct role_def role_smtp = {
	.id = ROLE_SMTP,
	.needs = SANDBOX_ACCEPT,
	.listeners = 1u << LISTEN_SMTP | 1u << LISTEN_SUBMISSION | 1u << LISTEN_SUBMISSIONS,
	.user = "smtp",
	.tls = true,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.stop = stop,
	.measure = measure,
};
