/* guard/guard_connect.c - a connection begins: may it, and does it wait before the greeting?
 *
 *   exempt ------------------------------------------------> accepted, not counted
 *   banned, too many connections --------------------------> refused: 421, it is for a while only
 *   port 25, lists in DNS: all answers are known? --no----> a question for each that is not; when the last answer is there, or the
 *                            | yes                          time is over, with what is there by then:
 *                            +----> score >= threshold ----> refused: 554
 *                                   else ------------------> accepted, a newcomer after a pause
 *
 * A list that does not answer counts as one that does not know the address.
 */
#include <stdlib.h>

#include "base/metric.h"
#include "guard/guard_int.h"
#include "ipc/msg_dns.h"

#define TTL_LEAST_MS ((int64_t)60 * 1000)
#define TTL_MOST_MS  ((int64_t)3600 * 1000)
#define TTL_FAIL_MS  ((int64_t)30 * 1000)

struct guard_wait {
	struct guard       *g;
	struct ipc_request *r; /* NULL: answered */
	struct guard_ip     ip;
	unsigned            left; /* answers to come, and one for whoever asks */
	int64_t             until_ms;
	struct guard_wait  *next, **place; /* in g->waits while r is not NULL */
};

struct question {
	struct guard_wait *wait;
	uint64_t           key;
};

static void refuse(struct guard_connect_reply *reply, enum metric metric, uint32_t code, const char *enhanced, const char *reason,
		   struct str text)
{
	metric_add(metric, 1);
	*reply = (struct guard_connect_reply){
		.verdict = GUARD_REFUSE, .code = code, .enhanced = str_of(enhanced), .text = text, .reason = str_of(reason)
	};
}

/* What can be said at once, if it is no. Holds `lock`. */
static bool refused(struct guard *g, const struct guard_ip *ip, const struct guard_counter *c, struct arena *a,
		    struct guard_connect_reply *reply)
{
	const struct guard_ban   *ban = guard_ban_of(g, ip);
	const struct guard_limit *l;

	if (ban != NULL) {
		refuse(reply, METRIC_GUARD_REFUSED_BANNED, 421, "4.7.0", "banned", arena_printf(a, "Your address is %.*s", STR_FMT(guard_ban_text(a, ban))));
		return true;
	}
	l = guard_unbannable(g, ip) ? NULL : guard_limit_broken(g, c, GUARD_ADDRESS, GUARD_CONNECTIONS, 1);
	if (l != NULL)
		refuse(reply, METRIC_GUARD_REFUSED_LIMIT, 421, "4.7.0", l->reason,
		       arena_printf(a, "The limit of %llu %s is reached, try again later", (unsigned long long)guard_limit_of(g, l), l->text));
	return l != NULL;
}

/* The peer's text names the lists, so that an honest administrator can go there. Holds `lock`. */
static void judge(struct guard *g, const struct guard_ip *ip, struct arena *a, struct guard_connect_reply *reply)
{
	struct buf names;
	int        score;
	char       where[GUARD_PLACE_TEXT];

	buf_init(&names, LIMIT_REPLY_TEXT / 2);
	score = guard_score(g, ip, &names);
	if (score > 0 && (uint32_t)score >= g->set.dnsbl_threshold)
		refuse(reply, METRIC_GUARD_REFUSED_DNSBL, 554, "5.7.1", "dnsbl",
		       arena_printf(a, "Your address %.*s is listed by%.*s (score %d)", STR_FMT(guard_place_print(ip->address, where)),
				    STR_FMT(buf_str(&names)), score));
	else if (score >= 0 && guard_recall(g, GUARD_GOOD, ip->network, 0, GUARD_GOOD_MS) == NULL && guard_unbannable(g, ip) == NULL)
		reply->pause_ms = g->set.greet_pause_s * 1000;
	buf_done(&names);
}

/* ---- waiting for lists ---- */

/* Out of the queue, whose request is then the caller's. Holds `lock`. */
static struct ipc_request *take(struct guard_wait *w)
{
	struct guard       *g = w->g;
	struct ipc_request *r = w->r;

	if (r == NULL)
		return NULL;
	*w->place = w->next;
	if (w->next != NULL)
		w->next->place = w->place;
	else
		g->waits_end = w->place;
	g->wait_count--;
	w->r = NULL;
	return r;
}

static void put(struct guard_wait *w)
{
	struct guard *g = w->g;

	w->place = g->waits_end;
	*g->waits_end = w;
	g->waits_end = &w->next;
	g->wait_count++;
	pthread_cond_signal(&g->wake);
}

/* `r` was taken; ip as it was in its wait. */
static void answer(struct guard *g, struct ipc_request *r, const struct guard_ip *ip)
{
	struct guard_connect_reply reply = { .verdict = GUARD_ACCEPT };

	guard_lock(g);
	judge(g, ip, r->arena, &reply);
	guard_unlock(g);
	ipc_reply(r, ST_OK, &reply);
}

/* One answer less to come; the last one ends the wait. */
static void arrived(struct guard_wait *w)
{
	struct guard       *g = w->g;
	struct guard_ip     ip = w->ip;
	struct ipc_request *r = NULL;
	bool                last;

	guard_lock(g);
	last = --w->left == 0;
	if (last)
		r = take(w);
	guard_unlock(g);
	if (last)
		free(w);
	if (r != NULL)
		answer(g, r, &ip);
	guard_unref(g);
}

int64_t guard_waits_end(struct guard *g, bool all)
{
	for (;;) {
		struct ipc_request *r = NULL;
		struct guard_ip     ip;
		int64_t             left_ms = -1;

		guard_lock(g);
		if (g->waits != NULL) {
			left_ms = g->waits->until_ms - guard_mono(g);
			ip = g->waits->ip;
			if (all || left_ms <= 0)
				r = take(g->waits);
		}
		guard_unlock(g);
		if (r == NULL)
			return left_ms;
		answer(g, r, &ip);
	}
}

static void looked_up(void *arg, enum status st, const void *reply)
{
	const struct dns_lookup_reply *d = reply;
	struct question               *q = arg;
	struct guard                  *g = q->wait->g;
	struct guard_listing           l = { 0 };
	int64_t                        ttl_ms = TTL_FAIL_MS;

	if (st == ST_OK) { /* bogus is not */
		ttl_ms = MIN(MAX((int64_t)d->ttl_s * 1000, TTL_LEAST_MS), TTL_MOST_MS);
		for (size_t i = 0; d->rcode == DNS_NOERROR && i < d->record_count; i++)
			guard_listing_add(&l, d->records[i].data);
	}
	guard_lock(g);
	guard_known_put(g, q->key, &l, ttl_ms);
	guard_unlock(g);
	arrived(q->wait);
	free(q);
}

/* What must be asked, names and keys side by side. Holds `lock`. */
struct asks {
	struct buf names[LIMIT_GUARD_ZONES];
	uint64_t   keys[LIMIT_GUARD_ZONES];
	unsigned   count;
};

static void asks_find(struct guard *g, const struct guard_ip *ip, struct asks *ret)
{
	ret->count = 0;
	for (unsigned i = 0; g->options.lookup != NULL && i < g->zones.count; i++) {
		const struct guard_zone *z = &g->zones.item[i];
		uint64_t                 key = guard_known_key(g, z, ip);

		if (z->again || guard_known_find(g, key) != NULL)
			continue;
		buf_init(&ret->names[ret->count], LIMIT_DOMAIN);
		guard_zone_question(z, ip, &ret->names[ret->count]);
		ret->keys[ret->count++] = key;
	}
}

static void asks_send(struct guard *g, struct guard_wait *w, struct asks *asks)
{
	for (unsigned i = 0; i < asks->count; i++) {
		struct question *q = malloc(sizeof(*q));

		CHECK(q != NULL);
		*q = (struct question){ w, asks->keys[i] };
		g->options.lookup(g->options.lookup_ctx, buf_str(&asks->names[i]), looked_up, q);
	}
}

static void asks_done(struct asks *asks)
{
	for (unsigned i = 0; i < asks->count; i++)
		buf_done(&asks->names[i]);
}

/* Holds `lock`. NULL: nothing to wait for. */
static struct guard_wait *wait_begin(struct guard *g, struct ipc_request *r, const struct guard_ip *ip, struct asks *asks)
{
	struct guard_wait *w;

	asks_find(g, ip, asks);
	if (asks->count == 0 || g->wait_count >= LIMIT_GUARD_PENDING)
		return NULL;
	w = malloc(sizeof(*w));
	CHECK(w != NULL);
	*w = (struct guard_wait){
		.g = g, .r = r, .ip = *ip, .left = asks->count + 1, .until_ms = guard_mono(g) + LIMIT_GUARD_DNS_MS
	};
	atomic_fetch_add(&g->refs, asks->count + 1);
	put(w);
	return w;
}

/* ---- the question ---- */

void guard_connect(struct guard *g, struct ipc_request *r)
{
	const struct guard_connect_request *q = r->body;
	struct guard_connect_reply          reply = { .verdict = GUARD_ACCEPT };
	struct guard_wait                  *w = NULL;
	struct guard_ip                     ip;
	struct guard_counter               *c;
	struct asks                         asks = { .count = 0 };

	if (q->exempt || !guard_ip_parse(q->peer, &ip) || (g->options.lab && ip.loopback)) {
		ipc_reply(r, ST_OK, &reply);
		return;
	}
	guard_lock(g);
	c = guard_count(g, GUARD_ADDRESS, ip.address);
	if (!refused(g, &ip, c, r->arena, &reply) && q->listener == GUARD_SMTP && guard_free(g, &ip) == NULL) {
		w = wait_begin(g, r, &ip, &asks);
		if (w == NULL)
			judge(g, &ip, r->arena, &reply);
	}
	guard_counter_add(c, GUARD_CONNECTIONS, 1);
	guard_counter_add(guard_count(g, GUARD_NETWORK, ip.network), GUARD_CONNECTIONS, 1);
	guard_unlock(g);
	if (w != NULL) {
		asks_send(g, w, &asks);
		arrived(w);
	} else {
		ipc_reply(r, ST_OK, &reply);
	}
	asks_done(&asks);
}
