/* ipc/ipc_graph.h - the roles, and who may ask whom.
 *
 * The table in ipc_graph.c is the only place where an edge exists: the master makes the
 * socketpairs from it, and tests/unit/test_ipc.c checks that it has no circle.
 */
#ifndef IPC_IPC_GRAPH_H
#define IPC_IPC_GRAPH_H

#include "base/str.h"

enum role_id { /* part of the channel protocol: append only */
	ROLE_MASTER,
	ROLE_CONTROL,
	ROLE_DNS,
	ROLE_AUTH,
	ROLE_SMTP,
	ROLE_QUEUE,
	ROLE_LOCAL,
	ROLE_REMOTE,
	ROLE_IMAP,
	ROLE_PIPE,
	ROLE_KEEPER,
	ROLE_COUNT,
};

#define ROLE_INSTANCES_MAX 16u /* processes of one role */

enum ipc_lane {
	IPC_LANE_CONTROL, /* short questions */
	IPC_LANE_BULK,    /* what carries content: a short question never waits behind it */
	IPC_LANE_BUS,     /* changes of accounts, one way; see ipc_bus.h */
	IPC_LANE_COUNT,
};

struct ipc_edge {
	enum role_id asker, server;
	unsigned     lanes; /* mask of 1u << enum ipc_lane */
	size_t       open;  /* octets of requests that each lane may have open */
};

extern const struct ipc_edge ipc_edges[];
extern const size_t          ipc_edge_count;

/* NULL if the one may not ask the other. */
const struct ipc_edge *ipc_edge_find(enum role_id asker, enum role_id server);

const char *role_name(enum role_id role);
/* ROLE_COUNT if there is none of that name. */
enum role_id role_find(struct str name);

#endif
