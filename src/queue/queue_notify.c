/* queue/queue_notify.c - what a sender wants to know of a recipient (NOTIFY), and what of it is our duty; RFC 3461.
 *
 *   not given                 FAILURE and DELAY, §4.1
 *   done, in an account       SUCCESS: "delivered"
 *   done, by another host     which offers DSN: it is told NOTIFY, and the duty is its, §5.2.1; else SUCCESS: "relayed", §5.2.2.
 *                             With a time to deliver by and BY=...N it is "relayed" too if the host keeps no such time, RFC 2852 §4
 *   expanded to a list        SUCCESS: "expanded", once; its targets have the rest of NOTIFY, so that one sender is not told a
 *                             thousand times. So is one whose targets all belong to recipients before it
 *   expanded to one target    the target has it all: ORCPT names the address that the sender knows, §5.2.7
 *
 * A success of another host is written as soon as it is known, its report at the end of the round. Between the two its row keeps
 * SUCCESS (Q10).
 */
#include "queue/queue_in.h"

bool queue_notify_any(const struct queue_msg *m)
{
	return m->from.n > 0 && !(m->flags & QUEUE_FLAG_BOUNCE); /* RFC 5321 §4.5.5 */
}

bool queue_notify_wants(uint32_t notify, enum queue_notify what)
{
	return notify == 0 ? what != QUEUE_NOTIFY_SUCCESS && what != QUEUE_NOTIFY_NEVER : (notify & what) != 0;
}

bool queue_notify_expands(const struct queue_rcpt_row *r)
{
	return (r->notify & QUEUE_NOTIFY_SUCCESS) && r->resolved && !r->fixed && (r->found_count > 1 || r->to_count == 0);
}

uint32_t queue_notify_told(uint32_t notify)
{
	if (!(notify & QUEUE_NOTIFY_SUCCESS))
		return notify;
	notify &= ~(uint32_t)QUEUE_NOTIFY_SUCCESS;
	return notify ? notify : QUEUE_NOTIFY_NEVER;
}

uint32_t queue_notify_target(const struct queue_rcpt_row *r)
{
	return queue_notify_expands(r) ? queue_notify_told(r->notify) : r->notify;
}

bool queue_notify_owed(const struct queue_msg *m, const struct queue_to *to)
{
	uint32_t notify = queue_notify_target(to->rcpt);

	if (!queue_notify_any(m) || notify == QUEUE_NOTIFY_NEVER)
		return false;
	if (to->account)
		return notify & QUEUE_NOTIFY_SUCCESS;
	if ((notify & QUEUE_NOTIFY_SUCCESS) && !(to->passed & REMOTE_PASSED_DSN))
		return true;
	return m->deliver_by && (m->flags & QUEUE_FLAG_BY_NOTIFY) && !(to->passed & REMOTE_PASSED_BY);
}

uint32_t queue_notify_row(const struct queue_msg *m, const struct queue_to *to)
{
	uint32_t told = queue_notify_told(queue_notify_target(to->rcpt));

	if (!queue_notify_owed(m, to))
		return told;
	return (told & ~(uint32_t)QUEUE_NOTIFY_NEVER) | QUEUE_NOTIFY_SUCCESS;
}
