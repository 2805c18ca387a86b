/* net/net_tls_conn.c - the TLS of one connection, and OpenSSL over a socket.
 *
 * Read-ahead lets OpenSSL take several records in one system call; what it has taken shows in SSL_has_pending. With
 * SSL_MODE_RELEASE_BUFFERS it gives both record buffers (2 * 17 KiB) back whenever they are empty, so an idle connection has none.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/log.h"
#include "net/net_int.h"
#include "net/net_tls.h"
#include "net/net_tls.h"
#include "net/net_tls_int.h"

/* ---- a BIO with send and recv: OpenSSL's own uses write, which may raise SIGPIPE ---- */

static int bio_fd(BIO *bio)
{
	return (int)(intptr_t)BIO_get_data(bio);
}

static int bio_write(BIO *bio, const char *p, int n)
{
	ssize_t sent = send(bio_fd(bio), p, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)sent;
}

static int bio_read(BIO *bio, char *p, int n)
{
	ssize_t got = recv(bio_fd(bio), p, (size_t)n, MSG_DONTWAIT);

	BIO_clear_retry_flags(bio);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		BIO_set_retry_read(bio);
	return (int)got;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD    *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void method_make(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "net");
	CHECK(method);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

SSL *net_tls_bio_new(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);
	BIO *bio;

	SSL_CTX_free(ctx); /* ssl holds its own */
	pthread_once(&method_once, method_make);
	bio = BIO_new(method);
	CHECK(ssl && bio);
	BIO_set_data(bio, (void *)(intptr_t)fd);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	return ssl;
}

enum status net_tls_result(SSL *ssl, int result, unsigned *ret_mask)
{
	if (result > 0)
		return ST_OK;
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:  *ret_mask = SYS_READY_IN; return ST_AGAIN;
	case SSL_ERROR_WANT_WRITE: *ret_mask = SYS_READY_OUT; return ST_AGAIN;
	default:                   return ST_CLOSED;
	}
}

/* ---- for net_conn ---- */

void net_tls_conn_begin(struct net_conn *c)
{
	/* Held as long as the TLS object: its callbacks (SNI, tickets) use it, and a reload may replace the listener's. */
	pthread_mutex_lock(&c->listener->lock);
	c->tls = net_tls_ref(c->listener->tls);
	pthread_mutex_unlock(&c->listener->lock);
	c->ssl = net_tls_bio_new(net_tls_ctx(c->tls), c->fd);
	SSL_set_accept_state(c->ssl);
	if (c->listener->proto->wants_certificate && c->listener->proto->wants_certificate(c->listener->ctx))
		net_tls_ask_certificate(c->ssl);
}

static enum status result(struct net_conn *c, int r)
{
	unsigned    mask = c->want_mask;
	enum status st = net_tls_result(c->ssl, r, &mask);

	c->want_mask = (uint8_t)mask;
	return st;
}

enum status net_tls_conn_handshake(struct net_conn *c)
{
	enum status st;

	ERR_clear_error();
	st = result(c, SSL_do_handshake(c->ssl));
	if (st == ST_OK) {
		c->info.tls = true;
		c->info.tls_version = SSL_get_version(c->ssl);
		c->info.tls_cipher = SSL_get_cipher_name(c->ssl);
	} else if (st == ST_CLOSED) {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());

		log_debug("TLS handshake failed", LOG_C("session", c->info.id), LOG_C("why", why ? why : "peer closed"));
		c->tls_failed = true;
	}
	return st;
}

enum status net_tls_conn_read(struct net_conn *c, char *p, size_t n, size_t *ret_n)
{
	enum status st;
	int         r;

	ERR_clear_error();
	r = SSL_read(c->ssl, p, (int)MIN(n, (size_t)INT_MAX));
	st = result(c, r);
	if (st == ST_OK)
		*ret_n = (size_t)r;
	else if (st == ST_CLOSED && SSL_get_error(c->ssl, r) != SSL_ERROR_ZERO_RETURN)
		c->tls_failed = true;
	return st;
}

enum status net_tls_conn_write(struct net_conn *c, struct str octets, size_t *ret_n)
{
	enum status st;
	int         r;

	ERR_clear_error();
	r = SSL_write(c->ssl, octets.p, (int)MIN(octets.n, (size_t)INT_MAX));
	st = result(c, r);
	if (st == ST_OK)
		*ret_n = (size_t)r;
	else if (st == ST_CLOSED)
		c->tls_failed = true;
	return st;
}

bool net_tls_conn_pending(const struct net_conn *c)
{
	return SSL_has_pending(c->ssl);
}

void net_tls_conn_end(struct net_conn *c, bool notify)
{
	/* After a failure SSL_shutdown must not be called, SSL_get_error(3). */
	if (notify && !c->tls_failed)
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	c->ssl = NULL;
	net_tls_free(&c->tls);
	ERR_clear_error();
}
