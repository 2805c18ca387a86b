/* directory/throttle.c - see throttle.h. */
#include "directory/throttle.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define SETS      4096u
#define WAYS      8u
#define FIRST_MS  ((int64_t)1000)
#define FORGET_MS ((int64_t)3600 * 1000)

struct entry {
	uint64_t key; /* 0: free */
	int64_t  at_ms;
	unsigned failures;
};

struct table {
	struct entry entries[SETS][WAYS];
};

struct throttle {
	pthread_mutex_t lock;
	unsigned char   secret[crypto_shorthash_KEYBYTES]; /* nobody can choose pairs that share a set */
	struct table    pairs, sources, known;
};

/* How a count becomes a wait. */
struct rule {
	unsigned free;
	int64_t  most_ms;
};
static const struct rule pair_rule = { LIMIT_SIGNIN_FREE, LIMIT_SIGNIN_WAIT };
static const struct rule source_rule = { LIMIT_SIGNIN_FREE_SOURCE, LIMIT_SIGNIN_WAIT_SOURCE };
static const struct rule known_rule = { LIMIT_SIGNIN_FREE_KNOWN, LIMIT_SIGNIN_WAIT_KNOWN };

struct throttle *throttle_new(void)
{
	struct throttle *t = calloc(1, sizeof(*t));

	CHECK(t != NULL && pthread_mutex_init(&t->lock, NULL) == 0);
	randombytes_buf(t->secret, sizeof(t->secret));
	return t;
}

void throttle_free(struct throttle **t)
{
	if (*t != NULL)
		pthread_mutex_destroy(&(*t)->lock);
	free(*t);
	*t = NULL;
}

static uint64_t key_of(const struct throttle *t, uint64_t network, struct str account)
{
	unsigned char in[sizeof(network) + LIMIT_ADDRESS], out[crypto_shorthash_BYTES];
	uint64_t      key;

	account = str_first(account, LIMIT_ADDRESS);
	memcpy(in, &network, sizeof(network));
	if (account.n > 0)
		memcpy(in + sizeof(network), account.p, account.n);
	crypto_shorthash(out, in, sizeof(network) + account.n, t->secret);
	memcpy(&key, out, sizeof(key));
	return key != 0 ? key : 1;
}

/* The entry, or NULL. */
static struct entry *find(struct table *t, uint64_t key)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (t->entries[key % SETS][i].key == key)
			return &t->entries[key % SETS][i];
	}
	return NULL;
}

static struct entry *make(struct table *t, uint64_t key)
{
	struct entry *set = t->entries[key % SETS], *e = find(t, key);

	if (e != NULL)
		return e;
	e = &set[0];
	for (size_t i = 1; i < WAYS && e->key != 0; i++) {
		if (set[i].key == 0 || set[i].at_ms < e->at_ms)
			e = &set[i];
	}
	*e = (struct entry){ .key = key };
	return e;
}

static int64_t wait_of(const struct entry *e, const struct rule *rule, int64_t now_ms)
{
	int64_t ms = FIRST_MS;

	if (e == NULL || e->failures <= rule->free)
		return 0;
	for (unsigned i = rule->free + 1; i < e->failures && ms < rule->most_ms; i++)
		ms *= 2;
	return e->at_ms + MIN(ms, rule->most_ms) - now_ms;
}

static bool is_known(struct throttle *t, uint64_t pair, int64_t now_ms)
{
	struct entry *e = find(&t->known, pair);

	return e != NULL && now_ms - e->at_ms < THROTTLE_KNOWN_MS;
}

/* A source forgets slowly, and not while it goes on failing. */
static void drain(struct entry *e, int64_t now_ms)
{
	int64_t less = (now_ms - e->at_ms) / THROTTLE_DRAIN_MS;

	e->failures = less >= e->failures ? 0 : e->failures - (unsigned)less;
}

int64_t throttle_wait_ms(struct throttle *t, uint64_t network, struct str account, int64_t now_ms)
{
	uint64_t pair = key_of(t, network, account);
	int64_t  wait, more;

	pthread_mutex_lock(&t->lock);
	if (is_known(t, pair, now_ms)) {
		wait = wait_of(find(&t->pairs, pair), &known_rule, now_ms);
	} else {
		wait = wait_of(find(&t->pairs, pair), &pair_rule, now_ms);
		more = wait_of(find(&t->sources, key_of(t, network, STR_NONE)), &source_rule, now_ms);
		wait = MAX(wait, more);
	}
	pthread_mutex_unlock(&t->lock);
	return MAX(wait, 0);
}

static void count(struct entry *e, int64_t now_ms)
{
	if (e->failures < UINT32_MAX)
		e->failures++;
	e->at_ms = now_ms;
}

void throttle_failed(struct throttle *t, uint64_t network, struct str account, int64_t now_ms)
{
	uint64_t      pair = key_of(t, network, account);
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = make(&t->pairs, pair);
	if (now_ms - e->at_ms >= FORGET_MS)
		e->failures = 0;
	count(e, now_ms);
	if (!is_known(t, pair, now_ms)) {
		e = make(&t->sources, key_of(t, network, STR_NONE));
		drain(e, now_ms);
		count(e, now_ms);
	}
	pthread_mutex_unlock(&t->lock);
}

void throttle_succeeded(struct throttle *t, uint64_t network, struct str account, int64_t now_ms)
{
	uint64_t      pair = key_of(t, network, account);
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find(&t->pairs, pair);
	if (e != NULL)
		*e = (struct entry){ 0 };
	make(&t->known, pair)->at_ms = now_ms;
	pthread_mutex_unlock(&t->lock);
}

bool throttle_known(struct throttle *t, uint64_t network, struct str account, int64_t now_ms)
{
	bool known;

	pthread_mutex_lock(&t->lock);
	known = is_known(t, key_of(t, network, account), now_ms);
	pthread_mutex_unlock(&t->lock);
	return known;
}
