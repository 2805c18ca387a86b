/* queue/queue_remote.c - asking remote to deliver: targets in groups that go out together, each by way of its destination (queue_site.c).
 *
 * A destination's deliveries go to one process of remote, which keeps its connections.
 */
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/fd.h"

/* ---- answers ---- */

static enum queue_outcome remote_outcome(enum remote_result result)
{
	switch (result) {
	case REMOTE_DELIVERED: return QUEUE_OUT_DONE;
	case REMOTE_DEFERRED:  return QUEUE_OUT_DEFERRED;
	case REMOTE_REFUSED:   return QUEUE_OUT_FAILED;
	}
	return QUEUE_OUT_DEFERRED;
}

static void remote_answer(struct queue_job *job, const struct remote_deliver_reply *reply)
{
	const struct str tried = queue_answer(job->msg, reply->tried, LIMIT_REMOTE_TRIED);
	uint32_t         index = 0;

	for (struct queue_to *to = job->to; to; to = to->next, index++) {
		to->outcome = QUEUE_OUT_DEFERRED; /* unless it is in the answer */
		to->code = STR("4.3.0");
		to->answer = STR("The attempt gave no result");
		to->tried = tried;
		to->last_ms = job->msg->q->o.wall_ms();
		for (size_t i = 0; i < reply->result_count; i++) {
			const struct remote_rcpt_result *r = &reply->results[i];

			if (r->index != index)
				continue;
			to->outcome = remote_outcome(r->result);
			to->code = queue_answer(job->msg, r->code, QUEUE_CODE_MAX);
			to->answer = queue_answer(job->msg, r->answer, QUEUE_REASON_MAX);
			to->host = queue_answer(job->msg, r->host, QUEUE_REASON_MAX);
			to->tls = queue_answer(job->msg, r->tls, QUEUE_REASON_MAX);
			to->passed = r->passed;
		}
	}
}

/* Not tried: nobody was asked, so no attempt is counted. */
static void remote_refuse(struct queue_job *job, const struct queue_why *why)
{
	struct queue_msg *m = job->msg;

	for (struct queue_to *to = job->to; to; to = to->next) {
		to->outcome = QUEUE_OUT_NONE;
		to->code = why->code;
		to->answer = queue_answer(m, str_n(why->text, why->n), QUEUE_REASON_MAX);
		to->host = to->tried = STR("");
		to->again = why->again;
	}
	queue_round_step(m);
}

static void remote_end(struct queue_job *job, bool answered, enum remote_site said)
{
	struct queue *q = job->msg->q;

	if (!queue_site_end(job, said)) { /* else it is in its line again, or under way already */
		if (job->lone)
			queue_flight_end(job);
		/* A slow destination must not make the others' results wait: written as they come, unless these are all. */
		if (answered && job->to_count < job->msg->to_count)
			queue_result_partial(job);
		else
			queue_round_step(job->msg);
	}
	atomic_fetch_sub(&q->in_flight, 1); /* the writer has the result: whoever stops the queue waits for this */
}

void queue_remote_answered(struct queue_job *job, enum ipc_msg_id id, enum status st, const struct remote_deliver_reply *reply)
{
	if (st == ST_OK)
		remote_answer(job, reply);
	else
		queue_job_no_answer(job, id, st);
	remote_end(job, st == ST_OK, st == ST_OK ? reply->site : REMOTE_SITE_NONE);
}

static void remote_done(void *arg, enum status st, const void *reply)
{
	queue_remote_answered(arg, IPC_REMOTE_DELIVER, st, reply);
}

static void remote_start(struct queue_job *job)
{
	struct queue_msg             *m = job->msg;
	struct remote_rcpt            rcpts[QUEUE_JOB_RCPTS];
	struct remote_deliver_request request = {
		.message = m->id,
		.domain = job->domain,
		.relay = job->relay,
		.hop = job->hop,
		.from = job->sender,
		.rcpts = rcpts,
		.flags = m->flags,
		.size = m->size,
		.prefix = m->prefix,
		.envid = m->envid,
		.priority = m->priority,
		.by = m->deliver_by > 0,
		.by_s = m->deliver_by > 0 ? (m->deliver_by - queue_now(m->q)) / 1000 : 0,
	};

	for (struct queue_to *to = job->to; to; to = to->next) {
		rcpts[request.rcpt_count] = (struct remote_rcpt){ (uint32_t)request.rcpt_count, to->address, queue_notify_target(to->rcpt), to->rcpt->orcpt };
		request.rcpt_count++;
	}
	atomic_fetch_add(&m->q->in_flight, 1);
	if (atomic_load(&m->removed))
		remote_end(job, false, REMOTE_SITE_NONE); /* while it stood in line */
	else if (queue_job_content(job, &request.content, &request.file)) {
		queue_job_ask(job, ROLE_REMOTE, job->key, IPC_REMOTE_DELIVER, &request, remote_done);
		fd_close(&request.file);
	} else {
		remote_done(job, ST_IO, NULL);
	}
}

/* ---- a whole message ---- */

static struct str domain_of(struct queue_msg *m, struct str address)
{
	struct str local, domain;
	char      *p;

	if (!str_rcut(address, '@', &local, &domain))
		return STR_NONE;
	p = arena_alloc(m->arena, domain.n);
	for (size_t i = 0; i < domain.n; i++)
		p[i] = ascii_lower(domain.p[i]);
	return str_n(p, domain.n);
}

/* What must be the same of targets that go out together: next hop, how it is spoken to, reverse-path. */
static struct str group_name(struct arena *a, struct str hop, const struct queue_to *to)
{
	const struct hop *h = &to->hop;

	return arena_printf(a, "%.*s %.*s %u %.*s %.*s %.*s %llu", STR_FMT(hop), STR_FMT(to->sender), (unsigned)h->tls, STR_FMT(h->source4),
			    STR_FMT(h->source6), STR_FMT(h->helo), (unsigned long long)h->login);
}

/* Put a foreign target into the open group of its like: one transaction has one next hop and one reverse-path. `groups` has the jobs by
 * name; full ones were taken out. The setting `relay` is for what has no next hop of its own. All in the order in which the recipients were
 * given: of a host that takes only so many, the first ones must win. *last is where the next job goes. */
static void group_add(struct map *groups, struct queue_job ***last, struct str relay, struct queue_msg *m, struct queue_to *to)
{
	struct str        domain = domain_of(m, to->address), hop, group;
	struct queue_pipe pipe = { .recipients = 1 };
	struct queue_job *job;
	bool              program;

	relay = to->relay.n ? to->relay : relay;
	program = queue_pipe_is(relay);
	hop = program ? arena_printf(m->arena, "%.*s %.*s", STR_FMT(relay), STR_FMT(domain)) : relay.n ? relay : domain;
	group = group_name(m->arena, hop, to);
	job = map_find(groups, group);

	if (!job) {
		job = queue_job_new(m, program ? queue_pipe_start : remote_start);
		job->refuse = remote_refuse;
		job->lone = m->crashes > 0;
		job->domain = domain;
		job->relay = relay;
		job->hop = to->hop;
		job->sender = to->sender.n ? to->sender : m->from;
		job->to_last = &job->to;
		**last = job;
		*last = &job->next;
		map_put(groups, group, job);
	}
	*job->to_last = to;
	job->to_last = &to->next;
	if (program && queue_pipe_find(m->q, relay, &pipe))
		job->hop.connections = pipe.runs;
	if (++job->to_count == (program ? MIN(pipe.recipients, LIMIT_PIPE_RCPTS) : QUEUE_JOB_RCPTS))
		map_remove(groups, group);
}

static struct queue_job *jobs_make(struct queue_msg *m)
{
	struct queue_job *jobs = NULL, **last = &jobs;
	struct str        relay = m->filter.n ? m->filter : queue_live(m->q).relay;
	struct map        groups;

	map_init(&groups);
	for (size_t i = 0; i < m->to_count; i++)
		if (m->to[i]->account == 0)
			group_add(&groups, &last, relay, m, m->to[i]);
	map_done(&groups);
	return jobs;
}

bool queue_remote_worth(struct queue_msg *m)
{
	bool worth = false;

	m->jobs = jobs_make(m);
	for (struct queue_job *job = m->jobs; job; job = job->next) {
		struct queue_why why;
		bool             would = queue_site_would(job, &why);

		if (!would)
			job->why_not = memcpy(ARENA_NEW(m->arena, struct queue_why), &why, sizeof(why));
		worth = worth || would;
	}
	return worth;
}

void queue_remote_all(struct queue_msg *m)
{
	struct queue_job *jobs = m->jobs ? m->jobs : jobs_make(m), *next;

	for (; jobs; jobs = next) {
		struct queue_why why;

		next = jobs->next;
		atomic_fetch_add(&m->open, 1);
		if (jobs->why_not)
			remote_refuse(jobs, jobs->why_not);
		else if (!queue_site_add(jobs, &why))
			remote_refuse(jobs, &why);
		else if (jobs->lone)
			queue_flight_add(&m->q->f_lone_remote, jobs);
	}
}
