/* deliver/remote_params.h - what a sender asked for, as parameters of MAIL and RCPT, to a peer that offers the extension.
 *
 *   DSN           RET, ENVID; NOTIFY, ORCPT      RFC 3461 §5.2.1
 *   DELIVERBY     BY                             RFC 2852 §4
 *   MT-PRIORITY   MT-PRIORITY                    RFC 6710 §4
 *   REQUIRETLS    REQUIRETLS                     RFC 8689 §4.2.1
 *
 * Pure.
 */
#ifndef DELIVER_REMOTE_PARAMS_H
#define DELIVER_REMOTE_PARAMS_H

#include "base/buf.h"
#include "deliver/remote_result.h"
#include "wire/smtp/smtp_caps.h"

/* Each parameter with a blank before it. */
void remote_params_mail(struct buf *out, const struct smtp_caps *caps, const struct remote_deliver_request *q);
void remote_params_rcpt(struct buf *out, const struct smtp_caps *caps, const struct remote_rcpt *rcpt);
/* What such a peer takes over with a recipient: mask of enum remote_passed. */
uint32_t remote_params_passes(const struct smtp_caps *caps);
/* True, and why: the message must not go to a peer that does not offer more. */
bool remote_params_unfit(const struct remote_deliver_request *q, const struct smtp_caps *caps, struct remote_outcome *ret_why);

#endif
