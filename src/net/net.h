/* net/net.h - connections: cheap when idle, straight-line when busy.
 *
 * One `struct net` per session process: an epoll set (EPOLLONESHOT) and a pool of threads. A waiting
 * connection belongs to no thread. The framing collects one whole unit (a line; N octets into a sink; dot-terminated
 * data into a sink); only then a pool thread runs the protocol's handler: plain sequential code that may
 * block on a channel, a database or a slow reader. Its return value says what to wait for next.
 *
 *   accepted -> handler(START) -> wait(want) -> handler(LINE | DATA | WAKE | TIMEOUT | ...) -> wait ... -> end
 *
 * One thread at a time is inside a connection; one atomic owner/pending word serves all wake sources (socket, timer,
 * net_wake). Bytes left in the TLS object or the input buffer are looked at before the descriptor is armed again. One input
 * object owns all octets; after STARTTLS the plaintext buffer must be empty or the connection is dropped.
 *
 * What strangers may take: every wait has a deadline; connections per address and network, threads per network,
 * line length, octets per second of data, unread output, and total memory in flight have limits (struct net_limits); past one
 * the handler gets an event (or, before START, `proto->refused` text is sent) and the connection ends in the protocol's own way.
 * accept pauses when descriptors run out.
 *
 * A listener behind a load balancer may begin each connection with a PROXY header (net_proto.proxy): from then on net_info and all
 * limits are the client's.
 *
 * Thread-safe where it says so; the rest is for the thread that is inside the connection.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/arena.h"
#include "base/metric.h"
#include "base/status.h"

struct net;
struct net_conn;
struct net_tls; /* server certificates and settings, see net_tls.h */

/* ---- what a handler waits for ---- */

/* Takes octets of a data unit; false: cannot take them (too much, disk full). The rest is then read and dropped, and the handler
 * gets NET_EV_DATA with `refused` set. Called from the pool, never after the unit's event. */
struct net_sink {
	bool (*write)(void *ctx, struct str octets);
	void *ctx;
};

enum net_want_kind {
	NET_WANT_LINE,  /* up to CRLF: NET_EV_LINE. A line that ends in a bare LF: see net_proto.bare_lf */
	NET_WANT_BYTES, /* exactly n octets into the sink: NET_EV_DATA */
	NET_WANT_DOT,   /* SMTP DATA up to CRLF.CRLF, dot-unstuffed, into the sink: NET_EV_DATA (wire/smtp/smtp_data.h) */
	NET_WANT_TLS,   /* flush, then TLS handshake as the server: NET_EV_TLS. Pending plaintext closes the connection */
	NET_WANT_WAKE,  /* nothing from the peer is wanted (its octets and its end stay unread): NET_EV_WAKE */
	NET_WANT_CLOSE, /* flush and close */
};

struct net_want {
	enum net_want_kind kind;
	size_t             n;          /* LINE: longest line without CRLF; BYTES: how many */
	struct net_sink    sink;       /* BYTES, DOT */
	bool               normalise;  /* DOT: a bare CR or LF becomes CRLF; else the event has bare_eol set. See smtp_data.h */
	unsigned           timeout_ms; /* idle: until the unit's first octet, and between reads of BYTES and DOT; then
	                             * NET_EV_TIMEOUT. 0: no limit */
	unsigned           unit_ms;    /* LINE: from its first octet to its end, then NET_EV_TIMEOUT; 0: the net's default */
};

/* ---- what a handler is told ---- */

#define NET_EV_HEAD 8

enum net_ev_kind {
	NET_EV_START,    /* first call: send the greeting (TLS is up already on an implicit-TLS listener) */
	NET_EV_LINE,     /* ev.line: without its CRLF, valid until the handler returns */
	NET_EV_LONG,     /* the line was longer than wanted; it was read to its end and dropped. ev.line: its first NET_EV_HEAD octets */
	NET_EV_BARE_EOL, /* LINE: the line held a bare CR, LF or a NUL, and is dropped (only if proto->strict_eol); ev.line as in LONG. A bare LF gives
	                  * it at once, and so does each line end behind it up to the next CRLF: a count of errors ends the peer */
	NET_EV_DATA,     /* BYTES or DOT is complete: ev.data_n octets went through the sink; see refused, bare_eol */
	NET_EV_TLS,      /* handshake done (if it fails the connection just ends) */
	NET_EV_WAKE,     /* net_wake() was called (several calls may give one event). Delivered while waiting for a LINE
	                  * only before its first octet */
	NET_EV_TIMEOUT,  /* nothing came in time: say goodbye and return CLOSE */
	NET_EV_DRAIN,    /* the process wants to end: while waiting for a LINE that has not begun, or a WAKE; once. Say goodbye
	                  * (421, BYE) and return CLOSE */
};

struct net_ev {
	enum net_ev_kind kind;
	struct str       line;
	uint64_t         data_n;
	bool             refused;  /* the sink refused */
	bool             bare_eol; /* DOT: a NUL or, not normalised, a bare CR or LF was inside; the data was read to its true end */
};

enum net_proxy {
	NET_PROXY_NONE,    /* an ordinary connection */
	NET_PROXY_WANTED,  /* it begins with a PROXY header (wire/proxy/proxy.h), or is dropped */
	NET_PROXY_REFUSED, /* it should, but who connects may not say whom it is for: dropped */
};

struct net_info;

struct net_proto {
	const char *name; /* "smtp", for logs */
	/* Make the session when a connection is accepted; `ctx` is the listener's. In a pool thread, before START. */
	void *(*open)(void *ctx, struct net_conn *conn);
	struct net_want (*handle)(void *session, const struct net_ev *ev);
	void (*close)(void *session); /* always the last call */
	/* Asked for each connection before anything else; `peer` is its address, `ctx` the listener's. NULL: NET_PROXY_NONE. Any thread. */
	enum net_proxy (*proxy)(void *ctx, const char *peer);
	/* Sent in clear before closing when a connection is refused by a limit: "421 4.7.0 Too many connections\r\n". */
	const char *refused;
	void (*turned_away)(void *ctx, const struct net_info *info); /* the same, for the record; must not wait. NULL: nobody asks */
	enum metric signin_accepted, signin_refused; /* counted by net_trust and net_distrust */
	/* Ask the peer for a certificate in the TLS handshake? ctx is the listener's. NULL: never. */
	bool (*wants_certificate)(void *ctx);
	bool        strict_eol; /* lines end in CRLF only: others give NET_EV_BARE_EOL. Else a bare LF ends a line too */
};

/* ---- inside a handler ---- */

/* Append to the output. Sent when the handler has returned and no further whole unit is there (so pipelined replies go together), at
 * net_flush (before long work), or when 32 KiB wait; then it may block for a slow reader
 * up to limits.write_stall_ms without progress, and below limits.write_rate octets/s. Errors stick: after one, output is dropped and
 * the connection ends when the handler returns. */
void net_write(struct net_conn *c, struct str octets);
void net_printf(struct net_conn *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Send all now. ST_OK, or ST_CLOSED: a long-running handler should stop. */
enum status net_flush(struct net_conn *c);

/* From here on both directions are raw DEFLATE (RFC 4978, RFC 1951), beside TLS or in clear; what was written before is sent as it is, now.
 * Every flush ends on an octet, so that the peer can read all of it. ST_CLOSED: end the connection, the peer has gone or has sent
 * something already. */
MUST_CHECK enum status net_compress(struct net_conn *c);
bool                   net_compressing(const struct net_conn *c);

/* More input has arrived already: the peer pipelines (a reply may wait for more). */
bool net_input_pending(struct net_conn *c);
/* The same, after looking at the socket too (one system call; in clear only): has the peer talked before its turn? It may move the
 * input, so ev.line is gone then. */
bool net_input_arrived(struct net_conn *c);

struct net_info {
	char        peer[64];      /* address as text, no port; "::ffff:" mapped ones as IPv4 */
	unsigned    peer_port, local_port;
	char        local[46];      /* our own address, as text */
	char        id[24];        /* session id for the log, unique */
	bool        tls;
	const char *tls_version, *tls_cipher; /* NULL in clear */
	bool        loopback;
	bool        unnamed; /* a proxy has connected for a client that it does not name: `peer` is the proxy's address, and no reason to trust this one */
};
const struct net_info *net_info(const struct net_conn *c);
/* The connection speaks for another address: net_info says so from now on, and the limits count for it. address: as text. false: it
 * has too many connections, end this one. */
MUST_CHECK bool net_peer_set(struct net_conn *c, const char *address, unsigned port);
/* Lives until after proto->close. Empty until something is allocated. */
struct arena *net_arena(struct net_conn *c);
/* After sign-in: lifts the per-network share of threads and the pre-login deadlines. */
void net_trust(struct net_conn *c);
/* After a sign-in that failed: only counts it. Called by net_signin_failed. */
void net_distrust(const struct net_conn *c);
/* The listener has a certificate and TLS is not up yet: STARTTLS may be offered. */
bool net_tls_possible(const struct net_conn *c);
struct net *net_of(const struct net_conn *c);

/* What both sides of this TLS connection know and nobody between them: the result borrows from out, and is empty in clear or where
 * TLS has no such thing. */
enum net_binding {
	NET_BINDING_EXPORTER,  /* "tls-exporter", RFC 9266 */
	NET_BINDING_END_POINT, /* "tls-server-end-point", RFC 5929 §4 */
};
#define NET_BINDING_OCTETS 64
struct str net_channel_binding(const struct net_conn *c, enum net_binding kind, char out[NET_BINDING_OCTETS]);
/* SHA-256 of the certificate whose key the peer has shown to have; empty if it gave none. It may be self-signed or out of date. */
#define NET_FINGERPRINT_OCTETS 32
struct str net_peer_certificate(const struct net_conn *c, char out[NET_FINGERPRINT_OCTETS]);

/* ---- from any thread ---- */

/* A reference that keeps the struct (not the connection) alive, so that net_wake after close does nothing. */
struct net_conn *net_ref(struct net_conn *c);
void             net_unref(struct net_conn **c);
void             net_wake(struct net_conn *c);

/* Octets that a session holds on behalf of strangers (message in memory, literals): counted against limits.memory.
 * false: the process is full, refuse the unit (452, NO [LIMIT]). */
MUST_CHECK bool net_memory_take(struct net *net, size_t octets);
void            net_memory_give(struct net *net, size_t octets);

/* ---- the process's net ---- */

struct net_limits { /* 0: no limit */
	unsigned connections;          /* in all */
	unsigned per_address;          /* connections of one address (IPv6: /64) */
	unsigned per_network;          /* of one /24 or /48 */
	unsigned threads;              /* the pool's maximum */
	unsigned threads_per_network;  /* busy at once for one network before sign-in */
	unsigned handshake_ms;         /* whole TLS handshake */
	unsigned unit_ms;              /* default of net_want.unit_ms */
	unsigned data_rate;            /* octets/s that DOT and BYTES must keep on average, after 30 s of grace */
	unsigned write_stall_ms;       /* a peer that reads nothing for so long is gone */
	unsigned write_rate;           /* octets/s on average, after write_stall_ms */
	size_t   memory;               /* total octets in flight: buffers and net_memory_take */
	bool     exempt_loopback;      /* --lab: per-address, per-network and rate limits skip loopback */
};

/* NULL: no descriptors left. Before the sandbox or in it; net_run and later need no more than threads. */
struct net *net_new(const struct net_limits *limits);
/* Accept on a listening descriptor (taken over). tls: NULL for none; implicit: handshake first. Before or after net_run. */
void net_listen(struct net *net, int fd, const struct net_proto *proto, void *ctx, struct net_tls *tls, bool implicit);
void net_set_limits(struct net *net, const struct net_limits *limits); /* reload */
/* Another certificate for all listeners that have one; for handshakes from now on. */
void net_set_tls(struct net *net, struct net_tls *tls);
/* Start the threads; returns at once. */
void net_run(struct net *net);
/* Stop accepting, give every session NET_EV_DRAIN between its units, close what is left after grace_ms. Returns when all
 * sessions are closed. */
void net_drain(struct net *net, unsigned grace_ms);
void net_free(struct net **net); /* after net_drain */

struct net_stats {
	unsigned connections, threads, threads_busy;
	uint64_t accepted, refused, memory;
};
void net_stats(struct net *net, struct net_stats *ret);

#endif
