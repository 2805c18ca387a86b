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

/* Server context. *ret_why (static text) says what is wrong with the PEM (ST_INVALID). SNI picks by the certificates' names; a client
 * without, or with another name, gets the first. */
MUST_CHECK enum status net_tls_server(struct str cert_pem, struct str key_pem, struct net_tls **ret, const char **ret_why);
/* Add a certificate to choose by SNI; one thread at a time, also while connections use it. ST_LIMIT: LIMIT_TLS_CERTS. */
MUST_CHECK enum status net_tls_server_add(struct net_tls *tls, struct str cert_pem, struct str key_pem, const char **ret_why);
void net_tls_free(struct net_tls **tls); /* counted: live connections keep it */
struct net_tls *net_tls_ref(struct net_tls *tls);

/* ---- blocking client streams, for remote: plain or TLS over a connected descriptor ---- */

/* The authorities that `verify` trusts, as PEM text, for all streams of the process. Called again (reload) it replaces them; TLS that
 * is up stays. ST_INVALID: no certificate in it, the old ones stay. */
MUST_CHECK enum status net_tls_trust(struct str ca_pem, const char **ret_why);

struct net_stream; /* one thread at a time */

struct net_stream *net_stream_new(int fd); /* takes fd */
void net_stream_free(struct net_stream **s); /* says the end of TLS, closes; NULL inside is fine */
/* Client handshake, SNI is server_name (NULL: none). verify: chain and name against net_tls_trust; else any certificate (opportunistic),
 * and weak ones too, as the other choice is clear text. ST_OK; ST_DENIED: not verified; ST_INVALID: clear text was sent ahead
 * of TLS (RFC 3207 §4.2); ST_TEMP: timeout; ST_CLOSED: any other failure. After a failure only free it. *ret_why: static text. */
MUST_CHECK enum status net_stream_tls(struct net_stream *s, const char *server_name, bool verify, unsigned timeout_ms, const char **ret_why);
/* One line without CRLF (or bare LF) into `line` (cleared first): ST_OK, ST_CLOSED, ST_TEMP (timeout for the whole line; what has come
 * is lost), ST_LIMIT (over line->max; the rest of it is not read). */
MUST_CHECK enum status net_stream_line(struct net_stream *s, struct buf *line, unsigned timeout_ms);
/* All of it; timeout_ms since the last octet that the peer took. ST_OK, ST_CLOSED, ST_TEMP. */
MUST_CHECK enum status net_stream_write(struct net_stream *s, struct str octets, unsigned timeout_ms);
/* Octets received but not read yet (must be none at STARTTLS). */
bool net_stream_pending(struct net_stream *s);
const char *net_stream_tls_version(const struct net_stream *s); /* NULL in clear */
const char *net_stream_tls_cipher(const struct net_stream *s);

#endif
