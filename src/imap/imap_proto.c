/* imap/imap_proto.c - from the connection's events to commands: lines and literals are put together here.
 *
 *   COMMAND --line--> run it                                    COMMAND --line ending in "{n}"--> LITERAL --n octets-->
 * COMMAND COMMAND --"APPEND ... {n}"--> APPEND --n octets--> COMMAND, the text anew LITERAL, APPEND refused: an
 * answer at once where the client waits for "+", else DROP (the octets come anyway: RFC 7888 §4)
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "imap/imap_cmd_notify.h"
#include "sasl/sasl_door.h"
#include "sys/clock.h"

#define TEXT_MAX  (LIMIT_IMAP_LINE + LIMIT_IMAP_ARGS)
#define OUT_MAX   (8 * MIB) /* between two spills: one message's facts, each bounded (LIMIT_ENVELOPE and the like) */
#define DROP_MAX  ((uint64_t)LIMIT_MESSAGE_MAX)             /* a refused literal over this ends the connection */

void imap_settings_init(struct imap_settings *ret)
{
	*ret = (struct imap_settings){
		.message_octets = LIMIT_MESSAGE,
		.preauth_ms = 60 * 1000,
		.signin_ms = LIMIT_SIGNIN_MS,
		.idle_ms = 31 * 60 * 1000,
		.session_ms = LIMIT_SESSION_MS,
		.view_ms = 20 * 1000,
		.progress_ms = 10 * 1000,
		.scram = true,
	};
}

static void *session_open(void *ctx, struct net_conn *conn)
{
	struct imap_session *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->conn = conn;
	s->info = net_info(conn);
	s->env = ctx;
	s->set = s->env->settings;
	s->signin_until = clock_mono_ms() + s->set->signin_ms;
	s->arena = arena_new(NULL);
	buf_init(&s->text, TEXT_MAX);
	buf_init(&s->out, OUT_MAX);
	metric_add(METRIC_IMAP_CONNECTIONS, 1);
	metric_add(METRIC_IMAP_SESSIONS, 1);
	return s;
}

static void text_done(struct imap_session *s)
{
	buf_done(&s->text);
	buf_init(&s->text, TEXT_MAX);
	net_memory_give(net_of(s->conn), s->held);
	s->held = 0;
	s->literals = 0;
}

/* An IDLE may last for hours, and needs no more of its command than the tag. */
static void idle_begun(struct imap_session *s)
{
	char *tag = s->tag.n > 0 ? strndup(s->tag.p, s->tag.n) : NULL;

	CHECK(tag || s->tag.n == 0);
	text_done(s);
	arena_reset(s->arena);
	free(s->idle_tag);
	s->idle_tag = tag;
	s->tag = str_n(tag, s->tag.n);
}

static void session_close(void *session)
{
	struct imap_session *s = session;

	log_info("imap session ended", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer),
		 LOG_U64("account", s->account_id), LOG_U64("commands", s->commands),
		 LOG_C("why", s->end ? s->end : "closed"));
	imap_notify_remove(s->env->notify, &s->box_watch);
	imap_append_done(s);
	imap_secret_done(s);
	imap_account_back(s);
	imap_box_done(s);
	imap_account_leave(s);
	text_done(s);
	buf_done(&s->out);
	imap_out_give(s);
	imap_work_give(s);
	arena_free(&s->arena);
	free(s->idle_tag);
	free(s);
	metric_less(METRIC_IMAP_SESSIONS);
}

void imap_enter(struct imap_session *s, enum imap_state state)
{
	static const unsigned from[IMAP_STATE_COUNT] = {
		[IMAP_NOT_AUTH] = IMAP_IN_ANY, /* UNAUTHENTICATE */
		[IMAP_AUTH] = IMAP_IN_ANY,
		[IMAP_SELECTED] = IMAP_IN_LOGGED,
	};

	CHECK(from[state] & IMAP_IN(s->state));
	if (s->state == IMAP_SELECTED && state != IMAP_SELECTED)
		imap_box_done(s);
	if (s->state != IMAP_NOT_AUTH && state == IMAP_NOT_AUTH) {
		imap_notify_remove(s->env->notify, &s->watch);
		imap_notice_done(s);
		s->enabled = 0;
		s->signin_from = s->commands;
		s->signin_until = clock_mono_ms() + s->set->signin_ms;
	}
	s->state = state;
	imap_box_watch(s, false);
}

/* ---- what to wait for ---- */

static struct net_want want_close(struct imap_session *s)
{
	imap_flush(s);
	return (struct net_want){ .kind = NET_WANT_CLOSE };
}

/* What NOT_AUTH may still last; at least 1: 0 would be for ever. */
static unsigned signin_left_ms(const struct imap_session *s)
{
	return (unsigned)MAX(s->signin_until - clock_mono_ms(), 1);
}

/* A peer that does not sign in has had its time, or its commands: NOOP and the like would keep it here for ever. */
static bool signin_over(const struct imap_session *s)
{
	return s->state == IMAP_NOT_AUTH &&
	       (s->commands - s->signin_from >= LIMIT_SIGNIN_COMMANDS || clock_mono_ms() >= s->signin_until);
}

static struct net_want want_line(struct imap_session *s)
{
	struct net_want w = { .kind = NET_WANT_LINE };

	w.timeout_ms = s->set->idle_ms;
	if (s->state == IMAP_NOT_AUTH) {
		w.unit_ms = signin_left_ms(s);
		w.timeout_ms = MIN(s->set->preauth_ms, w.unit_ms);
	}
	/* Wake up early once, to drop what only a busy session needs. */
	if (s->box.loaded && s->mode != IMAP_MODE_IDLE)
		w.timeout_ms = MIN(w.timeout_ms, s->set->view_ms);
	if (s->mode == IMAP_MODE_AUTHENTICATE)
		w.n = LIMIT_SASL_LINE;
	else if (s->mode == IMAP_MODE_IDLE)
		w.n = 1000;
	else
		w.n = s->state == IMAP_NOT_AUTH ? LIMIT_IMAP_LINE_PRE : LIMIT_IMAP_LINE;
	return w;
}

static bool sink_text(void *ctx, struct str octets)
{
	struct imap_session *s = ctx;

	return buf_add(&s->text, octets);
}

static bool sink_none(void *ctx, struct str octets)
{
	(void)ctx;
	(void)octets;
	return false;
}

static struct net_want want_bytes(struct imap_session *s, enum imap_mode mode, uint64_t n)
{
	struct net_want w = { .kind = NET_WANT_BYTES, .n = (size_t)n, .timeout_ms = s->set->preauth_ms };

	s->mode = mode;
	if (mode == IMAP_MODE_APPEND)
		w.sink = imap_append_sink(s);
	else
		w.sink = (struct net_sink){ mode == IMAP_MODE_LITERAL ? sink_text : sink_none, s };
	return w;
}

/* The client has its answer, and does not wait for this. */
static void log_tidy(struct imap_session *s)
{
	struct store_account *a;

	if (!s->untidy || s->broken || net_flush(s->conn) != ST_OK)
		return;
	if (s->account_id != 0 && imap_account(s, &a) == ST_OK)
		store_tidy(a);
	imap_account_back(s);
	s->untidy = false; /* who writes just now tidies himself */
}

/* Send what there is and wait. Between commands everything of the command is given back. */
static struct net_want wait_next(struct imap_session *s, enum imap_next next)
{
	imap_flush(s);
	imap_account_back(s);
	imap_shared_forget(s);
	imap_work_give(s);
	log_tidy(s);
	if (s->broken || next == IMAP_NEXT_CLOSE)
		return want_close(s);
	if (s->errors >= LIMIT_IMAP_ERRORS) {
		s->end = "too many errors";
		imap_put(s, STR("* BYE Too many errors\r\n"));
		return want_close(s);
	}
	if (s->account_id != 0 && clock_mono_ms() >= s->until) {
		s->end = "a session of a day";
		imap_put(s, STR("* BYE This session has lasted a day, connect again\r\n"));
		return want_close(s);
	}
	if (signin_over(s)) {
		s->end = "no sign-in";
		imap_put(s, STR("* BYE Nobody signed in, connect again\r\n"));
		return want_close(s);
	}
	if (next != IMAP_NEXT_WAIT) {
		text_done(s);
		arena_reset(s->arena);
		s->tag = STR_NONE;
		free(s->idle_tag);
		s->idle_tag = NULL;
		s->mode = IMAP_MODE_COMMAND;
	} else if (s->mode == IMAP_MODE_IDLE) {
		idle_begun(s);
	}
	buf_done(&s->out);
	buf_init(&s->out, OUT_MAX);
	imap_out_give(s);
	if (next == IMAP_NEXT_COMPRESS && net_compress(s->conn) != ST_OK)
		return want_close(s);
	if (next == IMAP_NEXT_TLS)
		return (struct net_want){ .kind = NET_WANT_TLS };
	return want_line(s);
}

/* ---- lines and literals ---- */

/* The tag of the command at hand, which is refused before it could be read as a whole. */
static void tag_find(struct imap_session *s)
{
	struct imap_command c;

	if (s->tag.n > 0) /* it runs: AUTHENTICATE, IDLE */
		return;
	(void)imap_command_parse(buf_str(&s->text), s->arena, &c);
	s->tag = c.tag;
}

static enum imap_next refuse(struct imap_session *s, const char *text)
{
	tag_find(s);
	imap_bad(s, "%s", text);
	imap_finish(s, false);
	return IMAP_NEXT_REPLY;
}

static struct net_want drop(struct imap_session *s, uint64_t n)
{
	if (n > DROP_MAX) {
		s->end = "refused literal";
		imap_put(s, STR("* BYE The literal is too long to be skipped\r\n"));
		return want_close(s);
	}
	imap_flush(s);
	if (n > 0)
		return want_bytes(s, IMAP_MODE_DROP, n);
	s->mode = IMAP_MODE_SKIP;
	return want_line(s);
}

/* A literal that is not taken, for the reason in s->reply. A client that waits for "+" is told now; another sends the
 * octets and the rest of the command all the same, and is told behind them. */
static struct net_want literal_refuse(struct imap_session *s, const struct imap_literal *l)
{
	tag_find(s);
	imap_append_done(s);
	if (!l->sync)
		return drop(s, l->n);
	imap_finish(s, false);
	return wait_next(s, IMAP_NEXT_REPLY);
}

static struct net_want literal_bad(struct imap_session *s, const struct imap_literal *l, const char *text)
{
	imap_bad(s, "%s", text);
	return literal_refuse(s, l);
}

/* The rest of a command that was refused: it may hold more literals. */
static struct net_want skip_line(struct imap_session *s, struct str line)
{
	struct imap_literal l;

	if (imap_literal_follows(line, &l) && !l.sync)
		return drop(s, l.n);
	imap_finish(s, false);
	return wait_next(s, IMAP_NEXT_REPLY);
}

static struct net_want literal_begin(struct imap_session *s, const struct imap_literal *l)
{
	s->reply = (struct imap_reply){ 0 };
	switch (imap_append_literal(s, l)) {
	case IMAP_LITERAL_TEXT: break;
	case IMAP_LITERAL_REFUSED: return literal_refuse(s, l);
	case IMAP_LITERAL_CONTENT:
		if (l->sync)
			imap_put(s, STR("+ Ready for the message\r\n"));
		imap_flush(s);
		return want_bytes(s, IMAP_MODE_APPEND, l->n);
	}
	if (++s->literals > LIMIT_IMAP_LITERALS)
		return literal_bad(s, l, "Too many literals");
	if (s->state == IMAP_NOT_AUTH && s->text.n + l->n > LIMIT_IMAP_LINE_PRE)
		return literal_bad(s, l, "Literal is too long before sign-in");
	if (l->n > LIMIT_IMAP_ARGS || s->text.n + l->n + LIMIT_IMAP_LINE > TEXT_MAX)
		return literal_bad(s, l, "Literal is too long");
	if (!net_memory_take(net_of(s->conn), (size_t)l->n)) {
		imap_full(s);
		return literal_refuse(s, l);
	}
	s->held += (size_t)l->n;
	buf_add(&s->text, STR("\r\n"));
	if (l->sync)
		imap_put(s, STR("+ Go ahead\r\n"));
	imap_flush(s);
	if (l->n == 0) {
		s->mode = IMAP_MODE_COMMAND;
		return want_line(s);
	}
	return want_bytes(s, IMAP_MODE_LITERAL, l->n);
}

static bool is_http(struct str line)
{
	return str_starts(line, STR("GET ")) || str_starts(line, STR("POST ")) || str_starts(line, STR("HEAD ")) ||
	       str_starts(line, STR("OPTIONS ")) || str_iends(line, STR(" HTTP/1.1"));
}

static struct net_want command_line(struct imap_session *s, struct str line)
{
	struct imap_literal l;

	/* A stray empty line between commands, such as the one that some clients send behind DONE. */
	if (s->text.n == 0 && line.n == 0 && !s->upload)
		return want_line(s);
	/* Cross-protocol attacks (ALPACA): a browser was led here. */
	if (s->text.n == 0 && s->state == IMAP_NOT_AUTH && is_http(line)) {
		s->end = "http";
		imap_put(s, STR("* BYE This is IMAP\r\n"));
		return want_close(s);
	}
	if (s->text.n == 0 && !s->upload && !imap_literal_follows(line, &l))
		return wait_next(s, imap_dispatch(s, line));
	if (!buf_add(&s->text, line)) {
		s->text.over = false;
		imap_append_done(s);
		return wait_next(s, refuse(s, "Command is too long"));
	}
	if (imap_literal_follows(line, &l))
		return literal_begin(s, &l);
	if (s->upload)
		return wait_next(s, imap_append_end(s));
	return wait_next(s, imap_dispatch(s, buf_str(&s->text)));
}

static struct net_want on_line(struct imap_session *s, struct str line)
{
	switch (s->mode) {
	case IMAP_MODE_AUTHENTICATE: return wait_next(s, imap_authenticate_answer(s, line, false));
	case IMAP_MODE_IDLE: return wait_next(s, imap_idle_line(s, line));
	case IMAP_MODE_SKIP: return skip_line(s, line);
	default: return command_line(s, line);
	}
}

static struct net_want on_data(struct imap_session *s, const struct net_ev *ev)
{
	switch (s->mode) {
	case IMAP_MODE_APPEND:
		if (!imap_append_data(s, ev->refused)) {
			s->mode = IMAP_MODE_SKIP;
			return want_line(s);
		}
		s->mode = IMAP_MODE_COMMAND;
		return want_line(s);
	case IMAP_MODE_DROP: s->mode = IMAP_MODE_SKIP; return want_line(s);
	default: s->mode = IMAP_MODE_COMMAND; return want_line(s);
	}
}

static struct net_want on_timeout(struct imap_session *s)
{
	if (s->box.loaded && s->mode != IMAP_MODE_IDLE) {
		struct net_want w;

		imap_view_drop(s);
		w = want_line(s);
		w.timeout_ms -= MIN(w.timeout_ms / 2, s->set->view_ms);
		return w;
	}
	s->end = s->state == IMAP_NOT_AUTH ? "no sign-in" : "timeout";
	imap_put(s, STR("* BYE Autologout: nothing came for too long\r\n"));
	return want_close(s);
}

static struct net_want bad_line(struct imap_session *s, const char *text)
{
	if (s->mode == IMAP_MODE_AUTHENTICATE)
		imap_secret_done(s);
	if (s->mode == IMAP_MODE_IDLE)
		imap_idle_done(s);
	imap_append_done(s);
	s->reply = (struct imap_reply){ 0 };
	return wait_next(s, refuse(s, text));
}

/* A peer that is banned, or connects too often, is told why instead of being greeted. */
static bool refused_at_door(struct imap_session *s)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct str    text;

	if (!sasl_door_refuses(s->env->ask->connect, s->env->ask_ctx, s->info, GUARD_IMAP, a, &text))
		return false;
	s->end = "refused at the door";
	imap_put(s, STR("* BYE "));
	imap_put(s, text);
	imap_put(s, STR("\r\n"));
	return true;
}

static struct net_want session_handle(void *session, const struct net_ev *ev)
{
	struct imap_session *s = session;

	switch (ev->kind) {
	case NET_EV_START:
		if (refused_at_door(s))
			return want_close(s);
		imap_put(s, STR("* OK ["));
		imap_capability_put(s);
		imap_put(s, STR("] Postrider is ready\r\n"));
		return wait_next(s, IMAP_NEXT_REPLY);
	case NET_EV_TLS:
		/* RFC 9051 §11.1: what was learned before TLS is forgotten; there is no second greeting. */
		return wait_next(s, IMAP_NEXT_REPLY);
	case NET_EV_LINE: return on_line(s, ev->line);
	case NET_EV_LONG:
		if (s->mode == IMAP_MODE_AUTHENTICATE)
			return wait_next(s, imap_authenticate_answer(s, STR_NONE, true));
		return bad_line(s, "Line is too long");
	case NET_EV_BARE_EOL: return bad_line(s, "Lines end in CRLF");
	case NET_EV_DATA: return on_data(s, ev);
	case NET_EV_WAKE:
		imap_idle_wake(s);
		imap_notice_wake(s);
		return wait_next(s, IMAP_NEXT_WAIT);
	case NET_EV_TIMEOUT: return on_timeout(s);
	case NET_EV_DRAIN:
		s->end = "drain";
		imap_put(s, STR("* BYE The server restarts, connect again\r\n"));
		return want_close(s);
	}
	return want_close(s);
}

static void turned_away(void *ctx, const struct net_info *info)
{
	(void)ctx;
	(void)info;
	metric_add(METRIC_IMAP_CONNECTIONS_REFUSED, 1);
}

static bool wants_certificate(void *ctx)
{
	const struct imap_env      *env = ctx;
	const struct imap_settings *set = env->settings;

	return set->client_certificates;
}

const struct net_proto imap_proto = {
	.name = "imap",
	.signin_accepted = METRIC_IMAP_SIGNINS_ACCEPTED,
	.signin_refused = METRIC_IMAP_SIGNINS_REFUSED,
	.open = session_open,
	.handle = session_handle,
	.close = session_close,
	.turned_away = turned_away,
	.wants_certificate = wants_certificate,
	.refused = "* BYE Too many connections, try again later\r\n",
	.strict_eol = true,
};
