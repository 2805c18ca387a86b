/* cli/convert_params.c - the table: what becomes of each parameter of main.cf; see convert.h.
 *
 * A new setting of ours that takes over a parameter is one row changed here.
 */
#include <string.h>

#include "base/limits.h"
#include "cli/convert.h"
#include "wire/address/address.h"
#include "wire/text/text_postfix.h"
#include "wire/address/nexthop.h"

/* ---- single settings ---- */

static void setting_text(struct convert *c, const char *name, struct str value, const char *section, const char *setting)
{
	convert_set(c, section, setting, value, true);
	convert_say(c, CONVERT_KEPT, name, value, "setting %s%s%s", section, *section ? "." : "", setting);
}

static bool is_domain(struct str value)
{
	return value.n <= LIMIT_DOMAIN && address_domain_is_ascii(value);
}

static void hostname(struct convert *c, const char *name, struct str value)
{
	if (!is_domain(value))
		convert_say(c, CONVERT_LOST, name, value, "is no host name: set hostname");
	else
		setting_text(c, name, value, "", "hostname");
}

/* A file with the domain in it (Debian: /etc/mailname), or the domain. */
static void origin(struct convert *c, const char *name, struct str value)
{
	struct str text, rest;

	if (value.n > 0 && value.p[0] == '/') {
		if (!convert_file(c, value, &text)) {
			convert_say(c, CONVERT_LOST, name, value, "the file cannot be read: set submit.domain");
			return;
		}
		str_cut(text, '\n', &value, &rest);
		value = str_trim_ws(value);
	}
	if (!is_domain(value))
		convert_say(c, CONVERT_LOST, name, value, "is no domain: set submit.domain");
	else
		setting_text(c, name, value, "submit", "domain");
}

/* Several in the order they are tried, without brackets the host is a domain whose MX is asked. */
static void relay(struct convert *c, const char *name, struct str value)
{
	bool       tls = str_ieq(convert_value(c, "smtp_tls_wrappermode"), STR("yes"));
	struct str rest = value, word, one, all = STR("");

	if (value.n == 0) {
		convert_say(c, CONVERT_DEFAULT, name, value, "outside mail goes by MX");
		return;
	}
	if (convert_route_all(c)) {
		convert_say(c, CONVERT_KEPT, name, value, "in the rule for all mail, with credentials: 'route add'; the host itself is asked, not its MX");
		return;
	}
	while (text_postfix_word(&rest, &word)) {
		if (!convert_next_hop(c, word, tls ? "smtps:" : "", &one)) {
			convert_say(c, CONVERT_LOST, name, word, tls ? "is not [HOST]:PORT" : "is not [HOST]:PORT or DOMAIN:PORT");
			return;
		}
		all = arena_printf(c->a, "%.*s%s%.*s", STR_FMT(all), all.n > 0 ? ", " : "", STR_FMT(one));
	}
	if (!nexthops_valid(all)) {
		convert_say(c, CONVERT_LOST, name, value, "is no list of hosts, or too long a one");
		return;
	}
	convert_set(c, "", "relay", all, true);
	convert_say(c, CONVERT_KEPT, name, value, "setting relay");
}

static void message_size(struct convert *c, const char *name, struct str value)
{
	uint64_t v;

	if (!str_to_u64(value, &v)) {
		convert_say(c, CONVERT_LOST, name, value, "is no number");
	} else if (v == 0 || v > LIMIT_MESSAGE_MAX) {
		convert_set(c, "", "message_size", STR("1G"), true);
		convert_say(c, CONVERT_KEPT, name, value, "setting message_size: 1G is the most");
	} else {
		convert_set(c, "", "message_size", value, true);
		convert_say(c, CONVERT_KEPT, name, value, "setting message_size");
	}
}

static void subaddress(struct convert *c, const char *name, struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (str_find(STR("!#$%&'*+-/=?^_`{|}~"), value.p[i]) < 0) {
			convert_say(c, CONVERT_LOST, name, value, "separators are signs that may stand in a name: set smtp.subaddress");
			return;
		}
	setting_text(c, name, value, "smtp", "subaddress");
}

static void tls_file(struct convert *c, const char *name, struct str value)
{
	setting_text(c, name, value, "tls", strcmp(name, "smtpd_tls_key_file") == 0 ? "key" : "certificate");
	if (strcmp(name, "smtpd_tls_cert_file") == 0 && !convert_is_set(c, "smtpd_tls_key_file"))
		convert_set(c, "tls", "key", value, true); /* the default of Postfix */
}

/* One file with key and chain is both of ours; several are several pairs. */
static void tls_chain(struct convert *c, const char *name, struct str value)
{
	struct str first, second = STR_NONE, rest = value, more;

	if (!text_postfix_word(&rest, &first))
		return;
	text_postfix_word(&rest, &second);
	convert_set(c, "tls", "key", first, true);
	convert_set(c, "tls", "certificate", second.n ? second : first, true);
	if (text_postfix_word(&rest, &more))
		convert_say(c, CONVERT_LOST, name, more, "there is one certificate: the first pair is kept");
	convert_say(c, CONVERT_KEPT, name, value, "settings tls.key and tls.certificate");
}

/* "5d", "300s", "300" (days for the lifetime, else seconds) as ours has them. */
static void queue_time(struct convert *c, const char *name, struct str value)
{
	bool        life = strcmp(name, "maximal_queue_lifetime") == 0;
	const char *setting = life ? "expire" : strcmp(name, "minimal_backoff_time") == 0 ? "retry_first" : "retry_max";
	struct str  text = value, unit;
	uint64_t    v;

	if (!str_take_u64(&text, &v) || text.n > 1 || v == 0 || (text.n == 1 && str_find(STR("smhdw"), text.p[0]) < 0)) {
		convert_say(c, CONVERT_LOST, name, value, "is no time that the queue can have: set queue.%s", setting);
		return;
	}
	unit = text.n ? text : life ? STR("d") : STR("s");
	if (unit.p[0] == 'w') {
		v *= 7;
		unit = STR("d");
	}
	convert_set(c, "queue", setting, arena_printf(c->a, "%llu%.*s", (unsigned long long)v, STR_FMT(unit)), true);
	convert_say(c, CONVERT_KEPT, name, value, "setting queue.%s", setting);
}

/* "4h", "0h": hours when there is no unit. */
static void delay_warning(struct convert *c, const char *name, struct str value)
{
	struct str text = value;
	uint64_t   v;

	if (!str_take_u64(&text, &v) || text.n > 1 || (text.n == 1 && str_find(STR("smhd"), text.p[0]) < 0)) {
		convert_say(c, CONVERT_LOST, name, value, "set queue.delay_warning");
		return;
	}
	convert_set(c, "queue", "delay_warning", arena_printf(c->a, "%llu%s%.*s", (unsigned long long)v, text.n || v == 0 ? "" : "h", STR_FMT(v ? text : STR(""))), true);
	convert_say(c, CONVERT_KEPT, name, value, "setting queue.delay_warning%s", v ? "" : ": none");
}

static void connections(struct convert *c, const char *name, struct str value)
{
	uint64_t v;

	if (str_to_u64(value, &v) && v > 0) {
		convert_set(c, "limits", "per_address", value, false);
		convert_say(c, CONVERT_KEPT, name, value, "setting limits.per_address");
	} else {
		convert_say(c, CONVERT_DEFAULT, name, value, "the limits.* settings hold");
	}
}

/* Per anvil_rate_time_unit (a minute); ours are per hour. */
static void rate(struct convert *c, const char *name, struct str value)
{
	const char *setting = strcmp(name, "smtpd_client_connection_rate_limit") == 0 ? "address_connections"
			      : strcmp(name, "smtpd_client_message_rate_limit") == 0  ? "address_messages"
										      : "address_recipients";
	uint64_t    v;

	if (!str_to_u64(value, &v) || v > 1000000 || convert_is_set(c, "anvil_rate_time_unit")) {
		convert_say(c, CONVERT_LOST, name, value, "set guard.%s, which is per hour", setting);
	} else if (v == 0) {
		convert_say(c, CONVERT_DEFAULT, name, value, "guard.%s has a generous value", setting);
	} else {
		convert_set(c, "guard", setting, arena_printf(c->a, "%llu", (unsigned long long)v * 60), false);
		convert_say(c, CONVERT_KEPT, name, value, "setting guard.%s, per hour", setting);
	}
}

static void threshold(struct convert *c, const char *name, struct str value)
{
	uint64_t v;

	if (!str_to_u64(value, &v) || v == 0 || v > 10000) {
		convert_say(c, CONVERT_LOST, name, value, "is no number of points: set guard.dnsbl_threshold");
		return;
	}
	convert_set(c, "guard", "dnsbl_threshold", value, false);
	convert_say(c, CONVERT_KEPT, name, value, "setting guard.dnsbl_threshold");
}

static void greet(struct convert *c, const char *name, struct str value)
{
	if (str_eq(value, STR("ignore"))) {
		convert_say(c, CONVERT_DEFAULT, name, value, "newcomers need not wait (guard.greet_pause)");
		return;
	}
	convert_set(c, "guard", "greet_pause", STR("6s"), true);
	convert_say(c, CONVERT_KEPT, name, value, "setting guard.greet_pause");
}

static void proxy(struct convert *c, const char *name, struct str value)
{
	if (!str_ieq(value, STR("haproxy"))) {
		convert_say(c, value.n ? CONVERT_LOST : CONVERT_DEFAULT, name, value, value.n ? "only the PROXY protocol is known" : "no proxy stands before us");
		return;
	}
	convert_set(c, "smtp", "proxy", STR("smtp"), true);
	convert_say(c, CONVERT_KEPT, name, value, "setting smtp.proxy; name the proxy's addresses in smtp.trusted");
}

/* Who may say XCLIENT. Networks of ours are words like "192.0.2.0/24"; names and maps are none. */
static void trusted(struct convert *c, const char *name, struct str value)
{
	struct str word, rest = value;

	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "nobody");
	while (text_postfix_word(&rest, &word)) {
		bool address = word.n > 0;

		for (size_t i = 0; i < word.n; i++) /* digits and colons: no name, no map */
			address = address && str_find(STR("0123456789abcdefABCDEF.:/[]"), word.p[i]) >= 0;

		if (!address) {
			convert_say(c, CONVERT_LOST, name, word, "is no address or network");
			continue;
		}
		if (word.p[0] == '[') { /* "[2001:db8::]/32" */
			struct str inside, behind;

			str_cut(str_from(word, 1), ']', &inside, &behind);
			word = arena_printf(c->a, "%.*s%.*s", STR_FMT(inside), STR_FMT(behind));
		}
		convert_set_more(c, "smtp", "trusted", word, ", ");
		convert_say(c, CONVERT_KEPT, name, word, "setting smtp.trusted");
	}
}

bool convert_networks_beyond(struct convert *c)
{
	struct str word, rest = convert_value(c, "mynetworks");
	bool       others = false;

	while (text_postfix_word(&rest, &word))
		others = others || (!str_starts(word, STR("127.")) && !str_starts(word, STR("[::1]")) && !str_starts(word, STR("[::ffff:127.")));
	return others;
}

static void networks(struct convert *c, const char *name, struct str value)
{
	if (convert_networks_beyond(c))
		convert_say(c, CONVERT_LOST, name, value, "nobody may relay by address: programs of this host use sendmail, others sign in on submission");
	else
		convert_say(c, CONVERT_DEFAULT, name, value, "programs of this host hand over mail by sendmail");
}

static void tls_in(struct convert *c, const char *name, struct str value)
{
	if (str_eq(value, STR("may")))
		convert_say(c, CONVERT_DEFAULT, name, value, "TLS is offered, and a sign-in needs it");
	else
		convert_say(c, CONVERT_LOST, name, value, "TLS is offered to strangers, not demanded; a sign-in needs it");
}

static void mailbox_size(struct convert *c, const char *name, struct str value)
{
	if (str_eq(value, STR("0")))
		convert_say(c, CONVERT_DEFAULT, name, value, "accounts have no limit");
	else
		convert_say(c, CONVERT_LOST, name, value, "a limit belongs to an account: 'account quota ADDRESS SIZE'");
}

/* ---- the table ---- */

#define KEPT(name, handler)  { name, CONVERT_KEPT, NULL, handler }
#define SO(name, text)       { name, CONVERT_DEFAULT, text, NULL }
#define LOST(name, text)     { name, CONVERT_LOST, text, NULL }

static const char own_place[] = "Postrider has places and users of its own";
static const char own_store[] = "mail is stored in accounts; there is no other delivery agent";
static const char own_tls[] = "TLS 1.2 and newer with the ciphers of the TLS library, always offered and always tried";
static const char own_sign_in[] = "accounts sign in with their own passwords, over TLS only";
static const char own_text[] = "what the server says of itself cannot be chosen";
static const char own_limits[] = "limits have fixed or other names: 'postrider config show'";
static const char no_command[] = "no command is ever run for mail";
static const char no_patterns[] = "header and body patterns are not known: a milter can do that";
static const char no_bcc[] = "copies of all mail are not made: a milter can do that";

const struct convert_row_of_table convert_rows[] = {
	/* who we are */
	KEPT("myhostname", hostname),
	KEPT("myorigin", origin),
	SO("mydomain", "stands for a part of other values, and was put in there"),
	SO("mail_name", own_text),
	SO("smtpd_banner", own_text),
	KEPT("smtp_helo_name", convert_route_default),
	KEPT("smtp_bind_address", convert_route_default),
	KEPT("smtp_bind_address6", convert_route_default),
	LOST("smtp_bind_address*", "the address to send from is used, or mail waits"),
	SO("inet_interfaces", "went into the listen section"),
	SO("inet_protocols", "both families are used where they are"),
	SO("proxy_interfaces", "a host knows itself by its domains"),
	/* domains and people */
	KEPT("mydestination", convert_mydestination),
	KEPT("virtual_alias_domains", convert_virtual_domains),
	KEPT("virtual_mailbox_domains", convert_virtual_domains),
	KEPT("relay_domains", convert_relay_domains),
	SO("relay_recipient_maps", "went into 'domain add --relay --verify probe'"),
	KEPT("virtual_alias_maps", convert_virtual_aliases),
	KEPT("virtual_maps", convert_virtual_aliases),
	KEPT("virtual_mailbox_maps", convert_virtual_mailboxes),
	KEPT("alias_maps", convert_alias_maps),
	KEPT("alias_database", convert_alias_maps),
	SO("local_recipient_maps", "who has an account or alias is known, all others are refused"),
	KEPT("luser_relay", convert_luser),
	KEPT("recipient_delimiter", subaddress),
	KEPT("canonical_maps", convert_rewrite),
	KEPT("sender_canonical_maps", convert_rewrite),
	KEPT("recipient_canonical_maps", convert_rewrite),
	KEPT("smtp_generic_maps", convert_rewrite),
	KEPT("masquerade_domains", convert_masquerade),
	LOST("masquerade_exceptions", "exceptions are not known to rules of rewriting"),
	LOST("masquerade_classes", "rules of rewriting hold for senders"),
	SO("canonical_classes", "a rule says itself whether it is for senders or recipients"),
	SO("append_dot_mydomain", "addresses of local programs get a domain only if they have none"),
	SO("append_at_myorigin", "addresses of local programs get a domain if they have none"),
	SO("allow_percent_hack", "percent signs never route"),
	SO("swap_bangpath", "exclamation marks never route"),
	SO("remote_header_rewrite_domain", "the header of a stranger is left as it is"),
	SO("local_header_rewrite_clients", "addresses of local programs get a domain if they have none"),
	LOST("recipient_bcc_maps", no_bcc),
	LOST("sender_bcc_maps", no_bcc),
	LOST("always_bcc", no_bcc),
	LOST("relocated_maps", "that somebody has moved is not told: an alias forwards the mail"),
	LOST("smtpd_sender_login_maps", "a sender must be an address or alias of the account: 'account delegate' lets others use it"),
	SO("*_code", "codes of replies are those of the standards"),
	/* ways */
	KEPT("relayhost", relay),
	SO("smtp_tls_wrappermode", "went into setting relay (smtps:)"),
	KEPT("transport_maps", convert_transport),
	KEPT("sender_dependent_relayhost_maps", convert_sender_relay),
	LOST("sender_dependent_*", "a way by the sender is a host: 'route add --from'"),
	LOST("default_transport", "outside mail goes by MX or the setting relay"),
	LOST("relay_transport", "'domain add --relay HOST:PORT' names the host of a domain"),
	LOST("fallback_relay", "there is no second way out"),
	LOST("smtp_fallback_relay", "there is no second way out"),
	KEPT("default_destination_concurrency_limit", convert_route_default),
	KEPT("smtp_destination_concurrency_limit", convert_route_default),
	KEPT("default_destination_rate_delay", convert_route_default),
	KEPT("smtp_destination_rate_delay", convert_route_default),
	LOST("default_destination_*", own_limits),
	LOST("smtp_destination_*", own_limits),
	LOST("*_destination_concurrency_limit", own_limits),
	LOST("*_destination_recipient_limit", own_limits),
	LOST("*_destination_rate_delay", "'route add --rate' slows sending down, by recipient or sender"),
	LOST("header_size_limit", own_limits),
	KEPT("smtp_sasl_password_maps", convert_passwords),
	SO("smtp_sasl_auth_enable", "who has credentials for a host signs in there"),
	SO("smtp_sender_dependent_authentication", "credentials belong to a rule, and a rule may be by the sender"),
	SO("smtp_sasl_*", "the strongest mechanism that both have; passwords over TLS only"),
	KEPT("smtp_tls_policy_maps", convert_tls_policy),
	KEPT("smtp_tls_security_level", convert_tls_level),
	SO("smtp_dns_support_level", "answers are validated by DNSSEC where they are signed"),
	SO("smtp_tls_*", own_tls),
	SO("smtp_use_tls", own_tls),
	LOST("smtp_header_checks", no_patterns),
	LOST("smtp_*", "how mail is sent follows the standards, without switches"),
	LOST("lmtp_*", own_store),
	/* storing */
	KEPT("mailbox_size_limit", mailbox_size),
	KEPT("virtual_mailbox_limit", mailbox_size),
	LOST("mailbox_command*", no_command),
	LOST("mailbox_transport*", own_store),
	LOST("fallback_transport*", own_store),
	LOST("virtual_transport", own_store),
	LOST("local_transport", own_store),
	SO("home_mailbox", own_store),
	SO("mail_spool_directory", own_store),
	SO("mailbox_delivery_lock", own_store),
	SO("virtual_mailbox_base", own_store),
	SO("virtual_minimum_uid", own_store),
	SO("virtual_uid_maps", own_store),
	SO("virtual_gid_maps", own_store),
	LOST("forward_path", "a person forwards by an alias; .forward files are not read"),
	LOST("allow_mail_to_commands", no_command),
	LOST("allow_mail_to_files", "mail is never written to a file"),
	LOST("dovecot_destination_recipient_limit", own_store),
	SO("biff", "nobody is told by biff(1): IMAP tells at once"),
	/* the door */
	KEPT("mynetworks", networks),
	LOST("mynetworks_style", "nobody may relay by address: others sign in on submission"),
	KEPT("message_size_limit", message_size),
	KEPT("smtpd_recipient_restrictions", convert_restrictions),
	KEPT("smtpd_relay_restrictions", convert_restrictions),
	KEPT("smtpd_client_restrictions", convert_restrictions),
	KEPT("smtpd_helo_restrictions", convert_restrictions),
	KEPT("smtpd_sender_restrictions", convert_restrictions),
	KEPT("smtpd_data_restrictions", convert_restrictions),
	KEPT("smtpd_end_of_data_restrictions", convert_restrictions),
	KEPT("smtpd_etrn_restrictions", convert_restrictions),
	LOST("smtpd_restriction_classes", "classes of restrictions are not known"),
	SO("smtpd_delay_reject", "refusals come at the command they are about"),
	SO("smtpd_helo_required", "HELO or EHLO comes first"),
	SO("strict_rfc821_envelopes", "addresses are checked by the grammar"),
	SO("disable_vrfy_command", "VRFY tells nothing"),
	SO("smtpd_reject_unlisted_recipient", "unknown recipients of own domains are refused"),
	SO("smtpd_reject_unlisted_sender", "a sender is not looked up"),
	SO("smtpd_discard_ehlo_keyword*", "what is offered follows the standards"),
	SO("smtpd_forbid_bare_newline*", "a message with a bare CR or LF is refused"),
	SO("smtpd_forbid_unauth_pipelining", "who talks ahead is refused"),
	KEPT("smtpd_tls_cert_file", tls_file),
	KEPT("smtpd_tls_key_file", tls_file),
	KEPT("smtpd_tls_chain_files", tls_chain),
	LOST("smtpd_tls_CAfile", "certificates of clients are not asked for"),
	LOST("smtpd_tls_CApath", "certificates of clients are not asked for"),
	LOST("smtpd_tls_ask_ccert", "certificates of clients are not asked for"),
	LOST("smtpd_tls_req_ccert", "certificates of clients are not asked for"),
	LOST("smtpd_tls_ec*file", "one certificate; give that one"),
	KEPT("smtpd_tls_security_level", tls_in),
	SO("smtpd_tls_auth_only", own_sign_in),
	SO("smtpd_tls_*", own_tls),
	SO("smtpd_use_tls", own_tls),
	SO("smtpd_enforce_tls", own_tls),
	SO("tls_*", own_tls),
	SO("smtpd_sasl_authenticated_header", "Received tells that somebody signed in, not who"),
	SO("smtpd_sasl_*", own_sign_in),
	SO("broken_sasl_auth_clients", own_sign_in),
	SO("cyrus_sasl_config_path", own_sign_in),
	KEPT("smtpd_client_connection_count_limit", connections),
	KEPT("smtpd_client_connection_rate_limit", rate),
	KEPT("smtpd_client_message_rate_limit", rate),
	KEPT("smtpd_client_recipient_rate_limit", rate),
	LOST("smtpd_client_*", "the guard.* settings limit strangers"),
	LOST("anvil_*", "the guard.* settings limit strangers, per hour"),
	KEPT("smtpd_upstream_proxy_protocol", proxy),
	KEPT("postscreen_upstream_proxy_protocol", proxy),
	KEPT("smtpd_authorized_xclient_hosts", trusted),
	LOST("smtpd_authorized_xforward_hosts", "XFORWARD is not known; XCLIENT is (smtp.trusted)"),
	LOST("smtpd_proxy_*", "a filter before the queue is a milter here"),
	LOST("smtpd_command_filter", no_patterns),
	LOST("*_time_limit", "only pipes have a time (timeout), and this is none that is kept"),
	LOST("command_time_limit", "no commands of users are run, and no pipe is kept, which would have the setting timeout"),
	LOST("smtpd_*_limit", own_limits),
	LOST("smtpd_*_timeout", own_limits),
	LOST("smtpd_*_time", own_limits),
	LOST("smtpd_error_sleep_time", "guard.tarpit slows down who fails"),
	KEPT("postscreen_dnsbl_sites", convert_dnsbl_sites),
	KEPT("postscreen_dnsbl_threshold", threshold),
	KEPT("postscreen_greet_action", greet),
	SO("postscreen_greet_wait", "guard.greet_pause is the time"),
	SO("postscreen_dnsbl_action", "who is on the lists is refused"),
	LOST("postscreen_access_list", "addresses that are never judged are smtp.trusted; 'ban add' keeps others out"),
	LOST("postscreen_*", "strangers are judged by the guard.* settings"),
	KEPT("smtpd_milters", convert_milters),
	KEPT("non_smtpd_milters", convert_milters),
	KEPT("milter_default_action", convert_milter_default),
	SO("milter_protocol", "the newest version that both know is spoken"),
	SO("milter_*", "each milter is told what it asks for; times are options in filter.milters"),
	KEPT("content_filter", convert_content_filter),
	LOST("receive_override_options", "what comes back from the filter is not filtered again"),
	LOST("header_checks", no_patterns),
	LOST("mime_header_checks", no_patterns),
	LOST("nested_header_checks", no_patterns),
	LOST("body_checks*", no_patterns),
	/* the queue */
	KEPT("maximal_queue_lifetime", queue_time),
	KEPT("minimal_backoff_time", queue_time),
	KEPT("maximal_backoff_time", queue_time),
	SO("bounce_queue_lifetime", "queue.expire holds for reports too"),
	KEPT("delay_warning_time", delay_warning),
	LOST("notify_classes", "trouble is in the log and in 'postrider status'"),
	LOST("bounce_*", "reports have one form"),
	LOST("error_notice_recipient", "trouble is in the log and in 'postrider status'"),
	LOST("2bounce_notice_recipient", "a report that cannot be delivered is not reported again"),
	LOST("soft_bounce", "'queue show' tells why mail waits; nothing makes a refusal temporary"),
	SO("qmgr_*", "the queue schedules by itself"),
	SO("queue_run_delay", "the queue schedules by itself"),
	SO("queue_minfree", "limits.watermark has a safe value"),
	LOST("defer_transports", "mail cannot be kept back by its way"),
	SO("fast_flush_domains", "'queue retry' tries again"),
	LOST("default_process_limit", "processes.* settings"),
	/* how Postfix itself is installed */
	SO("compatibility_level", "there are no old defaults to keep"),
	SO("config_directory", own_place),
	SO("queue_directory", own_place),
	SO("data_directory", own_place),
	SO("daemon_directory", own_place),
	SO("command_directory", own_place),
	SO("meta_directory", own_place),
	SO("shlib_directory", own_place),
	SO("mail_owner", own_place),
	SO("default_privs", own_place),
	SO("setgid_group", own_place),
	SO("sendmail_path", own_place),
	SO("newaliases_path", own_place),
	SO("mailq_path", own_place),
	SO("manpage_directory", own_place),
	SO("html_directory", own_place),
	SO("readme_directory", own_place),
	SO("sample_directory", own_place),
	SO("import_environment", own_place),
	SO("export_environment", own_place),
	SO("default_database_type", "tables were read as text"),
	SO("maillog_file*", "log lines go to the service manager or to standard error"),
	SO("syslog_*", "log lines go to the service manager or to standard error"),
	SO("enable_long_queue_ids", "ids of messages are never used again"),
	SO("debug*", "log.level is the switch"),
	LOST("authorized_*_users", "every local user may send; only administrators see the queue"),
	SO("smtputf8_*", "SMTPUTF8 is offered and used"),
	SO("disable_dns_lookups", "names are looked up by the dns process: dns.forward"),
	SO("soname*", own_place),
};
const size_t convert_row_count = LEN(convert_rows);

/* "smtp_*", "*_limit", "smtpd_*_time": at most one star. */
static bool name_matches(struct str pattern, struct str name)
{
	struct str before, after;

	if (!str_cut(pattern, '*', &before, &after))
		return str_eq(pattern, name);
	return name.n >= before.n + after.n && str_starts(name, before) && str_eq(str_from(name, name.n - after.n), after);
}

const struct convert_row_of_table *convert_row_find(struct str name)
{
	for (unsigned star = 0; star < 2; star++) /* whole names first */
		for (size_t i = 0; i < LEN(convert_rows); i++)
			if ((str_find(str_of(convert_rows[i].name), '*') >= 0) == (star > 0) && name_matches(str_of(convert_rows[i].name), name))
				return &convert_rows[i];
	return NULL;
}

void convert_param(struct convert *c, const char *name, struct str value)
{
	const struct convert_row_of_table *r = convert_row_find(str_of(name));

	if (convert_pipe_param(c, name, value))
		return;
	if (!r)
		convert_say(c, CONVERT_LOST, name, value, "this parameter is not known; if another value uses it by its name, it was put in there");
	else if (r->handler)
		r->handler(c, name, value);
	else
		convert_say(c, r->fate, name, value, "%s", r->text);
}
