/* net/net_signin.c - see net_signin.h. */
#include "net/net_signin.h"

#include "base/log.h"

static const char *const names[NET_SIGNIN_REASONS] = {
	[NET_SIGNIN_DENIED] = "denied",
	[NET_SIGNIN_THROTTLED] = "throttled",
	[NET_SIGNIN_IDENTITY] = "identity",
	[NET_SIGNIN_BINDING] = "binding",
	[NET_SIGNIN_MALFORMED] = "malformed",
};

void net_signin_failed(const struct net_conn *c, const char *protocol, enum net_signin_reason reason, struct str user)
{
	const struct net_info *info = net_info(c);

	net_distrust(c);

	/* The logger quotes and escapes what could forge a field or a line; `user` stands last all the same. */
	log_warn("sign-in failed", LOG_C("protocol", protocol), LOG_C("peer", info->peer), LOG_C("reason", names[reason]),
		 LOG_C("session", info->id), LOG_STR("user", str_first(user, NET_SIGNIN_USER)));
}
