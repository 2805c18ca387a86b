/* smtp/smtp_hold.c - a reply that is held back: whoever is to be slowed down waits, and no thread waits with it.
 *
 * The session returns SMTP_NEXT_WAKE with a timeout; until then nothing of the peer is read. A server that stops says it at once.
 */
#include "smtp/smtp_session.h"
#include "sys/clock.h"

struct smtp_hold {
	struct arena     *arena; /* of all this */
	struct smtp_reply reply;
	struct str        text;
	int64_t           until_ms; /* monotonic */
};

enum smtp_next smtp_answer_later(struct smtp_session *s, const struct smtp_reply *r, struct str text, unsigned delay_ms)
{
	struct arena     *a;
	struct smtp_hold *h;

	if (delay_ms == 0)
		return smtp_answer_text(s, r, text);
	CHECK(!s->hold);
	a = arena_new(net_arena(s->conn));
	h = ARENA_NEW(a, struct smtp_hold);
	*h = (struct smtp_hold){
		.arena = a,
		.reply = { .code = r->code, .enhanced = r->enhanced ? arena_cstr(a, str_of(r->enhanced)) : NULL },
		.text = arena_dup(a, text),
		.until_ms = clock_mono_ms() + MIN(delay_ms, LIMIT_SMTP_DELAY_MS),
	};
	s->hold = h;
	return SMTP_NEXT_WAKE;
}

void smtp_hold_drop(struct smtp_session *s)
{
	struct arena *a = s->hold ? s->hold->arena : NULL;

	s->hold = NULL;
	arena_free(&a);
}

unsigned smtp_hold_ms(const struct smtp_session *s)
{
	return (unsigned)MAX(s->hold->until_ms - clock_mono_ms(), 1);
}

enum smtp_next smtp_hold_event(struct smtp_session *s, enum net_ev_kind kind)
{
	struct smtp_hold h = *s->hold;
	enum smtp_next   next;

	if (kind == NET_EV_DRAIN)
		s->drain = true;
	else if (kind != NET_EV_TIMEOUT) /* the echo of an earlier answer */
		return SMTP_NEXT_WAKE;
	s->hold = NULL;
	next = smtp_answer_text(s, &h.reply, h.text);
	arena_free(&h.arena);
	return next;
}
