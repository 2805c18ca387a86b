/* imap/imap_cmd_login.c - LOGIN, AUTHENTICATE: sign in (RFC 9051 §6.2; SASL-IR RFC 4959). How an exchange of src/sasl looks
 * in IMAP, and nothing more.
 *
 *   NOT_AUTH --LOGIN--> AUTH                                   refused: still NOT_AUTH
 *   NOT_AUTH --AUTHENTICATE--> (initial response, else "+ " and a line ...) --> AUTH
 *
 * What is wrong is never told apart: user, password and authorization identity all give AUTHENTICATIONFAILED.
 */
#include <stdlib.h>
#include <string.h>

#include "imap/imap_session.h"

static const struct {
	bool        bad; /* BAD, else NO */
	const char *text;
} failures[SASL_FAILURES] = {
	[SASL_DENIED] = { false, "[AUTHENTICATIONFAILED] Wrong user or password" },
	[SASL_LIMITED] = { false, "[LIMIT] Too many failed sign-ins, try again later" },
	[SASL_LATER] = { false, "[UNAVAILABLE] Sign-in is not possible now, try again later" },
	[SASL_SYNTAX] = { true, "The authentication exchange is malformed" },
	[SASL_TOO_LONG] = { true, "Line is too long" },
	[SASL_CANCELLED] = { true, "Authentication cancelled" },
	[SASL_NO_MECHANISM] = { false, "[CANNOT] Mechanism not supported" },
};

static struct sasl_side side_of(const struct imap_session *s)
{
	return (struct sasl_side){
		.ask = s->env->sasl,
		.ask_ctx = s->env->sasl_ctx,
		.conn = s->conn,
		.protocol = AUTH_IMAP,
		.name = "imap",
		.allow_plain = s->set->allow_plain,
		.scram = s->set->scram,
	};
}

bool imap_may_sign_in(const struct imap_session *s)
{
	struct sasl_side side = side_of(s);

	return sasl_possible(&side);
}

void imap_mechanisms_put(struct imap_session *s)
{
	struct sasl_side side = side_of(s);
	char             text[400];
	struct buf       b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	sasl_announce(&side, " AUTH=", &b);
	CHECK(!b.over);
	imap_put(s, buf_str(&b));
}

void imap_secret_done(struct imap_session *s)
{
	sasl_free(&s->sasl);
	arena_free(&s->secret);
}

static enum imap_next finish(struct imap_session *s, enum imap_next next)
{
	imap_secret_done(s);
	/* The command's text held the password. */
	if (s->text.n > 0)
		explicit_bzero(s->text.p, s->text.n);
	return next;
}

static void welcome(struct imap_session *s)
{
	size_t     at = s->out.n;
	struct str code;

	/* RFC 9051 §7.1: the capabilities that hold now, so that the client need not ask. */
	imap_capability_put(s);
	code = arena_dup(s->arena, str_from(buf_str(&s->out), at));
	s->out.n = at;
	s->reply.kind = IMAP_REPLY_OK;
	s->reply.text = arena_printf(s->arena, "[%.*s] Signed in", STR_FMT(code));
}

static enum imap_next fail(struct imap_session *s, enum sasl_failure why)
{
	if (failures[why].bad)
		imap_bad(s, "%s", failures[why].text);
	else
		imap_no(s, "%s", failures[why].text);
	if (why != SASL_DENIED || ++s->auth_failures < LIMIT_IMAP_AUTH_FAILURES)
		return finish(s, IMAP_NEXT_REPLY);
	s->end = "too many failed sign-ins";
	imap_put(s, STR("* BYE Too many failed sign-ins\r\n"));
	return finish(s, IMAP_NEXT_CLOSE);
}

static enum imap_next answer(struct imap_session *s, const struct sasl_result *r)
{
	switch (r->next) {
	case SASL_CHALLENGE:
		imap_put(s, STR("+ "));
		imap_put(s, r->challenge);
		imap_put(s, STR("\r\n"));
		s->mode = IMAP_MODE_AUTHENTICATE;
		return IMAP_NEXT_WAIT;
	case SASL_FAILURE: return fail(s, r->why);
	case SASL_SUCCESS: break;
	}
	imap_account_enter(s, &r->login);
	imap_enter(s, IMAP_AUTH);
	welcome(s);
	return finish(s, IMAP_NEXT_REPLY);
}

enum imap_next imap_cmd_login(struct imap_session *s, struct imap_command *c)
{
	struct sasl_side   side = side_of(s);
	struct sasl_result r;
	struct str         user, password;

	if (!imap_may_sign_in(s))
		return imap_no(s, "[PRIVACYREQUIRED] Start TLS first");
	s->secret = arena_new_secret(NULL);
	c->x.arena = s->secret;
	if (!imap_lex_astring(&c->x, &user) || !imap_lex_sp(&c->x) || !imap_lex_astring(&c->x, &password) ||
	    !imap_lex_end(&c->x)) {
		imap_bad(s, "Syntax: LOGIN user password");
		return finish(s, IMAP_NEXT_REPLY);
	}
	r = sasl_password(&s->sasl, &side, user, password);
	return answer(s, &r);
}

enum imap_next imap_cmd_authenticate(struct imap_session *s, struct imap_command *c)
{
	struct sasl_side   side = side_of(s);
	struct sasl_result r;
	struct str         mechanism;
	bool               has_initial;

	if (!imap_lex_atom(&c->x, &mechanism))
		return imap_bad(s, "Syntax: AUTHENTICATE mechanism [initial-response]");
	if (!imap_may_sign_in(s))
		return imap_no(s, "[PRIVACYREQUIRED] Start TLS first");
	has_initial = imap_lex_sp(&c->x);
	if (!has_initial && !imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: AUTHENTICATE mechanism [initial-response]");
	r = sasl_start(&s->sasl, &side, mechanism, has_initial ? &c->x.in : NULL);
	return answer(s, &r);
}

enum imap_next imap_authenticate_answer(struct imap_session *s, struct str line, bool too_long)
{
	struct sasl_result r = sasl_step(s->sasl, line, too_long);
	enum imap_next     next;

	s->reply = (struct imap_reply){ 0 };
	next = answer(s, &r);
	if (next != IMAP_NEXT_WAIT)
		imap_finish(s, false);
	return next;
}
