/* role/role_smtp.c - reception, submission and LMTP: talks to strangers, opens nothing. */
#include "base/log.h"
#include "role/config_filter.h"
#include "role/role_net.h"
#include "smtp/smtp.h"
#include "smtp/smtp_ask.h"
#include "sys/sandbox.h"

struct smtp_role {
	struct net     *net;
	struct net_tls *tls;
	_Atomic unsigned filtering;
	struct smtp_env  envs[LISTEN_KINDS]; /* by enum config_listener */
};

static const struct {
	enum config_listener listener;
	enum smtp_kind       kind;
} kinds[] = {
	{ LISTEN_SMTP, SMTP_KIND_RELAY },
	{ LISTEN_SUBMISSION, SMTP_KIND_SUBMISSION },
	{ LISTEN_SUBMISSIONS, SMTP_KIND_SUBMISSION },
	{ LISTEN_LMTP, SMTP_KIND_LMTP },
	{ LISTEN_REINJECT, SMTP_KIND_REINJECT },
};

static const struct smtp_settings *settings_of(struct role *r)
{
	struct smtp_settings        *s = ARENA_NEW(r->arena, struct smtp_settings);
	const struct config_filters *filters = config_filters_of(r->config, r->arena);
	struct str                   bad;

	smtp_settings_init(s);
	s->hostname = r->config->hostname;
	s->postmaster = arena_printf(r->arena, "postmaster@%.*s", STR_FMT(r->config->hostname));
	s->message_octets = r->config->message_octets;
	s->allow_plain = r->config->lab;
	s->scram = r->config->signin_scram;
	s->client_certificates = r->config->tls_client_certificates;
	s->normalise_eol = r->config->normalise_eol;
	s->content_filter = r->config->content.n > 0;
	if (filters->milters.count > 0)
		s->milters = &filters->milters;
	if (filters->policies.count > 0)
		s->policies = &filters->policies;
	CHECK(cidr_list_parse(r->config->guard.trusted, r->arena, &s->trusted, &bad)); /* config_check() has seen it */
	s->full_refused = r->config->quota_full == 1;
	s->strict_header = r->config->strict_header;
	s->allow_no_from = r->config->lab;
	return s;
}

static void settings_apply(struct role *r)
{
	struct smtp_role           *s = r->self;
	const struct smtp_settings *settings = settings_of(r);

	for (size_t i = 0; i < LEN(kinds); i++) {
		s->envs[kinds[i].listener].settings = settings;
		s->envs[kinds[i].listener].proxy = config_proxy_has(r->config, kinds[i].listener);
	}
}

static bool prepare(struct role *r, const char **ret_why)
{
	struct smtp_role *s = r->self = ARENA_NEW(r->arena, struct smtp_role);

	return role_net_tls(r, &s->tls, ret_why);
}

static bool start(struct role *r, const char **ret_why)
{
	struct smtp_role *s = r->self;

	s->net = role_net_new(r);
	for (size_t i = 0; i < LEN(kinds); i++)
		s->envs[kinds[i].listener] = (struct smtp_env){ .kind = kinds[i].kind, .ask = &smtp_ask_ipc, .ask_ctx = r->ipc, .filtering = &s->filtering };
	settings_apply(r);
	for (unsigned i = 0; i < r->listener_count; i++) {
		uint32_t kind = r->listeners[i].kind;

		net_listen(s->net, r->listeners[i].fd, &smtp_proto, &s->envs[kind], s->tls, kind == LISTEN_SUBMISSIONS);
	}
	net_run(s->net);
	(void)ret_why;
	return true;
}

static void reload(struct role *r)
{
	struct smtp_role *s = r->self;

	settings_apply(r);
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
	.listeners = 1u << LISTEN_SMTP | 1u << LISTEN_SUBMISSION | 1u << LISTEN_SUBMISSIONS | 1u << LISTEN_LMTP | 1u << LISTEN_REINJECT,
	.user = "smtp",
	.tls = true,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.stop = stop,
	.measure = measure,
};
