/* guard/guard_lists.c - what lists in DNS have said, kept for as long as they said, within bounds; a table of fixed size. */
#include <stdlib.h>
#include <string.h>

#include "guard/guard_int.h"
#include "ipc/msg_dns.h"

#define SETS     2048u
#define KNOWN    0x80u /* beside the subjects, for guard_hash */

uint64_t guard_known_key(const struct guard *g, const struct guard_zone *z, const struct guard_ip *ip)
{
	char   in[16 + GUARD_ZONE_NAME];
	size_t n = strlen(z->name);

	memcpy(in, ip->octets, 16);
	memcpy(in + 16, z->name, n);
	return guard_hash(g, KNOWN, in, 16 + n);
}

static struct guard_known *set_of(struct guard *g, uint64_t key)
{
	if (g->known == NULL) { /* most have no lists */
		g->known = calloc((size_t)SETS * GUARD_WAYS, sizeof(*g->known));
		CHECK(g->known != NULL);
	}
	return &g->known[key % SETS * GUARD_WAYS];
}

const struct guard_listing *guard_known_find(struct guard *g, uint64_t key)
{
	struct guard_known *set = set_of(g, key);

	for (size_t i = 0; i < GUARD_WAYS; i++)
		if (set[i].key == key && set[i].until_ms > guard_mono(g))
			return &set[i].listing;
	return NULL;
}

void guard_known_put(struct guard *g, uint64_t key, const struct guard_listing *l, int64_t ttl_ms)
{
	struct guard_known *set = set_of(g, key), *k = &set[0];

	for (size_t i = 1; i < GUARD_WAYS && k->key != key; i++)
		if (set[i].key == key || set[i].until_ms < k->until_ms)
			k = &set[i];
	*k = (struct guard_known){ key, guard_mono(g) + ttl_ms, *l };
}

int guard_score(struct guard *g, const struct guard_ip *ip, struct buf *names)
{
	int score = 0;

	for (unsigned i = 0; i < g->zones.count; i++) {
		const struct guard_zone    *z = &g->zones.item[i];
		const struct guard_listing *l = guard_known_find(g, guard_known_key(g, z, ip));

		if (l == NULL || !guard_zone_match(z, l))
			continue;
		score += z->weight;
		if (names != NULL && z->weight > 0)
			buf_addf(names, " %s", z->name);
	}
	return score;
}
