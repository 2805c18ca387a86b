/* guard/guard_rcpt.c - a recipient: failures are counted, what would be accepted is held against limits and greylist. */
#include <stdio.h>

#include "base/log.h"
#include "base/metric.h"
#include "guard/guard_int.h"

#define HOUR_MS ((int64_t)3600 * 1000)

/* What is being decided. */
struct rcpt {
	struct guard                   *g;
	struct arena                   *a;
	const struct auth_rcpt_request *q;
	struct auth_rcpt_reply         *reply;
	struct guard_ip                 ip;
	struct guard_counter           *of[GUARD_SUBJECTS]; /* whose counts this one adds to; NULL: does not count */
};

static void later(struct rcpt *r, enum metric metric, uint32_t code, const char *enhanced, const char *reason, struct str text)
{
	metric_add(metric, 1);
	*r->reply = (struct auth_rcpt_reply){
		.kind = AUTH_RCPT_LATER, .code = code, .enhanced = str_of(enhanced), .text = text, .reason = str_of(reason)
	};
}

/* An account over its limit is perhaps a stolen password: said loudly, once per window, and kept for `ban list`. */
static void alarm_raise(struct rcpt *r, const struct guard_limit *l)
{
	struct guard       *g = r->g;
	int64_t             now = guard_wall(g), window_ms = l->day ? GUARD_DAY_MS : HOUR_MS;
	struct guard_alarm *al;

	for (size_t i = 0; i < GUARD_ALARMS; i++) {
		al = &g->alarms[i];
		if (al->account == r->q->account && al->reason == l->reason && now - al->when_ms < window_ms)
			return;
	}
	al = &g->alarms[g->alarm_at++ % GUARD_ALARMS];
	*al = (struct guard_alarm){ .account = r->q->account, .reason = l->reason, .when_ms = now };
	snprintf(al->from, sizeof(al->from), "%.*s", STR_FMT(r->q->from));
	metric_add(METRIC_GUARD_ALARMS, 1);
	log_error("outbound limit reached", LOG_C("reason", l->reason), LOG_U64("account", r->q->account), LOG_STR("from", r->q->from),
		  LOG_STR("peer", r->q->peer), LOG_STR("session", r->q->session), LOG_U64("limit", guard_limit_of(g, l)));
}

/* Does one more message (if it is the first recipient) or recipient break a limit? */
static bool limited(struct rcpt *r)
{
	static const enum guard_what whats[] = { GUARD_MESSAGES, GUARD_RCPTS, GUARD_KIB };
	const struct guard_limit    *l = NULL;

	for (unsigned subject = 0; l == NULL && subject < GUARD_SUBJECTS; subject++)
		for (size_t i = 0; r->of[subject] != NULL && l == NULL && i < LEN(whats); i++) {
			/* Octets are known afterwards; with SIZE= we know some before. */
			uint64_t n = whats[i] == GUARD_KIB ? r->q->size / KIB : 1;

			if (whats[i] == GUARD_RCPTS || r->q->first)
				l = guard_limit_broken(r->g, r->of[subject], (enum guard_subject)subject, whats[i], n);
		}
	if (l == NULL)
		return false;
	later(r, METRIC_GUARD_REFUSED_LIMIT, 450, "4.7.1", l->reason,
	      arena_printf(r->a, "The limit of %llu %s is reached, try again later", (unsigned long long)guard_limit_of(r->g, l), l->text));
	if (l->subject == GUARD_ACCOUNT)
		alarm_raise(r, l);
	return true;
}

static bool greylisted(struct rcpt *r)
{
	uint32_t wait_s = r->q->account != 0 ? 0 : guard_grey(r->g, &r->ip, r->q);

	if (wait_s > 0)
		later(r, METRIC_GUARD_REFUSED_GREYLIST, 451, "4.7.1", "greylist", arena_printf(r->a, "Greylisted, try again in %u s", wait_s));
	return wait_s > 0;
}

static void accepted(struct rcpt *r)
{
	if (limited(r) || greylisted(r))
		return;
	for (unsigned subject = 0; subject < GUARD_SUBJECTS; subject++)
		if (r->of[subject] != NULL) {
			guard_counter_add(r->of[subject], GUARD_RCPTS, 1);
			if (r->q->first)
				guard_counter_add(r->of[subject], GUARD_MESSAGES, 1);
		}
	if (r->q->account != 0 && r->reply->kind == AUTH_RCPT_FOREIGN)
		guard_remember(r->g, GUARD_FRIEND, guard_domain_hash(r->g, guard_domain_of(r->q->address)), 0);
}

/* Strangers are counted by where they are and what they say; people of ours by their account, wherever they are. */
static void subjects_find(struct rcpt *r)
{
	struct guard *g = r->g;
	struct str    from = guard_domain_of(r->q->from);

	if (r->q->account != 0) {
		r->of[GUARD_ACCOUNT] = guard_count(g, GUARD_ACCOUNT, r->q->account);
		return;
	}
	if (guard_free(g, &r->ip) != NULL)
		return;
	r->of[GUARD_ADDRESS] = guard_count(g, GUARD_ADDRESS, r->ip.address);
	r->of[GUARD_NETWORK] = guard_count(g, GUARD_NETWORK, r->ip.network);
	r->of[GUARD_RCPT_DOMAIN] = guard_count_domain(g, GUARD_RCPT_DOMAIN, guard_domain_of(r->q->address));
	if (from.n > 0)
		r->of[GUARD_SENDER_DOMAIN] = guard_count_domain(g, GUARD_SENDER_DOMAIN, from);
}

/* Hold the reply back if the peer has failed often, unless too many are held back already. */
static void tarpit(struct rcpt *r)
{
	struct guard         *g = r->g;
	int64_t               now = guard_mono(g);
	struct guard_counter *c;

	if (g->set.tarpit_failures == 0 || g->tarpits[g->tarpit_at % LIMIT_GUARD_TARPITS] > now)
		return;
	c = guard_counts_find(&g->counts[GUARD_ADDRESS], guard_hash(g, GUARD_ADDRESS, &r->ip.address, sizeof(r->ip.address)), now);
	if (c == NULL || guard_counter_hour(c, GUARD_FAILURES, now) < g->set.tarpit_failures || guard_unbannable(g, &r->ip) != NULL)
		return;
	r->reply->delay_ms = g->set.tarpit_s * 1000;
	g->tarpits[g->tarpit_at++ % LIMIT_GUARD_TARPITS] = now + r->reply->delay_ms;
}

static void stranger(struct rcpt *r)
{
	const struct guard_ban *ban;

	if (r->reply->kind == AUTH_RCPT_UNKNOWN)
		guard_failed(r->g, &r->ip, 1, "unknown_recipient");
	else if (r->reply->kind == AUTH_RCPT_FOREIGN)
		guard_failed(r->g, &r->ip, 1, "relaying");
	ban = guard_ban_of(r->g, &r->ip);
	if (ban != NULL)
		later(r, METRIC_GUARD_REFUSED_BANNED, 421, "4.7.0", "banned", arena_printf(r->a, "Your address is %.*s", STR_FMT(guard_ban_text(r->a, ban))));
	else
		tarpit(r);
}

static bool would_be_accepted(const struct rcpt *r)
{
	switch (r->reply->kind) {
	case AUTH_RCPT_LOCAL:
	case AUTH_RCPT_RELAY:
	case AUTH_RCPT_PROBE: return true;
	case AUTH_RCPT_FOREIGN: return r->q->account != 0;
	case AUTH_RCPT_UNKNOWN:
	case AUTH_RCPT_CLOSED:
	case AUTH_RCPT_FULL:
	case AUTH_RCPT_REFUSED:
	case AUTH_RCPT_LATER: break;
	}
	return false;
}

void guard_rcpt(struct guard *g, struct arena *a, const struct auth_rcpt_request *q, struct auth_rcpt_reply *reply)
{
	struct rcpt r = { .g = g, .a = a, .q = q, .reply = reply };

	if (g == NULL || q->exempt || !guard_ip_parse(q->peer, &r.ip) || (g->options.lab && r.ip.loopback))
		return;
	guard_lock(g);
	if (q->account == 0)
		stranger(&r);
	if (would_be_accepted(&r)) {
		subjects_find(&r);
		accepted(&r);
	}
	guard_unlock(g);
}
