/* tests/unit/fake_net.h - net/net.h over two buffers: a session runs in the test's own thread, step by step.
 *
 * It frames lines, DATA and counted octets as net does (wire/smtp/smtp_data.h for the latter), with the octets that the test feeds, in pieces of any
 * size. A line is handed over in a heap block of exactly its size.
 */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include "base/buf.h"
#include "net/net.h"
#include "wire/smtp/smtp_data.h"

struct net_conn {
	const struct net_proto *proto;
	void                   *session;
	struct net_info         info;
	struct arena           *arena;
	struct buf              in;  /* fed, not read */
	struct buf              out; /* written by the session; the test clears it */
	struct net_want         want;
	bool                    tls_possible, trusted, closed;
	bool                    peer_refused; /* net_peer_set finds too many connections */
	bool                    long_line; /* dropping the rest of a line */
	struct smtp_data        data;
	uint64_t                data_n;
	bool                    data_refused;
	size_t                  memory, memory_limit; /* 0: no limit */
	struct str              exporter, end_point, certificate; /* what TLS knows, borrowed */
};

/* Prepare; the test may change info, tls_possible, memory_limit and put early input into `in` before fake_start. */
void fake_init(struct net_conn *c);
/* open and NET_EV_START, then what is in `in`. */
void fake_start(struct net_conn *c, const struct net_proto *proto, void *ctx);
void fake_feed(struct net_conn *c, struct str octets);
/* The handshake that the session waits for succeeds. */
void fake_tls(struct net_conn *c);
/* TIMEOUT, DRAIN, WAKE. */
void fake_event(struct net_conn *c, enum net_ev_kind kind);
/* close; fails the test if the session has not given back its memory. */
void fake_done(struct net_conn *c);

#endif
