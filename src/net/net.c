/* net/net.c - setup, listeners and accepting, drain. */
#include "net/net_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "net/net_tls.h"
#include "sys/random.h"

#define KEEPALIVE_IDLE_S 300 /* an idle peer that vanished is noticed in 300 + 5 * 60 s */
#define KEEPALIVE_STEP_S 60
#define KEEPALIVE_TRIES  5

/* ---- setup ---- */

static unsigned cpus(void)
{
	cpu_set_t set;
	int       n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 2;

	return (unsigned)MAX(n, 2);
}

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct net *net_new(const struct net_limits *limits)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net || !(net->poll = sys_ready_new())) {
		free(net);
		return NULL;
	}
	net->limits = *limits;
	net->cpus = cpus();
	net->keeper_until = NET_NEVER;
	pthread_mutex_init(&net->limits_lock, NULL);
	pthread_mutex_init(&net->list_lock, NULL);
	pthread_mutex_init(&net->source_lock, NULL);
	pthread_mutex_init(&net->queue_lock, NULL);
	pthread_mutex_init(&net->timer_lock, NULL);
	pthread_mutex_init(&net->pool_lock, NULL);
	cond_init(&net->list_empty);
	cond_init(&net->timer_wake);
	cond_init(&net->pool_empty);
	map_init(&net->sources);
	/* Session ids are counted on from a random start, so those of several processes differ. */
	atomic_init(&net->next_id, random_u64());
	return net;
}

void net_limits_get(struct net *net, struct net_limits *ret)
{
	pthread_mutex_lock(&net->limits_lock);
	*ret = net->limits;
	pthread_mutex_unlock(&net->limits_lock);
}

void net_set_limits(struct net *net, const struct net_limits *limits)
{
	pthread_mutex_lock(&net->limits_lock);
	net->limits = *limits;
	pthread_mutex_unlock(&net->limits_lock);
}

/* With l->lock. */
static void listener_arm(struct net_listener *l)
{
	CHECK(sys_ready_arm(l->net->poll, l->fd, !l->added, SYS_READY_IN, &l->item));
	l->added = true;
}

void net_listen(struct net *net, int fd, const struct net_proto *proto, void *ctx, struct net_tls *tls, bool implicit)
{
	struct net_listener *l = calloc(1, sizeof(*l));
	int                  flags = fcntl(fd, F_GETFL);

	CHECK(l && (tls || !implicit) && flags >= 0);
	CHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	l->item.kind = NET_ITEM_LISTENER;
	l->net = net;
	l->fd = fd;
	l->proto = proto;
	l->ctx = ctx;
	l->tls = tls ? net_tls_ref(tls) : NULL;
	l->has_tls = tls != NULL;
	l->implicit = implicit;
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_lock(&net->list_lock);
	l->next = net->listeners;
	net->listeners = l;
	pthread_mutex_unlock(&net->list_lock);
	pthread_mutex_lock(&l->lock);
	listener_arm(l);
	pthread_mutex_unlock(&l->lock);
}

void net_set_tls(struct net *net, struct net_tls *tls)
{
	struct net_listener *l;

	/* The list only grows until net_free. list_lock is not held on: who accepts takes it with l->lock. */
	pthread_mutex_lock(&net->list_lock);
	l = net->listeners;
	pthread_mutex_unlock(&net->list_lock);
	for (; l; l = l->next) {
		struct net_tls *old = NULL;

		pthread_mutex_lock(&l->lock);
		if (l->has_tls && tls) {
			old = l->tls;
			l->tls = net_tls_ref(tls);
		}
		pthread_mutex_unlock(&l->lock);
		net_tls_free(&old);
	}
}

void net_run(struct net *net)
{
	net_pool_start(net);
}

/* ---- accepting ---- */

static void conn_info(struct net *net, int fd, const struct sockaddr_storage *peer, struct net_info *info)
{
	struct sockaddr_storage local = { 0 };
	socklen_t               n = sizeof(local);
	uint64_t                id = atomic_fetch_add(&net->next_id, 1);

	*info = (struct net_info){ 0 };
	snprintf(info->id, sizeof(info->id), "%012llx", (unsigned long long)(id & 0xffffffffffff));
	if (peer->ss_family != AF_INET && peer->ss_family != AF_INET6) {
		snprintf(info->peer, sizeof(info->peer), "local");
		info->loopback = true;
		return;
	}
	net_peer_inet(info, peer);
	if (getsockname(fd, (struct sockaddr *)&local, &n) == 0)
		info->local_port = ntohs(local.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&local)->sin_port
								    : ((struct sockaddr_in6 *)(void *)&local)->sin6_port);
}

static void tcp_options(int fd)
{
	int one = 1, idle = KEEPALIVE_IDLE_S, step = KEEPALIVE_STEP_S, tries = KEEPALIVE_TRIES;

	/* A Unix socket knows none of them, and a TCP one that refuses works without. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &step, sizeof(step));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

static struct net_conn *refuse_proxy(struct net_conn *c)
{
	atomic_fetch_add(&c->net->refused, 1);
	log_warn("connection dropped, no trusted proxy", LOG_C("protocol", c->listener->proto->name), LOG_C("peer", c->info.peer));
	net_conn_discard(c);
	return NULL;
}

/* NULL: refused by a limit, and told so; or it is no proxy. */
static struct net_conn *admit(struct net_listener *l, int fd, const struct sockaddr_storage *peer)
{
	struct net       *net = l->net;
	struct net_limits limits;
	struct net_info   info;
	struct net_conn  *c;

	net_limits_get(net, &limits);
	conn_info(net, fd, peer, &info);
	atomic_fetch_add(&net->accepted, 1);
	c = net_conn_new(net, l, fd, &info);
	if (l->proto->proxy) {
		enum net_proxy proxy = l->proto->proxy(l->ctx, info.peer);

		if (proxy == NET_PROXY_REFUSED)
			return refuse_proxy(c);
		c->proxied = proxy == NET_PROXY_WANTED;
	}
	if ((limits.connections == 0 || atomic_load(&net->connections) <= limits.connections) &&
	    (c->proxied || net_source_add(c, &limits, str_of(info.peer)))) {
		if (peer->ss_family != AF_UNIX)
			tcp_options(fd);
		return c;
	}
	atomic_fetch_add(&net->refused, 1);
	log_debug("connection refused, limit", LOG_C("protocol", l->proto->name), LOG_C("peer", info.peer));
	if (!l->implicit && !c->proxied) /* a TLS client could not read it */
		net_output_refuse(fd, l->proto->refused);
	if (l->proto->turned_away)
		l->proto->turned_away(l->ctx, &info);
	net_conn_discard(c);
	return NULL;
}

/* Out of descriptors or memory: leave what waits in the backlog until some are free. With l->lock. */
static void accept_pause(struct net_listener *l, int err)
{
	log_warn("accept paused", LOG_C("protocol", l->proto->name), LOG_ERRNO(err));
	l->paused = true;
	atomic_fetch_add(&l->net->paused, 1);
	net_keeper_nudge(l->net, 0);
}

/* Accept one. 1: *ret is it (NULL if refused), 0: no more, -1: paused. With l->lock. */
static int accept_one(struct net_listener *l, struct net_conn **ret)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t               n = sizeof(peer);
	int                     fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		*ret = admit(l, fd, &peer);
		return 1;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		accept_pause(l, errno);
		return -1;
	case EAGAIN: return 0;
	default:     *ret = NULL; return 1; /* that connection's failure, accept(2) */
	}
}

/* The last connection of a batch is run by this thread, the ones before by others. */
void net_listener_ready(struct net_worker *w, struct net_listener *l)
{
	struct net_conn *last = NULL, *c;
	int              got = 1;

	pthread_mutex_lock(&l->lock);
	for (unsigned i = 0; i < NET_ACCEPT_MAX && l->fd >= 0; i++) {
		got = accept_one(l, &c);
		if (got <= 0)
			break;
		if (c && last)
			net_queue_push(l->net, last);
		last = c ? c : last;
	}
	if (got >= 0 && l->fd >= 0)
		listener_arm(l);
	pthread_mutex_unlock(&l->lock);
	if (last)
		net_conn_run(w, last);
}

void net_listeners_resume(struct net *net)
{
	struct net_listener *l;

	if (atomic_load(&net->paused) == 0)
		return;
	pthread_mutex_lock(&net->list_lock);
	l = net->listeners; /* the list only grows until net_free */
	pthread_mutex_unlock(&net->list_lock);
	for (; l; l = l->next) {
		pthread_mutex_lock(&l->lock);
		if (l->paused) {
			l->paused = false;
			atomic_fetch_sub(&net->paused, 1);
			if (l->fd >= 0)
				listener_arm(l);
		}
		pthread_mutex_unlock(&l->lock);
	}
}

/* ---- the end ---- */

static void listeners_close(struct net *net)
{
	struct net_listener *l;

	pthread_mutex_lock(&net->list_lock);
	l = net->listeners;
	pthread_mutex_unlock(&net->list_lock);
	for (; l; l = l->next) {
		pthread_mutex_lock(&l->lock);
		if (l->fd >= 0) {
			sys_ready_remove(net->poll, l->fd);
			close(l->fd);
		}
		l->fd = -1;
		pthread_mutex_unlock(&l->lock);
	}
}

/* With list_lock. Cutting the descriptor also ends a write that blocks. */
static void post_all(struct net *net, uint32_t reason, bool cut)
{
	for (struct net_conn *c = net->list; c; c = c->next) {
		net_conn_poke(c, reason);
		if (cut)
			shutdown(c->fd, SHUT_RDWR);
	}
}

void net_drain(struct net *net, unsigned grace_ms)
{
	int64_t         end = clock_mono_ms() + grace_ms;
	struct timespec ts = { .tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000 };

	listeners_close(net);
	pthread_mutex_lock(&net->list_lock);
	post_all(net, NET_DRAIN, false);
	while (net->list && pthread_cond_timedwait(&net->list_empty, &net->list_lock, &ts) != ETIMEDOUT)
		continue;
	post_all(net, NET_KILL, true);
	while (net->list)
		pthread_cond_wait(&net->list_empty, &net->list_lock);
	pthread_mutex_unlock(&net->list_lock);
}

void net_free(struct net **np)
{
	struct net *net = *np;

	*np = NULL;
	if (!net)
		return;
	CHECK(!net->list);
	listeners_close(net);
	net_pool_stop(net);
	while (net->listeners) {
		struct net_listener *l = net->listeners;

		net->listeners = l->next;
		net_tls_free(&l->tls);
		pthread_mutex_destroy(&l->lock);
		free(l);
	}
	map_done(&net->sources);
	sys_ready_free(&net->poll);
	free(net->heap);
	free(net);
}

void net_stats(struct net *net, struct net_stats *ret)
{
	*ret = (struct net_stats){
		.connections = atomic_load(&net->connections),
		.threads = atomic_load(&net->threads),
		.threads_busy = atomic_load(&net->busy),
		.accepted = atomic_load(&net->accepted),
		.refused = atomic_load(&net->refused),
		.memory = atomic_load(&net->memory),
	};
}
