/* net/net_stream.c - blocking client streams; contract in net_tls.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/limits.h"
#include "net/net_authorities.h"
#include "net/net_tls.h"
#include "net/net_tls_int.h"
#include "net/net_verify.h"
#include "sys/clock.h"
#include "sys/ready.h"

#define INPUT ((size_t)8192)

struct net_stream {
	int    fd;
	SSL   *ssl;
	bool   failed; /* TLS is broken: no close_notify */
	char  *resume; /* under what sessions are kept (net_resume.c); NULL: they are not */
	uint64_t sent; /* octets in clear */
	size_t at, n;
	char   in[INPUT];
};

/* ---- contexts: one for the process, which has one set of authorities ---- */

static struct {
	pthread_mutex_t lock;
	SSL_CTX        *ctx;     /* with the trusted authorities, if any */
	bool            trusted; /* they were given */
} client = { .lock = PTHREAD_MUTEX_INITIALIZER };

static SSL_CTX *ctx_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	CHECK(ctx);
	net_tls_ctx_common(ctx);
	net_resume_ctx(ctx);
	net_verify_ctx(ctx);
	return ctx;
}

static SSL_CTX *ctx_get(bool *ret_trusted)
{
	SSL_CTX *ctx;

	pthread_mutex_lock(&client.lock);
	if (!client.ctx)
		client.ctx = ctx_new();
	ctx = client.ctx;
	SSL_CTX_up_ref(ctx);
	*ret_trusted = client.trusted;
	pthread_mutex_unlock(&client.lock);
	return ctx;
}

enum status net_tls_trust(struct str ca_pem, const char **ret_why)
{
	struct net_authorities *authorities;
	SSL_CTX                *ctx, *old;

	if (ca_pem.n == 0 || ca_pem.n > LIMIT_TLS_CA_PEM) {
		*ret_why = ca_pem.n ? "the PEM text of the authorities is too long" : "no authorities in the PEM text";
		return ST_INVALID;
	}
	authorities = net_authorities_get(ca_pem);
	if (!authorities) {
		*ret_why = "no authorities in the PEM text";
		return ST_INVALID;
	}
	ctx = ctx_new();
	net_authorities_use(authorities, ctx);
	net_authorities_put(authorities);
	pthread_mutex_lock(&client.lock);
	old = client.ctx;
	client.ctx = ctx;
	client.trusted = true;
	pthread_mutex_unlock(&client.lock);
	SSL_CTX_free(old);
	net_resume_forget();
	return ST_OK;
}

/* ---- streams ---- */

struct net_stream *net_stream_new(int fd)
{
	struct net_stream *s = malloc(sizeof(*s));

	if (!s) {
		fprintf(stderr, "postrider: out of memory\n");
		abort();
	}
	s->fd = fd;
	s->ssl = NULL;
	s->failed = false;
	s->resume = NULL;
	s->sent = 0;
	s->at = s->n = 0;
	return s;
}

void net_stream_free(struct net_stream **sp)
{
	struct net_stream *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	if (s->ssl && !s->failed)
		SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	ERR_clear_error();
	close(s->fd);
	free(s->resume);
	free(s);
}

/* Wait until the descriptor is ready for `mask`. ST_OK or ST_TEMP. */
static enum status await(const struct net_stream *s, unsigned mask, int64_t deadline)
{
	struct pollfd p = { .fd = s->fd, .events = mask == SYS_READY_OUT ? POLLOUT : POLLIN };
	int           n;

	do {
		int64_t left = deadline - clock_mono_ms();

		if (left <= 0)
			return ST_TEMP;
		n = poll(&p, 1, (int)MIN(left, (int64_t)INT32_MAX));
	} while (n < 0 && errno == EINTR);
	return n > 0 ? ST_OK : ST_TEMP;
}

/* What the result of one TLS call means; waits if that helps. ST_OK: done, ST_AGAIN: call again. */
static enum status tls_outcome(struct net_stream *s, int result, int64_t deadline)
{
	unsigned    mask = SYS_READY_IN;
	enum status st = net_tls_result(s->ssl, result, &mask);

	if (st == ST_AGAIN) {
		st = await(s, mask, deadline);
		return st == ST_OK ? ST_AGAIN : st;
	}
	s->failed = s->failed || (st != ST_OK && SSL_get_error(s->ssl, result) != SSL_ERROR_ZERO_RETURN);
	return st;
}

static enum status plain_outcome(struct net_stream *s, ssize_t n, unsigned mask, int64_t deadline)
{
	enum status st;

	if (n > 0)
		return ST_OK;
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		return ST_CLOSED;
	st = await(s, mask, deadline);
	return st == ST_OK ? ST_AGAIN : st;
}

static enum status fill(struct net_stream *s, int64_t deadline)
{
	enum status st;
	ssize_t     n;

	do {
		if (s->ssl) {
			ERR_clear_error();
			n = SSL_read(s->ssl, s->in, sizeof(s->in));
			st = tls_outcome(s, (int)n, deadline);
		} else {
			n = recv(s->fd, s->in, sizeof(s->in), MSG_DONTWAIT);
			st = plain_outcome(s, n, SYS_READY_IN, deadline);
		}
	} while (st == ST_AGAIN);
	s->at = 0;
	s->n = st == ST_OK ? (size_t)n : 0;
	return st;
}

enum status net_stream_line(struct net_stream *s, struct buf *line, unsigned timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;

	buf_clear(line);
	for (;;) {
		struct str  got = str_n(s->in + s->at, s->n - s->at), rest;
		enum status st;

		if (str_cut(got, '\n', &got, &rest)) {
			s->at = s->n - rest.n;
			if (!buf_add(line, got))
				return ST_LIMIT;
			if (line->n > 0 && line->p[line->n - 1] == '\r')
				line->n--;
			return ST_OK;
		}
		s->at = s->n;
		if (got.n > 0 && !buf_add(line, got))
			return ST_LIMIT;
		st = fill(s, deadline);
		if (st != ST_OK)
			return st;
	}
}

enum status net_stream_write(struct net_stream *s, struct str octets, unsigned timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;

	while (octets.n > 0) {
		enum status st;
		ssize_t     n;

		if (s->ssl) {
			ERR_clear_error();
			n = SSL_write(s->ssl, octets.p, (int)MIN(octets.n, (size_t)INT32_MAX));
			st = tls_outcome(s, (int)n, deadline);
		} else {
			n = send(s->fd, octets.p, octets.n, MSG_DONTWAIT | MSG_NOSIGNAL);
			st = plain_outcome(s, n, SYS_READY_OUT, deadline);
		}
		if (st != ST_OK && st != ST_AGAIN)
			return st;
		if (st == ST_OK) {
			octets = str_from(octets, (size_t)n);
			s->sent += s->ssl ? 0 : (uint64_t)n;
			deadline = clock_mono_ms() + timeout_ms;
		}
	}
	return ST_OK;
}

bool net_stream_pending(struct net_stream *s)
{
	return s->n > s->at || (s->ssl && SSL_has_pending(s->ssl));
}

bool net_stream_quiet(struct net_stream *s)
{
	unsigned mask = SYS_READY_IN;
	char     c;

	if (s->n > s->at || s->failed)
		return false;
	if (!s->ssl)
		return recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	ERR_clear_error();
	return net_tls_result(s->ssl, SSL_peek(s->ssl, &c, 1), &mask) == ST_AGAIN;
}

bool net_stream_undelivered(const struct net_stream *s)
{
	struct tcp_info info = { 0 };
	socklen_t       n = sizeof(info);
	uint64_t        written = s->sent + (s->ssl ? BIO_number_written(SSL_get_wbio(s->ssl)) : 0);

	/* It counts the SYN too, so all can look acknowledged when one octet is not: then this says nothing, which is the safe side. */
	return getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       n >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked) && info.tcpi_bytes_acked < written;
}

/* ---- the handshake ---- */

void net_stream_resume(struct net_stream *s, struct str key)
{
	free(s->resume);
	s->resume = strndup(key.p ? key.p : "", key.n);
	CHECK(s->resume);
}

bool net_stream_tls_resumed(const struct net_stream *s)
{
	return s->ssl && SSL_session_reused(s->ssl);
}

static enum status handshake(struct net_stream *s, const struct net_tls_want *want, int64_t deadline, struct net_tls_got *ret)
{
	enum status st;

	do {
		ERR_clear_error();
		st = tls_outcome(s, SSL_connect(s->ssl), deadline);
	} while (st == ST_AGAIN);
	if (!net_verify_end(s->ssl, want, st == ST_OK, ret) && st != ST_TEMP) {
		st = ST_DENIED;
	} else if (st == ST_TEMP) {
		ret->why = "the TLS handshake took too long";
	} else if (st != ST_OK) {
		const char *reason = ERR_reason_error_string(ERR_peek_last_error());
		ret->why = reason ? reason : "the peer closed the connection";
	}
	s->failed = s->failed || st != ST_OK;
	ERR_clear_error();
	return st;
}

enum status net_stream_tls(struct net_stream *s, const struct net_tls_want *want, unsigned timeout_ms, struct net_tls_got *ret)
{
	SSL_CTX *ctx;
	bool     trusted;

	CHECK(!s->ssl);
	*ret = (struct net_tls_got){ .why = "clear text was sent ahead of TLS" };
	if (s->n > s->at)
		return ST_INVALID;
	ctx = ctx_get(&trusted);
	s->ssl = net_tls_bio_new(ctx, s->fd);
	if (!net_verify_begin(s->ssl, want, trusted, ret)) {
		s->failed = true;
		return ST_DENIED;
	}
	if (s->resume)
		net_resume_offer(s->ssl, s->resume, want);
	return handshake(s, want, clock_mono_ms() + timeout_ms, ret);
}

const char *net_stream_tls_version(const struct net_stream *s)
{
	return s->ssl ? SSL_get_version(s->ssl) : NULL;
}

const char *net_stream_tls_cipher(const struct net_stream *s)
{
	return s->ssl ? SSL_get_cipher_name(s->ssl) : NULL;
}

_Static_assert(NET_STREAM_BINDING == NET_BINDING_OCTETS, "one size of channel bindings");

struct str net_stream_binding(const struct net_stream *s, char out[NET_STREAM_BINDING], const char **ret_name)
{
	const X509 *server = s->ssl && SSL_is_init_finished(s->ssl) ? SSL_get0_peer_certificate(s->ssl) : NULL;
	size_t      n;

	*ret_name = "tls-exporter";
	if (!server)
		return STR("");
	n = net_tls_binding(s->ssl, server, NET_BINDING_EXPORTER, (unsigned char *)out);
	if (n > 0)
		return str_n(out, n);
	*ret_name = "tls-server-end-point";
	return str_n(out, net_tls_binding(s->ssl, server, NET_BINDING_END_POINT, (unsigned char *)out));
}

void net_stream_local(const struct net_stream *s, char ret[LIMIT_IP_TEXT])
{
	struct sockaddr_storage sa;
	struct sockaddr_in      v4;
	struct sockaddr_in6     v6;
	socklen_t               n = sizeof(sa);

	ret[0] = '\0';
	if (getsockname(s->fd, (struct sockaddr *)&sa, &n) != 0)
		return;
	memcpy(&v4, &sa, sizeof(v4));
	memcpy(&v6, &sa, sizeof(v6));
	if (sa.ss_family == AF_INET)
		(void)!inet_ntop(AF_INET, &v4.sin_addr, ret, LIMIT_IP_TEXT);
	else if (sa.ss_family == AF_INET6)
		(void)!inet_ntop(AF_INET6, &v6.sin6_addr, ret, LIMIT_IP_TEXT);
}
