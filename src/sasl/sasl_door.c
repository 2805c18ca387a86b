/* sasl/sasl_door.c - contract is in sasl_door.h. */
#include "sasl/sasl_door.h"

#include "base/log.h"

bool sasl_door_refuses(sasl_connect_fn *connect, void *ctx, const struct net_info *info, enum guard_listener listener,
		       struct arena *a, struct str *ret_text)
{
	const struct guard_connect_request q = { .peer = str_of(info->peer), .session = str_of(info->id), .listener = listener };
	struct guard_connect_reply         r;

	if (connect == NULL || connect(ctx, &q, a, &r) != ST_OK || r.verdict == GUARD_ACCEPT)
		return false;
	log_info("connection refused", LOG_C("session", info->id), LOG_C("peer", info->peer), LOG_STR("reason", r.reason),
		 LOG_STR("text", r.text));
	*ret_text = r.text;
	return true;
}
