/* sasl/sasl_exchange.h - signing in, the same for every protocol: SASL (RFC 4422), server side.
 *
 *   sasl_start --CHALLENGE--> (sasl_step --CHALLENGE--> ...) --> SUCCESS or FAILURE, then sasl_free
 *
 * A protocol knows how a challenge, a success and each kind of failure look on its wire, and nothing else. Base64, "*",
 * padding, oversized lines, NULs, the order of messages, channel binding, the log line of a failure and that of a sign-in
 * are handled here, once. Every attempt has a context and a wiping arena of its own.
 *
 * What is announced and what is accepted comes from one table (sasl_exchange.c), by what is possible on this connection
 * now. In clear nothing is, unless the lab allows it.
 */
#ifndef SASL_SASL_EXCHANGE_H
#define SASL_SASL_EXCHANGE_H

#include "base/buf.h"
#include "ipc/msg_auth.h"
#include "net/net.h"

/* What an exchange asks; each may block. The statuses of msg_auth.h; any other counts as "not now". */
struct sasl_ask {
	enum status (*login)(void *ctx, const struct auth_login_request *q, struct arena *a, struct auth_login_reply *ret);
	enum status (*scram_salt)(void *ctx, const struct auth_scram_salt_request *q, struct arena *a,
				  struct auth_scram_salt_reply *ret);
	enum status (*scram_proof)(void *ctx, const struct auth_scram_proof_request *q, struct arena *a,
				   struct auth_scram_proof_reply *ret);
	enum status (*bearer)(void *ctx, const struct auth_bearer_request *q, struct arena *a, struct auth_login_reply *ret);
	enum status (*external)(void *ctx, const struct auth_external_request *q, struct arena *a, struct auth_login_reply *ret);
	enum status (*certificate)(void *ctx, const struct auth_certificate_request *q, struct arena *a);
};
/* Over the channels of this process: ctx is its `struct ipc *`. */
extern const struct sasl_ask sasl_ask_ipc;

/* A session, as far as sign-in is concerned. */
struct sasl_side {
	const struct sasl_ask *ask;
	void                  *ask_ctx;
	struct net_conn       *conn;
	enum auth_protocol     protocol;
	const char            *name; /* of the protocol in the log: "smtp" */
	bool                   allow_plain; /* also without TLS */
	bool                   scram;       /* is offered */
};

enum sasl_next { SASL_CHALLENGE, SASL_SUCCESS, SASL_FAILURE };

enum sasl_failure {
	SASL_DENIED,       /* counts as a failed sign-in; which part was wrong is told nobody */
	SASL_LIMITED,      /* too many failures before */
	SASL_LATER,        /* could not be judged */
	SASL_SYNTAX,       /* no base64, or not what the mechanism has */
	SASL_TOO_LONG,
	SASL_CANCELLED,
	SASL_NO_MECHANISM, /* unknown, or not possible now */
	SASL_FAILURES,
};

struct sasl_result { /* strings live until sasl_free */
	enum sasl_next          next;
	struct str              challenge; /* CHALLENGE: base64, may be empty */
	enum sasl_failure       why;       /* FAILURE */
	struct str              user;      /* DENIED, LIMITED: as the peer claims, any octets */
	struct auth_login_reply login;     /* SUCCESS: its account is not 0 */
	struct str              mechanism; /* SUCCESS */
};

struct sasl; /* one attempt */

/* Is there any way to sign in now? */
bool sasl_possible(const struct sasl_side *side);
/* `prefix` and the name of each mechanism that is possible now, best first. May ask auth. */
void sasl_announce(const struct sasl_side *side, const char *prefix, struct buf *out);

/* `initial`: the initial response in base64, "=" for an empty one; NULL: none. *x is new and must be freed, whatever the result. */
struct sasl_result sasl_start(struct sasl **x, const struct sasl_side *side, struct str mechanism, const struct str *initial);
/* An answer to the last challenge. too_long: the line was longer than LIMIT_SASL_LINE, and is empty. */
struct sasl_result sasl_step(struct sasl *x, struct str line, bool too_long);
/* Without an exchange: commands that carry user and password. They are borrowed. SUCCESS or FAILURE. */
struct sasl_result sasl_password(struct sasl **x, const struct sasl_side *side, struct str user, struct str password);
/* Wipes; NULL inside is fine. */
void sasl_free(struct sasl **x);

#endif
