/* guard/guard.c - open, settings, thread, close; see guard.h. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "guard/guard_int.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SAVE_MS ((int64_t)30 * 1000)

/* Sets of eight; see the sum in guard.h. */
static const unsigned count_sets[GUARD_SUBJECTS] = { 8192, 4096, 4096, 2048, 2048 };
static const unsigned memo_sets[GUARD_MEMORIES] = { 8192, 4096, 4096, 4096, 2048 };

uint64_t guard_hash(const struct guard *g, unsigned kind, const void *p, size_t n)
{
	unsigned char in[1 + LIMIT_ADDRESS], out[crypto_shorthash_BYTES];
	uint64_t      h;

	n = MIN(n, LIMIT_ADDRESS);
	in[0] = (unsigned char)kind;
	if (n > 0)
		memcpy(in + 1, p, n);
	crypto_shorthash(out, in, n + 1, g->secret);
	memcpy(&h, out, sizeof(h));
	return h != 0 ? h : 1;
}

bool guard_settings_check(const struct guard_settings *s, struct buf *why)
{
	struct guard_zones zones;
	struct guard_cidrs cidrs;
	struct str         at = STR_NONE;
	size_t             before = why->n;

	if (!guard_zones_parse(s->dnsbl, &zones, &at))
		buf_addf(why, "guard.dnsbl: \"%.*s\" is not ZONE, ZONE=WEIGHT or ZONE=127.0.0.[2-4]*WEIGHT, or there are more than %u\n", STR_FMT(at),
			 (unsigned)LIMIT_GUARD_ZONES);
	if (!cidr_array_parse(s->trusted, cidrs.item, LEN(cidrs.item), &cidrs.count, &at))
		buf_addf(why, "smtp.trusted: \"%.*s\" is not ADDRESS or ADDRESS/BITS (all bits behind them 0), or there are more than %zu\n",
			 STR_FMT(at), LIMIT_CIDRS);
	if (s->ban_first_s > s->ban_max_s)
		buf_addf(why, "guard.ban_first is longer than guard.ban_max\n");
	return why->n == before;
}

void guard_set(struct guard *g, const struct guard_settings *settings)
{
	struct guard_zones zones;
	struct guard_cidrs trusted;
	struct str         at;

	/* The configuration was checked before it came here; if it was not, lists that are wrong are no lists. */
	if (!guard_zones_parse(settings->dnsbl, &zones, &at))
		zones.count = 0;
	if (!guard_cidrs_parse(settings->trusted, &trusted))
		trusted.count = 0;
	guard_lock(g);
	g->set = *settings;
	g->set.dnsbl = g->set.trusted = STR_NONE;
	g->zones = zones;
	g->trusted = trusted;
	guard_unlock(g);
}

bool guard_trusts(struct guard *g, struct str peer)
{
	struct guard_ip ip;
	bool            trusted;

	if (g == NULL || !guard_ip_parse(peer, &ip))
		return false;
	guard_lock(g);
	trusted = guard_cidrs_have(&g->trusted, ip.octets);
	guard_unlock(g);
	return trusted;
}

int64_t guard_tick(struct guard *g)
{
	int64_t next_ms = guard_waits_end(g, false);
	bool    due;

	guard_lock(g);
	guard_bans_expire(g);
	due = guard_mono(g) - g->saved_ms >= SAVE_MS;
	if (due)
		g->saved_ms = guard_mono(g);
	guard_unlock(g);
	if (due)
		(void)!guard_save(g); /* it has logged why not */
	return next_ms < 0 ? SAVE_MS : MIN(next_ms, SAVE_MS);
}

static void *thread_main(void *arg)
{
	struct guard *g = arg;

	for (;;) {
		struct timespec until = clock_deadline(guard_tick(g));
		bool            stopping;

		guard_lock(g);
		if (!g->stopping)
			pthread_cond_clockwait(&g->wake, &g->lock, CLOCK_MONOTONIC, &until);
		stopping = g->stopping;
		guard_unlock(g);
		if (stopping)
			return NULL;
	}
}

struct guard *guard_open(const struct guard_options *options)
{
	struct guard *g = calloc(1, sizeof(*g));

	CHECK(g != NULL && pthread_mutex_init(&g->lock, NULL) == 0 && pthread_mutex_init(&g->saving, NULL) == 0 &&
	      pthread_cond_init(&g->wake, NULL) == 0 && sodium_init() >= 0);
	g->options = *options;
	if (g->options.path == NULL)
		g->options.path = "auth/guard.db";
	if (g->options.mono_ms == NULL)
		g->options.mono_ms = clock_mono_ms;
	if (g->options.wall_ms == NULL)
		g->options.wall_ms = clock_wall_ms;
	atomic_init(&g->refs, 1);
	g->waits_end = &g->waits;
	map_init(&g->bans);
	for (unsigned i = 0; i < GUARD_SUBJECTS; i++)
		guard_counts_init(&g->counts[i], count_sets[i]);
	for (unsigned i = 0; i < GUARD_MEMORIES; i++)
		guard_memos_init(&g->memos[i], memo_sets[i], g->secret);
	guard_set(g, &options->settings);
	g->saved_ms = guard_mono(g); /* guard_set has looked at the clocks */
	guard_store_open(g);
	g->threaded = !options->threadless && pthread_create(&g->thread, NULL, thread_main, g) == 0;
	CHECK(g->threaded || options->threadless);
	return g;
}

void guard_unref(struct guard *g)
{
	size_t at = 0;
	void  *ban;

	if (atomic_fetch_sub(&g->refs, 1) > 1)
		return;
	while (map_next(&g->bans, &at, &(struct str){ 0 }, &ban))
		free(ban);
	map_done(&g->bans);
	for (unsigned i = 0; i < GUARD_SUBJECTS; i++)
		guard_counts_done(&g->counts[i]);
	for (unsigned i = 0; i < GUARD_MEMORIES; i++)
		guard_memos_done(&g->memos[i]);
	free(g->known);
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
	pthread_mutex_destroy(&g->saving);
	free(g);
}

void guard_close(struct guard **gp)
{
	struct guard *g = *gp;

	if (g == NULL)
		return;
	*gp = NULL;
	guard_lock(g);
	g->stopping = true;
	pthread_cond_signal(&g->wake);
	guard_unlock(g);
	if (g->threaded)
		pthread_join(g->thread, NULL);
	(void)guard_waits_end(g, true);
	(void)!guard_save(g);
	guard_store_close(g);
	guard_unref(g);
}

void guard_answer(struct guard *g, struct ipc_request *r)
{
	static const struct guard_connect_reply accept = { .verdict = GUARD_ACCEPT };

	if (r->id == IPC_GUARD_NOTE) {
		if (g != NULL)
			guard_note(g, r->body);
		ipc_reply(r, ST_OK, NULL);
	} else if (r->id == IPC_GUARD_CONNECT) {
		if (g != NULL)
			guard_connect(g, r);
		else
			ipc_reply(r, ST_OK, &accept);
	} else if (g != NULL) {
		guard_admin(g, r);
	} else {
		ipc_reply(r, ST_TEMP, NULL);
	}
}
