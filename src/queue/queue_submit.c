/* queue/queue_submit.c - taking a message: check, hash, hand to the writer, answer when it is durable.
 *
 * Idempotent by transaction id: the writer looks it up where it also enters it, so of two submits with one id, in one batch or
 * a day apart, one makes a message and both are told its id. IPC_QUEUE_KNOWN goes through the writer too, behind every
 * submit that came before it.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/spool.h"
#include "wire/text/queue_id.h"

struct submit {
	struct queue_op     op;
	struct ipc_request *r;
	struct queue_msg   *m;
	uint64_t            known; /* this transaction id was here before, as that message */
};

unsigned queue_hops(struct str header)
{
	unsigned   hops = 0;
	struct str name = STR("Received:");

	while (header.n > 0 && header.p[0] != '\r' && header.p[0] != '\n') {
		ptrdiff_t end = str_find(header, '\n');

		hops += str_istarts(header, name);
		if (end < 0)
			break;
		header = str_from(header, (size_t)end + 1);
	}
	return hops;
}

/* ---- answers ---- */

static void answer(struct ipc_request *r, enum queue_submit_result result, uint64_t id)
{
	struct queue_submit_reply reply = { result, id };

	ipc_reply(r, ST_OK, &reply);
}

/* What is not known to be one of these could have been taken: the asker must ask again, so no such answer is given. */
static void answer_failure(struct ipc_request *r, enum status st)
{
	switch (st) {
	case ST_FULL:    answer(r, QUEUE_SUBMIT_FULL, 0); break;
	case ST_INVALID:
	case ST_CORRUPT: answer(r, QUEUE_SUBMIT_INVALID, 0); break;
	case ST_TEMP:    ipc_reply(r, ST_TEMP, NULL); break;
	default:         answer(r, QUEUE_SUBMIT_SUSPECT, 0);
	}
}

/* ---- in the writer ---- */

static bool starts_now(const struct queue_msg *m)
{
	return !m->held && m->wait_ms == 0;
}

static enum status submit_apply(struct queue *q, struct queue_op *op)
{
	struct submit                     *s = CONTAINER_OF(op, struct submit, op);
	const struct queue_submit_request *body = s->r->body;

	s->known = queue_txids_find(&q->txids, body->txid);
	if (s->known)
		return ST_OK;
	if (s->m->id == 0) {
		s->m->id = queue_id_next(q);
		s->m->base = starts_now(s->m) ? s->m->id : 0; /* what waits gets one for its round: it would keep the floor down */
		s->m->entered = queue_now(q) + s->m->wait_ms;
	}
	queue_db_txid_put(q, body->txid, s->m->id);
	return queue_db_insert(q, s->m, s->m->content ? str_n(s->m->content, s->m->size) : body->content, s->m->in_window);
}

static void taken(struct queue *q, struct queue_msg *m)
{
	atomic_fetch_add(&q->messages, 1);
	atomic_fetch_add(&q->submitted, 1);
	queue_event_accepted(m);
	if (m->in_window) {
		queue_active_add(q, m);
		queue_pin(q, m);
		queue_ready(q, m);
		return;
	}
	if (m->held) {
		atomic_fetch_add(&q->held, 1);
		queue_event_held(q, m->id, m->reason);
	} else {
		queue_dues_add(&q->dues, m->priority, m->lane, m->entered);
	}
	q->pins_on_disk = q->pins_on_disk || m->base;
	queue_msg_free(m);
}

static void submit_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct submit      *s = CONTAINER_OF(op, struct submit, op);
	struct ipc_request *r = s->r; /* s lives in its arena */

	if (st == ST_OK && !s->known) {
		uint64_t id = s->m->id;

		taken(q, s->m);
		answer(r, QUEUE_SUBMIT_QUEUED, id);
		return;
	}
	if (s->m->file)
		queue_file_remove(q, s->m->file);
	queue_msg_free(s->m);
	if (st == ST_OK)
		answer(r, QUEUE_SUBMIT_QUEUED, s->known);
	else
		answer_failure(r, st);
}

/* ---- before the writer: in the channel's thread, or a copier's ---- */

static bool address_ok(struct str a, bool empty_ok)
{
	return a.n == 0 ? empty_ok : a.n <= LIMIT_ADDRESS && !str_has_ctl(a);
}

static bool request_ok(const struct queue_submit_request *b)
{
	bool ok = b->txid.n == QUEUE_TXID && b->rcpt_count > 0 && b->rcpt_count <= LIMIT_RCPTS && address_ok(b->from, true);

	for (size_t i = 0; i < b->rcpt_count && ok; i++)
		ok = address_ok(b->rcpts[i].address, false);
	ok = ok && !str_has_ctl(b->session) && !str_has_ctl(b->peer) && queue_envelope_ok(b);
	if (b->size <= LIMIT_INLINE)
		return ok && b->spool < 0 && b->content.n == b->size && b->size > 0;
	return ok && b->spool >= 0 && b->content.n == 0 && b->size <= LIMIT_MESSAGE_MAX;
}

static struct queue_msg *msg_of(struct queue *q, const struct queue_submit_request *b)
{
	struct queue_msg *m = queue_msg_new(q);

	m->from = arena_dup(m->arena, b->from);
	m->session = arena_dup(m->arena, b->session);
	m->peer = arena_dup(m->arena, b->peer);
	m->account = b->account;
	m->received_ms = b->received_ms;
	m->size = b->size;
	m->rcpts = ARENA_ARRAY(m->arena, struct queue_rcpt_row, b->rcpt_count);
	m->rcpt_count = b->rcpt_count;
	for (size_t i = 0; i < b->rcpt_count; i++) {
		m->rcpts[i].n = (uint32_t)i;
		m->rcpts[i].address = arena_dup(m->arena, b->rcpts[i].address);
	}
	m->next_n = (uint32_t)b->rcpt_count;
	queue_envelope_take(m, b);
	m->lane = queue_lane_of(m->account, m->from, m->peer);
	return m;
}

static void put(struct queue *q, struct ipc_request *r, struct queue_msg *m)
{
	struct submit *s = ARENA_NEW(r->arena, struct submit);

	*s = (struct submit){
		.op = { .apply = submit_apply, .finish = submit_finish, .kind = QUEUE_OP_TAKE },
		.r = r,
		.m = m,
	};
	queue_push(q, &s->op);
}

static void submit_small(struct queue *q, struct ipc_request *r)
{
	const struct queue_submit_request *b = r->body;
	struct queue_msg                  *m = msg_of(q, b);

	CHECK(EVP_Digest(b->content.p, b->content.n, m->hash, NULL, EVP_sha256(), NULL));
	m->hops = queue_hops(b->content);
	if (starts_now(m) && queue_msg_admit(m, b->size))
		queue_msg_content(m, b->content);
	put(q, r, m);
}

/* A large message on its way to the writer: who asks for its transaction id meanwhile is put behind it. Heap, as the request may be
 * answered, and freed, before this is. */
struct queue_arriving {
	struct queue_arriving *next;
	char                   txid[QUEUE_TXID];
	struct queue_op       *waiters, **last;
};

static struct queue_arriving *arriving_add(struct queue *q, struct str txid)
{
	struct queue_arriving *a = calloc(1, sizeof(*a));

	CHECK(a);
	memcpy(a->txid, txid.p, sizeof(a->txid));
	a->last = &a->waiters;
	pthread_mutex_lock(&q->lock);
	a->next = q->arriving;
	q->arriving = a;
	pthread_mutex_unlock(&q->lock);
	return a;
}

static bool arriving_wait(struct queue *q, struct str txid, struct queue_op *op)
{
	struct queue_arriving *a;

	pthread_mutex_lock(&q->lock);
	for (a = q->arriving; a && !str_eq(str_n(a->txid, sizeof(a->txid)), txid); a = a->next)
		;
	if (a) {
		op->next = NULL;
		*a->last = op;
		a->last = &op->next;
	}
	pthread_mutex_unlock(&q->lock);
	return a != NULL;
}

/* The writer has it, or nobody will. */
static void arriving_end(struct queue *q, struct queue_arriving *a)
{
	struct queue_arriving **at = &q->arriving;
	struct queue_op        *next;

	pthread_mutex_lock(&q->lock);
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	pthread_mutex_unlock(&q->lock);
	for (struct queue_op *op = a->waiters; op; op = next) {
		next = op->next;
		if (!arriving_wait(q, str_n(a->txid, sizeof(a->txid)), op)) /* it may have gone on to the copiers */
			queue_push(q, op);
	}
	free(a);
}

static void take_large(struct queue *q, struct ipc_request *r)
{
	const struct queue_submit_request *b = r->body;
	struct queue_msg                  *m = msg_of(q, b);
	int                                spool = b->spool;
	enum status                        st = queue_file_copy(q, spool, b->size, &m->file, m->hash);

	if (st == ST_OK)
		st = queue_head_load(q, m);
	fd_close(&spool);
	if (st == ST_OK) {
		if (starts_now(m))
			(void)queue_msg_admit(m, 0); /* no room: it starts from disk */
		put(q, r, m);
		return;
	}
	log_error("large message not taken", LOG_ST("status", st));
	if (m->file)
		queue_file_remove(q, m->file);
	queue_msg_free(m);
	answer_failure(r, st);
}

void queue_submit_large(struct queue *q, struct ipc_request *r, struct queue_arriving *a)
{
	take_large(q, r);
	arriving_end(q, a);
}

/* A request that is in order, by who may make it. */
static void submit(struct queue *q, struct ipc_request *r)
{
	const struct queue_submit_request *b = r->body;
	struct queue_arriving             *a = NULL;
	int                                spool = b->spool;
	enum status                        st = ST_OK;

	if (atomic_load(&q->suspect))
		st = ST_SUSPECT;
	else if (queue_full(q))
		st = ST_FULL;
	if (st == ST_OK && b->spool < 0) {
		submit_small(q, r);
		return;
	}
	if (st == ST_OK) {
		a = arriving_add(q, b->txid);
		if (queue_copier_put(q, r, a))
			return;
		arriving_end(q, a);
	}
	fd_close(&spool);
	if (st == ST_OK)
		ipc_reply(r, ST_BUSY, NULL);
	else
		answer_failure(r, st);
}

/* ---- who sends? ----
 *
 * A session role talks to strangers, and may be theirs: that a message is an account's it proves with the token of the sign-in, which
 * auth made. control takes messages of local programs, whose user the system vouches for, and names no account.
 */

struct proof {
	struct queue          *q;
	struct ipc_request    *r;
	struct queue_arriving *arriving;
};

static bool needs_proof(const struct ipc_request *r)
{
	const struct queue_submit_request *b = r->body;

	return r->asker == ROLE_SMTP && (b->account != 0 || (b->flags & QUEUE_FLAG_SUBMIT));
}

static void not_proved(struct ipc_request *r, enum status st)
{
	const struct queue_submit_request *b = r->body;
	int                                spool = b->spool;

	fd_close(&spool);
	if (st != ST_DENIED) { /* auth cannot be asked just now: it is not taken, and may be sent again */
		ipc_reply(r, ST_BUSY, NULL);
		return;
	}
	log_warn("message of an account without its sign-in", LOG_STR("session", b->session), LOG_U64("account", b->account));
	answer(r, QUEUE_SUBMIT_DENIED, 0);
}

static void proof_done(void *arg, enum status st, const void *reply)
{
	struct proof                      *p = arg; /* in the request's arena */
	struct queue                      *q = p->q;
	struct queue_arriving             *a = p->arriving;
	const struct queue_submit_request *b = p->r->body;

	if (st == ST_OK && (b->account == 0 || ((const struct auth_token_reply *)reply)->account != b->account))
		st = ST_DENIED;
	if (st == ST_OK)
		submit(q, p->r);
	else
		not_proved(p->r, st);
	arriving_end(q, a);
}

void queue_submit(void *ctx, struct ipc_request *r)
{
	const struct queue_submit_request *b = r->body;
	const struct auth_token_request    request = { b->token };
	int                                spool = b->spool;
	struct proof                      *p;

	if (!request_ok(b)) {
		fd_close(&spool);
		answer_failure(r, ST_INVALID);
		return;
	}
	if (!needs_proof(r)) {
		submit(ctx, r);
		return;
	}
	p = ARENA_NEW(r->arena, struct proof);
	*p = (struct proof){ ctx, r, arriving_add(ctx, b->txid) };
	ipc_start(p->q->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_TOKEN, &request, proof_done, p);
}

/* ---- known? ---- */

struct known {
	struct queue_op     op;
	struct ipc_request *r;
};

static enum status known_apply(struct queue *q, struct queue_op *op)
{
	(void)q, (void)op;
	return ST_OK;
}

static void known_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct ipc_request               *r = CONTAINER_OF(op, struct known, op)->r;
	const struct queue_known_request *body = r->body;
	struct queue_known_reply          reply;

	if (st == ST_TEMP) {
		ipc_reply(r, ST_TEMP, NULL);
		return;
	}
	reply.id = queue_txids_find(&q->txids, body->txid);
	reply.known = reply.id != 0;
	ipc_reply(r, ST_OK, &reply);
}

void queue_known(void *ctx, struct ipc_request *r)
{
	const struct queue_known_request *b = r->body;
	struct known                     *k = ARENA_NEW(r->arena, struct known);

	*k = (struct known){ { .apply = known_apply, .finish = known_finish, .kind = QUEUE_OP_WISH }, r };
	if (!arriving_wait(ctx, b->txid, &k->op))
		queue_push(ctx, &k->op);
}

void queue_spool(void *ctx, struct ipc_request *r)
{
	struct queue            *q = ctx;
	struct queue_spool_reply reply = { -1 };
	enum status              st = queue_full(q) ? ST_FULL : spool_new(q->o.dir, &reply.spool);

	ipc_reply(r, st, &reply);
	fd_close(&reply.spool);
}
