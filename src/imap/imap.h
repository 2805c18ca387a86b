/* imap/imap.h - IMAP sessions: a thin view over net/ and store/.
 *
 * RFC 3501 (with \Recent), RFC 9051 for who enables it, and what else imap_capability.c lists. docs/rfc/deviations.md says where we differ.
 *
 * A listener is a `struct imap_env` given to net_listen() with imap_proto. The session reads and writes accounts
 * through `env->store`, and asks the rest of the world only through `struct imap_ask`: the role fills it with
 * imap_ask_ipc, a test fakes it. Changes that others make reach an idling session through env->notify (imap_notify.h),
 * fed by the bus.
 */
#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include "imap/imap_notify.h"
#include "ipc/ipc.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_guard.h"
#include "net/net.h"
#include "sasl/sasl_exchange.h"
#include "store/store.h"

/* One snapshot of the configuration. It never changes and outlives the sessions that began under it. */
struct imap_settings {
	uint64_t message_octets; /* APPEND: at most LIMIT_MESSAGE_MAX */
	unsigned preauth_ms;     /* waiting for a command before sign-in */
	unsigned signin_ms;      /* from the greeting to a sign-in */
	unsigned idle_ms;        /* the same after it: at least 30 minutes (RFC 9051 §5.4) */
	int64_t  session_ms;     /* from the sign-in to the end, at most LIMIT_SESSION_MS */
	unsigned view_ms;        /* a waiting session keeps its list of messages for so long */
	char     hostname[LIMIT_DOMAIN + 1]; /* ours: absolute URLs (RFC 4469) have it */
	uint32_t message_limit; /* messages in one command (RFC 9738); 0: as many as there are */
	uint32_t save_limit;    /* the same of COPY and APPEND alone, where message_limit is 0 */
	unsigned progress_ms;  /* a search that takes longer says how it goes, each time (RFC 9585) */
	bool     scram;        /* offer it */
	bool     client_certificates; /* ask for one in the TLS handshake */
	bool     allow_plain;    /* sign-in without TLS: --lab, loopback */
};
void imap_settings_init(struct imap_settings *ret); /* the defaults */

struct imap_ask { /* each may block; ctx is imap_env.ask_ctx */
	/* IPC_GUARD_CONNECT; any status but ST_OK lets the peer in. NULL: whoever comes is let in. */
	enum status (*connect)(void *ctx, const struct guard_connect_request *request, struct arena *a,
			       struct guard_connect_reply *ret);
	/* This session changed the account: tell the bus, and imap_notify_wake of this process. Must not wait. */
	void (*changed)(void *ctx, uint64_t account, uint64_t modseq);
};

struct imap_env {
	const struct imap_settings *_Atomic settings; /* a reload stores the next one */
	struct store                       *store;
	struct imap_notify                 *notify;
	const struct imap_ask              *ask;
	void                               *ask_ctx;
	const struct sasl_ask              *sasl; /* sign-in */
	void                               *sasl_ctx;
};

/* net_listen(net, fd, &imap_proto, env, tls, implicit); the env outlives the net. */
extern const struct net_proto imap_proto;

/* The real imap_ask: ask_ctx is a struct imap_ask_ipc. */
struct imap_ask_ipc {
	struct ipc         *ipc;
	struct imap_notify *notify;
};
extern const struct imap_ask imap_ask_ipc;

#endif
