/* pop3/pop3_cmd_login.c - USER and PASS (RFC 1939 §7), AUTH (RFC 5034): sign in. How an exchange of src/sasl looks in POP3, and
 * the opening of the mailbox behind it.
 *
 *   AUTHORIZATION --USER, PASS--> TRANSACTION                   refused: still AUTHORIZATION
 *   AUTHORIZATION --AUTH--> (initial response, else "+ " and a line ...) --> TRANSACTION
 *   signed in, but the mailbox cannot be had --> closed
 *
 * What is wrong is never told apart: user, password and authorization identity all give [AUTH]. USER is always +OK.
 */
#include "pop3/pop3_session.h"

static const struct {
	bool        bad; /* counts as a malformed command */
	const char *text;
} failures[SASL_FAILURES] = {
	[SASL_DENIED] = { false, "[AUTH] Wrong user or password" }, /* RFC 3206 §4 */
	[SASL_LIMITED] = { false, "[SYS/TEMP] Too many failed sign-ins, try again later" },
	[SASL_LATER] = { false, "[SYS/TEMP] Sign-in is not possible now, try again later" },
	[SASL_SYNTAX] = { true, "The authentication exchange is malformed" },
	[SASL_TOO_LONG] = { true, "Line is too long" },
	[SASL_CANCELLED] = { true, "Authentication cancelled" },
	[SASL_NO_MECHANISM] = { true, "Mechanism not supported" },
};

static struct sasl_side side_of(const struct pop3_session *s)
{
	return (struct sasl_side){
		.ask = s->env->sasl,
		.ask_ctx = s->env->sasl_ctx,
		.conn = s->conn,
		.protocol = AUTH_POP3,
		.name = "pop3",
		.allow_plain = s->set->allow_plain,
		.scram = s->set->scram,
	};
}

bool pop3_may_sign_in(const struct pop3_session *s)
{
	struct sasl_side side = side_of(s);

	return sasl_possible(&side);
}

struct str pop3_mechanisms(struct pop3_session *s)
{
	struct sasl_side side = side_of(s);
	char             text[400];
	struct buf       b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	sasl_announce(&side, " ", &b);
	CHECK(!b.over);
	return arena_dup(s->arena, buf_str(&b));
}

void pop3_secret_done(struct pop3_session *s)
{
	sasl_free(&s->sasl);
	arena_free(&s->secret);
	s->user = STR_NONE;
}

static enum pop3_next fail(struct pop3_session *s, enum sasl_failure why)
{
	pop3_secret_done(s);
	if (why == SASL_DENIED && ++s->auth_failures >= LIMIT_POP3_AUTH_FAILURES) {
		s->end = "too many failed sign-ins";
		pop3_err(s, "[AUTH] Too many failed sign-ins");
		return POP3_NEXT_CLOSE;
	}
	return failures[why].bad ? pop3_bad(s, "%s", failures[why].text) : pop3_err(s, "%s", failures[why].text);
}

static enum pop3_next enter(struct pop3_session *s, const struct auth_login_reply *login)
{
	enum status st = pop3_enter(s, login);

	pop3_secret_done(s);
	if (st == ST_OK)
		return pop3_ok(s, "%u messages", s->drop.count);
	s->end = "the mailbox cannot be had";
	pop3_failed(s, st == ST_NOT_FOUND ? ST_TEMP : st);
	return POP3_NEXT_CLOSE;
}

static enum pop3_next answer(struct pop3_session *s, const struct sasl_result *r)
{
	switch (r->next) {
	case SASL_CHALLENGE:
		pop3_put(s, STR("+ "));
		pop3_put(s, r->challenge);
		pop3_put(s, STR("\r\n"));
		return POP3_NEXT_SASL;
	case SASL_FAILURE: return fail(s, r->why);
	case SASL_SUCCESS: break;
	}
	return enter(s, &r->login);
}

enum pop3_next pop3_cmd_user(struct pop3_session *s, const struct pop3_call *c)
{
	if (!pop3_may_sign_in(s))
		return pop3_err(s, "Start TLS first");
	s->secret = arena_new_secret(NULL);
	s->user = arena_dup(s->secret, str_trim(c->text)); /* no name has blanks at its ends; a password may */
	return pop3_ok(s, "Now the password");
}

enum pop3_next pop3_cmd_pass(struct pop3_session *s, const struct pop3_call *c)
{
	struct sasl_side   side = side_of(s);
	struct sasl_result r;

	if (!pop3_may_sign_in(s))
		return pop3_err(s, "Start TLS first");
	if (s->user.n == 0)
		return pop3_bad(s, "USER comes first");
	r = sasl_password(&s->sasl, &side, s->user, c->text);
	return answer(s, &r);
}

/* AUTH alone lists the mechanisms, as some clients of before RFC 2449 ask. */
static enum pop3_next mechanisms_list(struct pop3_session *s)
{
	struct str rest = str_trim(pop3_mechanisms(s)), one;

	pop3_ok(s, "These are possible");
	while (str_cut(rest, ' ', &one, &rest), one.n > 0)
		pop3_putf(s, "%.*s\r\n", STR_FMT(one));
	pop3_put(s, STR(".\r\n"));
	return POP3_NEXT_COMMAND;
}

enum pop3_next pop3_cmd_auth(struct pop3_session *s, const struct pop3_call *c)
{
	struct sasl_side   side = side_of(s);
	struct sasl_result r;
	struct str         mechanism, initial;
	bool               has_initial = str_cut(c->text, ' ', &mechanism, &initial);

	if (mechanism.n == 0)
		return mechanisms_list(s);
	if (!pop3_may_sign_in(s))
		return pop3_err(s, "Start TLS first");
	r = sasl_start(&s->sasl, &side, mechanism, has_initial ? &initial : NULL);
	return answer(s, &r);
}

enum pop3_next pop3_auth_answer(struct pop3_session *s, struct str line, bool too_long)
{
	struct sasl_result r = sasl_step(s->sasl, line, too_long);

	return answer(s, &r);
}
