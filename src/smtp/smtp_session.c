/* smtp/smtp_session.c - the session: what net calls, the dispatcher, the end. The diagram is in smtp_session.h.
 *
 * The dispatcher alone checks that a line is a command, that it is this session's to give (bar), its order (states), its
 * argument rule, and that nothing was pipelined behind it that may not be. A handler may rely on all of that.
 */
#include "smtp/smtp_filter.h"
#include "smtp/smtp_session.h"

#include "base/log.h"
#include "base/metric.h"
#include "wire/smtp/smtp_verb.h"

#include <stdlib.h>

#define STATE(s) (1u << SMTP_STATE_##s)

/* Where each state may lead to. */
static const unsigned leads_to[SMTP_STATE_COUNT] = {
	[SMTP_STATE_NEW] = STATE(NEW) | STATE(READY),
	[SMTP_STATE_READY] = STATE(READY) | STATE(MAIL) | STATE(AUTH) | STATE(TLS) | STATE(NEW),
	[SMTP_STATE_MAIL] = STATE(READY) | STATE(RCPT),
	[SMTP_STATE_RCPT] = STATE(READY) | STATE(DATA) | STATE(CHUNK),
	[SMTP_STATE_DATA] = STATE(READY) | STATE(SUBMIT),
	[SMTP_STATE_CHUNK] = STATE(READY) | STATE(BDAT) | STATE(SUBMIT),
	[SMTP_STATE_BDAT] = STATE(READY) | STATE(CHUNK),
	[SMTP_STATE_SUBMIT] = STATE(READY),
	[SMTP_STATE_AUTH] = STATE(READY),
	[SMTP_STATE_TLS] = STATE(NEW),
};

void smtp_enter(struct smtp_session *s, enum smtp_state state)
{
	CHECK(leads_to[s->state] & (1u << state));
	s->state = state;
}

void smtp_check(const struct smtp_session *s)
{
	bool in_data = s->state == SMTP_STATE_DATA || s->state == SMTP_STATE_CHUNK || s->state == SMTP_STATE_BDAT ||
		       s->state == SMTP_STATE_SUBMIT;
	bool in_tx = s->state == SMTP_STATE_MAIL || s->state == SMTP_STATE_RCPT || in_data;

	CHECK((s->hello.n == 0) == (s->state == SMTP_STATE_NEW || s->state == SMTP_STATE_TLS));
	CHECK(!!s->tx.arena == in_tx);
	CHECK(in_tx || (s->tx.rcpt_count == 0 && s->tx.from.n == 0 && s->tx.flags == 0 && s->tx.accepted == 0));
	CHECK(s->tx.accepted >= s->tx.rcpt_count);
	CHECK(!s->skip_reply || s->state != SMTP_STATE_CHUNK);
	CHECK(s->state != SMTP_STATE_MAIL || s->tx.rcpt_count == 0);
	CHECK((s->state != SMTP_STATE_RCPT && !in_data) || s->tx.rcpt_count > 0);
	CHECK(!!s->sasl == (s->state == SMTP_STATE_AUTH));
	CHECK((s->tx.content.net != NULL) == in_data);
	CHECK((s->tx.pending != NULL) == (s->state == SMTP_STATE_SUBMIT));
	CHECK(!s->signed_in || s->account != 0);
}

/* ---- replies ---- */

void smtp_write_line(struct smtp_session *s, unsigned code, const char *enhanced, struct str text, bool last)
{
	char line[SMTP_REPLY_LINE];

	net_write(s->conn, smtp_reply_line(line, code, enhanced, text, last));
}

enum smtp_next smtp_end(struct smtp_session *s, const struct smtp_reply *r, const char *why)
{
	if (r) {
		smtp_write_line(s, r->code, r->enhanced, str_of(r->text), true);
		smtp_guard_error(s, r->code);
	}
	s->done = true;
	s->ending = why;
	return SMTP_NEXT_CLOSE;
}

/* What a peer does wrong in the protocol or at sign-in; a refused recipient or message has limits of its own. */
static bool is_error(unsigned code)
{
	return (code >= 500 && code < 540) || code == 555;
}

enum smtp_next smtp_answer_text(struct smtp_session *s, const struct smtp_reply *r, struct str text)
{
	static const struct smtp_reply too_many = { 421, "4.7.0", "Too many errors" };

	if (r->code == 421) /* a filter's word: the connection ends, RFC 5321 §3.8 */
		return smtp_end(s, r, "filter");
	if (is_error(r->code))
		metric_add(METRIC_SMTP_PROTOCOL_ERRORS, 1);
	if (is_error(r->code) && ++s->errors > LIMIT_SMTP_ERRORS)
		return smtp_end(s, &too_many, "too many errors");
	smtp_write_line(s, r->code, r->enhanced, text, true);
	smtp_guard_error(s, r->code);
	return SMTP_NEXT_LINE;
}

enum smtp_next smtp_answer_copies(struct smtp_session *s, const struct smtp_reply *r, struct str text, unsigned copies)
{
	for (unsigned i = 1; i < copies; i++)
		smtp_write_line(s, r->code, r->enhanced, text, true);
	return smtp_answer_text(s, r, text);
}

unsigned smtp_copies(const struct smtp_session *s)
{
	return s->env->kind == SMTP_KIND_LMTP ? s->tx.accepted : 1;
}

enum smtp_next smtp_answer(struct smtp_session *s, const struct smtp_reply *r)
{
	return smtp_answer_text(s, r, str_of(r->text));
}

/* ---- dispatcher ---- */

static const struct smtp_reply wrong_order[SMTP_STATE_COUNT] = {
	[SMTP_STATE_NEW] = { 503, "5.5.1", "Send EHLO first" },
	[SMTP_STATE_READY] = { 503, "5.5.1", "Send MAIL first" },
	[SMTP_STATE_MAIL] = { 503, "5.5.1", "A transaction without recipients is open: send RCPT or RSET" },
	[SMTP_STATE_RCPT] = { 503, "5.5.1", "A transaction is open: send DATA or RSET" },
	[SMTP_STATE_BDAT] = { 503, "5.5.1", "Chunks of a message are there: send BDAT or RSET" },
};

static enum smtp_next unknown_command(struct smtp_session *s, struct str line)
{
	static const struct smtp_reply unknown = { 500, "5.5.1", "Command not recognised" };

	const struct smtp_reply *filtered = smtp_filter_unknown(s, line);

	/* ALPACA, Brinkmann and others, 2021: a browser was made to talk to us. What follows may look like commands. */
	if (smtp_verb_is_http(line))
		return smtp_end(s, NULL, "http request");
	return smtp_answer(s, filtered ? filtered : &unknown);
}

static enum smtp_next bad_argument(struct smtp_session *s, const struct smtp_command *c)
{
	static const struct smtp_reply syntax = { 501, "5.5.4", NULL };
	char                           text[128];
	struct buf                     b = { .p = text, .cap = sizeof(text), .max = sizeof(text) - 1 };

	buf_add(&b, STR("Syntax: "));
	buf_add(&b, str_of(c->syntax));
	return smtp_answer_text(s, &syntax, buf_str(&b));
}

/* RFC 2920 §3.1: the client must wait for the reply to these, and after HELO to each one. What it has sent ahead was chosen
 * without knowing the answer: its meaning would depend on us, as in smuggling. */
static bool sent_ahead(const struct smtp_session *s, const struct smtp_command *c)
{
	bool alone = (c->flags & SMTP_FLAG_LAST) || (s->state != SMTP_STATE_NEW && !s->esmtp);

	return alone && !str_eq(c->verb, STR("QUIT")) && net_input_pending(s->conn);
}

static enum smtp_next refuse(struct smtp_session *s, const struct smtp_command *c, struct str arg, const struct smtp_reply *why)
{
	return c->flags & SMTP_FLAG_OCTETS ? smtp_bdat_refuse(s, arg, why) : smtp_answer(s, why);
}

static enum smtp_next command(struct smtp_session *s, struct str line)
{
	static const struct smtp_reply too_long = { 500, "5.5.2", "Line too long" };
	static const struct smtp_reply too_many = { 421, "4.7.0", "Too many commands without a message" };
	static const struct smtp_reply ahead = { 554, "5.5.0", "Protocol violation: wait for the reply to this command" };
	const struct smtp_command     *c = NULL;
	const struct smtp_reply       *bar;
	struct str                     verb, arg;

	if (smtp_verb_split(line, &verb, &arg))
		c = smtp_command_find(verb);
	if (!(c && (c->flags & SMTP_FLAG_UNCOUNTED)) && ++s->commands > LIMIT_SMTP_COMMANDS)
		return smtp_end(s, &too_many, "too many commands");
	if (line.n + 2 > LIMIT_SMTP_LINE && !(c && (c->flags & SMTP_FLAG_LONG)))
		return c && (c->flags & SMTP_FLAG_OCTETS) ? smtp_end(s, &too_long, "line too long") : smtp_answer(s, &too_long);
	if (!c)
		return unknown_command(s, line);
	if (sent_ahead(s, c))
		return smtp_end(s, &ahead, "unauthorised pipelining");
	bar = c->bar ? c->bar(s) : NULL;
	if (bar)
		return refuse(s, c, arg, bar);
	if (!(c->states & (1u << s->state)))
		return refuse(s, c, arg, &wrong_order[s->state]);
	if ((c->arg == SMTP_ARG_NONE && arg.n > 0) || (c->arg == SMTP_ARG_REQUIRED && arg.n == 0))
		return bad_argument(s, c);
	return c->handler(s, arg);
}

/* ---- what net calls ---- */

enum smtp_next smtp_greet(struct smtp_session *s)
{
	static const struct smtp_reply early = { 554, "5.5.0", "Protocol violation: wait for the greeting" };
	static const struct smtp_reply stranger = { 554, "5.7.1", "LMTP is not offered to this address" };
	bool                           lmtp = s->env->kind == SMTP_KIND_LMTP;

	/* RFC 5321 §3.1: the client waits. In clear only: on an implicit-TLS listener it has waited for the handshake. */
	if (!s->info->tls && net_input_arrived(s->conn)) {
		s->guard.early = true;
		return smtp_end(s, &early, "talked before the greeting");
	}
	/* What comes by LMTP is taken as it is, without the checks that strangers get. */
	if (lmtp && !s->info->loopback && !s->trusted)
		return smtp_end(s, &stranger, "not trusted");
	metric_add(METRIC_SMTP_TLS, s->info->tls);
	smtp_trace_connected(s);
	net_printf(s->conn, "220 %.*s %s Postrider\r\n", STR_FMT(s->set->hostname), lmtp ? "LMTP" : "ESMTP");
	return SMTP_NEXT_LINE;
}

static enum smtp_next drained(struct smtp_session *s)
{
	static const struct smtp_reply drain = { 421, "4.3.2", "Server is stopping, come back in a moment" };

	return smtp_end(s, &drain, "drain");
}

/* Of a line that net has dropped `head` is known. Octets follow BDAT that are no commands, and how many stood in the line. */
static enum smtp_next dropped_line(struct smtp_session *s, struct str head, const struct smtp_reply *why)
{
	for (size_t i = 0; i < smtp_command_count; i++) {
		const struct smtp_command *c = &smtp_commands[i];

		if ((c->flags & SMTP_FLAG_OCTETS) && str_ieq(str_first(head, c->verb.n), c->verb))
			return smtp_end(s, why, "malformed BDAT");
	}
	return smtp_answer(s, why);
}

static enum smtp_next event(struct smtp_session *s, const struct net_ev *ev)
{
	static const struct smtp_reply too_long = { 500, "5.5.2", "Line too long" };
	static const struct smtp_reply bare = { 500, "5.5.2", "A line ends in CRLF, and holds no other CR, LF or NUL" };
	static const struct smtp_reply timeout = { 421, "4.4.2", "Nothing came for too long" };

	const struct smtp_reply *enough = ev->kind == NET_EV_LINE ? smtp_patience_line(s) : NULL;

	if (enough)
		return smtp_end(s, enough, "patience");
	if (s->guard.stage != SMTP_GUARD_OPEN)
		return smtp_guard_event(s, ev->kind);
	if (s->hold)
		return smtp_hold_event(s, ev->kind);
	switch (ev->kind) {
	case NET_EV_START: return smtp_guard_begin(s);
	case NET_EV_LINE:
		return s->state == SMTP_STATE_AUTH ? smtp_auth_line(s, ev->line, false) : command(s, ev->line);
	case NET_EV_LONG:
		return s->state == SMTP_STATE_AUTH ? smtp_auth_line(s, STR_NONE, true) : dropped_line(s, ev->line, &too_long);
	case NET_EV_BARE_EOL:
		smtp_auth_reset(s);
		return dropped_line(s, ev->line, &bare);
	case NET_EV_DATA: return s->state == SMTP_STATE_DATA ? smtp_data_done(s, ev->bare_eol) : smtp_bdat_done(s);
	case NET_EV_TLS: /* RFC 3207 §4.2: nothing that was said before counts */
		metric_add(METRIC_SMTP_TLS, 1);
		smtp_enter(s, SMTP_STATE_NEW);
		return SMTP_NEXT_LINE;
	case NET_EV_TIMEOUT: return smtp_end(s, &timeout, "timeout");
	case NET_EV_DRAIN:
		s->drain = true;
		return s->state == SMTP_STATE_SUBMIT ? SMTP_NEXT_WAKE : SMTP_NEXT_LINE;
	case NET_EV_WAKE: /* elsewhere it is the echo of an answer that was there before we waited */
		return s->state == SMTP_STATE_SUBMIT ? smtp_submit_woken(s) : SMTP_NEXT_LINE;
	}
	return SMTP_NEXT_LINE;
}

static size_t line_limit(const struct smtp_session *s)
{
	/* AUTH with an initial response may be as long as an answer to a challenge, RFC 4954 §4. */
	return (smtp_auth_offered(s) && !s->signed_in ? LIMIT_SMTP_AUTH_LINE : LIMIT_SMTP_LINE) - 2;
}

static struct net_want handle(void *session, const struct net_ev *ev)
{
	struct smtp_session *s = session;
	struct net_want      want = { .timeout_ms = s->set->timeout_ms };
	enum smtp_next       next = s->done ? SMTP_NEXT_CLOSE : event(s, ev);

	if (s->drain && next == SMTP_NEXT_LINE)
		next = drained(s);
	smtp_check(s);
	switch (next) {
	case SMTP_NEXT_LINE:
		want.kind = NET_WANT_LINE;
		want.n = line_limit(s);
		want.timeout_ms = want.unit_ms = smtp_patience_ms(s);
		break;
	case SMTP_NEXT_DATA:
		want.kind = NET_WANT_DOT;
		want.sink = (struct net_sink){ smtp_data_write, s };
		want.normalise = s->set->normalise_eol;
		break;
	case SMTP_NEXT_BYTES:
		want.kind = NET_WANT_BYTES;
		want.n = s->bytes;
		want.sink = (struct net_sink){ smtp_bdat_write, s };
		break;
	case SMTP_NEXT_WAKE: /* a question to queue has a deadline of its own */
		want.kind = NET_WANT_WAKE;
		want.timeout_ms = s->hold ? smtp_hold_ms(s) : smtp_guard_ms(s);
		break;
	case SMTP_NEXT_TLS: want.kind = NET_WANT_TLS; break;
	case SMTP_NEXT_CLOSE: want.kind = NET_WANT_CLOSE; break;
	}
	return want;
}

static void *open_session(void *ctx, struct net_conn *conn)
{
	const struct smtp_env *env = ctx;
	struct smtp_session   *s = ARENA_NEW(net_arena(conn), struct smtp_session);

	s->env = env;
	s->set = env->settings;
	s->conn = conn;
	s->info = net_info(conn);
	s->trusted = !s->info->unnamed && cidr_list_has(&s->set->trusted, str_of(s->info->peer));
	smtp_patience_init(s);
	s->began_ms = env->ask->now_ms(env->ask_ctx);
	s->ending = "lost";
	s->tx.content.spool = -1;
	buf_init(&s->hello, LIMIT_DOMAIN);
	buf_init(&s->login, LIMIT_ADDRESS);
	return s;
}

static void close_session(void *session)
{
	struct smtp_session *s = session;

	log_info("session ended", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer),
		 LOG_STR("helo", buf_str(&s->hello)), LOG_STR("user", buf_str(&s->login)),
		 LOG_C("tls", s->info->tls_version), LOG_C("why", s->ending), LOG_U64("messages", s->messages),
		 LOG_U64("refused", s->refused), LOG_U64("rcpts_refused", s->rcpts_refused), LOG_U64("errors", s->errors),
		 LOG_U64("size_octets", s->octets),
		 LOG_I64("duration_ms", s->env->ask->now_ms(s->env->ask_ctx) - s->began_ms));
	smtp_trace_ended(s);
	smtp_guard_note(s, true);
	smtp_guard_drop(s);
	smtp_hold_drop(s);
	smtp_tx_reset(s);
	smtp_filter_close(s);
	smtp_auth_reset(s);
	buf_done(&s->hello);
	buf_done(&s->login);
}

static enum net_proxy proxy(void *ctx, const char *peer)
{
	struct smtp_env            *env = ctx;
	const struct smtp_settings *set = env->settings;

	if (!env->proxy)
		return NET_PROXY_NONE;
	return cidr_list_has(&set->trusted, str_of(peer)) ? NET_PROXY_WANTED : NET_PROXY_REFUSED;
}

/* Strangers on port 25 are not asked who they are. */
static bool wants_certificate(void *ctx)
{
	const struct smtp_env      *env = ctx;
	const struct smtp_settings *set = env->settings;

	return env->kind == SMTP_KIND_SUBMISSION && set->client_certificates;
}

const struct net_proto smtp_proto = {
	.name = "smtp",
	.signin_accepted = METRIC_SMTP_SIGNINS_ACCEPTED,
	.signin_refused = METRIC_SMTP_SIGNINS_REFUSED,
	.open = open_session,
	.handle = handle,
	.close = close_session,
	.proxy = proxy,
	.wants_certificate = wants_certificate,
	.refused = "421 4.7.0 Too many connections, try again later\r\n",
	.turned_away = smtp_trace_turned_away,
	.strict_eol = true,
};

void smtp_settings_init(struct smtp_settings *ret)
{
	*ret = (struct smtp_settings){
		.message_octets = LIMIT_MESSAGE,
		.rcpts = LIMIT_RCPTS,
		.timeout_ms = 300000, /* RFC 5321 §4.5.3.2.7: at least 5 minutes */
		.signin_ms = LIMIT_SIGNIN_MS,
		.barren_ms = LIMIT_SMTP_BARREN_MS,
		.submit_wait_ms = 30000,
		.scram = true,
		.strict_header = true,
		.lenient_helo = true,
		.lenient_space = true,
	};
}
