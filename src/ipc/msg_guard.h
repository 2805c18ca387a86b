/* ipc/msg_guard.h - what auth is asked and told about limits and bans.
 *
 * What a peer may do at RCPT is part of the answer to IPC_AUTH_RCPT (msg_auth.h): there is no second question.
 */
#ifndef IPC_MSG_GUARD_H
#define IPC_MSG_GUARD_H

#include "base/limits.h"
#include "base/str.h"

/* IPC_GUARD_CONNECT: a connection begins. Answered at once, unless lists in DNS must be asked: then within LIMIT_GUARD_DNS_MS. */
enum guard_listener { GUARD_SMTP, GUARD_SUBMISSION, GUARD_LMTP, GUARD_IMAP, GUARD_POP3, GUARD_LISTENER_LAST = GUARD_POP3 };
enum guard_verdict { GUARD_ACCEPT, GUARD_REFUSE, GUARD_VERDICT_LAST = GUARD_REFUSE };
struct guard_connect_request {
	struct str          peer, session; /* peer: IP address as text */
	enum guard_listener listener;
	bool                exempt;        /* as in auth_rcpt_request */
};
struct guard_connect_reply {
	enum guard_verdict verdict;
	uint32_t           pause_ms; /* ACCEPT: before the greeting; who talks meanwhile is no mail server */
	uint32_t           code;     /* REFUSE: 421 or 554, and what to say */
	struct str         enhanced, text;
	struct str         reason;   /* REFUSE: one word, for the log */
};

/* IPC_GUARD_NOTE: what a session did since its last note. Nobody waits for the answer, which is empty. */
struct guard_note_request {
	struct str peer;
	uint64_t   account;  /* signed in, or 0 */
	uint64_t   octets;   /* of messages, refused ones too */
	uint32_t   messages; /* accepted */
	uint32_t   refused;  /* messages refused after DATA */
	uint32_t   errors;   /* protocol errors */
	bool       early;    /* talked before the greeting */
	bool       exempt;
};

/* ---- administrators ---- */

/* IPC_GUARD_LIST: bans with a place after `after`, in order, LIMIT_LIST_PAGE at most; and accounts that met their limits. */
struct guard_list_request {
	uint64_t after;
};
struct guard_ban_row {
	uint64_t   place;  /* where to go on */
	struct str where;  /* "192.0.2.1", "192.0.2.0/24", "2001:db8::/64" */
	struct str reason;
	int64_t    since_ms, until_ms;
	uint32_t   count;  /* how often it was banned lately, this time included */
	bool       manual; /* by an administrator */
};
struct guard_alarm_row {
	uint64_t   account;
	struct str from;   /* the sender address that met the limit */
	struct str reason; /* which limit */
	int64_t    when_ms;
};
struct guard_list_reply {
	struct guard_ban_row   *bans;
	size_t                  ban_count;
	bool                    more;
	struct guard_alarm_row *alarms;
	size_t                  alarm_count;
};

/* IPC_GUARD_WHY: all that is known of an address. ST_INVALID: it is none. */
#define LIMIT_GUARD_FACTS ((size_t)80)
#define LIMIT_GUARD_FACT  ((size_t)300)
struct guard_why_request {
	struct str address;
};
struct guard_fact {
	struct str name, value;
};
struct guard_why_reply {
	struct guard_fact *facts;
	size_t             fact_count;
};

/* IPC_GUARD_LIFT: end a ban, and forget the failures that led to it; "" for all. ST_INVALID, ST_NOT_FOUND. */
struct guard_lift_request {
	struct str where;
};
struct guard_lift_reply {
	uint64_t count;
};

/* IPC_GUARD_ADD: ban by hand. ST_INVALID: no address or network that can be banned (an address, /24, /64, /48). */
struct guard_add_request {
	struct str where, reason;
	uint64_t   seconds;
};
struct guard_add_reply {
	struct str exempt; /* not banned, because; else "" */
	int64_t    until_ms;
};

#endif
