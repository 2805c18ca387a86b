/* cli/cmd_route.c - route: what would happen to a message, and why. Exit code: 0 it would be taken, 3 nobody is there, 5 refused,
 * 75 deferred. */
#include <stdio.h>

#include "cli/cli.h"
#include "directory/directory_rule.h"
#include "ipc/msg_auth.h"

static const struct {
	const char *name;
	int         code;
} kinds[] = {
	[AUTH_RCPT_LOCAL] = { "local", CLI_OK },         [AUTH_RCPT_FOREIGN] = { "foreign", CLI_OK },
	[AUTH_RCPT_UNKNOWN] = { "unknown", CLI_NOT_FOUND }, [AUTH_RCPT_CLOSED] = { "closed", CLI_TRY_LATER },
	[AUTH_RCPT_RELAY] = { "relay", CLI_OK },         [AUTH_RCPT_PROBE] = { "probe", CLI_OK },
	[AUTH_RCPT_FULL] = { "full", CLI_TRY_LATER },    [AUTH_RCPT_REFUSED] = { "refused", CLI_DENIED },
	[AUTH_RCPT_LATER] = { "later", CLI_TRY_LATER },
};
_Static_assert(LEN(kinds) == AUTH_RCPT_LAST + 1, "an exit code per outcome");

/* Where remote would go; account targets have none. */
static struct str next_hop(struct cli *c, const struct auth_target *t)
{
	struct str local, domain;

	if (t->account != 0)
		return STR("");
	if (t->relay.n > 0)
		return t->relay;
	if (c->config.relay.n > 0)
		return arena_printf(c->arena, "%.*s (setting relay)", STR_FMT(c->config.relay));
	(void)str_rcut(t->address, '@', &local, &domain);
	return arena_printf(c->arena, "MX of %.*s", STR_FMT(domain));
}

/* A program that is not there; the setting `relay` always names one that is. */
static bool no_pipe(struct cli *c, const struct auth_target *t)
{
	return t->account == 0 && cli_pipe_missing(c, t->relay);
}

/* How it is spoken to; the rules that say so are among the steps. */
static json_t *hop_json(const struct hop *h)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:I, s:I, s:I}", "tls", dir_route_tls_word(h->tls), "source4", cli_json_str(h->source4), "source6",
			 cli_json_str(h->source6), "helo", cli_json_str(h->helo), "login", h->login != 0, "connections", (json_int_t)h->connections, "rate",
			 (json_int_t)h->rate, "rate_s", (json_int_t)h->rate_s);
}

static int print_json(struct cli *c, const struct auth_route_reply *r, int code)
{
	json_t *steps = json_array(), *targets = json_array();

	for (size_t i = 0; i < r->step_count; i++)
		json_array_append_new(steps, json_pack("{s:o, s:o}", "what", cli_json_str(r->steps[i].what), "text",
						       cli_json_str(r->steps[i].text)));
	for (size_t i = 0; i < r->target_count; i++) {
		const struct auth_target *t = &r->targets[i];

		json_array_append_new(targets, json_pack("{s:o, s:I, s:o, s:b, s:o, s:b, s:o, s:I}", "address", cli_json_str(t->address), "account",
							 (json_int_t)t->account, "next_hop", cli_json_str(next_hop(c, t)), "pipe_missing",
							 (int)no_pipe(c, t), "hop", hop_json(&t->hop), "forward", (int)t->forward, "from", cli_json_str(t->from), "quota",
							 (json_int_t)t->quota_octets));
	}
	cli_print_json(json_pack("{s:i, s:o, s:s, s:o, s:o, s:o}", "v", 1, "address", cli_json_str(str_of(c->args[0])), "kind", kinds[r->kind].name, "outcome",
				 cli_json_str(r->text), "steps", steps, "targets", targets));
	return code;
}

static int print_text(struct cli *c, const struct auth_route_reply *r, int code)
{
	for (size_t i = 0; i < r->step_count; i++)
		printf("%-10.*s %.*s\n", STR_FMT(r->steps[i].what), STR_FMT(cli_text(c->arena, r->steps[i].text)));
	for (size_t i = 0; i < r->target_count && code == CLI_OK; i++) {
		const struct auth_target *t = &r->targets[i];
		struct str                hop = next_hop(c, t);

		printf("%-10s %.*s%s%.*s\n", t->account ? "deliver" : "send", STR_FMT(cli_text(c->arena, t->address)), hop.n ? " by " : "",
		       STR_FMT(cli_text(c->arena, hop)));
		if (no_pipe(c, t))
			printf("%-10s the configuration has no such pipe: this mail waits until it has\n", "");
	}
	printf("%-10s %.*s\n", "outcome", STR_FMT(r->text));
	return code;
}

int cmd_route(struct cli *c)
{
	const char               *from = cli_option(c, "from");
	struct auth_route_request q = { .address = str_of(c->args[0]), .anyone = from == NULL };
	struct auth_route_reply   r = { 0 };
	int                       code;

	if (from && !str_eq(str_of(from), STR("<>")))
		q.from = str_of(from);
	code = cli_ask(c, IPC_AUTH_ROUTE, &q, &r, c->args[0]);
	if (code != CLI_OK)
		return code;
	code = kinds[r.kind].code;
	if (r.kind == AUTH_RCPT_FOREIGN && r.refused)
		code = CLI_DENIED;
	return c->json ? print_json(c, &r, code) : print_text(c, &r, code);
}
