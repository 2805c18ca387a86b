/* pop3/pop3_proto.c - from the connection's events to commands, and what is waited for.
 *
 *   COMMAND --line--> run it        COMMAND --AUTH with a challenge--> SASL --line--> ... --> COMMAND
 */
#include <stdlib.h>

#include "base/log.h"
#include "pop3/pop3_session.h"
#include "sys/clock.h"
#include "wire/smtp/smtp_verb.h"

#define OUT_MAX (1 * MIB) /* between two spills: twice a piece of a message */

void pop3_settings_init(struct pop3_settings *ret)
{
	*ret = (struct pop3_settings){
		.preauth_ms = 60 * 1000,
		.signin_ms = LIMIT_SIGNIN_MS,
		.idle_ms = 10 * 60 * 1000,
		.scram = true,
	};
}

static void *session_open(void *ctx, struct net_conn *conn)
{
	struct pop3_session *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->conn = conn;
	s->info = net_info(conn);
	s->env = ctx;
	s->set = s->env->settings;
	s->signin_until = clock_mono_ms() + s->set->signin_ms;
	s->arena = arena_new(NULL);
	buf_init(&s->out, OUT_MAX);
	metric_add(METRIC_POP3_CONNECTIONS, 1);
	metric_add(METRIC_POP3_SESSIONS, 1);
	return s;
}

static void session_close(void *session)
{
	struct pop3_session *s = session;

	log_info("pop3 session ended", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer),
		 LOG_U64("account", s->account_id), LOG_U64("commands", s->commands), LOG_U64("retrieved", s->retrieved),
		 LOG_U64("removed", s->removed), LOG_C("why", s->end ? s->end : "closed"));
	pop3_secret_done(s);
	pop3_account_back(s);
	pop3_drop_done(s);
	store_leave(s->env->store, &s->entry);
	pop3_work_give(s);
	buf_done(&s->out);
	arena_free(&s->arena);
	free(s);
	metric_less(METRIC_POP3_SESSIONS);
}

/* ---- what to wait for ---- */

static struct net_want want_close(struct pop3_session *s)
{
	pop3_flush(s);
	return (struct net_want){ .kind = NET_WANT_CLOSE };
}

/* A peer that does not sign in has had its time, or its commands. */
static bool signin_over(const struct pop3_session *s)
{
	return s->state == POP3_AUTHORIZATION &&
	       (s->commands >= LIMIT_SIGNIN_COMMANDS || clock_mono_ms() >= s->signin_until);
}

static struct net_want want_line(const struct pop3_session *s)
{
	struct net_want w = { .kind = NET_WANT_LINE, .timeout_ms = s->set->idle_ms, .n = LIMIT_POP3_LINE };

	if (s->state == POP3_AUTHORIZATION) {
		w.unit_ms = (unsigned)MAX(s->signin_until - clock_mono_ms(), 1); /* 0 would be for ever */
		w.timeout_ms = MIN(s->set->preauth_ms, w.unit_ms);
		w.n = LIMIT_SASL_LINE;
	}
	return w;
}

static struct net_want end(struct pop3_session *s, const char *why, const char *text)
{
	s->end = why;
	pop3_err(s, "%s", text);
	return want_close(s);
}

/* Send what there is and wait; everything of the command is given back. */
static struct net_want wait_next(struct pop3_session *s, enum pop3_next next)
{
	if (s->broken) {
		buf_clear(&s->out);
		return want_close(s);
	}
	pop3_flush(s);
	pop3_account_back(s);
	pop3_work_give(s);
	if (next == POP3_NEXT_CLOSE)
		return want_close(s);
	if (s->errors >= LIMIT_POP3_ERRORS)
		return end(s, "too many errors", "Too many errors");
	if (s->state == POP3_TRANSACTION && clock_mono_ms() >= s->until)
		return end(s, "a session of a day", "[SYS/TEMP] This session has lasted a day, connect again");
	if (signin_over(s))
		return end(s, "no sign-in", "[SYS/TEMP] Nobody signed in, connect again");
	arena_reset(s->arena);
	buf_done(&s->out);
	buf_init(&s->out, OUT_MAX);
	s->waits = next == POP3_NEXT_SASL ? POP3_NEXT_SASL : POP3_NEXT_COMMAND;
	if (next == POP3_NEXT_TLS)
		return (struct net_want){ .kind = NET_WANT_TLS };
	return want_line(s);
}

/* ---- events ---- */

static struct net_want start(struct pop3_session *s)
{
	struct str text;

	if (sasl_door_refuses(s->env->ask->connect, s->env->ask_ctx, s->info, GUARD_POP3, s->arena, &text)) {
		s->end = "refused at the door";
		pop3_err(s, "[SYS/TEMP] %.*s", STR_FMT(text));
		return want_close(s);
	}
	return wait_next(s, pop3_ok(s, "Postrider is ready"));
}

static struct net_want on_line(struct pop3_session *s, struct str line)
{
	if (s->waits == POP3_NEXT_SASL)
		return wait_next(s, pop3_auth_answer(s, line, false));
	/* Cross-protocol attacks (ALPACA): a browser was led here. */
	if (s->state == POP3_AUTHORIZATION && smtp_verb_is_http(line))
		return end(s, "http", "This is POP3");
	return wait_next(s, pop3_dispatch(s, line));
}

static struct net_want bad_line(struct pop3_session *s, bool too_long)
{
	if (s->waits == POP3_NEXT_SASL && too_long)
		return wait_next(s, pop3_auth_answer(s, STR_NONE, true));
	s->commands++;
	pop3_secret_done(s);
	return wait_next(s, pop3_bad(s, too_long ? "Line is too long" : "Lines end in CRLF"));
}

static struct net_want on_timeout(struct pop3_session *s)
{
	/* RFC 1939 §3: nothing is removed, and nothing said, to who has signed in. */
	if (s->state == POP3_AUTHORIZATION)
		return end(s, "no sign-in", "[SYS/TEMP] Nobody signed in, connect again");
	s->end = "timeout";
	return want_close(s);
}

static struct net_want session_handle(void *session, const struct net_ev *ev)
{
	struct pop3_session *s = session;

	switch (ev->kind) {
	case NET_EV_START: return start(s);
	case NET_EV_TLS:
		/* RFC 2595 §4: what was learned before TLS is forgotten; there is no second greeting. */
		pop3_secret_done(s);
		return wait_next(s, POP3_NEXT_COMMAND);
	case NET_EV_LINE: return on_line(s, ev->line);
	case NET_EV_LONG: return bad_line(s, true);
	case NET_EV_BARE_EOL: return bad_line(s, false);
	case NET_EV_TIMEOUT: return on_timeout(s);
	case NET_EV_DRAIN: return end(s, "drain", "[SYS/TEMP] The server restarts, connect again");
	case NET_EV_WAKE: return want_line(s);
	case NET_EV_DATA: break;
	}
	return want_close(s);
}

static void turned_away(void *ctx, const struct net_info *info)
{
	(void)ctx;
	(void)info;
	metric_add(METRIC_POP3_CONNECTIONS_REFUSED, 1);
}

static bool wants_certificate(void *ctx)
{
	const struct pop3_env      *env = ctx;
	const struct pop3_settings *set = env->settings;

	return set->client_certificates;
}

const struct net_proto pop3_proto = {
	.name = "pop3",
	.signin_accepted = METRIC_POP3_SIGNINS_ACCEPTED,
	.signin_refused = METRIC_POP3_SIGNINS_REFUSED,
	.open = session_open,
	.handle = session_handle,
	.close = session_close,
	.turned_away = turned_away,
	.wants_certificate = wants_certificate,
	.refused = "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
	.strict_eol = true,
};
