/* cli/cmd_ban.c - ban list, why, lift, add. */
#include <stdio.h>

#include "cli/cli.h"
#include "ipc/msg_guard.h"

/* ---- list ---- */

static json_t *ban_json(const struct guard_ban_row *b)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:b}", "address", cli_json_str(b->where), "reason", cli_json_str(b->reason), "since_ms",
			 (json_int_t)b->since_ms, "until_ms", (json_int_t)b->until_ms, "count", (json_int_t)b->count, "manual", b->manual);
}

static json_t *alarm_json(const struct guard_alarm_row *r)
{
	return json_pack("{s:I, s:o, s:o, s:I}", "account", (json_int_t)r->account, "from", cli_json_str(r->from), "reason",
			 cli_json_str(r->reason), "when_ms", (json_int_t)r->when_ms);
}

static void ban_print(struct cli *c, const struct guard_ban_row *b)
{
	printf("%-26.*s until %.*s  %s%.*s\n", STR_FMT(cli_text(c->arena, b->where)), STR_FMT(cli_time(c->arena, b->until_ms)),
	       b->manual ? "by hand: " : "", STR_FMT(cli_text(c->arena, b->reason)));
}

static void alarm_print(struct cli *c, const struct guard_alarm_row *r)
{
	printf("account %llu met its limit %.*s at %.*s, as <%.*s>\n", (unsigned long long)r->account, STR_FMT(cli_text(c->arena, r->reason)),
	       STR_FMT(cli_time(c->arena, r->when_ms)), STR_FMT(cli_text(c->arena, r->from)));
}

/* One page; either into the arrays or onto the terminal. */
static void page_tell(struct cli *c, const struct guard_list_reply *page, json_t *bans, json_t *alarms)
{
	for (size_t i = 0; i < page->ban_count; i++)
		if (bans)
			json_array_append_new(bans, ban_json(&page->bans[i]));
		else
			ban_print(c, &page->bans[i]);
	for (size_t i = 0; i < page->alarm_count; i++)
		if (alarms)
			json_array_append_new(alarms, alarm_json(&page->alarms[i]));
		else
			alarm_print(c, &page->alarms[i]);
}

int cmd_ban_list(struct cli *c)
{
	struct guard_list_request q = { .after = 0 };
	json_t                   *bans = c->json ? json_array() : NULL, *alarms = c->json ? json_array() : NULL;
	uint64_t                  count = 0;
	bool                      more = true;

	while (more) {
		struct guard_list_reply page = { 0 };
		int                     code = cli_ask(c, IPC_GUARD_LIST, &q, &page, "bans");

		if (code != CLI_OK)
			return code;
		page_tell(c, &page, bans, alarms);
		count += page.ban_count;
		more = page.more && page.ban_count > 0;
		if (more)
			q.after = page.bans[page.ban_count - 1].place;
	}
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:o, s:o}", "v", 1, "bans", bans, "alarms", alarms));
	printf("%llu ban%s\n", (unsigned long long)count, count == 1 ? "" : "s");
	return CLI_OK;
}

/* ---- why ---- */

int cmd_ban_why(struct cli *c)
{
	struct guard_why_request q = { .address = str_of(c->args[0]) };
	struct guard_why_reply   r = { 0 };
	int                      code = cli_ask(c, IPC_GUARD_WHY, &q, &r, c->args[0]);
	json_t                  *facts;

	if (code != CLI_OK)
		return code;
	facts = c->json ? json_array() : NULL;
	for (size_t i = 0; i < r.fact_count; i++)
		if (facts)
			json_array_append_new(facts, json_pack("{s:o, s:o}", "name", cli_json_str(r.facts[i].name), "value", cli_json_str(r.facts[i].value)));
		else
			printf("%-20.*s %.*s\n", STR_FMT(r.facts[i].name), STR_FMT(cli_text(c->arena, r.facts[i].value)));
	return c->json ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "facts", facts)) : CLI_OK;
}

/* ---- lift, add ---- */

int cmd_ban_lift(struct cli *c)
{
	bool                      all = cli_option(c, "all") != NULL;
	struct guard_lift_request q = { .where = str_of(all ? "" : c->arg_count > 0 ? c->args[0] : "") };
	struct guard_lift_reply   r = { 0 };
	int                       code;

	if (all == (c->arg_count > 0))
		return cli_error(c, CLI_USAGE, "name either an address or --all");
	code = cli_ask(c, IPC_GUARD_LIFT, &q, &r, all ? "bans" : c->args[0]);
	if (code != CLI_OK)
		return code;
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:I}", "v", 1, "lifted", (json_int_t)r.count));
	printf("%llu ban%s lifted\n", (unsigned long long)r.count, r.count == 1 ? "" : "s");
	return CLI_OK;
}

int cmd_ban_add(struct cli *c)
{
	const char              *time = cli_option(c, "for"), *reason = cli_option(c, "reason");
	struct guard_add_request q = { .where = str_of(c->args[0]), .reason = str_of(reason ? reason : "by an administrator") };
	struct guard_add_reply   r = { 0 };
	int                      code;

	if (!cli_parse_time(time ? time : "1d", &q.seconds) || q.seconds == 0 || q.seconds > LIMIT_GUARD_BAN_S)
		return cli_error(c, CLI_USAGE, "--for takes a number and s, m, h or d, at most 366d");
	if (q.reason.n > LIMIT_GUARD_REASON)
		return cli_error(c, CLI_USAGE, "the reason is longer than %zu octets", LIMIT_GUARD_REASON);
	code = cli_ask(c, IPC_GUARD_ADD, &q, &r, c->args[0]);
	if (code != CLI_OK)
		return code;
	if (r.exempt.n > 0)
		return cli_error(c, CLI_DENIED, "%s is never banned (%.*s)", c->args[0], STR_FMT(r.exempt));
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:s, s:I}", "v", 1, "address", c->args[0], "until_ms", (json_int_t)r.until_ms));
	printf("%s is banned until %.*s\n", c->args[0], STR_FMT(cli_time(c->arena, r.until_ms)));
	return CLI_OK;
}
