/* smtp/smtp_cmd_auth.c - AUTH: sign in (RFC 4954). How an exchange of src/sasl looks in SMTP, and nothing more.
 *
 *   READY --AUTH--> (initial response, else AUTH --line--> ...) --> READY, signed in or not
 *
 * An exchange ends in one place, smtp_auth_reset. What is wrong is never told apart: user, password and authorization
 * identity all give 535.
 */
#include <string.h>

#include "smtp/smtp_session.h"

static const struct smtp_reply accepted = { 235, "2.7.0", "Signed in" };
static const struct smtp_reply enough = { 421, "4.7.0", "Too many failed sign-ins" };
static const struct smtp_reply failures[SASL_FAILURES] = {
	[SASL_DENIED] = { 535, "5.7.8", "Wrong user or password" },
	[SASL_LIMITED] = { 454, "4.7.0", "Too many failed sign-ins, try again later" },
	[SASL_LATER] = { 454, "4.7.0", "Sign-in is not possible now, try again later" },
	[SASL_SYNTAX] = { 501, "5.5.2", "Authentication exchange is malformed" },
	[SASL_TOO_LONG] = { 500, "5.5.6", "Authentication exchange line is too long" },
	[SASL_CANCELLED] = { 501, "5.7.0", "Authentication cancelled" },
	[SASL_NO_MECHANISM] = { 504, "5.5.4", "Mechanism not supported" },
};

static struct sasl_side side_of(const struct smtp_session *s)
{
	return (struct sasl_side){
		.ask = s->env->ask->sasl,
		.ask_ctx = s->env->ask_ctx,
		.conn = s->conn,
		.protocol = AUTH_SMTP,
		.name = "smtp",
		.allow_plain = s->set->allow_plain,
		.scram = s->set->scram,
	};
}

bool smtp_auth_offered(const struct smtp_session *s)
{
	struct sasl_side side = side_of(s);

	return s->env->kind == SMTP_KIND_SUBMISSION && sasl_possible(&side);
}

void smtp_auth_mechanisms(const struct smtp_session *s, struct buf *out)
{
	struct sasl_side side = side_of(s);

	sasl_announce(&side, " ", out);
}

void smtp_auth_reset(struct smtp_session *s)
{
	if (s->state == SMTP_STATE_AUTH)
		smtp_enter(s, SMTP_STATE_READY);
	sasl_free(&s->sasl);
}

static enum smtp_next challenge(struct smtp_session *s, struct str base64)
{
	net_write(s->conn, STR("334 "));
	net_write(s->conn, base64);
	net_write(s->conn, STR("\r\n"));
	return SMTP_NEXT_LINE;
}

static enum smtp_next answer(struct smtp_session *s, const struct sasl_result *r)
{
	const struct smtp_reply *reply = &accepted;

	switch (r->next) {
	case SASL_CHALLENGE: return challenge(s, r->challenge);
	case SASL_SUCCESS:
		s->signed_in = true;
		s->account = r->login.account;
		CHECK(buf_add(&s->login, r->login.address));
		s->token_n = MIN(r->login.token.n, sizeof(s->token));
		memcpy(s->token, r->login.token.p, s->token_n);
		smtp_trace(s, TRACE_SIGNED_IN, buf_str(&s->login), STR_NONE, NULL, r->mechanism);
		break;
	case SASL_FAILURE:
		reply = &failures[r->why];
		if (r->why == SASL_DENIED || r->why == SASL_LIMITED)
			smtp_trace(s, TRACE_SIGNIN_REFUSED, r->user, STR_NONE, reply, STR_NONE);
		if (r->why == SASL_DENIED && ++s->auth_failures >= LIMIT_SMTP_AUTH_FAILURES) {
			smtp_auth_reset(s);
			return smtp_end(s, &enough, "too many failed sign-ins");
		}
		break;
	}
	smtp_auth_reset(s);
	return smtp_answer(s, reply);
}

enum smtp_next smtp_auth_line(struct smtp_session *s, struct str line, bool too_long)
{
	struct sasl_result r = sasl_step(s->sasl, line, too_long);

	return answer(s, &r);
}

enum smtp_next smtp_cmd_auth(struct smtp_session *s, struct str arg)
{
	struct sasl_side   side = side_of(s);
	struct str         name, initial;
	bool               has_initial = str_cut(arg, ' ', &name, &initial);
	struct sasl_result r;

	smtp_enter(s, SMTP_STATE_AUTH);
	r = sasl_start(&s->sasl, &side, name, has_initial ? &initial : NULL);
	return answer(s, &r);
}
