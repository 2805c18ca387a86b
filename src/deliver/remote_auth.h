/* deliver/remote_auth.h - signing in at the next hop: AUTH (RFC 4954), between EHLO and MAIL.
 *
 * The mechanism is the strongest that both have (sasl/sasl_client.h). Where a host says that it cannot do one after all (500 to 504, 534, 538, or
 * SCRAM with a channel binding refused), the next is tried, LIMIT_AUTH_TRIES in all. A password or token as it is goes over TLS only.
 *
 * Nothing that goes wrong here bounces mail: the trouble is the administrator's, and mail waits until its time in the queue ends.
 *
 *   4.7.8   refused (535); in the log as an error; the credentials rest for a while (remote_login.h)
 *   4.7.0   no AUTH, no mechanism in common, none without TLS; or the host does not keep to the mechanism, or let us in without its own
 *           proof (then it is not who it says, and the connection is dropped)
 *   4.3.5   the route demands a sign-in in clear
 *   4.3.0   no credentials (auth does not answer, they are gone, no token)
 *   4yz     as the host says
 */
#ifndef DELIVER_REMOTE_AUTH_H
#define DELIVER_REMOTE_AUTH_H

#include "deliver/remote_session.h"

/* True at once for a hop without a login. False: *ret_why, always a deferral; the session may be dead. */
MUST_CHECK bool remote_auth(struct remote_session *s, const struct hop *hop, struct remote_outcome *ret_why);

#endif
