/* deliver/remote_session.c - the diagram is in remote_session.h. */
#include "deliver/remote_session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/log.h"
#include "deliver/remote_auth.h"
#include "deliver/remote_connect.h"
#include "deliver/remote_pool.h"
#include "deliver/remote_tls.h"
#include "sys/clock.h"
#include "sys/fd.h"

/* One pipelined group, LIMIT_REMOTE_RCPTS addresses with their parameters, and a piece of content. */
#define OUT_MAX (384 * KIB)
#define WRITE_MAX (64 * KIB)

static const struct remote_outcome tls_injected = { REMOTE_DEFERRED, STR("4.7.0"),
						    STR("Data before the TLS handshake") };
static const struct remote_outcome bad_name = { REMOTE_DEFERRED, STR("4.3.5"), STR("The route's name for EHLO is malformed") };
static const struct remote_outcome loop = { REMOTE_REFUSED, STR("5.4.6"),
					    STR("The mail host calls itself by our name: loop") };

/* ---- waiting, sending, reading ---- */

unsigned remote_session_timeout(const struct remote_session *s, unsigned step_ms)
{
	int64_t left = s->deadline_ms - clock_mono_ms();

	return left <= 0 ? 1 : (unsigned)MIN(left, (int64_t)step_ms);
}

static struct remote_outcome transport_outcome(struct remote_session *s, const char *step, enum status st)
{
	const char *text = "Connection lost";
	struct str  code = STR("4.4.2");

	if (st == ST_TEMP) {
		text = "Timed out";
	} else if (st == ST_CORRUPT || st == ST_LIMIT) {
		text = st == ST_LIMIT ? "Reply too long" : "Malformed reply";
		code = STR("4.5.0");
	}
	s->dead = true;
	s->timed_out = st == ST_TEMP;
	return (struct remote_outcome){ REMOTE_DEFERRED, code, arena_printf(s->arena, "%s (%s)", text, step) };
}

/* In pieces: net_stream_write() waits anew after each progress, so the deadline is looked at between two of them. */
bool remote_session_send(struct remote_session *s, const char *step, unsigned step_ms, struct remote_outcome *ret_why)
{
	struct str  left = buf_str(&s->out);
	enum status st   = s->out.over ? ST_LIMIT : ST_OK;

	while (st == ST_OK && left.n > 0) {
		struct str piece = str_first(left, WRITE_MAX);

		st   = net_stream_write(s->stream, piece, remote_session_timeout(s, step_ms));
		left = str_from(left, piece.n);
	}
	buf_clear(&s->out);
	if (st != ST_OK)
		*ret_why = transport_outcome(s, step, st == ST_TEMP ? ST_TEMP : ST_CLOSED);
	return st == ST_OK;
}

static enum status reply_read(struct remote_session *s, unsigned timeout_ms)
{
	int64_t end = clock_mono_ms() + timeout_ms;

	smtp_answer_begin(&s->reply, &s->text);
	while (!s->reply.done) {
		int64_t     left = end - clock_mono_ms();
		enum status st = left > 0 ? net_stream_line(s->stream, &s->line, (unsigned)left) : ST_TEMP;

		if (st != ST_OK)
			return st;
		switch (smtp_answer_add(&s->reply, buf_str(&s->line))) {
		case SMTP_ANSWER_OK: break;
		case SMTP_ANSWER_SYNTAX:
		case SMTP_ANSWER_CODE: return ST_CORRUPT;
		case SMTP_ANSWER_LIMIT: return ST_LIMIT;
		}
	}
	return ST_OK;
}

bool remote_session_reply(struct remote_session *s, const char *step, unsigned timeout_ms,
			  struct remote_outcome *ret_why)
{
	enum status st = reply_read(s, timeout_ms);

	if (st != ST_OK)
		*ret_why = transport_outcome(s, step, st);
	return st == ST_OK;
}

/* "550 5.1.1 No such user", and its status code or `none`. */
static struct remote_outcome reply_outcome(struct remote_session *s, enum remote_result result, struct str none)
{
	struct remote_outcome o = { result, none, STR_NONE };
	struct buf            answer;

	buf_init(&answer, LIMIT_REMOTE_ANSWER);
	buf_addf(&answer, "%u ", s->reply.code);
	if (s->reply.enhanced[0] != '\0') {
		buf_addf(&answer, "%s ", s->reply.enhanced);
		o.code = arena_dup(s->arena, str_of(s->reply.enhanced));
	}
	smtp_answer_print(&answer, buf_str(&s->text), LIMIT_REMOTE_ANSWER - answer.n);
	o.answer = arena_dup(s->arena, str_trim(buf_str(&answer)));
	buf_done(&answer);
	return o;
}

struct remote_outcome remote_session_success(struct remote_session *s)
{
	return reply_outcome(s, REMOTE_DELIVERED, STR("2.0.0"));
}

struct remote_outcome remote_session_failure(struct remote_session *s)
{
	struct remote_outcome o;

	switch (s->reply.code / 100) {
	case 5: return reply_outcome(s, REMOTE_REFUSED, STR("5.0.0"));
	case 4: s->dead = s->reply.code == 421; return reply_outcome(s, REMOTE_DEFERRED, STR("4.0.0"));
	default: /* a reply that this step does not have, RFC 5321 §4.3.2 */
		s->dead = true;
		o = reply_outcome(s, REMOTE_DEFERRED, STR_NONE);
		o.code = STR("4.5.0");
		return o;
	}
}

/* ---- connection ---- */

/* Unless `fd` is connected. */
static bool session_connect(struct remote_session *s, const struct remote_target *t, const struct hop *hop, int fd, struct remote_outcome *ret_why)
{
	const int                 on = 1;
	struct str                source = remote_connect_source(t, hop);
	struct remote_connect_why why;

	s->host = remote_connect_name(s->own, t);
	if (fd < 0)
		fd = remote_connect(t, source, remote_session_timeout(s, s->remote->settings.timeouts.connect_ms), &why);
	if (fd < 0) {
		*ret_why = remote_connect_outcome(s->arena, source, &why);
		s->dead = true;
		s->unasked = why.ours;
		s->suspect = !why.ours;
		return false;
	}
	/* A step's octets are written at once, so nothing is gained by waiting for more. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	s->stream = net_stream_new(fd);
	return true;
}

/* ---- hello ---- */

static bool command(struct remote_session *s, const char *step, struct str param, unsigned timeout_ms,
		    struct remote_outcome *ret_why)
{
	buf_addf(&s->out, param.n > 0 ? "%s %.*s\r\n" : "%s\r\n", step, STR_FMT(param));
	return remote_session_send(s, step, timeout_ms, ret_why) &&
	       remote_session_reply(s, step, remote_session_timeout(s, timeout_ms), ret_why);
}

/* The peer's name is the first word of its greeting and of its reply to EHLO. */
static bool is_loop(struct remote_session *s, struct remote_outcome *ret_why)
{
	struct smtp_caps caps;

	if (s->any_name)
		return false;
	smtp_caps_parse(buf_str(&s->text), &caps);
	if (!str_ieq(caps.name, s->remote->settings.hostname))
		return false;
	*ret_why = loop;
	return true;
}

static bool greeting(struct remote_session *s, struct remote_outcome *ret_why)
{
	const struct remote_timeouts *t = &s->remote->settings.timeouts;

	if (!remote_session_reply(s, "greeting", remote_session_timeout(s, t->greeting_ms), ret_why)) {
		s->suspect = true;
		return false;
	}
	if (s->reply.code == 220) {
		struct str rest, text = buf_str(&s->text);

		(void)str_cut(text, '\n', &text, &rest);
		(void)str_cut(text, ' ', &text, &rest);
		s->greeted = arena_dup(s->own, text);
		return !is_loop(s, ret_why);
	}
	s->suspect = s->reply.code == 421;
	*ret_why = remote_session_failure(s);
	return false;
}

static bool hello(struct remote_session *s, struct remote_outcome *ret_why)
{
	const struct remote_settings *set = &s->remote->settings;

	s->caps = (struct smtp_caps){ 0 };
	if (!command(s, s->lmtp ? "LHLO" : "EHLO", s->helo, set->timeouts.hello_ms, ret_why))
		return false;
	if (s->reply.code == 250) {
		smtp_caps_parse(buf_str(&s->text), &s->caps);
		s->caps.name = arena_dup(s->own, s->caps.name); /* the text is overwritten by the next reply */
		return !is_loop(s, ret_why);
	}
	/* RFC 5321 §3.2: a server that does not know EHLO gets HELO. */
	if (s->reply.code / 100 == 5 && !s->lmtp) {
		if (!command(s, "HELO", s->helo, set->timeouts.hello_ms, ret_why))
			return false;
		if (s->reply.code == 250)
			return !is_loop(s, ret_why);
	}
	*ret_why = remote_session_failure(s);
	return false;
}

/* What became of TLS: counted, and in words that last as long as the session. */
static enum remote_open tls_decided(struct remote_session *s, enum remote_tls_done done, const struct remote_tls_outcome *outcome,
				    const struct remote_target *target, const struct remote_policy *policy)
{
	static const enum remote_open opened[] = {
		[REMOTE_TLS_UP] = REMOTE_OPEN_READY,
		[REMOTE_TLS_CLEAR] = REMOTE_OPEN_READY,
		[REMOTE_TLS_RETRY] = REMOTE_OPEN_TLS_FAILED,
		[REMOTE_TLS_REFUSED] = REMOTE_OPEN_FAILED,
	};

	s->tls = arena_printf(s->own, "%.*s%s", STR_FMT(outcome->text), net_stream_tls_resumed(s->stream) ? ", resumed" : "");
	remote_tls_report(s->remote, target, policy, outcome, s->caps.name.n > 0 ? s->caps.name : s->greeted, s->stream);
	return opened[done];
}

static enum remote_open handshake(struct remote_session *s, const struct remote_target *target, const struct remote_policy *policy,
				  struct remote_outcome *ret_why)
{
	struct remote_tls_outcome outcome;
	enum remote_tls_done      done;

	net_stream_resume(s->stream, s->key);
	done = remote_tls_handshake(s->stream, policy, remote_session_timeout(s, s->remote->settings.timeouts.tls_ms), s->arena, &outcome, ret_why);
	s->dead = done != REMOTE_TLS_UP;
	return tls_decided(s, done, &outcome, target, policy);
}

/* READY if the peer declines TLS; the session in clear goes on. */
static enum remote_open start_tls(struct remote_session *s, const struct remote_target *target, const struct remote_policy *policy,
				  struct remote_outcome *ret_why)
{
	struct remote_tls_outcome outcome;
	enum remote_tls_done      done;
	enum remote_open          opened;

	if (!command(s, "STARTTLS", STR_NONE, s->remote->settings.timeouts.hello_ms, ret_why))
		return REMOTE_OPEN_FAILED;
	if (s->reply.code != 220 && s->reply.code != 421 && s->reply.code >= 400) {
		done = remote_tls_declined(policy, reply_outcome(s, REMOTE_DEFERRED, STR_NONE).answer, s->arena, &outcome, ret_why);
		if (done == REMOTE_TLS_REFUSED && s->reply.code < 500)
			*ret_why = remote_session_failure(s); /* for now: its own words are best */
		return tls_decided(s, done, &outcome, target, policy);
	}
	if (s->reply.code != 220) {
		*ret_why = remote_session_failure(s);
		return REMOTE_OPEN_FAILED;
	}
	if (net_stream_pending(s->stream)) {
		s->dead = true;
		*ret_why = tls_injected;
		return REMOTE_OPEN_FAILED;
	}
	opened = handshake(s, target, policy, ret_why);
	if (opened != REMOTE_OPEN_READY)
		return opened;
	return hello(s, ret_why) ? REMOTE_OPEN_READY : REMOTE_OPEN_FAILED;
}

static enum remote_open hello_and_tls(struct remote_session *s, const struct remote_target *target, const struct remote_policy *policy,
				      struct remote_outcome *ret_why)
{
	struct remote_tls_outcome outcome;
	enum remote_tls_done      done;

	if ((target->implicit_tls && handshake(s, target, policy, ret_why) != REMOTE_OPEN_READY) || !greeting(s, ret_why) || !hello(s, ret_why))
		return REMOTE_OPEN_FAILED;
	if (target->implicit_tls)
		return REMOTE_OPEN_READY;
	if (policy->level != REMOTE_TLS_NONE && (s->caps.offered & SMTP_CAP_STARTTLS))
		return start_tls(s, target, policy, ret_why);
	done = remote_tls_not_offered(policy, s->arena, &outcome, ret_why);
	return tls_decided(s, done, &outcome, target, policy);
}

/* ---- from its beginning to its end ---- */

struct str remote_session_helo(const struct remote *remote, const struct hop *hop)
{
	return hop->helo.n > 0 ? hop->helo : remote->settings.hostname;
}

struct remote_session *remote_session_new(const struct remote *remote, struct arena *a, int64_t deadline_ms)
{
	struct arena          *own = arena_new(NULL);
	struct remote_session *s = ARENA_NEW(own, struct remote_session);

	*s = (struct remote_session){ .own = own, .host = STR(""), .tls = STR(""), .greeted = STR(""), .opened_ms = clock_mono_ms() };
	remote_session_attach(s, remote, a, deadline_ms);
	s->reused = false;
	buf_init(&s->line, LIMIT_SMTP_REPLY);
	buf_init(&s->text, LIMIT_SMTP_REPLY);
	buf_init(&s->out, OUT_MAX);
	return s;
}

void remote_session_attach(struct remote_session *s, const struct remote *remote, struct arena *a, int64_t deadline_ms)
{
	s->remote = remote;
	s->arena = a;
	s->deadline_ms = deadline_ms;
	s->reused = true;
	s->talked = false;
}

enum remote_open remote_session_open(struct remote_session *s, const struct remote_target *target, const struct remote_policy *policy,
				     const struct hop *hop, int fd, struct remote_outcome *ret_why)
{
	enum remote_open opened;

	s->helo = arena_dup(s->own, remote_session_helo(s->remote, hop));
	s->key = remote_pool_key(s->own, target, policy, hop, s->helo);
	s->lmtp = target->lmtp;
	s->any_name = target->any_name;
	if (str_has_ctl(s->helo) || str_find(s->helo, ' ') >= 0) { /* it was checked where it was set */
		s->dead = s->unasked = true;
		*ret_why = bad_name;
		fd_close(&fd);
		return REMOTE_OPEN_FAILED;
	}
	if (!session_connect(s, target, hop, fd, ret_why))
		return REMOTE_OPEN_FAILED;
	opened = hello_and_tls(s, target, policy, ret_why);
	if (opened == REMOTE_OPEN_READY && !remote_auth(s, hop, ret_why))
		opened = REMOTE_OPEN_FAILED;
	s->ready = opened == REMOTE_OPEN_READY;
	return opened;
}

void remote_session_quit(struct remote_session *s)
{
	if (!s->dead && s->stream && net_stream_write(s->stream, STR("QUIT\r\n"), 0) != ST_OK)
		s->dead = true;
}

void remote_session_free(struct remote_session **sp)
{
	struct remote_session *s = *sp;
	struct arena          *own;

	*sp = NULL;
	if (!s)
		return;
	own = s->own;
	net_stream_free(&s->stream);
	buf_done(&s->line);
	buf_done(&s->text);
	buf_done(&s->out);
	arena_free(&own);
}

void remote_session_close(struct remote_session **sp)
{
	struct remote_session *s = *sp;
	struct remote_outcome  ignored;

	/* RFC 5321 §4.1.1.10: QUIT and its reply; what the reply says changes nothing any more. */
	if (s && s->stream && !s->dead)
		(void)command(s, "QUIT", STR_NONE, s->remote->settings.timeouts.quit_ms, &ignored);
	remote_session_free(sp);
}
