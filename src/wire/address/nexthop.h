/* wire/address/nexthop.h - where mail is handed on to, as settings, relayed domains and route rules name it.
 *
 *   nexthops = nexthop *( "," nexthop )       tried in this order, LIMIT_NEXTHOPS at most; blanks around "," are allowed
 *   nexthop  = [ "lmtp:" / "smtps:" ] host ":" port          that host, by its addresses
 *            / "mx:" domain [ ":" port ]                     the mail exchangers of that domain
 *   host     = name / IPv4 / "[" ( name / IPv4 / IPv6 ) "]"
 *
 * "lmtp:" speaks RFC 2033; "smtps:" begins with TLS, RFC 8314 §3. Names are letters, digits, "-", "_" and dots, with or without the final
 * dot, and do not end in a number: what looks like an address is one, or a mistake.
 *
 * Pure. Tests: tests/unit/test_nexthop.c, tests/fuzz/fuzz_nexthop.c.
 */
#ifndef WIRE_ADDRESS_NEXTHOP_H
#define WIRE_ADDRESS_NEXTHOP_H

#include "base/limits.h"
#include "base/str.h"

struct nexthop {
	struct str host;    /* name without the final dot, or address without brackets; of "mx:" the domain */
	uint32_t   port;    /* 0: "mx:" without one */
	bool       mx, lmtp, smtps;
	bool       address; /* host is one */
};

#define NEXTHOP_FORMS "HOST:PORT, lmtp:HOST:PORT, smtps:HOST:PORT, mx:DOMAIN or mx:DOMAIN:PORT"

/* One. *ret is written only if it is true; its slices are of `text`. */
MUST_CHECK bool nexthop_parse(struct str text, struct nexthop *ret);
/* Take the first off a list. False: the list is empty, or it is none (then *ret_bad is that part, else it is ""). */
MUST_CHECK bool nexthop_take(struct str *list, struct nexthop *ret, struct str *ret_bad);
/* The whole list; "" is none. */
MUST_CHECK bool nexthops_valid(struct str list);
/* Such a list, or a program (endpoint_pipe). */
MUST_CHECK bool nexthops_or_pipe_valid(struct str text);

#endif
