/* deliver/remote_answers.c - contract is in remote_answers.h.
 *
 * A hash table of places without chains: a question has WAYS places, known by a keyed hash, and compared as a whole.
 */
#include "deliver/remote_answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/metric.h"
#include "sys/clock.h"
#include "sys/random.h"

#define WAYS    8u
#define KEEP_MS ((int64_t)60 * 1000)

/* One allocation: the texts are behind it. */
struct kept {
	uint64_t                hash;
	int64_t                 until_ms;
	enum dns_type           type;
	struct str              name;
	struct dns_lookup_reply reply;
	struct dns_record       records[];
};

struct remote_answers {
	struct remote_resolver behind;
	pthread_mutex_t        lock;
	uint64_t               seed;
	struct kept           *kept[LIMIT_REMOTE_DNS / WAYS][WAYS];
};

struct remote_answers *remote_answers_new(struct remote_resolver behind)
{
	struct remote_answers *a = calloc(1, sizeof(*a));

	CHECK(a);
	pthread_mutex_init(&a->lock, NULL);
	a->behind = behind;
	a->seed = random_u64();
	return a;
}

void remote_answers_free(struct remote_answers **ap)
{
	struct remote_answers *a = *ap;

	if (!a)
		return;
	for (size_t i = 0; i < LEN(a->kept); i++)
		for (size_t w = 0; w < WAYS; w++)
			free(a->kept[i][w]);
	pthread_mutex_destroy(&a->lock);
	free(a);
	*ap = NULL;
}

/* ---- one answer ---- */

static size_t kept_size(struct str name, const struct dns_lookup_reply *r)
{
	size_t n = sizeof(struct kept) + r->record_count * sizeof(struct dns_record) + name.n + r->canonical.n;

	for (size_t i = 0; i < r->record_count; i++)
		n += r->records[i].data.n;
	return n;
}

static struct str put(char **at, struct str s)
{
	struct str copy = str_n(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

/* NULL if it is too large. */
static struct kept *kept_new(struct str name, enum dns_type type, const struct dns_lookup_reply *r)
{
	size_t       size = kept_size(name, r);
	struct kept *k = size <= LIMIT_REMOTE_DNS_SIZE ? malloc(size) : NULL;
	char        *at;

	if (!k)
		return NULL;
	at = (char *)&k->records[r->record_count];
	*k = (struct kept){ .type = type, .reply = *r };
	k->name = put(&at, name);
	k->reply.canonical = put(&at, r->canonical);
	k->reply.records = k->records;
	for (size_t i = 0; i < r->record_count; i++)
		k->records[i] = (struct dns_record){ r->records[i].preference, put(&at, r->records[i].data) };
	return k;
}

static struct dns_lookup_reply reply_copy(const struct kept *k, int64_t now_ms, struct arena *arena)
{
	struct dns_lookup_reply r = k->reply;

	r.ttl_s = (uint32_t)((k->until_ms - now_ms) / 1000);
	r.canonical = arena_dup(arena, r.canonical);
	r.records = ARENA_ARRAY(arena, struct dns_record, r.record_count);
	for (size_t i = 0; i < r.record_count; i++)
		r.records[i] = (struct dns_record){ k->records[i].preference, arena_dup(arena, k->records[i].data) };
	return r;
}

/* ---- all ---- */

/* The question's place, with the lock held: where it is, or that of the answer that ends first. */
static struct kept **place(struct remote_answers *a, uint64_t hash, struct str name, enum dns_type type)
{
	struct kept **ways = a->kept[hash % LEN(a->kept)], **first = ways;

	for (size_t i = 0; i < WAYS; i++) {
		const struct kept *k = ways[i];

		if (k && k->hash == hash && k->type == type && str_eq(k->name, name))
			return &ways[i];
		if (*first && (!k || k->until_ms < (*first)->until_ms))
			first = &ways[i];
	}
	return first;
}

static bool known(struct remote_answers *a, uint64_t hash, struct str name, enum dns_type type, struct arena *arena, struct dns_lookup_reply *ret)
{
	int64_t            now = clock_mono_ms();
	const struct kept *k;
	bool               found;

	pthread_mutex_lock(&a->lock);
	k = *place(a, hash, name, type);
	found = k && k->hash == hash && k->type == type && k->until_ms > now && str_eq(k->name, name);
	if (found)
		*ret = reply_copy(k, now, arena);
	pthread_mutex_unlock(&a->lock);
	return found;
}

static void keep(struct remote_answers *a, uint64_t hash, struct str name, enum dns_type type, const struct dns_lookup_reply *r)
{
	struct kept *k = r->ttl_s > 0 ? kept_new(name, type, r) : NULL, *old, **at;

	if (!k)
		return;
	k->hash = hash;
	k->until_ms = clock_mono_ms() + MIN((int64_t)r->ttl_s * 1000, KEEP_MS);
	pthread_mutex_lock(&a->lock);
	at = place(a, hash, name, type);
	old = *at;
	*at = k;
	pthread_mutex_unlock(&a->lock);
	free(old);
}

static enum status lookup(void *ctx, struct str name, enum dns_type type, struct arena *arena, struct dns_lookup_reply *ret)
{
	struct remote_answers *a = ctx;
	uint64_t               hash = str_hash_keyed(name, a->seed + (uint64_t)type);
	enum status            st;

	if (known(a, hash, name, type, arena, ret)) {
		metric_add(METRIC_REMOTE_DNS_KNOWN, 1);
		return ST_OK;
	}
	metric_add(METRIC_REMOTE_DNS_ASKED, 1);
	st = a->behind.lookup(a->behind.ctx, name, type, arena, ret);
	if (st == ST_OK)
		keep(a, hash, name, type, ret);
	return st;
}

struct remote_resolver remote_answers_resolver(struct remote_answers *a)
{
	return (struct remote_resolver){ lookup, a };
}
