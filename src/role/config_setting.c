/* role/config_setting.c - see config_setting.h. */
#include "role/config_setting.h"

#include <string.h>

#include "base/limits.h"
#include "wire/text/text_quantity.h"

static const char *const level_words[] = { "debug", "info", "warn", "error", NULL };
static const char *const filter_default_words[] = { "accept", "tempfail", "reject", "quarantine", NULL }; /* enum filter_default */
static const char *const format_words[] = { "logfmt", "json", NULL };

const struct config_setting config_settings[] = {
#define AT(m) offsetof(struct config, m)
	{ "", "hostname", CONFIG_TEXT, AT(hostname), "", 0, LIMIT_DOMAIN, NULL, "name of this server in greetings and trace; \"\": the system's" },
	{ "", "data", CONFIG_TEXT, AT(data), "/var/lib/postrider", 1, LIMIT_PATH, NULL, "directory of everything stored" },
	{ "", "relay", CONFIG_TEXT, AT(relay), "", 0, LIMIT_NEXTHOPS_TEXT, NULL, "who takes all outside mail: host:port, smtps:host:port, lmtp:host:port, mx:domain, or several, tried in order; or pipe:name; \"\": by MX" },
	{ "", "message_size", CONFIG_SIZE, AT(message_octets), "50M", 1024, LIMIT_MESSAGE_MAX - LIMIT_FILTER_GROWTH, NULL, "largest message" },
	{ "tls", "certificate", CONFIG_TEXT, AT(tls_certificate), "", 0, LIMIT_PATH, NULL, "PEM file, chain included" },
	{ "tls", "authorities", CONFIG_TEXT, AT(tls_authorities), "/etc/ssl/certs/ca-certificates.crt", 0, LIMIT_PATH, NULL,
	  "PEM file: whom to trust where a host out there must prove its name; read at the start" },
	{ "tls", "key", CONFIG_TEXT, AT(tls_key), "", 0, LIMIT_PATH, NULL, "PEM file" },
	{ "tls", "client_certificates", CONFIG_SWITCH, AT(tls_client_certificates), "false", 0, 1, NULL, "ask mail programs for a certificate, to sign in by EXTERNAL" },
	{ "signin", "scram", CONFIG_SWITCH, AT(signin_scram), "true", 0, 1, NULL, "offer SCRAM; false: until imported accounts have signed in with their password" },
	{ "dns", "forward", CONFIG_TEXT, AT(dns_forward), "", 0, 100, NULL, "ADDRESS@PORT of a resolver; \"\": resolve from the root" },
	{ "dns", "anchor", CONFIG_TEXT, AT(dns_anchor), "", 0, LIMIT_PATH, NULL, "file of DNSSEC trust anchors; \"\": the root's, or none with dns.forward" },
	{ "smtp", "normalise_bare_eol", CONFIG_SWITCH, AT(normalise_eol), "false", 0, 1, NULL, "make a bare CR or LF a CRLF instead of refusing the message" },
	{ "smtp", "subaddress", CONFIG_TEXT, AT(subaddress), "+", 0, LIMIT_SUBADDRESS, NULL, "characters that separate a subaddress (user+tag); \"\": none" },
	{ "smtp", "trusted", CONFIG_TEXT, AT(guard.trusted), "", 0, LIMIT_SETTING_LIST, NULL, "own servers and proxies, as \"192.0.2.0/24, 2001:db8::1\": no limits, no bans; XCLIENT, PROXY, LMTP, ETRN" },
	{ "smtp", "proxy", CONFIG_TEXT, AT(proxy), "", 0, 100, NULL, "listeners behind a PROXY-protocol balancer, as \"smtp submission submissions lmtp\"" },
	{ "smtp", "strict_header", CONFIG_SWITCH, AT(strict_header), "true", 0, 1, NULL, "refuse messages of strangers without exactly one valid From field" },
	{ "submit", "domain", CONFIG_TEXT, AT(submit_domain), "", 0, LIMIT_DOMAIN, NULL, "domain of addresses without one, from local programs; \"\": the host's" },
	{ "filter", "milters", CONFIG_TEXT, AT(milters), "", 0, LIMIT_FILTER_SETTING, NULL, "inet:HOST:PORT [default=.. timeout=.. content=.. total=.. listeners=..], ..." },
	{ "filter", "milter_default", CONFIG_WORD, AT(milter_default), "tempfail", 0, 0, filter_default_words, "when a milter fails: accept, tempfail, reject, quarantine" },
	{ "filter", "policy", CONFIG_TEXT, AT(policy), "", 0, LIMIT_FILTER_SETTING, NULL, "inet:HOST:PORT [stages=rcpt+data+end default=.. timeout=..], ..." },
	{ "filter", "content", CONFIG_TEXT, AT(content), "", 0, LIMIT_DOMAIN, NULL, "smtp:HOST:PORT or lmtp:HOST:PORT; what it takes comes back to listen.reinject" },
	{ "remote", "port", CONFIG_NUMBER, AT(remote_port), "25", 1, 65535, NULL, "port of mail exchangers" },
	{ "remote", "site_connections", CONFIG_NUMBER, AT(site_connections), "20", 1, 500, NULL, "deliveries at once to one destination, at most" },
	{ "remote", "site_first", CONFIG_NUMBER, AT(site_first), "5", 1, 500, NULL, "and at first, until it has answered some" },
	{ "remote", "sts", CONFIG_SWITCH, AT(remote_sts), "true", 0, 1, NULL, "keep to the MTA-STS policies of other domains" },
	{ "remote", "https_port", CONFIG_NUMBER, AT(remote_https_port), "443", 1, 65535, NULL, "port of the hosts that give these policies out" },
	{ "queue", "retry_first", CONFIG_SECONDS, AT(retry_first_s), "5m", 1, 86400, NULL, "first wait after a failed attempt; doubles" },
	{ "queue", "retry_max", CONFIG_SECONDS, AT(retry_max_s), "4h", 1, 604800, NULL, "longest wait between attempts" },
	{ "queue", "delay_warning", CONFIG_SECONDS, AT(delay_warning_s), "4h", 0, 2592000, NULL, "a sender is told that mail waits after; 0: never" },
	{ "queue", "expire", CONFIG_SECONDS, AT(expire_s), "5d", 1, 2592000, NULL, "undelivered mail goes back after" },
	{ "trace", "size", CONFIG_SIZE, AT(trace_octets), "512M", 0, 1ull << 40, NULL, "what happened to each message is kept in so much space; 0: not" },
	{ "trace", "keep", CONFIG_SECONDS, AT(trace_keep_s), "30d", 60, 315360000, NULL, "and for so long" },
	{ "accounts", "retention", CONFIG_SECONDS, AT(retention_s), "30d", 1, 315360000, NULL, "a removed account and its mail can be restored for" },
	{ "retention", "trash", CONFIG_SECONDS, AT(trash_s), "0", 0, 315360000, NULL, "messages in Trash are expunged when they have been there for so long; 0: never" },
	{ "retention", "junk", CONFIG_SECONDS, AT(junk_s), "0", 0, 315360000, NULL, "the same of Junk" },
	{ "retention", "undelete", CONFIG_SECONDS, AT(undelete_s), "7d", 60, 315360000, NULL, "what was expunged can be put back for (postrider undelete)" },
	{ "limits", "connections", CONFIG_NUMBER, AT(connections), "20000", 1, 1000000, NULL, "per process" },
	{ "limits", "per_address", CONFIG_NUMBER, AT(connections_per_address), "200", 1, 1000000, NULL, "connections of one address (IPv6: /64)" },
	{ "limits", "per_network", CONFIG_NUMBER, AT(connections_per_network), "1000", 1, 1000000, NULL, "connections of one /24 or /48" },
	{ "limits", "memory", CONFIG_SIZE, AT(memory_octets), "512M", 16 << 20, 1ull << 40, NULL, "octets in flight per session process" },
	{ "limits", "watermark", CONFIG_SIZE, AT(watermark_octets), "0", 0, 1ull << 50, NULL, "free space below which new mail is refused; 0: 5 %, at least 200 MB" },
	{ "processes", "smtp", CONFIG_NUMBER, AT(processes_smtp), "1", 1, 16, NULL, NULL },
	{ "processes", "local", CONFIG_NUMBER, AT(processes_local), "1", 1, 16, NULL, NULL },
	{ "processes", "remote", CONFIG_NUMBER, AT(processes_remote), "1", 1, 16, NULL, NULL },
	{ "processes", "imap", CONFIG_NUMBER, AT(processes_imap), "1", 1, 16, NULL, NULL },
	{ "sandbox", "landlock", CONFIG_SWITCH, AT(landlock), "true", 0, 1, NULL, "false: run on kernels without it, warned at each start" },
	{ "sandbox", "landlock_abi_max", CONFIG_NUMBER, AT(landlock_max), "0", 0, 100, NULL, "use no newer ABI; 0: the newest known" },
	{ "sandbox", "users", CONFIG_TEXT, AT(users), "postrider-", 1, 24, NULL, "prefix of the system users of the processes" },
	{ "log", "level", CONFIG_WORD, AT(log_level), "info", 0, 0, level_words, NULL },
	{ "log", "format", CONFIG_WORD, AT(log_format), "logfmt", 0, 0, format_words, NULL },
	{ "guard", "address_connections", CONFIG_NUMBER, AT(guard.address_connections), "3600", 0, UINT32_MAX, NULL, "limits per hour; 0: none. Of a stranger's address" },
	{ "guard", "address_messages", CONFIG_NUMBER, AT(guard.address_messages), "600", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "address_recipients", CONFIG_NUMBER, AT(guard.address_recipients), "3000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "address_size", CONFIG_SIZE, AT(guard.address_octets), "5G", 0, 1ull << 40, NULL, NULL },
	{ "guard", "network_messages", CONFIG_NUMBER, AT(guard.network_messages), "6000", 0, UINT32_MAX, NULL, "of a stranger's /24 or /48" },
	{ "guard", "network_recipients", CONFIG_NUMBER, AT(guard.network_recipients), "30000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "sender_domain_messages", CONFIG_NUMBER, AT(guard.sender_domain_messages), "0", 0, UINT32_MAX, NULL, "of a sender's domain" },
	{ "guard", "recipient_domain_recipients", CONFIG_NUMBER, AT(guard.recipient_domain_recipients), "0", 0, UINT32_MAX, NULL, "of a domain that receives" },
	{ "guard", "account_messages_hour", CONFIG_NUMBER, AT(guard.account_messages_hour), "250", 0, UINT32_MAX, NULL, "of an account that sends; passwords get stolen" },
	{ "guard", "account_recipients_hour", CONFIG_NUMBER, AT(guard.account_recipients_hour), "1000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "account_messages_day", CONFIG_NUMBER, AT(guard.account_messages_day), "500", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "account_recipients_day", CONFIG_NUMBER, AT(guard.account_recipients_day), "2000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "account_size_day", CONFIG_SIZE, AT(guard.account_octets_day), "10G", 0, 1ull << 40, NULL, NULL },
	{ "guard", "tarpit_failures", CONFIG_NUMBER, AT(guard.tarpit_failures), "10", 0, UINT32_MAX, NULL, "after so many failures per hour, answers to RCPT come later; 0: never" },
	{ "guard", "tarpit", CONFIG_SECONDS, AT(guard.tarpit_s), "5s", 0, 60, NULL, NULL },
	{ "guard", "ban_failures", CONFIG_NUMBER, AT(guard.ban_failures), "60", 0, UINT32_MAX, NULL, "after so many failures per hour an address (IPv6: /64) is banned; 0: never" },
	{ "guard", "ban_first", CONFIG_SECONDS, AT(guard.ban_first_s), "1h", 1, 31536000, NULL, "the first ban; each further one within a month lasts twice as long" },
	{ "guard", "ban_max", CONFIG_SECONDS, AT(guard.ban_max_s), "7d", 1, 31536000, NULL, NULL },
	{ "guard", "ban_network", CONFIG_NUMBER, AT(guard.ban_network), "16", 0, UINT32_MAX, NULL, "so many banned addresses of a /24 or /48 ban it; 0: never" },
	{ "guard", "greet_pause", CONFIG_SECONDS, AT(guard.greet_pause_s), "0", 0, 30, NULL, "newcomers on port 25 wait for the greeting; who talks first is refused" },
	{ "guard", "greylist", CONFIG_SWITCH, AT(guard.greylist), "false", 0, 1, NULL, "newcomers have to try again" },
	{ "guard", "greylist_wait", CONFIG_SECONDS, AT(guard.greylist_wait_s), "60s", 1, 86400, NULL, NULL },
	{ "guard", "dnsbl", CONFIG_TEXT, AT(guard.dnsbl), "", 0, LIMIT_SETTING_LIST, NULL, "lists of addresses in DNS: \"zen.example=3, list.example=127.0.0.[2-4]*2, good.example=-5\"" },
	{ "guard", "dnsbl_threshold", CONFIG_NUMBER, AT(guard.dnsbl_threshold), "1", 1, 10000, NULL, "refused from this score on" },
	{ "imap", "message_limit", CONFIG_NUMBER, AT(imap_message_limit), "0", 0, UINT32_MAX, NULL, "messages one command may take; 0: any number; clients that do not know the limit see fewer messages" },
	{ "imap", "save_limit", CONFIG_NUMBER, AT(imap_save_limit), "0", 0, UINT32_MAX, NULL, "the same of COPY and APPEND alone, where message_limit is 0; RFC 9738 has both at 1000 or more" },
#undef AT
};
_Static_assert(LEN(config_settings) == CONFIG_SETTINGS, "settings are counted in config_setting.h");

/* ---- values ---- */

static bool number_parse(enum config_kind kind, struct str text, uint64_t *ret)
{
	switch (kind) {
	case CONFIG_SIZE:    return text_size_parse(text, ret);
	case CONFIG_SECONDS: return text_seconds_parse(text, ret);
	default:              return str_to_u64(text, ret);
	}
}

static bool word_parse(const char *const *words, struct str text, uint64_t *ret)
{
	for (*ret = 0; words[*ret]; ++*ret)
		if (str_ieq(text, str_of(words[*ret])))
			return true;
	return false;
}

static bool switch_parse(struct str text, uint64_t *ret)
{
	*ret = str_ieq(text, STR("true")) || str_ieq(text, STR("yes")) || str_ieq(text, STR("on"));
	return *ret || str_ieq(text, STR("false")) || str_ieq(text, STR("no")) || str_ieq(text, STR("off"));
}

bool config_setting_store(const struct config_setting *s, struct str text, struct config *c, struct arena *a)
{
	char    *at = (char *)c + s->offset;
	uint64_t v;
	uint32_t u32;
	bool     b;

	if (s->kind == CONFIG_TEXT) {
		struct str copy = str_of(arena_cstr(a, text));
		memcpy(at, &copy, sizeof(copy));
		return text.n >= s->least && text.n <= s->most && !str_has_ctl(text);
	}
	if (s->kind == CONFIG_SWITCH) {
		if (!switch_parse(text, &v))
			return false;
		b = v != 0;
		memcpy(at, &b, sizeof(b));
		return true;
	}
	if (!(s->kind == CONFIG_WORD ? word_parse(s->words, text, &v) : number_parse(s->kind, text, &v)))
		return false;
	if (s->kind != CONFIG_WORD && (v < s->least || v > s->most))
		return false;
	if (s->kind == CONFIG_SIZE) {
		memcpy(at, &v, sizeof(v));
	} else {
		u32 = (uint32_t)v;
		memcpy(at, &u32, sizeof(u32));
	}
	return true;
}

/* ---- printing ---- */

void config_text_print(struct str text, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, text.p[i]);
	}
	buf_add_char(out, '"');
}

void config_setting_print(const struct config_setting *s, const struct config *c, struct buf *out)
{
	const char *at = (const char *)c + s->offset;
	struct str  text;
	uint64_t    u64;
	uint32_t    u32;

	if (s->kind == CONFIG_TEXT) {
		memcpy(&text, at, sizeof(text));
		config_text_print(text, out);
	} else if (s->kind == CONFIG_SWITCH) {
		buf_add(out, *(const bool *)at ? STR("true") : STR("false"));
	} else if (s->kind == CONFIG_SIZE) {
		memcpy(&u64, at, sizeof(u64));
		buf_add_u64(out, u64);
	} else {
		memcpy(&u32, at, sizeof(u32));
		if (s->kind == CONFIG_WORD)
			buf_addf(out, "\"%s\"", s->words[u32]);
		else
			buf_add_u64(out, u32);
	}
}
