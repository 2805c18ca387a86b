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
	int64_t  failed_ms;
	unsigned failures;
};

struct throttle {
	pthread_mutex_t lock;
	unsigned char   secret[crypto_shorthash_KEYBYTES]; /* nobody can choose pairs that share a set */
	struct entry    entries[SETS][WAYS];
};

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

/* The pair's entry, or NULL. */
static struct entry *find(struct throttle *t, uint64_t key)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (t->entries[key % SETS][i].key == key)
			return &t->entries[key % SETS][i];
	}
	return NULL;
}

static struct entry *make(struct throttle *t, uint64_t key)
{
	struct entry *set = t->entries[key % SETS], *e = find(t, key);

	if (e != NULL)
		return e;
	e = &set[0];
	for (size_t i = 1; i < WAYS && e->key != 0; i++) {
		if (set[i].key == 0 || set[i].failed_ms < e->failed_ms)
			e = &set[i];
	}
	*e = (struct entry){ .key = key };
	return e;
}

static int64_t wait_after(unsigned failures)
{
	int64_t ms = FIRST_MS;

	if (failures <= LIMIT_SIGNIN_FREE)
		return 0;
	for (unsigned i = LIMIT_SIGNIN_FREE + 1; i < failures && ms < LIMIT_SIGNIN_WAIT; i++)
		ms *= 2;
	return MIN(ms, LIMIT_SIGNIN_WAIT);
}

int64_t throttle_wait_ms(struct throttle *t, uint64_t network, struct str account, int64_t now_ms)
{
	int64_t       wait = 0;
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find(t, key_of(t, network, account));
	if (e != NULL)
		wait = e->failed_ms + wait_after(e->failures) - now_ms;
	pthread_mutex_unlock(&t->lock);
	return MAX(wait, 0);
}

void throttle_failed(struct throttle *t, uint64_t network, struct str account, int64_t now_ms)
{
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = make(t, key_of(t, network, account));
	if (now_ms - e->failed_ms >= FORGET_MS)
		e->failures = 0;
	if (e->failures < UINT32_MAX)
		e->failures++;
	e->failed_ms = now_ms;
	pthread_mutex_unlock(&t->lock);
}

void throttle_succeeded(struct throttle *t, uint64_t network, struct str account)
{
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find(t, key_of(t, network, account));
	if (e != NULL)
		*e = (struct entry){ 0 };
	pthread_mutex_unlock(&t->lock);
}
