/* deliver/remote_policy.h - what TLS a target must have before it gets the message, and with whom.
 *
 * A policy is found for each target of a route before a connection is made, from the route's rule (struct hop), from what the sender requires
 * (RFC 8689), and from what the destination says of itself: DANE (remote_dane.h), else MTA-STS (remote_sts.h). The whole is one table in
 * docs/concepts/outward-tls.md.
 */
#ifndef DELIVER_REMOTE_POLICY_H
#define DELIVER_REMOTE_POLICY_H

#include "deliver/remote_dane.h"
#include "deliver/remote_sts.h"

enum remote_tls {
	REMOTE_TLS_NONE,     /* never STARTTLS */
	REMOTE_TLS_MAY,      /* opportunistic: any certificate, and in clear if it is not offered or fails */
	REMOTE_TLS_ENCRYPT,  /* any certificate, never in clear */
	REMOTE_TLS_DANE,     /* proved by `tlsa` */
	REMOTE_TLS_VERIFIED, /* proved by the authorities, for one of `names` */
};

enum remote_tls_by { REMOTE_BY_NOBODY, REMOTE_BY_SENDER, REMOTE_BY_ROUTE, REMOTE_BY_DANE, REMOTE_BY_STS }; /* who wants it so */

struct remote_policy {
	enum remote_tls        level;
	struct str             name;   /* in SNI; "": the target has none, it is an address */
	struct str             names[NET_NAMES_MAX]; /* that a certificate may be for, as struct net_tls_want has them; the first is the TLSA base */
	size_t                 name_count;
	const struct net_tlsa *tlsa;
	size_t                 tlsa_count;
	bool                   testing; /* MTA-STS in mode testing: as MAY, but what VERIFIED would have said is reported */
	bool                   mismatch; /* and the policy does not name the host */
	bool                   unusable; /* TLSA records are there, and none can be used: told, whatever else proves the host */
	enum remote_tls_by     by;
	struct str             clear;   /* NONE: why, for the log */
	uint64_t               key;     /* of all of the above: a session is only used again, and a TLS session resumed, for targets with the same */
	/* For the reports of RFC 8460: */
	enum tlsrpt_policy       report;
	const struct remote_sts *sts; /* NULL: was not asked */
	struct str               policy_text;
};

/* Of one target, for one message. False: it may not be used, *ret_why. `a` is the route's arena. */
MUST_CHECK bool remote_policy_find(const struct remote_route *route, const struct remote_target *target, const struct remote_deliver_request *q,
				   struct arena *a, struct remote_policy *ret, struct remote_outcome *ret_why);
/* The same, one step down: in clear, after a handshake that failed at REMOTE_TLS_MAY. */
struct remote_policy remote_policy_clear(const struct remote_policy *policy);

#endif
