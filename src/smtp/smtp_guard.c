/* smtp/smtp_guard.c - limits and bans at the door: the question before the greeting, the pause before it, and what auth is told
 * afterwards.
 *
 *   START --asked--> ASKED --refused--> said why, closed
 *                      | accepted            ^ talked meanwhile: 554
 *                      +--- pause ---> PAUSED --its end--> greeted
 *                      +--- none --------------------------> greeted
 *
 * No thread is held while the session waits. Whoever cannot be asked about is let in: limits are no reason to lose mail.
 */
#include "smtp/smtp_session.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sys/clock.h"

#define NOTE_OCTETS ((uint64_t)1 * MIB) /* a session tells before its end what it did when there is so much of it */
#define NOTE_ERRORS 10u

/* The answer on its way. Session and channel each hold it: the session may end before. */
struct smtp_verdict {
	atomic_uint        refs;
	atomic_bool        over; /* the rest is there */
	bool               refused;
	uint32_t           pause_ms, code;
	char               enhanced[16], reason[33], text[LIMIT_REPLY_TEXT + 1];
	struct net_conn   *conn;
};

static void verdict_unref(struct smtp_verdict **vp)
{
	struct smtp_verdict *v = *vp;

	*vp = NULL;
	if (!v || atomic_fetch_sub(&v->refs, 1) > 1)
		return;
	net_unref(&v->conn);
	free(v);
}

/* What does not fit is cut. */
static void copy(char *to, size_t cap, struct str s)
{
	s = str_first(s, cap - 1);
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

static void verdict_done(void *arg, enum status st, const struct guard_connect_reply *reply)
{
	struct smtp_verdict *v = arg;

	if (st == ST_OK) {
		v->refused = reply->verdict == GUARD_REFUSE;
		v->pause_ms = reply->pause_ms;
		v->code = reply->code;
		copy(v->enhanced, sizeof(v->enhanced), reply->enhanced);
		copy(v->reason, sizeof(v->reason), reply->reason);
		copy(v->text, sizeof(v->text), reply->text);
	}
	atomic_store(&v->over, true);
	net_wake(v->conn);
	verdict_unref(&v);
}

static enum guard_listener listener_of(const struct smtp_session *s)
{
	static const enum guard_listener of[] = {
		[SMTP_KIND_RELAY] = GUARD_SMTP, [SMTP_KIND_SUBMISSION] = GUARD_SUBMISSION, [SMTP_KIND_LMTP] = GUARD_LMTP,
		[SMTP_KIND_REINJECT] = GUARD_LMTP, /* likewise: only servers of ours come there */
	};

	return of[s->env->kind];
}

static enum smtp_next refuse(struct smtp_session *s, const struct smtp_verdict *v)
{
	const struct smtp_reply r = { v->code == 554 ? 554 : 421, v->enhanced, v->text };

	log_info("connection refused", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer), LOG_C("reason", v->reason),
		 LOG_C("text", v->text));
	smtp_trace(s, TRACE_TURNED_AWAY, STR_NONE, STR_NONE, &r, STR_NONE);
	smtp_end(s, &r, "refused at the door");
	s->guard.errors = 0; /* that was no error of the peer's */
	return SMTP_NEXT_CLOSE;
}

static enum smtp_next greet(struct smtp_session *s)
{
	s->guard.stage = SMTP_GUARD_OPEN;
	return smtp_greet(s);
}

static enum smtp_next decide(struct smtp_session *s)
{
	struct smtp_verdict *v = s->guard.verdict;
	enum smtp_next       next;

	if (!atomic_load(&v->over))
		return SMTP_NEXT_WAKE;
	s->guard.stage = SMTP_GUARD_OPEN;
	s->guard.pause_until_ms = clock_mono_ms() + v->pause_ms;
	if (v->refused) {
		next = refuse(s, v);
	} else if (v->pause_ms > 0) {
		s->guard.stage = SMTP_GUARD_PAUSED;
		next = SMTP_NEXT_WAKE;
	} else {
		next = greet(s);
	}
	verdict_unref(&s->guard.verdict);
	return next;
}

enum smtp_next smtp_guard_begin(struct smtp_session *s)
{
	struct smtp_verdict *v;

	if (!s->env->ask->connect)
		return greet(s);
	v = calloc(1, sizeof(*v));
	CHECK(v);
	atomic_init(&v->refs, 2);
	v->conn = net_ref(s->conn);
	s->guard.verdict = v;
	s->guard.stage = SMTP_GUARD_ASKED;
	s->env->ask->connect(s->env->ask_ctx,
			     &(struct guard_connect_request){
				     .peer = str_of(s->info->peer), .session = str_of(s->info->id), .listener = listener_of(s), .exempt = smtp_guard_exempt(s) },
			     verdict_done, v);
	return decide(s);
}

enum smtp_next smtp_guard_event(struct smtp_session *s, enum net_ev_kind kind)
{
	if (kind == NET_EV_DRAIN) {
		smtp_guard_drop(s);
		s->drain = true;
		return SMTP_NEXT_LINE;
	}
	if (s->guard.stage == SMTP_GUARD_ASKED)
		return decide(s);
	return kind == NET_EV_TIMEOUT ? greet(s) : SMTP_NEXT_WAKE;
}

unsigned smtp_guard_ms(const struct smtp_session *s)
{
	if (s->guard.stage != SMTP_GUARD_PAUSED)
		return 0; /* the question has a deadline of its own */
	return (unsigned)MAX(s->guard.pause_until_ms - clock_mono_ms(), 1);
}

void smtp_guard_drop(struct smtp_session *s)
{
	verdict_unref(&s->guard.verdict);
	s->guard.stage = SMTP_GUARD_OPEN;
}

bool smtp_guard_exempt(const struct smtp_session *s)
{
	return (s->trusted && !s->xclient) || s->env->kind == SMTP_KIND_LMTP || s->env->kind == SMTP_KIND_REINJECT;
}

/* ---- what auth is told ---- */

void smtp_guard_note(struct smtp_session *s, bool last)
{
	const struct smtp_guard *g = &s->guard;
	struct guard_note_request q = {
		.peer = str_of(s->info->peer),
		.account = s->account,
		.octets = s->octets - g->octets,
		.messages = s->messages - g->messages,
		.refused = s->refused - g->refused,
		.errors = g->errors,
		.early = g->early,
		.exempt = smtp_guard_exempt(s),
	};
	bool much = q.octets >= NOTE_OCTETS || q.errors >= NOTE_ERRORS || q.refused >= NOTE_ERRORS;
	bool any = q.octets > 0 || q.messages > 0 || q.refused > 0 || q.errors > 0 || q.early;

	if (!s->env->ask->note || !(much || (last && any)))
		return;
	s->env->ask->note(s->env->ask_ctx, &q);
	s->guard.octets = s->octets;
	s->guard.messages = s->messages;
	s->guard.refused = s->refused;
	s->guard.errors = 0;
	s->guard.early = false;
}

void smtp_guard_error(struct smtp_session *s, unsigned code)
{
	/* 53x is about sign-in, which auth has seen itself; of the others above 550 only these are the protocol's. Early talk is told as that. */
	if (s->guard.early)
		return;
	if ((code >= 500 && code < 530) || code == 555 || code == 554)
		s->guard.errors++;
	smtp_guard_note(s, false);
}
