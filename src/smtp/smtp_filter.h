/* smtp/smtp_filter.h - where a session meets its filters: milters, policy servers, and the content filter's flag.
 *
 * One hook per stage, called by that stage's handler when its own checks have said yes. NULL: go on; else the refusal. Where nothing is
 * configured for the listener each costs one comparison.
 *
 * A milter is connected when the first MAIL comes, and told then what it missed (connection, EHLO): a peer that never sends mail costs it
 * nothing. What it says to these is the answer to MAIL.
 *
 *   MAIL     each milter: open, CONNECT, HELO, MAIL
 *   RCPT     each policy server, then each milter
 *   DATA     each policy server, then each milter
 *   message  each policy server; then each milter in turn gets header, body and end of the message as those before it have left it, and
 *            what it wants changed is carried out at once and as a whole, or not at all
 *
 * A filter that fails (any failure) is replaced by its default for the rest of the transaction: accept and quarantine go on with the
 * message as it is, tempfail and reject refuse. At the next MAIL it is tried again, LIMIT_FILTER_FAILURES times in a session.
 *
 * While a filter works, the session holds a thread: for the filter's own total time at most, and LIMIT_FILTER_THREADS sessions at once.
 */
#ifndef SMTP_SMTP_FILTER_H
#define SMTP_SMTP_FILTER_H

#include "smtp/smtp_session.h"

/* `arg` is the command's argument, which was parsed: ESMTP parameters are passed on as they stand there. */
MUST_CHECK const struct smtp_reply *smtp_filter_mail(struct smtp_session *s, struct str arg);
MUST_CHECK const struct smtp_reply *smtp_filter_rcpt(struct smtp_session *s, struct str arg, struct str address);
MUST_CHECK const struct smtp_reply *smtp_filter_data(struct smtp_session *s);
/* A command that is none: the reply in place of ours, or NULL. Only filters that are connected already are told. */
MUST_CHECK const struct smtp_reply *smtp_filter_unknown(struct smtp_session *s, struct str line);
/* The content is complete, and may be another one afterwards; so may sender and recipients. It may set tx.discard. */
MUST_CHECK const struct smtp_reply *smtp_filter_message(struct smtp_session *s);
/* In place of a submit: 250, and the message is gone. */
enum smtp_next smtp_filter_discard(struct smtp_session *s);
/* Of enum queue_flag: what the filters' words make of a message that is submitted now. */
uint32_t smtp_filter_flags(const struct smtp_session *s);
/* The transaction is over. */
void smtp_filter_abort(struct smtp_session *s);
/* The session is over. */
void smtp_filter_close(struct smtp_session *s);

#endif
