/* net/net_stream.c - blocking client streams; contract in net_tls.h. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "net/net_tls.h"
#include "net/net_tls_int.h"
#include "sys/clock.h"
#include "sys/ready.h"

#define INPUT ((size_t)8192)

struct net_stream {
	int    fd;
	SSL   *ssl;
	bool   failed; /* TLS is broken: no close_notify */
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

/* How many were added. */
static unsigned store_fill(X509_STORE *store, struct str pem)
{
	BIO     *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509    *cert;
	unsigned n = 0;

	CHECK(bio);
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	return n;
}

enum status net_tls_trust(struct str ca_pem, const char **ret_why)
{
	SSL_CTX *ctx, *old;

	if (ca_pem.n == 0 || ca_pem.n > LIMIT_TLS_CA_PEM) {
		*ret_why = ca_pem.n ? "the PEM text of the authorities is too long" : "no authorities in the PEM text";
		return ST_INVALID;
	}
	ctx = ctx_new();
	if (store_fill(SSL_CTX_get_cert_store(ctx), ca_pem) == 0) {
		SSL_CTX_free(ctx);
		*ret_why = "no authorities in the PEM text";
		return ST_INVALID;
	}
	pthread_mutex_lock(&client.lock);
	old = client.ctx;
	client.ctx = ctx;
	client.trusted = true;
	pthread_mutex_unlock(&client.lock);
	SSL_CTX_free(old);
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
			deadline = clock_mono_ms() + timeout_ms;
		}
	}
	return ST_OK;
}

bool net_stream_pending(struct net_stream *s)
{
	return s->n > s->at || (s->ssl && SSL_has_pending(s->ssl));
}

/* ---- the handshake ---- */

static bool is_address(const char *name)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

	ASN1_OCTET_STRING_free(ip);
	ERR_clear_error();
	return ip != NULL;
}

/* RFC 6125 §6.4: whole labels only; an address is compared as an address, and is never SNI (RFC 6066 §3). */
static bool set_name(SSL *ssl, const char *name, bool verify)
{
	bool address = is_address(name);

	/* What SSL_set_tlsext_host_name is, less its cast of a const; the name is copied. */
	if (!address && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)name) != 1)
		return false;
	if (!verify)
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 : SSL_set1_host(ssl, name) == 1;
}

static enum status handshake(struct net_stream *s, int64_t deadline, const char **ret_why)
{
	enum status st;
	long        verdict;

	do {
		ERR_clear_error();
		st = tls_outcome(s, SSL_connect(s->ssl), deadline);
	} while (st == ST_AGAIN);
	if (st == ST_OK)
		return ST_OK;
	s->failed = true;
	verdict = SSL_get_verify_result(s->ssl);
	if (st == ST_TEMP) {
		*ret_why = "the TLS handshake took too long";
	} else if (SSL_get_verify_mode(s->ssl) != SSL_VERIFY_NONE && verdict != X509_V_OK) {
		*ret_why = X509_verify_cert_error_string(verdict);
		st = ST_DENIED;
	} else {
		const char *reason = ERR_reason_error_string(ERR_peek_last_error());
		*ret_why = reason ? reason : "the peer closed the connection";
	}
	ERR_clear_error();
	return st;
}

enum status net_stream_tls(struct net_stream *s, const char *server_name, bool verify, unsigned timeout_ms, const char **ret_why)
{
	SSL_CTX *ctx;
	bool     trusted;

	CHECK(!s->ssl);
	if (s->n > s->at) {
		*ret_why = "clear text was sent ahead of TLS";
		return ST_INVALID;
	}
	ctx = ctx_get(&trusted);
	s->ssl = net_tls_bio_new(ctx, s->fd);
	SSL_set_verify(s->ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (!verify)
		SSL_set_security_level(s->ssl, 0);
	if (verify && (!trusted || !server_name)) {
		s->failed = true;
		*ret_why = trusted ? "no name to verify" : "no authorities to verify with";
		return ST_DENIED;
	}
	if (server_name && !set_name(s->ssl, server_name, verify)) {
		s->failed = true;
		*ret_why = "the server's name cannot be used";
		return ST_DENIED;
	}
	return handshake(s, clock_mono_ms() + timeout_ms, ret_why);
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
