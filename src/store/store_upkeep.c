/* store/store_upkeep.c - going over all accounts: store_upkeep, store_repair_all; see store.h. */
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

/* Has it failed. */
static bool clean_one(struct store *s, uint64_t id)
{
	struct store_account *a;
	char                  path[STORE_PATH_MAX];
	enum status           st;

	store_path(id, "mail.db", path);
	if (!disk_exists(s->fd, path)) /* opening would make it: it may have been purged just now */
		return false;
	st = store_open(s, id, &a);
	if (st == ST_OK) {
		st = store_clean(a);
		store_close(&a);
	}
	if (st != ST_OK)
		log_warn("account not cleaned", LOG_U64("account", id), LOG_ST("status", st));
	return st != ST_OK;
}

/* Is it still set aside. The mark is a file beside the database: looking for it opens nothing. */
static bool repair_one(struct store *s, uint64_t id)
{
	char        mark[STORE_PATH_MAX];
	enum status st;

	store_path(id, "mail.db.suspect", mark);
	if (!disk_exists(s->fd, mark))
		return false;
	st = store_repair(s, id);
	if (st == ST_OK)
		log_warn("account was repaired and is used again", LOG_U64("account", id));
	else
		log_error("account cannot be repaired yet", LOG_U64("account", id), LOG_ST("status", st));
	return st != ST_OK;
}

/* Sum up fn() over all accounts, while go_on() says so. */
static size_t each(struct store *s, bool (*fn)(struct store *s, uint64_t id), bool (*go_on)(void *arg), void *arg)
{
	size_t sum = 0;

	for (unsigned shard = 0; shard < 256 && go_on(arg); shard++) {
		struct upkeep u = { .arena = arena_new(NULL) };
		char          name[8];

		snprintf(name, sizeof(name), "%02x", shard);
		if (disk_list(s->fd, name, id_found, &u) == ST_OK)
			for (size_t i = 0; i < u.count && go_on(arg); i++)
				sum += fn(s, u.ids[i]);
		arena_free(&u.arena);
	}
	return sum;
}

void store_upkeep(struct store *s, bool (*go_on)(void *arg), void *arg)
{
	(void)each(s, clean_one, go_on, arg);
}

size_t store_repair_all(struct store *s, bool (*go_on)(void *arg), void *arg)
{
	return each(s, repair_one, go_on, arg);
}
