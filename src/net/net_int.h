/* net/net_int.h - what the files of this folder share; nobody else includes it (tests of the framing do).
 *
 *   net.c         the public calls, setup, listeners, accept, drain
 *   net_pool.c    threads, the queue of owned connections, the keeper thread (timers, growth)
 *   net_poll.c    deadlines of the states and units; timers
 *   net_conn.c    a connection: owner word, states, what happens next
 *   net_input.c   units (pure framing), and the buffer that owns the octets
 *   net_output.c  blocking writes with deadlines
 *   net_deflate.c compression, below the framing
 *   net_limit.c   per address, per network, memory
 *   net_peer.c    who the peer is: addresses, the PROXY header
 *   net_tls.c     server contexts; net_tls_conn.c TLS of a connection; net_stream.c client streams
 *
 * Locks, in the order in which they may be taken: listener.lock, list_lock, timer_lock, network locks, queue_lock, pool_lock.
 */
#ifndef NET_NET_INT_H
#define NET_NET_INT_H

#include <pthread.h>
#include <stdatomic.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/map.h"
#include "net/net.h"
#include "sys/clock.h"
#include "sys/ready.h"
#include "wire/smtp/smtp_data.h"

#define NET_SCRATCH     (64 * KIB)       /* a thread's input buffer; longer lines get their own */
#define NET_OUTPUT      (32 * KIB)       /* a thread's output buffer: more is sent at once */
#define NET_STACK       (512 * KIB)      /* address space; touched as needed */
#define NET_GRACE_MS    ((int64_t)30000) /* before data_rate counts */
#define NET_LINGER_MS   ((int64_t)2000)  /* after our end, until the peer's */
#define NET_LINGER_MAX  (256 * KIB)      /* what it may still send then */
#define NET_BURST       100              /* units before others of the queue get their turn */
#define NET_IDLE_MS     10000            /* a spare thread ends after so long */
#define NET_TICK_MS     2                /* the keeper's look at the pool while it is busy */
#define NET_QUIET_TICKS 25               /* ticks with a thread free, then it sleeps */
#define NET_PAUSE_MS    ((int64_t)500)   /* accept is tried again when descriptors had run out */
#define NET_ACCEPT_MAX  32               /* accepted in one go */

#define NET_NEVER INT64_MAX

/* ---- framing (net_input.c): pure ---- */

struct net_unit {
	struct net_want  want;
	struct smtp_data dot;
	uint64_t         data_n;   /* octets that the sink took */
	uint64_t         left;     /* BYTES: still to come */
	uint64_t         octets;   /* BYTES, DOT: taken from the input */
	size_t           scanned;  /* LINE: octets of the input known to hold no LF */
	bool             strict;   /* net_proto.strict_eol */
	bool             too_long; /* LINE: its beginning has been dropped */
	bool             tainted;  /* strict: no CRLF since a bare LF; survives the unit */
	bool             begun;    /* an octet of the unit was seen */
	bool             refused;
	uint8_t          head_n;
	char             head[NET_EV_HEAD]; /* LINE: of one that is dropped */
};

/* Wait for another unit. */
void net_unit_begin(struct net_unit *u, const struct net_want *want, bool strict);
/* Take octets of the unit off *in. True: it is complete, *ret_ev says what it is (its line borrows from *in). */
bool net_unit_feed(struct net_unit *u, struct str *in, struct net_ev *ret_ev);

/* ---- the objects ---- */

/* The octets [at, n) of p were received and not used. */
struct net_input {
	char  *p;
	size_t at, n, cap;
	bool   lent; /* p is the thread's scratch: saved before the thread goes */
};

struct net_worker {
	struct net       *net;
	struct net_worker *next, **link; /* pool_lock */
	char             *scratch;       /* NET_SCRATCH */
	char             *out;           /* NET_OUTPUT */
	size_t            out_n;
	z_stream         *inflater, *deflater; /* net_deflate.c; NULL until needed */
	bool              deflating, unflushed; /* the deflater is the connection's that is inside; it holds output */
	_Atomic uint32_t  beat;      /* counts units and waits: the keeper sees who is stuck */
	uint32_t          beat_seen; /* the keeper's */
	_Atomic bool      waiting;   /* in sys_ready_wait */
};

/* What an epoll event points to. */
struct net_item {
	enum { NET_ITEM_CONN, NET_ITEM_LISTENER } kind;
};

struct net_listener {
	struct net_item         item;
	struct net_listener    *next;
	struct net             *net;
	const struct net_proto *proto;
	void                   *ctx;
	struct net_tls         *tls; /* replaced with lock */
	bool                    has_tls, implicit;
	pthread_mutex_t         lock;
	int                     fd; /* -1: closed. lock */
	bool                    added, paused;
};

/* One address, or one network, with connections. */
struct net_source {
	char             key[9];
	bool             is_network;
	unsigned         refs; /* connections; limit_lock */
	pthread_mutex_t  lock; /* the rest */
	unsigned         busy;
	struct net_conn *wait_first, *wait_last; /* owned connections that wait for a thread's share */
};

enum net_state {
	NET_STATE_NEW,       /* accepted, nothing sent */
	NET_STATE_PROXY,     /* for the rest of a PROXY header */
	NET_STATE_HANDSHAKE, /* TLS is being set up */
	NET_STATE_WAIT,      /* for the unit in `unit` */
	NET_STATE_LINGER,    /* our last octet is sent; for the peer's end */
	NET_STATE_HANGUP,    /* shut down both ways; for the event that disarms */
	NET_STATE_DEAD,
};

/* The owner word. */
enum {
	NET_OWNED  = 1u << 0,
	NET_SOCKET = 1u << 1,
	NET_TIMER  = 1u << 2,
	NET_WAKE   = 1u << 3,
	NET_DRAIN  = 1u << 4,
	NET_KILL   = 1u << 5,
	NET_PENDING = NET_SOCKET | NET_TIMER | NET_WAKE | NET_DRAIN | NET_KILL,
};

struct net_conn {
	struct net_item     item; /* first: see net_item */
	_Atomic uint32_t    word;
	_Atomic uint32_t    refs;
	struct net         *net;
	struct net_conn    *next_queued; /* ready queue, or a source's wait list */
	struct net_conn    *next, **link; /* all connections; list_lock */
	_Atomic int64_t     deadline;    /* ms; NET_NEVER: none */
	_Atomic int64_t     timer_at;    /* when the heap will look; NET_NEVER: not in it. Written with timer_lock */
	size_t              timer_i;     /* timer_lock: place in the heap + 1; 0: not in it */

	/* The owner's from here on. */
	struct net_worker   *w; /* while a thread is inside */
	struct net_listener *listener;
	void                *session;
	struct arena        *arena;
	struct ssl_st       *ssl;
	struct net_tls      *tls; /* what ssl was made from, a reference */
	struct net_deflate  *deflate; /* NULL: not compressed */
	struct net_source   *address, *network;
	struct net_input     in;
	struct net_unit      unit;
	int64_t              idle_until, unit_from, progress_at;
	size_t               lingered;
	int                  fd;
	uint16_t             flags; /* NET_PENDING bits taken from the word and not yet used up */
	uint8_t              state;
	uint8_t              armed_mask, want_mask;
	bool                 armed, added;
	bool                 opened;   /* session exists */
	bool                 started;  /* NET_EV_START was given */
	bool                 proxied;  /* a PROXY header is to come first */
	bool                 trusted, has_share, tls_failed;
	bool                 broken;   /* a write failed, or the peer's end was seen */
	uint8_t              skip_reads; /* so often, reading before an event is not worth trying */
	struct net_info      info;
};

struct net {
	struct sys_ready      *poll;
	pthread_mutex_t       limits_lock;
	struct net_limits     limits; /* limits_lock; see net_limits_get */
	_Atomic size_t        memory;
	_Atomic uint64_t      accepted, refused, next_id;
	_Atomic bool          stop;
	unsigned              cpus;

	pthread_mutex_t       list_lock;
	pthread_cond_t        list_empty;
	struct net_conn      *list;
	_Atomic unsigned      connections;
	struct net_listener  *listeners; /* list_lock */
	_Atomic unsigned      paused;    /* listeners out of descriptors */

	pthread_mutex_t       source_lock;
	struct map            sources;

	pthread_mutex_t       queue_lock;
	struct net_conn      *queue_first, *queue_last;
	_Atomic unsigned      queued;
	_Atomic bool          called;       /* one was notified, and has not taken it back yet */

	pthread_mutex_t       timer_lock;
	pthread_cond_t        timer_wake;
	struct net_conn     **heap;
	size_t                heap_n, heap_cap;
	int64_t               keeper_until; /* timer_lock: when the keeper looks again */
	_Atomic bool          keeper_deep;  /* it sleeps although the pool may get busy */

	pthread_mutex_t       pool_lock;
	pthread_cond_t        pool_empty;
	struct net_worker    *workers;
	_Atomic unsigned      threads, waiting, busy;
	bool                  running, has_gone;
	pthread_t             gone; /* pool_lock: the worker that left last, to be joined */
	pthread_t             keeper;
};

/* ---- net_conn.c ---- */

struct net_conn *net_conn_new(struct net *net, struct net_listener *l, int fd, const struct net_info *info);
/* One that was never run: free it and close the descriptor. */
void net_conn_discard(struct net_conn *c);
/* Run an owned connection until it waits or ends. */
void net_conn_run(struct net_worker *w, struct net_conn *c);
/* Note a reason to look at it. True: the caller owns it now and must run or queue it. */
MUST_CHECK bool net_conn_post(struct net_conn *c, uint32_t reason);
/* The same, and queue it. */
void net_conn_poke(struct net_conn *c, uint32_t reason);

/* ---- net_input.c ---- */

void        net_input_free(struct net_conn *c); /* the connection ends */
void net_input_attach(struct net_conn *c); /* c->w is set */
/* Before the thread goes. False: no memory for the octets that are left; they are dropped, the connection must end. */
MUST_CHECK bool net_input_detach(struct net_conn *c);
/* Read once without blocking. ST_OK: more octets; ST_AGAIN: none, see want_mask; ST_CLOSED; ST_LIMIT: no memory. */
enum status net_input_fill(struct net_conn *c);
static inline struct str net_input_str(const struct net_conn *c)
{
	return (struct str){ c->in.p + c->in.at, c->in.n - c->in.at };
}

/* Read once below the framing and compression: TLS or the socket. As net_tls_conn_read. */
enum status net_raw_read(struct net_conn *c, char *p, size_t n, size_t *ret_n);
/* TLS or the coder holds octets that came, or what is made of them. */
bool net_below_pending(const struct net_conn *c);

/* ---- net_deflate.c: c->deflate is there ---- */

/* As net_tls_conn_read; no more is inflated than fits. */
enum status net_deflate_read(struct net_conn *c, char *p, size_t n, size_t *ret_n);
bool        net_deflate_pending(const struct net_conn *c);
/* Before the thread goes. False: no memory for what must be kept. */
MUST_CHECK bool net_deflate_detach(struct net_conn *c);
/* Compressed octets go to `send`, at once or with the next flush. `end`: nothing follows. */
void net_deflate_write(struct net_conn *c, struct str in, void (*send)(struct net_conn *c, struct str octets));
void net_deflate_flush(struct net_conn *c, bool end, void (*send)(struct net_conn *c, struct str octets));
void net_deflate_free(struct net_conn *c);
void net_deflate_worker_done(struct net_worker *w);

/* ---- net_output.c ---- */

/* The last octets of a connection: flush, and the end of the compressed stream. */
void net_output_end(struct net_conn *c);

/* Best effort, one send, before a connection exists. */
void net_output_refuse(int fd, const char *text);

/* ---- net_tls_conn.c ---- */

void        net_tls_conn_begin(struct net_conn *c);
/* These never block. ST_OK, ST_AGAIN (c->want_mask says for what), ST_CLOSED. */
enum status net_tls_conn_handshake(struct net_conn *c);
enum status net_tls_conn_read(struct net_conn *c, char *p, size_t n, size_t *ret_n);
enum status net_tls_conn_write(struct net_conn *c, struct str octets, size_t *ret_n);
/* The TLS object holds octets that were received. */
bool        net_tls_conn_pending(const struct net_conn *c);
void        net_tls_conn_end(struct net_conn *c, bool notify);

/* ---- net_limit.c ---- */

/* Limits per address and network; false: refuse. */
bool net_source_add(struct net_conn *c, const struct net_limits *limits, struct str address);
void net_source_remove(struct net_conn *c);
/* Take the network's share of a thread; false: it waits there, still owned, and comes back by the queue. */
bool net_source_enter(struct net_conn *c);
void net_source_leave(struct net_conn *c);

/* ---- net_peer.c ---- */

struct sockaddr_storage;
/* AF_INET or AF_INET6. */
void net_peer_inet(struct net_info *info, const struct sockaddr_storage *ss);
/* Read what is there of a PROXY header and not an octet of what follows. ST_OK: it is complete, and c->info the client's; ST_AGAIN:
 * more must come; ST_LIMIT: the client has too many connections; ST_INVALID: it is no header; ST_CLOSED. */
enum status net_peer_proxy(struct net_conn *c);

/* ---- net_pool.c ---- */

void net_queue_push(struct net *net, struct net_conn *c); /* owned */
void net_pool_start(struct net *net);
void net_pool_stop(struct net *net);

/* ---- net_poll.c ---- */

/* When what c waits for will have taken too long, in ms of clock_mono_ms; NET_NEVER. */
int64_t net_deadline_of(struct net_conn *c);
/* A timer went off, and not for a deadline that has moved since. Uses NET_TIMER up. */
bool net_timed_out(struct net_conn *c);
/* See to it that the deadline of c, just stored, is noticed. */
void net_timer_set(struct net_conn *c);
void net_timer_remove(struct net_conn *c);
/* Post NET_TIMER where the deadline has passed; returns when to look again. With timer_lock. */
int64_t net_timer_run(struct net *net, int64_t now);
/* The keeper shall look again by `at`. */
void net_keeper_nudge(struct net *net, int64_t at);

/* ---- net.c ---- */

void net_listener_ready(struct net_worker *w, struct net_listener *l);
void net_listeners_resume(struct net *net);
void net_limits_get(struct net *net, struct net_limits *ret);

#endif
