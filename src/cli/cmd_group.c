/* cli/cmd_group.c - group add, remove, list: groups of accounts. */
#include <stdio.h>

#include "cli/cli.h"
#include "ipc/msg_auth.h"

static int list(struct cli *c)
{
	struct auth_group_request    q = { .name = str_of(c->arg_count > 1 ? c->args[1] : "") };
	struct auth_group_list_reply r = { 0 };
	json_t                      *rows;
	int                          code = cli_ask(c, IPC_AUTH_GROUP_LIST, &q, &r, c->arg_count > 1 ? c->args[1] : "groups");

	if (code != CLI_OK)
		return code;
	if (!c->json) {
		for (size_t i = 0; i < r.name_count; i++)
			printf("%.*s\n", STR_FMT(r.names[i].address));
		return CLI_OK;
	}
	rows = json_array();
	for (size_t i = 0; i < r.name_count; i++)
		json_array_append_new(rows, cli_json_str(r.names[i].address));
	return cli_print_json(json_pack("{s:i, s:o}", "v", 1, q.name.n > 0 ? "members" : "groups", rows));
}

int cmd_group(struct cli *c)
{
	struct str                verb = str_of(c->args[0]);
	bool                      add = str_eq(verb, STR("add"));
	struct auth_group_request q = { 0 };
	int                       code;

	if (str_eq(verb, STR("list")) && c->arg_count < 3)
		return list(c);
	if ((!add && !str_eq(verb, STR("remove"))) || c->arg_count < 2)
		return cli_error(c, CLI_USAGE, "group add GROUP [ADDRESS], group remove GROUP [ADDRESS], or group list [GROUP]");
	q.name = str_of(c->args[1]);
	q.member = str_of(c->arg_count > 2 ? c->args[2] : "");
	code = cli_ask(c, add ? IPC_AUTH_GROUP_ADD : IPC_AUTH_GROUP_REMOVE, &q, NULL, c->args[c->arg_count - 1]);
	return code == CLI_OK ? cli_done(c, add ? "added" : "removed", c->args[c->arg_count - 1]) : code;
}
