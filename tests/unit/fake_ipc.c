/* tests/unit/fake_ipc.c - see fake_ipc.h. */
#include "fake_ipc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

static struct {
	pthread_mutex_t   lock;
	pthread_cond_t    cond;
	bool              dead[ROLE_COUNT];
	struct fake_call *first;
	struct fake_bus   bus[1000];
	size_t            bus_count;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

/* Over the wire and back; descriptors are duplicated. */
static void *through_codec(const struct ipc_shape *shape, const void *body, struct arena *a)
{
	struct buf     wire;
	struct ipc_fds fds = { .n = 0 };
	void          *copy = arena_alloc(a, shape->size);

	buf_init(&wire, LIMIT_IPC_FRAME);
	CHECK(ipc_encode(&wire, &fds, shape, body, IPC_VERSION) == ST_OK);
	for (unsigned i = 0; i < fds.n; i++)
		fds.fd[i] = dup(fds.fd[i]);
	CHECK(ipc_decode(arena_dup(a, buf_str(&wire)), &fds, shape, copy, a, IPC_VERSION) == ST_OK);
	buf_done(&wire);
	return copy;
}

static void close_fds(const struct ipc_shape *shape, const void *body)
{
	for (size_t i = 0; i < shape->count; i++) {
		int fd;

		if (shape->fields[i].kind != IPC_KIND_FD)
			continue;
		memcpy(&fd, (const char *)body + shape->fields[i].offset, sizeof(fd));
		if (fd >= 0)
			close(fd);
	}
}

static void call_free(struct fake_call *c)
{
	close_fds(&ipc_msgs[c->id].request, c->body);
	arena_free(&c->arena);
	free(c);
}

void fake_ipc_reset(void)
{
	struct fake_call *c, *next;

	pthread_mutex_lock(&fake.lock);
	for (c = fake.first; c; c = next) {
		next = c->next;
		call_free(c);
	}
	fake.first = NULL;
	memset(fake.dead, 0, sizeof(fake.dead));
	fake.bus_count = 0;
	pthread_mutex_unlock(&fake.lock);
}

void fake_ipc_alive(enum role_id role, bool alive)
{
	fake.dead[role] = !alive;
}

void ipc_cork(void) {}
void ipc_uncork(void) {}

unsigned ipc_peers(struct ipc *ipc, enum role_id role)
{
	(void)ipc;
	return !fake.dead[role];
}

void ipc_start(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done, void *arg)
{
	struct fake_call *c, **at;

	(void)ipc;
	CHECK(ipc_msgs[id].server == role);
	if (fake.dead[role]) {
		done(arg, ST_TEMP, NULL);
		return;
	}
	c = calloc(1, sizeof(*c));
	CHECK(c);
	*c = (struct fake_call){ .role = role, .key = key, .id = id, .arena = arena_new(NULL), .done = done, .arg = arg };
	c->body = through_codec(&ipc_msgs[id].request, request, c->arena);
	pthread_mutex_lock(&fake.lock);
	for (at = &fake.first; *at; at = &(*at)->next)
		;
	*at = c;
	pthread_mutex_unlock(&fake.lock);
}

size_t fake_ipc_waiting(void)
{
	size_t n = 0;

	pthread_mutex_lock(&fake.lock);
	for (struct fake_call *c = fake.first; c; c = c->next)
		n++;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

struct fake_call *fake_ipc_next(enum ipc_msg_id id)
{
	struct fake_call **at, *c;

	pthread_mutex_lock(&fake.lock);
	for (at = &fake.first; *at && (*at)->id != id; at = &(*at)->next)
		;
	c = *at;
	if (c)
		*at = c->next;
	pthread_mutex_unlock(&fake.lock);
	return c;
}

void fake_ipc_answer(struct fake_call *c, enum status st, const void *reply)
{
	struct arena *a = arena_new(NULL);

	c->done(c->arg, st, st == ST_OK ? through_codec(&ipc_msgs[c->id].reply, reply, a) : NULL);
	arena_free(&a);
	call_free(c);
}

/* ---- asking the code under test ---- */

struct request {
	struct ipc_request public;
	struct fake_reply *reply;
};

enum role_id fake_ipc_asker;

struct fake_reply *fake_ipc_ask(ipc_handler_fn *handler, void *ctx, enum ipc_msg_id id, const void *body)
{
	struct arena      *a = arena_new(NULL);
	struct request    *r = ARENA_NEW(a, struct request);
	struct fake_reply *reply = calloc(1, sizeof(*reply));

	CHECK(reply);
	reply->arena = arena_new(NULL);
	r->reply = reply;
	r->public = (struct ipc_request){ .id = id, .asker = fake_ipc_asker, .arena = a, .body = through_codec(&ipc_msgs[id].request, body, a) };
	handler(ctx, &r->public);
	return reply;
}

void ipc_reply(struct ipc_request *r, enum status status, const void *body)
{
	struct fake_reply *reply = CONTAINER_OF(r, struct request, public)->reply;
	struct arena      *a = r->arena;

	if (status == ST_OK)
		reply->body = through_codec(&ipc_msgs[r->id].reply, body, reply->arena);
	arena_free(&a);
	pthread_mutex_lock(&fake.lock);
	reply->status = status;
	reply->over = true;
	pthread_cond_broadcast(&fake.cond);
	pthread_mutex_unlock(&fake.lock);
}

void fake_reply_wait(struct fake_reply *r)
{
	pthread_mutex_lock(&fake.lock);
	while (!r->over)
		pthread_cond_wait(&fake.cond, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

void fake_reply_done(struct fake_reply **r)
{
	arena_free(&(*r)->arena);
	free(*r);
	*r = NULL;
}

/* ---- bus ---- */

void ipc_bus_send(struct ipc *ipc, uint64_t account, uint32_t kinds, uint64_t modseq)
{
	(void)ipc;
	pthread_mutex_lock(&fake.lock);
	if (fake.bus_count < LEN(fake.bus))
		fake.bus[fake.bus_count++] = (struct fake_bus){ account, modseq, kinds };
	pthread_mutex_unlock(&fake.lock);
}

size_t fake_ipc_bus(struct fake_bus *ret, size_t max)
{
	size_t n;

	pthread_mutex_lock(&fake.lock);
	n = MIN(fake.bus_count, max);
	memcpy(ret, fake.bus, n * sizeof(*ret));
	pthread_mutex_unlock(&fake.lock);
	return n;
}
