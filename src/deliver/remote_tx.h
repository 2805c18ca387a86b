/* deliver/remote_tx.h - mail transactions on an open session.
 *
 *   MAIL --250--> RCPT ... --250 for some--> DATA --354--> content, final dot --250--> delivered to those
 *
 * With PIPELINING (RFC 2920) MAIL, all RCPT and DATA go in one group and their replies are read after it. If then DATA
 * is answered 354 though no recipient was taken, only the final dot is sent, RFC 2920 §3.1. At most LIMIT_REMOTE_RCPTS
 * recipients are in one transaction; more get further ones on the same session. LMTP answers the final dot once for each recipient
 * that it took, in their order, RFC 2033 §4.2.
 */
#ifndef DELIVER_REMOTE_TX_H
#define DELIVER_REMOTE_TX_H

#include "deliver/remote_content.h"
#include "deliver/remote_session.h"

/* Send the message to all recipients that are open in `r`; their outcomes are noted or final when it returns. */
void remote_tx_all(struct remote_session *s, const struct remote_deliver_request *q,
		   const struct remote_content *content, struct remote_results *r);

#endif
