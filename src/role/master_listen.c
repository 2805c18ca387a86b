/* role/master_listen.c - see master_listen.h. */
#include "role/master_listen.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/fd.h"

#define BACKLOG 4096

static int bind_one(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6) /* "*" means both families */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* "*" binds :: with both families, or 0.0.0.0 where there is no IPv6. */
static int listen_one(struct arena *a, struct str text, const char **ret_why)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *list = NULL;
	struct str      host;
	uint32_t        port;
	int             fd = -1, err;

	CHECK(config_address_split(text, &host, &port));
	hints.ai_flags |= host.n ? AI_NUMERICHOST : 0;
	const char *node = host.n ? arena_cstr(a, host) : "::", *service = arena_printf(a, "%u", port).p;
	err = getaddrinfo(node, service, &hints, &list);
	if (err) {
		*ret_why = "not a numeric address";
		return -1;
	}
	fd = bind_one(list);
	err = errno;
	freeaddrinfo(list);
	if (fd < 0 && host.n == 0 && (err == EAFNOSUPPORT || err == EADDRNOTAVAIL) && getaddrinfo("0.0.0.0", service, &hints, &list) == 0) {
		fd = bind_one(list);
		err = errno;
		freeaddrinfo(list);
	}
	if (fd < 0)
		*ret_why = err == EADDRINUSE ? "the port is busy: another program (or another Postrider) listens there"
			   : err == EACCES   ? "not allowed: ports below 1024 need root, or another port"
					     : strerror(err);
	return fd;
}

enum status master_listen_all(const struct config *c, struct arena *a, struct master_listener *ret, const char **ret_why)
{
	for (size_t i = 0; i < c->listen_count; i++) {
		const char *why = NULL;

		ret[i].address = c->listen[i];
		ret[i].fd = listen_one(a, c->listen[i].text, &why);
		if (ret[i].fd < 0) {
			*ret_why = arena_printf(a, "cannot listen on %.*s for %s: %s", STR_FMT(c->listen[i].text),
						config_listener_names[c->listen[i].kind], why).p;
			while (i-- > 0)
				fd_close(&ret[i].fd);
			return ST_BUSY;
		}
	}
	return ST_OK;
}

void master_listen_again(const struct master_listener *l)
{
	if (listen(l->fd, BACKLOG) < 0)
		log_error("cannot listen", LOG_STR("address", l->address.text), LOG_ERRNO(errno));
}
