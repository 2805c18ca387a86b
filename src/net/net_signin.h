/* net/net_signin.h - the one log line of a sign-in that failed, for every protocol. Its shape is a contract with fail2ban and the
 * like, docs/concepts/log.md: a field may be added before `user`, never renamed or moved.
 *
 *   t=... lvl=warn role=imap msg="sign-in failed" protocol=imap peer=192.0.2.7 reason=denied session=... user=...
 *
 * The session writes it, once per attempt, and nobody else does: it alone knows peer and session id, and also sees what never
 * reaches auth.
 */
#ifndef NET_NET_SIGNIN_H
#define NET_NET_SIGNIN_H

#include "net/net.h"

#define NET_SIGNIN_USER ((size_t)128) /* octets of the name that are printed */

enum net_signin_reason {
	NET_SIGNIN_DENIED,    /* wrong user or password: auth does not tell them apart */
	NET_SIGNIN_THROTTLED, /* too many failures before: it was not looked at */
	NET_SIGNIN_IDENTITY,  /* wants to act for somebody else */
	NET_SIGNIN_BINDING,   /* SCRAM over another TLS connection than this one: somebody stands between */
	NET_SIGNIN_MALFORMED, /* no text that could be a name or a password */
	NET_SIGNIN_REASONS,
};

/* `user`: as the peer claims, any octets. */
void net_signin_failed(const struct net_conn *c, const char *protocol, enum net_signin_reason reason, struct str user);

#endif
