/* deliver/remote_result.c - contract is in remote_result.h. */
#include "deliver/remote_result.h"

void remote_results_init(struct remote_results *r, struct arena *a, const struct remote_deliver_request *q)
{
	*r = (struct remote_results){
		.items = ARENA_ARRAY(a, struct remote_rcpt_result, q->rcpt_count),
		.states = ARENA_ARRAY(a, struct remote_rcpt_state, q->rcpt_count),
		.count = q->rcpt_count,
		.host = STR(""),
		.tls = STR(""),
	};
	for (size_t i = 0; i < q->rcpt_count; i++)
		r->items[i] = (struct remote_rcpt_result){
			.index = q->rcpts[i].index,
			.result = REMOTE_DEFERRED,
			.code = STR("4.4.0"),
			.answer = STR("Not tried"),
			.host = STR(""),
			.tls = STR(""),
		};
}

static void set(struct remote_results *r, size_t i, struct remote_outcome o)
{
	r->items[i].result = o.result;
	r->items[i].code = o.code;
	r->items[i].answer = o.answer;
	r->items[i].host = r->host;
	r->items[i].tls = r->tls;
	r->items[i].passed = o.result == REMOTE_DELIVERED ? r->passes : 0;
	r->states[i].tried = true;
}

void remote_results_note(struct remote_results *r, size_t i, struct remote_outcome o)
{
	if (r->states[i].closed)
		return;
	if (o.result == REMOTE_REFUSED && r->states[i].tried && r->items[i].result == REMOTE_DEFERRED)
		return;
	set(r, i, o);
}

void remote_results_note_all(struct remote_results *r, struct remote_outcome o)
{
	for (size_t i = 0; i < r->count; i++)
		remote_results_note(r, i, o);
}

void remote_results_close(struct remote_results *r, size_t i, struct remote_outcome o)
{
	if (r->states[i].closed)
		return;
	set(r, i, o);
	r->states[i].closed = true;
}

void remote_results_finish(struct remote_results *r, struct remote_outcome why)
{
	for (size_t i = 0; i < r->count; i++)
		if (!r->states[i].tried || (why.result == REMOTE_DEFERRED && r->items[i].result == REMOTE_REFUSED))
			remote_results_note(r, i, why);
}

bool remote_results_open(const struct remote_results *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (!r->states[i].closed)
			return true;
	return false;
}
