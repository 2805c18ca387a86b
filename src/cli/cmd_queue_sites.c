/* cli/cmd_queue_sites.c - queue sites: the destinations as the scheduler sees them, and an end to a dead time. */
#include <stdio.h>

#include "cli/cli.h"
#include "ipc/msg_queue.h"

static const char *const state_names[] = { "open", "dead", "probing" };
_Static_assert(LEN(state_names) == QUEUE_SITE_KIND_LAST + 1, "a name for each");

static json_t *site_json(const struct queue_site_row *s)
{
	return json_pack("{s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "site", cli_json_str(s->name), "state", state_names[s->state], "now",
			 (json_int_t)s->now, "limit", (json_int_t)s->limit, "ceiling", (json_int_t)s->ceiling, "waiting", (json_int_t)s->waiting, "delivered",
			 (json_int_t)s->delivered, "deferred", (json_int_t)s->deferred, "refused", (json_int_t)s->refused, "since_ms", (json_int_t)s->since_ms, "until_ms",
			 (json_int_t)s->until_ms, "last_ms", (json_int_t)s->last_ms, "last_answer", cli_json_str(s->last_answer), "rate", (json_int_t)s->rate, "rate_s",
			 (json_int_t)s->rate_s, "next_ms", (json_int_t)s->next_ms);
}

static void site_print(struct cli *c, const struct queue_site_row *s)
{
	printf("%.*s  %s, %u of %u under way (up to %u), %u in line, %llu delivered, %llu deferred, %llu refused\n", STR_FMT(cli_text(c->arena, s->name)), state_names[s->state], s->now,
	       s->limit, s->ceiling, s->waiting, (unsigned long long)s->delivered, (unsigned long long)s->deferred, (unsigned long long)s->refused);
	if (s->since_ms)
		printf("     does not answer since %.*s, tried again at %.*s\n", STR_FMT(cli_time(c->arena, s->since_ms)), STR_FMT(cli_time(c->arena, s->until_ms)));
	if (s->last_answer.n)
		printf("     %.*s: %.*s\n", STR_FMT(cli_time(c->arena, s->last_ms)), STR_FMT(cli_text(c->arena, s->last_answer)));
	if (s->rate && s->next_ms)
		printf("     %u messages in %u s, the next at %.*s\n", s->rate, s->rate_s, STR_FMT(cli_time(c->arena, s->next_ms)));
	else if (s->rate)
		printf("     %u messages in %u s\n", s->rate, s->rate_s);
}

static int all(struct cli *c)
{
	struct queue_sites_request q = { .retry = false };
	struct queue_sites_reply   r = { .more = true };
	json_t                    *rows = c->json ? json_array() : NULL;

	while (r.more) {
		int code;

		r = (struct queue_sites_reply){ 0 };
		code = cli_ask(c, IPC_QUEUE_SITES, &q, &r, "queue");
		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < r.site_count; i++) {
			if (rows)
				json_array_append_new(rows, site_json(&r.sites[i]));
			else
				site_print(c, &r.sites[i]);
			q.after = r.sites[i].name;
		}
		r.more = r.more && r.site_count > 0;
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "sites", rows)) : CLI_OK;
}

static int one(struct cli *c, const char *name, bool retry)
{
	struct queue_sites_request q = { .name = str_of(name), .retry = retry };
	struct queue_sites_reply   r = { 0 };
	int                        code = cli_ask(c, IPC_QUEUE_SITES, &q, &r, name);

	if (code != CLI_OK)
		return code;
	if (c->json) {
		json_t *o = r.site_count ? site_json(&r.sites[0]) : json_pack("{s:s}", "site", name);

		json_object_set_new(o, "v", json_integer(1));
		if (retry)
			json_object_set_new(o, "due", json_integer((json_int_t)r.due));
		return cli_print_json(o);
	}
	if (retry)
		printf("%llu message%s for it %s due now\n", (unsigned long long)r.due, r.due == 1 ? "" : "s", r.due == 1 ? "is" : "are");
	if (r.site_count)
		site_print(c, &r.sites[0]);
	return CLI_OK;
}

int cmd_queue_sites(struct cli *c)
{
	const char *again = cli_option(c, "retry");

	if (again && (c->arg_count > 0 || !*again))
		return cli_error(c, CLI_USAGE, "--retry takes the name of one destination");
	if (again)
		return one(c, again, true);
	return c->arg_count ? one(c, c->args[0], false) : all(c);
}
