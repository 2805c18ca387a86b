/* ipc/msg_trace.h - events for the trace, which queue keeps: what became of each message and each connection, and why.
 *
 * An event is told once and answered by nobody who matters: when queue is busy or away it is lost, and counted.
 */
#ifndef IPC_MSG_TRACE_H
#define IPC_MSG_TRACE_H

#include "base/limits.h"
#include "base/str.h"

enum trace_what { /* stored: append only */
	TRACE_CONNECTED,       /* text: the listener */
	TRACE_TURNED_AWAY,     /* a connection refused before its session began */
	TRACE_SIGNED_IN,       /* from: the account */
	TRACE_SIGNIN_REFUSED,  /* text: why */
	TRACE_SENDER_REFUSED,
	TRACE_RCPT_REFUSED,
	TRACE_MESSAGE_REFUSED, /* after it was sent */
	TRACE_ACCEPTED,        /* queued; `to` if there is one recipient, else an event for each follows */
	TRACE_RECIPIENT,
	TRACE_DELIVERED,
	TRACE_DEFERRED,
	TRACE_FAILED,
	TRACE_LOST,            /* a process ended while it had the delivery in hand: repeated */
	TRACE_REPORTED,        /* a report about it was queued; text: its queue id */
	TRACE_HELD,
	TRACE_REMOVED,         /* by an administrator */
	TRACE_ENDED,           /* the session; text: why */
	TRACE_NOTE,            /* anything else, in words */
	TRACE_EDITED,          /* by an administrator; to: whose delivery, or the new sender; text: what was done */
	TRACE_LAST = TRACE_EDITED,
};

/* IPC_QUEUE_TRACE. Empty and 0 where it does not apply. */
struct trace_event {
	int64_t         at_ms; /* wall clock */
	enum trace_what what;
	uint64_t        message; /* queue id */
	struct str      session, peer, from, to;
	uint32_t        code; /* SMTP reply */
	uint64_t        octets;
	struct str      text; /* what was said, or why */
};

/* IPC_QUEUE_TRACE_FIND: events that match one of the keys, in the order they came. Looks through a bounded part of the trace and then says
 * `more`: ask again with `segment` and `offset` of the reply. */
enum trace_key_kind { TRACE_KEY_MESSAGE, TRACE_KEY_SESSION, TRACE_KEY_ADDRESS, TRACE_KEY_PEER, TRACE_KEY_LAST = TRACE_KEY_PEER };
struct trace_key {
	enum trace_key_kind kind;
	uint64_t            message;
	struct str          text; /* ADDRESS: compared without case; "@domain" is all of it */
};
struct trace_find_request {
	struct trace_key *keys;
	size_t            key_count;
	int64_t           since_ms; /* wall clock */
	uint64_t          segment, offset; /* 0, 0: from the beginning */
};
struct trace_find_reply {
	struct trace_event *events;
	size_t              event_count;
	bool                more;
	uint64_t            segment, offset;
};

#endif
