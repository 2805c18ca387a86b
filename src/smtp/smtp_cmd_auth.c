/* smtp/smtp_cmd_auth.c - AUTH: sign in (RFC 4954; PLAIN RFC 4616, LOGIN draft-murchison-sasl-login-00).
 *
 *   READY --AUTH--> (initial response, else AUTH --line--> ...) --> READY, signed in or not
 *
 * Each exchange has a wiping arena of its own and ends in one place, smtp_auth_reset. What is wrong is never told
 * apart: user, password and authorization identity all give 535.
 */
#include "base/log.h"
#include "net/net_signin.h"
#include "smtp/smtp_session.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/text/text_base64.h"

static const struct smtp_reply syntax = { 501, "5.5.2", "Authentication exchange is malformed" };
static const struct smtp_reply too_long = { 500, "5.5.6", "Authentication exchange line is too long" };
static const struct smtp_reply cancelled = { 501, "5.7.0", "Authentication cancelled" };
static const struct smtp_reply denied = { 535, "5.7.8", "Wrong user or password" };
static const struct smtp_reply enough = { 421, "4.7.0", "Too many failed sign-ins" };
static const struct smtp_reply limited = { 454, "4.7.0", "Too many failed sign-ins, try again later" };
static const struct smtp_reply later = { 454, "4.7.0", "Sign-in is not possible now, try again later" };
static const struct smtp_reply accepted = { 235, "2.7.0", "Signed in" };
static const struct smtp_reply no_such = { 504, "5.5.4", "Mechanism not supported" };

struct smtp_mechanism {
	struct str  name;
	const char *challenge; /* the first one, base64 */
	enum smtp_next (*answer)(struct smtp_session *s, struct str message); /* decoded */
};

bool smtp_auth_offered(const struct smtp_session *s)
{
	return s->env->kind == SMTP_KIND_SUBMISSION && (s->info->tls || s->set->allow_plain);
}

void smtp_auth_reset(struct smtp_session *s)
{
	if (s->state == SMTP_STATE_AUTH)
		smtp_enter(s, SMTP_STATE_READY);
	arena_free(&s->auth.arena);
	s->auth = (struct smtp_auth){ 0 };
}

static enum smtp_next finish(struct smtp_session *s, const struct smtp_reply *r)
{
	smtp_auth_reset(s);
	return smtp_answer(s, r);
}

static enum smtp_next fail(struct smtp_session *s, enum net_signin_reason reason, struct str user)
{
	net_signin_failed(s->conn, "smtp", reason, user);
	smtp_trace(s, TRACE_SIGNIN_REFUSED, user, STR_NONE, reason == NET_SIGNIN_THROTTLED ? &limited : &denied, STR_NONE);
	if (reason == NET_SIGNIN_THROTTLED)
		return finish(s, &limited);
	if (++s->auth_failures >= LIMIT_SMTP_AUTH_FAILURES) {
		smtp_auth_reset(s);
		return smtp_end(s, &enough, "too many failed sign-ins");
	}
	return finish(s, &denied);
}

static enum smtp_next login(struct smtp_session *s, struct str user, struct str password)
{
	struct auth_login_request request = { AUTH_SMTP, user, password, str_of(s->info->peer), s->info->tls };
	struct auth_login_reply   reply;

	switch (s->env->ask->login(s->env->ask_ctx, &request, s->auth.arena, &reply)) {
	case ST_OK: break;
	case ST_DENIED: return fail(s, NET_SIGNIN_DENIED, user);
	case ST_LIMIT: return fail(s, NET_SIGNIN_THROTTLED, user);
	default: return finish(s, &later);
	}
	if (reply.account == 0 || reply.address.n > LIMIT_ADDRESS)
		return finish(s, &later); /* no such answer exists: auth is not to be trusted with more than its word */
	s->signed_in = true;
	s->account = reply.account;
	CHECK(buf_add(&s->login, reply.address));
	net_trust(s->conn);
	smtp_trace(s, TRACE_SIGNED_IN, buf_str(&s->login), STR_NONE, NULL, s->auth.mechanism->name);
	log_info("signed in", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer),
		 LOG_STR("user", buf_str(&s->login)), LOG_STR("mechanism", s->auth.mechanism->name),
		 LOG_C("tls", s->info->tls_version));
	return finish(s, &accepted);
}

static enum smtp_next plain_answer(struct smtp_session *s, struct str message)
{
	struct sasl_plain m;

	if (!sasl_plain_parse(message, &m))
		return finish(s, &syntax);
	/* RFC 4616 §2: nobody may act for somebody else here. */
	if (m.authzid.n > 0 && !str_eq(m.authzid, m.user))
		return fail(s, NET_SIGNIN_IDENTITY, m.user);
	return login(s, m.user, m.password);
}

static enum smtp_next login_answer(struct smtp_session *s, struct str message)
{
	if (!sasl_text_valid(message, s->auth.user.n > 0 ? LIMIT_PASSWORD : LIMIT_USER))
		return finish(s, &syntax);
	if (s->auth.user.n > 0)
		return login(s, s->auth.user, message);
	s->auth.user = message;
	smtp_write_line(s, 334, NULL, STR("UGFzc3dvcmQ6"), true); /* "Password:" */
	return SMTP_NEXT_LINE;
}

static const struct smtp_mechanism mechanisms[] = {
	{ STR("PLAIN"), "", plain_answer },
	{ STR("LOGIN"), "VXNlcm5hbWU6", login_answer }, /* "Username:" */
};

void smtp_auth_mechanisms(struct buf *out)
{
	for (size_t i = 0; i < LEN(mechanisms); i++) {
		buf_add_char(out, ' ');
		buf_add(out, mechanisms[i].name);
	}
}

static const struct smtp_mechanism *mechanism_find(struct str name)
{
	for (size_t i = 0; i < LEN(mechanisms); i++)
		if (str_ieq(mechanisms[i].name, name))
			return &mechanisms[i];
	return NULL;
}

/* One base64 answer to its mechanism. The decoded octets live in the wiping arena. */
static enum smtp_next answer(struct smtp_session *s, struct str base64)
{
	struct buf b = { .p = arena_alloc(s->auth.arena, base64.n), .cap = base64.n, .max = base64.n };

	if (!text_base64_decode(base64, &b))
		return finish(s, &syntax);
	return s->auth.mechanism->answer(s, buf_str(&b));
}

enum smtp_next smtp_auth_line(struct smtp_session *s, struct str line, bool line_too_long)
{
	if (line_too_long)
		return finish(s, &too_long);
	if (str_eq(line, STR("*")))
		return finish(s, &cancelled);
	return answer(s, line);
}

enum smtp_next smtp_cmd_auth(struct smtp_session *s, struct str arg)
{
	struct str                   name, initial;
	bool                         has_initial = str_cut(arg, ' ', &name, &initial);
	const struct smtp_mechanism *m = mechanism_find(name);

	if (!m)
		return smtp_answer(s, &no_such);
	smtp_enter(s, SMTP_STATE_AUTH);
	s->auth = (struct smtp_auth){ .arena = arena_new_secret(net_arena(s->conn)), .mechanism = m };
	if (has_initial) /* "=" is the empty one, RFC 4954 §4 */
		return answer(s, str_eq(initial, STR("=")) ? STR_NONE : initial);
	smtp_write_line(s, 334, NULL, str_of(m->challenge), true);
	return SMTP_NEXT_LINE;
}
