/* net/net_tls_int.h - what the TLS files of this folder share: OpenSSL over a descriptor. */
#ifndef NET_NET_TLS_INT_H
#define NET_NET_TLS_INT_H

#include <openssl/ssl.h>

#include "base/status.h"
#include "base/str.h"
#include "net/net.h"
#include "net/net_tls.h"

/* What both sides of TLS have in common: version floor, options, memory. */
void net_tls_ctx_common(SSL_CTX *ctx);
struct net_tls;
/* The context to start with; SNI may choose another. A reference: SSL_CTX_free. */
SSL_CTX *net_tls_ctx(struct net_tls *tls);

/* A TLS object over a socket that it does not own: never blocks, never raises SIGPIPE. The reference to ctx is used up. */
SSL *net_tls_bio_new(SSL_CTX *ctx, int fd);

/* Octets of a channel binding into out (NET_BINDING_OCTETS), 0: there is none. `server`: the certificate of the server, whichever side we are. */
size_t net_tls_binding(SSL *ssl, const X509 *server, enum net_binding kind, unsigned char *out);

/* The server will ask for a certificate, and take any or none. */
void net_tls_ask_certificate(SSL *ssl);

/* One call's outcome: ST_OK; ST_AGAIN with *ret_mask (sys/ready.h) to wait for; ST_CLOSED. */
enum status net_tls_result(SSL *ssl, int result, unsigned *ret_mask);

/* ---- sessions of servers, kept to resume them (net_resume.c); thread-safe ---- */

/* What this context's streams learn is kept. */
void net_resume_ctx(SSL_CTX *ctx);
/* Before the handshake: go on with a kept session if there is one, and keep what comes of this one. */
void net_resume_offer(SSL *ssl, const char *key, const struct net_tls_want *want);
/* The usage of the TLSA record that proved the server when the session began that this object has resumed; 0: none did. */
uint8_t net_resume_usage(SSL *ssl);
void net_resume_forget(void);

#endif
