/* base/map.h - a hash map from octets (or a number) to a pointer.
 *
 * Keys are copied; values belong to the caller. Open addressing, growth at 3/4 full,
 * hash seeded at map_init so that a stranger cannot choose colliding keys.
 * Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t           cap, used, count; /* used counts removed slots too */
	uint64_t         seed;
};

void map_init(struct map *m);
void map_done(struct map *m); /* frees keys and table, not the values */

/* The value, or NULL. */
void *map_find(const struct map *m, struct str key);
/* Set; returns the value that was there before, or NULL. `value` must not be NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Remove; returns the value that was there, or NULL. */
void *map_remove(struct map *m, struct str key);

void *map_find_u64(const struct map *m, uint64_t key);
void *map_put_u64(struct map *m, uint64_t key, void *value);
void *map_remove_u64(struct map *m, uint64_t key);

/* Iterate in no order: size_t at = 0; while (map_next(&m, &at, &key, &value)) ...
 * Removing the entry just returned is allowed, putting is not. */
bool map_next(const struct map *m, size_t *at, struct str *ret_key, void **ret_value);

#endif
