/* cli/cmd_queue_edit.c - queue redirect, edit, bounce: wishes that a message in its round does not take.
 *
 * Such a message is busy: it is being given to somebody this moment. Rounds are short as a rule, so it is asked again for some seconds; then the command says what was left
 * as it is, and exits with CLI_TRY_LATER. What was done stays done.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/queue_select.h"
#include "ipc/msg_queue.h"
#include "queue/queue_id.h"
#include "sys/clock.h"

#define BUSY_MS 10000
#define LOOK_US 200000

/* Until nothing is busy, or for BUSY_MS. `subject` is the id, or "queue". */
static int ask(struct cli *c, enum ipc_msg_id id, const void *request, const char *subject, struct queue_edit_reply *sum)
{
	const int64_t           end = clock_mono_ms() + BUSY_MS;
	struct queue_edit_reply r = { 0 };
	int                     code;

	do {
		if (r.busy)
			usleep(LOOK_US);
		r = (struct queue_edit_reply){ 0 };
		code = cli_ask(c, id, request, &r, subject);
		sum->count += code == CLI_OK ? r.count : 0;
		sum->reports += code == CLI_OK ? r.reports : 0;
	} while (code == CLI_OK && r.busy && clock_mono_ms() < end);
	sum->busy += r.busy;
	return code;
}

/* "3 messages bounced (2 reports); 1 is being tried this moment ..." */
static int told(struct cli *c, const char *verb, const struct queue_edit_reply *r, bool reports)
{
	if (c->json) {
		json_t *o = json_pack("{s:i, s:s, s:I, s:I}", "v", 1, "done", verb, "count", (json_int_t)r->count, "busy", (json_int_t)r->busy);
		int     code;

		if (reports)
			json_object_set_new(o, "reports", json_integer((json_int_t)r->reports));
		code = cli_print_json(o);
		return code == CLI_OK && r->busy ? CLI_TRY_LATER : code;
	}
	printf("%llu message%s %s", (unsigned long long)r->count, r->count == 1 ? "" : "s", verb);
	if (reports)
		printf(", %llu report%s", (unsigned long long)r->reports, r->reports == 1 ? "" : "s");
	printf("\n");
	if (!r->busy)
		return CLI_OK;
	fflush(stdout);
	return cli_error(c, CLI_TRY_LATER, "%llu being tried this moment, left as %s: try again, or 'postrider queue hold' first", (unsigned long long)r->busy,
			 r->busy == 1 ? "it is" : "they are");
}

int cmd_queue_redirect(struct cli *c)
{
	const unsigned            ids = c->arg_count - 1; /* the last one is the address */
	struct queue_edit_address add = { str_of(c->args[ids]) };
	struct queue_edit_reply   sum = { 0 };
	struct queue_select       sel;
	const char               *subject;
	int                       code = queue_select(c, ids, &sel);

	for (unsigned i = 0; code == CLI_OK && i < sel.count; i++) {
		struct queue_edit_request q = { .to = sel.to, .from = sel.from, .add = &add, .add_count = 1 };

		code = queue_select_id(c, &sel, i, &q.id, &subject);
		if (code == CLI_OK)
			code = ask(c, IPC_QUEUE_REDIRECT, &q, subject, &sum);
	}
	return code == CLI_OK ? told(c, "redirected", &sum, false) : code;
}

int cmd_queue_bounce(struct cli *c)
{
	struct queue_edit_reply sum = { 0 };
	struct queue_select     sel;
	const char             *subject;
	int                     code = queue_select(c, c->arg_count, &sel);

	for (unsigned i = 0; code == CLI_OK && i < sel.count; i++) {
		struct queue_id_request q = { .to = sel.to, .from = sel.from };

		code = queue_select_id(c, &sel, i, &q.id, &subject);
		if (code == CLI_OK)
			code = ask(c, IPC_QUEUE_BOUNCE, &q, subject, &sum);
	}
	return code == CLI_OK ? told(c, "bounced", &sum, true) : code;
}

/* All values of an option that may be given again. */
static size_t addresses(struct cli *c, const char *name, struct queue_edit_address **ret)
{
	size_t count = 0;

	*ret = ARENA_ARRAY(c->arena, struct queue_edit_address, c->option_count);
	for (unsigned i = 0; i < c->option_count; i++)
		if (strcmp(c->options[i].name, name) == 0)
			(*ret)[count++].text = str_of(c->options[i].value);
	return count;
}

int cmd_queue_edit(struct cli *c)
{
	const char               *sender = cli_option(c, "sender");
	struct queue_edit_request q = { .sender_given = sender != NULL };
	struct queue_edit_reply   sum = { 0 };
	int                       code;

	if (!queue_id_parse(str_of(c->args[0]), &q.id))
		return cli_error(c, CLI_USAGE, "%s is not a queue id", c->args[0]);
	q.remove_count = addresses(c, "remove", &q.remove);
	q.add_count = addresses(c, "add", &q.add);
	q.sender = str_of(sender && strcmp(sender, "<>") != 0 ? sender : "");
	if (q.remove_count + q.add_count == 0 && !sender)
		return cli_error(c, CLI_USAGE, "say what: --remove, --add, --sender");
	if (sender && !*sender)
		return cli_error(c, CLI_USAGE, "--sender '<>' is the empty one");
	code = ask(c, IPC_QUEUE_EDIT, &q, arena_cstr(c->arena, arena_printf(c->arena, "%s or a recipient of it", c->args[0])), &sum);
	return code == CLI_OK ? told(c, "changed", &sum, false) : code;
}
