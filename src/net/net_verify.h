/* net/net_verify.h - whom a client handshake is made with: names, authorities, TLSA records. Contract in net_tls.h. */
#ifndef NET_NET_VERIFY_H
#define NET_NET_VERIFY_H

#include <openssl/ssl.h>

#include "net/net_tls.h"

/* Once per context. */
void net_verify_ctx(SSL_CTX *ctx);
/* Before the handshake; `trusted`: authorities were given. False: the wish cannot be fulfilled, ret->why and ret->fault. */
MUST_CHECK bool net_verify_begin(SSL *ssl, const struct net_tls_want *want, bool trusted, struct net_tls_got *ret);
/* The usage of the TLSA record that proves the peer, or proved him when the session began that is resumed; 0: none. */
uint8_t net_verify_usage(SSL *ssl);
/* After it, `ok` or not: what is proved, or what was wrong with the certificate. False: it failed for that, not for another reason. */
bool net_verify_end(SSL *ssl, const struct net_tls_want *want, bool ok, struct net_tls_got *ret);

#endif
