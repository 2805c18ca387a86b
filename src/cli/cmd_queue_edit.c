/* cli/cmd_queue_edit.c - queue redirect, edit, bounce, remove: wishes that a message in its round does not take.
 *
 * Such a message is busy: it is being given to somebody this moment. Rounds are short as a rule, so it alone is asked again for some seconds; then the
 * command says what was left as it is, and exits with CLI_TRY_LATER. What was done stays done.
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

#define LOOK_US     200000u /* the first pause, doubled */
#define LOOK_MAX_US 2000000u

static int not_an_address(const struct cli *c, struct str text)
{
	return cli_error(c, CLI_USAGE, "%.*s is not an address", STR_FMT(cli_text(c->arena, text)));
}

static bool is_address(struct str text)
{
	struct address_canon canon;

	return address_canon_of(text, false, &canon) == ADDRESS_OK;
}

/* One of the four: `which` for remove and bounce, else `edit`. */
struct asked {
	enum ipc_msg_id           id;
	struct queue_edit_request edit;
	struct queue_id_request   which;
};

static const void *request_of(const struct asked *a)
{
	return a->id == IPC_QUEUE_BOUNCE || a->id == IPC_QUEUE_REMOVE ? (const void *)&a->which : &a->edit;
}

static void sum_add(struct queue_edit_reply *sum, const struct queue_edit_reply *r)
{
	sum->count += r->count;
	sum->reports += r->reports;
	sum->recipients += r->recipients;
	sum->wrong = r->wrong;
}

/* Those that were busy once more, each by its id; those that still are stay in the list. What has left meanwhile is no error: there is nothing left to
 * be done. */
static enum status ask_busy(struct cli *c, struct asked *a, struct queue_edit_reply *first, struct queue_edit_reply *sum)
{
	size_t still = 0;

	for (size_t i = 0; i < first->busy_id_count; i++) {
		struct queue_edit_reply r = { 0 };
		enum status             st;

		a->edit.id = a->which.id = first->busy_ids[i].id;
		st = cli_ask_server(c, a->id, request_of(a), &r); /* without one nothing is busy */
		if (st != ST_OK && st != ST_NOT_FOUND)
			return st;
		sum_add(sum, &r);
		if (st == ST_OK && r.busy)
			first->busy_ids[still++] = first->busy_ids[i];
	}
	first->busy -= first->busy_id_count - still;
	first->busy_id_count = still;
	return ST_OK;
}

/* Until nothing is busy, or for LIMIT_QUEUE_BUSY_MS, less and less often. `subject` is the id, or "queue". */
static int ask(struct cli *c, struct asked *a, const char *subject, struct queue_edit_reply *sum)
{
	const int64_t           end = clock_mono_ms() + LIMIT_QUEUE_BUSY_MS;
	struct queue_edit_reply r = { 0 };
	int                     code = cli_ask(c, a->id, request_of(a), &r, subject);
	unsigned                pause = LOOK_US;

	if (code != CLI_OK)
		return code;
	sum_add(sum, &r);
	while (r.busy_id_count > 0 && clock_mono_ms() < end) {
		enum status st;

		usleep(pause);
		pause = MIN(2 * pause, LOOK_MAX_US);
		st = ask_busy(c, a, &r, sum);
		if (st != ST_OK)
			return cli_fail(c, st, subject);
	}
	sum->busy += r.busy;
	return CLI_OK;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* "3 recipients of 2 messages bounced, 2 reports" */
static void done_print(const char *verb, const struct queue_edit_reply *r, bool reports)
{
	printf("%llu recipient%s of %llu message%s %s", (unsigned long long)r->recipients, plural(r->recipients), (unsigned long long)r->count,
	       plural(r->count), verb);
	if (reports)
		printf(", %llu report%s", (unsigned long long)r->reports, plural(r->reports));
	printf("\n");
}

static int told(struct cli *c, const char *verb, const struct queue_edit_reply *r, bool reports)
{
	if (c->json) {
		json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:I}", "v", 1, "done", verb, "count", (json_int_t)r->count, "recipients",
				      (json_int_t)r->recipients, "busy", (json_int_t)r->busy);
		int     code;

		if (reports)
			json_object_set_new(o, "reports", json_integer((json_int_t)r->reports));
		code = cli_print_json(o);
		return code == CLI_OK && r->busy ? CLI_TRY_LATER : code;
	}
	done_print(verb, r, reports);
	if (!r->busy)
		return CLI_OK;
	fflush(stdout);
	return cli_error(c, CLI_TRY_LATER, "%llu being tried this moment, left as %s: try again, or 'postrider queue hold' first", (unsigned long long)r->busy,
			 r->busy == 1 ? "it is" : "they are");
}

/* Of the ids given, of what matches, or of all. If only some of the ids were there, that is told already. */
static int on_selected(struct cli *c, unsigned ids, struct asked *a, const char *verb, bool reports)
{
	struct queue_edit_reply sum = { 0 };
	struct queue_select     sel;
	const char             *subject;
	int                     worst = queue_select(c, ids, &sel);
	bool                    go_on = worst == CLI_OK;

	a->edit.to = a->which.to = sel.to;
	a->edit.from = a->which.from = sel.from;
	for (unsigned i = 0; go_on && i < sel.count; i++) {
		a->edit.id = a->which.id = queue_select_id(c, &sel, i, &subject);
		go_on = queue_select_goes_on(ask(c, a, subject, &sum), &worst);
	}
	if (worst == CLI_OK)
		return told(c, verb, &sum, reports);
	if (!c->json && sum.count > 0)
		done_print(verb, &sum, reports);
	return worst;
}

int cmd_queue_redirect(struct cli *c)
{
	const unsigned            ids = c->arg_count - 1; /* the last one is the address */
	struct queue_edit_address add = { str_of(c->args[ids]) };
	struct asked              a = { .id = IPC_QUEUE_REDIRECT, .edit = { .add = &add, .add_count = 1 } };

	return is_address(add.text) ? on_selected(c, ids, &a, "redirected", false) : not_an_address(c, add.text);
}

int cmd_queue_bounce(struct cli *c)
{
	return on_selected(c, c->arg_count, &(struct asked){ .id = IPC_QUEUE_BOUNCE }, "bounced", true);
}

int cmd_queue_remove(struct cli *c)
{
	return on_selected(c, c->arg_count, &(struct asked){ .id = IPC_QUEUE_REMOVE }, "removed", false);
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

static int wrong(const struct cli *c, enum queue_edit_wrong what)
{
	static const char *const texts[] = {
		[QUEUE_EDIT_NOBODY] = "nobody would be left to send it to: add a recipient too, or 'postrider queue remove' or 'queue bounce' the message",
		[QUEUE_EDIT_ADD_TWICE] = "the same recipient is to be added twice: say it once",
		[QUEUE_EDIT_REMOVE_TWICE] = "the same recipient is to be removed twice: say it once",
		[QUEUE_EDIT_OWED] = "its sender is still owed a report of a delivery: give it another address, or wait until the report is made",
	};
	_Static_assert(LEN(texts) == QUEUE_EDIT_WRONG_LAST + 1, "a sentence for each");

	return cli_error(c, CLI_USAGE, "%s: %s", c->args[0], texts[what]);
}

int cmd_queue_edit(struct cli *c)
{
	const char               *sender = cli_option(c, "sender");
	struct asked              a = { .id = IPC_QUEUE_EDIT, .edit = { .sender_given = sender != NULL } };
	struct queue_edit_request *q = &a.edit;
	struct queue_edit_reply   sum = { 0 };
	int                       code;

	if (!queue_id_parse(str_of(c->args[0]), &q->id))
		return cli_error(c, CLI_USAGE, "%s is not a queue id", c->args[0]);
	q->remove_count = addresses(c, "remove", &q->remove);
	q->add_count = addresses(c, "add", &q->add);
	q->sender = str_of(sender && strcmp(sender, "<>") != 0 ? sender : "");
	for (size_t i = 0; i < q->add_count; i++)
		if (!is_address(q->add[i].text))
			return not_an_address(c, q->add[i].text);
	for (size_t i = 0; i < q->remove_count; i++)
		if (!is_address(q->remove[i].text))
			return not_an_address(c, q->remove[i].text);
	if (q->remove_count + q->add_count == 0 && !sender)
		return cli_error(c, CLI_USAGE, "say what: --remove, --add, --sender");
	if (sender && !*sender)
		return cli_error(c, CLI_USAGE, "--sender '<>' is the empty one");
	if (q->sender.n > 0 && !is_address(q->sender))
		return not_an_address(c, q->sender);
	code = ask(c, &a, arena_cstr(c->arena, arena_printf(c->arena, "%s or a recipient of it", c->args[0])), &sum);
	if (code == CLI_OK && sum.wrong != QUEUE_EDIT_FINE)
		return wrong(c, sum.wrong);
	return code == CLI_OK ? told(c, "changed", &sum, false) : code;
}
