/* deliver/remote_connect.h - TCP connections to hosts that are known by address or by name. */
#ifndef DELIVER_REMOTE_CONNECT_H
#define DELIVER_REMOTE_CONNECT_H

#include "deliver/remote_route.h"

struct remote_connect_why {
	int  err;    /* errno */
	bool source; /* it is about our own address, the target was not asked */
};

/* A connected socket that does not block, from the address `source` ("": the system's choice; never another than asked for), or -1
 * with the reason in *ret. */
MUST_CHECK int remote_connect(const struct remote_target *t, struct str source, unsigned timeout_ms, struct remote_connect_why *ret);

/* To a host that the administrator named (no address is refused): each of its addresses in turn, timeout_ms in all but for the lookup.
 * *ret_fd does not block. ST_OK or ST_TEMP. */
MUST_CHECK enum status remote_connect_host(const struct remote *remote, struct str host, unsigned port, unsigned timeout_ms, int *ret_fd);

#endif
