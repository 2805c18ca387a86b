/* net/net_output.c - writing: gathered per thread, sent blocking, with two deadlines.
 *
 * Only the thread that is inside a connection writes, and all is sent before it goes; so the buffer belongs to the thread and an
 * idle connection has none. A peer that reads nothing for write_stall_ms, or less than write_rate after that time, is gone.
 */
#include "net/net_int.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct flush {
	struct net_limits limits;
	int64_t           from, progress; /* ms; from 0: not blocked yet */
	size_t            sent;
};

static enum status plain_write(struct net_conn *c, struct str octets, size_t *ret_n)
{
	ssize_t n = send(c->fd, octets.p, octets.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0) {
		*ret_n = (size_t)n;
		return ST_OK;
	}
	c->want_mask = SYS_READY_OUT;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? ST_AGAIN : ST_CLOSED;
}

static bool too_slow(const struct net_conn *c, const struct flush *f, int64_t now)
{
	int64_t ms = now - f->from;

	if (f->limits.write_stall_ms == 0)
		return false;
	if (now - f->progress >= f->limits.write_stall_ms)
		return true;
	if (c->info.loopback && f->limits.exempt_loopback)
		return false;
	return ms > f->limits.write_stall_ms && (int64_t)f->sent * 1000 / ms < (int64_t)f->limits.write_rate;
}

/* The socket took nothing: wait until it does. */
static bool wait_writable(struct net_conn *c, struct flush *f)
{
	struct pollfd p = { .fd = c->fd, .events = c->want_mask == SYS_READY_IN ? POLLIN : POLLOUT };
	int64_t       now = clock_mono_ms();
	int           timeout = -1;

	if (f->from == 0) {
		net_limits_get(c->net, &f->limits);
		f->from = f->progress = now;
	}
	if (too_slow(c, f, now))
		return false;
	if (f->limits.write_stall_ms)
		timeout = (int)MIN(f->progress + f->limits.write_stall_ms - now, (int64_t)INT32_MAX);
	return poll(&p, 1, timeout) >= 0 || errno == EINTR;
}

static void send_raw(struct net_conn *c, struct str octets)
{
	struct flush f = { 0 };

	while (octets.n > 0 && !c->broken) {
		size_t      n = 0;
		enum status st = c->ssl ? net_tls_conn_write(c, octets, &n) : plain_write(c, octets, &n);

		if (st == ST_OK) {
			octets = str_from(octets, n);
			f.sent += n;
			if (f.from)
				f.progress = clock_mono_ms();
		} else if (st != ST_AGAIN || !wait_writable(c, &f)) {
			c->broken = true;
		}
	}
}

static void send_all(struct net_conn *c, struct str octets)
{
	if (c->deflate)
		net_deflate_write(c, octets, send_raw);
	else
		send_raw(c, octets);
}

static void out_send(struct net_conn *c)
{
	size_t n = c->w->out_n;

	c->w->out_n = 0;
	if (n > 0)
		send_all(c, str_n(c->w->out, n));
}

enum status net_flush(struct net_conn *c)
{
	out_send(c);
	if (c->deflate)
		net_deflate_flush(c, false, send_raw);
	return c->broken ? ST_CLOSED : ST_OK;
}

void net_output_end(struct net_conn *c)
{
	out_send(c);
	if (c->deflate)
		net_deflate_flush(c, true, send_raw);
}

void net_write(struct net_conn *c, struct str octets)
{
	struct net_worker *w = c->w;

	if (c->broken || octets.n == 0)
		return;
	if (octets.n > NET_OUTPUT - w->out_n)
		out_send(c);
	if (octets.n >= NET_OUTPUT) {
		send_all(c, octets);
		return;
	}
	memcpy(w->out + w->out_n, octets.p, octets.n);
	w->out_n += octets.n;
}

void net_printf(struct net_conn *c, const char *fmt, ...)
{
	struct net_worker *w = c->w;
	size_t             room = NET_OUTPUT - w->out_n;
	va_list            ap, again;
	int                n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(w->out + w->out_n, room, fmt, ap);
	CHECK(n >= 0);
	if (c->broken) {
		w->out_n = 0;
	} else if ((size_t)n < room) {
		w->out_n += (size_t)n;
	} else {
		char *p = malloc((size_t)n + 1);
		CHECK(p);
		vsnprintf(p, (size_t)n + 1, fmt, again);
		net_write(c, str_n(p, (size_t)n));
		free(p);
	}
	va_end(again);
	va_end(ap);
}

void net_output_refuse(int fd, const char *text)
{
	struct str s = str_of(text);

	if (s.n > 0 && send(fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
}
