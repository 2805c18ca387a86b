/* guard/guard_who.c - whom a question is about: counters, exemptions, what is remembered. */
#include "guard/guard_int.h"

struct guard_counter *guard_count(struct guard *g, enum guard_subject subject, uint64_t number)
{
	return guard_counts_get(&g->counts[subject], guard_hash(g, subject, &number, sizeof(number)), guard_mono(g));
}

struct guard_counter *guard_count_domain(struct guard *g, enum guard_subject subject, struct str domain)
{
	return guard_counts_get(&g->counts[subject], guard_hash(g, subject, domain.p, domain.n), guard_mono(g));
}

uint64_t guard_domain_hash(const struct guard *g, struct str domain)
{
	return guard_hash(g, GUARD_SUBJECTS, domain.p, domain.n);
}

struct str guard_domain_of(struct str address)
{
	ptrdiff_t at = str_rfind(address, '@');

	return at < 0 ? STR_NONE : str_from(address, (size_t)at + 1);
}

const char *guard_free(const struct guard *g, const struct guard_ip *ip)
{
	if (ip->loopback)
		return "loopback";
	return guard_cidrs_have(&g->trusted, ip->octets) ? "trusted" : NULL;
}

const char *guard_unbannable(struct guard *g, const struct guard_ip *ip)
{
	const char *why = guard_free(g, ip);

	if (why != NULL)
		return why;
	return guard_recall(g, GUARD_SIGNIN, ip->address, 0, GUARD_SIGNIN_MS) != NULL ? "signed_in" : NULL;
}

/* The wall clock may jump: what lies in the future is taken as of now. */
struct guard_memo *guard_recall(struct guard *g, enum guard_memory what, uint64_t a, uint64_t b, int64_t age_ms)
{
	struct guard_memo *m = guard_memos_find(&g->memos[what], a, b);

	return m != NULL && guard_wall(g) - m->last_ms < age_ms ? m : NULL;
}

struct guard_memo *guard_remember(struct guard *g, enum guard_memory what, uint64_t a, uint64_t b)
{
	int64_t            now = guard_wall(g);
	struct guard_memo *m = guard_memos_get(&g->memos[what], a, b, now);

	if (now - m->last_ms >= GUARD_REFRESH_MS || m->last_ms > now) {
		m->last_ms = now;
		guard_memos_touch(&g->memos[what], m);
	}
	return m;
}

void guard_signin(void *ctx, struct str peer, struct str account, bool ok)
{
	struct guard   *g = ctx;
	struct guard_ip ip;

	(void)account;
	if (g == NULL || !guard_ip_parse(peer, &ip) || (g->options.lab && ip.loopback))
		return;
	guard_lock(g);
	if (!ok) {
		guard_failed(g, &ip, 1, "sign_in");
	} else if (!ip.loopback) {
		guard_remember(g, GUARD_SIGNIN, ip.address, 0);
		guard_ban_drop(g, ip.address); /* it came in before the ban: somebody of ours is there */
	}
	guard_unlock(g);
}
