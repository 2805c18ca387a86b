/* tests/unit/net_rig.h - a small protocol over net/net.h, and clients for it on loopback.
 *
 *   ECHO x     "=x"                       HOLD        blocks until rig_open_gate, then "held"
 *   DATA       dot data, "D<n> <octets>"  BYTES n     the same for n octets
 *   STARTTLS   "go", then TLS             IDLE        "idle"; net_wake gives "woken"
 *   SLEEP      waits for WAKE only        BIG n       n octets of output
 *   TRUST      net_trust, "trusted"       QUIT        "bye" and close
 *   WAKESELF   net_wake inside, "ok"      INFO        "<version> <peer>"
 */
#ifndef NET_RIG_H
#define NET_RIG_H

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/net.h"
#include "net/net_tls.h"

struct rig {
	struct net      *net;
	uint16_t         port, tls_port;
	bool             normalise;
	unsigned         timeout_ms;
	_Atomic unsigned told; /* if not 0, "woken" says it */
	pthread_mutex_t  lock;
	pthread_cond_t   changed;
	bool             gate;
	unsigned         held, sessions, closed;
	struct net_conn *last; /* a reference to the connection that said IDLE or SLEEP last */
};

struct rig_session {
	struct rig      *rig;
	struct net_conn *c;
	struct buf       data;
	bool             sleeping;
};

static bool rig_sink(void *ctx, struct str octets)
{
	struct rig_session *s = ctx;

	return buf_add(&s->data, octets);
}

static struct net_want rig_want(struct rig_session *s, enum net_want_kind kind, size_t n)
{
	return (struct net_want){ .kind = kind,
				  .n = n,
				  .sink = { rig_sink, s },
				  .normalise = s->rig->normalise,
				  .timeout_ms = s->rig->timeout_ms };
}

static void *rig_open(void *ctx, struct net_conn *c)
{
	struct rig         *rig = ctx;
	struct rig_session *s = calloc(1, sizeof(*s));

	s->rig = rig;
	s->c = c;
	buf_init(&s->data, 4 * MIB);
	pthread_mutex_lock(&rig->lock);
	rig->sessions++;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
	return s;
}

static void rig_close(void *session)
{
	struct rig_session *s = session;
	struct rig         *rig = s->rig;

	buf_done(&s->data);
	free(s);
	pthread_mutex_lock(&rig->lock);
	rig->closed++;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
}

static void rig_hold(struct rig *rig)
{
	pthread_mutex_lock(&rig->lock);
	rig->held++;
	pthread_cond_broadcast(&rig->changed);
	while (!rig->gate)
		pthread_cond_wait(&rig->changed, &rig->lock);
	rig->held--;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
}

static void rig_remember(struct rig_session *s)
{
	pthread_mutex_lock(&s->rig->lock);
	net_unref(&s->rig->last);
	s->rig->last = net_ref(s->c);
	pthread_cond_broadcast(&s->rig->changed);
	pthread_mutex_unlock(&s->rig->lock);
}

static void rig_big(struct net_conn *c, uint64_t n)
{
	char line[1000];

	memset(line, 'x', sizeof(line));
	for (; n > 0 && net_flush(c) == ST_OK; n -= MIN(n, sizeof(line)))
		net_write(c, str_n(line, (size_t)MIN(n, (uint64_t)sizeof(line))));
	net_write(c, STR("\r\n"));
}

static struct net_want rig_line(struct rig_session *s, struct str line)
{
	struct net_conn *c = s->c;
	uint64_t         n = 0;

	if (str_skip(&line, STR("ECHO ")))
		net_printf(c, "=%.*s\r\n", STR_FMT(line));
	else if (str_eq(line, STR("QUIT"))) {
		net_write(c, STR("bye\r\n"));
		return rig_want(s, NET_WANT_CLOSE, 0);
	} else if (str_eq(line, STR("DATA"))) {
		return rig_want(s, NET_WANT_DOT, 0);
	} else if (str_skip(&line, STR("BYTES ")) && str_to_u64(line, &n)) {
		return rig_want(s, NET_WANT_BYTES, (size_t)n);
	} else if (str_eq(line, STR("STARTTLS")) && net_tls_possible(c)) {
		net_write(c, STR("go\r\n"));
		return rig_want(s, NET_WANT_TLS, 0);
	} else if (str_eq(line, STR("IDLE"))) {
		net_write(c, STR("idle\r\n"));
		net_flush(c);
		rig_remember(s);
	} else if (str_eq(line, STR("SLEEP"))) {
		net_write(c, STR("sleep\r\n"));
		net_flush(c);
		rig_remember(s);
		return rig_want(s, NET_WANT_WAKE, 0);
	} else if (str_eq(line, STR("WAKESELF"))) {
		net_wake(c);
		net_write(c, STR("ok\r\n"));
	} else if (str_eq(line, STR("HOLD"))) {
		rig_hold(s->rig);
		net_write(c, STR("held\r\n"));
	} else if (str_skip(&line, STR("BIG ")) && str_to_u64(line, &n)) {
		rig_big(c, n);
	} else if (str_eq(line, STR("TRUST"))) {
		net_trust(c);
		net_write(c, STR("trusted\r\n"));
	} else if (str_eq(line, STR("INFO"))) {
		const struct net_info *i = net_info(c);
		net_printf(c, "%s %s%s%s\r\n", i->tls ? i->tls_version : "clear", i->peer, i->unnamed ? " unnamed" : "", i->unnamed && i->loopback ? " loopback" : "");
	} else {
		net_write(c, STR("what?\r\n"));
	}
	return rig_want(s, NET_WANT_LINE, 1000);
}

static struct net_want rig_handle(void *session, const struct net_ev *ev)
{
	struct rig_session *s = session;
	struct net_conn    *c = s->c;

	switch (ev->kind) {
	case NET_EV_START:    net_write(c, STR("hello\r\n")); break;
	case NET_EV_LINE:     return rig_line(s, ev->line);
	case NET_EV_LONG:     net_write(c, STR("long\r\n")); break;
	case NET_EV_BARE_EOL: net_write(c, STR("bare\r\n")); break;
	case NET_EV_DATA:
		net_printf(c, "D%u%s%s ", (unsigned)ev->data_n, ev->refused ? " refused" : "", ev->bare_eol ? " bare" : "");
		buf_add(&s->data, STR("\r\n"));
		net_write(c, buf_str(&s->data));
		buf_clear(&s->data);
		break;
	case NET_EV_TLS:  break;
	case NET_EV_WAKE:
		if (s->rig->told)
			net_printf(c, "woken %u\r\n", atomic_load(&s->rig->told));
		else
			net_write(c, STR("woken\r\n"));
		break;
	case NET_EV_TIMEOUT:
		net_write(c, STR("timeout\r\n"));
		return rig_want(s, NET_WANT_CLOSE, 0);
	case NET_EV_DRAIN:
		net_write(c, STR("drain\r\n"));
		return rig_want(s, NET_WANT_CLOSE, 0);
	}
	return rig_want(s, NET_WANT_LINE, 1000);
}

static const struct net_proto rig_proto = {
	.name = "rig", .open = rig_open, .handle = rig_handle, .close = rig_close, .refused = "refused\r\n", .strict_eol = true
};

static inline int rig_listener(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t          n = sizeof(a);
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static inline void rig_new(struct rig *rig, const struct net_limits *limits, struct net_tls *tls)
{
	*rig = (struct rig){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	rig->net = net_new(limits);
	assert_non_null(rig->net);
	net_listen(rig->net, rig_listener(&rig->port), &rig_proto, rig, tls, false);
	if (tls)
		net_listen(rig->net, rig_listener(&rig->tls_port), &rig_proto, rig, tls, true);
	net_run(rig->net);
}

static inline void rig_gate(struct rig *rig, bool open)
{
	pthread_mutex_lock(&rig->lock);
	rig->gate = open;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
}

/* Wait until *count is at least (or, for held going down, exactly) `n`. */
static inline void rig_await(struct rig *rig, const unsigned *count, unsigned n)
{
	pthread_mutex_lock(&rig->lock);
	while (*count != n)
		pthread_cond_wait(&rig->changed, &rig->lock);
	pthread_mutex_unlock(&rig->lock);
}

static inline struct net_conn *rig_take_last(struct rig *rig)
{
	struct net_conn *c;

	pthread_mutex_lock(&rig->lock);
	while (!rig->last)
		pthread_cond_wait(&rig->changed, &rig->lock);
	c = rig->last;
	rig->last = NULL;
	pthread_mutex_unlock(&rig->lock);
	return c;
}

static inline void rig_done(struct rig *rig)
{
	rig_gate(rig, true);
	net_drain(rig->net, 0);
	assert_int_equal(rig->sessions, rig->closed);
	net_free(&rig->net);
	net_unref(&rig->last);
}

/* ---- clients ---- */

static inline int rig_connect(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return fd;
}

static inline void rig_send(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		assert_true(n > 0);
		s = str_from(s, (size_t)n);
	}
}

/* Octets up to LF; "" at the end of the connection, "!" on a reset. */
static inline struct str rig_line_in(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t got = recv(fd, buf + n, 1, 0);
		if (got < 0)
			return STR("!");
		if (got == 0)
			break;
		if (buf[n++] == '\n')
			break;
	}
	return str_n(buf, n);
}

#define rig_expect(fd, want)                                                                                                   \
	do {                                                                                                                   \
		char rig_buf[2048];                                                                                            \
		assert_str(rig_line_in((fd), rig_buf, sizeof(rig_buf)), STR(want));                                            \
	} while (0)

#endif
