/* deliver/deliver_answer.c - what queue is told of a delivery. */
#include "base/metric.h"
#include "deliver/deliver_local_in.h"
#include "sys/fd.h"

void deliver_answer(struct ipc_request *r, enum local_result result, struct str code, struct str reason)
{
	deliver_answer_usage(r, result, code, reason, (struct local_usage_reply){ 0 });
}

void deliver_answer_usage(struct ipc_request *r, enum local_result result, struct str code, struct str reason,
			  struct local_usage_reply usage)
{
	const struct local_deliver_request *q = r->body;
	struct local_deliver_reply          reply = { result, code, reason, usage.octets, usage.messages };
	int                                 file = q->file;

	metric_add(result == LOCAL_DEFERRED ? METRIC_LOCAL_DEFERRED : result == LOCAL_REFUSED ? METRIC_LOCAL_REFUSED : METRIC_LOCAL_DELIVERED, 1);
	fd_close(&file);
	ipc_reply(r, ST_OK, &reply);
}

void deliver_answer_failure(struct ipc_request *r, enum status st)
{
	switch (st) {
	case ST_FULL:
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.1"), STR("No space left for mail"));
		break;
	case ST_LIMIT:
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Mailbox has reached a limit"));
		break;
	case ST_TEMP:
	case ST_BUSY:
		deliver_answer(r, LOCAL_DEFERRED, STR("4.2.0"), STR("Mailbox busy"));
		break;
	case ST_SUSPECT:
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Mailbox set aside after a failed write"));
		break;
	case ST_CORRUPT:
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Mailbox is damaged"));
		break;
	case ST_INVALID:
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Content changed on its way to the mailbox"));
		break;
	default:
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Mailbox cannot be written"));
	}
}

void deliver_answer_unsure(struct ipc_request *r)
{
	const struct local_deliver_request *q = r->body;
	int                                 file = q->file;

	fd_close(&file);
	ipc_reply(r, ST_BUSY, NULL);
}
