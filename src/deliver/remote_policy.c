/* deliver/remote_policy.c - contract is in remote_policy.h. */
#include "deliver/remote_policy.h"

struct str remote_policy_name(const struct remote_target *target)
{
	if (str_eq(target->host, str_of(target->address.text)) || (target->host.n > 0 && target->host.p[0] == '['))
		return STR("");
	return target->host;
}

/* RFC 8689 §4.2.1: the host's name must come by a way that nobody can have forged, else its certificate proves nothing. */
static bool may_require_tls(const struct remote_route *route, struct remote_outcome *ret_why)
{
	static const struct remote_outcome insecure = {
		REMOTE_REFUSED, STR("5.7.30"), STR("The sender requires TLS (REQUIRETLS), and the domain does not secure the names of its mail hosts by DNSSEC")
	};
	static const struct remote_outcome nobody_trusted = { REMOTE_DEFERRED, STR("4.7.5"),
							      STR("The sender requires verified TLS, and no authorities to verify with are set up here") };

	*ret_why = route->remote->settings.trusts ? insecure : nobody_trusted;
	return route->remote->settings.trusts && route->secure;
}

bool remote_policy_find(const struct remote_route *route, const struct remote_target *target, const struct remote_deliver_request *q,
			struct arena *a, struct remote_policy *ret, struct remote_outcome *ret_why)
{
	struct remote_policy p = { .level = REMOTE_TLS_MAY, .name = remote_policy_name(target), .source = STR("") };

	(void)a;
	if (q->flags & QUEUE_FLAG_REQUIRETLS) {
		if (!may_require_tls(route, ret_why))
			return false;
		p.level = REMOTE_TLS_VERIFIED;
		p.source = STR("sender");
	} else if (route->remote->settings.no_tls) {
		p.level = REMOTE_TLS_NONE;
	}
	p.key = (uint64_t)p.level;
	*ret = p;
	return true;
}

struct remote_policy remote_policy_clear(const struct remote_policy *policy)
{
	struct remote_policy p = *policy;

	CHECK(policy->level == REMOTE_TLS_MAY);
	p.level = REMOTE_TLS_NONE;
	p.key = (uint64_t)p.level;
	return p;
}
