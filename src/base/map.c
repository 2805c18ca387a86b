/* base/map.c - see map.h. Linear probing; a removed slot keeps its place until the next growth. */
#include "base/map.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct map_slot {
	char    *key;
	size_t   n;
	uint64_t hash;
	void    *value; /* NULL with key set: removed */
};

static void *must_calloc(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p) {
		fprintf(stderr, "postrider: out of memory\n");
		abort();
	}
	return p;
}

/* Another one for each map, from one secret of the process. */
static uint64_t seed_next(void)
{
	static _Atomic uint64_t next; /* 0: not drawn yet; two threads may draw, to no harm */
	uint64_t                drawn;

	if (atomic_load(&next) == 0) {
		if (getrandom(&drawn, sizeof(drawn), GRND_NONBLOCK) != (ssize_t)sizeof(drawn))
			drawn = (uint64_t)(uintptr_t)&drawn;
		atomic_store(&next, drawn | 1);
	}
	return atomic_fetch_add(&next, 0x9e3779b97f4a7c16u); /* even: it never becomes 0 */
}

void map_init(struct map *m)
{
	*m = (struct map){ .seed = seed_next() };
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	*m = (struct map){ .seed = m->seed };
}

static uint64_t hash_of(const struct map *m, struct str key)
{
	return str_hash_keyed(key, m->seed);
}

/* The slot that holds the key, or the free one where it belongs. cap > 0. */
static struct map_slot *slot_of(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = (size_t)(hash >> 20) & (m->cap - 1);

	for (;; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];
		if (!s->key || (s->hash == hash && str_eq(str_n(s->key, s->n), key)))
			return s;
	}
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->cap = m->count * 2 < 8 ? 16 : old.cap * (m->count * 2 > old.cap ? 2 : 1);
	m->slots = must_calloc(m->cap, sizeof(*m->slots));
	m->used = m->count;
	for (size_t i = 0; i < old.cap; i++) {
		struct map_slot *s = &old.slots[i];
		if (s->value)
			*slot_of(m, str_n(s->key, s->n), s->hash) = *s;
		else
			free(s->key);
	}
	free(old.slots);
}

void *map_find(const struct map *m, struct str key)
{
	return m->cap ? slot_of(m, key, hash_of(m, key))->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t         hash = hash_of(m, key);
	struct map_slot *s;
	void            *old;

	CHECK(value);
	if ((m->used + 1) * 4 > m->cap * 3)
		grow(m);
	s = slot_of(m, key, hash);
	if (!s->key) {
		s->key = must_calloc(1, key.n + 1);
		if (key.n)
			memcpy(s->key, key.p, key.n);
		s->n = key.n;
		s->hash = hash;
		m->used++;
	}
	old = s->value;
	m->count += !old;
	s->value = value;
	return old;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_slot *s = m->cap ? slot_of(m, key, hash_of(m, key)) : NULL;
	void            *old = s ? s->value : NULL;

	if (old) {
		s->value = NULL;
		m->count--;
	}
	return old;
}

void *map_find_u64(const struct map *m, uint64_t key)
{
	return map_find(m, str_n(&key, sizeof(key)));
}

void *map_put_u64(struct map *m, uint64_t key, void *value)
{
	return map_put(m, str_n(&key, sizeof(key)), value);
}

void *map_remove_u64(struct map *m, uint64_t key)
{
	return map_remove(m, str_n(&key, sizeof(key)));
}

bool map_next(const struct map *m, size_t *at, struct str *ret_key, void **ret_value)
{
	for (; *at < m->cap; (*at)++) {
		const struct map_slot *s = &m->slots[*at];
		if (s->value) {
			*ret_key = str_n(s->key, s->n);
			*ret_value = s->value;
			(*at)++;
			return true;
		}
	}
	return false;
}
