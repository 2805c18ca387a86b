/* role/role_net.h - what the session roles (smtp, imap) share: TLS, limits and draining of their net. */
#ifndef ROLE_ROLE_NET_H
#define ROLE_ROLE_NET_H

#include "net/net.h"
#include "net/net_tls.h"
#include "role/role.h"

/* prepare(): load OpenSSL, read certificate and key. *ret is NULL when none is configured. */
MUST_CHECK bool role_net_tls(struct role *r, struct net_tls **ret, const char **ret_why);

/* A net with the limits of the configuration; start(). */
struct net *role_net_new(const struct role *r);

/* reload(): limits, and the new certificate for the handshakes to come. */
void role_net_reload(struct role *r, struct net *net);

/* measure(): give memory that sessions have put away back to the system. What is between the pieces that they keep would stay for ever. */
struct role_net_trim {
	unsigned calls;
	uint64_t peak; /* octets in flight since the last time */
};
void role_net_trim(struct net *net, struct role_net_trim *t);

/* Set the gauges and counters of connections, where all of the net are of one protocol. */
void role_net_measure(struct net *net, enum metric sessions, enum metric accepted, enum metric refused);

#endif
