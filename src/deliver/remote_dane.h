/* deliver/remote_dane.h - what a host says of its keys in DNS: RFC 7672 §2.2, from names to TLSA records.
 *
 *   the host's name could be forged (MX insecure), or it has none               NONE
 *   its addresses are insecure, and it is no alias                              NONE, nothing is asked: servers of unsigned zones fail on TLSA
 *   its addresses are insecure, but it is an alias in a signed zone             TLSA of its own name
 *   its addresses are secure (A or AAAA)                                        TLSA of the name at the end of its CNAMEs, then of its own
 *   TLSA: none, or insecure                                                     the next of these names, then NONE
 *   TLSA or CNAME: bogus, SERVFAIL, REFUSED, timeout                            FAILED: the host is passed over, else whoever can suppress
 *                                                                               an answer could suppress the protection
 *   TLSA: secure, one can be used at least                                      USABLE
 *   TLSA: secure, none can be used                                              UNUSABLE: TLS is a must, whoever it is
 */
#ifndef DELIVER_REMOTE_DANE_H
#define DELIVER_REMOTE_DANE_H

#include "deliver/remote_route.h"
#include "trust/trust_dane.h"

enum remote_dane_state { REMOTE_DANE_NONE, REMOTE_DANE_USABLE, REMOTE_DANE_UNUSABLE, REMOTE_DANE_FAILED };

struct remote_dane {
	enum remote_dane_state state;
	struct str             base; /* the name that the records are for */
	struct trust_dane      set;
	struct str             text; /* the records, one a line; not of FAILED */
	struct remote_outcome  why; /* of FAILED */
};

/* Of the target's host, asked once for each host of a route. Never NULL; `a` is the route's. */
const struct remote_dane *remote_dane_find(const struct remote *remote, struct arena *a, const struct remote_target *target);

#endif
