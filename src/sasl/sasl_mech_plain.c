/* sasl/sasl_mech_plain.c - PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login-00), EXTERNAL (RFC 4422 appendix A): one
 * look at auth, and nothing to prove but what was said. */
#include "sasl/sasl_mech.h"
#include "wire/sasl/sasl_plain.h"

struct sasl_result sasl_plain_answer(struct sasl *x, struct str message)
{
	struct sasl_plain m;

	if (!sasl_plain_parse(message, &m))
		return sasl_failure(SASL_SYNTAX);
	/* RFC 4616 §2: nobody may act for somebody else here. */
	if (m.authzid.n > 0 && !str_eq(m.authzid, m.user))
		return sasl_deny(x, NET_SIGNIN_IDENTITY, m.user);
	return sasl_verify(x, m.user, m.password);
}

struct sasl_result sasl_login_answer(struct sasl *x, struct str message)
{
	if (!sasl_text_valid(message, x->step == 0 ? LIMIT_USER : LIMIT_PASSWORD))
		return sasl_failure(SASL_SYNTAX);
	if (x->step > 0)
		return sasl_verify(x, x->user, message);
	x->user = message;
	return sasl_challenge(x, STR("Password:"));
}

/* extern-resp = *( UTF8-char-no-nul ): the user to act as, or nothing for the certificate's own. */
struct sasl_result sasl_external_answer(struct sasl *x, struct str message)
{
	char                         out[NET_FINGERPRINT_OCTETS];
	const struct net_info       *info = net_info(x->side.conn);
	struct auth_external_request q = {
		x->side.protocol, message, net_peer_certificate(x->side.conn, out), str_of(info->peer)
	};
	struct auth_login_reply      reply = { 0 };
	enum status                  st;

	if (message.n > 0 && !sasl_text_valid(message, LIMIT_USER))
		return sasl_failure(SASL_SYNTAX);
	st = x->side.ask->external(x->side.ask_ctx, &q, x->arena, &reply);
	return st == ST_OK ? sasl_success(x, &reply) : sasl_refuse(x, st, message);
}
