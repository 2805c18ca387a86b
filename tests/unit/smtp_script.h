/* tests/unit/smtp_script.h - an SMTP server that does what a script says, in a thread, on a loopback port.
 *
 * A script is a list of steps, one string each, ended by NULL:
 *   "S 220 mx"    send that line and CRLF          "R 220 mx\r\nx"  send exactly that
 *   "E MAIL"      a line that starts so must come  "E"              any line
 *   "D"           read data up to CRLF.CRLF into script.data
 *   "T"           TLS handshake (self-signed)      "X"              close, without shutting TLS down
 *   "W"           wait until the peer closes       "C"              close, accept the next connection
 *   "N 50 x"      send "x" fifty times             "t"              TLS handshake that the peer breaks off
 *   "B"           read a BDAT ... LAST line, and its octets into script.data
 *   "Z"           close with a reset               "F"              tell script_wait() that it came so far
 *   "H x"         script.hook(script, "x"), which says whether it went well
 * If a step fails, script.failed says which, and the connection is closed.
 */
#ifndef SMTP_SCRIPT_H
#define SMTP_SCRIPT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

struct script {
	const char *const *steps;
	const char        *failed; /* the step that went wrong, or NULL */
	struct buf         data;   /* what "D" read, with its stuffing and the final dot */
	struct buf         seen;   /* all lines that "E" read, each ended by LF */
	SSL_CTX           *tls;
	pthread_t          thread;
	atomic_uint        flags;  /* how many "F" were passed */
	struct sockaddr_in client; /* of the last connection */
	unsigned           port;
	int                listener, fd;
	SSL               *ssl;
	bool             (*hook)(struct script *s, const char *arg);
	char               in[4096];
	size_t             at, n;
};

static SSL_CTX *script_tls(void)
{
	SSL_CTX  *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509     *cert = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"mx.test",
				   -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_sign(cert, key, EVP_sha256());
	SSL_CTX_use_certificate(ctx, cert);
	SSL_CTX_use_PrivateKey(ctx, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static bool script_fill(struct script *s)
{
	ssize_t got = s->ssl ? SSL_read(s->ssl, s->in, sizeof(s->in)) : recv(s->fd, s->in, sizeof(s->in), 0);

	s->at = 0;
	s->n = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static bool script_send(struct script *s, const char *p, size_t n)
{
	if (s->ssl)
		return SSL_write(s->ssl, p, (int)n) > 0;
	return send(s->fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* In one piece: who has seen its beginning may hang up. */
static bool script_send_line(struct script *s, const char *text)
{
	struct buf line;
	bool       ok;

	buf_init(&line, 64 * KIB);
	buf_add(&line, str_of(text));
	buf_add(&line, STR("\r\n"));
	ok = script_send(s, line.p, line.n);
	buf_done(&line);
	return ok;
}

static bool script_line(struct script *s, struct buf *line)
{
	while (!(line->n >= 2 && line->p[line->n - 1] == '\n' && line->p[line->n - 2] == '\r')) {
		if (s->at == s->n && !script_fill(s))
			return false;
		buf_add_char(line, s->in[s->at++]);
	}
	line->n -= 2;
	return true;
}

static bool script_expect(struct script *s, const char *want)
{
	struct buf line;
	bool       ok;

	buf_init(&line, 64 * KIB);
	ok = script_line(s, &line) && str_starts(buf_str(&line), str_of(want));
	buf_add(&s->seen, buf_str(&line));
	buf_add_char(&s->seen, '\n');
	buf_done(&line);
	return ok;
}

static bool script_data(struct script *s)
{
	buf_clear(&s->data);
	for (;;) {
		struct str all = buf_str(&s->data);

		if (str_eq(all, STR(".\r\n")) || (all.n >= 5 && str_eq(str_from(all, all.n - 5), STR("\r\n.\r\n"))))
			return true;
		if (s->at == s->n && !script_fill(s))
			return false;
		buf_add_char(&s->data, s->in[s->at++]);
	}
}

static bool script_bdat(struct script *s)
{
	struct buf line;
	struct str rest;
	uint64_t   n;
	bool       ok;

	buf_init(&line, 64 * KIB);
	ok = script_line(s, &line);
	rest = buf_str(&line);
	ok = ok && str_skip(&rest, STR("BDAT ")) && str_take_u64(&rest, &n) && str_eq(rest, STR(" LAST"));
	buf_done(&line);
	buf_clear(&s->data);
	for (; ok && n > 0; n--) {
		if (s->at == s->n && !script_fill(s))
			return false;
		buf_add_char(&s->data, s->in[s->at++]);
	}
	return ok;
}

static bool script_reset(struct script *s)
{
	return setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)) == 0;
}

static void script_close(struct script *s)
{
	if (s->ssl)
		SSL_free(s->ssl);
	if (s->fd >= 0)
		close(s->fd);
	s->ssl = NULL;
	s->fd = -1;
	s->at = s->n = 0;
}

static bool script_accept(struct script *s)
{
	script_close(s);
	s->fd = accept(s->listener, (struct sockaddr *)&s->client, &(socklen_t){ sizeof(s->client) });
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return s->fd >= 0;
}

static bool script_handshake(struct script *s)
{
	s->ssl = SSL_new(s->tls);
	SSL_set_fd(s->ssl, s->fd);
	return SSL_accept(s->ssl) == 1;
}

static bool script_many(struct script *s, const char *arg)
{
	char *text;

	for (long n = strtol(arg, &text, 10); n > 0; n--)
		if (!script_send(s, text + 1, strlen(text + 1)))
			return true; /* the peer has had enough */
	return true;
}

static bool script_step(struct script *s, const char *step)
{
	const char *arg = strlen(step) > 2 ? step + 2 : "";

	switch (step[0]) {
	case 'S': return script_send_line(s, arg);
	case 'R': return script_send(s, arg, strlen(arg));
	case 'N': return script_many(s, arg);
	case 'E': return script_expect(s, arg);
	case 'D': return script_data(s);
	case 'T': return script_handshake(s);
	case 't': return !script_handshake(s);
	case 'C': return script_accept(s);
	case 'X': script_close(s); return true;
	case 'B': return script_bdat(s);
	case 'F': atomic_fetch_add(&s->flags, 1); return true;
	case 'Z': return script_reset(s) && (script_close(s), true);
	case 'H': return s->hook(s, arg);
	default:
		while (script_fill(s))
			continue;
		return true;
	}
}

static void *script_run(void *arg)
{
	struct script *s = arg;

	if (!script_accept(s))
		return NULL;
	for (size_t i = 0; s->steps[i] && !s->failed; i++)
		if (!script_step(s, s->steps[i]))
			s->failed = s->steps[i];
	script_close(s);
	return NULL;
}

static inline void script_start(struct script *s, const char *const *steps, SSL_CTX *tls)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t          n = sizeof(sa);

	*s = (struct script){ .steps = steps, .tls = tls, .fd = -1 };
	buf_init(&s->data, 4 * MIB);
	buf_init(&s->seen, 1 * MIB);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s->listener, 10), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&sa, &n), 0);
	s->port = ntohs(sa.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, script_run, s), 0);
}

/* Until it has passed so many "F", or has failed. */
static inline void script_wait(struct script *s, unsigned flags)
{
	while (atomic_load(&s->flags) < flags && !s->failed)
		usleep(1000);
}

/* Wait for the script's end; an accept that still waits ends too. */
static inline void script_stop(struct script *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

static inline void script_free(struct script *s)
{
	buf_done(&s->data);
	buf_done(&s->seen);
}

#endif
