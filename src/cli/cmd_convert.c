/* cli/cmd_convert.c - convert postfix DIR: the equivalent of a Postfix configuration, and what cannot be kept; see convert.h.
 *
 * Three results: postrider.conf; a script of commands for what lives in the directory; a report with a word on every parameter that was set.
 * With --out they are files of a new directory, else all three are printed. Nothing that is read is ever run, and nothing is changed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/convert.h"
#include "sys/dir.h"
#include "sys/fd.h"

#define OUT_MAX ((size_t)64 * MIB)

/* Domains are known before the routes and aliases that lead to them: these go first, then the rest as it stands in the file. */
static const char *const first[] = { "mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains", "virtual_mailbox_maps" };

static bool is_first(struct str name)
{
	for (size_t i = 0; i < LEN(first); i++)
		if (str_eq(name, str_of(first[i])))
			return true;
	return false;
}

/* Defaults of Postfix that mean something though nobody set them. */
static void defaults_convert(struct convert *c)
{
	if (!convert_is_set(c, "mydestination"))
		convert_param(c, "mydestination", convert_value(c, "mydestination"));
	if (!convert_is_set(c, "message_size_limit"))
		convert_param(c, "message_size_limit", STR("10240000"));
	if (!convert_is_set(c, "recipient_delimiter")) {
		convert_set(c, "smtp", "subaddress", STR(""), true);
		convert_say(c, CONVERT_KEPT, "recipient_delimiter", STR(""), "setting smtp.subaddress: none, as in Postfix when it is not set");
	}
}

static void all_convert(struct convert *c)
{
	convert_pipes_find(c);
	defaults_convert(c);
	for (size_t i = 0; i < LEN(first); i++)
		if (convert_is_set(c, first[i]))
			convert_param(c, first[i], convert_value(c, first[i]));
	for (size_t i = 0; i < c->param_count; i++)
		if (!is_first(c->params[i].name))
			convert_param(c, arena_cstr(c->a, c->params[i].name), c->params[i].value);
	if (!convert_is_set(c, "alias_maps")) /* behind the domains, which it needs */
		convert_param(c, "alias_maps", convert_value(c, "alias_maps"));
	convert_services(c);
}

/* ---- results ---- */

struct result {
	const char *file;
	mode_t      mode;
	void (*print)(struct convert *c, struct buf *out);
};

static const struct result results[] = {
	{ "postrider.conf", 0644, convert_print_config },
	{ "commands.sh", 0700, convert_print_commands },
	{ "report.txt", 0644, convert_print_report },
};

static int results_write(struct convert *c, const char *out_dir)
{
	CLEANUP(fd_close) int dir = -1;
	enum status           st = dir_open(AT_FDCWD, out_dir, 0755, false, &dir);

	for (size_t i = 0; i < LEN(results) && st == ST_OK; i++) {
		struct buf out;

		buf_init(&out, OUT_MAX);
		results[i].print(c, &out);
		st = out.over ? ST_LIMIT : file_replace(dir, results[i].file, results[i].mode, buf_str(&out));
		buf_done(&out);
	}
	if (st != ST_OK)
		return cli_fail(c->cli, st, out_dir);
	if (c->cli->json)
		return cli_print_json(json_pack("{s:i, s:s, s:I, s:I, s:I}", "v", 1, "out", out_dir, "kept", (json_int_t)c->fates[CONVERT_KEPT], "default",
						(json_int_t)c->fates[CONVERT_DEFAULT], "lost", (json_int_t)c->fates[CONVERT_LOST]));
	printf("%s: %zu kept, %zu so by default, %zu lost. Read %s/report.txt first.\n", c->dir, c->fates[CONVERT_KEPT], c->fates[CONVERT_DEFAULT],
	       c->fates[CONVERT_LOST], out_dir);
	return CLI_OK;
}

static int results_print(struct convert *c)
{
	json_t *o = c->cli->json ? json_pack("{s:i}", "v", 1) : NULL;

	for (size_t i = 0; i < LEN(results); i++) {
		struct buf out;

		buf_init(&out, OUT_MAX);
		results[i].print(c, &out);
		if (o)
			json_object_set_new(o, results[i].file, cli_json_str(buf_str(&out)));
		else
			printf("%s==> %s <==\n%.*s", i > 0 ? "\n" : "", results[i].file, STR_FMT(buf_str(&out)));
		buf_done(&out);
	}
	return o ? cli_print_json(o) : CLI_OK;
}

static void convert_init(struct convert *c, struct cli *cli)
{
	*c = (struct convert){ .cli = cli, .a = cli->arena, .dir = cli->args[1] };
	map_init(&c->by_name);
	map_init(&c->domains);
	map_init(&c->accounts);
	map_init(&c->aliases);
	map_init(&c->routes);
	buf_init(&c->commands, OUT_MAX);
	buf_init(&c->report, OUT_MAX);
	for (size_t i = 0; i < LEN(c->listeners); i++)
		buf_init(&c->listeners[i], 64 * KIB);
}

static void convert_done(struct convert *c)
{
	map_done(&c->by_name);
	map_done(&c->domains);
	map_done(&c->accounts);
	map_done(&c->aliases);
	map_done(&c->routes);
	buf_done(&c->commands);
	buf_done(&c->report);
	for (size_t i = 0; i < LEN(c->listeners); i++)
		buf_done(&c->listeners[i]);
}

int cmd_convert(struct cli *c)
{
	const char    *out = cli_option(c, "out");
	struct convert v;
	int            code;

	if (strcmp(c->args[0], "postfix") != 0)
		return cli_error(c, CLI_USAGE, "%s: only 'postfix' can be converted", c->args[0]);
	config_defaults(&c->config, c->arena);
	convert_init(&v, c);
	code = convert_source_load(&v);
	if (code == CLI_OK) {
		all_convert(&v);
		code = out ? results_write(&v, out) : results_print(&v);
	}
	convert_done(&v);
	return code;
}
