/* deliver/remote_connect.h - a TCP connection to one address, or to a host that an administrator named. */
#ifndef DELIVER_REMOTE_CONNECT_H
#define DELIVER_REMOTE_CONNECT_H

#include "deliver/remote_race.h"

/* A connected socket that does not block, from the address `source` ("": the system's choice; never another than asked for), or -1
 * with the reason in *ret. */
MUST_CHECK int remote_connect(const struct remote_target *t, struct str source, unsigned timeout_ms, struct remote_connect_why *ret);

/* As it is told, in `a`. */
struct remote_outcome remote_connect_outcome(struct arena *a, struct str source, const struct remote_connect_why *why);
/* "mx.example [192.0.2.1]:25" */
struct str remote_connect_name(struct arena *a, const struct remote_target *t);
/* The address that the hop wants connections to t to be made from; "": any. */
struct str remote_connect_source(const struct remote_target *t, const struct hop *hop);

/* To a host that the administrator named (no address is refused): each of its addresses in turn, timeout_ms in all but for the lookup.
 * *ret_fd does not block. ST_OK or ST_TEMP. */
MUST_CHECK enum status remote_connect_host(const struct remote *remote, struct str host, unsigned port, unsigned timeout_ms, int *ret_fd);

#endif
