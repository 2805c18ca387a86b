/* queue/queue_envelope.c - what a sender asks for beside delivery, checked and taken into a message.
 *
 *   NOTIFY, ORCPT, RET, ENVID   RFC 3461      who is told of what, and what is told
 *   hold_until                  RFC 4865      the message begins then: first round, back-off, expiry
 *   deliver_by                  RFC 2852      then it fails, or its sender is told
 *   priority                    RFC 6710      who is first among those that are due
 *   REQUIRETLS                  RFC 8689      remote's matter; reports of such a message are of the same kind
 *
 * Times come by the wall clock and are kept in queue time, which jumps of the wall clock do not move.
 */
#include "base/limits.h"
#include "queue/queue_in.h"

#define WALL_MAX_MS ((int64_t)1 << 46) /* no clock is that far ahead; sums with it do not overflow */
#define FLAGS_TAKEN                                                                                                    \
	(QUEUE_FLAG_SMTPUTF8 | QUEUE_FLAG_8BIT | QUEUE_FLAG_SUBMIT | QUEUE_FLAG_REQUIRETLS | QUEUE_FLAG_TLS_OPTIONAL | \
	 QUEUE_FLAG_HOLD | QUEUE_FLAG_FILTER | QUEUE_FLAG_RET_HDRS | QUEUE_FLAG_RET_FULL | QUEUE_FLAG_BY_NOTIFY |      \
	 QUEUE_FLAG_BY_TRACE)

static bool time_ok(int64_t wall_ms)
{
	return wall_ms >= 0 && wall_ms <= WALL_MAX_MS;
}

/* RFC 3461 §4.1: NEVER stands alone. */
static bool notify_ok(uint32_t notify)
{
	const uint32_t others = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE | QUEUE_NOTIFY_DELAY;

	return notify == QUEUE_NOTIFY_NEVER || (notify & ~others) == 0;
}

/* RFC 3461 §4.2: type ";" address. It comes back in the header of a report. */
static bool orcpt_ok(struct str orcpt)
{
	struct str type, address;

	if (orcpt.n == 0)
		return true;
	return orcpt.n <= LIMIT_ORCPT && !str_has_ctl(orcpt) && str_is_utf8(orcpt) && str_cut(orcpt, ';', &type, &address) && type.n > 0 &&
	       address.n > 0 && str_is_ascii(type);
}

bool queue_envelope_ok(const struct queue_submit_request *b)
{
	bool ok = b->envid.n <= LIMIT_ENVID && !str_has_ctl(b->envid) && str_is_ascii(b->envid) && time_ok(b->received_ms) &&
		  time_ok(b->hold_until_ms) && time_ok(b->deliver_by_ms) && b->priority >= -QUEUE_PRIORITY_MAX &&
		  b->priority <= QUEUE_PRIORITY_MAX && !((b->flags & QUEUE_FLAG_RET_HDRS) && (b->flags & QUEUE_FLAG_RET_FULL));

	for (size_t i = 0; i < b->rcpt_count && ok; i++)
		ok = notify_ok(b->rcpts[i].notify) && orcpt_ok(b->rcpts[i].orcpt);
	return ok;
}

void queue_envelope_take(struct queue_msg *m, const struct queue_submit_request *b)
{
	struct queue *q = m->q;
	int64_t       wall = q->o.wall_ms();

	m->flags = b->flags & FLAGS_TAKEN;
	m->envid = arena_dup(m->arena, b->envid);
	m->priority = (int32_t)b->priority;
	if (b->deliver_by_ms > 0)
		m->deliver_by = MAX(queue_now(q) + b->deliver_by_ms - wall, 1);
	if (b->hold_until_ms > wall) {
		m->wait_ms = b->hold_until_ms - wall;
		m->reason = STR(QUEUE_HELD_BACK);
	}
	if (m->flags & QUEUE_FLAG_HOLD) {
		m->held = true;
		m->reason = STR("Quarantined by a filter");
	}
	for (size_t i = 0; i < b->rcpt_count; i++) {
		m->rcpts[i].notify = b->rcpts[i].notify;
		m->rcpts[i].orcpt = arena_dup(m->arena, b->rcpts[i].orcpt);
	}
}
