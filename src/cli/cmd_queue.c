/* cli/cmd_queue.c - queue list, show, retry, remove. */
#include <stdio.h>

#include "cli/cli.h"
#include "ipc/msg_queue.h"
#include "queue/queue_id.h"

static const char *const state_names[] = { "waiting", "active", "held" };
static const char *const rcpt_state_names[] = { "pending", "done", "failed" };

static json_t *entry_json(const struct queue_entry *e)
{
	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o}", "id", queue_id_text(e->id).p, "state", state_names[e->state], "from",
			 cli_json_str(e->from), "size", (json_int_t)e->size, "recipients_left", (json_int_t)e->rcpts_left, "received_ms",
			 (json_int_t)e->received_ms, "next_ms", (json_int_t)e->next_ms, "reason", cli_json_str(e->reason));
}

static void entry_print(struct cli *c, const struct queue_entry *e)
{
	printf("%s  %-7s %9.*s  %.*s  %3llu left  <%.*s>\n", queue_id_text(e->id).p, state_names[e->state], STR_FMT(cli_size(c->arena, e->size)),
	       STR_FMT(cli_time(c->arena, e->received_ms)), (unsigned long long)e->rcpts_left, STR_FMT(cli_text(c->arena, e->from)));
	if (e->state != QUEUE_ACTIVE && e->reason.n)
		printf("               %.*s\n", STR_FMT(cli_text(c->arena, e->reason)));
	if (e->state == QUEUE_WAITING)
		printf("               tried again at %.*s\n", STR_FMT(cli_time(c->arena, e->next_ms)));
}

int cmd_queue_list(struct cli *c)
{
	const char               *to = cli_option(c, "to"), *from = cli_option(c, "from");
	struct queue_list_request q = { .to = str_of(to ? to : ""), .from = str_of(from ? from : "") };
	json_t                   *rows = c->json ? json_array() : NULL;
	bool                      more = true;
	uint64_t                  count = 0;

	while (more) {
		struct queue_list_reply page = { 0 };
		int                     code = cli_ask(c, IPC_QUEUE_LIST, &q, &page, "queue");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.entry_count; i++) {
			if (rows)
				json_array_append_new(rows, entry_json(&page.entries[i]));
			else
				entry_print(c, &page.entries[i]);
			q.after = page.entries[i].id;
		}
		count += page.entry_count;
		more = page.more && page.entry_count > 0;
	}
	if (rows)
		return cli_print_json(json_pack("{s:i, s:o}", "v", 1, "messages", rows));
	printf("%llu message%s in the queue\n", (unsigned long long)count, count == 1 ? "" : "s");
	return CLI_OK;
}

static int show_json(const struct queue_show_reply *r)
{
	json_t *rcpts = json_array(), *o = entry_json(&r->entry);

	for (size_t i = 0; i < r->rcpt_count; i++) {
		const struct queue_show_rcpt *p = &r->rcpts[i];
		json_array_append_new(rcpts, json_pack("{s:o, s:o, s:s, s:I, s:I, s:I, s:o}", "address", cli_json_str(p->address), "target",
						       cli_json_str(p->target), "state", rcpt_state_names[p->state], "attempts",
						       (json_int_t)p->attempts, "last_ms", (json_int_t)p->last_ms, "next_ms",
						       (json_int_t)p->next_ms, "answer", cli_json_str(p->answer)));
	}
	json_object_set_new(o, "v", json_integer(1));
	json_object_set_new(o, "recipients", rcpts);
	json_object_set_new(o, "session", cli_json_str(r->session));
	json_object_set_new(o, "peer", cli_json_str(r->peer));
	return cli_print_json(o);
}

int cmd_queue_show(struct cli *c)
{
	struct queue_id_request q;
	struct queue_show_reply r = { 0 };
	int                     code;

	if (!queue_id_parse(str_of(c->args[0]), &q.id))
		return cli_error(c, CLI_USAGE, "%s is not a queue id", c->args[0]);
	code = cli_ask(c, IPC_QUEUE_SHOW, &q, &r, c->args[0]);
	if (code != CLI_OK)
		return code;
	if (c->json)
		return show_json(&r);
	entry_print(c, &r.entry);
	printf("came from %.*s in session %.*s\n", STR_FMT(cli_text(c->arena, r.peer)), STR_FMT(cli_text(c->arena, r.session)));
	for (size_t i = 0; i < r.rcpt_count; i++) {
		const struct queue_show_rcpt *p = &r.rcpts[i];
		bool                          other = p->target.n > 0 && !str_ieq(p->target, p->address);
		printf("  to <%.*s>%s%.*s  %s, %u attempt%s, last %.*s\n", STR_FMT(cli_text(c->arena, p->address)), other ? " at " : "",
		       STR_FMT(cli_text(c->arena, other ? p->target : STR(""))),
		       rcpt_state_names[p->state], p->attempts, p->attempts == 1 ? "" : "s", STR_FMT(cli_time(c->arena, p->last_ms)));
		if (p->answer.n)
			printf("     %.*s\n", STR_FMT(cli_text(c->arena, p->answer)));
	}
	return CLI_OK;
}

/* RETRY or REMOVE of the ids given, or of all. */
static int on_ids(struct cli *c, enum ipc_msg_id id, const char *verb)
{
	uint64_t count = 0;
	bool     all = cli_option(c, "all") != NULL;

	if (all == (c->arg_count > 0))
		return cli_error(c, CLI_USAGE, "name either ids or --all");
	for (unsigned i = 0; i < (all ? 1 : c->arg_count); i++) {
		struct queue_id_request  q = { .id = 0 };
		struct queue_count_reply r = { 0 };
		int                      code;

		if (!all && !queue_id_parse(str_of(c->args[i]), &q.id))
			return cli_error(c, CLI_USAGE, "%s is not a queue id", c->args[i]);
		code = cli_ask(c, id, &q, &r, all ? "queue" : c->args[i]);
		if (code != CLI_OK)
			return code;
		count += r.count;
	}
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:s, s:I}", "v", 1, "done", verb, "count", (json_int_t)count));
	printf("%llu message%s %s\n", (unsigned long long)count, count == 1 ? "" : "s", verb);
	return CLI_OK;
}

int cmd_queue_retry(struct cli *c)
{
	return on_ids(c, IPC_QUEUE_RETRY, "tried again");
}

int cmd_queue_remove(struct cli *c)
{
	return on_ids(c, IPC_QUEUE_REMOVE, "removed");
}
