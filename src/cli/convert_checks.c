/* cli/convert_checks.c - restrictions, lists, milters, policy servers and content filters become settings; see convert.h. */
#include <string.h>

#include "base/limits.h"
#include "cli/convert.h"
#include "wire/address/address.h"
#include "wire/text/text_postfix.h"
#include "wire/address/nexthop.h"

/* A name or an IP address: nothing else may get into a setting. */
static bool host_valid(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_is_alnum(host.p[i]) && str_find(STR(".-_:"), host.p[i]) < 0)
			return false;
	return host.n > 0 && host.n <= LIMIT_DOMAIN;
}

bool convert_host_port(struct convert *c, struct str text, const char *port, struct str *ret)
{
	struct str host, number = str_of(port);
	uint32_t   n;

	str_skip(&text, STR("inet:"));
	if (str_skip_char(&text, '[')) {
		struct str rest;

		if (!str_cut(text, ']', &host, &rest))
			return false;
		if (rest.n > 0 && !str_skip_char(&rest, ':'))
			return false;
		if (rest.n > 0)
			number = rest;
	} else if (str_rcut(text, ':', &host, &number)) {
		if (str_find(host, ':') >= 0)
			return false;
	} else {
		host = text;
		number = str_of(port);
	}
	if (str_ieq(number, STR("smtp")))
		number = STR("25");
	else if (str_ieq(number, STR("submission")))
		number = STR("587");
	else if (str_ieq(number, STR("smtps")) || str_ieq(number, STR("submissions")))
		number = STR("465");
	if (!host_valid(host) || !str_to_u32(number, &n) || n == 0 || n > 65535)
		return false;
	*ret = str_find(host, ':') >= 0 ? arena_printf(c->a, "[%.*s]:%u", STR_FMT(host), n) : arena_printf(c->a, "%.*s:%u", STR_FMT(host), n);
	return true;
}

bool convert_next_hop(struct convert *c, struct str text, const char *before, struct str *ret)
{
	bool           mx = !str_starts(text, STR("[")) && before[0] == '\0';
	struct str     at;
	struct nexthop ignored;

	if (!convert_host_port(c, text, strcmp(before, "smtps:") == 0 ? "465" : "25", &at))
		return false;
	if (mx && str_iends(at, STR(":25")))
		at.n -= 3;
	*ret = arena_printf(c->a, "%s%.*s", mx ? "mx:" : before, STR_FMT(at));
	return nexthop_parse(*ret, &ignored);
}

/* ---- lists in DNS ---- */

/* "zone", "zone=pattern", with "*weight": as guard.dnsbl has it. */
static bool dnsbl_add(struct convert *c, struct str item)
{
	struct str           zone, rest, pattern = STR_NONE, weight = STR_NONE, text;
	struct buf           out;
	struct address_canon canon;

	if (!str_cut(item, '*', &rest, &weight))
		rest = item;
	if (!str_cut(rest, '=', &zone, &pattern))
		zone = rest;
	if (str_find(zone, ':') >= 0 || address_domain(zone, &canon) != ADDRESS_OK)
		return false;
	for (size_t i = 0; i < pattern.n; i++)
		if (!ascii_is_digit(pattern.p[i]) && str_find(STR(".[];"), pattern.p[i]) < 0)
			return false;
	for (size_t i = 0; i < weight.n; i++)
		if (!ascii_is_digit(weight.p[i]) && (i > 0 || weight.p[i] != '-'))
			return false;
	buf_init(&out, 1024);
	buf_add(&out, zone);
	if (pattern.n > 0) {
		buf_add_char(&out, '=');
		for (size_t i = 0; i < pattern.n; i++) { /* "[2..4]" is "[2-4]" */
			bool range = pattern.p[i] == '.' && i + 1 < pattern.n && pattern.p[i + 1] == '.';

			buf_add_char(&out, range ? '-' : pattern.p[i]);
			i += range;
		}
		if (weight.n > 0)
			buf_addf(&out, "*%.*s", STR_FMT(weight));
	} else if (weight.n > 0) {
		buf_addf(&out, "=%.*s", STR_FMT(weight));
	}
	text = arena_dup(c->a, buf_str(&out));
	buf_done(&out);
	convert_set_more(c, "guard", "dnsbl", text, ", ");
	return true;
}

void convert_dnsbl_sites(struct convert *c, const char *name, struct str value)
{
	struct str word, rest = value;
	size_t     count = 0;

	while (text_postfix_word(&rest, &word)) {
		if (dnsbl_add(c, word))
			count++;
		else
			convert_say(c, CONVERT_LOST, name, word, "is no list in DNS");
	}
	if (count > 0)
		convert_say(c, CONVERT_KEPT, name, value, "setting guard.dnsbl");
	else if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "no lists are asked");
}

/* ---- restrictions ---- */

struct restriction {
	const char       *name;
	bool              argument;
	enum convert_fate fate;
	const char       *text;
};

static const struct restriction restrictions[] = {
	{ "permit", false, CONVERT_DEFAULT, NULL },
	{ "permit_mynetworks", false, CONVERT_LOST, "nobody may relay by address: programs of this host use sendmail, others sign in on submission" },
	{ "permit_sasl_authenticated", false, CONVERT_DEFAULT, NULL },
	{ "permit_tls_clientcerts", false, CONVERT_LOST, "nobody may relay by client certificate" },
	{ "permit_auth_destination", false, CONVERT_DEFAULT, NULL },
	{ "permit_mx_backup", false, CONVERT_LOST, "name the domains ('domain add --relay') instead" },
	{ "reject_unauth_destination", false, CONVERT_DEFAULT, NULL },
	{ "defer_unauth_destination", false, CONVERT_DEFAULT, NULL },
	{ "reject_unauth_pipelining", false, CONVERT_DEFAULT, NULL },
	{ "reject_unlisted_recipient", false, CONVERT_DEFAULT, NULL },
	{ "reject_unlisted_sender", false, CONVERT_LOST, "senders are not looked up" },
	{ "reject_unverified_recipient", false, CONVERT_LOST, "'domain add --relay --verify probe' asks the host of a domain" },
	{ "reject_unverified_sender", false, CONVERT_LOST, "senders are not called back" },
	{ "reject_non_fqdn_sender", false, CONVERT_DEFAULT, NULL },
	{ "reject_non_fqdn_recipient", false, CONVERT_DEFAULT, NULL },
	{ "reject_non_fqdn_helo_hostname", false, CONVERT_LOST, "what a client calls itself is not held against it" },
	{ "reject_non_fqdn_hostname", false, CONVERT_LOST, "what a client calls itself is not held against it" },
	{ "reject_invalid_helo_hostname", false, CONVERT_DEFAULT, NULL },
	{ "reject_invalid_hostname", false, CONVERT_DEFAULT, NULL },
	{ "reject_unknown_helo_hostname", false, CONVERT_LOST, "what a client calls itself is not held against it" },
	{ "reject_unknown_hostname", false, CONVERT_LOST, "what a client calls itself is not held against it" },
	{ "reject_unknown_sender_domain", false, CONVERT_LOST, "a sender's domain is not looked up at the door" },
	{ "reject_unknown_recipient_domain", false, CONVERT_LOST, "a recipient's domain is looked up when the mail is sent" },
	{ "reject_unknown_client_hostname", false, CONVERT_LOST, "names of clients are not looked up" },
	{ "reject_unknown_reverse_client_hostname", false, CONVERT_LOST, "names of clients are not looked up" },
	{ "reject_sender_login_mismatch", false, CONVERT_DEFAULT, NULL },
	{ "reject_authenticated_sender_login_mismatch", false, CONVERT_DEFAULT, NULL },
	{ "reject_known_sender_login_mismatch", false, CONVERT_DEFAULT, NULL },
	{ "reject_multi_recipient_bounce", false, CONVERT_LOST, "bounces to several recipients are taken" },
	{ "reject_plaintext_session", false, CONVERT_LOST, "strangers may send without TLS" },
	{ "warn_if_reject", false, CONVERT_LOST, "what follows it is in force, or not at all" },
	{ "defer_if_permit", false, CONVERT_LOST, "has no equivalent" },
	{ "defer_if_reject", false, CONVERT_LOST, "has no equivalent" },
	{ "sleep", true, CONVERT_LOST, "guard.tarpit slows down who fails" },
	{ "reject", false, CONVERT_DEFAULT, NULL },
	{ "defer", false, CONVERT_LOST, "has no equivalent" },
	{ "check_client_access", true, CONVERT_LOST, "access tables are not kept; 'ban add' keeps an address out" },
	{ "check_sender_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_recipient_access", true, CONVERT_LOST, "access tables are not kept; 'alias policy' closes a list" },
	{ "check_helo_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_client_mx_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_client_ns_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_sender_mx_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_sender_ns_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_recipient_mx_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_reverse_client_hostname_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_sasl_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "check_etrn_access", true, CONVERT_LOST, "access tables are not kept" },
	{ "reject_rhsbl_client", true, CONVERT_LOST, "lists of domains are not asked" },
	{ "reject_rhsbl_sender", true, CONVERT_LOST, "lists of domains are not asked" },
	{ "reject_rhsbl_helo", true, CONVERT_LOST, "lists of domains are not asked" },
	{ "reject_rhsbl_recipient", true, CONVERT_LOST, "lists of domains are not asked" },
	{ "reject_rhsbl_reverse_client", true, CONVERT_LOST, "lists of domains are not asked" },
	{ "permit_rhswl_client", true, CONVERT_LOST, "lists of domains are not asked" },
};

static const struct restriction *restriction_find(struct str word)
{
	for (size_t i = 0; i < LEN(restrictions); i++)
		if (str_eq(word, str_of(restrictions[i].name)))
			return &restrictions[i];
	return NULL;
}

/* Which stages of a policy server a list of restrictions means. */
static const char *policy_stage(const char *name)
{
	return strcmp(name, "smtpd_data_restrictions") == 0 ? "data" : strcmp(name, "smtpd_end_of_data_restrictions") == 0 ? "end" : "rcpt";
}

static void policy_add(struct convert *c, const char *name, struct str server)
{
	struct str at, inner = server, address;

	if (str_find(server, ' ') >= 0) /* "{ inet:host:port, timeout=10s }" without its braces */
		text_postfix_word(&inner, &server);
	if (!str_istarts(server, STR("inet:")) || !convert_host_port(c, server, "", &at)) {
		convert_say(c, CONVERT_LOST, name, server, "a policy server must listen on inet:HOST:PORT");
		return;
	}
	address = strcmp(policy_stage(name), "rcpt") == 0 ? arena_printf(c->a, "inet:%.*s", STR_FMT(at))
							    : arena_printf(c->a, "inet:%.*s stages=%s", STR_FMT(at), policy_stage(name));
	convert_set_more(c, "filter", "policy", address, ", ");
	convert_say(c, CONVERT_KEPT, name, server, "setting filter.policy");
}

/* One restriction with its argument off *rest. Returns whether it said something. */
static bool restriction_take(struct convert *c, const char *name, struct str word, struct str *rest)
{
	const struct restriction *r = restriction_find(word);
	struct str                arg = STR_NONE;

	if (str_eq(word, STR("reject_rbl_client")) || str_eq(word, STR("permit_dnswl_client"))) {
		bool good = str_eq(word, STR("permit_dnswl_client"));

		text_postfix_word(rest, &arg);
		if (good) /* whoever is on it is let in, whatever the others say */
			arg = arena_printf(c->a, "%.*s*-100", STR_FMT(arg));
		else if (convert_value(c, "postscreen_dnsbl_threshold").n > 0) /* one list is enough */
			arg = arena_printf(c->a, "%.*s*%.*s", STR_FMT(arg), STR_FMT(convert_value(c, "postscreen_dnsbl_threshold")));
		if (dnsbl_add(c, arg))
			convert_say(c, CONVERT_KEPT, name, word, "setting guard.dnsbl: %.*s", STR_FMT(arg));
		else
			convert_say(c, CONVERT_LOST, name, word, "%.*s is no list in DNS", STR_FMT(arg));
		return true;
	}
	if (str_eq(word, STR("check_policy_service"))) {
		if (text_postfix_word(rest, &arg))
			policy_add(c, name, arg);
		return true;
	}
	if (!r) {
		convert_say(c, CONVERT_LOST, name, word, convert_is_map(word) ? "access tables are not kept" : "this restriction is not known");
		return true;
	}
	if (r->argument)
		text_postfix_word(rest, &arg);
	if (str_eq(word, STR("permit_mynetworks")) && !convert_networks_beyond(c)) /* this host alone */
		return false;
	if (r->fate == CONVERT_LOST)
		convert_say(c, CONVERT_LOST, name, arg.n ? arena_printf(c->a, "%.*s %.*s", STR_FMT(word), STR_FMT(arg)) : word, "%s", r->text);
	return r->fate == CONVERT_LOST;
}

void convert_restrictions(struct convert *c, const char *name, struct str value)
{
	struct str word, rest = value;
	size_t     silent = 0;

	while (text_postfix_word(&rest, &word))
		silent += !restriction_take(c, name, word, &rest);
	if (silent > 0 || value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "what is not named otherwise is so: own domains only, except after a sign-in; valid addresses; no "
							     "talking ahead");
}

/* ---- filters ---- */

void convert_milters(struct convert *c, const char *name, struct str value)
{
	struct str word, at, rest = value;
	size_t     count = 0;

	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "no milters");
	while (text_postfix_word(&rest, &word)) {
		struct str address = word, inner = word;

		if (str_find(word, ' ') >= 0)
			text_postfix_word(&inner, &address);
		if (!str_istarts(address, STR("inet:")) || !convert_host_port(c, address, "", &at)) {
			convert_say(c, CONVERT_LOST, name, address, "a milter must listen on inet:HOST:PORT: tell it so, and add it to filter.milters");
			continue;
		}
		if (strcmp(name, "non_smtpd_milters") != 0)
			convert_set_more(c, "filter", "milters", arena_printf(c->a, "inet:%.*s", STR_FMT(at)), ", ");
		count++;
	}
	if (count > 0 && strcmp(name, "non_smtpd_milters") == 0)
		convert_say(c, CONVERT_LOST, name, value, "mail of local programs does not pass milters");
	else if (count > 0)
		convert_say(c, CONVERT_KEPT, name, value, "setting filter.milters");
}

void convert_milter_default(struct convert *c, const char *name, struct str value)
{
	if (str_eq(value, STR("shutdown")) || str_eq(value, STR("tempfail")) || str_find(value, ' ') >= 0) {
		convert_say(c, CONVERT_DEFAULT, name, value, "when a milter fails, mail is told to try later");
	} else if (str_eq(value, STR("accept")) || str_eq(value, STR("reject")) || str_eq(value, STR("quarantine"))) {
		convert_set(c, "filter", "milter_default", value, true);
		convert_say(c, CONVERT_KEPT, name, value, "setting filter.milter_default");
	} else {
		convert_say(c, CONVERT_LOST, name, value, "is not known");
	}
}

void convert_content_filter(struct convert *c, const char *name, struct str value)
{
	struct str transport, next, at;

	if (value.n == 0) {
		convert_say(c, CONVERT_DEFAULT, name, value, "no content filter");
		return;
	}
	if (!str_cut(value, ':', &transport, &next) || !convert_host_port(c, next, "10024", &at)) {
		convert_say(c, CONVERT_LOST, name, value, "a content filter must take mail by SMTP or LMTP at HOST:PORT; none is run as a command");
		return;
	}
	convert_set(c, "filter", "content", arena_printf(c->a, "%s:%.*s", str_istarts(transport, STR("lmtp")) ? "lmtp" : "smtp", STR_FMT(at)), true);
	convert_say(c, CONVERT_KEPT, name, value, "setting filter.content; it gives mail back to listen.reinject");
}
