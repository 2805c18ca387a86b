/* role/control_message.h - one message from a local program: collected, completed as submission does it, handed to queue.
 *
 *   begin -> add ... -> end        or forget at any time
 *
 * The first LIMIT_INLINE octets stay in memory, where the header is looked at and completed; a longer message goes on into a spool
 * file of queue's. What comes in is checked as if the program were hostile: lines end in CRLF, the header ends, there is one author.
 */
#ifndef ROLE_CONTROL_MESSAGE_H
#define ROLE_CONTROL_MESSAGE_H

#include "base/buf.h"
#include "ipc/ipc.h"
#include "ipc/msg_queue.h"

/* Why a message is not taken: exit code of the program (sysexits.h) and text for its user; code 0: fine. */
struct control_verdict {
	uint32_t    code;
	const char *text;
};

struct control_message {
	struct arena      *arena; /* NULL: there is none */
	struct str         from, envid, login;
	struct queue_rcpt *rcpts;
	size_t             rcpt_count;
	bool               ret_hdrs, ret_full;
	uint32_t           uid;
	char               id[LIMIT_SESSION_ID]; /* in Received and the log */
	int64_t            received_ms;
	/* the content */
	struct buf memory;
	size_t     trace_octets; /* of our Received */
	int        spool;        /* -1: all is in memory */
	uint64_t   spooled;
	bool       header_done, eight_bit, tls_optional, cr; /* cr: the last octet was a CR */
};

struct control_where { /* what the message is completed with */
	struct ipc *ipc;
	struct str  hostname;
	uint64_t    message_octets;
};

/* `from` and the recipients, canonical, live in m->arena, which the caller has made; id, uid and received_ms are set. */
void control_message_begin(struct control_message *m, const struct control_where *w);
MUST_CHECK struct control_verdict control_message_add(struct control_message *m, const struct control_where *w, struct str octets);
/* Waits for queue. code 0: it is queue's, as *ret_id. *ret_unknown: nobody can say whether it is. */
MUST_CHECK struct control_verdict control_message_end(struct control_message *m, const struct control_where *w, uint64_t *ret_id,
						      bool *ret_unknown);
void control_message_forget(struct control_message *m);

#endif
