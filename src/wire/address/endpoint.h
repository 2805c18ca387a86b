/* wire/address/endpoint.h - a host and a port, as settings, routes and filters name them.
 *
 *   endpoint = host ":" port / "[" host "]" ":" port     port: 1 to 65535
 *
 * A host outside of brackets holds no ":". What it may look like is the caller's matter: a name, an address, "*".
 *
 * Pure. Tests: tests/unit/test_endpoint.c.
 */
#ifndef WIRE_ADDRESS_ENDPOINT_H
#define WIRE_ADDRESS_ENDPOINT_H

#include "base/str.h"

/* *ret_host is without brackets and never empty. Both are written only if true. */
MUST_CHECK bool endpoint_parse(struct str text, struct str *ret_host, uint32_t *ret_port);
/* Its parts, when something else stood between them: a host, in brackets or not, and the digits of a port. */
MUST_CHECK bool endpoint_parts(struct str host, struct str port, struct str *ret_host, uint32_t *ret_port);

/* "pipe:NAME" or "pipe:NAME:NEXTHOP": a program instead of a host. NAME: letters, digits, "-", "_"; NEXTHOP: 1 to LIMIT_DOMAIN octets of printable ASCII, ""
 * if there is none. Both are written only if true. */
MUST_CHECK bool endpoint_pipe(struct str text, struct str *ret_name, struct str *ret_nexthop);
bool endpoint_pipe_name(struct str name); /* may be the name of one */

#endif
