/* sasl/sasl_mech_oauth.c - OAUTHBEARER (RFC 7628) and XOAUTH2: an access token in place of a password. */
#include "sasl/sasl_mech.h"
#include "wire/sasl/sasl_oauth.h"
#include "wire/sasl/sasl_scram.h"

/* RFC 7628 §3.2.3: why is told as JSON in a challenge, and the client answers it before the exchange has failed. */
static struct sasl_result explain(struct sasl *x, struct str user, struct str json)
{
	(void)sasl_deny(x, NET_SIGNIN_DENIED, user);
	x->failed = true;
	x->user = user;
	return sasl_challenge(x, json);
}

static struct sasl_result verify(struct sasl *x, struct str user, struct str token, struct str error)
{
	const struct net_info     *info = net_info(x->side.conn);
	struct auth_bearer_request q = { x->side.protocol, user, token, str_of(info->peer), info->tls };
	struct auth_login_reply    reply = { 0 };
	enum status                st = ST_DENIED;

	if (token.n > 0)
		st = x->side.ask->bearer(x->side.ask_ctx, &q, x->arena, &reply);
	if (st == ST_DENIED)
		return explain(x, user, error);
	return st == ST_OK ? sasl_success(x, &reply) : sasl_refuse(x, st, user);
}

struct sasl_result sasl_oauthbearer_answer(struct sasl *x, struct str message)
{
	struct buf        user = { .p = arena_alloc(x->arena, LIMIT_USER), .cap = LIMIT_USER, .max = LIMIT_USER };
	struct sasl_oauth m;

	if (!sasl_oauthbearer_parse(message, &m) || (m.user.n > 0 && !sasl_name_decode(m.user, &user)))
		return sasl_failure(SASL_SYNTAX);
	return verify(x, buf_str(&user), m.token, sasl_oauthbearer_error);
}

struct sasl_result sasl_xoauth2_answer(struct sasl *x, struct str message)
{
	struct sasl_oauth m;

	if (!sasl_xoauth2_parse(message, &m))
		return sasl_failure(SASL_SYNTAX);
	return verify(x, m.user, m.token, sasl_xoauth2_error);
}
