/* cli/convert_master.c - master.cf: which services are listeners of ours, and what their own settings (-o) become; see convert.h. */
#include <string.h>

#include "cli/convert.h"
#include "wire/text/text_postfix.h"

/* Postfix's own processes: nobody misses them. */
static const char *const own[] = {
	"pickup", "cleanup", "qmgr", "tlsmgr", "trivial-rewrite", "bounce", "flush", "proxymap", "smtp", "showq", "error", "discard", "local",
	"virtual", "lmtp", "anvil", "scache", "postlogd", "verify", "tlsproxy", "dnsblog", "smtpd", "oqmgr", "nqmgr", "qmqpd",
};

static bool is_own(struct str command)
{
	for (size_t i = 0; i < LEN(own); i++)
		if (str_eq(command, str_of(own[i])))
			return true;
	return false;
}

/* "25", "smtp", "127.0.0.1:10025", "[::1]:25": the host ("" if there is none) and the port. */
static bool service_address(struct str name, struct str *ret_host, uint32_t *ret_port)
{
	static const struct {
		const char *name;
		uint32_t    port;
	} ports[] = { { "smtp", 25 }, { "submission", 587 }, { "smtps", 465 }, { "submissions", 465 }, { "ssmtp", 465 } };
	struct str host, port;

	if (!str_rcut(name, ':', &host, &port))
		host = STR("");
	for (size_t i = 0; i < LEN(ports); i++)
		if (str_eq(port, str_of(ports[i].name))) {
			*ret_host = host;
			*ret_port = ports[i].port;
			return true;
		}
	*ret_host = host;
	return str_to_u32(port, ret_port) && *ret_port > 0 && *ret_port < 65536;
}

/* On each of the addresses of inet_interfaces, unless the service names one. */
static void listen_on(struct convert *c, const char *kind, struct str host, uint32_t port)
{
	struct str interfaces = convert_value(c, "inet_interfaces"), word;

	if (host.n > 0) {
		bool v6 = str_find(host, ':') >= 0 && host.p[0] != '[';

		host = str_ieq(host, STR("localhost")) ? STR("127.0.0.1") : host;
		convert_listen(c, kind, arena_printf(c->a, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_FMT(host), port));
		return;
	}
	while (text_postfix_word(&interfaces, &word)) {
		bool loopback = str_ieq(word, STR("loopback-only")) || str_ieq(word, STR("localhost"));
		bool address = word.n > 0 && (ascii_is_digit(word.p[0]) || str_find(word, ':') >= 0);
		bool v6 = str_find(word, ':') >= 0 && word.p[0] != '[';

		if (loopback)
			convert_listen(c, kind, arena_printf(c->a, "127.0.0.1:%u", port));
		else
			convert_listen(c, kind, address ? arena_printf(c->a, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_FMT(word), port) : arena_printf(c->a, "*:%u", port));
	}
}

/* "-o name=value" and "-o { name = value }" off *args. */
static bool override_take(struct str *args, struct str *ret_name, struct str *ret_value)
{
	struct str word;

	while (args->n > 0) {
		*args = str_trim_ws(*args);
		if (!str_skip(args, STR("-o"))) { /* "-v", or the flags of a pipe */
			text_postfix_entry(*args, &word, args);
			continue;
		}
		*args = str_trim_ws(*args);
		if (args->n > 0 && args->p[0] == '{')
			text_postfix_word(args, &word);
		else
			text_postfix_entry(*args, &word, args);
		if (text_postfix_param(word, ret_name, ret_value))
			return true;
	}
	return false;
}

/* Settings hold for all listeners: what is set for one service is kept only where the kind of listener says it already. */
static void override_say(struct convert *c, const struct convert_service *s, const char *kind, struct str name, struct str value)
{
	static const struct {
		const char *kind, *name, *value; /* value NULL: whatever it is */
		const char *text;
	} so[] = {
		{ "submission", "smtpd_tls_security_level", NULL, "a sign-in needs TLS" },
		{ "submission", "smtpd_sasl_auth_enable", "yes", "submission is for those who sign in" },
		{ "submission", "smtpd_tls_auth_only", "yes", "a sign-in needs TLS" },
		{ "submission", "smtpd_tls_wrappermode", "yes", "that is what listen.submissions is" },
		{ "submission", "smtpd_client_restrictions", NULL, "only who signs in may send" },
		{ "submission", "smtpd_helo_restrictions", NULL, "only who signs in may send" },
		{ "submission", "smtpd_sender_restrictions", NULL, "the sender must belong to the account" },
		{ "submission", "smtpd_recipient_restrictions", NULL, "only who signs in may send" },
		{ "submission", "smtpd_relay_restrictions", NULL, "only who signs in may send" },
		{ "submission", "smtpd_reject_unlisted_recipient", NULL, "unknown recipients of own domains are refused" },
		{ "submission", "smtpd_sasl_type", NULL, "accounts sign in with their own passwords" },
		{ "submission", "smtpd_sasl_path", NULL, "accounts sign in with their own passwords" },
		{ "submission", "cleanup_service_name", NULL, "there is one way for all mail" },
		{ "reinject", "content_filter", "", "what comes back is not filtered again" },
		{ "reinject", "smtpd_milters", "", "what comes back is not filtered again" },
		{ "reinject", "mynetworks", NULL, "the filter alone may give mail back, on loopback" },
		{ "reinject", "receive_override_options", NULL, "what comes back is not filtered again" },
		{ "reinject", "smtpd_client_restrictions", NULL, "what comes back was checked before" },
		{ "reinject", "smtpd_helo_restrictions", NULL, "what comes back was checked before" },
		{ "reinject", "smtpd_sender_restrictions", NULL, "what comes back was checked before" },
		{ "reinject", "smtpd_recipient_restrictions", NULL, "what comes back was checked before" },
		{ "reinject", "smtpd_relay_restrictions", NULL, "what comes back was checked before" },
		{ "reinject", "smtpd_data_restrictions", NULL, "what comes back was checked before" },
		{ "reinject", "smtpd_end_of_data_restrictions", NULL, "what comes back was checked before" },
		{ "reinject", "local_recipient_maps", NULL, "what comes back was checked before" },
		{ "reinject", "relay_recipient_maps", NULL, "what comes back was checked before" },
		{ "reinject", "smtpd_authorized_xforward_hosts", NULL, "the filter alone may give mail back" },
		{ "", "syslog_name", NULL, "each log line says which process and listener it is about" },
		{ "", "smtpd_delay_reject", NULL, "refusals come at the command they are about" },
		{ "", "smtpd_restriction_classes", NULL, "no classes are needed" },
	};
	const char *shown = arena_printf(c->a, "master.cf %.*s: %.*s", STR_FMT(s->name), STR_FMT(name)).p;

	for (size_t i = 0; i < LEN(so); i++)
		if (str_eq(name, str_of(so[i].name)) && (!*so[i].kind || str_istarts(str_of(kind), str_of(so[i].kind))) &&
		    (!so[i].value || str_eq(value, str_of(so[i].value)))) {
			convert_say(c, CONVERT_DEFAULT, shown, value, "%s", so[i].text);
			return;
		}
	convert_say(c, CONVERT_LOST, shown, value, "is set for this service alone; settings hold for all listeners");
}

static void overrides_say(struct convert *c, const struct convert_service *s, const char *kind)
{
	struct str args = s->args, name, raw, value;

	while (override_take(&args, &name, &raw))
		override_say(c, s, kind, name, convert_expand(c, raw, &value) ? value : raw);
}

/* A content filter gives mail back there: the service itself has none. */
static bool comes_back(struct convert *c, const struct convert_service *s)
{
	struct str args = s->args, name, value;

	while (convert_value(c, "content_filter").n > 0 && override_take(&args, &name, &value))
		if (str_eq(name, STR("content_filter")) && value.n == 0)
			return true;
	return false;
}

static void listener_say(struct convert *c, const struct convert_service *s, bool *submission)
{
	struct str  host;
	uint32_t    port;
	const char *kind, *shown = arena_printf(c->a, "master.cf %.*s", STR_FMT(s->name)).p;

	if (!service_address(s->name, &host, &port)) {
		convert_say(c, CONVERT_LOST, shown, s->command, "its port is not known");
		return;
	}
	kind = port == 25 ? "smtp" : port == 587 ? "submission" : port == 465 ? "submissions" : "reinject";
	if (strcmp(kind, "reinject") == 0 && !comes_back(c, s)) {
		convert_say(c, CONVERT_LOST, shown, s->command, "a listener at port %u: what is it for? (listen.smtp and listen.submission may have more ports)", port);
		return;
	}
	if (strcmp(kind, "reinject") == 0 && host.n == 0)
		host = STR("127.0.0.1");
	*submission = *submission || strncmp(kind, "submission", 10) == 0;
	listen_on(c, kind, host, port);
	convert_say(c, CONVERT_KEPT, shown, s->command, "listen.%s%s", kind, str_eq(s->command, STR("postscreen")) ? "; strangers are judged by guard" : "");
	overrides_say(c, s, kind);
}

static void other_say(struct convert *c, const struct convert_service *s)
{
	const char *shown = arena_printf(c->a, "master.cf %.*s", STR_FMT(s->name)).p;

	if (str_eq(s->command, STR("pipe")))
		convert_pipe_say(c, s);
	else if (str_eq(s->command, STR("spawn")))
		convert_say(c, CONVERT_LOST, shown, s->command, "no other program is run for a connection; a policy server can be reached by TCP");
	else if (!is_own(s->command))
		convert_say(c, CONVERT_LOST, shown, s->command, "this service is not known");
}

void convert_services(struct convert *c)
{
	bool submission = false, sign_in = str_eq(convert_value(c, "smtpd_sasl_auth_enable"), STR("yes"));
	bool tls = convert_is_set(c, "smtpd_tls_cert_file") || convert_is_set(c, "smtpd_tls_chain_files");

	for (size_t i = 0; i < c->service_count; i++) {
		const struct convert_service *s = &c->services[i];

		if (str_eq(s->type, STR("inet")) && (str_eq(s->command, STR("smtpd")) || str_eq(s->command, STR("postscreen"))))
			listener_say(c, s, &submission);
		else
			other_say(c, s);
	}
	if (c->service_count == 0)
		listen_on(c, "smtp", STR(""), 25);
	if (!submission && sign_in) {
		listen_on(c, "submission", STR(""), 587);
		convert_say(c, CONVERT_KEPT, "smtpd_sasl_auth_enable", STR("yes"), "listen.submission: sign-in is not offered on port 25, users take port 587");
	}
	convert_listen(c, "imap", STR("*:143"));
	if (tls)
		convert_listen(c, "imaps", STR("*:993"));
	else
		convert_say(c, CONVERT_LOST, "smtpd_tls_cert_file", STR("(not set)"), "there is no certificate: listen.imaps and listen.submissions need one");
}
