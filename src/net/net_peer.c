/* net/net_peer.c - who the peer is: its address as text, and whom a trusted proxy says it speaks for.
 *
 * The header is peeked at and only then taken, up to its last octet: what follows may be a TLS handshake, which is not for our buffer.
 */
#include "net/net_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "wire/proxy/proxy.h"

void net_peer_inet(struct net_info *info, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *v6 = (const void *)ss;
	const struct sockaddr_in  *v4 = (const void *)ss;
	const unsigned char       *a = v6->sin6_addr.s6_addr;

	if (ss->ss_family == AF_INET) {
		info->peer_port = ntohs(v4->sin_port);
		info->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
		inet_ntop(AF_INET, &v4->sin_addr, info->peer, sizeof(info->peer));
	} else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		info->peer_port = ntohs(v6->sin6_port);
		info->loopback = a[12] == 127;
		inet_ntop(AF_INET, a + 12, info->peer, sizeof(info->peer));
	} else {
		info->peer_port = ntohs(v6->sin6_port);
		info->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		inet_ntop(AF_INET6, &v6->sin6_addr, info->peer, sizeof(info->peer));
	}
}

bool net_peer_set(struct net_conn *c, const char *address, unsigned port)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in     *v4 = (void *)&ss;
	struct sockaddr_in6    *v6 = (void *)&ss;
	struct net_limits       limits;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		ss.ss_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
	} else {
		CHECK(inet_pton(AF_INET6, address, &v6->sin6_addr) == 1);
		ss.ss_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
	}
	net_source_leave(c);
	net_source_remove(c);
	net_peer_inet(&c->info, &ss);
	net_limits_get(c->net, &limits);
	return net_source_add(c, &limits, str_of(c->info.peer));
}

/* ---- the PROXY header ---- */

static enum status apply(struct net_conn *c, const struct proxy *p)
{
	char text[INET6_ADDRSTRLEN], via[sizeof(c->info.peer)];

	if (p->unknown) {
		c->info.unnamed = true;
		c->info.loopback = false;
	}
	if (p->local)
		return ST_OK;
	CHECK(inet_ntop(p->v6 ? AF_INET6 : AF_INET, p->source, text, sizeof(text)));
	memcpy(via, c->info.peer, sizeof(via));
	if (!net_peer_set(c, text, p->source_port))
		return ST_LIMIT;
	log_debug("client named by proxy", LOG_C("session", c->info.id), LOG_C("via", via), LOG_C("peer", c->info.peer));
	return ST_OK;
}

/* Take n octets that were peeked at. */
static bool take(struct net_conn *c, size_t n)
{
	ssize_t got = recv(c->fd, c->in.p + c->in.n, n, MSG_DONTWAIT);

	if (got != (ssize_t)n)
		return false;
	c->in.n += n;
	return true;
}

enum status net_peer_proxy(struct net_conn *c)
{
	struct net_input *in = &c->in;
	struct proxy      p;
	size_t            n;

	for (;;) {
		ssize_t got = recv(c->fd, in->p + in->n, in->cap - in->n, MSG_DONTWAIT | MSG_PEEK);

		if (got <= 0)
			return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? ST_AGAIN : ST_CLOSED;
		switch (proxy_parse(str_n(in->p, in->n + (size_t)got), &p, &n)) {
		case PROXY_INVALID: return ST_INVALID;
		case PROXY_MORE:
			if (!take(c, (size_t)got))
				return ST_CLOSED;
			break;
		case PROXY_DONE:
			if (!take(c, n - in->n))
				return ST_CLOSED;
			in->at = in->n; /* nothing of it is for the session */
			return apply(c, &p);
		}
	}
}
