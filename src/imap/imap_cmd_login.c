/* imap/imap_cmd_login.c - LOGIN, AUTHENTICATE PLAIN: sign in (RFC 9051 §6.2; SASL-IR RFC 4959; PLAIN RFC 4616).
 *
 *   NOT_AUTH --LOGIN--> AUTH                                   refused: still NOT_AUTH
 *   NOT_AUTH --AUTHENTICATE--> (initial response, else "+ " and a line) --> AUTH
 *
 * What is wrong is never told apart: user, password and authorization identity all give AUTHENTICATIONFAILED.
 */
#include <string.h>

#include "base/log.h"
#include "imap/imap_session.h"
#include "net/net_signin.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/text/text_base64.h"

void imap_secret_done(struct imap_session *s)
{
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

static enum imap_next fail(struct imap_session *s, enum net_signin_reason reason, struct str user)
{
	net_signin_failed(s->conn, "imap", reason, user);
	if (reason == NET_SIGNIN_THROTTLED) {
		imap_no(s, "[LIMIT] Too many failed sign-ins, try again later");
		return finish(s, IMAP_NEXT_REPLY);
	}
	imap_no(s, "[AUTHENTICATIONFAILED] Wrong user or password");
	if (++s->auth_failures < LIMIT_IMAP_AUTH_FAILURES)
		return finish(s, IMAP_NEXT_REPLY);
	s->end = "too many failed sign-ins";
	imap_put(s, STR("* BYE Too many failed sign-ins\r\n"));
	return finish(s, IMAP_NEXT_CLOSE);
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

static enum imap_next login(struct imap_session *s, struct str user, struct str password, const char *mechanism)
{
	struct auth_login_request request = { AUTH_IMAP, user, password, str_of(s->info->peer), s->info->tls };
	struct auth_login_reply   reply = { 0 };
	enum status               st;

	if (!sasl_text_valid(user, LIMIT_USER) || !sasl_text_valid(password, LIMIT_PASSWORD))
		return fail(s, NET_SIGNIN_MALFORMED, user);
	st = s->env->ask->login(s->env->ask_ctx, &request, s->secret, &reply);
	if (st == ST_DENIED)
		return fail(s, NET_SIGNIN_DENIED, user);
	if (st == ST_LIMIT)
		return fail(s, NET_SIGNIN_THROTTLED, user);
	if (st != ST_OK || reply.account == 0) {
		imap_no(s, "[UNAVAILABLE] Sign-in is not possible now, try again later");
		return finish(s, IMAP_NEXT_REPLY);
	}
	s->account_id = reply.account;
	imap_enter(s, IMAP_AUTH);
	net_trust(s->conn);
	log_info("signed in", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer),
		 LOG_STR("user", reply.address), LOG_C("mechanism", mechanism), LOG_C("tls", s->info->tls_version));
	welcome(s);
	return finish(s, IMAP_NEXT_REPLY);
}

enum imap_next imap_cmd_login(struct imap_session *s, struct imap_command *c)
{
	struct str user, password;

	if (!imap_may_sign_in(s))
		return imap_no(s, "[PRIVACYREQUIRED] Start TLS first");
	s->secret = arena_new_secret(NULL);
	c->x.arena = s->secret;
	if (!imap_lex_astring(&c->x, &user) || !imap_lex_sp(&c->x) || !imap_lex_astring(&c->x, &password) ||
	    !imap_lex_end(&c->x)) {
		imap_bad(s, "Syntax: LOGIN user password");
		return finish(s, IMAP_NEXT_REPLY);
	}
	return login(s, user, password, "LOGIN");
}

/* ---- AUTHENTICATE ---- */

static enum imap_next plain_answer(struct imap_session *s, struct str base64)
{
	struct buf        b = { .p = arena_alloc(s->secret, base64.n), .cap = base64.n, .max = base64.n };
	struct sasl_plain m;

	if (!text_base64_decode(base64, &b) || !sasl_plain_parse(buf_str(&b), &m)) {
		imap_bad(s, "The authentication exchange is malformed");
		return finish(s, IMAP_NEXT_REPLY);
	}
	/* RFC 4616 §2: nobody may act for somebody else here. */
	if (m.authzid.n > 0 && !str_eq(m.authzid, m.user))
		return fail(s, NET_SIGNIN_IDENTITY, m.user);
	return login(s, m.user, m.password, "PLAIN");
}

enum imap_next imap_cmd_authenticate(struct imap_session *s, struct imap_command *c)
{
	struct str mechanism;

	if (!imap_lex_atom(&c->x, &mechanism))
		return imap_bad(s, "Syntax: AUTHENTICATE mechanism [initial-response]");
	if (!imap_may_sign_in(s))
		return imap_no(s, "[PRIVACYREQUIRED] Start TLS first");
	if (!str_ieq(mechanism, STR("PLAIN")))
		return imap_no(s, "[CANNOT] Mechanism not supported");
	s->secret = arena_new_secret(NULL);
	if (imap_lex_sp(&c->x)) /* "=" is an empty response (RFC 4959 §3), which PLAIN does not have */
		return plain_answer(s, c->x.in);
	if (!imap_lex_end(&c->x)) {
		imap_bad(s, "Syntax: AUTHENTICATE mechanism [initial-response]");
		return finish(s, IMAP_NEXT_REPLY);
	}
	imap_put(s, STR("+ \r\n"));
	s->mode = IMAP_MODE_AUTHENTICATE;
	return IMAP_NEXT_WAIT;
}

enum imap_next imap_authenticate_answer(struct imap_session *s, struct str line)
{
	enum imap_next next;

	s->reply = (struct imap_reply){ 0 };
	if (str_eq(line, STR("*"))) {
		imap_bad(s, "Authentication cancelled");
		next = finish(s, IMAP_NEXT_REPLY);
	} else {
		next = plain_answer(s, line);
	}
	imap_finish(s, false);
	return next;
}
