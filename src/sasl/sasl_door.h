/* sasl/sasl_door.h - before anybody signs in: may the peer come in at all? The same for the protocols of mailboxes. */
#ifndef SASL_SASL_DOOR_H
#define SASL_SASL_DOOR_H

#include "ipc/msg_guard.h"
#include "net/net.h"

/* IPC_GUARD_CONNECT; may block. Any status but ST_OK lets the peer in. */
typedef enum status sasl_connect_fn(void *ctx, const struct guard_connect_request *request, struct arena *a,
				    struct guard_connect_reply *ret);

/* true: a peer that is banned, or connects too often; it is logged, and *ret_text (in `a`) is what to tell it. `connect` NULL:
 * whoever comes is let in. */
bool sasl_door_refuses(sasl_connect_fn *connect, void *ctx, const struct net_info *info, enum guard_listener listener,
		       struct arena *a, struct str *ret_text);

#endif
