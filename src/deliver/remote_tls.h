/* deliver/remote_tls.h - TLS of one session, as its policy wants it: what was achieved, how it is told, and what it means if it was not.
 *
 *   level      not offered, refused     handshake fails           certificate does not fit
 *   NONE       (not tried)
 *   MAY        goes on in clear         again, in clear           (any fits)
 *   others     no session               no session                no session
 *
 * No session is a deferral, unless the sender asked for it (REQUIRETLS): then it is final for this host, RFC 8689 §4.2.1.
 */
#ifndef DELIVER_REMOTE_TLS_H
#define DELIVER_REMOTE_TLS_H

#include "deliver/remote_policy.h"
#include "net/net_tls.h"

enum remote_tls_done {
	REMOTE_TLS_UP,
	REMOTE_TLS_CLEAR,   /* the session goes on in clear */
	REMOTE_TLS_RETRY,   /* the connection is of no use any more; another try in clear is allowed */
	REMOTE_TLS_REFUSED, /* no session under this policy: *ret_why */
};

struct remote_tls_outcome {
	struct str         text; /* "TLSv1.3 TLS_AES_256_GCM_SHA384, verified by DANE-EE", "in clear: not offered" */
	bool               decided; /* counts for the reports of RFC 8460 */
	enum tlsrpt_result result;
	struct str         reason; /* of a failure */
};

/* Slices live in `a`. */
enum remote_tls_done remote_tls_not_offered(const struct remote_policy *policy, struct arena *a, struct remote_tls_outcome *ret,
					    struct remote_outcome *ret_why);
/* STARTTLS was answered by `reply` (one line), not by 220. */
enum remote_tls_done remote_tls_declined(const struct remote_policy *policy, struct str reply, struct arena *a, struct remote_tls_outcome *ret,
					 struct remote_outcome *ret_why);
/* Do the handshake. */
enum remote_tls_done remote_tls_handshake(struct net_stream *stream, const struct remote_policy *policy, unsigned timeout_ms, struct arena *a,
					  struct remote_tls_outcome *ret, struct remote_outcome *ret_why);

/* Count it for the domain, if the host is its own (found by MX): once per session, RFC 8460 §3. `helo`: what it called itself in its reply
 * to EHLO, or in its greeting if that had no name; "" if that is not known. */
void remote_tls_report(const struct remote *remote, const struct remote_target *target, const struct remote_policy *policy,
		       const struct remote_tls_outcome *outcome, struct str helo, const struct net_stream *stream);

#endif
