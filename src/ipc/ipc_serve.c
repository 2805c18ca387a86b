/* ipc/ipc_serve.c - answering: rows, pools, ipc_reply; see ipc.h.
 *
 * What a peer has asked and we have not answered stands in our memory, so it is bounded (LIMIT_IPC_PENDING requests; octets by
 * ipc_edge.open): the reader of a full link stops reading until answers have gone out, and the peer's writes wait. That ends: the reader
 * waits between two requests with nothing in its hands, no handler waits for a later request of the same link, and an answer that the
 * peer does not read ends the link. `open` counts both in one number, so that a request costs one addition and its answer one
 * subtraction; only a full link takes a lock.
 */
#include "ipc/ipc_link.h"

#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"

/* Who waits for an answer in this process, see ipc_local. */
struct local {
	sem_t         done;
	enum status   status;
	struct arena *arena;
	void         *reply;
};

/* What ipc_reply needs beside the public part. */
struct request {
	struct ipc_request public;
	struct ipc_link   *link;  /* where the answer goes, or NULL: */
	struct local      *local;
	uint64_t           number;
	uint64_t           weight; /* its part of link->open */
};

#define OPEN_ONE    (1ull << 40) /* one request; below: octets */
#define OPEN_OCTETS (OPEN_ONE - 1)
_Static_assert((uint64_t)LIMIT_IPC_PENDING * LIMIT_IPC_FRAME < OPEN_ONE, "octets do not run over into requests");

/* ---- room ---- */

bool ipc_room(struct ipc_link *l)
{
	uint64_t open = atomic_load(&l->open);

	return open / OPEN_ONE < LIMIT_IPC_PENDING && (open & OPEN_OCTETS) < l->open_max;
}

bool ipc_room_wait(struct ipc_link *l)
{
	bool room = ipc_room(l);

	if (room)
		return true;
	pthread_mutex_lock(&l->lock);
	/* Said before looking again: whoever makes room after that look sees that we wait. */
	atomic_store(&l->full, true);
	while (!l->dead && !(room = ipc_room(l)))
		pthread_cond_wait(&l->room, &l->lock);
	atomic_store(&l->full, false);
	pthread_mutex_unlock(&l->lock);
	return room;
}

static void room_give(struct ipc_link *l, uint64_t weight)
{
	atomic_fetch_sub(&l->open, weight);
	if (!atomic_load(&l->full))
		return;
	pthread_mutex_lock(&l->lock);
	pthread_cond_signal(&l->room);
	pthread_mutex_unlock(&l->lock);
}

/* ---- rows and pools ---- */

void ipc_serve(struct ipc *ipc, const struct ipc_row *rows, size_t count, void *ctx)
{
	for (size_t i = 0; i < count; i++) {
		CHECK(rows[i].id < IPC_MSG_COUNT && ipc_msgs[rows[i].id].server == ipc->self && rows[i].pool < IPC_POOLS);
		CHECK(!ipc->rows[rows[i].id] && (rows[i].pool == 0 || ipc->pools[rows[i].pool].threads_max > 0));
		ipc->rows[rows[i].id] = &rows[i];
		ipc->pools[rows[i].pool].ctx = ctx;
	}
	ipc->ctx = ctx;
}

void ipc_pool(struct ipc *ipc, unsigned n, unsigned threads, unsigned backlog)
{
	struct ipc_pool *p = &ipc->pools[n];

	CHECK(n > 0 && n < IPC_POOLS && threads > 0);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->cond, NULL);
	p->last = &p->first;
	p->threads_max = threads;
	p->backlog = backlog;
}

/* Copy a message by encoding and decoding it, so that the copy shares nothing. */
static enum status copy(const struct ipc_shape *shape, const void *from, struct arena *a, void *ret)
{
	struct ipc_fds fds = { .n = 0 };
	struct buf     wire;
	enum status    st;

	buf_init(&wire, LIMIT_IPC_FRAME);
	st = ipc_encode(&wire, &fds, shape, from, IPC_VERSION);
	if (st == ST_OK)
		st = ipc_decode(arena_dup(a, buf_str(&wire)), &fds, shape, ret, a, IPC_VERSION);
	buf_done(&wire);
	return st;
}

static void reply_local(struct request *r, enum status status, const void *reply)
{
	struct local *l = r->local;
	struct arena *a = r->public.arena;

	l->status = status == ST_OK && l->reply ? copy(&ipc_msgs[r->public.id].reply, reply ? reply : "", l->arena, l->reply) : status;
	arena_free(&a);
	sem_post(&l->done);
}

enum status ipc_local(const struct ipc_row *rows, size_t count, void *ctx, enum ipc_msg_id id, const void *request, struct arena *a,
		      void *ret_reply)
{
	struct arena   *own = arena_new_secret(NULL);
	struct request *r = ARENA_NEW(own, struct request);
	void           *body = arena_alloc(own, ipc_msgs[id].request.size);
	struct local    local = { .arena = a, .reply = ret_reply, .status = ST_DENIED };
	enum status     st = request ? copy(&ipc_msgs[id].request, request, own, body) : ST_OK;

	*r = (struct request){ .public = { .id = id, .asker = ROLE_CONTROL, .body = body, .arena = own }, .local = &local };
	if (st != ST_OK) {
		arena_free(&own);
		return st;
	}
	sem_init(&local.done, 0, 0);
	for (size_t i = 0; i < count; i++)
		if (rows[i].id == id) {
			rows[i].handler(ctx, &r->public);
			while (sem_wait(&local.done) < 0)
				continue; /* interrupted */
			sem_destroy(&local.done);
			return local.status;
		}
	arena_free(&own);
	sem_destroy(&local.done);
	return ST_DENIED;
}

void ipc_reply(struct ipc_request *public, enum status status, const void *reply)
{
	struct request  *r = CONTAINER_OF(public, struct request, public);

	if (!r->link) {
		reply_local(r, status, reply);
		return;
	}
	struct ipc_link *l = r->link;
	struct arena    *a = public->arena;
	struct ipc_frame head = { .type = public->id, .reply = true, .number = r->number, .status = status };
	uint64_t         weight = r->weight;
	enum status      st = ipc_link_send(l, &head, &ipc_msgs[public->id].reply, status == ST_OK ? reply : NULL);

	if (st == ST_LIMIT || st == ST_BUSY) { /* a bug of the handler, or no descriptors: the asker must not wait in vain */
		log_error("answer cannot be sent", LOG_C("message", ipc_msgs[public->id].name), LOG_ST("status", st));
		head.status = st;
		if (ipc_link_send(l, &head, NULL, NULL) != ST_OK)
			log_debug("answer lost", LOG_C("message", ipc_msgs[public->id].name));
	}
	arena_free(&a); /* r lives in it */
	room_give(l, weight);
	ipc_link_unref(l);
}

/* Asked of the socket: the reader sees the end only behind all that was sent before it. */
bool ipc_asker_gone(struct ipc_request *public)
{
	const struct request *r = CONTAINER_OF(public, struct request, public);
	struct pollfd         p = { .events = POLLRDHUP };

	if (!r->link)
		return false;
	p.fd = r->link->fd;
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static void *pool_main(void *arg)
{
	struct ipc_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct ipc_task *t;

		p->idle++;
		while (!p->first)
			pthread_cond_wait(&p->cond, &p->lock);
		p->idle--;
		t = p->first;
		p->first = t->next;
		if (!p->first)
			p->last = &p->first;
		p->waiting--;
		pthread_mutex_unlock(&p->lock);
		t->handler(p->ctx, t->request); /* t lives in the request's arena, which the handler gives up */
		pthread_mutex_lock(&p->lock);
	}
	return NULL;
}

static bool pool_put(struct ipc_pool *p, struct ipc_task *t)
{
	bool room, grow = false;

	pthread_mutex_lock(&p->lock);
	room = p->waiting < p->backlog || p->idle > p->waiting;
	if (room) {
		*p->last = t;
		p->last = &t->next;
		p->waiting++;
		grow = p->idle < p->waiting && p->threads < p->threads_max;
		p->threads += grow;
		pthread_cond_signal(&p->cond);
	}
	pthread_mutex_unlock(&p->lock);
	if (grow)
		ipc_thread(pool_main, p);
	return room;
}

static bool has_secret(const struct ipc_shape *shape)
{
	for (size_t i = 0; i < shape->count; i++)
		if (shape->fields[i].secret)
			return true;
	return false;
}

static void dispatch(struct ipc *ipc, const struct ipc_row *row, struct ipc_request *r)
{
	struct ipc_task *t;

	if (row->pool == 0) {
		row->handler(ipc->ctx, r);
		return;
	}
	t = ARENA_NEW(r->arena, struct ipc_task);
	t->request = r;
	t->handler = row->handler;
	if (!pool_put(&ipc->pools[row->pool], t))
		ipc_reply(r, ST_BUSY, NULL);
}

void ipc_request_arrived(struct ipc_link *l, struct ipc_frame *f)
{
	const struct ipc_msg *m = &ipc_msgs[f->type];
	const struct ipc_row *row = l->ipc->rows[f->type];
	struct arena         *a = has_secret(&m->request) ? arena_new_secret(NULL) : arena_new(NULL);
	struct request       *r = ARENA_NEW(a, struct request);
	void                 *body = arena_alloc(a, m->request.size);
	enum status           st = row ? ST_OK : ST_DENIED;

	*r = (struct request){
		.public = { .id = (enum ipc_msg_id)f->type, .asker = l->peer, .instance = l->instance, .life = l->life, .body = body, .arena = a },
		.link = l,
		.number = f->number,
		.weight = OPEN_ONE + f->payload.n,
	};
	atomic_fetch_add(&l->refs, 1);
	atomic_fetch_add(&l->open, r->weight);
	if (st == ST_OK && (m->lane != l->lane || !(m->askers & 1u << l->peer)))
		st = ST_DENIED;
	if (st == ST_OK)
		st = ipc_decode(arena_dup(a, f->payload), &f->fds, &m->request, body, a, f->version);
	if (st != ST_OK) {
		log_error("request refused", LOG_C("message", m->name), LOG_C("peer", role_name(l->peer)), LOG_ST("status", st));
		ipc_fds_close(&f->fds);
		ipc_reply(&r->public, st, NULL);
		return;
	}
	dispatch(l->ipc, row, &r->public);
}
