/* sasl/sasl_exchange.c - see sasl_exchange.h: the table of mechanisms, and what all of them have in common. */
#include "base/log.h"
#include "sasl/sasl_mech.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/text/text_base64.h"

/* In the order in which they are announced. A client that takes the first it knows is served best. */
static const struct sasl_mechanism mechanisms[] = {
	{ STR("EXTERNAL"), SASL_NEED_TLS | SASL_NEED_CERTIFICATE, "", sasl_external_answer, 0, "RFC 4422 appendix A" },
	{ STR("SCRAM-SHA-256-PLUS"), SASL_NEED_TLS | SASL_NEED_BINDING, "", sasl_scram_answer, AUTH_SCRAM_SHA256, "RFC 7677" },
	{ STR("SCRAM-SHA-256"), 0, "", sasl_scram_answer, AUTH_SCRAM_SHA256, "RFC 7677" },
	{ STR("SCRAM-SHA-1-PLUS"), SASL_NEED_TLS | SASL_NEED_BINDING, "", sasl_scram_answer, AUTH_SCRAM_SHA1, "RFC 5802" },
	{ STR("SCRAM-SHA-1"), 0, "", sasl_scram_answer, AUTH_SCRAM_SHA1, "RFC 5802" },
	{ STR("PLAIN"), 0, "", sasl_plain_answer, 0, "RFC 4616" },
	{ STR("LOGIN"), 0, "Username:", sasl_login_answer, 0, "draft-murchison-sasl-login-00" },
	{ STR("OAUTHBEARER"), SASL_NEED_TLS, "", sasl_oauthbearer_answer, 0, "RFC 7628" },
	{ STR("XOAUTH2"), SASL_NEED_TLS, "", sasl_xoauth2_answer, 0, "none" },
};

const struct sasl_mechanism *sasl_mechanism_find(struct str name)
{
	for (size_t i = 0; i < LEN(mechanisms); i++)
		if (str_ieq(mechanisms[i].name, name))
			return &mechanisms[i];
	return NULL;
}

static bool has_binding(const struct sasl_side *side)
{
	char out[NET_BINDING_OCTETS];

	return net_channel_binding(side->conn, NET_BINDING_EXPORTER, out).n > 0 ||
	       net_channel_binding(side->conn, NET_BINDING_END_POINT, out).n > 0;
}

static bool has_certificate(const struct sasl_side *side)
{
	char                            out[NET_FINGERPRINT_OCTETS];
	struct auth_certificate_request q = { net_peer_certificate(side->conn, out) };
	struct arena                   *a CLEANUP(arena_free) = arena_new(NULL);

	return q.fingerprint.n > 0 && side->ask->certificate(side->ask_ctx, &q, a) == ST_OK;
}

bool sasl_possible(const struct sasl_side *side)
{
	return net_info(side->conn)->tls || side->allow_plain;
}

bool sasl_mechanism_possible(const struct sasl_mechanism *m, const struct sasl_side *side)
{
	return sasl_possible(side) && (m->answer != sasl_scram_answer || side->scram) && (!(m->needs & SASL_NEED_TLS) || net_info(side->conn)->tls) &&
	       (!(m->needs & SASL_NEED_BINDING) || has_binding(side)) &&
	       (!(m->needs & SASL_NEED_CERTIFICATE) || has_certificate(side));
}

void sasl_announce(const struct sasl_side *side, const char *prefix, struct buf *out)
{
	for (size_t i = 0; i < LEN(mechanisms); i++) {
		if (!sasl_mechanism_possible(&mechanisms[i], side))
			continue;
		buf_add(out, str_of(prefix));
		buf_add(out, mechanisms[i].name);
	}
}

/* ---- how a step ends ---- */

struct sasl_result sasl_failure(enum sasl_failure why)
{
	return (struct sasl_result){ .next = SASL_FAILURE, .why = why };
}

struct sasl_result sasl_challenge(struct sasl *x, struct str octets)
{
	size_t     room = octets.n / 3 * 4 + 4;
	struct buf b = { .p = arena_alloc(x->arena, room), .cap = room, .max = room };

	text_base64_encode(octets, &b);
	return (struct sasl_result){ .next = SASL_CHALLENGE, .challenge = buf_str(&b) };
}

struct sasl_result sasl_deny(struct sasl *x, enum net_signin_reason reason, struct str user)
{
	net_signin_failed(x->side.conn, x->side.name, reason, user);
	return (struct sasl_result){ .next = SASL_FAILURE, .why = SASL_DENIED, .user = user };
}

struct sasl_result sasl_refuse(struct sasl *x, enum status st, struct str user)
{
	if (st == ST_DENIED)
		return sasl_deny(x, NET_SIGNIN_DENIED, user);
	if (st != ST_LIMIT)
		return sasl_failure(SASL_LATER);
	net_signin_failed(x->side.conn, x->side.name, NET_SIGNIN_THROTTLED, user);
	return (struct sasl_result){ .next = SASL_FAILURE, .why = SASL_LIMITED, .user = user };
}

struct sasl_result sasl_success(struct sasl *x, const struct auth_login_reply *login)
{
	const struct net_info *info = net_info(x->side.conn);
	struct str             mechanism = x->mechanism ? x->mechanism->name : STR("LOGIN");

	if (login->account == 0 || login->address.n > LIMIT_ADDRESS)
		return sasl_failure(SASL_LATER); /* no such answer exists: auth is not to be trusted with more than its word */
	net_trust(x->side.conn);
	log_info("signed in", LOG_C("session", info->id), LOG_C("peer", info->peer), LOG_STR("user", login->address),
		 LOG_STR("mechanism", mechanism), LOG_C("tls", info->tls_version));
	return (struct sasl_result){ .next = SASL_SUCCESS, .login = *login, .mechanism = mechanism };
}

struct sasl_result sasl_verify(struct sasl *x, struct str user, struct str password)
{
	const struct net_info    *info = net_info(x->side.conn);
	struct auth_login_request q = { x->side.protocol, user, password, str_of(info->peer), info->tls };
	struct auth_login_reply   reply = { 0 };
	enum status               st = x->side.ask->login(x->side.ask_ctx, &q, x->arena, &reply);

	return st == ST_OK ? sasl_success(x, &reply) : sasl_refuse(x, st, user);
}

/* ---- the exchange ---- */

static struct sasl *begin(const struct sasl_side *side)
{
	struct arena *a = arena_new_secret(NULL);
	struct sasl  *x = ARENA_NEW(a, struct sasl);

	x->arena = a;
	x->side = *side;
	return x;
}

/* The decoded octets live in the wiping arena. */
static struct sasl_result answer(struct sasl *x, struct str base64)
{
	struct buf         b = { .p = arena_alloc(x->arena, base64.n), .cap = base64.n, .max = base64.n };
	struct sasl_result r;

	if (base64.n > LIMIT_SASL_LINE)
		return sasl_failure(SASL_TOO_LONG);
	if (!text_base64_decode(base64, &b))
		return sasl_failure(SASL_SYNTAX);
	r = x->mechanism->answer(x, buf_str(&b));
	x->step++;
	return r;
}

struct sasl_result sasl_start(struct sasl **x, const struct sasl_side *side, struct str mechanism, const struct str *initial)
{
	const struct sasl_mechanism *m = sasl_mechanism_find(mechanism);

	CHECK(*x == NULL);
	*x = begin(side);
	if (!m || !sasl_mechanism_possible(m, side))
		return sasl_failure(SASL_NO_MECHANISM);
	(*x)->mechanism = m;
	if (!initial)
		return sasl_challenge(*x, str_of(m->greeting));
	return answer(*x, str_eq(*initial, STR("=")) ? STR_NONE : *initial); /* RFC 4954 §4, RFC 4959 §3 */
}

struct sasl_result sasl_step(struct sasl *x, struct str line, bool too_long)
{
	if (x->failed)
		return (struct sasl_result){ .next = SASL_FAILURE, .why = SASL_DENIED, .user = x->user };
	if (too_long)
		return sasl_failure(SASL_TOO_LONG);
	if (str_eq(line, STR("*")))
		return sasl_failure(SASL_CANCELLED);
	return answer(x, line);
}

struct sasl_result sasl_password(struct sasl **x, const struct sasl_side *side, struct str user, struct str password)
{
	CHECK(*x == NULL && sasl_possible(side));
	*x = begin(side);
	if (!sasl_text_valid(user, LIMIT_USER) || !sasl_text_valid(password, LIMIT_PASSWORD))
		return sasl_deny(*x, NET_SIGNIN_MALFORMED, user);
	return sasl_verify(*x, user, password);
}

void sasl_free(struct sasl **x)
{
	struct arena *a = *x ? (*x)->arena : NULL;

	*x = NULL;
	arena_free(&a);
}
