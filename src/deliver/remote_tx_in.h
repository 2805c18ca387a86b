/* deliver/remote_tx_in.h - one transaction, for the files of remote_tx. */
#ifndef DELIVER_REMOTE_TX_IN_H
#define DELIVER_REMOTE_TX_IN_H

#include "deliver/remote_tx.h"

struct tx {
	struct remote_session               *s;
	const struct remote_deliver_request *q;
	const struct remote_content         *content;
	struct remote_results               *r;
	bool                                *want;                      /* of all recipients: to be in a (further) transaction */
	size_t                               which[LIMIT_REMOTE_RCPTS]; /* indexes into q->rcpts */
	bool                                 accepted[LIMIT_REMOTE_RCPTS], answered[LIMIT_REMOTE_RCPTS];
	size_t                               count, accepted_count;
	bool                                 bdat, early; /* how the content goes; early: behind the commands */
	bool                                 mail_answered, mail_ok;
	bool                                 sent;  /* all of the content has left, the peer may have it */
	bool                                 ended; /* it was answered: the session is as before MAIL */
	enum remote_tx_end                   end;
};

/* The connection is over. */
void tx_lost(struct tx *t, struct remote_outcome why);
/* The final outcome of those that were taken. */
void tx_final(struct tx *t, struct remote_outcome o);
/* A failed step for the recipients that could still have got the message. Another host may be tried unless the peer refused for good. */
void tx_fail(struct tx *t, struct remote_outcome o);

/* Send what waits, read one reply. False: the connection is over and the recipients know. */
MUST_CHECK bool tx_exchange(struct tx *t, const char *step, unsigned timeout_ms);

/* ---- remote_tx_content.c ---- */

/* Append BDAT and the whole content to what waits to be sent. False: it cannot be read, nothing waits any more, the recipients know. */
MUST_CHECK bool tx_content_append(struct tx *t);
/* RCPT (and DATA) are answered: send the content, unless it is sent, and read what is said to it. */
void tx_content(struct tx *t);

#endif
