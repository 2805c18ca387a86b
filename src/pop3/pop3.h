/* pop3/pop3.h - POP3 sessions: a thin view of one mailbox, over net/ and store/.
 *
 * RFC 1939 without APOP, and what pop3_cmd_session.c lists for CAPA. docs/rfc/deviations.md says where we differ.
 *
 * A listener is a `struct pop3_env` given to net_listen() with pop3_proto. The session reads and writes accounts through
 * `env->store`, and asks the rest of the world only through `struct pop3_ask`, which the role fills with the same functions as
 * those of IMAP. There is no lock on the mailbox: others read and write it meanwhile, and this session goes on with what it had
 * when it began (pop3_session.h).
 */
#ifndef POP3_POP3_H
#define POP3_POP3_H

#include "net/net.h"
#include "sasl/sasl_door.h"
#include "sasl/sasl_exchange.h"
#include "store/store.h"

/* One snapshot of the configuration. It never changes and outlives the sessions that began under it. */
struct pop3_settings {
	unsigned preauth_ms;  /* waiting for a command before sign-in */
	unsigned signin_ms;   /* from the greeting to a sign-in */
	unsigned idle_ms;     /* waiting for a command after it: at least 10 minutes (RFC 1939 §3) */
	bool     scram;       /* offer it */
	bool     client_certificates; /* ask for one in the TLS handshake */
	bool     allow_plain; /* sign-in without TLS: --lab, loopback */
};
void pop3_settings_init(struct pop3_settings *ret); /* the defaults */

struct pop3_ask { /* ctx is pop3_env.ask_ctx */
	sasl_connect_fn *connect; /* NULL: whoever comes is let in */
	/* IPC_AUTH_QUOTA, and IPC_AUTH_USED where the reply says that it counts. NULL (both): nobody counts. */
	enum status (*quota)(void *ctx, uint64_t account, struct auth_quota_reply *ret);
	void (*used)(void *ctx, const struct auth_used_request *note);
	/* This session changed the account: tell the bus, and the idling sessions of this process. Must not wait. */
	void (*changed)(void *ctx, uint64_t account, uint64_t modseq);
};

struct pop3_env {
	const struct pop3_settings *_Atomic settings; /* a reload stores the next one */
	struct store                       *store;
	const struct pop3_ask              *ask;
	void                               *ask_ctx;
	const struct sasl_ask              *sasl; /* sign-in */
	void                               *sasl_ctx;
};

/* net_listen(net, fd, &pop3_proto, env, tls, implicit); the env outlives the net. */
extern const struct net_proto pop3_proto;

#endif
