/* directory/verified.c - see verified.h. */
#include "directory/verified.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define SETS 4096u
#define WAYS 4u
#define MAC  32u

struct entry {
	uint64_t      account; /* 0: free */
	int64_t       until_ms;
	unsigned char mac[MAC];
};

struct verified {
	pthread_mutex_t lock;
	unsigned char   key[crypto_generichash_KEYBYTES];
	struct entry    entries[SETS][WAYS];
};

struct verified *verified_new(void)
{
	struct verified *v = calloc(1, sizeof(*v));

	CHECK(v != NULL && pthread_mutex_init(&v->lock, NULL) == 0);
	randombytes_buf(v->key, sizeof(v->key));
	return v;
}

void verified_free(struct verified **v)
{
	if (*v != NULL) {
		pthread_mutex_destroy(&(*v)->lock);
		sodium_memzero(*v, sizeof(**v));
	}
	free(*v);
	*v = NULL;
}

static void mac_of(const struct verified *v, uint64_t account, uint64_t generation, struct str password,
		   unsigned char ret[MAC])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, v->key, sizeof(v->key), MAC);
	crypto_generichash_update(&st, (const unsigned char *)&account, sizeof(account));
	crypto_generichash_update(&st, (const unsigned char *)&generation, sizeof(generation));
	crypto_generichash_update(&st, (const unsigned char *)password.p, password.n);
	crypto_generichash_final(&st, ret, MAC);
	sodium_memzero(&st, sizeof(st));
}

/* By account, so that a stranger cannot push out others by guessing: only what was right is kept. */
static struct entry *set_of(struct verified *v, uint64_t account)
{
	return v->entries[account % SETS];
}

bool verified_find(struct verified *v, uint64_t account, uint64_t generation, struct str password, int64_t now_ms)
{
	unsigned char mac[MAC];
	struct entry *set = set_of(v, account);
	bool          found = false;

	mac_of(v, account, generation, password, mac);
	pthread_mutex_lock(&v->lock);
	for (size_t i = 0; i < WAYS; i++)
		found |= set[i].account == account && set[i].until_ms > now_ms &&
			 sodium_memcmp(set[i].mac, mac, MAC) == 0;
	pthread_mutex_unlock(&v->lock);
	return found;
}

void verified_put(struct verified *v, uint64_t account, uint64_t generation, struct str password, int64_t now_ms)
{
	struct entry  fresh = { .account = account, .until_ms = now_ms + VERIFIED_MS };
	struct entry *set = set_of(v, account), *e = &set[0];

	mac_of(v, account, generation, password, fresh.mac);
	pthread_mutex_lock(&v->lock);
	/* The account's own entry, else a free one, else the oldest. */
	for (size_t i = 0; i < WAYS && e->account != account; i++) {
		if (set[i].account == account ||
		    (e->account != 0 && (set[i].account == 0 || set[i].until_ms < e->until_ms)))
			e = &set[i];
	}
	*e = fresh;
	pthread_mutex_unlock(&v->lock);
}

void verified_drop(struct verified *v, uint64_t account)
{
	struct entry *set = set_of(v, account);

	pthread_mutex_lock(&v->lock);
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].account == account)
			sodium_memzero(&set[i], sizeof(set[i]));
	}
	pthread_mutex_unlock(&v->lock);
}
