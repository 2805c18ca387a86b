/* deliver/remote_rows.c - the remote role's messages. */
#include "base/log.h"
#include "base/metric.h"
#include "deliver/remote.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "wire/text/queue_id.h"

/* Count it, and one event per delivery: how many recipients ended how, and the first answer that is not a success. */
static void note_delivery(const struct remote_deliver_request *q, const struct remote_deliver_reply *reply,
			 const struct remote_deliver_note *note, int64_t began_ms)
{
	size_t                           counts[REMOTE_RESULT_LAST + 1] = { 0 };
	const struct remote_rcpt_result *told = NULL;

	for (size_t i = 0; i < reply->result_count; i++) {
		const struct remote_rcpt_result *r = &reply->results[i];

		counts[r->result]++;
		if (!told || (told->result == REMOTE_DELIVERED && r->result != REMOTE_DELIVERED))
			told = r;
	}
	metric_add(METRIC_REMOTE_DELIVERED, counts[REMOTE_DELIVERED]);
	metric_add(METRIC_REMOTE_DEFERRED, counts[REMOTE_DEFERRED]);
	metric_add(METRIC_REMOTE_REFUSED, counts[REMOTE_REFUSED]);
	if (!told)
		return;
	log_info("remote delivery", LOG_C("message", queue_id_text(q->message).p),
		 LOG_STR("domain", q->relay.n > 0 ? q->relay : q->domain),
		 LOG_U64("delivered", counts[REMOTE_DELIVERED]), LOG_U64("deferred", counts[REMOTE_DEFERRED]),
		 LOG_U64("refused", counts[REMOTE_REFUSED]), LOG_STR("host", told->host), LOG_STR("tls", told->tls),
		 LOG_STR("answer", told->answer), LOG_STR("tried", reply->tried),
		 LOG_U64("reused", note->nth > 1 ? note->nth : 0), LOG_U64("connects", note->connects), LOG_U64("folded", note->folded),
		 LOG_U64("ms", clock_mono_ms() - began_ms));
}

static bool asker_gone(void *request)
{
	return ipc_asker_gone(request);
}

void remote_deliver_handle(const struct remote *remote, struct ipc_request *r)
{
	const struct remote_deliver_request *q = r->body;
	int                                  file = q->file;
	const struct remote_asker            asker = { asker_gone, r };
	int64_t                              began_ms = clock_mono_ms();
	struct remote_deliver_reply          reply;
	struct remote_deliver_note           note;

	remote_deliver(remote, q, &asker, r->arena, &reply, &note);
	fd_close(&file);
	note_delivery(q, &reply, &note, began_ms);
	ipc_reply(r, ST_OK, &reply);
}

static enum status lookup(void *ctx, struct str name, enum dns_type type, struct arena *a, struct dns_lookup_reply *ret)
{
	const struct dns_lookup_request q = { .name = name, .type = type };

	return ipc_call(ctx, ROLE_DNS, IPC_ANY, IPC_DNS_LOOKUP, &q, a, ret);
}

struct remote_resolver remote_resolver_ipc(struct ipc *ipc)
{
	return (struct remote_resolver){ lookup, ipc };
}
