/* cli/cmd_people.c - alias policy, account delegate, rewrite: who may write to whom, and as whom. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/cli_policy.h"

int cmd_alias_policy(struct cli *c)
{
	struct auth_alias_policy_request q = { .from = str_of(c->args[0]) };
	int                              code;

	if (!cli_option(c, "from"))
		return cli_error(c, CLI_USAGE, "say who may write to it with --from ('anyone' opens it)");
	code = cli_policy(c, &q.rules, &q.rule_count);
	if (code == CLI_OK)
		code = cli_ask(c, IPC_AUTH_ALIAS_POLICY, &q, NULL, c->args[0]);
	return code == CLI_OK ? cli_done(c, "policy changed", c->args[0]) : code;
}

/* ---- delegation ---- */

static const char *right_text(enum auth_right right)
{
	return right == AUTH_RIGHT_SEND_AS ? "send-as" : "on-behalf";
}

static int delegate_list(struct cli *c)
{
	struct auth_delegate_list_request q = { .owner = str_of(c->args[1]) };
	struct auth_delegate_list_reply   r = { 0 };
	json_t                           *rows;
	int                               code = cli_ask(c, IPC_AUTH_DELEGATE_LIST, &q, &r, c->args[1]);

	if (code != CLI_OK)
		return code;
	rows = c->json ? json_array() : NULL;
	for (size_t i = 0; i < r.delegate_count; i++) {
		const struct auth_delegate *d = &r.delegates[i];

		if (rows)
			json_array_append_new(rows, json_pack("{s:o, s:o, s:s}", "account", cli_json_str(d->owner), "to",
							      cli_json_str(d->user), "right", right_text(d->right)));
		else
			printf("%-40.*s %s\n", STR_FMT(d->user), right_text(d->right));
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "delegates", rows)) : CLI_OK;
}

int cmd_account_delegate(struct cli *c)
{
	bool                 add = strcmp(c->args[0], "add") == 0, remove = strcmp(c->args[0], "remove") == 0;
	bool                 behalf = cli_option(c, "on-behalf") != NULL;
	struct auth_delegate q = { .owner = str_of(c->args[1]), .right = behalf ? AUTH_RIGHT_ON_BEHALF : AUTH_RIGHT_SEND_AS };
	int                  code;

	if (strcmp(c->args[0], "list") == 0)
		return c->arg_count == 2 ? delegate_list(c) : cli_error(c, CLI_USAGE, "account delegate list ADDRESS");
	if ((!add && !remove) || c->arg_count != 3)
		return cli_error(c, CLI_USAGE, "account delegate add|remove ADDRESS TO, or list ADDRESS");
	if (add && behalf == (cli_option(c, "send-as") != NULL))
		return cli_error(c, CLI_USAGE, "say which: --send-as or --on-behalf");
	q.user = str_of(c->args[2]);
	code = cli_ask(c, add ? IPC_AUTH_DELEGATE_ADD : IPC_AUTH_DELEGATE_REMOVE, &q, NULL, c->args[1]);
	return code == CLI_OK ? cli_done(c, add ? "delegated" : "delegation removed", c->args[1]) : code;
}

/* ---- rewriting ---- */

/* Both, if none is named. */
static uint32_t scope_of(const struct cli *c)
{
	uint32_t scope = (cli_option(c, "sender") ? AUTH_SCOPE_SENDER : 0) | (cli_option(c, "recipient") ? AUTH_SCOPE_RECIPIENT : 0);

	return scope ? scope : AUTH_SCOPE_SENDER | AUTH_SCOPE_RECIPIENT;
}

int cmd_rewrite_add(struct cli *c)
{
	struct auth_rewrite_rule q = { .from = str_of(c->args[0]), .to = str_of(c->args[1]), .scope = scope_of(c) };
	int                      code = cli_ask(c, IPC_AUTH_REWRITE_ADD, &q, NULL, c->args[0]);

	return code == CLI_OK ? cli_done(c, "rule added", c->args[0]) : code;
}

int cmd_rewrite_remove(struct cli *c)
{
	struct auth_rewrite_rule q = { .from = str_of(c->args[0]), .scope = scope_of(c) };
	int                      code = cli_ask(c, IPC_AUTH_REWRITE_REMOVE, &q, NULL, c->args[0]);

	return code == CLI_OK ? cli_done(c, "rule removed", c->args[0]) : code;
}

static void rule_print(json_t *rows, const struct auth_rewrite_rule *rule)
{
	const char *scope = rule->scope == AUTH_SCOPE_SENDER ? "sender" : "recipient";

	if (rows)
		json_array_append_new(rows, json_pack("{s:o, s:o, s:s}", "from", cli_json_str(rule->from), "to", cli_json_str(rule->to),
						      "scope", scope));
	else
		printf("%-40.*s %-40.*s %s\n", STR_FMT(rule->from), STR_FMT(rule->to), scope);
}

int cmd_rewrite_list(struct cli *c)
{
	struct auth_rewrite_list_request q = { .after = STR("") };
	json_t                          *rows = c->json ? json_array() : NULL;
	bool                             more = true;

	while (more) {
		struct auth_rewrite_list_reply page = { 0 };
		int                            code = cli_ask(c, IPC_AUTH_REWRITE_LIST, &q, &page, "rules");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.rule_count; i++) {
			rule_print(rows, &page.rules[i]);
			q.after = page.rules[i].from;
			q.after_scope = page.rules[i].scope;
		}
		more = page.more && page.rule_count > 0;
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "rules", rows)) : CLI_OK;
}
