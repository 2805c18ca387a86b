/* queue/queue_why.c - see queue_why.h. */
#include "queue/queue_why.h"

#include "queue/queue_in.h"

/* The next round was brought forward for something that happens at a time of its own (due_cap in queue_result.c). */
static const char *cap_of(const struct queue_waits *w)
{
	if (w->deliver_by > 0 && w->due == w->deliver_by)
		return "; that is the time by which its sender wants it delivered";
	if (w->delay_warning_ms >= 0 && !(w->warned & QUEUE_WARNED_DELAY) && w->due == w->entered + w->delay_warning_ms)
		return "; then its sender is told of the delay";
	return "";
}

/* What was told last is that its destination was not asked: queue_site.c, not an attempt. A host's own words stand behind the name and address of the host. */
static bool not_answering(const struct queue_show_rcpt *r)
{
	struct str said = r->answer;

	if (str_starts(said, STR("4.4.1 ")))
		said = str_from(said, 6);
	return str_istarts(said, r->site) && str_starts(str_from(said, r->site.n), STR(QUEUE_NOT_ANSWERING));
}

struct str queue_why(struct arena *a, const struct queue_waits *w, const struct queue_show_rcpt *r)
{
	const struct queue_show_reply *m = w->show;

	if (r->state != QUEUE_RCPT_PENDING)
		return STR("");
	if (m->entry.state == QUEUE_HELD)
		return arena_printf(a, "held: %.*s", STR_FMT(str_first(m->entry.reason, LIMIT_REPLY_TEXT / 2)));
	if (m->entry.state == QUEUE_ACTIVE && r->attempts > 0 && r->last_ms > w->last_ms)
		return STR("answered in the round that is under way; what comes of it is decided at its end");
	if (m->entry.state == QUEUE_ACTIVE)
		return STR("under way this moment: being routed, in line for its destination, or being given to it");
	if (m->begins_ms > 0)
		return STR("held back by its sender until then");
	if (m->crashes > 0)
		return arena_printf(a, "%u of %u attempts in a row were lost with their process; it is tried again alone", m->crashes, QUEUE_CRASHES_MAX);
	if (r->site.n > 0 && not_answering(r))
		return arena_printf(a, "its destination does not answer: %.*s", STR_FMT(str_first(r->answer, LIMIT_REPLY_TEXT / 2)));
	if (m->stalls > 0)
		return arena_printf(a, "not tried, %u time%s in a row: %.*s", m->stalls, m->stalls == 1 ? "" : "s",
				    STR_FMT(r->answer.n ? str_first(r->answer, LIMIT_REPLY_TEXT / 2) : STR("nobody could be asked")));
	if (r->attempts > 0)
		return arena_printf(a, "back-off after attempt %u of the message%s", m->attempts, cap_of(w));
	if (m->attempts > 0)
		return arena_printf(a, "not attempted in the last round; it goes with the message's other recipients%s", cap_of(w));
	if (r->answer.n > 0)
		return arena_printf(a, "not tried: %.*s", STR_FMT(str_first(r->answer, LIMIT_REPLY_TEXT / 2)));
	return STR("due, as soon as there is room in memory");
}
