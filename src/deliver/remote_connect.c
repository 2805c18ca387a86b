/* deliver/remote_connect.c - see remote_connect.h. */
#include "deliver/remote_connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/log.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define TRIES 4u /* addresses of one host */

static enum status wait_connected(int fd, unsigned timeout_ms, int *ret_errno)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int64_t       end = clock_mono_ms() + timeout_ms, left;
	socklen_t     n = sizeof(*ret_errno);
	int           got;

	do {
		left = end - clock_mono_ms(); /* MAX asks the clock twice, and poll waits for ever below zero */
		got = poll(&p, 1, (int)MAX(left, (int64_t)0));
	} while (got < 0 && errno == EINTR);
	if (got == 0) {
		*ret_errno = ETIMEDOUT;
		return ST_TEMP;
	}
	if (got < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, ret_errno, &n) != 0)
		*ret_errno = errno;
	return *ret_errno == 0 ? ST_OK : ST_TEMP;
}

/* The port is chosen when the connection is made: one port of ours can then serve connections to many hosts. */
static bool source_bind(int fd, const struct remote_target *t, struct str source, int *ret_errno)
{
	struct remote_address address;
	const int             on = 1;

	*ret_errno = EINVAL;
	if (!remote_address_parse(source, 0, &address) || address.sa.ss_family != t->address.sa.ss_family)
		return false;
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address.sa, address.sa_n) == 0)
		return true;
	*ret_errno = errno;
	return false;
}

int remote_connect(const struct remote_target *t, struct str source, unsigned timeout_ms, struct remote_connect_why *ret)
{
	int fd = socket(t->address.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	*ret = (struct remote_connect_why){ 0 };
	if (fd >= 0 && source.n > 0 && !source_bind(fd, t, source, &ret->err)) {
		ret->source = true;
		fd_close(&fd);
		return -1;
	}
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&t->address.sa, t->address.sa_n) == 0)
		return fd;
	ret->err = errno;
	if (fd >= 0 && ret->err == EINPROGRESS && wait_connected(fd, timeout_ms, &ret->err) == ST_OK)
		return fd;
	fd_close(&fd);
	return -1;
}

enum status remote_connect_host(const struct remote *remote, struct str host, unsigned port, unsigned timeout_ms, int *ret_fd)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	const bool                          v6 = str_find(host, ':') >= 0;
	const struct remote_deliver_request to = {
		.relay = arena_printf(a, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_FMT(host), port),
	};
	const int                   on = 1;
	int64_t                     until_ms = clock_mono_ms() + timeout_ms;
	struct remote_route        *route = ARENA_NEW(a, struct remote_route);
	struct remote_outcome       why;
	const struct remote_target *t;
	struct remote_connect_why   failed = { 0 };

	if (!remote_route_open(route, remote, a, &to, &why))
		return ST_TEMP;
	for (unsigned i = 0; i < TRIES && (t = remote_route_next(route)); i++) {
		int64_t left = until_ms - clock_mono_ms();
		int     fd = left > 0 ? remote_connect(t, STR(""), (unsigned)left, &failed) : -1;

		if (fd < 0)
			continue;
		/* Questions and answers go back and forth: nothing is gained by waiting for more. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		*ret_fd = fd;
		return ST_OK;
	}
	log_debug("filter cannot be connected", LOG_STR("host", host), LOG_U64("port", port), LOG_ERRNO(failed.err));
	return ST_TEMP;
}
