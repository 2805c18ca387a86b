/* store/store_upkeep.c - cleaning one account, and going over all of them: store_clean, store_upkeep, store_repair_all; see store.h. */
#include <stdio.h>

#include "base/log.h"
#include "store/store_flagging.h"
#include "store/store_keep.h"
#include "sys/clock.h"
#include "sys/disk.h"

/* ---- one account ---- */

/* Is it sure that files without a row are nobody's message. Looked at only where there are such files, which is after a crash. */
static enum status orphans_look(struct store_account *a)
{
	struct store_orphans orphans;
	uint64_t             breaks = 0;
	enum status          st = store_orphans_count(a, &orphans);

	if (st != ST_OK || orphans.loose == 0)
		return st;
	st = store_check(a, NULL, NULL, &breaks);
	if (st == ST_CORRUPT || (st == ST_OK && breaks > 0))
		st = store_keep_begin(a->store, a->id);
	return st;
}

enum status store_clean(struct store_account *a)
{
	enum status st = orphans_look(a);

	if (st == ST_OK)
		st = store_txn_begin(a, true);
	if (st == ST_OK)
		st = store_txn_end(a, store_release(a), true);
	return st == ST_OK ? store_sweep(a) : st;
}

/* ---- all of them ---- */

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

/* ---- Trash and Junk ---- */

static enum status old_uids(struct store_account *a, uint64_t mailbox, int64_t before_ms, struct store_range *ret, size_t *ret_count)
{
	struct db_stmt *s = db_sql(a->db, "SELECT uid FROM message WHERE account = ?1 AND mailbox = ?2 AND saved_ms < ?3 ORDER BY uid LIMIT ?4");
	size_t          n = 0;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_i64(s, 3, before_ms);
	db_bind_u64(s, 4, STORE_EXPIRE_MAX);
	while ((st = db_step(s)) == ST_OK && n < STORE_EXPIRE_MAX) {
		uint32_t uid = (uint32_t)db_u64(s, 0);

		ret[n++] = (struct store_range){ uid, uid };
	}
	db_done(s);
	*ret_count = n;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status expire_one(struct store_account *a, enum store_special special, int64_t keep_ms, uint64_t *ret_count,
			      uint64_t *ret_modseq)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_mailbox *list;
	struct store_range    old[STORE_EXPIRE_MAX];
	size_t                n, count = LEN(old);
	int64_t               before_ms = clock_wall_ms() - keep_ms;
	uint64_t              mailbox = 0;
	enum status           st = keep_ms > 0 ? store_mailbox_list(a, arena, &list, &n) : ST_OK;

	for (size_t i = 0; keep_ms > 0 && st == ST_OK && i < n; i++)
		if (list[i].special == special && list[i].messages > 0)
			mailbox = list[i].id;
	/* Messages only get older, so that one transaction after the other comes to an end. */
	while (mailbox > 0 && st == ST_OK && count == LEN(old)) {
		struct arena          *own CLEANUP(arena_free) = arena_new(NULL);
		struct store_expunged  gone;

		st = old_uids(a, mailbox, before_ms, old, &count);
		if (st == ST_OK && count > 0)
			st = store_expunge(a, mailbox, (struct store_set){ old, count }, false, own, &gone);
		if (st == ST_OK && count > 0) {
			*ret_count += gone.count;
			*ret_modseq = gone.modseq;
		}
	}
	return st == ST_NOT_FOUND ? ST_OK : st; /* the mailbox was deleted meanwhile */
}

enum status store_expire(struct store_account *a, uint64_t *ret_count, uint64_t *ret_modseq)
{
	const struct store_options *o = &a->store->options;
	enum status                 st;

	*ret_count = 0;
	st = expire_one(a, STORE_SPECIAL_TRASH, o->trash_ms, ret_count, ret_modseq);
	return st == ST_OK ? expire_one(a, STORE_SPECIAL_JUNK, o->junk_ms, ret_count, ret_modseq) : st;
}

/* ---- all accounts ---- */

struct pass {
	bool (*go_on)(void *arg);
	void (*changed)(void *arg, uint64_t account, uint64_t modseq);
	void *arg;
};

/* Has it failed. */
static bool clean_one(struct store *s, uint64_t id, const struct pass *p)
{
	struct store_account *a;
	char                  path[STORE_PATH_MAX];
	uint64_t              count = 0, modseq = 0, settled = 0;
	enum status           st;

	store_path(id, "mail.db", path);
	if (!disk_exists(s->fd, path)) /* opening would make it: it may have been purged just now */
		return false;
	st = store_open(s, id, &a);
	if (st == ST_OK) {
		st = store_expire(a, &count, &modseq);
		if (count > 0)
			log_info("old messages of Trash and Junk expunged", LOG_U64("account", id), LOG_U64("messages", count));
		if (count > 0 && p->changed)
			p->changed(p->arg, id, modseq);
		if (store_moves_settle(a, -1, &settled) != ST_OK)
			log_warn("moves that were broken off are not settled yet", LOG_U64("account", id));
		if (settled > 0 && p->changed)
			p->changed(p->arg, id, settled);
		if (store_flagging_tidy(a, true) != ST_OK)
			log_warn("changes of flags are not written into their rows yet", LOG_U64("account", id));
		if (st == ST_OK)
			st = store_clean(a);
		store_close(&a);
	}
	if (st != ST_OK)
		log_warn("account not cleaned", LOG_U64("account", id), LOG_ST("status", st));
	return st != ST_OK;
}

/* Is it still set aside. The mark is a file beside the database: looking for it opens nothing. */
static bool repair_one(struct store *s, uint64_t id, const struct pass *p)
{
	char        mark[STORE_PATH_MAX];
	enum status st;

	(void)p;
	store_path(id, "mail.db.suspect", mark);
	if (!disk_exists(s->fd, mark))
		return false;
	st = store_repair(s, id);
	if (st == ST_OK)
		log_warn("account was repaired and is used again", LOG_U64("account", id));
	else if (st == ST_BUSY) /* being repaired, or salvaged */
		log_debug("account is under repair", LOG_U64("account", id));
	else
		log_error("account cannot be repaired yet", LOG_U64("account", id), LOG_ST("status", st));
	return st != ST_OK;
}

/* Sum up fn() over all accounts, while go_on() says so. */
static size_t each(struct store *s, bool (*fn)(struct store *s, uint64_t id, const struct pass *p), const struct pass *p)
{
	size_t sum = 0;

	for (unsigned shard = 0; shard < 256 && p->go_on(p->arg); shard++) {
		struct upkeep u = { .arena = arena_new(NULL) };
		char          name[8];

		snprintf(name, sizeof(name), "%02x", shard);
		if (disk_list(s->fd, name, id_found, &u) == ST_OK)
			for (size_t i = 0; i < u.count && p->go_on(p->arg); i++)
				sum += fn(s, u.ids[i], p);
		arena_free(&u.arena);
	}
	return sum;
}

void store_upkeep(struct store *s, bool (*go_on)(void *arg), void (*changed)(void *arg, uint64_t account, uint64_t modseq), void *arg)
{
	(void)each(s, clean_one, &(struct pass){ go_on, changed, arg });
}

size_t store_repair_all(struct store *s, bool (*go_on)(void *arg), void *arg)
{
	return each(s, repair_one, &(struct pass){ go_on, NULL, arg });
}
