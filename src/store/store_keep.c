/* store/store_keep.c - see store_keep.h. */
#include "store/store_keep.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/store_internal.h"
#include "sys/disk.h"

static bool hex_digit(char c, unsigned *ret)
{
	if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
		return false;
	*ret = (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	return true;
}

bool store_content_hash_of(const char *name, uint8_t ret[STORE_HASH])
{
	unsigned high, low;

	if (strlen(name) != (size_t)2 * STORE_HASH)
		return false;
	for (size_t i = 0; i < STORE_HASH; i++) {
		if (!hex_digit(name[2 * i], &high) || !hex_digit(name[2 * i + 1], &low))
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

enum status store_content_known(struct store_account *a, const char *name, bool *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT 1 FROM content WHERE account = ?1 AND hash = ?2 AND data IS NULL");
	uint8_t         hash[STORE_HASH];
	enum status     st;

	*ret = false;
	if (!store_content_hash_of(name, hash))
		return ST_OK;
	db_bind_u64(s, 1, a->id);
	db_bind_blob(s, 2, str_n(hash, sizeof(hash)));
	st = db_step(s);
	db_done(s);
	*ret = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

bool store_content_is_kept(const struct store_content_file *f, int64_t keep_ms)
{
	uint8_t hash[STORE_HASH];

	return strcmp(f->name, STORE_KEEP) == 0 || (f->mtime_ms <= keep_ms && store_content_hash_of(f->name, hash));
}

/* ---- listing ---- */

struct listing {
	struct arena              *arena;
	struct store_content_file *first;
	int64_t                    keep_ms;
};

static bool on_name(void *arg, const char *name, int64_t mtime_ms)
{
	struct listing            *l = arg;
	struct store_content_file *f = ARENA_NEW(l->arena, struct store_content_file);

	f->name = arena_cstr(l->arena, str_of(name));
	f->mtime_ms = mtime_ms;
	f->next = l->first;
	l->first = f;
	if (strcmp(name, STORE_KEEP) == 0)
		l->keep_ms = mtime_ms;
	return true;
}

enum status store_content_list(struct store *s, uint64_t account, struct arena *arena, struct store_content_file **ret, int64_t *ret_keep_ms)
{
	struct listing l = { .arena = arena, .keep_ms = INT64_MIN };
	char           dir[STORE_PATH_MAX];
	enum status    st;

	store_path(account, "content", dir);
	st = disk_list(s->fd, dir, on_name, &l);
	*ret = l.first;
	*ret_keep_ms = l.keep_ms;
	return st;
}

enum status store_orphans_count(struct store_account *a, struct store_orphans *ret)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_content_file *first;
	uint8_t                    hash[STORE_HASH];
	int64_t                    keep_ms;
	bool                       known;
	enum status                st = store_content_list(a->store, a->id, arena, &first, &keep_ms);

	*ret = (struct store_orphans){ 0 };
	for (const struct store_content_file *f = first; f && st == ST_OK; f = f->next) {
		if (!store_content_hash_of(f->name, hash))
			continue;
		st = store_content_known(a, f->name, &known);
		ret->kept += st == ST_OK && !known && f->mtime_ms <= keep_ms;
		ret->loose += st == ST_OK && !known && f->mtime_ms > keep_ms;
	}
	return st;
}

/* ---- the mark ---- */

static void keep_path(uint64_t account, char ret[STORE_PATH_MAX])
{
	store_path(account, "content/" STORE_KEEP, ret);
}

enum status store_keep_begin(struct store *s, uint64_t account)
{
	char        path[STORE_PATH_MAX], dir[STORE_PATH_MAX];
	int         fd = -1;
	enum status st;

	keep_path(account, path);
	store_path(account, "content", dir);
	st = disk_open(s->fd, path, DISK_OPEN, &fd);
	if (st == ST_OK)
		st = disk_write_at(fd, path, 0, STR("\n")); /* its time is now */
	if (st == ST_OK)
		st = disk_sync(fd, path);
	fd_close(&fd);
	if (st == ST_OK)
		st = disk_sync_dir(s->fd, dir);
	if (st == ST_OK)
		log_warn("contents that no row names are kept, see fsck --salvage", LOG_U64("account", account));
	return st;
}

void store_keep_end(struct store *s, uint64_t account)
{
	char        path[STORE_PATH_MAX];
	enum status st;

	keep_path(account, path);
	st = disk_remove(s->fd, path);
	if (st != ST_OK && st != ST_NOT_FOUND)
		log_debug("content/keep stays", LOG_U64("account", account), LOG_ST("status", st));
}

enum status store_keep_if_any(struct store *s, uint64_t account)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_content_file *first;
	uint8_t                    hash[STORE_HASH];
	int64_t                    keep_ms;
	bool                       loose = false;
	enum status                st = store_content_list(s, account, arena, &first, &keep_ms);

	for (const struct store_content_file *f = first; f && !loose; f = f->next)
		loose = store_content_hash_of(f->name, hash) && f->mtime_ms > keep_ms;
	return st == ST_OK && loose ? store_keep_begin(s, account) : st;
}

bool store_contents_there(struct store *s, uint64_t account)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_content_file *first = NULL;
	uint8_t                    hash[STORE_HASH];
	char                       mark[STORE_PATH_MAX];
	int64_t                    keep_ms;
	bool                       there;

	store_path(account, "mail.db.suspect", mark);
	there = disk_exists(s->fd, mark);
	if (store_content_list(s, account, arena, &first, &keep_ms) != ST_OK)
		return there;
	for (const struct store_content_file *f = first; f && !there; f = f->next)
		there = store_content_hash_of(f->name, hash);
	return there;
}
