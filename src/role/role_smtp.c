/* role/role_smtp.c - reception and submission: talks to strangers, opens nothing. */
#include "role/config_filter.h"
#include "role/role_net.h"
#include "smtp/smtp.h"
#include "smtp/smtp_ask.h"
#include "sys/sandbox.h"

struct smtp_role {
	struct net     *net;
	struct net_tls *tls;
	struct smtp_env relay, submission, reinject;
	_Atomic unsigned filtering;
};

static const struct smtp_settings *settings_of(struct role *r)
{
	struct smtp_settings        *s = ARENA_NEW(r->arena, struct smtp_settings);
	const struct config_filters *filters = config_filters_of(r->config, r->arena);

	smtp_settings_init(s);
	s->hostname = r->config->hostname;
	s->postmaster = arena_printf(r->arena, "postmaster@%.*s", STR_FMT(r->config->hostname));
	s->message_octets = r->config->message_octets;
	s->allow_plain = r->config->lab;
	s->normalise_eol = r->config->normalise_eol;
	s->content_filter = r->config->content.n > 0;
	if (filters->milters.count > 0)
		s->milters = &filters->milters;
	if (filters->policies.count > 0)
		s->policies = &filters->policies;
	return s;
}

static bool prepare(struct role *r, const char **ret_why)
{
	struct smtp_role *s = r->self = ARENA_NEW(r->arena, struct smtp_role);

	return role_net_tls(r, &s->tls, ret_why);
}

static struct smtp_env *env_of(struct smtp_role *s, uint32_t listener)
{
	return listener == LISTEN_SMTP ? &s->relay : listener == LISTEN_REINJECT ? &s->reinject : &s->submission;
}

static bool start(struct role *r, const char **ret_why)
{
	struct smtp_role           *s = r->self;
	const struct smtp_settings *settings = settings_of(r);
	const struct {
		struct smtp_env *env;
		enum smtp_kind   kind;
	} kinds[] = {
		{ &s->relay, SMTP_KIND_RELAY }, { &s->submission, SMTP_KIND_SUBMISSION }, { &s->reinject, SMTP_KIND_REINJECT },
	};

	s->net = role_net_new(r);
	for (size_t i = 0; i < LEN(kinds); i++)
		*kinds[i].env = (struct smtp_env){ .kind = kinds[i].kind, .settings = settings, .ask = &smtp_ask_ipc, .ask_ctx = r->ipc,
						   .filtering = &s->filtering };
	for (unsigned i = 0; i < r->listener_count; i++)
		net_listen(s->net, r->listeners[i].fd, &smtp_proto, env_of(s, r->listeners[i].kind), s->tls,
			   r->listeners[i].kind == LISTEN_SUBMISSIONS);
	net_run(s->net);
	(void)ret_why;
	return true;
}

static void reload(struct role *r)
{
	struct smtp_role *s = r->self;

	s->relay.settings = s->submission.settings = s->reinject.settings = settings_of(r);
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
	.listeners = 1u << LISTEN_SMTP | 1u << LISTEN_SUBMISSION | 1u << LISTEN_SUBMISSIONS | 1u << LISTEN_REINJECT,
	.user = "smtp",
	.tls = true,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.stop = stop,
	.measure = measure,
};
