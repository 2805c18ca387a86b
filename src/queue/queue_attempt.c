/* queue/queue_attempt.c - asking auth where a recipient is, and local and remote to deliver.
 *
 * A message that was under way when a process died (m->crashes) is attempted alone among its like: only one such at a time for each
 * role. So the next death names its culprit, and mail that only happened to be there is not held with it.
 */
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_id.h"
#include "queue/queue_in.h"
#include "sys/fd.h"

/* The job that this thread is just handing to the channel: its answer coming from inside that call means that it was never
 * sent. After the call the job may be gone already, so the question cannot be asked of the job itself. */
static _Thread_local const struct queue_job *starting;

static struct queue_job *job_new(struct queue_msg *m, void (*start)(struct queue_job *))
{
	struct queue_job *job;

	pthread_mutex_lock(&m->lock);
	job = ARENA_NEW(m->arena, struct queue_job);
	pthread_mutex_unlock(&m->lock);
	job->msg = m;
	job->start = start;
	return job;
}

static void job_start(struct queue_job *job, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done)
{
	const struct queue_job *outer = starting;

	starting = job;
	job->asked_ms = job->msg->q->o.mono_ms();
	ipc_start(job->msg->q->ipc, role, key, id, request, done, job);
	starting = outer;
}

static void job_end(struct queue_job *job)
{
	struct queue_msg *m = job->msg;

	queue_flight_end(job);
	queue_round_step(m);
}

/* ---- auth ---- */

static struct hop hop_dup(struct arena *a, const struct hop *hop)
{
	struct hop copy = *hop;

	copy.source4 = arena_dup(a, hop->source4);
	copy.source6 = arena_dup(a, hop->source6);
	copy.helo = arena_dup(a, hop->helo);
	return copy;
}

static void resolve_answer(struct queue_msg *m, struct queue_rcpt_row *r, const struct auth_resolve_reply *reply)
{
	if (reply->target_count == 0) {
		r->outcome = QUEUE_OUT_FAILED;
		r->code = STR("5.1.1");
		r->answer = STR("No such user here");
		return;
	}
	pthread_mutex_lock(&m->lock);
	r->found = ARENA_ARRAY(m->arena, struct auth_target, reply->target_count);
	for (size_t i = 0; i < reply->target_count; i++) {
		r->found[i] = reply->targets[i];
		r->found[i].address = arena_dup(m->arena, reply->targets[i].address);
		r->found[i].relay = arena_dup(m->arena, reply->targets[i].relay);
		r->found[i].hop = hop_dup(m->arena, &reply->targets[i].hop);
		r->found[i].from = arena_dup(m->arena, reply->targets[i].from);
	}
	pthread_mutex_unlock(&m->lock);
	r->found_count = reply->target_count;
}

static void resolve_done(void *arg, enum status st, const void *reply)
{
	struct queue_job      *job = arg;
	struct queue_rcpt_row *r = job->rcpt;

	switch (st) {
	case ST_OK:
		resolve_answer(job->msg, r, reply);
		break;
	case ST_NOT_FOUND:
		r->outcome = QUEUE_OUT_FAILED;
		r->code = STR("5.1.1");
		r->answer = STR("No such user here");
		break;
	case ST_LIMIT:
		r->outcome = QUEUE_OUT_FAILED;
		r->code = STR("5.4.6");
		r->answer = STR("Aliases of this address lead in a circle, or to too many");
		break;
	default:
		r->code = STR("4.3.0");
		r->answer = STR("The directory does not answer");
	}
	job_end(job);
}

static void resolve_start(struct queue_job *job)
{
	struct auth_resolve_request request = { .address = job->rcpt->address, .from = job->msg->from };

	job_start(job, ROLE_AUTH, IPC_ANY, IPC_AUTH_RESOLVE, &request, resolve_done);
}

void queue_attempt_resolve(struct queue_msg *m, struct queue_rcpt_row *r)
{
	struct queue_job *job = job_new(m, resolve_start);

	job->rcpt = r;
	CHECK(queue_flight_add(&m->q->f_auth, job));
}

/* The quota of an account that is a target by itself: it may have changed since the list was resolved. */
static void quota_done(void *arg, enum status st, const void *reply)
{
	struct queue_job      *job = arg;
	struct queue_rcpt_row *r = job->rcpt;

	/* An account that is gone meanwhile has none: what was accepted is delivered. */
	r->way_open = st != ST_OK && st != ST_NOT_FOUND;
	if (st == ST_OK)
		r->quota_octets = ((const struct auth_quota_reply *)reply)->quota_octets;
	if (r->way_open) {
		r->code = STR("4.3.0");
		r->answer = STR("The directory does not answer");
	}
	job_end(job);
}

static void quota_start(struct queue_job *job)
{
	struct auth_quota_request request = { .account = job->rcpt->account };

	job_start(job, ROLE_AUTH, IPC_ANY, IPC_AUTH_QUOTA, &request, quota_done);
}

void queue_attempt_quota(struct queue_msg *m, struct queue_rcpt_row *r)
{
	struct queue_job *job = job_new(m, quota_start);

	job->rcpt = r;
	r->way_open = true;
	CHECK(queue_flight_add(&m->q->f_auth, job));
}

/* The way to a foreign address that is a target by itself: routes may have changed since the list was resolved. */
static void hop_done(void *arg, enum status st, const void *reply)
{
	struct queue_job            *job = arg;
	struct queue_rcpt_row       *r = job->rcpt;
	const struct auth_hop_reply *found = reply;

	/* An address that is ours by now goes the way it had. */
	r->way_open = st != ST_OK && st != ST_NOT_FOUND;
	if (st == ST_OK) {
		pthread_mutex_lock(&job->msg->lock);
		r->relay = arena_dup(job->msg->arena, found->relay);
		r->hop = hop_dup(job->msg->arena, &found->hop);
		pthread_mutex_unlock(&job->msg->lock);
	}
	if (r->way_open) {
		r->code = STR("4.3.0");
		r->answer = STR("The directory does not answer");
	}
	job_end(job);
}

static void hop_start(struct queue_job *job)
{
	struct auth_hop_request request = { .address = job->rcpt->target, .from = job->msg->from };

	job_start(job, ROLE_AUTH, IPC_ANY, IPC_AUTH_HOP, &request, hop_done);
}

void queue_attempt_hop(struct queue_msg *m, struct queue_rcpt_row *r)
{
	struct queue_job *job = job_new(m, hop_start);

	job->rcpt = r;
	r->way_open = true;
	CHECK(queue_flight_add(&m->q->f_auth, job));
}

/* ---- outcomes that local and remote share ---- */

/* No answer. Sent or not makes the difference between unknown and certainly nothing. One that only took too long is unknown too, but
 * no fault of the message: a disk may stand still for longer. It is tried again under its id, and not held for that. */
static void no_answer(struct queue_job *job, enum ipc_msg_id id, enum status st, bool sent)
{
	struct queue_msg *m = job->msg;
	bool              late = sent && m->q->o.mono_ms() - job->asked_ms >= ipc_msgs[id].deadline_ms;
	bool              lost = sent && st == ST_TEMP && !late;

	if (lost)
		atomic_store(&m->lost, true);
	if (late)
		log_error("a delivery was not answered in time", LOG_C("message", queue_id_text(m->id).p), LOG_C("asked", ipc_msgs[id].name));
	for (struct queue_to *to = job->to; to; to = to->next) {
		to->outcome = lost ? QUEUE_OUT_LOST : late && id == IPC_REMOTE_DELIVER ? QUEUE_OUT_DEFERRED : QUEUE_OUT_NONE;
		to->code = STR("4.3.0");
		to->answer = lost ? STR("The attempt was lost with its process") :
			     late ? STR("The attempt was not answered in time") :
				    STR("No process could be asked");
	}
}

/* The content as it goes with a request. Large: a descriptor of the finished file, to be closed by the caller. */
static bool content_give(struct queue_job *job, struct str *content, int *file)
{
	struct queue_msg *m = job->msg;
	enum status       st;

	*file = -1;
	if (m->file == 0) {
		*content = str_n(m->content, m->size);
		return true;
	}
	st = queue_file_open(m->q, m->file, file);
	if (st == ST_OK)
		return true;
	log_error("content of a message cannot be opened", LOG_C("message", queue_id_text(m->id).p), LOG_ST("status", st));
	return false;
}

/* ---- local ---- */

static enum queue_outcome local_outcome(enum local_result result)
{
	switch (result) {
	case LOCAL_DELIVERED:
	case LOCAL_DISCARDED: return QUEUE_OUT_DONE;
	case LOCAL_DEFERRED:  return QUEUE_OUT_DEFERRED;
	case LOCAL_REFUSED:   return QUEUE_OUT_FAILED;
	}
	return QUEUE_OUT_DEFERRED;
}

static void note_done(void *arg, enum status st, const void *reply)
{
	(void)arg, (void)st, (void)reply; /* a hint: the next delivery finds out again */
}

/* Let auth know whose mailbox is full, so that RCPT is refused while it is; and whose is no longer, when that is news. */
static void full_note(struct queue_msg *m, const struct queue_to *to, const struct local_deliver_reply *reply)
{
	struct auth_full_request note = { .account = to->account };

	if (to->quota_octets == 0)
		return;
	note.full = reply->usage_octets >= to->quota_octets || str_eq(reply->code, STR("4.2.2"));
	if (note.full || m->attempts > 0)
		ipc_start(m->q->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_FULL, &note, note_done, NULL);
}

static void local_done(void *arg, enum status st, const void *answer)
{
	struct queue_job                 *job = arg;
	struct queue_to                  *to = job->to;
	const struct local_deliver_reply *reply = answer;

	atomic_fetch_sub(&job->msg->q->in_flight, 1);
	if (st == ST_OK) {
		to->outcome = local_outcome(reply->result);
		to->code = queue_answer(job->msg, reply->code, QUEUE_CODE_MAX);
		to->answer = queue_answer(job->msg, reply->reason, QUEUE_REASON_MAX);
		full_note(job->msg, to, reply);
	} else {
		no_answer(job, IPC_LOCAL_DELIVER, st, starting != job);
	}
	job_end(job);
}

static void local_start(struct queue_job *job)
{
	struct queue_msg            *m = job->msg;
	struct queue_to             *to = job->to;
	struct local_deliver_request request = {
		.delivery = m->base,
		.floor = atomic_load(&m->q->floor),
		.account = to->account,
		.address = to->address,
		.from = m->from,
		.rcpt = to->rcpt->address,
		.received_ms = m->received_ms,
		.size = m->size,
		.hash = str_n(m->hash, sizeof(m->hash)),
		.alone = m->crashes > 0,
		.quota_octets = to->quota_octets,
	};

	atomic_fetch_add(&m->q->in_flight, 1);
	if (content_give(job, &request.content, &request.file)) {
		job_start(job, ROLE_LOCAL, to->account, IPC_LOCAL_DELIVER, &request, local_done);
		fd_close(&request.file);
	} else {
		local_done(job, ST_IO, NULL);
	}
}

/* ---- remote ---- */

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
	uint32_t index = 0;

	for (struct queue_to *to = job->to; to; to = to->next, index++) {
		to->outcome = QUEUE_OUT_DEFERRED; /* unless it is in the answer */
		to->code = STR("4.3.0");
		to->answer = STR("The attempt gave no result");
		for (size_t i = 0; i < reply->result_count; i++) {
			const struct remote_rcpt_result *r = &reply->results[i];

			if (r->index != index)
				continue;
			to->outcome = remote_outcome(r->result);
			to->code = queue_answer(job->msg, r->code, QUEUE_CODE_MAX);
			to->answer = queue_answer(job->msg, r->answer, QUEUE_REASON_MAX);
			to->host = queue_answer(job->msg, r->host, QUEUE_REASON_MAX);
			to->passed = r->passed;
		}
	}
}

static void remote_done(void *arg, enum status st, const void *reply)
{
	struct queue_job *job = arg;
	struct queue     *q = job->msg->q;

	if (st == ST_OK)
		remote_answer(job, reply);
	else
		no_answer(job, IPC_REMOTE_DELIVER, st, starting != job);
	queue_flight_end(job);
	/* A slow destination must not make the others' results wait: written as they come, unless these are all. */
	if (st == ST_OK && job->to_count < job->msg->to_count)
		queue_result_partial(job);
	else
		queue_round_step(job->msg);
	atomic_fetch_sub(&q->in_flight, 1); /* the writer has the result: whoever stops the queue waits for this */
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
	if (content_give(job, &request.content, &request.file)) {
		job_start(job, ROLE_REMOTE, IPC_ANY, IPC_REMOTE_DELIVER, &request, remote_done);
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
 * name; full ones were taken out. The setting `relay` is for what has no next hop of its own. */
static void group_add(struct map *groups, struct queue_job **jobs, struct str relay, struct queue_msg *m,
		      struct queue_to *to)
{
	struct str        domain = domain_of(m, to->address), hop, group;
	struct queue_job *job;

	relay = to->relay.n ? to->relay : relay;
	hop = relay.n ? relay : domain;
	group = group_name(m->arena, hop, to);
	job = map_find(groups, group);

	if (!job) {
		job = job_new(m, remote_start);
		job->domain = domain;
		job->relay = relay;
		job->hop = to->hop;
		job->sender = to->sender.n ? to->sender : m->from;
		job->key = str_hash(hop);
		job->next = *jobs;
		*jobs = job;
		map_put(groups, group, job);
	}
	to->next = job->to;
	job->to = to;
	if (++job->to_count == QUEUE_JOB_RCPTS)
		map_remove(groups, group);
}

static struct queue_job *jobs_make(struct queue_msg *m)
{
	struct queue_job *jobs = NULL;
	struct str        relay = m->filter.n ? m->filter : queue_live(m->q).relay;
	struct map        groups;

	map_init(&groups);
	for (size_t i = 0; i < m->to_count; i++) {
		struct queue_to *to = m->to[i];

		if (to->account == 0) {
			group_add(&groups, &jobs, relay, m, to);
			continue;
		}
		struct queue_job *job = job_new(m, local_start);
		job->to = to;
		job->to_count = 1;
		job->next = jobs;
		jobs = job;
	}
	map_done(&groups);
	return jobs;
}

static void not_now(struct queue_job *job)
{
	for (struct queue_to *to = job->to; to; to = to->next) {
		to->code = STR("4.4.5"); /* RFC 3463 §3.5: congestion */
		to->answer = STR("Much other mail waits for this destination");
	}
}

void queue_attempt_all(struct queue_msg *m)
{
	struct queue        *q = m->q;
	struct queue_flight *local = m->crashes ? &q->f_lone_local : &q->f_local;
	struct queue_flight *remote = m->crashes ? &q->f_lone_remote : &q->f_remote;
	struct queue_job    *jobs = jobs_make(m), *next;

	for (; jobs; jobs = next) {
		next = jobs->next;
		atomic_fetch_add(&m->open, 1);
		jobs->priority = m->priority;
		if (!queue_flight_add(jobs->to->account ? local : remote, jobs)) {
			not_now(jobs);
			queue_round_step(m);
		}
	}
}
