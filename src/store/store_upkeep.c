/* store/store_upkeep.c - going over all accounts: store_upkeep, see store.h. */
#include <stdio.h>

#include "base/log.h"
#include "store/store_internal.h"
#include "sys/disk.h"

struct upkeep {
	struct arena *arena;
	uint64_t     *ids;
	size_t        count, cap;
};

static bool id_found(void *arg, const char *name, int64_t mtime_ms)
{
	struct upkeep *u = arg;
	uint64_t       id;

	(void)mtime_ms;
	if (!str_to_u64(str_of(name), &id) || id == 0)
		return true;
	if (u->count == u->cap) {
		size_t    cap = u->cap ? u->cap * 2 : 64;
		uint64_t *ids = ARENA_ARRAY(u->arena, uint64_t, cap);

		for (size_t i = 0; i < u->count; i++)
			ids[i] = u->ids[i];
		u->ids = ids;
		u->cap = cap;
	}
	u->ids[u->count++] = id;
	return true;
}

static void clean_one(struct store *s, uint64_t id)
{
	struct store_account *a;
	enum status           st = store_open(s, id, &a);

	if (st == ST_OK) {
		st = store_clean(a);
		store_close(&a);
	}
	if (st != ST_OK)
		log_warn("account not cleaned", LOG_U64("account", id), LOG_ST("status", st));
}

void store_upkeep(struct store *s, bool (*go_on)(void *arg), void *arg)
{
	for (unsigned shard = 0; shard < 256; shard++) {
		struct upkeep u = { .arena = arena_new(NULL) };
		char          name[8];

		snprintf(name, sizeof(name), "%02x", shard);
		if (disk_list(s->fd, name, id_found, &u) == ST_OK)
			for (size_t i = 0; i < u.count && go_on(arg); i++)
				clean_one(s, u.ids[i]);
		arena_free(&u.arena);
		if (!go_on(arg))
			return;
	}
}
