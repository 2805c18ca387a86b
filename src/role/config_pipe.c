/* role/config_pipe.c - see config_pipe.h. */
#include "role/config_pipe.h"

#include <string.h>

#include "base/limits.h"
#include "role/config_setting.h"
#include "wire/address/endpoint.h"
#include "wire/text/text_quantity.h"

/* ---- settings of a pipe, beside its command ---- */

enum kind { TEXT, NUMBER, SIZE, SECONDS, SWITCH, LINES };

static const struct {
	const char *name;
	enum kind   kind;
	size_t      offset;
	const char *fallback;
	uint64_t    least, most;
	const char *note;
} settings[] = {
#define AT(m) offsetof(struct pipe_conf, m)
	{ "flags", TEXT, AT(flags), "", 0, 9, "of DFORuhB>.: Delivered-To, From_, X-Original-To, Return-Path; lower case; empty line at the end; quoting" },
	{ "lines", LINES, AT(crlf), "lf", 0, 0, "ends of the lines that the program reads: lf or crlf" },
	{ "recipients", NUMBER, AT(recipients), "1", 1, LIMIT_PIPE_RCPTS, "of one run, at most" },
	{ "runs", NUMBER, AT(runs), "4", 1, LIMIT_PIPE_RUNS, "at once" },
	{ "timeout", SECONDS, AT(time_s), "1000s", 1, LIMIT_PIPE_MS / 1000, "then it is killed, and tried again later" },
	{ "memory", SIZE, AT(memory_octets), "512M", 0, 1ull << 50, "of each of its processes; 0: no limit" },
	{ "file_size", SIZE, AT(file_octets), "0", 0, 1ull << 50, "largest file that it may write; 0: no limit" },
	{ "processes", NUMBER, AT(processes), "50", 0, 100000, "that a run may have; 0: no limit" },
	{ "network", SWITCH, AT(network), "false", 0, 1, "it may make internet connections" },
#undef AT
};

cfg_opt_t *config_pipe_options(void)
{
	static cfg_opt_t options[LEN(settings) + 2];
	size_t           n = 0;

	options[n++] = (cfg_opt_t)CFG_STR_LIST("command", (char *)(uintptr_t)"{}", CFGF_NONE);
	for (size_t i = 0; i < LEN(settings); i++)
		options[n++] = (cfg_opt_t)CFG_STR(settings[i].name, settings[i].fallback, CFGF_NONE);
	options[n] = (cfg_opt_t)CFG_END();
	return options;
}

static bool bool_parse(struct str text, const char *yes, const char *no, bool *ret)
{
	*ret = str_ieq(text, str_of(yes));
	return *ret || str_ieq(text, str_of(no));
}

static bool setting_store(size_t i, struct str text, struct pipe_conf *p, struct arena *a)
{
	char    *at = (char *)p + settings[i].offset;
	uint64_t v = 0;
	uint32_t u32;
	bool     ok = true;

	switch (settings[i].kind) {
	case TEXT:    *(struct str *)(void *)at = str_of(arena_cstr(a, text)); return text.n <= settings[i].most;
	case LINES:   return bool_parse(text, "crlf", "lf", (bool *)at);
	case SWITCH:  return bool_parse(text, "true", "false", (bool *)at);
	case NUMBER:  ok = str_to_u64(text, &v); break;
	case SIZE:    ok = text_size_parse(text, &v); break;
	case SECONDS: ok = text_seconds_parse(text, &v); break;
	}
	if (!ok || v < settings[i].least || v > settings[i].most)
		return false;
	u32 = (uint32_t)v;
	memcpy(at, settings[i].kind == SIZE ? (const void *)&v : (const void *)&u32, settings[i].kind == SIZE ? sizeof(v) : sizeof(u32));
	return true;
}

/* ---- reading ---- */

static void command_store(cfg_t *section, struct pipe_conf *p, struct arena *a)
{
	p->command_count = MIN((size_t)cfg_size(section, "command"), LIMIT_PIPE_ARGS + 1); /* one too many is seen by pipe_conf_wrong */
	p->command = ARENA_ARRAY(a, struct pipe_arg, p->command_count);
	for (size_t i = 0; i < p->command_count; i++)
		p->command[i].text = str_of(arena_cstr(a, str_of(cfg_getnstr(section, "command", (unsigned)i))));
}

static bool pipe_store(cfg_t *section, const char *path, struct pipe_conf *p, struct arena *a, struct buf *errors)
{
	const char *why;
	bool        ok = true;

	p->name = str_of(arena_cstr(a, str_of(cfg_title(section))));
	command_store(section, p, a);
	for (size_t i = 0; i < LEN(settings); i++) {
		const char *text = cfg_getstr(section, settings[i].name);

		if (setting_store(i, str_of(text), p, a))
			continue;
		buf_addf(errors, "%s: pipe %.*s: %s = \"%s\" is not a valid value or out of range\n", path, STR_FMT(p->name), settings[i].name, text ? text : "");
		ok = false;
	}
	why = ok ? pipe_conf_wrong(p) : NULL;
	if (why)
		buf_addf(errors, "%s: pipe %.*s: %s\n", path, STR_FMT(p->name), why);
	return ok && !why;
}

bool config_pipes_store(cfg_t *cfg, const char *path, struct config *c, struct arena *a, struct buf *errors)
{
	size_t count = cfg_size(cfg, "pipe");
	bool   ok = true;

	if (count > LIMIT_PIPES) {
		buf_addf(errors, "%s: more than %zu pipes\n", path, LIMIT_PIPES);
		return false;
	}
	c->pipes = ARENA_ARRAY(a, struct pipe_conf, count);
	c->pipe_count = 0;
	for (size_t i = 0; i < count; i++)
		ok = pipe_store(cfg_getnsec(cfg, "pipe", (unsigned)i), path, &c->pipes[c->pipe_count++], a, errors) && ok;
	return ok;
}

const struct pipe_conf *config_pipe_find(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->pipe_count; i++)
		if (str_eq(c->pipes[i].name, name))
			return &c->pipes[i];
	return NULL;
}

bool config_pipe_hop(const struct config *c, struct str hop)
{
	struct str name, nexthop;

	return endpoint_pipe(hop, &name, &nexthop) && config_pipe_find(c, name) != NULL;
}

/* ---- printing ---- */

static void setting_print(size_t i, const struct pipe_conf *p, struct buf *out)
{
	const char *at = (const char *)p + settings[i].offset;
	uint64_t    u64;
	uint32_t    u32;

	switch (settings[i].kind) {
	case TEXT:   config_text_print(*(const struct str *)(const void *)at, out); return;
	case LINES:  buf_add(out, *(const bool *)at ? STR("\"crlf\"") : STR("\"lf\"")); return;
	case SWITCH: buf_add(out, *(const bool *)at ? STR("true") : STR("false")); return;
	case SIZE:
		memcpy(&u64, at, sizeof(u64));
		buf_add_u64(out, u64);
		return;
	case NUMBER:
	case SECONDS:
		memcpy(&u32, at, sizeof(u32));
		buf_add_u64(out, u32);
		return;
	}
}

void config_pipes_print(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < c->pipe_count; i++) {
		const struct pipe_conf *p = &c->pipes[i];

		buf_addf(out, "pipe %.*s {\n\tcommand = {", STR_FMT(p->name));
		for (size_t k = 0; k < p->command_count; k++) {
			buf_add(out, k ? STR(", ") : STR(""));
			config_text_print(p->command[k].text, out);
		}
		buf_addf(out, "}\n");
		for (size_t k = 0; k < LEN(settings); k++) {
			buf_addf(out, "\t%s = ", settings[k].name);
			setting_print(k, p, out);
			buf_addf(out, "  # %s\n", settings[k].note);
		}
		buf_addf(out, "}\n");
	}
}

/* ---- as a message ---- */

static const struct ipc_field arg_fields[] = {
	IPC_STR(struct pipe_arg, text, LIMIT_PIPE_ARG),
};
static const struct ipc_shape arg_shape = IPC_SHAPE(pipe_arg, arg_fields);
static const struct ipc_field pipe_fields[] = {
	IPC_STR(struct pipe_conf, name, LIMIT_PIPE_NAME),
	IPC_LIST(struct pipe_conf, command, command_count, LIMIT_PIPE_ARGS, &arg_shape),
	IPC_STR(struct pipe_conf, flags, 9),
	IPC_BOOL(struct pipe_conf, crlf),
	IPC_BOOL(struct pipe_conf, network),
	IPC_U32(struct pipe_conf, recipients),
	IPC_U32(struct pipe_conf, runs),
	IPC_U32(struct pipe_conf, time_s),
	IPC_U32(struct pipe_conf, processes),
	IPC_U64(struct pipe_conf, memory_octets),
	IPC_U64(struct pipe_conf, file_octets),
};
const struct ipc_shape config_pipe_shape = IPC_SHAPE(pipe_conf, pipe_fields);
