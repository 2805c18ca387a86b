/* smtp/smtp.h - SMTP reception and submission, and LMTP: a session over net/, asking auth and queue.
 *
 * RFC 5321, with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), ENHANCEDSTATUSCODES (2034), STARTTLS
 * (3207), AUTH (4954) with the mechanisms of src/sasl, CHUNKING (3030), DSN (3461), LIMITS (9422), REQUIRETLS (8689), DELIVERBY (2852),
 * FUTURERELEASE (4865), MT-PRIORITY (6710), ETRN (1985), XCLIENT; submission RFC 6409 and 8314; LMTP RFC 2033. docs/rfc/status.tsv says what is missing,
 * docs/rfc/deviations.md where we differ.
 *
 * A listener is a `struct smtp_env` given to net_listen() with smtp_proto. The session asks the outside only through
 * `struct smtp_ask`, so a test fakes it and the role fills it by smtp_ask_ipc() (smtp_ask.h).
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include <stdatomic.h>

#include "ipc/msg_auth.h"
#include "ipc/msg_guard.h"
#include "ipc/msg_queue.h"
#include "ipc/msg_remote.h"
#include "ipc/msg_trace.h"
#include "milter/filter_conf.h"
#include "net/net.h"
#include "sasl/sasl_exchange.h"
#include "wire/address/cidr.h"

enum smtp_kind {
	SMTP_KIND_RELAY,      /* port 25: strangers send to our own people; no sign-in */
	SMTP_KIND_SUBMISSION, /* ports 587 and 465 (there net does TLS first): our own people send, after sign-in */
	SMTP_KIND_LMTP,       /* RFC 2033: another server of ours hands over; from loopback and trusted addresses only */
	SMTP_KIND_REINJECT,   /* the content filter gives back what it was sent: any recipient, no filters, no limits of ours; loopback */
};

/* One snapshot of the configuration. It never changes and outlives the sessions that began under it. */
struct smtp_settings {
	struct str hostname;       /* in greeting, EHLO, Received */
	struct str postmaster;     /* whole address for "<Postmaster>"; its domain or one above it should be ours */
	uint64_t   message_octets; /* SIZE: at most LIMIT_MESSAGE_MAX */
	size_t     rcpts;          /* per transaction, at most LIMIT_RCPTS */
	unsigned   timeout_ms;     /* waiting for a command or for data */
	unsigned   signin_ms;      /* submission: from the greeting to a sign-in */
	unsigned   barren_ms;      /* between accepted messages of a session */
	unsigned   submit_wait_ms; /* how long the truth about a submit is sought after its channel was lost */
	bool       scram;          /* offer it */
	bool       client_certificates; /* submission: ask for one in the TLS handshake */
	bool       allow_plain;    /* sign-in without TLS: --lab, loopback */
	bool       normalise_eol;  /* a bare CR or LF in DATA becomes CRLF; else the message is refused */
	bool       strict_header;  /* of strangers: exactly one From field, of the grammar (smtp_message.c) */
	bool       allow_no_from;  /* with strict_header: none is fine too. --lab: small tests */
	bool       full_refused;   /* RCPT for a full mailbox: 552, not 452 */
	bool       lenient_helo;   /* smtp_helo.h */
	bool       lenient_space;  /* "MAIL FROM: <a@b>", smtp_mail.h */
	const struct filter_list *milters, *policies; /* NULL: none; smtp_filter.h */
	bool       content_filter; /* what is accepted goes to the content filter first */
	struct cidr_list trusted;  /* who may say by XCLIENT and the PROXY protocol for whom he speaks, hand over by LMTP, and ask ETRN */
};
/* The defaults; hostname and postmaster are the caller's. */
void smtp_settings_init(struct smtp_settings *ret);

/* The answer to a submit; `reply` is NULL unless st is ST_OK, and valid only during the call. From any thread, once. */
typedef void smtp_submit_fn(void *arg, enum status st, const struct queue_submit_reply *reply);

/* The same for the question before the greeting. */
typedef void smtp_connect_fn(void *arg, enum status st, const struct guard_connect_reply *reply);

/* What a session asks. Each but submit may block; any status that is not named counts as "not now". ctx is smtp_env.ask_ctx. */
struct smtp_ask {
	enum status (*rcpt)(void *ctx, const struct auth_rcpt_request *request, struct arena *a,     /* IPC_AUTH_RCPT */
			    struct auth_rcpt_reply *ret);
	const struct sasl_ask *sasl;                                                                 /* sign-in; same ctx */
	enum status (*sender)(void *ctx, uint64_t account, struct str address);                      /* IPC_AUTH_SENDER */
	enum status (*behalf)(void *ctx, uint64_t account, struct str address);                      /* the same, behalf */
	enum status (*rewrite)(void *ctx, const struct auth_rewrite_request *request, struct arena *a, /* IPC_AUTH_REWRITE */
			       struct auth_rewrite_reply *ret);
	enum status (*probe)(void *ctx, const struct remote_probe_request *request, struct arena *a, /* IPC_REMOTE_PROBE */
			     struct remote_probe_reply *ret);
	enum status (*probed)(void *ctx, const struct auth_probed_request *request, struct arena *a, /* IPC_AUTH_PROBED */
			      struct auth_rcpt_reply *ret);
	/* IPC_QUEUE_SUBMIT: does not wait. The request is not looked at after it has returned; done may be called before. */
	void (*submit)(void *ctx, const struct queue_submit_request *request, smtp_submit_fn *done, void *arg);
	enum status (*known)(void *ctx, struct str txid, struct queue_known_reply *ret);             /* IPC_QUEUE_KNOWN */
	enum status (*spool)(void *ctx, int *ret_fd);                                                /* IPC_QUEUE_SPOOL */
	enum status (*filter)(void *ctx, const struct remote_connect_request *request, int *ret_fd); /* IPC_REMOTE_CONNECT */
	enum status (*flush)(void *ctx, struct str domain, uint64_t *ret_count);                     /* IPC_QUEUE_FLUSH */
	void (*trace)(void *ctx, const struct trace_event *e);                                       /* IPC_QUEUE_TRACE: does not wait */
	/* IPC_GUARD_CONNECT: as submit. NULL: whoever comes is let in. */
	void (*connect)(void *ctx, const struct guard_connect_request *request, smtp_connect_fn *done, void *arg);
	void (*note)(void *ctx, const struct guard_note_request *request);                           /* IPC_GUARD_NOTE: told; may be NULL */
	int64_t (*now_ms)(void *ctx);                                                                /* wall clock */
	void (*random)(void *ctx, void *p, size_t n);
	void (*pause)(void *ctx, unsigned ms); /* between two questions to a queue that is not there */
};

struct smtp_env {
	enum smtp_kind                              kind;
	const struct smtp_settings *_Atomic         settings; /* a reload stores the next one */
	_Atomic bool                                proxy;    /* connections begin with a PROXY header, and come from settings->trusted */
	const struct smtp_ask                      *ask;
	void                                       *ask_ctx;
	_Atomic unsigned                           *filtering; /* sessions that wait for a filter, of all listeners; NULL: not counted */
	/* Connections that were refused before their session, in the current second: how many were told to the trace. */
	atomic_int_fast64_t away_since_ms;
	atomic_uint         away_told;
};

/* net_listen(net, fd, &smtp_proto, env, tls, implicit); the env outlives the net. */
extern const struct net_proto smtp_proto;

#endif
