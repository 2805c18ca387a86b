/* deliver/remote_connect.c - see remote_connect.h. */
#include "deliver/remote_connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/log.h"
#include "sys/clock.h"

#define TRIES 4u /* addresses of one host */

int remote_connect(const struct remote_target *t, struct str source, unsigned timeout_ms, struct remote_connect_why *ret)
{
	struct remote_race    race = { 0 };
	struct remote_attempt only = { .fd = -1 };

	if (remote_race_start(&race, t, NULL, source, timeout_ms, ret))
		(void)remote_race_wait(&race, false, &only, ret);
	return only.fd;
}

struct remote_outcome remote_connect_outcome(struct arena *a, struct str source, const struct remote_connect_why *why)
{
	struct remote_outcome o = { REMOTE_DEFERRED, STR("4.4.1"), arena_printf(a, "Cannot connect (%s)", log_errno_name(why->err)) };

	if (why->ours)
		o.answer = arena_printf(a, "Cannot connect from here (%s)", log_errno_name(why->err));
	if (why->source)
		o.answer = arena_printf(a, "Cannot connect from the address %.*s that the route names (%s)", STR_FMT(source), log_errno_name(why->err));
	return o;
}

struct str remote_connect_name(struct arena *a, const struct remote_target *t)
{
	return arena_printf(a, "%.*s [%s]:%u", STR_FMT(t->host), t->address.text, t->port);
}

struct str remote_connect_source(const struct remote_target *t, const struct hop *hop)
{
	return t->address.sa.ss_family == AF_INET6 ? hop->source6 : hop->source4;
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
