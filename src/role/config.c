/* role/config.c - see config.h. The file is read by libconfuse; the settings are in config_setting.c. */
#include "role/config.h"

#include <confuse.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "role/config_filter.h"
#include "role/config_pipe.h"
#include "role/config_setting.h"
#include "role/config_text.h"
#include "sys/dir.h"
#include "wire/address/endpoint.h"

const char *const config_listener_names[LISTEN_KINDS] = {
	[LISTEN_SMTP] = "smtp", [LISTEN_SUBMISSION] = "submission", [LISTEN_SUBMISSIONS] = "submissions",
	[LISTEN_IMAP] = "imap", [LISTEN_IMAPS] = "imaps", [LISTEN_LMTP] = "lmtp", [LISTEN_REINJECT] = "reinject",
	[LISTEN_POP3] = "pop3", [LISTEN_POP3S] = "pop3s",
};
static const char *const listen_defaults[LISTEN_KINDS] = { "{\"*:25\"}", "{\"*:587\"}", "{\"*:465\"}", "{\"*:143\"}", "{\"*:993\"}", "{}", "{}", "{}", "{}" };

bool config_address_split(struct str text, struct str *ret_host, uint32_t *ret_port)
{
	struct str host;

	if (!endpoint_parse(text, &host, ret_port))
		return false;
	*ret_host = str_eq(host, STR("*")) ? STR("") : host;
	return true;
}

void config_defaults(struct config *c, struct arena *a)
{
	char name[256] = "";

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < CONFIG_SETTINGS; i++)
		CHECK(config_setting_store(&config_settings[i], str_of(config_settings[i].fallback), c, a) || config_settings[i].least > 0);
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

	for (size_t i = 0; i < CONFIG_SETTINGS * 2 + LISTEN_KINDS; i++) {
		const char *candidate = i < CONFIG_SETTINGS       ? config_settings[i].name
					: i < CONFIG_SETTINGS * 2 ? config_settings[i - CONFIG_SETTINGS].section
								: config_listener_names[i - CONFIG_SETTINGS * 2];
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

	for (size_t i = 0; i < CONFIG_SETTINGS; i++)
		if (strcmp(config_settings[i].section, section) == 0) {
			ret[n] = (cfg_opt_t)CFG_STR(config_settings[i].name, config_settings[i].fallback, CFGF_NONE);
			ret[n++].validcb = strcmp(section, "filter") == 0 ? config_filter_validate : NULL;
		}
	return n;
}

static bool store_settings(cfg_t *cfg, struct config *c, struct arena *a, struct buf *errors)
{
	bool ok = true;

	for (size_t i = 0; i < CONFIG_SETTINGS; i++) {
		const struct config_setting *s = &config_settings[i];
		cfg_t                *section = *s->section ? cfg_getsec(cfg, s->section) : cfg;
		const char           *text = cfg_getstr(section, s->name);

		if (strcmp(s->name, "hostname") == 0 && (!text || !*text))
			continue; /* keeps the system's name */
		if (!config_setting_store(s, str_of(text), c, a)) {
			buf_addf(errors, "%s: %s%s%s = \"%s\" is not a valid value%s\n", loading.path, s->section, *s->section ? "." : "", s->name,
				 text ? text : "", s->kind == CONFIG_WORD || s->kind == CONFIG_TEXT ? "" : " or out of range");
			ok = false;
		}
	}
	return ok;
}

static bool store_listeners(cfg_t *cfg, struct config *c, struct arena *a, struct buf *errors)
{
	cfg_t *listen = cfg_getsec(cfg, "listen");
	bool   ok = true;

	c->listen = ARENA_ARRAY(a, struct config_address, LIMIT_LISTENERS);
	c->listen_count = 0;
	for (uint32_t kind = 0; kind < LISTEN_KINDS; kind++)
		for (unsigned i = 0; i < cfg_size(listen, config_listener_names[kind]); i++) {
			struct str text = str_of(arena_cstr(a, str_of(cfg_getnstr(listen, config_listener_names[kind], i)))), host;
			uint32_t   port;

			if (c->listen_count == LIMIT_LISTENERS || !config_address_split(text, &host, &port)) {
				buf_addf(errors, "%s: listen.%s: \"%.*s\" is not ADDRESS:PORT, [IPv6]:PORT or *:PORT\n", loading.path,
					 config_listener_names[kind], STR_FMT(text));
				ok = false;
				continue;
			}
			c->listen[c->listen_count++] = (struct config_address){ text, kind };
		}
	return ok;
}

static bool text_read(const char *path, struct arena *a, struct buf *errors, const char **ret)
{
	struct str text;
	struct buf out;
	unsigned   line = 0;
	bool       ok = file_read(a, AT_FDCWD, path, LIMIT_CONFIG, &text) == ST_OK;

	if (!ok)
		return false;
	buf_init(&out, 2 * LIMIT_CONFIG);
	if (str_find(text, '\0') >= 0) {
		buf_addf(errors, "%s: holds a NUL\n", path);
	} else if (!config_text_take(text, &out, &line)) {
		buf_addf(errors, "%s:%u: \"${...}\" must stand in quotes\n", path, line);
	} else {
		*ret = arena_cstr(a, buf_str(&out));
	}
	buf_done(&out);
	return *ret != NULL;
}

static bool parse(const char *path, struct arena *a, struct config *ret, struct buf *errors)
{
	static const char *const sections[] = { "tls", "signin", "dns", "smtp", "submit", "filter", "remote", "queue", "trace", "accounts", "retention", "limits", "processes", "sandbox", "log",
						"guard", "imap" };
	cfg_opt_t   inner[LEN(sections)][CONFIG_SETTINGS + 1], listen[LISTEN_KINDS + 1], top[CONFIG_SETTINGS + LEN(sections) + 3];
	size_t      n = section_options("", top);
	cfg_t      *cfg;
	const char *text = NULL;
	bool        ok;

	for (size_t i = 0; i < LEN(sections); i++) {
		inner[i][section_options(sections[i], inner[i])] = (cfg_opt_t)CFG_END();
		top[n++] = (cfg_opt_t)CFG_SEC(sections[i], inner[i], CFGF_NONE);
	}
	for (size_t i = 0; i < LISTEN_KINDS; i++)
		listen[i] = (cfg_opt_t)CFG_STR_LIST(config_listener_names[i], (char *)(uintptr_t)listen_defaults[i], CFGF_NONE);
	listen[LISTEN_KINDS] = (cfg_opt_t)CFG_END();
	top[n++] = (cfg_opt_t)CFG_SEC("listen", listen, CFGF_NONE);
	top[n++] = (cfg_opt_t)CFG_SEC("pipe", config_pipe_options(), CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	top[n] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(top, CFGF_NONE);
	CHECK(cfg);
	cfg_set_error_function(cfg, on_error);
	ok = text_read(path, a, errors, &text) && cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	if (!ok && errors->n == 0)
		buf_addf(errors, "%s: cannot be read as a configuration file\n", path);
	ok = ok && store_settings(cfg, ret, a, errors);
	ok = ok && store_listeners(cfg, ret, a, errors);
	ok = ok && config_pipes_store(cfg, path, ret, a, errors);
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

/* ---- printing ---- */

static void print_section(struct buf *out, const char *section, const struct config *c)
{
	const char *indent = *section ? "\t" : "";

	if (*section)
		buf_addf(out, "%s {\n", section);
	for (size_t i = 0; i < CONFIG_SETTINGS; i++) {
		if (strcmp(config_settings[i].section, section) != 0)
			continue;
		buf_addf(out, "%s%s = ", indent, config_settings[i].name);
		config_setting_print(&config_settings[i], c, out);
		buf_addf(out, "%s%s\n", config_settings[i].note ? "  # " : "", config_settings[i].note ? config_settings[i].note : "");
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
				config_text_print(c->listen[i].text, out);
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
	for (size_t i = 0; i < CONFIG_SETTINGS; i++)
		if (*config_settings[i].section && (i == 0 || strcmp(config_settings[i].section, config_settings[i - 1].section) != 0))
			print_section(out, config_settings[i].section, c);
	config_pipes_print(c, out);
}
