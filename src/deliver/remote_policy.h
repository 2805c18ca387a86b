/* deliver/remote_policy.h - what TLS a target must have before it gets the message, and with whom.
 *
 * A policy is found for each target of a route before a connection is made, from the route's rule (struct hop), from what the sender requires
 * (RFC 8689), and from what the destination says of itself.
 */
#ifndef DELIVER_REMOTE_POLICY_H
#define DELIVER_REMOTE_POLICY_H

#include "deliver/remote_route.h"

enum remote_tls {
	REMOTE_TLS_NONE,     /* never STARTTLS */
	REMOTE_TLS_MAY,      /* opportunistic: any certificate, and in clear if it is not offered or fails */
	REMOTE_TLS_ENCRYPT,  /* any certificate, never in clear */
	REMOTE_TLS_DANE,     /* proved by `tlsa` */
	REMOTE_TLS_VERIFIED, /* proved by the authorities, for `name` */
};

struct remote_policy {
	enum remote_tls level;
	struct str      name;   /* in SNI, and what the certificate is proved for; "": the target has none, it is an address */
	struct str      source; /* who wants it so, for the log: "sender", "route", "dane", "mta-sts"; "" for nobody */
	uint64_t        key;    /* of all of the above: a session is only used again for targets with the same one */
};

/* Of one target, for one message. False: it may not be used, *ret_why. `a` keeps the slices. */
MUST_CHECK bool remote_policy_find(const struct remote_route *route, const struct remote_target *target, const struct remote_deliver_request *q,
				   struct arena *a, struct remote_policy *ret, struct remote_outcome *ret_why);
/* The same, one step down: in clear, after a handshake that failed at REMOTE_TLS_MAY. */
struct remote_policy remote_policy_clear(const struct remote_policy *policy);
/* May be called with a name in SNI: no literal address, RFC 6066 §3. */
struct str remote_policy_name(const struct remote_target *target);

#endif
