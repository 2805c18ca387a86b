/* deliver/remote_answers.c - contract is in remote_answers.h.
 *
 * A hash table of places without chains: a question has WAYS places, known by a keyed hash, and compared as a whole. Who asks what is being
 * asked waits for that answer: a message to a thousand domains of one provider asks for its hosts once.
 */
#include "deliver/remote_answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/metric.h"
#include "sys/clock.h"
#include "sys/random.h"

#define WAYS 8u

struct question {
	struct str    name;
	enum dns_type type;
	uint64_t      hash;
};

/* One allocation: the texts are behind it. */
struct kept {
	struct question         q;
	int64_t                 until_ms;
	struct dns_lookup_reply reply;
	struct dns_record       records[];
};

/* A question under way. In the list of its place until it is answered; freed by the last who looks at it. */
struct asking {
	struct asking  *next;
	struct question q; /* its name is of who asks; read while it is in the list */
	unsigned        users;
	bool            done;
	enum status     st;
	struct kept    *reply; /* for those who wait; NULL: nobody does, or there is none */
	pthread_cond_t  answered;
};

struct place {
	struct kept   *ways[WAYS];
	struct asking *asking;
};

struct remote_answers {
	struct remote_resolver behind;
	pthread_mutex_t        lock;
	uint64_t               seed;
	size_t                 waiting;
	struct place           places[LIMIT_REMOTE_DNS / WAYS];
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
	remote_answers_forget(a);
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

static struct kept *kept_new(const struct question *q, const struct dns_lookup_reply *r)
{
	struct kept *k = malloc(kept_size(q->name, r));
	char        *at;

	CHECK(k);
	at = (char *)&k->records[r->record_count];
	*k = (struct kept){ .q = *q, .until_ms = clock_mono_ms() + MIN((int64_t)r->ttl_s * 1000, LIMIT_REMOTE_DNS_KEEP_MS), .reply = *r };
	k->q.name = put(&at, q->name);
	k->reply.canonical = put(&at, r->canonical);
	k->reply.records = k->records;
	for (size_t i = 0; i < r->record_count; i++)
		k->records[i] = (struct dns_record){ r->records[i].preference, put(&at, r->records[i].data) };
	return k;
}

static struct dns_lookup_reply reply_copy(const struct kept *k, int64_t now_ms, struct arena *arena)
{
	struct dns_lookup_reply r = k->reply;

	r.ttl_s = (uint32_t)(MAX(k->until_ms - now_ms, 0) / 1000);
	r.canonical = arena_dup(arena, r.canonical);
	r.records = ARENA_ARRAY(arena, struct dns_record, r.record_count);
	for (size_t i = 0; i < r.record_count; i++)
		r.records[i] = (struct dns_record){ k->records[i].preference, arena_dup(arena, k->records[i].data) };
	return r;
}

/* ---- all; with the lock held ---- */

static struct place *place_of(struct remote_answers *a, const struct question *q)
{
	return &a->places[q->hash % LEN(a->places)];
}

static bool same(const struct question *a, const struct question *b)
{
	return a->hash == b->hash && a->type == b->type && str_eq(a->name, b->name);
}

/* Where its answer is or goes: else in place of what ends first. */
static struct kept **way(struct place *p, const struct question *q)
{
	struct kept **first = p->ways;

	for (size_t i = 0; i < WAYS; i++) {
		const struct kept *k = p->ways[i];

		if (k && same(&k->q, q))
			return &p->ways[i];
		if (*first && (!k || k->until_ms < (*first)->until_ms))
			first = &p->ways[i];
	}
	return first;
}

static bool known(struct remote_answers *a, const struct question *q, struct arena *arena, struct dns_lookup_reply *ret)
{
	const struct kept *k = *way(place_of(a, q), q);
	int64_t            now = clock_mono_ms();
	bool               found = k && same(&k->q, q) && k->until_ms > now;

	if (found)
		*ret = reply_copy(k, now, arena);
	return found;
}

static struct asking *asking_find(const struct place *p, const struct question *q)
{
	struct asking *k = p->asking;

	while (k && !same(&k->q, q))
		k = k->next;
	return k;
}

static struct asking *asking_new(struct place *p, const struct question *q)
{
	struct asking *k = malloc(sizeof(*k));

	CHECK(k);
	*k = (struct asking){ .next = p->asking, .q = *q, .users = 1 };
	pthread_cond_init(&k->answered, NULL);
	p->asking = k;
	return k;
}

static void asking_leave(struct asking *k)
{
	if (--k->users > 0)
		return;
	free(k->reply);
	pthread_cond_destroy(&k->answered);
	free(k);
}

static void asking_end(struct place *p, struct asking *k, enum status st, const struct dns_lookup_reply *r)
{
	struct asking **at = &p->asking;

	if (st == ST_OK && k->users > 1)
		k->reply = kept_new(&k->q, r);
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->done = true;
	k->st = st;
	pthread_cond_broadcast(&k->answered);
	asking_leave(k);
}

static enum status asking_wait(struct remote_answers *a, struct asking *k, struct arena *arena, struct dns_lookup_reply *ret)
{
	enum status st;

	k->users++;
	a->waiting++;
	while (!k->done)
		pthread_cond_wait(&k->answered, &a->lock);
	a->waiting--;
	st = k->st;
	if (st == ST_OK)
		*ret = reply_copy(k->reply, clock_mono_ms(), arena);
	asking_leave(k);
	return st;
}

static void keep(struct place *p, const struct question *q, const struct dns_lookup_reply *r)
{
	struct kept **at = way(p, q);

	free(*at);
	*at = kept_new(q, r);
}

/* ---- without it ---- */

/* The asker's deadline is that of all who wait for its answer. */
static enum status ask(struct remote_answers *a, const struct question *q, struct asking *k, struct arena *arena, struct dns_lookup_reply *ret)
{
	enum status st = a->behind.lookup(a->behind.ctx, q->name, q->type, arena, ret);

	metric_add(METRIC_REMOTE_DNS_ASKED, 1);
	pthread_mutex_lock(&a->lock);
	if (st == ST_OK && ret->ttl_s > 0 && kept_size(q->name, ret) <= LIMIT_REMOTE_DNS_SIZE)
		keep(place_of(a, q), q, ret);
	asking_end(place_of(a, q), k, st, ret);
	pthread_mutex_unlock(&a->lock);
	return st;
}

static enum status lookup(void *ctx, struct str name, enum dns_type type, struct arena *arena, struct dns_lookup_reply *ret)
{
	struct remote_answers *a = ctx;
	const struct question  q = { name, type, str_hash_keyed(name, a->seed + (uint64_t)type) };
	enum status            st = ST_OK;
	struct asking         *mine = NULL, *theirs;

	pthread_mutex_lock(&a->lock);
	theirs = asking_find(place_of(a, &q), &q);
	if (theirs)
		st = asking_wait(a, theirs, arena, ret);
	else if (!known(a, &q, arena, ret))
		mine = asking_new(place_of(a, &q), &q);
	pthread_mutex_unlock(&a->lock);
	if (mine)
		return ask(a, &q, mine, arena, ret);
	metric_add(METRIC_REMOTE_DNS_KNOWN, 1);
	return st;
}

void remote_answers_forget(struct remote_answers *a)
{
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < LEN(a->places); i++)
		for (size_t w = 0; w < WAYS; w++) {
			free(a->places[i].ways[w]);
			a->places[i].ways[w] = NULL;
		}
	pthread_mutex_unlock(&a->lock);
}

size_t remote_answers_waiting(struct remote_answers *a)
{
	size_t n;

	pthread_mutex_lock(&a->lock);
	n = a->waiting;
	pthread_mutex_unlock(&a->lock);
	return n;
}

struct remote_resolver remote_answers_resolver(struct remote_answers *a)
{
	return (struct remote_resolver){ lookup, a };
}
