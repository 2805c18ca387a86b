/* net/net_tls.h - TLS, as server and as client. The only place that includes OpenSSL's ssl.h.
 *
 * TLS 1.2 floor, no renegotiation, no compression, SSL_MODE_RELEASE_BUFFERS, session tickets with keys that rotate.
 * Keys arrive as PEM text from the master; this process opens no file (net_tls_preload before the sandbox).
 */
#ifndef NET_NET_TLS_H
#define NET_NET_TLS_H

#include "base/buf.h"
#include "base/status.h"

struct net_tls;

/* Load what OpenSSL would read late: error strings, configuration, ciphers. Before entering the sandbox. */
void net_tls_preload(void);

/* Server context. *ret_why (static text or in a thread-local) says what is wrong with the PEM. Several names: SNI picks by certificate. */
MUST_CHECK enum status net_tls_server(struct str cert_pem, struct str key_pem, struct net_tls **ret, const char **ret_why);
/* Add a certificate to choose by SNI. */
MUST_CHECK enum status net_tls_server_add(struct net_tls *tls, struct str cert_pem, struct str key_pem, const char **ret_why);
void net_tls_free(struct net_tls **tls); /* counted: live connections keep it */
struct net_tls *net_tls_ref(struct net_tls *tls);

/* ---- blocking client streams, for remote: plain or TLS over a connected descriptor ---- */
struct net_stream;

struct net_stream *net_stream_new(int fd); /* takes fd */
void net_stream_free(struct net_stream **s);
/* Client handshake. verify: chain and name (needs ca_pem preloaded); else any certificate (opportunistic). */
MUST_CHECK enum status net_stream_tls(struct net_stream *s, const char *server_name, bool verify, unsigned timeout_ms, const char **ret_why);
/* One line without CRLF into `line` (cleared first): ST_OK, ST_CLOSED, ST_TEMP (timeout), ST_LIMIT (over line->max). */
MUST_CHECK enum status net_stream_line(struct net_stream *s, struct buf *line, unsigned timeout_ms);
MUST_CHECK enum status net_stream_write(struct net_stream *s, struct str octets, unsigned timeout_ms);
/* Octets received but not read yet (must be none at STARTTLS). */
bool net_stream_pending(struct net_stream *s);
const char *net_stream_tls_version(const struct net_stream *s); /* NULL in clear */
const char *net_stream_tls_cipher(const struct net_stream *s);

#endif
