/* role/config.c - see config.h. The file is read by libconfuse; one table lists the settings. */
#include "role/config.h"

#include <arpa/inet.h>
#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "guard/guard.h"
#include "role/config_filter.h"
#include "wire/address/cidr.h"

#define PATH_LIMIT ((size_t)4000)

const char *const config_listener_names[LISTEN_KINDS] = {
	[LISTEN_SMTP] = "smtp", [LISTEN_SUBMISSION] = "submission", [LISTEN_SUBMISSIONS] = "submissions",
	[LISTEN_IMAP] = "imap", [LISTEN_IMAPS] = "imaps", [LISTEN_LMTP] = "lmtp", [LISTEN_REINJECT] = "reinject",
};
static const char *const listen_defaults[LISTEN_KINDS] = { "{\"*:25\"}", "{\"*:587\"}", "{\"*:465\"}", "{\"*:143\"}", "{\"*:993\"}", "{}" };

/* ---- the table of settings ---- */

enum kind { TEXT, NUMBER, SIZE, SECONDS, SWITCH, WORD };

static const char *const level_words[] = { "debug", "info", "warn", "error", NULL };
static const char *const filter_default_words[] = { "accept", "tempfail", "reject", "quarantine", NULL }; /* enum filter_default */
static const char *const format_words[] = { "logfmt", "json", NULL };

/* One row per setting outside `listen`: section ("" for top level), name, kind, place, default, bounds. */
static const struct setting {
	const char        *section, *name;
	enum kind          kind;
	size_t             offset;
	const char        *fallback;
	uint64_t           least, most;
	const char *const *words;
	const char        *note; /* printed by `config show` */
} settings[] = {
#define AT(m) offsetof(struct config, m)
	{ "", "hostname", TEXT, AT(hostname), "", 0, LIMIT_DOMAIN, NULL, "name of this server in greetings and trace; \"\": the system's" },
	{ "", "data", TEXT, AT(data), "/var/lib/postrider", 1, PATH_LIMIT, NULL, "directory of everything stored" },
	{ "", "relay", TEXT, AT(relay), "", 0, LIMIT_DOMAIN, NULL, "host:port (or lmtp:host:port) that takes all outside mail; \"\": by MX" },
	{ "", "message_size", SIZE, AT(message_octets), "50M", 1024, LIMIT_MESSAGE_MAX, NULL, "largest message" },
	{ "tls", "certificate", TEXT, AT(tls_certificate), "", 0, PATH_LIMIT, NULL, "PEM file, chain included" },
	{ "tls", "authorities", TEXT, AT(tls_authorities), "/etc/ssl/certs/ca-certificates.crt", 0, PATH_LIMIT, NULL,
	  "PEM file: whom to trust where a host out there must prove its name; read at the start" },
	{ "tls", "key", TEXT, AT(tls_key), "", 0, PATH_LIMIT, NULL, "PEM file" },
	{ "tls", "client_certificates", SWITCH, AT(tls_client_certificates), "false", 0, 1, NULL, "ask mail programs for a certificate, to sign in by EXTERNAL" },
	{ "signin", "scram", SWITCH, AT(signin_scram), "true", 0, 1, NULL, "offer SCRAM; false: until imported accounts have signed in with their password" },
	{ "dns", "forward", TEXT, AT(dns_forward), "", 0, 100, NULL, "ADDRESS@PORT of a resolver; \"\": resolve from the root" },
	{ "smtp", "normalise_bare_eol", SWITCH, AT(normalise_eol), "false", 0, 1, NULL, "make a bare CR or LF a CRLF instead of refusing the message" },
	{ "smtp", "subaddress", TEXT, AT(subaddress), "+", 0, LIMIT_SUBADDRESS, NULL, "characters that separate a subaddress (user+tag); \"\": none" },
	{ "smtp", "trusted", TEXT, AT(guard.trusted), "", 0, 2000, NULL, "own servers and proxies, as \"192.0.2.0/24, 2001:db8::1\": no limits, no bans; XCLIENT, PROXY, LMTP, ETRN" },
	{ "smtp", "proxy", TEXT, AT(proxy), "", 0, 100, NULL, "listeners behind a PROXY-protocol balancer, as \"smtp submission submissions lmtp\"" },
	{ "smtp", "strict_header", SWITCH, AT(strict_header), "true", 0, 1, NULL, "refuse messages of strangers without exactly one valid From field" },
	{ "submit", "domain", TEXT, AT(submit_domain), "", 0, LIMIT_DOMAIN, NULL, "domain of addresses without one, from local programs; \"\": the host's" },
	{ "filter", "milters", TEXT, AT(milters), "", 0, LIMIT_FILTER_SETTING, NULL, "inet:HOST:PORT [default=.. timeout=.. content=.. total=.. listeners=..], ..." },
	{ "filter", "milter_default", WORD, AT(milter_default), "tempfail", 0, 0, filter_default_words, "when a milter fails: accept, tempfail, reject, quarantine" },
	{ "filter", "policy", TEXT, AT(policy), "", 0, LIMIT_FILTER_SETTING, NULL, "inet:HOST:PORT [stages=rcpt+data+end default=.. timeout=..], ..." },
	{ "filter", "content", TEXT, AT(content), "", 0, LIMIT_DOMAIN, NULL, "smtp:HOST:PORT or lmtp:HOST:PORT; what it takes comes back to listen.reinject" },
	{ "remote", "port", NUMBER, AT(remote_port), "25", 1, 65535, NULL, "port of mail exchangers" },
	{ "queue", "retry_first", SECONDS, AT(retry_first_s), "5m", 1, 86400, NULL, "first wait after a failed attempt; doubles" },
	{ "queue", "retry_max", SECONDS, AT(retry_max_s), "4h", 1, 604800, NULL, "longest wait between attempts" },
	{ "queue", "delay_warning", SECONDS, AT(delay_warning_s), "4h", 0, 2592000, NULL, "a sender is told that mail waits after; 0: never" },
	{ "queue", "expire", SECONDS, AT(expire_s), "5d", 1, 2592000, NULL, "undelivered mail goes back after" },
	{ "trace", "size", SIZE, AT(trace_octets), "512M", 0, 1ull << 40, NULL, "what happened to each message is kept in so much space; 0: not" },
	{ "trace", "keep", SECONDS, AT(trace_keep_s), "30d", 60, 315360000, NULL, "and for so long" },
	{ "accounts", "retention", SECONDS, AT(retention_s), "30d", 1, 315360000, NULL, "a removed account and its mail can be restored for" },
	{ "limits", "connections", NUMBER, AT(connections), "20000", 1, 1000000, NULL, "per process" },
	{ "limits", "per_address", NUMBER, AT(connections_per_address), "200", 1, 1000000, NULL, "connections of one address (IPv6: /64)" },
	{ "limits", "per_network", NUMBER, AT(connections_per_network), "1000", 1, 1000000, NULL, "connections of one /24 or /48" },
	{ "limits", "memory", SIZE, AT(memory_octets), "512M", 16 << 20, 1ull << 40, NULL, "octets in flight per session process" },
	{ "limits", "watermark", SIZE, AT(watermark_octets), "0", 0, 1ull << 50, NULL, "free space below which new mail is refused; 0: 5 %, at least 200 MB" },
	{ "processes", "smtp", NUMBER, AT(processes_smtp), "1", 1, 16, NULL, NULL },
	{ "processes", "local", NUMBER, AT(processes_local), "1", 1, 16, NULL, NULL },
	{ "processes", "remote", NUMBER, AT(processes_remote), "1", 1, 16, NULL, NULL },
	{ "processes", "imap", NUMBER, AT(processes_imap), "1", 1, 16, NULL, NULL },
	{ "sandbox", "landlock", SWITCH, AT(landlock), "true", 0, 1, NULL, "false: run on kernels without it, warned at each start" },
	{ "sandbox", "landlock_abi_max", NUMBER, AT(landlock_max), "0", 0, 100, NULL, "use no newer ABI; 0: the newest known" },
	{ "sandbox", "users", TEXT, AT(users), "postrider-", 1, 24, NULL, "prefix of the system users of the processes" },
	{ "log", "level", WORD, AT(log_level), "info", 0, 0, level_words, NULL },
	{ "log", "format", WORD, AT(log_format), "logfmt", 0, 0, format_words, NULL },
	{ "guard", "address_connections", NUMBER, AT(guard.address_connections), "3600", 0, UINT32_MAX, NULL, "limits per hour; 0: none. Of a stranger's address" },
	{ "guard", "address_messages", NUMBER, AT(guard.address_messages), "600", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "address_recipients", NUMBER, AT(guard.address_recipients), "3000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "address_size", SIZE, AT(guard.address_octets), "5G", 0, 1ull << 40, NULL, NULL },
	{ "guard", "network_messages", NUMBER, AT(guard.network_messages), "6000", 0, UINT32_MAX, NULL, "of a stranger's /24 or /48" },
	{ "guard", "network_recipients", NUMBER, AT(guard.network_recipients), "30000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "sender_domain_messages", NUMBER, AT(guard.sender_domain_messages), "0", 0, UINT32_MAX, NULL, "of a sender's domain" },
	{ "guard", "recipient_domain_recipients", NUMBER, AT(guard.recipient_domain_recipients), "0", 0, UINT32_MAX, NULL, "of a domain that receives" },
	{ "guard", "account_messages_hour", NUMBER, AT(guard.account_messages_hour), "250", 0, UINT32_MAX, NULL, "of an account that sends; passwords get stolen" },
	{ "guard", "account_recipients_hour", NUMBER, AT(guard.account_recipients_hour), "1000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "account_messages_day", NUMBER, AT(guard.account_messages_day), "500", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "account_recipients_day", NUMBER, AT(guard.account_recipients_day), "2000", 0, UINT32_MAX, NULL, NULL },
	{ "guard", "account_size_day", SIZE, AT(guard.account_octets_day), "10G", 0, 1ull << 40, NULL, NULL },
	{ "guard", "tarpit_failures", NUMBER, AT(guard.tarpit_failures), "10", 0, UINT32_MAX, NULL, "after so many failures per hour, answers to RCPT come later; 0: never" },
	{ "guard", "tarpit", SECONDS, AT(guard.tarpit_s), "5s", 0, 60, NULL, NULL },
	{ "guard", "ban_failures", NUMBER, AT(guard.ban_failures), "60", 0, UINT32_MAX, NULL, "after so many failures per hour an address (IPv6: /64) is banned; 0: never" },
	{ "guard", "ban_first", SECONDS, AT(guard.ban_first_s), "1h", 1, 31536000, NULL, "the first ban; each further one within a month lasts twice as long" },
	{ "guard", "ban_max", SECONDS, AT(guard.ban_max_s), "7d", 1, 31536000, NULL, NULL },
	{ "guard", "ban_network", NUMBER, AT(guard.ban_network), "16", 0, UINT32_MAX, NULL, "so many banned addresses of a /24 or /48 ban it; 0: never" },
	{ "guard", "greet_pause", SECONDS, AT(guard.greet_pause_s), "0", 0, 30, NULL, "newcomers on port 25 wait for the greeting; who talks first is refused" },
	{ "guard", "greylist", SWITCH, AT(guard.greylist), "false", 0, 1, NULL, "newcomers have to try again" },
	{ "guard", "greylist_wait", SECONDS, AT(guard.greylist_wait_s), "60s", 1, 86400, NULL, NULL },
	{ "guard", "dnsbl", TEXT, AT(guard.dnsbl), "", 0, 2000, NULL, "lists of addresses in DNS: \"zen.example=3, list.example=127.0.0.[2-4]*2, good.example=-5\"" },
	{ "guard", "dnsbl_threshold", NUMBER, AT(guard.dnsbl_threshold), "1", 1, 10000, NULL, "refused from this score on" },
#undef AT
};

static const struct ipc_field address_fields[] = {
	IPC_STR(struct config_address, text, LIMIT_DOMAIN),
	IPC_U32(struct config_address, kind),
};
static const struct ipc_shape address_shape = IPC_SHAPE(config_address, address_fields);
static const struct ipc_field config_fields[] = {
	IPC_STR(struct config, hostname, LIMIT_DOMAIN),
	IPC_STR(struct config, data, PATH_LIMIT),
	IPC_LIST(struct config, listen, listen_count, 64, &address_shape),
	IPC_STR(struct config, tls_certificate, PATH_LIMIT),
	IPC_STR(struct config, tls_key, PATH_LIMIT),
	IPC_BOOL(struct config, signin_scram),
	IPC_BOOL(struct config, tls_client_certificates),
	IPC_STR(struct config, dns_forward, 100),
	IPC_STR(struct config, relay, LIMIT_DOMAIN),
	IPC_U32(struct config, remote_port),
	IPC_U64(struct config, message_octets),
	IPC_U32(struct config, connections),
	IPC_U32(struct config, connections_per_address),
	IPC_U32(struct config, connections_per_network),
	IPC_U64(struct config, memory_octets),
	IPC_U64(struct config, watermark_octets),
	IPC_U32(struct config, processes_smtp),
	IPC_U32(struct config, processes_local),
	IPC_U32(struct config, processes_remote),
	IPC_U32(struct config, processes_imap),
	IPC_U32(struct config, retry_first_s),
	IPC_U32(struct config, retry_max_s),
	IPC_U32(struct config, expire_s),
	IPC_U32(struct config, delay_warning_s),
	IPC_STR(struct config, tls_authorities, PATH_LIMIT),
	IPC_U32(struct config, retention_s),
	IPC_STR(struct config, milters, LIMIT_FILTER_SETTING),
	IPC_U32(struct config, milter_default),
	IPC_STR(struct config, policy, LIMIT_FILTER_SETTING),
	IPC_STR(struct config, content, LIMIT_DOMAIN),
	IPC_U64(struct config, trace_octets),
	IPC_U32(struct config, trace_keep_s),
	IPC_BOOL(struct config, normalise_eol),
	IPC_STR(struct config, proxy, 100),
	IPC_STR(struct config, subaddress, LIMIT_SUBADDRESS),
	IPC_STR(struct config, guard.trusted, 2000),
	IPC_U32(struct config, guard.address_connections),
	IPC_U32(struct config, guard.address_messages),
	IPC_U32(struct config, guard.address_recipients),
	IPC_U64(struct config, guard.address_octets),
	IPC_U32(struct config, guard.network_messages),
	IPC_U32(struct config, guard.network_recipients),
	IPC_U32(struct config, guard.sender_domain_messages),
	IPC_U32(struct config, guard.recipient_domain_recipients),
	IPC_U32(struct config, guard.account_messages_hour),
	IPC_U32(struct config, guard.account_recipients_hour),
	IPC_U32(struct config, guard.account_messages_day),
	IPC_U32(struct config, guard.account_recipients_day),
	IPC_U64(struct config, guard.account_octets_day),
	IPC_U32(struct config, guard.tarpit_failures),
	IPC_U32(struct config, guard.tarpit_s),
	IPC_U32(struct config, guard.ban_failures),
	IPC_U32(struct config, guard.ban_first_s),
	IPC_U32(struct config, guard.ban_max_s),
	IPC_U32(struct config, guard.ban_network),
	IPC_U32(struct config, guard.greet_pause_s),
	IPC_BOOL(struct config, guard.greylist),
	IPC_U32(struct config, guard.greylist_wait_s),
	IPC_STR(struct config, guard.dnsbl, 2000),
	IPC_U32(struct config, guard.dnsbl_threshold),
	IPC_BOOL(struct config, strict_header),
	IPC_STR(struct config, submit_domain, LIMIT_DOMAIN),
	IPC_BOOL(struct config, landlock),
	IPC_U32(struct config, landlock_max),
	IPC_STR(struct config, users, 32),
	IPC_U32(struct config, log_level),
	IPC_U32(struct config, log_format),
	IPC_BOOL(struct config, lab),
	IPC_BOOL(struct config, probe),
};
const struct ipc_shape config_shape = IPC_SHAPE(config, config_fields);

/* ---- values ---- */

/* "50M", "4h": a number and one unit letter of the kind's. */
static bool number_parse(enum kind kind, struct str text, uint64_t *ret)
{
	static const struct {
		enum kind kind;
		char      unit;
		uint64_t  times;
	} units[] = {
		{ SIZE, 'k', KIB },   { SIZE, 'm', MIB },      { SIZE, 'g', GIB },       { SECONDS, 's', 1 },
		{ SECONDS, 'm', 60 }, { SECONDS, 'h', 3600 }, { SECONDS, 'd', 86400 },
	};
	uint64_t v;

	if (!str_take_u64(&text, &v) || text.n > 1)
		return false;
	for (size_t i = 0; text.n == 1 && i < LEN(units); i++)
		if (units[i].kind == kind && units[i].unit == ascii_lower(text.p[0]))
			return !__builtin_mul_overflow(v, units[i].times, ret);
	*ret = v;
	return text.n == 0;
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

/* Store a value into the struct; false if it is outside of the setting's bounds. */
static bool setting_store(const struct setting *s, struct str text, struct config *c, struct arena *a)
{
	char    *at = (char *)c + s->offset;
	uint64_t v;
	uint32_t u32;
	bool     b;

	if (s->kind == TEXT) {
		struct str copy = str_of(arena_cstr(a, text));
		memcpy(at, &copy, sizeof(copy));
		return text.n >= s->least && text.n <= s->most && !str_has_ctl(text);
	}
	if (s->kind == SWITCH) {
		if (!switch_parse(text, &v))
			return false;
		b = v != 0;
		memcpy(at, &b, sizeof(b));
		return true;
	}
	if (!(s->kind == WORD ? word_parse(s->words, text, &v) : number_parse(s->kind, text, &v)))
		return false;
	if (s->kind != WORD && (v < s->least || v > s->most))
		return false;
	if (s->kind == SIZE) {
		memcpy(at, &v, sizeof(v));
	} else {
		u32 = (uint32_t)v;
		memcpy(at, &u32, sizeof(u32));
	}
	return true;
}

bool config_address_split(struct str text, struct str *ret_host, uint32_t *ret_port)
{
	struct str host, port;

	if (!str_rcut(text, ':', &host, &port) || !str_to_u32(port, ret_port) || *ret_port == 0 || *ret_port > 65535)
		return false;
	if (str_skip_char(&host, '[')) {
		if (host.n < 2 || host.p[host.n - 1] != ']')
			return false;
		host.n--;
	} else if (str_find(host, ':') >= 0) {
		return false;
	}
	*ret_host = str_eq(host, STR("*")) ? STR("") : host;
	return true;
}

void config_defaults(struct config *c, struct arena *a)
{
	char name[256] = "";

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < LEN(settings); i++)
		CHECK(setting_store(&settings[i], str_of(settings[i].fallback), c, a) || settings[i].least > 0);
	gethostname(name, sizeof(name) - 1);
	c->hostname = arena_dup(a, str_of(name[0] ? name : "localhost"));
}

/* ---- reading ---- */

/* libconfuse reports through a callback without a context: one load at a time, by one thread. */
static struct {
	struct buf *errors;
	const char *path;
} loading;

static unsigned distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t   n = MIN(strlen(b), LEN(row) - 1);

	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1] && i < LEN(row); i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
			best = MIN(best, MIN(above, row[j - 1]) + 1);
			diagonal = above;
			row[j] = best;
		}
	}
	return row[n];
}

static const char *nearest(const char *name)
{
	const char *best = "";
	unsigned    best_d = 4;

	for (size_t i = 0; i < LEN(settings) * 2 + LISTEN_KINDS; i++) {
		const char *candidate = i < LEN(settings)       ? settings[i].name
					: i < LEN(settings) * 2 ? settings[i - LEN(settings)].section
								: config_listener_names[i - LEN(settings) * 2];
		unsigned    d = distance(name, candidate);
		if (*candidate && d < best_d) {
			best = candidate;
			best_d = d;
		}
	}
	return best;
}

PRINTF_LIKE(2, 0) static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char        text[300], name[64];
	const char *hint = "";

	vsnprintf(text, sizeof(text), fmt, ap);
	if (sscanf(text, "no such option '%63[^']'", name) == 1)
		hint = nearest(name);
	buf_addf(loading.errors, "%s:%d: %s%s%s%s\n", loading.path, cfg ? cfg->line : 0, text, *hint ? " (did you mean '" : "", hint,
		 *hint ? "'?)" : "");
}

/* The options of one section ("" for the top), for libconfuse: everything is read as text and checked by our own table. */
static size_t section_options(const char *section, cfg_opt_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < LEN(settings); i++)
		if (strcmp(settings[i].section, section) == 0) {
			ret[n] = (cfg_opt_t)CFG_STR(settings[i].name, settings[i].fallback, CFGF_NONE);
			ret[n++].validcb = strcmp(section, "filter") == 0 ? config_filter_validate : NULL;
		}
	return n;
}

static bool store_settings(cfg_t *cfg, struct config *c, struct arena *a, struct buf *errors)
{
	bool ok = true;

	for (size_t i = 0; i < LEN(settings); i++) {
		const struct setting *s = &settings[i];
		cfg_t                *section = *s->section ? cfg_getsec(cfg, s->section) : cfg;
		const char           *text = cfg_getstr(section, s->name);

		if (strcmp(s->name, "hostname") == 0 && (!text || !*text))
			continue; /* keeps the system's name */
		if (!setting_store(s, str_of(text), c, a)) {
			buf_addf(errors, "%s: %s%s%s = \"%s\" is not a valid value%s\n", loading.path, s->section, *s->section ? "." : "", s->name,
				 text ? text : "", s->kind == WORD || s->kind == TEXT ? "" : " or out of range");
			ok = false;
		}
	}
	return ok;
}

static bool store_listeners(cfg_t *cfg, struct config *c, struct arena *a, struct buf *errors)
{
	cfg_t *listen = cfg_getsec(cfg, "listen");
	bool   ok = true;

	c->listen = ARENA_ARRAY(a, struct config_address, 64);
	c->listen_count = 0;
	for (uint32_t kind = 0; kind < LISTEN_KINDS; kind++)
		for (unsigned i = 0; i < cfg_size(listen, config_listener_names[kind]); i++) {
			struct str text = str_of(arena_cstr(a, str_of(cfg_getnstr(listen, config_listener_names[kind], i)))), host;
			uint32_t   port;

			if (c->listen_count == 64 || !config_address_split(text, &host, &port)) {
				buf_addf(errors, "%s: listen.%s: \"%.*s\" is not ADDRESS:PORT, [IPv6]:PORT or *:PORT\n", loading.path,
					 config_listener_names[kind], STR_FMT(text));
				ok = false;
				continue;
			}
			c->listen[c->listen_count++] = (struct config_address){ text, kind };
		}
	return ok;
}

static bool parse(const char *path, struct arena *a, struct config *ret, struct buf *errors)
{
	static const char *const sections[] = { "tls", "signin", "dns", "smtp", "submit", "filter", "remote", "queue", "trace", "accounts", "limits", "processes", "sandbox", "log",
						"guard" };
	cfg_opt_t  inner[LEN(sections)][LEN(settings) + 1], listen[LISTEN_KINDS + 1], top[LEN(settings) + LEN(sections) + 2];
	size_t     n = section_options("", top);
	cfg_t     *cfg;
	bool       ok;

	for (size_t i = 0; i < LEN(sections); i++) {
		inner[i][section_options(sections[i], inner[i])] = (cfg_opt_t)CFG_END();
		top[n++] = (cfg_opt_t)CFG_SEC(sections[i], inner[i], CFGF_NONE);
	}
	for (size_t i = 0; i < LISTEN_KINDS; i++)
		listen[i] = (cfg_opt_t)CFG_STR_LIST(config_listener_names[i], (char *)(uintptr_t)listen_defaults[i], CFGF_NONE);
	listen[LISTEN_KINDS] = (cfg_opt_t)CFG_END();
	top[n++] = (cfg_opt_t)CFG_SEC("listen", listen, CFGF_NONE);
	top[n] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(top, CFGF_NONE);
	CHECK(cfg);
	cfg_set_error_function(cfg, on_error);
	ok = cfg_parse(cfg, path) == CFG_SUCCESS;
	if (!ok && errors->n == 0)
		buf_addf(errors, "%s: cannot be read as a configuration file\n", path);
	ok = ok && store_settings(cfg, ret, a, errors);
	ok = ok && store_listeners(cfg, ret, a, errors);
	cfg_free(cfg);
	return ok;
}

enum status config_load(const char *path, struct arena *a, struct config *ret, struct buf *errors)
{
	struct config c;

	if (access(path, R_OK) < 0) {
		bool missing = access(path, F_OK) < 0;
		buf_addf(errors, "%s: %s\n", path, missing ? "no such file ('postrider setup' makes one)" : "may not be read");
		return missing ? ST_NOT_FOUND : ST_DENIED;
	}
	loading.errors = errors;
	loading.path = path;
	config_defaults(&c, a);
	if (!parse(path, a, &c, errors) || config_check(&c, errors) != ST_OK)
		return ST_INVALID;
	*ret = c;
	return ST_OK;
}

/* What libunbound takes: a numeric address, and a port that is not 0. */
static bool resolver_valid(struct str text)
{
	struct str address, port;
	uint32_t   number = 53;
	char       c[INET6_ADDRSTRLEN];
	uint8_t    octets[16];

	if (str_cut(text, '@', &address, &port) && !str_to_u32(port, &number))
		return false;
	return number > 0 && number < 65536 && str_to_c(address, c, sizeof(c)) &&
	       (inet_pton(AF_INET, c, octets) == 1 || inet_pton(AF_INET6, c, octets) == 1);
}

static struct str word_take(struct str *text)
{
	struct str word;

	*text = str_trim(*text);
	str_cut(*text, ' ', &word, text);
	return word;
}

bool config_proxy_has(const struct config *c, enum config_listener kind)
{
	struct str rest = c->proxy, word;

	while ((word = word_take(&rest)).n > 0)
		if (str_eq(word, str_of(config_listener_names[kind])))
			return true;
	return false;
}

static void proxies_check(const struct config *c, struct buf *errors)
{
	static const enum config_listener may[] = { LISTEN_SMTP, LISTEN_SUBMISSION, LISTEN_SUBMISSIONS, LISTEN_LMTP };
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct cidr_list trusted;
	struct str       rest = c->proxy, word, bad;

	/* guard_settings_check() says what is wrong with the list. */
	if (cidr_list_parse(c->guard.trusted, a, &trusted, &bad) && trusted.count == 0 && str_trim(rest).n > 0)
		buf_addf(errors, "smtp.proxy: needs smtp.trusted, or no connection would be let in\n");
	while ((word = word_take(&rest)).n > 0) {
		bool known = false;

		for (size_t i = 0; i < LEN(may); i++)
			known = known || str_eq(word, str_of(config_listener_names[may[i]]));
		if (!known)
			buf_addf(errors, "smtp.proxy: \"%.*s\" is none of smtp, submission, submissions, lmtp\n", STR_FMT(word));
	}
}

enum status config_check(const struct config *c, struct buf *errors)
{
	size_t     before = errors->n;
	struct str host;
	uint32_t   port;

	if (c->data.n == 0 || c->data.p[0] != '/')
		buf_addf(errors, "data: must be an absolute path\n");
	if ((c->tls_certificate.n == 0) != (c->tls_key.n == 0))
		buf_addf(errors, "tls: certificate and key go together\n");
	if (c->relay.n > 0 && !config_address_split(str_starts(c->relay, STR("lmtp:")) ? str_from(c->relay, 5) : c->relay, &host, &port))
		buf_addf(errors, "relay: \"%.*s\" is not HOST:PORT or lmtp:HOST:PORT\n", STR_FMT(c->relay));
	for (size_t i = 0; i < c->listen_count && c->tls_key.n == 0; i++)
		if (c->listen[i].kind == LISTEN_SUBMISSIONS || c->listen[i].kind == LISTEN_IMAPS) {
			buf_addf(errors, "listen.%s needs tls.certificate and tls.key ('postrider setup' makes a first pair)\n",
				 config_listener_names[c->listen[i].kind]);
			break;
		}
	if (c->dns_forward.n > 0 && !resolver_valid(c->dns_forward))
		buf_addf(errors, "dns.forward: \"%.*s\" is not ADDRESS@PORT\n", STR_FMT(c->dns_forward));
	proxies_check(c, errors);
	for (size_t i = 0; i < c->subaddress.n; i++)
		if (str_find(STR("!#$%&'*+-/=?^_`{|}~"), c->subaddress.p[i]) < 0) {
			buf_addf(errors, "smtp.subaddress: \"%.*s\": separators are signs that may stand in a name, such as + or -\n",
				 STR_FMT(c->subaddress));
			break;
		}
	if (c->retry_first_s > c->retry_max_s)
		buf_addf(errors, "queue.retry_first is longer than queue.retry_max\n");
	(void)!guard_settings_check(&c->guard, errors); /* what it adds to `errors` counts */
	config_filter_check(c, errors);
	return errors->n == before ? ST_OK : ST_INVALID;
}

/* ---- printing ---- */

static void print_text(struct buf *out, struct str text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, text.p[i]);
	}
	buf_add_char(out, '"');
}

static void print_value(struct buf *out, const struct setting *s, const struct config *c)
{
	const char *at = (const char *)c + s->offset;
	struct str  text;
	uint64_t    u64;
	uint32_t    u32;

	if (s->kind == TEXT) {
		memcpy(&text, at, sizeof(text));
		print_text(out, text);
	} else if (s->kind == SWITCH) {
		buf_add(out, *(const bool *)at ? STR("true") : STR("false"));
	} else if (s->kind == SIZE) {
		memcpy(&u64, at, sizeof(u64));
		buf_add_u64(out, u64);
	} else {
		memcpy(&u32, at, sizeof(u32));
		if (s->kind == WORD)
			buf_addf(out, "\"%s\"", s->words[u32]);
		else
			buf_add_u64(out, u32);
	}
}

static void print_section(struct buf *out, const char *section, const struct config *c)
{
	const char *indent = *section ? "\t" : "";

	if (*section)
		buf_addf(out, "%s {\n", section);
	for (size_t i = 0; i < LEN(settings); i++) {
		if (strcmp(settings[i].section, section) != 0)
			continue;
		buf_addf(out, "%s%s = ", indent, settings[i].name);
		print_value(out, &settings[i], c);
		buf_addf(out, "%s%s\n", settings[i].note ? "  # " : "", settings[i].note ? settings[i].note : "");
	}
	if (*section)
		buf_addf(out, "}\n");
}

static void print_listeners(struct buf *out, const struct config *c)
{
	buf_addf(out, "listen {\n");
	for (uint32_t kind = 0; kind < LISTEN_KINDS; kind++) {
		const char *between = "";

		buf_addf(out, "\t%s = {", config_listener_names[kind]);
		for (size_t i = 0; i < c->listen_count; i++)
			if (c->listen[i].kind == kind) {
				buf_addf(out, "%s", between);
				print_text(out, c->listen[i].text);
				between = ", ";
			}
		buf_addf(out, "}\n");
	}
	buf_addf(out, "}\n");
}

void config_print(const struct config *c, struct buf *out)
{
	print_section(out, "", c);
	print_listeners(out, c);
	for (size_t i = 0; i < LEN(settings); i++)
		if (*settings[i].section && (i == 0 || strcmp(settings[i].section, settings[i - 1].section) != 0))
			print_section(out, settings[i].section, c);
}
