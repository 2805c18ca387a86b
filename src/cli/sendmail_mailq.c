/* cli/sendmail_mailq.c - mailq(1): the queue as Postfix shows it, for people and for the scripts that read it.
 *
 *   -Queue ID-     --Size-- ----Arrival Time---- -Sender/Recipient-------
 *   01J8Z3K5V7Q2M*      312 Sat Nov 21 08:00:00  ann@example.org
 *                                                bob@example.net
 *
 * "*" is in delivery, "!" is held. Times are local.
 */
#include <time.h>

#include "cli/sendmail.h"
#include "wire/text/queue_id.h"

static void entry_print(struct sendmail *m, const struct queue_show_reply *r)
{
	const struct queue_entry *e = &r->entry;
	time_t                    when = (time_t)(e->received_ms / 1000);
	struct tm                 tm;
	char                      text[40] = "";

	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%a %b %d %H:%M:%S", &tm);
	printf("%s%c %8llu %s  %.*s\n", queue_id_text(e->id).p, e->state == QUEUE_ACTIVE ? '*' : e->state == QUEUE_HELD ? '!' : ' ',
	       (unsigned long long)e->size, text, STR_FMT(e->from.n ? cli_text(m->arena, e->from) : STR("MAILER-DAEMON")));
	if (e->state != QUEUE_ACTIVE && e->reason.n > 0)
		printf("    (%.*s)\n", STR_FMT(cli_text(m->arena, e->reason)));
	for (size_t i = 0; i < r->rcpt_count; i++)
		if (r->rcpts[i].state == QUEUE_RCPT_PENDING)
			printf("%45s%.*s\n", "", STR_FMT(cli_text(m->arena, r->rcpts[i].address)));
	printf("\n");
}

int sendmail_mailq(struct sendmail *m)
{
	struct queue_list_request q = { .after = 0 };
	uint64_t                  count = 0, octets = 0;
	bool                      more = true;

	while (more) {
		struct queue_list_reply page = { 0 };
		int                     code = cli_ask(m->cli, IPC_QUEUE_LIST, &q, &page, "queue");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.entry_count; i++) {
			struct queue_id_request one = { .id = page.entries[i].id };
			struct queue_show_reply r = { 0 };
			enum status             st;

			q.after = one.id;
			st = cli_ask_server(m->cli, IPC_QUEUE_SHOW, &one, &r);
			if (st == ST_CLOSED)
				code = cli_ask(m->cli, IPC_QUEUE_SHOW, &one, &r, queue_id_text(one.id).p);
			if (st == ST_NOT_FOUND)
				continue; /* it has left meanwhile */
			if (code != CLI_OK || (st != ST_OK && st != ST_CLOSED))
				return code != CLI_OK ? code : cli_fail(m->cli, st, queue_id_text(one.id).p);
			if (count++ == 0)
				printf("-Queue ID-     --Size-- ----Arrival Time---- -Sender/Recipient-------\n");
			octets += r.entry.size;
			entry_print(m, &r);
		}
		more = page.more && page.entry_count > 0;
	}
	if (count == 0)
		printf("Mail queue is empty\n");
	else
		printf("-- %llu Kbytes in %llu Request%s.\n", (unsigned long long)((octets + 1023) / 1024), (unsigned long long)count, count == 1 ? "" : "s");
	return CLI_OK;
}
