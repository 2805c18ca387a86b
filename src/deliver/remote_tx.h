/* deliver/remote_tx.h - mail transactions on an open session.
 *
 *   MAIL --250--> RCPT ... --250 for some--> DATA --354--> content, final dot --250--> delivered to those
 *                                            BDAT n LAST, content ------------250--> delivered to those
 *
 * What goes in one group, and its replies are read after it (RFC 2920), by what the peer offers:
 *
 *   nothing                 each command by itself
 *   PIPELINING              MAIL, all RCPT, DATA. If DATA is answered 354 though no recipient was taken, only the final dot is sent (§3.1)
 *   PIPELINING, CHUNKING    MAIL, all RCPT, BDAT and the content, if it is small (LIMIT_REMOTE_EARLY): one round trip; else the content waits
 *                           for the replies to RCPT, and is not sent if all are refused
 *
 * A recipient gets a transaction of its own if the peer said that there were too many in one (452 or 552, 4.5.3; RFC 5321 §4.5.3.1.10). LMTP
 * answers the content once for each recipient that it took, in their order, RFC 2033 §4.2.
 *
 * When is a message sent? If the connection is lost and the peer may have had all of it, without an answer: then it is deferred and not tried
 * with another host now, it is in the log, and the recipient may get it twice (RFC 1047). If a session that was used again is lost
 * before MAIL is answered and the peer cannot have had it: nothing happened, another session can be opened.
 */
#ifndef DELIVER_REMOTE_TX_H
#define DELIVER_REMOTE_TX_H

#include "deliver/remote_content.h"
#include "deliver/remote_session.h"

enum remote_tx_end {
	REMOTE_TX_DONE,    /* outcomes of all that were open are noted or final; or the asker is gone */
	REMOTE_TX_GONE,    /* the session that was used again was over: nothing is noted, try on a new one */
	REMOTE_TX_NO_BDAT, /* the peer announced BDAT and does not know it: try on a new one, without (no_bdat is set) */
	REMOTE_TX_MORE,    /* the session may have no further transaction (RFC 9422): try on a new one for who is left open */
};

/* Send the message to all recipients that are open in `r`. */
MUST_CHECK enum remote_tx_end remote_tx_all(struct remote_session *s, const struct remote_deliver_request *q,
					    const struct remote_content *content, struct remote_results *r);

#endif
