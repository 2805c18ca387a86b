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
#include "sys/clock.h"
#include "wire/address/address.h"
#include "wire/text/queue_id.h"

#define BUSY_MS 10000
#define LOOK_US 200000

static int not_an_address(const struct cli *c, struct str text)
{
	return cli_error(c, CLI_USAGE, "%.*s is not an address", STR_FMT(cli_text(c->arena, text)));
}

static bool is_address(struct str text)
{
	struct address_canon canon;

	return address_canon_of(text, false, &canon) == ADDRESS_OK;
}

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

/* Some of the ids were there. The error is told already. */
static int partly(const struct cli *c, const char *verb, const struct queue_edit_reply *r, int code)
{
	if (!c->json && r->count > 0)
		printf("%llu message%s %s\n", (unsigned long long)r->count, r->count == 1 ? "" : "s", verb);
	return code;
}

int cmd_queue_redirect(struct cli *c)
{
	const unsigned            ids = c->arg_count - 1; /* the last one is the address */
	struct queue_edit_address add = { str_of(c->args[ids]) };
	struct queue_edit_reply   sum = { 0 };
	struct queue_select       sel;
	const char               *subject;
	int                       worst;
	bool                      go_on;

	if (!is_address(add.text))
		return not_an_address(c, add.text);
	worst = queue_select(c, ids, &sel);
	go_on = worst == CLI_OK;
	for (unsigned i = 0; go_on && i < sel.count; i++) {
		struct queue_edit_request q = { .id = queue_select_id(c, &sel, i, &subject), .to = sel.to, .from = sel.from, .add = &add, .add_count = 1 };

		go_on = queue_select_goes_on(ask(c, IPC_QUEUE_REDIRECT, &q, subject, &sum), &worst);
	}
	return worst == CLI_OK ? told(c, "redirected", &sum, false) : partly(c, "redirected", &sum, worst);
}

int cmd_queue_bounce(struct cli *c)
{
	struct queue_edit_reply sum = { 0 };
	struct queue_select     sel;
	const char             *subject;
	int                     worst = queue_select(c, c->arg_count, &sel);
	bool                    go_on = worst == CLI_OK;

	for (unsigned i = 0; go_on && i < sel.count; i++) {
		struct queue_id_request q = { queue_select_id(c, &sel, i, &subject), sel.to, sel.from };

		go_on = queue_select_goes_on(ask(c, IPC_QUEUE_BOUNCE, &q, subject, &sum), &worst);
	}
	return worst == CLI_OK ? told(c, "bounced", &sum, true) : partly(c, "bounced", &sum, worst);
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
	for (size_t i = 0; i < q.add_count; i++)
		if (!is_address(q.add[i].text))
			return not_an_address(c, q.add[i].text);
	for (size_t i = 0; i < q.remove_count; i++)
		if (!is_address(q.remove[i].text))
			return not_an_address(c, q.remove[i].text);
	if (q.remove_count + q.add_count == 0 && !sender)
		return cli_error(c, CLI_USAGE, "say what: --remove, --add, --sender");
	if (sender && !*sender)
		return cli_error(c, CLI_USAGE, "--sender '<>' is the empty one");
	if (q.sender.n > 0 && !is_address(q.sender))
		return not_an_address(c, q.sender);
	code = ask(c, IPC_QUEUE_EDIT, &q, arena_cstr(c->arena, arena_printf(c->arena, "%s or a recipient of it", c->args[0])), &sum);
	return code == CLI_OK ? told(c, "changed", &sum, false) : code;
}
