/* cli/cmd_quota.c - account quota, domain quota: what accounts and domains may hold, set and shown. */
#include <stdio.h>

#include "cli/cli.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_control.h"
#include "ipc/msg_local.h"
#include "wire/text/text_quantity.h"

static bool limit_parse(struct str text, bool messages, uint64_t *ret)
{
	uint64_t v;

	if (str_eq(text, STR("none")) || str_eq(text, STR("0")))
		v = AUTH_QUOTA_NONE;
	else if (str_eq(text, STR("default")))
		v = 0;
	else if (!(messages ? str_to_u64(text, &v) : text_size_parse(text, &v)) || v == 0 || v >= AUTH_QUOTA_NONE)
		return false;
	*ret = v;
	return true;
}

static int limit_wrong(const struct cli *c, const char *text, bool messages)
{
	return messages ? cli_error(c, CLI_USAGE, "%s: a number of messages, none, or default", text) :
			  cli_error(c, CLI_USAGE, "%s: a size is a number with K, M, G or T; or none, or default", text);
}

static bool is_messages(const char *name)
{
	return str_eq(str_of(name), STR("messages")) || str_eq(str_of(name), STR("total-messages"));
}

int cli_quota_option(struct cli *c, const char *name, uint64_t *ret)
{
	const char *text = cli_option(c, name);

	return !text || limit_parse(str_of(text), is_messages(name), ret) ? CLI_OK : limit_wrong(c, text, is_messages(name));
}

static struct str limit_text(struct cli *c, uint64_t v, bool messages)
{
	if (v == 0 || v == AUTH_QUOTA_NONE)
		return STR("no limit");
	return messages ? arena_printf(c->arena, "%llu", (unsigned long long)v) : cli_size(c->arena, v);
}

/* ---- accounts ---- */

/* The account of that address: listings know what holds for it. */
static int account_find(struct cli *c, struct auth_account *ret)
{
	struct auth_list_request q = { .after = STR("") };
	bool                     more = true;

	while (more) {
		struct auth_account_list_reply page = { 0 };
		int                            code = cli_ask(c, IPC_AUTH_ACCOUNT_LIST, &q, &page, "accounts");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.account_count; i++) {
			if (str_ieq(page.accounts[i].address, str_of(c->args[0]))) {
				*ret = page.accounts[i];
				return CLI_OK;
			}
			q.after = page.accounts[i].address;
		}
		more = page.more && page.account_count > 0;
	}
	return cli_fail(c, ST_NOT_FOUND, c->args[0]);
}

static int account_show(struct cli *c)
{
	struct auth_account      a = { 0 };
	struct local_usage_reply u = { 0 };
	int                      code = account_find(c, &a);
	bool                     known;

	if (code != CLI_OK)
		return code;
	known = cli_ask_server(c, IPC_QUEUE_USAGE, &(struct local_usage_request){ a.account }, &u) == ST_OK;
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:o, s:I, s:I, s:b, s:b, s:o, s:o}", "v", 1, "address", cli_json_str(a.address), "quota",
						(json_int_t)a.quota_octets, "quota_messages", (json_int_t)a.quota_messages, "own",
						(int)a.own_octets, "own_messages", (int)a.own_messages, "used",
						known ? json_integer((json_int_t)u.octets) : json_null(), "used_messages",
						known ? json_integer((json_int_t)u.messages) : json_null()));
	printf("%-10s %14s %14s\n", "", "USED", "LIMIT");
	printf("%-10s %14.*s %14.*s%s\n", "storage", STR_FMT(known ? cli_size(c->arena, u.octets) : STR("?")),
	       STR_FMT(limit_text(c, a.quota_octets, false)), a.own_octets ? "" : "  (of the domain)");
	printf("%-10s %14.*s %14.*s%s\n", "messages",
	       STR_FMT(known ? arena_printf(c->arena, "%llu", (unsigned long long)u.messages) : STR("?")),
	       STR_FMT(limit_text(c, a.quota_messages, true)), a.own_messages ? "" : "  (of the domain)");
	return CLI_OK;
}

int cmd_account_quota(struct cli *c)
{
	struct auth_account_change_request q = { .address = str_of(c->args[0]), .what = AUTH_CHANGE_QUOTA };
	bool                               messages = cli_option(c, "messages") != NULL;
	int                                code = cli_quota_option(c, "messages", &q.quota_messages);

	if (code != CLI_OK)
		return code;
	if (c->arg_count < 2 && !messages)
		return account_show(c);
	if (c->arg_count == 2 && !limit_parse(str_of(c->args[1]), false, &q.quota_octets))
		return limit_wrong(c, c->args[1], false);
	if (c->arg_count == 2)
		code = cli_ask(c, IPC_AUTH_ACCOUNT_CHANGE, &q, NULL, c->args[0]);
	q.what = AUTH_CHANGE_QUOTA_MESSAGES;
	if (code == CLI_OK && messages)
		code = cli_ask(c, IPC_AUTH_ACCOUNT_CHANGE, &q, NULL, c->args[0]);
	return code == CLI_OK ? cli_done(c, "quota changed", c->args[0]) : code;
}

/* ---- domains ---- */

static int domain_show(struct cli *c)
{
	struct auth_list_request q = { .after = STR("") };
	bool                     more = true;

	while (more) {
		struct auth_domain_list_reply page = { 0 };
		int                           code = cli_ask(c, IPC_AUTH_DOMAIN_LIST, &q, &page, "domains");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.domain_count; i++) {
			const struct auth_domain *d = &page.domains[i];
			bool                      total = d->total_octets > 0 || d->total_messages > 0;

			q.after = d->name;
			if (!str_ieq(d->name, str_of(c->args[0])))
				continue;
			if (c->json)
				return cli_print_json(json_pack(
					"{s:i, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "v", 1, "domain", cli_json_str(d->name), "quota",
					(json_int_t)d->account_octets, "quota_messages", (json_int_t)d->account_messages, "total",
					(json_int_t)d->total_octets, "total_messages", (json_int_t)d->total_messages, "used",
					total ? json_integer((json_int_t)d->used_octets) : json_null(), "used_messages",
					total ? json_integer((json_int_t)d->used_messages) : json_null()));
			printf("%-22s %14s %14s\n", "", "STORAGE", "MESSAGES");
			printf("%-22s %14.*s %14.*s\n", "an account, by default", STR_FMT(limit_text(c, d->account_octets, false)),
			       STR_FMT(limit_text(c, d->account_messages, true)));
			printf("%-22s %14.*s %14.*s\n", "all accounts", STR_FMT(limit_text(c, d->total_octets, false)),
			       STR_FMT(limit_text(c, d->total_messages, true)));
			if (total)
				printf("%-22s %14.*s %14llu\n", "they hold", STR_FMT(cli_size(c->arena, d->used_octets)),
				       (unsigned long long)d->used_messages);
			return CLI_OK;
		}
		more = page.more && page.domain_count > 0;
	}
	return cli_fail(c, ST_NOT_FOUND, c->args[0]);
}

/* From now on each account tells what it holds when that changes; what it holds already is asked here. */
static int count_all(struct cli *c)
{
	struct auth_list_request q = { .after = STR(""), .domain = str_of(c->args[0]) };
	bool                     more = true;

	while (more) {
		struct auth_account_list_reply page = { 0 };
		int                            code = cli_ask(c, IPC_AUTH_ACCOUNT_LIST, &q, &page, "accounts");

		for (size_t i = 0; i < page.account_count && code == CLI_OK; i++) {
			const struct auth_account *a = &page.accounts[i];
			struct local_usage_reply   u = { 0 };
			const char                *address = arena_cstr(c->arena, a->address);

			code = cli_ask(c, IPC_QUEUE_USAGE, &(struct local_usage_request){ a->account }, &u, address);
			if (code == CLI_OK)
				code = cli_ask(c, IPC_AUTH_USED_SET, &(struct auth_used_request){ .account = a->account, .octets = u.octets, .messages = u.messages }, NULL, address);
			q.after = a->address;
		}
		if (code != CLI_OK)
			return code;
		more = page.more && page.account_count > 0;
	}
	return CLI_OK;
}

int cmd_domain_quota(struct cli *c)
{
	static const struct {
		const char *option;
		uint32_t    bit;
		size_t      at;
	} limits[] = {
		{ "quota", AUTH_DOMAIN_ACCOUNT_OCTETS, offsetof(struct auth_domain_quota_request, account_octets) },
		{ "messages", AUTH_DOMAIN_ACCOUNT_MESSAGES, offsetof(struct auth_domain_quota_request, account_messages) },
		{ "total", AUTH_DOMAIN_TOTAL_OCTETS, offsetof(struct auth_domain_quota_request, total_octets) },
		{ "total-messages", AUTH_DOMAIN_TOTAL_MESSAGES, offsetof(struct auth_domain_quota_request, total_messages) },
	};
	struct auth_domain_quota_request q = { .name = str_of(c->args[0]) };
	int                              code = CLI_OK;
	bool                             total;

	for (size_t i = 0; i < LEN(limits) && code == CLI_OK; i++) {
		uint64_t *value = (uint64_t *)(void *)((char *)&q + limits[i].at);

		if (!cli_option(c, limits[i].option))
			continue;
		q.given |= limits[i].bit;
		code = cli_quota_option(c, limits[i].option, value);
		if (*value == AUTH_QUOTA_NONE)
			*value = 0;
	}
	if (code != CLI_OK)
		return code;
	if (q.given == 0)
		return domain_show(c);
	total = q.total_octets > 0 || q.total_messages > 0;
	code = cli_config(c);
	/* What its accounts hold already only the running server can tell. */
	if (code == CLI_OK && total && cli_ask_server(c, IPC_CONTROL_STATUS, NULL, &(struct control_status_reply){ 0 }) == ST_CLOSED)
		return cli_error(c, CLI_NO_SERVER, "a total needs the running server");
	if (code == CLI_OK)
		code = cli_ask(c, IPC_AUTH_DOMAIN_QUOTA, &q, NULL, c->args[0]);
	if (code == CLI_OK && total)
		code = count_all(c);
	return code == CLI_OK ? cli_done(c, "quota changed", c->args[0]) : code;
}
