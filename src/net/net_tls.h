/* net/net_tls.h - TLS, as server and as client. The only place that includes OpenSSL's ssl.h.
 *
 * TLS 1.2 floor, no renegotiation, no compression, SSL_MODE_RELEASE_BUFFERS, session tickets with keys that rotate.
 * Keys arrive as PEM text from the master; this process opens no file (net_tls_preload before the sandbox).
 */
#ifndef NET_NET_TLS_H
#define NET_NET_TLS_H

#include "base/buf.h"
#include "base/limits.h"
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

/* Whom the handshake must have been made with. */
enum net_verify {
	NET_VERIFY_NONE, /* anybody (opportunistic), and weak certificates and ciphers too, as the other choice is clear text */
	NET_VERIFY_TRY,  /* anybody, as NONE, but it is told whether PKI would have been satisfied with the certificate */
	NET_VERIFY_PKI,  /* chain to net_tls_trust, and one of `names` */
	NET_VERIFY_DANE, /* one of `tlsa`, RFC 7671: usage 3 the key alone; usage 2 its chain, dates, and one of `names` */
};
#define NET_NAMES_MAX 4u
struct net_tlsa {
	uint8_t    usage, selector, matching; /* RFC 6698 §2.1: usage 2 or 3 */
	struct str data;
};
struct net_tls_want {
	struct str             sni; /* "": none */
	enum net_verify        verify;
	struct str             names[NET_NAMES_MAX]; /* host names, ".example.com" for all hosts below it, an IP address (alone) */
	size_t                 name_count;
	const struct net_tlsa *tlsa;
	size_t                 tlsa_count;
};
enum net_proof { NET_PROOF_NONE, NET_PROOF_PKI, NET_PROOF_DANE_TA, NET_PROOF_DANE_EE };
enum net_fault { /* the kinds of RFC 8460 §4.3 */
	NET_FAULT_NONE,
	NET_FAULT_NAME,      /* certificate-host-mismatch */
	NET_FAULT_EXPIRED,   /* certificate-expired, or not valid yet */
	NET_FAULT_UNTRUSTED, /* certificate-not-trusted */
	NET_FAULT_TLSA,      /* tlsa-invalid: no record could be used */
	NET_FAULT_OTHER,     /* validation-failure */
};
struct net_tls_got {
	enum net_proof proof;
	enum net_fault fault; /* of the certificate; with NET_VERIFY_TRY also after ST_OK */
	const char    *why;   /* static text; "" if all is well */
};

/* Client handshake. ST_OK; ST_DENIED: not the one that is wanted, or the wish cannot be fulfilled; ST_INVALID: clear text was sent ahead
 * of TLS (RFC 3207 §4.2); ST_TEMP: timeout; ST_CLOSED: any other failure. After a failure only free it. *ret is always filled. */
MUST_CHECK enum status net_stream_tls(struct net_stream *s, const struct net_tls_want *want, unsigned timeout_ms, struct net_tls_got *ret);
/* Before net_stream_tls: it may go on with a TLS session (RFC 5077, RFC 8446 §2.2) that an earlier stream with the same `key` and
 * the same wish (struct net_tls_want) had, and what it learns is kept for later ones. The caller puts into the key whom it connects to and whatever it decided about
 * whom to trust: a resumed session is as good as the one it comes from, and no certificate is looked at again. net_tls_trust forgets all. */
void net_stream_resume(struct net_stream *s, struct str key);
bool net_stream_tls_resumed(const struct net_stream *s);
/* One line without CRLF (or bare LF) into `line` (cleared first): ST_OK, ST_CLOSED, ST_TEMP (timeout for the whole line; what has come
 * is lost), ST_LIMIT (over line->max; the rest of it is not read). */
MUST_CHECK enum status net_stream_line(struct net_stream *s, struct buf *line, unsigned timeout_ms);
/* All of it; timeout_ms since the last octet that the peer took. ST_OK, ST_CLOSED, ST_TEMP. */
MUST_CHECK enum status net_stream_write(struct net_stream *s, struct str octets, unsigned timeout_ms);
/* Octets received but not read yet (must be none at STARTTLS). */
bool net_stream_pending(struct net_stream *s);
/* The peer has said nothing and is still there, as far as one look without waiting shows. TLS may take its own messages in. */
bool net_stream_quiet(struct net_stream *s);
/* After the connection was lost: the peer's system has not acknowledged all that was written, so nobody there can have read it (or had so little
 * time for it that the acknowledgement was not sent yet, and reset the connection). Where that cannot be known: false. */
bool net_stream_undelivered(const struct net_stream *s);
/* The address that the connection is made from, as text; "" if that is not known. */
void net_stream_local(const struct net_stream *s, char ret[LIMIT_IP_TEXT]);
const char *net_stream_tls_version(const struct net_stream *s); /* NULL in clear */
const char *net_stream_tls_cipher(const struct net_stream *s);
/* The best channel binding of this TLS connection, and its name: "tls-exporter" (RFC 9266), else "tls-server-end-point" (RFC 5929). Borrows from out;
 * empty in clear, or if there is none. */
#define NET_STREAM_BINDING ((size_t)64)
struct str net_stream_binding(const struct net_stream *s, char out[NET_STREAM_BINDING], const char **ret_name);

#endif
