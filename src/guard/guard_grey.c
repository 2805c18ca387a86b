/* guard/guard_grey.c - the greylist: a server tries again, most bots do not.
 *
 * The key is the peer's network and the sender's domain: a pool of servers in one network counts as one, and a reverse-path that is
 * made anew for each message (VERP) does not begin again. The null reverse-path counts by the recipient's domain. Who has
 * passed makes the whole network known-good for 35 days after its last message.
 *
 *   unknown --first seen--> waits greylist_wait --tried again within 2 days--> network is good
 *                           | tried again too early: told how long            | later: as if unknown
 */
#include "guard/guard_int.h"

#define PAIR_MS (2 * GUARD_DAY_MS)

static bool passes_at_once(struct guard *g, const struct guard_ip *ip, struct str domain)
{
	if (guard_free(g, ip) != NULL || guard_recall(g, GUARD_SIGNIN, ip->address, 0, GUARD_SIGNIN_MS) != NULL)
		return true;
	if (domain.n > 0 && guard_recall(g, GUARD_FRIEND, guard_domain_hash(g, domain), 0, GUARD_GOOD_MS) != NULL)
		return true;
	return guard_score(g, ip, NULL) < 0;
}

uint32_t guard_grey(struct guard *g, const struct guard_ip *ip, const struct auth_rcpt_request *q)
{
	struct str          from = guard_domain_of(q->from), key = from.n > 0 ? from : guard_domain_of(q->address);
	struct guard_memos *pairs = &g->memos[GUARD_PAIR];
	int64_t             now = guard_wall(g), wait_ms = (int64_t)g->set.greylist_wait_s * 1000;
	struct guard_memo  *m;

	if (!g->set.greylist || passes_at_once(g, ip, from))
		return 0;
	if (guard_recall(g, GUARD_GOOD, ip->network, 0, GUARD_GOOD_MS) != NULL) {
		guard_remember(g, GUARD_GOOD, ip->network, 0);
		return 0;
	}
	m = guard_memos_get(pairs, ip->network, guard_domain_hash(g, key), now);
	if (now - m->first_ms > PAIR_MS || m->first_ms > now) {
		m->first_ms = m->last_ms = now;
		guard_memos_touch(pairs, m);
	}
	if (now - m->first_ms < wait_ms)
		return (uint32_t)((wait_ms - (now - m->first_ms) + 999) / 1000);
	guard_memos_forget(pairs, m);
	guard_remember(g, GUARD_GOOD, ip->network, 0);
	return 0;
}
