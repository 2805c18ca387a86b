/* deliver/remote_hosts.c - contract is in remote_hosts.h.
 *
 * A hash table of places without chains: an address has WAYS places. It is known by a keyed hash of 64 bits; should two ever have the
 * same one, an address is tried a little later than it need be.
 */
#include "deliver/remote_hosts.h"

#include <pthread.h>
#include <stdlib.h>

#include "sys/clock.h"
#include "sys/random.h"

#define WAYS   8u
#define TRY_MS ((int64_t)60 * 1000) /* for the one delivery that tries a suspect: connection and greeting */

static const int64_t mark_ms[REMOTE_HOST_MARKS] = {
	[REMOTE_HOST_SUSPECT] = 180 * 1000,
	[REMOTE_HOST_NO_BDAT] = 3600 * 1000,
	[REMOTE_HOST_NO_EARLY] = 3600 * 1000,
	[REMOTE_HOST_TRIED] = 2 * 1000, /* remote_timeouts.beside_ms: by then it is suspect, or known to be alive */
};

struct known {
	uint64_t hash;
	int64_t  until_ms[REMOTE_HOST_MARKS]; /* 0: not marked */
};

struct remote_hosts {
	pthread_mutex_t lock;
	uint64_t        seed;
	struct known    known[LIMIT_REMOTE_KNOWN / WAYS][WAYS];
};

struct remote_hosts *remote_hosts_new(void)
{
	struct remote_hosts *h = calloc(1, sizeof(*h));

	CHECK(h);
	pthread_mutex_init(&h->lock, NULL);
	h->seed = random_u64();
	return h;
}

void remote_hosts_free(struct remote_hosts **hp)
{
	if (*hp)
		pthread_mutex_destroy(&(*hp)->lock);
	free(*hp);
	*hp = NULL;
}

/* The last mark's end. */
static int64_t known_until(const struct known *k)
{
	int64_t until = 0;

	for (size_t i = 0; i < LEN(k->until_ms); i++)
		until = MAX(until, k->until_ms[i]);
	return until;
}

/* Its place, with the lock held; if it has none and is to have one, that of whom is forgotten first. */
static struct known *find(struct remote_hosts *h, const struct remote_target *t, bool make)
{
	uint64_t      hash = str_hash_keyed(str_n(&t->address.sa, t->address.sa_n), h->seed);
	struct known *ways = h->known[hash % LEN(h->known)], *place = ways;

	for (size_t i = 0; i < WAYS; i++) {
		if (ways[i].hash == hash)
			return &ways[i];
		if (known_until(&ways[i]) < known_until(place))
			place = &ways[i];
	}
	if (!make)
		return NULL;
	*place = (struct known){ .hash = hash };
	return place;
}

void remote_hosts_mark(struct remote_hosts *h, const struct remote_target *t, enum remote_host_mark mark)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	find(h, t, true)->until_ms[mark] = clock_mono_ms() + mark_ms[mark];
	pthread_mutex_unlock(&h->lock);
}

void remote_hosts_clear(struct remote_hosts *h, const struct remote_target *t, enum remote_host_mark mark)
{
	struct known *k;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	k = find(h, t, false);
	if (k)
		k->until_ms[mark] = 0;
	pthread_mutex_unlock(&h->lock);
}

bool remote_hosts_marked(struct remote_hosts *h, const struct remote_target *t, enum remote_host_mark mark)
{
	const struct known *k;
	bool                marked;

	if (!h)
		return false;
	pthread_mutex_lock(&h->lock);
	k = find(h, t, false);
	marked = k && k->until_ms[mark] > clock_mono_ms();
	pthread_mutex_unlock(&h->lock);
	return marked;
}

bool remote_hosts_avoid(struct remote_hosts *h, const struct remote_target *t)
{
	struct known *k;
	int64_t       now = clock_mono_ms();
	bool          avoid = false;

	if (!h)
		return false;
	pthread_mutex_lock(&h->lock);
	k = find(h, t, false);
	if (k && k->until_ms[REMOTE_HOST_SUSPECT] != 0) {
		avoid = k->until_ms[REMOTE_HOST_SUSPECT] > now;
		if (!avoid)
			k->until_ms[REMOTE_HOST_SUSPECT] = now + TRY_MS;
	}
	pthread_mutex_unlock(&h->lock);
	return avoid;
}
