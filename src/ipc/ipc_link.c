/* ipc/ipc_link.c - the table of pairs, their reader threads, and the ticker for deadlines; see ipc.h, ipc_link.h. */
#include "ipc/ipc_link.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define THREAD_STACK (256 * KIB)
#define TICK_MS      100

struct ipc *ipc_new(enum role_id self, unsigned instance)
{
	struct ipc *ipc = calloc(1, sizeof(*ipc));

	CHECK(ipc && instance < ROLE_INSTANCES_MAX);
	ipc->self = self;
	ipc->instance = instance;
	pthread_mutex_init(&ipc->lock, NULL);
	return ipc;
}

void ipc_thread(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t      thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
#ifndef POSTRIDER_SANITIZED
	pthread_attr_setstacksize(&attr, THREAD_STACK);
#endif
	CHECK(pthread_create(&thread, &attr, fn, arg) == 0);
	pthread_attr_destroy(&attr);
}

/* ---- one link ---- */

void ipc_link_unref(struct ipc_link *l)
{
	if (atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	close(l->fd);
	map_done(&l->waits);
	buf_done(&l->out);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->write_lock);
	pthread_cond_destroy(&l->room);
	pthread_cond_destroy(&l->flushed);
	free(l);
}

void ipc_link_kill(struct ipc_link *l)
{
	pthread_mutex_lock(&l->lock);
	l->dead = true;
	pthread_cond_signal(&l->room);
	pthread_mutex_unlock(&l->lock);
	shutdown(l->fd, SHUT_RDWR); /* wakes the reader, and who flushes; they then let go */
	pthread_mutex_lock(&l->write_lock);
	pthread_cond_broadcast(&l->flushed);
	pthread_mutex_unlock(&l->write_lock);
	ipc_waits_expire(l, 0, true);
}

void ipc_link_blame(struct ipc_link *l, const char *why)
{
	log_error("peer is to be ended", LOG_C("peer", role_name(l->peer)), LOG_U64("instance", l->instance), LOG_C("why", why));
	if (l->ipc->bad_peer)
		l->ipc->bad_peer(l->ipc->bad_peer_ctx, l->peer, l->instance);
}

static void *reader_main(void *arg)
{
	struct ipc_link  *l = arg;
	struct ipc_reader r;
	struct ipc_frame  f;
	enum status       st;

	if (l->lane == IPC_LANE_BUS) {
		ipc_bus_run(l);
		ipc_link_unref(l);
		return NULL;
	}
	ipc_reader_init(&r, l->fd);
	ipc_cork();
	for (;;) {
		if (!ipc_reader_pending(&r) || !ipc_room(l))
			ipc_cork_send();
		st = ipc_room_wait(l) ? ipc_reader_next(&r, &f) : ST_CLOSED;
		if (st != ST_OK)
			break;
		if (f.type >= IPC_MSG_COUNT || f.reply != l->asks) {
			ipc_fds_close(&f.fds);
			st = ST_CORRUPT;
			break;
		}
		if (l->asks)
			ipc_answer_arrived(l, &f);
		else
			ipc_request_arrived(l, &f);
	}
	if (st == ST_CORRUPT)
		ipc_link_blame(l, "does not speak the channel format");
	ipc_uncork();
	ipc_reader_done(&r);
	ipc_link_kill(l);
	ipc_link_unref(l);
	return NULL;
}

/* ---- the table ---- */

void ipc_attach(struct ipc *ipc, bool asks, enum role_id peer, unsigned instance, enum ipc_lane lane, uint64_t epoch, int fd)
{
	struct ipc_link       *l = calloc(1, sizeof(*l)), *old;
	const struct ipc_edge *edge = asks ? NULL : ipc_edge_find(peer, ipc->self);

	CHECK(l && peer < ROLE_COUNT && instance < ROLE_INSTANCES_MAX && lane < IPC_LANE_COUNT);
	*l = (struct ipc_link){ .ipc = ipc, .asks = asks, .peer = peer, .instance = instance, .lane = lane, .epoch = epoch, .fd = fd,
				.refs = 2, .open_max = edge ? edge->open : LIMIT_IPC_OPEN };
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->write_lock, NULL);
	pthread_cond_init(&l->room, NULL);
	pthread_cond_init(&l->flushed, NULL);
	l->rests_last = &l->rests;
	map_init(&l->waits);
	buf_init(&l->out, IPC_CORK_OCTETS + LIMIT_IPC_FRAME + IPC_HEADER);

	pthread_mutex_lock(&ipc->lock);
	l->life = ipc->lives[peer][instance];
	old = ipc->links[asks][peer][instance][lane];
	CHECK(!old || old->epoch < epoch);
	ipc->links[asks][peer][instance][lane] = l;
	pthread_mutex_unlock(&ipc->lock);
	if (old) {
		ipc_link_kill(old);
		ipc_link_unref(old);
	}
	ipc_thread(reader_main, l);
}

void ipc_life(struct ipc *ipc, enum role_id peer, unsigned instance, uint64_t life)
{
	CHECK(peer < ROLE_COUNT && instance < ROLE_INSTANCES_MAX);
	pthread_mutex_lock(&ipc->lock);
	ipc->lives[peer][instance] = life;
	pthread_mutex_unlock(&ipc->lock);
}

void ipc_detach(struct ipc *ipc, enum role_id peer, unsigned instance)
{
	for (unsigned i = 0; i < 2 * IPC_LANE_COUNT; i++) {
		struct ipc_link **at = &ipc->links[i & 1][peer][instance][i / 2], *l;

		pthread_mutex_lock(&ipc->lock);
		l = *at;
		*at = NULL;
		pthread_mutex_unlock(&ipc->lock);
		if (l) {
			ipc_link_kill(l);
			ipc_link_unref(l);
		}
	}
}

static bool usable(struct ipc_link *l)
{
	return l && !atomic_load(&l->dead);
}

struct ipc_link *ipc_link_find(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_lane lane)
{
	struct ipc_link *live[ROLE_INSTANCES_MAX], *l = NULL;
	unsigned         n = 0;

	pthread_mutex_lock(&ipc->lock);
	for (unsigned i = 0; i < ROLE_INSTANCES_MAX; i++)
		if (usable(ipc->links[1][role][i][lane]))
			live[n++] = ipc->links[1][role][i][lane];
	if (n > 0) {
		l = live[(key == IPC_ANY ? ipc->turn++ : key) % n];
		atomic_fetch_add(&l->refs, 1);
	}
	pthread_mutex_unlock(&ipc->lock);
	return l;
}

unsigned ipc_peers(struct ipc *ipc, enum role_id role)
{
	unsigned n = 0;

	pthread_mutex_lock(&ipc->lock);
	for (unsigned i = 0; i < ROLE_INSTANCES_MAX; i++)
		n += usable(ipc->links[1][role][i][IPC_LANE_CONTROL]);
	pthread_mutex_unlock(&ipc->lock);
	return n;
}

void ipc_on_bad_peer(struct ipc *ipc, void (*fn)(void *, enum role_id, unsigned), void *ctx)
{
	ipc->bad_peer = fn;
	ipc->bad_peer_ctx = ctx;
}

/* ---- ticker: deadlines of ipc_start, and full bus pairs ---- */

static void tick(struct ipc *ipc, int64_t now)
{
	for (unsigned role = 0; role < ROLE_COUNT; role++)
		for (unsigned i = 0; i < ROLE_INSTANCES_MAX * IPC_LANE_COUNT; i++) {
			enum ipc_lane    lane = (enum ipc_lane)(i % IPC_LANE_COUNT);
			struct ipc_link *l;

			pthread_mutex_lock(&ipc->lock);
			l = ipc->links[1][role][i / IPC_LANE_COUNT][lane];
			if (l)
				atomic_fetch_add(&l->refs, 1);
			pthread_mutex_unlock(&ipc->lock);
			if (!l)
				continue;
			if (lane == IPC_LANE_BUS)
				ipc_bus_retry(l);
			else
				ipc_waits_expire(l, now, false);
			ipc_link_unref(l);
		}
}

static void *ticker_main(void *arg)
{
	for (;;) {
		usleep(TICK_MS * 1000);
		tick(arg, clock_mono_ms());
	}
	return NULL;
}

void ipc_ticker_start(struct ipc *ipc)
{
	if (!atomic_exchange(&ipc->ticking, true))
		ipc_thread(ticker_main, ipc);
}
