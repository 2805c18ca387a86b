/* cli/cmd_queue.c - queue list, show, retry, hold, release. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/queue_select.h"
#include "cli/cli_event.h"
#include "ipc/msg_queue.h"
#include "sys/clock.h"
#include "wire/text/queue_id.h"

#define OLDER_MAX_S  ((uint64_t)36500 * 86400)
#define EVENTS_SHOWN 20u /* the last ones of a message */
#define EVENTS_ASKS  50u /* pages of the trace that are looked through for them */

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

static struct str text_option(struct cli *c, const char *name)
{
	const char *text = cli_option(c, name);

	return str_of(text ? text : "");
}

static int list_request(struct cli *c, struct queue_list_request *ret)
{
	const char *older = cli_option(c, "older");
	uint64_t    seconds = 0;

	*ret = (struct queue_list_request){ .to = text_option(c, "to"), .from = text_option(c, "from"), .reason = text_option(c, "reason"), .site = text_option(c, "site") };
	if (!older)
		return CLI_OK;
	if (!cli_parse_time(older, &seconds) || seconds > OLDER_MAX_S)
		return cli_error(c, CLI_USAGE, "--older takes a time: 30m, 3h, 2d");
	ret->before_ms = clock_wall_ms() - (int64_t)seconds * 1000;
	return CLI_OK;
}

int cmd_queue_list(struct cli *c)
{
	struct queue_list_request q;
	const bool                only_count = cli_option(c, "count") != NULL;
	json_t                   *rows = c->json && !only_count ? json_array() : NULL;
	bool                      more = true;
	uint64_t                  count = 0;
	int                       wrong = list_request(c, &q);

	if (wrong != CLI_OK)
		return wrong;
	while (more) {
		struct queue_list_reply page = { 0 };
		int                     code = cli_ask(c, IPC_QUEUE_LIST, &q, &page, "queue");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.entry_count; i++) {
			if (rows)
				json_array_append_new(rows, entry_json(&page.entries[i]));
			else if (!only_count)
				entry_print(c, &page.entries[i]);
			q.after = page.entries[i].id;
		}
		count += page.entry_count;
		more = page.more && page.entry_count > 0;
	}
	if (rows)
		return cli_print_json(json_pack("{s:i, s:o}", "v", 1, "messages", rows));
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:I}", "v", 1, "count", (json_int_t)count));
	printf("%llu message%s in the queue\n", (unsigned long long)count, count == 1 ? "" : "s");
	return CLI_OK;
}

/* ---- show ---- */

static const struct {
	uint32_t    flag;
	const char *name, *text; /* text: for people, NULL if it is no news to them */
} flags[] = {
	{ QUEUE_FLAG_SMTPUTF8, "smtputf8", NULL },
	{ QUEUE_FLAG_8BIT, "8bit", NULL },
	{ QUEUE_FLAG_SUBMIT, "submit", NULL },
	{ QUEUE_FLAG_BOUNCE, "report", "a report of ours: its failure makes none" },
	{ QUEUE_FLAG_REQUIRETLS, "requiretls", "goes over verified TLS only" },
	{ QUEUE_FLAG_TLS_OPTIONAL, "tls_optional", "its sender does not insist on TLS" },
	{ QUEUE_FLAG_HOLD, "quarantined", "a filter put it into quarantine" },
	{ QUEUE_FLAG_FILTER, "filter", "goes to the content filter" },
	{ QUEUE_FLAG_RET_HDRS, "ret_hdrs", "reports return its header only" },
	{ QUEUE_FLAG_RET_FULL, "ret_full", NULL },
	{ QUEUE_FLAG_BY_NOTIFY, "by_notify", NULL },
	{ QUEUE_FLAG_BY_TRACE, "by_trace", NULL },
};

static const struct {
	uint32_t    bit;
	const char *name;
} notify_names[] = {
	{ QUEUE_NOTIFY_NEVER, "never" },
	{ QUEUE_NOTIFY_SUCCESS, "success" },
	{ QUEUE_NOTIFY_FAILURE, "failure" },
	{ QUEUE_NOTIFY_DELAY, "delay" },
};

static json_t *flags_json(uint32_t mask)
{
	json_t *list = json_array();

	for (size_t i = 0; i < LEN(flags); i++)
		if (mask & flags[i].flag)
			json_array_append_new(list, json_string(flags[i].name));
	return list;
}

static json_t *notify_json(uint32_t mask)
{
	json_t *list = json_array();

	for (size_t i = 0; i < LEN(notify_names); i++)
		if (mask & notify_names[i].bit)
			json_array_append_new(list, json_string(notify_names[i].name));
	return list;
}

static json_t *site_json(const struct queue_show_rcpt *p)
{
	static const char *const states[] = { "open", "dead", "probing" };

	if (!p->site_known)
		return json_null();
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "state", states[p->site_state], "now", (json_int_t)p->site_now, "limit", (json_int_t)p->site_limit, "waiting",
			 (json_int_t)p->site_waiting, "since_ms", (json_int_t)p->site_since_ms, "until_ms", (json_int_t)p->site_until_ms, "next_ms", (json_int_t)p->site_next_ms);
}

static json_t *rcpt_json(const struct queue_show_rcpt *p)
{
	return json_pack("{s:o, s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "address", cli_json_str(p->address), "target", cli_json_str(p->target),
			 "state", rcpt_state_names[p->state], "attempts", (json_int_t)p->attempts, "last_ms", (json_int_t)p->last_ms, "next_ms",
			 (json_int_t)p->next_ms, "answer", cli_json_str(p->answer), "notify", notify_json(p->notify), "orcpt",
			 cli_json_str(p->orcpt), "site", cli_json_str(p->site), "why", cli_json_str(p->why), "destination", site_json(p));
}

/* ---- what happened to it ---- */

struct history {
	struct trace_event events[EVENTS_SHOWN]; /* a ring */
	size_t             count;                /* of all that were seen */
	bool               cut;                  /* the trace was not looked through to its end */
};

/* The trace is not needed to show the message: whatever fails is no failure. */
static void history_read(struct cli *c, const struct queue_show_reply *m, struct history *h)
{
	struct trace_key          key = { .kind = TRACE_KEY_MESSAGE, .message = m->entry.id };
	struct trace_find_request q = { .keys = &key, .key_count = 1, .since_ms = m->entry.received_ms - 1000 };
	struct trace_find_reply   r = { .more = true };

	*h = (struct history){ .cut = true };
	for (unsigned asks = 0; r.more && asks < EVENTS_ASKS; asks++) {
		r = (struct trace_find_reply){ 0 };
		if (cli_ask(c, IPC_QUEUE_TRACE_FIND, &q, &r, "trace") != CLI_OK)
			return;
		for (size_t i = 0; i < r.event_count; i++)
			h->events[h->count++ % EVENTS_SHOWN] = r.events[i];
		q.segment = r.segment;
		q.offset = r.offset;
	}
	h->cut = r.more;
}

static size_t history_first(const struct history *h)
{
	return h->count > EVENTS_SHOWN ? h->count - EVENTS_SHOWN : 0;
}

static void history_print(struct cli *c, const struct history *h)
{
	if (history_first(h) > 0 || h->cut)
		printf("the last of what happened ('postrider trace' has all):\n");
	for (size_t i = history_first(h); i < h->count; i++)
		cli_event_print(c, &h->events[i % EVENTS_SHOWN]);
}

static int show_json(const struct queue_show_reply *r, const struct history *h)
{
	json_t *rcpts = json_array(), *o = entry_json(&r->entry), *events = json_array();

	for (size_t i = history_first(h); i < h->count; i++)
		json_array_append_new(events, cli_event_json(&h->events[i % EVENTS_SHOWN]));
	json_object_set_new(o, "events", events);
	json_object_set_new(o, "more_events", json_boolean(history_first(h) > 0 || h->cut));
	json_object_set_new(o, "expires_ms", json_integer((json_int_t)r->expires_ms));
	json_object_set_new(o, "attempts", json_integer(r->attempts));
	json_object_set_new(o, "stalls", json_integer(r->stalls));
	json_object_set_new(o, "crashes", json_integer(r->crashes));

	for (size_t i = 0; i < r->rcpt_count; i++)
		json_array_append_new(rcpts, rcpt_json(&r->rcpts[i]));
	json_object_set_new(o, "v", json_integer(1));
	json_object_set_new(o, "recipients", rcpts);
	json_object_set_new(o, "more_recipients", json_boolean(r->more));
	json_object_set_new(o, "session", cli_json_str(r->session));
	json_object_set_new(o, "peer", cli_json_str(r->peer));
	json_object_set_new(o, "envid", cli_json_str(r->envid));
	json_object_set_new(o, "flags", flags_json(r->flags));
	json_object_set_new(o, "priority", json_integer((json_int_t)r->priority));
	json_object_set_new(o, "begins_ms", json_integer((json_int_t)r->begins_ms));
	json_object_set_new(o, "deliver_by_ms", json_integer((json_int_t)r->deliver_by_ms));
	return cli_print_json(o);
}

static void envelope_print(struct cli *c, const struct queue_show_reply *r)
{
	for (size_t i = 0; i < LEN(flags); i++)
		if (flags[i].text && (r->flags & flags[i].flag))
			printf("%s\n", flags[i].text);
	if (r->begins_ms)
		printf("held back by its sender until %.*s\n", STR_FMT(cli_time(c->arena, r->begins_ms)));
	if (r->deliver_by_ms)
		printf("to be delivered by %.*s, else %s\n", STR_FMT(cli_time(c->arena, r->deliver_by_ms)),
		       r->flags & QUEUE_FLAG_BY_NOTIFY ? "its sender is told" : "it goes back");
	printf("given up at %.*s\n", STR_FMT(cli_time(c->arena, r->expires_ms)));
	if (r->priority)
		printf("priority %lld\n", (long long)r->priority);
	if (r->envid.n)
		printf("its sender calls it %.*s\n", STR_FMT(cli_text(c->arena, r->envid)));
}

static void site_print(struct cli *c, const struct queue_show_rcpt *p)
{
	if (p->site.n == 0)
		return;
	printf("     by way of %.*s", STR_FMT(cli_text(c->arena, p->site)));
	if (p->site_known && p->site_state != QUEUE_SITE_KIND_OPEN)
		printf(", which does not answer since %.*s and is tried again at %.*s", STR_FMT(cli_time(c->arena, p->site_since_ms)), STR_FMT(cli_time(c->arena, p->site_until_ms)));
	else if (p->site_known)
		printf(": %u of %u deliveries under way there, %u in line", p->site_now, p->site_limit, p->site_waiting);
	if (p->site_next_ms)
		printf("; its rate lets the next one go at %.*s", STR_FMT(cli_time(c->arena, p->site_next_ms)));
	printf("\n");
}

static void rcpt_print(struct cli *c, const struct queue_show_rcpt *p)
{
	bool other = p->target.n > 0 && !str_ieq(p->target, p->address);

	printf("  to <%.*s>%s%.*s  %s, %u attempt%s, last %.*s\n", STR_FMT(cli_text(c->arena, p->address)), other ? " at " : "",
	       STR_FMT(cli_text(c->arena, other ? p->target : STR(""))), rcpt_state_names[p->state], p->attempts, p->attempts == 1 ? "" : "s",
	       STR_FMT(cli_time(c->arena, p->last_ms)));
	site_print(c, p);
	if (p->answer.n)
		printf("     %.*s\n", STR_FMT(cli_text(c->arena, p->answer)));
	if (p->why.n && p->next_ms > 0)
		printf("     next %.*s: %.*s\n", STR_FMT(cli_time(c->arena, p->next_ms)), STR_FMT(cli_text(c->arena, p->why)));
	else if (p->why.n)
		printf("     %.*s\n", STR_FMT(cli_text(c->arena, p->why)));
	if (p->orcpt.n)
		printf("     its sender knows it as %.*s\n", STR_FMT(cli_text(c->arena, p->orcpt)));
	if (p->notify)
		printf("     reports:");
	for (size_t i = 0; i < LEN(notify_names); i++)
		if (p->notify & notify_names[i].bit)
			printf(" %s", notify_names[i].name);
	if (p->notify)
		printf("\n");
}

int cmd_queue_show(struct cli *c)
{
	struct queue_id_request q = { .id = 0 };
	struct queue_show_reply r = { 0 };
	struct history         *h = ARENA_NEW(c->arena, struct history);
	int                     code;

	if (!queue_id_parse(str_of(c->args[0]), &q.id))
		return cli_error(c, CLI_USAGE, "%s is not a queue id", c->args[0]);
	code = cli_ask(c, IPC_QUEUE_SHOW, &q, &r, c->args[0]);
	if (code != CLI_OK)
		return code;
	history_read(c, &r, h);
	if (c->json)
		return show_json(&r, h);
	entry_print(c, &r.entry);
	printf("came from %.*s in session %.*s\n", STR_FMT(cli_text(c->arena, r.peer)), STR_FMT(cli_text(c->arena, r.session)));
	envelope_print(c, &r);
	for (size_t i = 0; i < r.rcpt_count; i++)
		rcpt_print(c, &r.rcpts[i]);
	if (r.more)
		printf("  and more\n");
	history_print(c, h);
	return CLI_OK;
}

/* ---- wishes ---- */

/* Of the ids given, of what matches the filters, or of all. */
static int on_ids(struct cli *c, enum ipc_msg_id id, const char *verb)
{
	struct queue_select sel;
	const char         *subject;
	uint64_t            count = 0;
	int                 worst = queue_select(c, c->arg_count, &sel);
	bool                go_on = worst == CLI_OK;

	for (unsigned i = 0; go_on && i < sel.count; i++) {
		struct queue_id_request  q = { queue_select_id(c, &sel, i, &subject), sel.to, sel.from };
		struct queue_count_reply r = { 0 };

		go_on = queue_select_goes_on(cli_ask(c, id, &q, &r, subject), &worst);
		count += r.count;
	}
	if (worst != CLI_OK && count == 0)
		return worst;
	if (c->json && worst == CLI_OK)
		return cli_print_json(json_pack("{s:i, s:s, s:I}", "v", 1, "done", verb, "count", (json_int_t)count));
	if (!c->json)
		printf("%llu message%s %s\n", (unsigned long long)count, count == 1 ? "" : "s", verb);
	return worst;
}

int cmd_queue_retry(struct cli *c)
{
	return on_ids(c, IPC_QUEUE_RETRY, "tried again");
}

int cmd_queue_hold(struct cli *c)
{
	return on_ids(c, IPC_QUEUE_HOLD, "held");
}

int cmd_queue_release(struct cli *c)
{
	return on_ids(c, IPC_QUEUE_RELEASE, "released");
}
