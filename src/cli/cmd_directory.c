/* cli/cmd_directory.c - domain, account, alias: what the directory holds. */
#include <stdio.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/cli_policy.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_control.h"
#include "ipc/msg_queue.h"
#include "wire/address/nexthop.h"

/* ---- domains ---- */

static int domain_change(struct cli *c, enum ipc_msg_id id, const struct auth_domain_request *q, const char *text)
{
	int code = cli_ask(c, id, q, NULL, c->args[0]);

	return code == CLI_OK ? cli_done(c, text, c->args[0]) : code;
}

int cmd_domain_add(struct cli *c)
{
	struct auth_domain_request q = { .name = str_of(c->args[0]) };
	const char                *relay = cli_option(c, "relay"), *verify = cli_option(c, "verify");
	int                        code;

	q.relay = str_of(relay ? relay : "");
	if (relay)
		q.kind = AUTH_DOMAIN_RELAY;
	if (q.relay.n > 0 && !nexthops_or_pipe_valid(q.relay))
		return cli_error(c, CLI_USAGE, "--relay %s: none of " NEXTHOP_FORMS ", or several with \",\" between, or pipe:NAME", relay);
	if (verify && !relay)
		return cli_error(c, CLI_USAGE, "--verify is for a domain that is relayed");
	if (verify && !str_eq(str_of(verify), STR("none")) && !str_eq(str_of(verify), STR("probe")))
		return cli_error(c, CLI_USAGE, "--verify %s: none or probe", verify);
	if (str_starts(q.relay, STR("pipe:")) && verify && !str_eq(str_of(verify), STR("none")))
		return cli_error(c, CLI_USAGE, "--verify %s: a program cannot be asked about recipients", verify);
	if (verify && str_eq(str_of(verify), STR("probe")))
		q.verify = AUTH_VERIFY_PROBE;
	code = domain_change(c, IPC_AUTH_DOMAIN_ADD, &q, relay ? "added, relayed" : "added");
	if (code == CLI_OK)
		cli_pipe_warn(c, q.relay);
	return code;
}

int cmd_domain_remove(struct cli *c)
{
	return domain_change(c, IPC_AUTH_DOMAIN_REMOVE, &(struct auth_domain_request){ .name = str_of(c->args[0]) }, "removed");
}

static void domain_print(struct cli *c, json_t *rows, const struct auth_domain *d)
{
	bool        relay = d->kind == AUTH_DOMAIN_RELAY;
	const char *verify = d->verify == AUTH_VERIFY_PROBE ? "probe" : "none";

	if (rows)
		json_array_append_new(rows, json_pack("{s:o, s:I, s:I, s:I, s:s, s:o, s:s}", "domain", cli_json_str(d->name), "accounts",
						      (json_int_t)d->accounts, "aliases", (json_int_t)d->aliases, "created_ms",
						      (json_int_t)d->created_ms, "kind", relay ? "relay" : "local", "relay",
						      cli_json_str(d->relay), "verify", verify));
	else
		printf("%-40.*s %8llu %8llu  %.*s%s%.*s%s\n", STR_FMT(d->name), (unsigned long long)d->accounts,
		       (unsigned long long)d->aliases, STR_FMT(cli_time(c->arena, d->created_ms)), relay ? "  relayed to " : "",
		       STR_FMT(!relay ? STR("") : d->relay.n > 0 ? d->relay : STR("its MX")),
		       d->verify == AUTH_VERIFY_PROBE ? ", recipients are probed" : "");
}

int cmd_domain_list(struct cli *c)
{
	struct auth_list_request q = { .after = STR("") };
	json_t                  *rows = c->json ? json_array() : NULL;
	bool                     more = true;

	if (!rows)
		printf("%-40s %8s %8s  %s\n", "DOMAIN", "ACCOUNTS", "ALIASES", "SINCE");
	while (more) {
		struct auth_domain_list_reply page = { 0 };
		int                           code = cli_ask(c, IPC_AUTH_DOMAIN_LIST, &q, &page, "domains");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.domain_count; i++) {
			domain_print(c, rows, &page.domains[i]);
			q.after = page.domains[i].name;
		}
		more = page.more && page.domain_count > 0;
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "domains", rows)) : CLI_OK;
}

/* ---- accounts ---- */

int cmd_account_add(struct cli *c)
{
	struct auth_name                name = { .address = str_of(c->args[0]) };
	struct auth_account_add_request q = { .names = &name, .name_count = 1 };
	struct auth_account_add_reply   reply = { 0 };
	int                             code = cli_quota_option(c, "quota", &q.quota_octets);

	if (code == CLI_OK)
		code = cli_quota_option(c, "messages", &q.quota_messages);
	if (code == CLI_OK)
		code = cli_config(c);
	if (code == CLI_OK)
		code = cli_password(c, &q.password);
	if (code == CLI_OK)
		code = cli_ask(c, IPC_AUTH_ACCOUNT_ADD, &q, &reply, c->args[0]);
	return code == CLI_OK ? cli_done(c, "account added", c->args[0]) : code;
}

static void account_print(struct cli *c, json_t *rows, const struct auth_account *a)
{
	const char *state = a->removed ? "removed" : a->disabled ? "disabled" : "active";

	if (rows)
		json_array_append_new(rows, json_pack("{s:I, s:o, s:s, s:I, s:I, s:I}", "id", (json_int_t)a->account, "address", cli_json_str(a->address),
						      "state", state, "quota", (json_int_t)a->quota_octets, "quota_messages",
						      (json_int_t)a->quota_messages, "created_ms", (json_int_t)a->created_ms));
	else
		printf("%-48.*s %-9s %10.*s  %.*s\n", STR_FMT(a->address), state,
		       STR_FMT(a->quota_octets ? cli_size(c->arena, a->quota_octets) : STR("-")), STR_FMT(cli_time(c->arena, a->created_ms)));
}

int cmd_account_list(struct cli *c)
{
	struct auth_list_request q = { .after = STR(""), .domain = str_of(c->arg_count ? c->args[0] : "") };
	json_t                  *rows = c->json ? json_array() : NULL;
	bool                     more = true;

	if (!rows)
		printf("%-48s %-9s %10s  %s\n", "ADDRESS", "STATE", "QUOTA", "SINCE");
	while (more) {
		struct auth_account_list_reply page = { 0 };
		int                            code = cli_ask(c, IPC_AUTH_ACCOUNT_LIST, &q, &page, "accounts");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.account_count; i++) {
			account_print(c, rows, &page.accounts[i]);
			q.after = page.accounts[i].address;
		}
		more = page.more && page.account_count > 0;
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "accounts", rows)) : CLI_OK;
}

static int account_change(struct cli *c, struct auth_account_change_request *q, const char *text)
{
	int code;

	q->address = str_of(c->args[0]);
	code = cli_ask(c, IPC_AUTH_ACCOUNT_CHANGE, q, NULL, c->args[0]);
	return code == CLI_OK ? cli_done(c, text, c->args[0]) : code;
}

int cmd_account_rename(struct cli *c)
{
	struct auth_account_change_request q = { .what = AUTH_CHANGE_RENAME, .new_address = str_of(c->args[1]) };

	return account_change(c, &q, "renamed");
}

int cmd_account_password(struct cli *c)
{
	struct auth_account_change_request q = { .what = AUTH_CHANGE_PASSWORD };
	int                                code = cli_config(c);

	if (code == CLI_OK)
		code = cli_password(c, &q.password);
	return code == CLI_OK ? account_change(c, &q, "password changed") : code;
}

int cmd_account_disable(struct cli *c)
{
	return account_change(c, &(struct auth_account_change_request){ .what = AUTH_CHANGE_DISABLE }, "disabled");
}

int cmd_account_enable(struct cli *c)
{
	return account_change(c, &(struct auth_account_change_request){ .what = AUTH_CHANGE_ENABLE }, "enabled");
}

int cmd_account_remove(struct cli *c)
{
	bool                               purge = cli_option(c, "purge") != NULL;
	struct auth_account_remove_request q = { .address = str_of(c->args[0]), .purge = purge };
	struct auth_account_remove_reply   reply = { 0 };
	int                                code = cli_config(c);

	/* The mail is purged by the running server; without one it could only half happen. */
	if (code == CLI_OK && purge && cli_ask_server(c, IPC_CONTROL_STATUS, NULL, &(struct control_status_reply){ 0 }) == ST_CLOSED)
		return cli_error(c, CLI_NO_SERVER, "--purge needs the running server");
	if (code == CLI_OK)
		code = cli_ask(c, IPC_AUTH_ACCOUNT_REMOVE, &q, &reply, c->args[0]);
	if (code == CLI_OK && purge)
		code = cli_ask(c, IPC_QUEUE_PURGE_ACCOUNT, &(struct queue_purge_request){ .account = reply.account }, NULL, "its mail");
	return code == CLI_OK ? cli_done(c, purge ? "removed, with its mail" : "removed ('account enable' undoes it)", c->args[0]) : code;
}

/* ---- aliases ---- */

int cmd_alias_add(struct cli *c)
{
	struct auth_alias q = { .from = str_of(c->args[0]), .to_count = c->arg_count - 1 };
	int               code;

	if (q.to_count > LIMIT_ALIAS_TARGETS)
		return cli_error(c, CLI_USAGE, "more than %zu targets", LIMIT_ALIAS_TARGETS);
	q.to = ARENA_ARRAY(c->arena, struct auth_name, q.to_count);
	for (size_t i = 0; i < q.to_count; i++)
		q.to[i].address = str_of(c->args[i + 1]);
	code = cli_policy(c, &q.rules, &q.rule_count);
	if (code == CLI_OK)
		code = cli_ask(c, IPC_AUTH_ALIAS_ADD, &q, NULL, c->args[0]);
	return code == CLI_OK ? cli_done(c, "alias added", c->args[0]) : code;
}

int cmd_alias_remove(struct cli *c)
{
	struct auth_alias_remove_request q = { .from = str_of(c->args[0]) };
	int                              code = cli_ask(c, IPC_AUTH_ALIAS_REMOVE, &q, NULL, c->args[0]);

	return code == CLI_OK ? cli_done(c, "alias removed", c->args[0]) : code;
}

static void alias_print(json_t *rows, const struct auth_alias *a)
{
	json_t *to = rows ? json_array() : NULL, *from = rows ? json_array() : NULL, *row;

	if (!rows)
		printf("%-40.*s", STR_FMT(a->from));
	for (size_t i = 0; i < a->to_count; i++) {
		if (rows)
			json_array_append_new(to, cli_json_str(a->to[i].address));
		else
			printf(" %.*s", STR_FMT(a->to[i].address));
	}
	for (size_t i = 0; i < a->rule_count; i++) {
		struct str text = cli_policy_text(&a->rules[i]);

		if (rows)
			json_array_append_new(from, cli_json_str(text));
		else
			printf("%s%.*s", i == 0 ? "  from " : ", ", STR_FMT(text));
	}
	if (!rows) {
		printf("\n");
		return;
	}
	row = json_pack("{s:o, s:o}", "from", cli_json_str(a->from), "to", to);
	if (a->rule_count > 0)
		json_object_set_new(row, "policy", from);
	else
		json_decref(from);
	json_array_append_new(rows, row);
}

int cmd_alias_list(struct cli *c)
{
	struct auth_list_request q = { .after = STR(""), .domain = str_of(c->arg_count ? c->args[0] : "") };
	json_t                  *rows = c->json ? json_array() : NULL;
	bool                     more = true;

	while (more) {
		struct auth_alias_list_reply page = { 0 };
		int                          code = cli_ask(c, IPC_AUTH_ALIAS_LIST, &q, &page, "aliases");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.alias_count; i++) {
			alias_print(rows, &page.aliases[i]);
			q.after = page.aliases[i].from;
		}
		more = page.more && page.alias_count > 0;
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "aliases", rows)) : CLI_OK;
}
