/* queue/queue_attempt.c - asking auth where a recipient is, and local to deliver; what all questions share. For remote: queue_remote.c.
 *
 * A message that was under way when a process died (m->crashes) is attempted alone among its like: only one such at a time for each
 * role. So the next death names its culprit, and mail that only happened to be there is not held with it.
 */
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/fd.h"
#include "wire/text/queue_id.h"

/* The job that this thread is just handing to the channel: its answer coming from inside that call means that it was never
 * sent. After the call the job may be gone already, so the question cannot be asked of the job itself. */
static _Thread_local const struct queue_job *starting;

struct queue_job *queue_job_new(struct queue_msg *m, void (*start)(struct queue_job *))
{
	struct queue_job *job;

	pthread_mutex_lock(&m->lock);
	job = ARENA_NEW(m->arena, struct queue_job);
	pthread_mutex_unlock(&m->lock);
	job->msg = m;
	job->start = start;
	job->wait.priority = m->priority;
	job->wait.lane = m->lane;
	return job;
}

void queue_job_ask(struct queue_job *job, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done)
{
	const struct queue_job *outer = starting;

	starting = job;
	job->asked = true;
	job->asked_ms = job->msg->q->o.mono_ms();
	ipc_start(job->msg->q->ipc, role, key, id, request, done, job);
	starting = outer;
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
	queue_job_end(job);
}

static void resolve_start(struct queue_job *job)
{
	struct auth_resolve_request request = { .address = job->rcpt->address, .from = job->msg->from };

	queue_job_ask(job, ROLE_AUTH, IPC_ANY, IPC_AUTH_RESOLVE, &request, resolve_done);
}

void queue_attempt_resolve(struct queue_msg *m, struct queue_rcpt_row *r)
{
	struct queue_job *job = queue_job_new(m, resolve_start);

	job->rcpt = r;
	queue_flight_add(&m->q->f_auth, job);
}

/* The quota of an account that is a target by itself: it may have changed since the list was resolved. */
static void quota_done(void *arg, enum status st, const void *reply)
{
	struct queue_job      *job = arg;
	struct queue_rcpt_row *r = job->rcpt;

	/* An account that is gone meanwhile has none: what was accepted is delivered. */
	r->way_open = st != ST_OK && st != ST_NOT_FOUND;
	if (st == ST_OK)
		r->quota = *(const struct auth_quota_reply *)reply;
	if (r->way_open) {
		r->code = STR("4.3.0");
		r->answer = STR("The directory does not answer");
	}
	queue_job_end(job);
}

static void quota_start(struct queue_job *job)
{
	struct auth_quota_request request = { .account = job->rcpt->account };

	queue_job_ask(job, ROLE_AUTH, IPC_ANY, IPC_AUTH_QUOTA, &request, quota_done);
}

void queue_attempt_quota(struct queue_msg *m, struct queue_rcpt_row *r)
{
	struct queue_job *job = queue_job_new(m, quota_start);

	job->rcpt = r;
	r->way_open = true;
	queue_flight_add(&m->q->f_auth, job);
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
	queue_job_end(job);
}

static void hop_start(struct queue_job *job)
{
	struct auth_hop_request request = { .address = job->rcpt->target, .from = job->msg->from };

	queue_job_ask(job, ROLE_AUTH, IPC_ANY, IPC_AUTH_HOP, &request, hop_done);
}

void queue_attempt_hop(struct queue_msg *m, struct queue_rcpt_row *r)
{
	struct queue_job *job = queue_job_new(m, hop_start);

	job->rcpt = r;
	r->way_open = true;
	queue_flight_add(&m->q->f_auth, job);
}

/* ---- outcomes that local and remote share ---- */

/* No answer. Sent or not makes the difference between unknown and certainly nothing. One that only took too long is unknown too, but
 * no fault of the message: a disk may stand still for longer. It is tried again under its id, and not held for that. */
void queue_job_no_answer(struct queue_job *job, enum ipc_msg_id id, enum status st)
{
	struct queue_msg *m = job->msg;
	bool              sent = job->asked && starting != job;
	bool              late = sent && m->q->o.mono_ms() - job->asked_ms >= ipc_msgs[id].deadline_ms;
	bool              lost = sent && st == ST_TEMP && !late;

	if (lost)
		atomic_store(&m->lost, true);
	if (late)
		log_error("a delivery was not answered in time", LOG_C("message", queue_id_text(m->id).p), LOG_C("asked", ipc_msgs[id].name));
	for (struct queue_to *to = job->to; to; to = to->next) {
		to->outcome = lost ? QUEUE_OUT_LOST : late && id != IPC_LOCAL_DELIVER ? QUEUE_OUT_DEFERRED : QUEUE_OUT_NONE;
		to->code = STR("4.3.0");
		to->answer = lost ? STR("The attempt was lost with its process") :
			     late ? STR("The attempt was not answered in time") :
				    STR("No process could be asked");
	}
}

/* The content as it goes with a request. Large: a descriptor of the finished file, to be closed by the caller. */
bool queue_job_content(struct queue_job *job, struct str *content, int *file)
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

	if (to->quota.quota_octets == 0 && to->quota.quota_messages == 0)
		return;
	note.full = str_eq(reply->code, STR("4.2.2")) ||
		    (to->quota.quota_octets > 0 && reply->usage_octets >= to->quota.quota_octets) ||
		    (to->quota.quota_messages > 0 && reply->usage_messages >= to->quota.quota_messages);
	if (note.full || m->attempts > 0)
		ipc_start(m->q->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_FULL, &note, note_done, NULL);
}

/* A domain that has a total is counted by auth. Every word is of all that the account holds, so one that is lost is made good by the next. */
static void used_note(struct queue_msg *m, const struct queue_to *to, const struct local_deliver_reply *reply)
{
	const struct auth_used_request note = { .account = to->account, .octets = reply->usage_octets, .messages = reply->usage_messages };

	if (to->quota.quota_shared && reply->usage_messages > 0)
		ipc_start(m->q->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_USED, &note, note_done, NULL);
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
		to->last_ms = job->msg->q->o.wall_ms();
		full_note(job->msg, to, reply);
		used_note(job->msg, to, reply);
	} else {
		queue_job_no_answer(job, IPC_LOCAL_DELIVER, st);
	}
	queue_job_end(job);
}

static void local_start(struct queue_job *job)
{
	struct queue_msg            *m = job->msg;
	struct queue_to             *to = job->to;
	struct local_deliver_request request = {
		.delivery = m->base,
		.floor = atomic_load(&m->q->floor),
		.message = m->id,
		.account = to->account,
		.address = to->address,
		.from = m->from,
		.rcpt = to->rcpt->address,
		.received_ms = m->received_ms,
		.size = m->size,
		.hash = str_n(m->hash, sizeof(m->hash)),
		.alone = m->crashes > 0,
		.quota_octets = to->quota.quota_octets,
		.quota_messages = to->quota.quota_messages,
		.quota_shared = to->quota.quota_shared,
	};

	atomic_fetch_add(&m->q->in_flight, 1);
	if (queue_job_content(job, &request.content, &request.file)) {
		queue_job_ask(job, ROLE_LOCAL, to->account, IPC_LOCAL_DELIVER, &request, local_done);
		fd_close(&request.file);
	} else {
		local_done(job, ST_IO, NULL);
	}
}

/* ---- a whole message ---- */

static void local_all(struct queue_msg *m)
{
	struct queue_flight *flight = m->crashes ? &m->q->f_lone_local : &m->q->f_local;

	for (size_t i = m->to_count; i-- > 0;) {
		struct queue_job *job;

		if (m->to[i]->account == 0)
			continue;
		job = queue_job_new(m, local_start);
		job->to = m->to[i];
		job->to_count = 1;
		atomic_fetch_add(&m->open, 1);
		queue_flight_add(flight, job);
	}
}

/* The directory is asked again soon: nothing leaves unsigned that is to be signed. */
static void not_signed(struct queue_msg *m)
{
	for (size_t i = 0; i < m->to_count; i++) {
		if (m->to[i]->account != 0)
			continue;
		m->to[i]->code = STR("4.3.0");
		m->to[i]->answer = STR("It could not be signed: the directory does not answer, or the content cannot be read");
	}
}

void queue_attempt_all(struct queue_msg *m)
{
	if (m->remote && m->unsigned_yet)
		not_signed(m);
	else if (m->remote)
		queue_remote_all(m);
	local_all(m);
}
