/* queue/queue_event.c - what queue itself adds to the trace: a message was taken, what came of its recipients, that it left. */
#include "queue/queue_in.h"
#include "wire/text/queue_id.h"

static struct trace_event event_of(const struct queue_msg *m, enum trace_what what)
{
	return (struct trace_event){ .at_ms = m->q->o.wall_ms(), .what = what, .message = m->id, .session = m->session };
}

void queue_event_accepted(const struct queue_msg *m)
{
	struct trace_event e = event_of(m, TRACE_ACCEPTED);

	e.peer = m->peer;
	e.from = m->from;
	e.octets = m->size;
	if (m->rcpt_count == 1)
		e.to = m->rcpts[0].address;
	queue_trace_add(m->q->trace, &e);
	for (size_t i = 0; i < m->rcpt_count && m->rcpt_count > 1; i++) {
		e = event_of(m, TRACE_RECIPIENT);
		e.to = m->rcpts[i].address;
		queue_trace_add(m->q->trace, &e);
	}
}

static void outcome_add(const struct queue_msg *m, enum queue_outcome outcome, struct str to, struct str code, struct str answer, struct str host,
			struct str tried)
{
	static const enum trace_what what_of[] = {
		[QUEUE_OUT_DONE] = TRACE_DELIVERED, [QUEUE_OUT_FAILED] = TRACE_FAILED, [QUEUE_OUT_DEFERRED] = TRACE_DEFERRED,
		[QUEUE_OUT_LOST] = TRACE_LOST,
	};
	struct trace_event e;
	char               text[LIMIT_TRACE_TEXT];
	struct buf         b = { .p = text, .cap = sizeof(text), .max = sizeof(text) - 1 };

	if (outcome == QUEUE_OUT_NONE)
		return;
	e = event_of(m, what_of[outcome]);
	e.to = to;
	if (host.n > 0)
		buf_addf(&b, "%.*s: ", STR_FMT(host));
	if (code.n > 0 && !str_starts(answer, code))
		buf_addf(&b, "%.*s ", STR_FMT(code));
	buf_add(&b, str_first(answer, b.max - MIN(b.n, b.max)));
	if (tried.n > 0)
		buf_addf(&b, " (before: %.*s)", STR_FMT(str_first(tried, b.max - MIN(b.n + STR(" (before: )").n, b.max))));
	e.text = buf_str(&b);
	queue_trace_add(m->q->trace, &e);
}

void queue_event_target(const struct queue_msg *m, struct queue_to *to)
{
	if (to->traced == to->outcome)
		return;
	to->traced = to->outcome;
	outcome_add(m, to->outcome, to->address, to->code, to->answer, to->host, to->tried);
}

void queue_event_result(const struct queue_msg *m)
{
	struct trace_event   e;
	struct queue_id_text id;

	for (size_t i = 0; i < m->rcpt_count; i++)
		if (!m->rcpts[i].final && !m->rcpts[i].resolved)
			outcome_add(m, m->rcpts[i].outcome, m->rcpts[i].address, m->rcpts[i].code, m->rcpts[i].answer, STR_NONE, STR_NONE);
	for (size_t i = 0; i < m->to_count; i++)
		queue_event_target(m, m->to[i]);
	if (m->held || atomic_load(&m->removed)) {
		e = event_of(m, m->held ? TRACE_HELD : TRACE_REMOVED);
		e.text = m->held ? m->reason : STR_NONE;
		queue_trace_add(m->q->trace, &e);
	}
	if (m->notice) {
		e = event_of(m, TRACE_REPORTED);
		id = queue_id_text(m->notice->id);
		e.to = m->from;
		e.text = str_of(id.p);
		queue_trace_add(m->q->trace, &e);
		queue_event_accepted(m->notice);
	}
}

void queue_event_removed(struct queue *q, uint64_t id)
{
	queue_trace_add(q->trace, &(struct trace_event){ .at_ms = q->o.wall_ms(), .what = TRACE_REMOVED, .message = id });
}

void queue_event_edited(struct queue *q, uint64_t id, struct str to, struct str text)
{
	queue_trace_add(q->trace, &(struct trace_event){ .at_ms = q->o.wall_ms(), .what = TRACE_EDITED, .message = id, .to = to, .text = text });
}

void queue_event_held(struct queue *q, uint64_t id, struct str reason)
{
	queue_trace_add(q->trace, &(struct trace_event){ .at_ms = q->o.wall_ms(), .what = TRACE_HELD, .message = id, .text = reason });
}

void queue_event_take(void *ctx, struct ipc_request *r)
{
	struct queue             *q = ctx;
	const struct trace_event *e = r->body;
	/* What became of messages only queue itself can say: a session that was taken over must not. */
	bool ok = e->message == 0 && (e->what < TRACE_ACCEPTED || e->what > TRACE_REMOVED) && e->what != TRACE_EDITED;

	if (ok)
		queue_trace_add(q->trace, e);
	ipc_reply(r, ok ? ST_OK : ST_DENIED, NULL);
}

void queue_event_find(void *ctx, struct ipc_request *r)
{
	struct queue           *q = ctx;
	struct trace_find_reply reply;
	enum status             st = queue_trace_find(q->trace, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}
