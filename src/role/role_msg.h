/* role/role_msg.h - what the master and a role say to each other, over a SEQPACKET pair (descriptor 3 of the role).
 *
 * Same frames and codec as between roles (ipc/ipc_frame.h), other messages: nobody asks and waits here, both sides only tell.
 *
 *   master: START, then ROOT, LISTENER, PEER ..., then ENTER     role: enters the sandbox, starts, READY
 *   later:  PEER, DETACH (a process was replaced), RELOAD, PROCESSES (control only), STOP
 */
#ifndef ROLE_ROLE_MSG_H
#define ROLE_ROLE_MSG_H

#include "ipc/ipc_frame.h"
#include "ipc/ipc_graph.h"
#include "role/config.h"

#define LIMIT_PEM ((size_t)60 * KIB) /* certificate chain or key */

enum role_msg_id {
	ROLE_MSG_NONE,
	ROLE_MSG_START,     /* first */
	ROLE_MSG_ROOT,      /* a directory the role may use */
	ROLE_MSG_LISTENER,  /* a listening socket */
	ROLE_MSG_PEER,      /* one end of a pair */
	ROLE_MSG_DETACH,    /* that process is gone */
	ROLE_MSG_ENTER,     /* all is here: enter the sandbox and serve */
	ROLE_MSG_RELOAD,    /* new settings, certificate and key */
	ROLE_MSG_PROCESSES, /* to control: all processes, whenever one changes */
	ROLE_MSG_STOP,      /* finish what is in hand, then exit */
	/* from the role */
	ROLE_MSG_READY,
	ROLE_MSG_FAILED,    /* cannot start: why */
	ROLE_MSG_BAD_PEER,  /* that process broke the channel format */
	ROLE_MSG_METRICS,   /* what it counts (base/metric.h); from the master to control: what all of them count */
	ROLE_MSG_COUNT,
};

struct role_msg_start { /* START, RELOAD */
	uint32_t       role, instance;
	struct config *config; /* a list of one */
	size_t         config_count;
	struct str     certificate, key; /* PEM; only to roles that speak TLS to strangers */
	struct str     session_key;      /* START; only to those that make or believe tokens of sign-ins (ipc/session_token.h) */
	int64_t        started_ms;
};
struct role_msg_root {
	struct str name; /* "accounts", "queue", "auth" */
	int        fd;
};
struct role_msg_listener {
	uint32_t kind; /* enum config_listener, ROLE_LISTEN_CONTROL or ROLE_LISTEN_SUBMIT */
	int      fd;
};
struct role_msg_peer { /* PEER, DETACH, BAD_PEER */
	bool     asks; /* the receiver asks that peer */
	uint32_t role, instance, lane;
	uint64_t epoch;
	uint64_t life; /* of that process: never the same twice */
	int      fd;
};
struct role_msg_stop {
	uint32_t grace_ms;
};
struct role_msg_failed {
	struct str why;
};

/* The packet, complete with its header, into `out`; the descriptors are borrowed from msg. ST_LIMIT: too large. */
MUST_CHECK enum status role_msg_encode(struct buf *out, struct ipc_fds *fds, enum role_msg_id id, const void *msg);

/* For a role: it may wait for the master. The master sends through master_outbox.h. ST_OK, ST_TEMP (the peer does not read), ST_CLOSED, ST_LIMIT. Thread-safe: one packet. */
MUST_CHECK enum status role_msg_send(int fd, enum role_msg_id id, const void *msg);

/* For a role: next message from `r`; *ret_msg lives in `a`, its descriptors are the caller's. */
MUST_CHECK enum status role_msg_next(struct ipc_reader *r, struct arena *a, enum role_msg_id *ret_id, void **ret_msg);

/* For the master: the same, but ST_CORRUPT for everything that a role has no business to say. A role gives no descriptors. */
MUST_CHECK enum status role_msg_hear(struct ipc_reader *r, struct arena *a, enum role_msg_id *ret_id, void **ret_msg);

#endif
