/* ipc/ipc_send.c - sending on a link without waiting for the peer.
 *
 * Small frames of a corked thread are gathered in l->out until its end; whoever else sends on the link sends them first.
 *
 * A process may stand still while its disk does. Whoever sends to it must go on all the same: the thread that takes mail is also the one
 * that hands it out. So what the socket does not take at once waits here, in order, and a thread that lives as long as anything
 * waits sends it. A peer that reads nothing for IPC_STALL_MS is lost: the channel is cut, and only a new process gets a new one.
 */
#include "ipc/ipc_link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"
#include "sys/fd.h"

/* A frame, or the end of one. */
struct ipc_rest {
	struct ipc_rest *next;
	struct ipc_fds   fds; /* our own copies; those of a frame that has begun are gone already */
	struct str       octets;
	char             memory[];
};

static void rest_free(struct ipc_link *l, struct ipc_rest *r)
{
	l->rests = r->next;
	if (!l->rests)
		l->rests_last = &l->rests;
	ipc_fds_close(&r->fds);
	free(r);
}

/* The first one that waits, as far as it goes now. */
static enum status first_send(struct ipc_link *l)
{
	struct ipc_rest      *r = l->rests;
	const struct ipc_fds *fds = r->fds.n > 0 ? &r->fds : NULL;
	size_t                before = r->octets.n;
	enum status           st = ipc_frame_put(l->fd, &r->octets, &fds);

	if (!fds)
		ipc_fds_close(&r->fds);
	l->rest_octets -= before - r->octets.n;
	pthread_cond_broadcast(&l->flushed);
	if (st == ST_OK)
		rest_free(l, r);
	return st;
}

static void *flush_main(void *arg)
{
	struct ipc_link *l = arg;
	enum status      st = ST_OK;

	pthread_mutex_lock(&l->write_lock);
	while (l->rests && (st == ST_OK || st == ST_AGAIN)) {
		st = first_send(l);
		if (st == ST_AGAIN) {
			pthread_mutex_unlock(&l->write_lock);
			st = ipc_frame_wait(l->fd);
			pthread_mutex_lock(&l->write_lock);
		}
	}
	if (st != ST_OK) /* before anybody else may send: part of a frame may be gone, and nothing may follow it */
		shutdown(l->fd, SHUT_RDWR);
	while (l->rests)
		rest_free(l, l->rests);
	l->rest_octets = 0;
	l->flushing = false;
	pthread_mutex_unlock(&l->write_lock);
	if (st == ST_TEMP)
		ipc_link_blame(l, "does not read its channel");
	if (st != ST_OK)
		ipc_link_kill(l);
	ipc_link_unref(l);
	return NULL;
}

static enum status rest_add(struct ipc_link *l, struct str octets, const struct ipc_fds *fds)
{
	struct ipc_rest *r = malloc(sizeof(*r) + octets.n);

	CHECK(r);
	memcpy(r->memory, octets.p, octets.n);
	*r = (struct ipc_rest){ .octets = str_n(r->memory, octets.n) };
	for (unsigned i = 0; fds && i < fds->n; i++) {
		if (fd_dup(fds->fd[i], &r->fds.fd[i]) != ST_OK) {
			ipc_fds_close(&r->fds);
			free(r);
			return ST_BUSY;
		}
		r->fds.n++;
	}
	*l->rests_last = r;
	l->rests_last = &r->next;
	l->rest_octets += octets.n;
	if (!l->flushing) {
		l->flushing = true;
		atomic_fetch_add(&l->refs, 1);
		ipc_thread(flush_main, l);
	}
	return ST_OK;
}

/* Send what l->out holds: whole frames. Without descriptors it does not fail but with ST_CLOSED. */
static enum status out_send(struct ipc_link *l, const struct ipc_fds *fds)
{
	struct str  rest = buf_str(&l->out);
	enum status st = l->rests ? ST_AGAIN : ipc_frame_put(l->fd, &rest, &fds);

	if (st == ST_AGAIN)
		st = rest_add(l, rest, fds);
	buf_clear(&l->out);
	buf_shrink(&l->out, 64 * KIB);
	return st;
}

/* ---- corks ---- */

static _Thread_local struct {
	unsigned         depth, n;
	struct ipc_link *links[8]; /* those with something in l->out, with a reference */
} cork;

/* The link's output waits for the end of this thread's cork. False: it does not. */
static bool cork_keeps(struct ipc_link *l)
{
	if (cork.depth == 0 || l->out.n >= IPC_CORK_OCTETS)
		return false;
	for (unsigned i = 0; i < cork.n; i++)
		if (cork.links[i] == l)
			return true;
	if (cork.n == LEN(cork.links))
		return false;
	atomic_fetch_add(&l->refs, 1);
	cork.links[cork.n++] = l;
	return true;
}

void ipc_cork(void)
{
	cork.depth++;
}

void ipc_cork_send(void)
{
	/* Each is off the list before it is sent: at the end of a link callbacks run here, and may gather for any link again. */
	while (cork.n > 0) {
		struct ipc_link *l = cork.links[--cork.n];
		enum status      st = ST_OK;

		pthread_mutex_lock(&l->write_lock);
		if (l->out.n > 0) /* another thread may have sent it with its own */
			st = out_send(l, NULL);
		pthread_mutex_unlock(&l->write_lock);
		if (st == ST_CLOSED)
			ipc_link_kill(l);
		ipc_link_unref(l);
	}
}

void ipc_uncork(void)
{
	CHECK(cork.depth > 0);
	if (--cork.depth == 0)
		ipc_cork_send();
}

/* ---- one frame ---- */

static enum status frame_send(struct ipc_link *l, const struct ipc_frame *head, const struct ipc_shape *shape, const void *msg)
{
	struct ipc_fds fds = { .n = 0 };
	size_t         at = ipc_frame_next(&l->out);
	enum status    st = msg ? ipc_encode(&l->out, &fds, shape, msg, IPC_VERSION) : ST_OK;

	if (st == ST_OK)
		st = ipc_frame_end(&l->out, at, head, &fds);
	if (st != ST_OK) {
		l->out.n = at;
		l->out.over = false;
		return st;
	}
	if (fds.n == 0)
		return cork_keeps(l) ? ST_OK : out_send(l, NULL);
	/* If there are no descriptors left it fails alone. */
	if (at > 0) {
		struct str gathered = str_first(buf_str(&l->out), at);

		st = rest_add(l, gathered, NULL);
		buf_consume(&l->out, at);
	}
	return st == ST_OK ? out_send(l, &fds) : st;
}

enum status ipc_link_send(struct ipc_link *l, const struct ipc_frame *head, const struct ipc_shape *shape, const void *msg)
{
	enum status st = ST_CLOSED;

	pthread_mutex_lock(&l->write_lock);
	while (l->rest_octets > LIMIT_IPC_BACKLOG && !atomic_load(&l->dead)) {
		if (cork.n == 0) {
			pthread_cond_wait(&l->flushed, &l->write_lock);
			continue;
		}
		pthread_mutex_unlock(&l->write_lock); /* other links need not wait with us */
		ipc_cork_send();
		pthread_mutex_lock(&l->write_lock);
	}
	if (!atomic_load(&l->dead))
		st = frame_send(l, head, shape, msg);
	pthread_mutex_unlock(&l->write_lock);
	if (st == ST_CLOSED)
		ipc_link_kill(l);
	return st;
}
