/* net/net_authorities.h - authorities, for our own TLS (net_tls_trust) and for a library that speaks it by itself (libcurl): parsed once, as
 * a set of them is a megabyte and ten milliseconds, and those who need them may be many at once.
 */
#ifndef NET_NET_AUTHORITIES_H
#define NET_NET_AUTHORITIES_H

#include "base/str.h"

struct net_authorities;

/* A reference to those in this PEM text; the last ones that were asked for are kept. NULL: there is no certificate in it. Thread-safe. */
struct net_authorities *net_authorities_get(struct str pem);
void                    net_authorities_put(struct net_authorities *a); /* NULL is fine */
/* They, and no others, are trusted by this SSL_CTX. */
void net_authorities_use(struct net_authorities *a, void *ssl_ctx);

#endif
