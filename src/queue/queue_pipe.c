/* queue/queue_pipe.c - targets whose next hop is a program: "pipe:NAME", "pipe:NAME:NEXTHOP".
 *
 * A request holds what one run of the program takes; which pipes there are, and how much each takes, is among the live options. Without a next hop of its own the
 * recipient's domain is it, so recipients of one run have one domain. A pipe that is not configured is our own trouble: its mail waits.
 */
#include "base/limits.h"
#include "queue/queue_in.h"
#include "sys/fd.h"
#include "wire/address/endpoint.h"
#include "wire/text/queue_id.h"

bool queue_pipe_is(struct str relay)
{
	return str_starts(relay, STR("pipe:"));
}

bool queue_pipe_find(struct queue *q, struct str relay, struct queue_pipe *ret)
{
	const struct queue_live live = queue_live(q);
	struct str              name, nexthop;

	if (!endpoint_pipe(relay, &name, &nexthop))
		return false;
	for (size_t i = 0; i < live.pipe_count; i++)
		if (str_eq(live.pipes[i].name, name)) {
			*ret = live.pipes[i];
			return true;
		}
	return false;
}

/* ORCPT without its type, if that is mail's; RFC 3461 §4.2. */
static struct str original_of(const struct queue_rcpt_row *r)
{
	struct str type, address;

	if (r->orcpt.n > 0 && str_cut(r->orcpt, ';', &type, &address) && (str_ieq(type, STR("rfc822")) || str_ieq(type, STR("utf-8"))))
		return address;
	return r->address;
}

/* As the pipe would say it. */
static void unknown(struct queue_job *job)
{
	struct remote_rcpt_result   results[LIMIT_PIPE_RCPTS];
	struct remote_deliver_reply reply = { results, 0, REMOTE_SITE_NONE };

	for (struct queue_to *to = job->to; to && reply.result_count < LEN(results); to = to->next, reply.result_count++)
		results[reply.result_count] = (struct remote_rcpt_result){
			.index = (uint32_t)reply.result_count,
			.result = REMOTE_DEFERRED,
			.code = STR("4.3.5"), /* RFC 3463 §3.4: system incorrectly configured */
			.answer = STR("No pipe of this name is configured"),
		};
	queue_remote_answered(job, IPC_PIPE_DELIVER, ST_OK, &reply);
}

static void pipe_done(void *arg, enum status st, const void *reply)
{
	struct queue_job *job = arg;

	atomic_fetch_sub(&job->msg->q->in_pipes, 1);
	queue_remote_answered(job, IPC_PIPE_DELIVER, st, reply);
}

void queue_pipe_start(struct queue_job *job)
{
	struct queue_msg           *m = job->msg;
	struct pipe_rcpt            rcpts[LIMIT_PIPE_RCPTS];
	struct queue_id_text        id = queue_id_text(m->id);
	struct pipe_deliver_request request = { .id = str_of(id.p), .nexthop = STR(""), .from = job->sender, .rcpts = rcpts, .peer = m->peer, .size = m->size };
	struct queue_pipe           pipe;

	atomic_fetch_add(&m->q->in_flight, 1);
	if (!queue_pipe_find(m->q, job->relay, &pipe) || !endpoint_pipe(job->relay, &request.name, &request.nexthop)) {
		unknown(job);
		return;
	}
	request.nexthop = request.nexthop.n ? request.nexthop : job->domain;
	for (struct queue_to *to = job->to; to && request.rcpt_count < LEN(rcpts); to = to->next) {
		rcpts[request.rcpt_count] = (struct pipe_rcpt){ (uint32_t)request.rcpt_count, to->address, original_of(to->rcpt) };
		request.rcpt_count++;
	}
	atomic_fetch_add(&m->q->in_pipes, 1);
	if (atomic_load(&m->removed)) {
		pipe_done(job, ST_IO, NULL); /* while it stood in line */
	} else if (queue_job_content(job, &request.content, &request.file)) {
		queue_job_ask(job, ROLE_PIPE, IPC_ANY, IPC_PIPE_DELIVER, &request, pipe_done);
		fd_close(&request.file);
	} else {
		pipe_done(job, ST_IO, NULL);
	}
}
