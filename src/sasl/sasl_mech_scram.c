/* sasl/sasl_mech_scram.c - SCRAM (RFC 5802, RFC 7677), with channel binding (RFC 5929, RFC 9266) or without.
 *
 *   step 0  client-first --> server-first      binding chosen, salt asked for
 *   step 1  client-final --> server-final      nonce and binding compared, proof checked by auth
 *   step 2  empty        --> success           SMTP and IMAP cannot say more with a success (RFC 4954 §4, RFC 9051 §6.2.2)
 *
 * The proof is made over every octet of the exchange, the binding among them. So what is compared here, and the
 * client's "y" below, cannot be changed by one who stands between the two and has only another TLS connection.
 */
#include "sasl/sasl_mech.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/sasl/sasl_scram.h"
#include "wire/text/text_base64.h"

static const struct {
	struct str       name;
	enum net_binding kind;
} bindings[] = {
	{ STR("tls-exporter"), NET_BINDING_EXPORTER },
	{ STR("tls-server-end-point"), NET_BINDING_END_POINT },
};

/* The binding's octets in x->arena; empty: there is none of that name. */
static struct str binding_of(struct sasl *x, struct str name)
{
	char *out = arena_alloc(x->arena, NET_BINDING_OCTETS);

	for (size_t i = 0; i < LEN(bindings); i++)
		if (str_eq(bindings[i].name, name))
			return net_channel_binding(x->side.conn, bindings[i].kind, out);
	return STR_NONE;
}

static bool plus_announced(const struct sasl *x)
{
	return sasl_mechanism_possible(sasl_mechanism_find(STR("SCRAM-SHA-256-PLUS")), &x->side);
}

/* RFC 5802 §6: is the client's flag one that it could choose, having seen what was announced? */
static bool flag_fits(struct sasl *x, const struct sasl_gs2 *gs2, enum net_signin_reason *ret_reason)
{
	bool plus = x->mechanism->needs & SASL_NEED_BINDING;

	*ret_reason = NET_SIGNIN_MALFORMED;
	if ((gs2->flag == 'p') != plus)
		return false;
	if (plus) {
		x->scram.binding = binding_of(x, gs2->binding);
		return x->scram.binding.n > 0;
	}
	/* "y": it could, and thinks that we cannot. Somebody has taken -PLUS out of our list. */
	*ret_reason = NET_SIGNIN_BINDING;
	return gs2->flag != 'y' || !plus_announced(x);
}

static struct str name_of(struct sasl *x, struct str encoded)
{
	struct buf b = { .p = arena_alloc(x->arena, LIMIT_USER), .cap = LIMIT_USER, .max = LIMIT_USER };

	return sasl_name_decode(encoded, &b) ? buf_str(&b) : STR_NONE;
}

static struct sasl_result first(struct sasl *x, struct str message)
{
	struct sasl_scram_state       *s = &x->scram;
	struct buf                     out = { .max = LIMIT_SASL_MESSAGE, .cap = LIMIT_SASL_MESSAGE };
	struct auth_scram_salt_reply   reply = { 0 };
	struct auth_scram_salt_request q = { .hash = x->mechanism->hash };
	struct sasl_scram_first        m;
	enum net_signin_reason         reason;
	enum status                    st;

	if (message.n > LIMIT_SASL_MESSAGE || !sasl_scram_first_parse(message, &m))
		return sasl_failure(SASL_SYNTAX);
	s->user = name_of(x, m.user);
	if (s->user.n == 0)
		return sasl_failure(SASL_SYNTAX);
	if (!flag_fits(x, &m.gs2, &reason))
		return sasl_deny(x, reason, s->user);
	if (m.gs2.authzid.n > 0 && !str_eq(name_of(x, m.gs2.authzid), s->user))
		return sasl_deny(x, NET_SIGNIN_IDENTITY, s->user);
	q.user = s->user;
	st = x->side.ask->scram_salt(x->side.ask_ctx, &q, x->arena, &reply);
	if (st != ST_OK)
		return sasl_refuse(x, st, s->user);
	s->gs2 = m.gs2.text;
	s->client_first = m.bare;
	s->client_nonce = m.nonce;
	s->server_nonce = reply.nonce;
	out.p = arena_alloc(x->arena, out.cap);
	sasl_scram_server_first(m.nonce, reply.nonce, reply.salt, reply.iterations, &out);
	return out.over ? sasl_failure(SASL_LATER) : sasl_challenge(x, buf_str(&out));
}

static bool is_joined(struct str whole, struct str head, struct str tail)
{
	return whole.n == head.n + tail.n && str_starts(whole, head) && str_eq(str_from(whole, head.n), tail);
}

/* Base64 of an answer's part, in x->arena. */
static bool decode(struct sasl *x, struct str base64, struct str *ret)
{
	struct buf b = { .p = arena_alloc(x->arena, base64.n), .cap = base64.n, .max = base64.n };
	bool       ok = text_base64_decode(base64, &b);

	*ret = buf_str(&b);
	return ok;
}

static struct sasl_result prove(struct sasl *x, const struct sasl_scram_final *m, struct str proof)
{
	struct sasl_scram_state        *s = &x->scram;
	const struct net_info          *info = net_info(x->side.conn);
	char                            room[128];
	struct buf                      out = { .p = room, .cap = sizeof(room), .max = sizeof(room) };
	struct auth_scram_proof_reply   reply = { 0 };
	struct auth_scram_proof_request q = {
		.protocol = x->side.protocol,
		.hash = x->mechanism->hash,
		.client_first = s->client_first,
		.nonce = s->server_nonce,
		.client_final = m->unproved,
		.proof = proof,
		.peer = str_of(info->peer),
		.tls = info->tls,
	};
	enum status st;

	st = x->side.ask->scram_proof(x->side.ask_ctx, &q, x->arena, &reply);
	if (st != ST_OK)
		return sasl_refuse(x, st, s->user);
	s->login = reply.login;
	sasl_scram_server_final(reply.signature, &out);
	return out.over ? sasl_failure(SASL_LATER) : sasl_challenge(x, buf_str(&out));
}

static struct sasl_result final(struct sasl *x, struct str message)
{
	struct sasl_scram_state *s = &x->scram;
	struct sasl_scram_final  m;
	struct str               binding, proof;

	if (message.n > LIMIT_SASL_MESSAGE || !sasl_scram_final_parse(message, &m) || !decode(x, m.binding, &binding) ||
	    !decode(x, m.proof, &proof) || proof.n > 64)
		return sasl_failure(SASL_SYNTAX);
	if (!is_joined(m.nonce, s->client_nonce, s->server_nonce))
		return sasl_deny(x, NET_SIGNIN_MALFORMED, s->user);
	if (!is_joined(binding, s->gs2, s->binding))
		return sasl_deny(x, NET_SIGNIN_BINDING, s->user);
	return prove(x, &m, proof);
}

struct sasl_result sasl_scram_answer(struct sasl *x, struct str message)
{
	if (x->step == 0)
		return first(x, message);
	if (x->step == 1)
		return final(x, message);
	return message.n == 0 ? sasl_success(x, &x->scram.login) : sasl_failure(SASL_SYNTAX);
}
