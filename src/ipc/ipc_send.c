/* ipc/ipc_send.c - sending on a link without waiting for the peer.
 *
 * A process may stand still while its disk does. Whoever sends to it must go on all the same: the thread that takes mail is also the one
 * that hands it out. So what the socket does not take at once waits here, in order, and a thread that lives as long as anything
 * waits sends it. A peer that reads nothing for IPC_STALL_MS is lost: the channel is cut, and only a new process gets a new one.
 */
#include "ipc/ipc_link.h"

#include <stdlib.h>
#include <string.h>

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
	*r = (struct ipc_rest){ .octets = str_n(r->memory, octets.n) };
	memcpy(r->memory, octets.p, octets.n);
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

static enum status frame_send(struct ipc_link *l, const struct ipc_frame *head, const struct ipc_shape *shape, const void *msg)
{
	struct ipc_fds        fds = { .n = 0 };
	const struct ipc_fds *unsent = &fds;
	enum status           st = ST_OK;
	struct str            rest;

	ipc_frame_begin(&l->out);
	if (msg)
		st = ipc_encode(&l->out, &fds, shape, msg, IPC_VERSION);
	if (st == ST_OK)
		st = ipc_frame_end(&l->out, head, &fds);
	if (st != ST_OK)
		return st;
	rest = buf_str(&l->out);
	st = l->rests ? ST_AGAIN : ipc_frame_put(l->fd, &rest, &unsent);
	return st == ST_AGAIN ? rest_add(l, rest, unsent) : st;
}

enum status ipc_link_send(struct ipc_link *l, const struct ipc_frame *head, const struct ipc_shape *shape, const void *msg)
{
	enum status st = ST_CLOSED;

	pthread_mutex_lock(&l->write_lock);
	while (l->rest_octets > LIMIT_IPC_BACKLOG && !atomic_load(&l->dead))
		pthread_cond_wait(&l->flushed, &l->write_lock);
	if (!atomic_load(&l->dead))
		st = frame_send(l, head, shape, msg);
	buf_clear(&l->out);
	buf_shrink(&l->out, 64 * KIB);
	pthread_mutex_unlock(&l->write_lock);
	if (st == ST_CLOSED)
		ipc_link_kill(l);
	return st;
}
