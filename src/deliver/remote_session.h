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
 * A session serves one delivery, and then, if it is in step, others to the same host under the same policy (remote_pool.h): it lives in an
 * arena of its own, and what is told of it in a delivery in that one's.
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
	struct arena        *own;         /* the session's */
	struct arena        *arena;       /* the delivery's: outcomes live there */
	int64_t              deadline_ms; /* monotonic, the delivery's */
	const struct remote_asker *asker; /* likewise; NULL while there is none */
	int64_t              opened_ms;
	struct net_stream   *stream;
	struct buf           line, text, out;
	struct smtp_answer_in reply; /* the last one */
	struct smtp_caps     caps;
	struct str           key;       /* what it may be used again for, remote_pool_key() */
	struct str           helo;      /* what we call ourselves in it */
	struct str           host, tls; /* as in struct remote_rcpt_result */
	struct str           greeted;   /* what the peer called itself in its greeting */
	bool                 ready;     /* it was opened whole: TLS as its policy wants it, signed in; never before */
	bool                 dead;      /* nothing more can be said on this connection */
	bool                 lmtp, any_name; /* as in struct remote_target */
	bool                 unasked;   /* our own address or name could not be used, or there was no descriptor: the peer has nothing to do with it */
	bool                 suspect;   /* the peer took no connection, or did not greet */
	bool                 timed_out;
	bool                 dirty;     /* a transaction may be open: RSET before MAIL */
	bool                 reused;    /* by this delivery, and nothing of it is answered yet */
	bool                 talked;    /* MAIL was answered in this delivery, and not by 421 */
	bool                 taken;     /* it has taken a message from us */
	bool                 no_bdat, no_early; /* as enum remote_host_mark */
	unsigned             mails;     /* transactions begun */
};

enum remote_open {
	REMOTE_OPEN_READY,
	REMOTE_OPEN_FAILED,     /* *ret_why */
	REMOTE_OPEN_TLS_FAILED, /* the handshake: *ret_why; another try in clear is allowed */
};

/* What we call ourselves. */
struct str remote_session_helo(const struct remote *remote, const struct hop *hop);
/* Not connected. It ends in remote_session_close(), or is given to a pool. */
struct remote_session *remote_session_new(const struct remote *remote, struct arena *a, int64_t deadline_ms);
/* Connect, unless `fd` is a connection to the target (it is taken; -1: there is none), and say hello; once. */
MUST_CHECK enum remote_open remote_session_open(struct remote_session *s, const struct remote_target *target, const struct remote_policy *policy,
						const struct hop *hop, int fd, struct remote_outcome *ret_why);
/* It is for another delivery now. */
void remote_session_attach(struct remote_session *s, const struct remote *remote, struct arena *a, int64_t deadline_ms);
/* QUIT unless dead, and free. */
void remote_session_close(struct remote_session **s);
/* The two halves of that: say QUIT without waiting; free. */
void remote_session_quit(struct remote_session *s);
void remote_session_free(struct remote_session **s);

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
