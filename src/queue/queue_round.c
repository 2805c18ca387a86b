/* queue/queue_round.c - a message's round: where to, then attempts, then the result.
 *
 *   ROUTE    every recipient without a fixed target is resolved by auth
 *   SIGN     only if it is ours and there is a foreign target (queue_sign.c) whose destination has a place for it now
 *   ASSIGN   only if there is a local target and no delivery id yet: the writer makes one durable first (Q4)
 *   DELIVER  every target is attempted once
 *   RESULT   the writer commits what came of it; then the message is gone, or waits on disk
 *
 * m->open counts the steps under way, and one for whoever is starting them; who brings it to 0 enters the next phase.
 * So no lock is held over a round, and each phase's results are complete when the next one reads them.
 */
#include <string.h>

#include "base/limits.h"
#include "queue/queue_in.h"

static void round_advance(struct queue_msg *m);

void queue_round_step(struct queue_msg *m)
{
	if (atomic_fetch_sub(&m->open, 1) == 1)
		round_advance(m);
}

/* A copy for the message's rows: one line, bounded. Answers arrive in several threads. */
struct str queue_answer(struct queue_msg *m, struct str text, size_t max)
{
	char *p;

	text = str_first(text, max);
	pthread_mutex_lock(&m->lock);
	p = arena_alloc(m->arena, text.n + 1);
	pthread_mutex_unlock(&m->lock);
	for (size_t i = 0; i < text.n; i++)
		p[i] = (unsigned char)text.p[i] < ' ' || text.p[i] == 127 ? ' ' : text.p[i];
	return str_n(p, text.n);
}

/* ---- where to ---- */

static void fail_all(struct queue_msg *m, struct str code, struct str answer)
{
	for (size_t i = 0; i < m->rcpt_count; i++) {
		struct queue_rcpt_row *r = &m->rcpts[i];

		if (r->final)
			continue;
		r->outcome = QUEUE_OUT_FAILED;
		r->code = code;
		r->answer = answer;
	}
}

/* ---- targets ---- */

/* The name under which a target is known: each is attempted once for a message. The domain's case does not matter. */
static struct str target_name(struct queue_msg *m, uint64_t account, struct str address)
{
	struct str local, domain;
	char      *p;

	if (account)
		return arena_printf(m->arena, "%llu", (unsigned long long)account);
	address = arena_dup(m->arena, address);
	if (!str_rcut(address, '@', &local, &domain) || address.n == 0)
		return address;
	p = arena_alloc(m->arena, address.n);
	for (size_t i = 0; i < address.n; i++)
		p[i] = i > local.n ? ascii_lower(address.p[i]) : address.p[i];
	return str_n(p, address.n);
}

struct plan {
	struct queue_msg *m;
	struct map        seen;
};

static bool plan_seen(struct plan *p, uint64_t account, struct str address)
{
	return map_put(&p->seen, target_name(p->m, account, address), p) != NULL;
}

static void plan_add(struct plan *p, struct queue_rcpt_row *r, const struct auth_target *target, uint32_t n)
{
	struct queue_msg *m = p->m;
	struct queue_to  *to = ARENA_NEW(m->arena, struct queue_to);
	uint64_t          account = target->account;

	*to = (struct queue_to){ .rcpt = r,
				 .account = account,
				 .address = target->address,
				 .relay = target->relay,
				 .hop = target->hop,
				 .sender = target->forward ? target->from : STR(""),
				 .quota = { target->quota_octets, target->quota_messages, target->quota_shared },
				 .n = n };
	m->to[m->to_count++] = to;
	if (r->to_count++ == 0)
		r->to = &m->to[m->to_count - 1]; /* its targets stand together */
	m->remote = m->remote || account == 0;
}

/* An expanded recipient's targets get rows of their own; a single one keeps the recipient's row. */
static void plan_rcpt(struct plan *p, struct queue_rcpt_row *r)
{
	struct queue_msg *m = p->m;

	if (r->fixed) {
		const struct auth_target same = { .account = r->account,
						  .address = r->target,
						  .relay = r->relay,
						  .hop = r->hop,
						  .forward = true,
						  .from = r->sender,
						  .quota_octets = r->quota.quota_octets,
						  .quota_messages = r->quota.quota_messages,
						  .quota_shared = r->quota.quota_shared };

		if (r->way_open)
			return; /* auth could not be asked */
		r->resolved = true;
		if (!plan_seen(p, r->account, r->target))
			plan_add(p, r, &same, r->n);
		return;
	}
	if (r->found_count == 0 || m->to_count + r->found_count > QUEUE_TARGETS_MAX)
		return; /* for this reason or that it waits for another round */
	r->resolved = true;
	for (size_t i = 0; i < r->found_count; i++)
		if (!plan_seen(p, r->found[i].account, r->found[i].address))
			plan_add(p, r, &r->found[i], r->found_count == 1 ? r->n : m->next_n++);
}

static void plan(struct queue_msg *m)
{
	struct plan p = { .m = m };
	size_t      total = 0;

	for (size_t i = 0; i < m->rcpt_count; i++)
		total += m->rcpts[i].fixed ? 1 : m->rcpts[i].found_count;
	m->to = ARENA_ARRAY(m->arena, struct queue_to *, total);
	map_init(&p.seen);
	for (size_t i = 0; i < m->rcpt_count; i++)
		if (m->rcpts[i].final && (m->rcpts[i].account || m->rcpts[i].target.n))
			(void)plan_seen(&p, m->rcpts[i].account, m->rcpts[i].target);
	for (size_t i = 0; i < m->rcpt_count; i++)
		if (!m->rcpts[i].final && m->rcpts[i].outcome == QUEUE_OUT_NONE)
			plan_rcpt(&p, &m->rcpts[i]);
	map_done(&p.seen);
}

static bool has_local(const struct queue_msg *m)
{
	for (size_t i = 0; i < m->to_count; i++)
		if (m->to[i]->account)
			return true;
	return false;
}

/* ---- phases ---- */

static void deliver(struct queue_msg *m)
{
	m->phase = QUEUE_PHASE_DELIVER;
	atomic_store(&m->open, 1);
	if (!atomic_load(&m->removed))
		queue_attempt_all(m);
	queue_round_step(m);
}

/* To the content filter go all recipients as they were given: what they lead to is decided when it brings the message back. */
static void route_filter(struct queue_msg *m, struct queue_rcpt_row *r)
{
	r->found = ARENA_NEW(m->arena, struct auth_target);
	*r->found = (struct auth_target){ .address = r->address };
	r->found_count = 1;
}

static void assign_or_deliver(struct queue_msg *m)
{
	if (m->base == 0 && has_local(m)) {
		m->phase = QUEUE_PHASE_ASSIGN;
		queue_assign_push(m);
	} else {
		deliver(m);
	}
}

static void route(struct queue_msg *m)
{
	m->phase = QUEUE_PHASE_ROUTE;
	if (m->flags & QUEUE_FLAG_FILTER)
		m->filter = queue_live(m->q).filter; /* none any more: its own way */
	atomic_store(&m->open, 1);
	if (m->deliver_by > 0 && !(m->flags & QUEUE_FLAG_BY_NOTIFY) && queue_now(m->q) >= m->deliver_by) { /* RFC 2852 §4: not attempted any more */
		fail_all(m, STR("5.4.7"), STR("Not delivered within the time that its sender set"));
	} else if (m->hops > LIMIT_HOPS) { /* RFC 5321 §6.3 */
		fail_all(m, STR("5.4.6"), STR("Mail loop: too many Received fields"));
	} else {
		for (size_t i = 0; i < m->rcpt_count; i++) {
			struct queue_rcpt_row *r = &m->rcpts[i];

			if (r->final || (r->fixed && r->account == 0 && m->filter.n))
				continue;
			if (m->filter.n) {
				route_filter(m, r);
				continue;
			}
			atomic_fetch_add(&m->open, 1);
			if (r->fixed && r->account == 0)
				queue_attempt_hop(m, r);
			else if (r->fixed)
				queue_attempt_quota(m, r);
			else
				queue_attempt_resolve(m, r);
		}
	}
	queue_round_step(m);
}

void queue_round_go(struct queue_msg *m)
{
	if (m->phase == QUEUE_PHASE_ASSIGN)
		deliver(m);
	else
		route(m);
}

static void round_advance(struct queue_msg *m)
{
	switch (m->phase) {
	case QUEUE_PHASE_ROUTE:
		plan(m);
		if (queue_sign_wanted(m) && queue_remote_worth(m)) {
			m->phase = QUEUE_PHASE_SIGN;
			atomic_store(&m->open, 1);
			queue_sign_push(m);
		} else {
			assign_or_deliver(m);
		}
		break;
	case QUEUE_PHASE_SIGN:
		assign_or_deliver(m);
		break;
	case QUEUE_PHASE_DELIVER:
		m->phase = QUEUE_PHASE_RESULT;
		queue_result_push(m);
		break;
	case QUEUE_PHASE_ASSIGN:
	case QUEUE_PHASE_RESULT:
		BUG("a round has no steps in this phase");
	}
}
