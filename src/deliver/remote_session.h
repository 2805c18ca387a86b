/* deliver/remote_session.h - one connection to an SMTP server, up to where MAIL may be sent.
 *
 *   CONNECT --220--> GREETED --EHLO 250--> READY               EHLO 5xx: HELO 250 --> READY, nothing is offered
 *                    READY, STARTTLS offered --220--> handshake --> EHLO 250 --> READY in TLS
 *                    READY, the hop has a login: AUTH (remote_auth.h) --> READY, signed in
 *
 * What TLS there must be is the policy's matter (remote_tls.h): opportunistic (REMOTE_TLS_MAY), a session without the offer, or with STARTTLS
 * refused, goes on in clear, and if the handshake fails the caller may connect again in clear; with more than that there is no session but
 * in TLS. A target with implicit_tls begins with the handshake. LMTP says LHLO, and nothing else if that is refused. What was learnt in clear (the offers) is forgotten
 * when TLS is up; octets that came with the 220 to STARTTLS end the session (command injection, CVE-2011-0411 and its
 * kind).
 *
 * Every wait ends at the step's timeout or the delivery's deadline, whichever is first; a reply as a whole has its
 * step's time, so that one sent octet by octet does not last longer.
 */
#ifndef DELIVER_REMOTE_SESSION_H
#define DELIVER_REMOTE_SESSION_H

#include "deliver/remote.h"
#include "deliver/remote_policy.h"
#include "deliver/remote_result.h"
#include "deliver/remote_tls.h"
#include "net/net_tls.h"
#include "wire/smtp/smtp_caps.h"
#include "wire/smtp/smtp_answer.h"

struct remote_session {
	const struct remote *remote;
	struct arena        *arena;       /* the delivery's: outcomes live there */
	int64_t              deadline_ms; /* monotonic */
	struct net_stream   *stream;
	struct buf           line, text, out;
	struct smtp_answer_in reply; /* the last one */
	struct smtp_caps     caps;
	struct str           host, tls; /* as in struct remote_rcpt_result */
	struct remote_tls_outcome outcome;
	bool                 dead;      /* nothing more can be said on this connection */
	bool                   lmtp, any_name; /* as in struct remote_target */
};

enum remote_open {
	REMOTE_OPEN_READY,
	REMOTE_OPEN_FAILED,     /* *ret_why */
	REMOTE_OPEN_TLS_FAILED, /* the handshake: *ret_why; another try in clear is allowed */
};

/* Connect and say hello. Whatever is returned, the caller ends with remote_session_close(). */
MUST_CHECK enum remote_open remote_session_open(struct remote_session *s, const struct remote *remote, struct arena *a,
						int64_t deadline_ms, const struct remote_target *target, const struct remote_policy *policy,
						const struct hop *hop, struct remote_outcome *ret_why);
/* QUIT unless dead, and free. */
void remote_session_close(struct remote_session *s);

/* ---- for remote_tx ---- */

/* The time one step may take, as the deadline allows. */
unsigned remote_session_timeout(const struct remote_session *s, unsigned step_ms);
/* Read a reply into s->reply. False: the connection is dead, *ret_why says how; `step` ("MAIL") is for the text. */
MUST_CHECK bool remote_session_reply(struct remote_session *s, const char *step, unsigned timeout_ms,
				     struct remote_outcome *ret_why);
/* Send what s->out holds, and empty it. As above, but `step_ms` is cut to the deadline here. */
MUST_CHECK bool remote_session_send(struct remote_session *s, const char *step, unsigned step_ms,
				    struct remote_outcome *ret_why);
/* The failure that the last reply means. 421, and replies out of place (2yz or 3yz where it is called), mean a
 * deferral and leave the session dead. */
struct remote_outcome remote_session_failure(struct remote_session *s);
/* The success that the last reply, a 2yz, means. */
struct remote_outcome remote_session_success(struct remote_session *s);

#endif
