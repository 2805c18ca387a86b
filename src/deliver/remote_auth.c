/* deliver/remote_auth.c - see remote_auth.h.
 *
 *   CHOOSE --AUTH--> 334 --answer--> 334 ... --> 235 and proved: READY
 *                                        |-----> 535, 5yz: refused        4yz: not now
 *                                        |-----> 504, 534 ...: CHOOSE again
 *                    broken: "*", then refused; 235 without proof: dropped
 */
#include "deliver/remote_auth.h"

#include <string.h>

#include "base/log.h"
#include "deliver/remote_login.h"
#include "sasl/sasl_client.h"
#include "wire/text/text_base64.h"

struct attempt {
	struct remote_session   *s;
	uint64_t                 login;
	struct arena            *arena; /* wiping */
	struct auth_login        credentials;
	struct sasl_client_side  side;
	struct sasl_client      *client; /* of this mechanism */
	struct str               name;   /* its name */
	struct remote_outcome   *why;
};

enum outcome { SIGNED_IN, NEXT_MECHANISM, FAILED };

/* ---- what it comes to ---- */

static enum outcome fail(struct attempt *t, const char *code, struct str answer)
{
	*t->why = (struct remote_outcome){ REMOTE_DEFERRED, str_of(code), arena_dup(t->s->arena, answer) };
	return FAILED;
}

/* The peer is not who it says, or does not know what it says. */
static enum outcome drop(struct attempt *t, const char *why)
{
	log_error("a host does not sign in as it should", LOG_STR("host", t->s->host), LOG_STR("mechanism", t->name), LOG_C("why", why));
	t->s->dead = true;
	return fail(t, "4.7.0", arena_printf(t->s->arena, "Sign-in by %.*s: %s", STR_FMT(t->name), why));
}

static enum outcome refused(struct attempt *t)
{
	struct remote_outcome o = remote_session_failure(t->s);

	log_error("a host refuses our credentials", LOG_STR("host", t->s->host), LOG_STR("user", t->credentials.user), LOG_STR("mechanism", t->name),
		  LOG_STR("answer", o.answer));
	remote_login_refused(t->s->remote->logins, t->login, o.answer);
	return fail(t, "4.7.8", arena_printf(t->s->arena, "Sign-in refused: %.*s", STR_FMT(o.answer)));
}

/* The mechanism is at fault, or too weak: another may do. */
static bool unable(unsigned code)
{
	return (code >= 500 && code <= 504) || code == 534 || code == 538;
}

/* RFC 4954 §4, §6. With a channel binding it may not be the password that is wrong. */
static enum outcome judge(struct attempt *t, enum sasl_offer mechanism)
{
	unsigned code = t->s->reply.code;

	if (code == 235)
		return sasl_client_proved(t->client) ? SIGNED_IN : drop(t, sasl_client_why(t->client));
	if (code / 100 == 4) {
		*t->why = remote_session_failure(t->s);
		return FAILED;
	}
	if (code / 100 != 5) {
		*t->why = remote_session_failure(t->s); /* a reply out of place: the session is dead */
		return FAILED;
	}
	if (unable(code))
		return NEXT_MECHANISM;
	if (mechanism & (SASL_OFFER_SCRAM_SHA256_PLUS | SASL_OFFER_SCRAM_SHA1_PLUS))
		return NEXT_MECHANISM;
	return refused(t);
}

/* ---- the exchange ---- */

/* A line with a secret in it: what held it is wiped when it is sent. */
static bool say(struct attempt *t, struct str command, const struct str *message)
{
	struct remote_session *s = t->s;
	unsigned               timeout_ms = s->remote->settings.timeouts.mail_ms;
	bool                   ok;

	(void)buf_room(&s->out, LIMIT_SMTP_AUTH_LINE);
	buf_add(&s->out, command);
	if (message != NULL && message->n == 0 && command.n > 0)
		buf_add_char(&s->out, '='); /* RFC 4954 §4: an empty initial response */
	else if (message != NULL)
		text_base64_encode(*message, &s->out);
	buf_add(&s->out, STR("\r\n"));
	ok = remote_session_send(s, "AUTH", timeout_ms, t->why);
	explicit_bzero(s->out.p, s->out.cap);
	return ok && remote_session_reply(s, "AUTH", remote_session_timeout(s, timeout_ms), t->why);
}

static size_t encoded(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* AUTH with what is to be said first, if there is something and the line may be so long (RFC 4954 §4). */
static bool begin(struct attempt *t)
{
	struct str first = STR(""), command = arena_printf(t->arena, "AUTH %.*s ", STR_FMT(t->name));
	size_t     user = t->credentials.user.n, secret = t->credentials.secret.n;

	if (command.n + encoded(3 * user + secret + t->s->host.n + 200) + 2 <= LIMIT_SMTP_AUTH_LINE && sasl_client_initial(t->client, &first))
		return say(t, command, &first);
	return say(t, str_first(command, command.n - 1), NULL);
}

static bool cancel(struct attempt *t)
{
	return say(t, STR("*"), NULL);
}

/* One challenge. False: t->why, or the exchange is over by what is in *ret. */
static bool answer(struct attempt *t, enum outcome *ret)
{
	struct remote_session *s = t->s;
	struct str             base64 = str_trim(buf_str(&s->text)), message = STR("");
	struct buf             challenge = { .p = arena_alloc(t->arena, base64.n + 1), .cap = base64.n + 1, .max = base64.n + 1 };
	const char            *why = "a challenge is no base64";

	*ret = FAILED;
	if (base64.n <= LIMIT_SASL_LINE && text_base64_decode(base64, &challenge)) {
		if (sasl_client_step(t->client, buf_str(&challenge), &message) == SASL_CLIENT_SEND)
			return encoded(message.n) <= LIMIT_SASL_LINE && say(t, STR(""), &message);
		why = sasl_client_why(t->client);
	}
	if (cancel(t))
		*ret = drop(t, why);
	return false;
}

static enum outcome exchange(struct attempt *t, enum sasl_offer mechanism)
{
	enum outcome out = FAILED;
	unsigned     steps = 0;

	t->name = sasl_offer_name(mechanism);
	t->client = sasl_client_new(mechanism, t->s->caps.auth, &t->side);
	if (!begin(t))
		goto out;
	while (t->s->reply.code == 334) {
		if (++steps > LIMIT_AUTH_STEPS) {
			out = drop(t, "it never comes to an end");
			goto out;
		}
		if (!answer(t, &out))
			goto out;
	}
	out = judge(t, mechanism);
out:
	sasl_client_free(&t->client);
	return out;
}

/* ---- the whole ---- */

/* Asked of the connection itself: everything else is only told of it. */
static bool in_tls(const struct remote_session *s)
{
	return net_stream_tls_version(s->stream) != NULL;
}

static void side_make(struct attempt *t, uint32_t port, char binding[NET_STREAM_BINDING])
{
	const char *name = "";
	struct str  octets = net_stream_binding(t->s->stream, binding, &name);
	struct str  host, rest;

	(void)str_cut(t->s->host, ' ', &host, &rest); /* "mx.example [192.0.2.1]:25" */
	t->side = (struct sasl_client_side){
		.user = t->credentials.user,
		.secret = t->credentials.secret,
		.token = t->credentials.kind == AUTH_LOGIN_TOKEN,
		.tls = in_tls(t->s),
		.binding = octets,
		.binding_name = name,
		.host = host,
		.port = port,
		.nonce = STR(""),
	};
}

static uint32_t port_of(struct str host)
{
	uint32_t port;

	return str_to_u32(str_from(host, (size_t)(str_rfind(host, ':') + 1)), &port) ? port : 0;
}

static enum outcome none_left(struct attempt *t, unsigned tried)
{
	if (tried != 0 && !unable(t->s->reply.code))
		return refused(t); /* the binding was not it */
	if (tried != 0)
		return fail(t, "4.7.0", arena_printf(t->s->arena, "Sign-in by %.*s: %.*s", STR_FMT(t->name), STR_FMT(remote_session_failure(t->s).answer)));
	if (!in_tls(t->s))
		return fail(t, "4.7.0", STR("The host offers no way to sign in that is safe without TLS"));
	return fail(t, "4.7.0", t->side.token ? STR("The host takes no access tokens (OAUTHBEARER, XOAUTH2)") : STR("The host has no way to sign in that we know"));
}

static enum outcome sign_in(struct attempt *t)
{
	char         binding[NET_STREAM_BINDING];
	unsigned     tried = 0;
	enum outcome out = NEXT_MECHANISM;

	side_make(t, port_of(t->s->host), binding);
	for (unsigned i = 0; i < LIMIT_AUTH_TRIES && out == NEXT_MECHANISM; i++) {
		unsigned mechanism = sasl_client_choose(t->s->caps.auth, &t->side, tried);

		if (mechanism == 0)
			break;
		tried |= mechanism;
		out = exchange(t, (enum sasl_offer)mechanism);
	}
	return out == NEXT_MECHANISM ? none_left(t, tried) : out;
}

bool remote_auth(struct remote_session *s, const struct hop *hop, struct remote_outcome *ret_why)
{
	struct attempt t = { .s = s, .login = hop->login, .why = ret_why };
	struct str     why = STR("");
	enum outcome   out;
	enum status    st;

	if (hop->login == 0)
		return true;
	if (hop->tls == HOP_TLS_NEVER)
		return fail(&t, "4.3.5", STR("The route demands a sign-in in clear: no credentials are sent so")) == SIGNED_IN;
	if (!(s->caps.offered & SMTP_CAP_AUTH))
		return fail(&t, "4.7.0", STR("The host does not offer to sign in (AUTH), and the route has credentials for it")) == SIGNED_IN;
	t.arena = arena_new_secret(NULL);
	st = s->remote->logins != NULL ? remote_login_get(s->remote->logins, hop->login, t.arena, &t.credentials, &why) : ST_TEMP;
	if (st == ST_OK)
		out = sign_in(&t);
	else
		out = fail(&t, st == ST_DENIED ? "4.7.8" : "4.3.0", why.n > 0 ? why : STR("There are no credentials"));
	arena_free(&t.arena);
	return out == SIGNED_IN;
}
