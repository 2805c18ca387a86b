/* store/store_kept.c - see store_kept.h: what sys/disk.h asks of DISK_KEPT, asked of keeper.
 *
 * A path is "<shard>/<id>/<name>" as everywhere in the store; keeper takes the account from the token and only the name from us. The
 * directories above an account are keeper's affair: it makes and syncs them with the account's.
 */
#include "store/store_kept.h"

#include <stdio.h>
#include <string.h>

#include "ipc/msg_keeper.h"
#include "ipc/session_token.h"
#include "store/store_internal.h"
#include "sys/disk.h"
#include "sys/fd.h"

/* Token and name for a path. */
struct kept_name {
	char       token[LIMIT_TOKEN];
	struct str name;
	bool       above; /* a shard, or the accounts directory: nothing to be asked */
};

static struct str token_of(const struct kept_name *n)
{
	return str_n(n->token, sizeof(n->token));
}

static enum status name_of(struct store *s, const char *path, struct kept_name *ret)
{
	struct str shard, rest, id, name = STR_NONE;
	uint64_t   account;

	ret->above = !str_cut(str_of(path), '/', &shard, &rest);
	if (ret->above)
		return ST_OK;
	if (!str_cut(rest, '/', &id, &name)) {
		id = rest;
		name = STR("");
	}
	if (!str_to_u64(id, &account) || !store_token(s, account, ret->token) || session_token_account(token_of(ret)) != account)
		return ST_DENIED;
	ret->name = name;
	return ST_OK;
}

/* A full keeper is to a session what a slow disk is. */
static enum status ask(struct store *s, enum ipc_msg_id id, const void *request, struct arena *a, void *ret_reply)
{
	enum status st = ipc_call(s->keeper, ROLE_KEEPER, IPC_ANY, id, request, a, ret_reply);

	return st == ST_BUSY || st == ST_LIMIT || st == ST_CLOSED ? ST_TEMP : st;
}

/* ---- a database, asked for at once ---- */

enum part { PART_DB, PART_WAL, PART_SHM, PART_JOURNAL, PART_SUSPECT, PARTS };
static const char *const part_suffixes[PARTS] = { "", "-wal", "-shm", "-journal", ".suspect" };

/* One per thread: it opens one database at a time. A descriptor is given away once. */
static _Thread_local struct {
	bool              on;
	char              path[STORE_PATH_MAX];
	bool              there[PARTS];
	int               fd[PARTS]; /* -1: none, or given away */
	struct disk_entry entry[PARTS];
} fetched;

static void kept_fetch_end(void)
{
	for (unsigned i = 0; i < PARTS && fetched.on; i++)
		fd_close(&fetched.fd[i]);
	fetched.on = false;
}

/* PARTS: none of these, or nothing is fetched. */
static enum part part_of(const char *path)
{
	size_t n = strlen(fetched.path);

	for (unsigned i = 0; i < PARTS && fetched.on && strncmp(path, fetched.path, n) == 0; i++)
		if (strcmp(path + n, part_suffixes[i]) == 0)
			return (enum part)i;
	return PARTS;
}

static enum status kept_fetch(void *ctx, const char *path)
{
	struct arena           *a CLEANUP(arena_free) = arena_new(NULL);
	struct keeper_set_reply reply = { .db = -1, .wal = -1, .shm = -1 };
	struct kept_name        n;
	enum status             st = name_of(ctx, path, &n);

	kept_fetch_end();
	if (st == ST_OK && (n.above || !str_eq(n.name, STR("mail.db"))))
		st = ST_DENIED;
	if (st == ST_OK)
		st = ask(ctx, IPC_KEEPER_SET, &(struct keeper_set_request){ token_of(&n) }, a, &reply);
	if (st != ST_OK)
		return st;
	snprintf(fetched.path, sizeof(fetched.path), "%s", path);
	fetched.on = true;
	for (unsigned i = 0; i < PARTS; i++)
		fetched.fd[i] = i == PART_DB ? reply.db : i == PART_WAL ? reply.wal : i == PART_SHM ? reply.shm : -1;
	for (unsigned i = 0; i < PARTS && st == ST_OK; i++) {
		fetched.there[i] = fetched.fd[i] >= 0 || (i == PART_JOURNAL && reply.journal) || (i == PART_SUSPECT && reply.suspect);
		fetched.entry[i] = (struct disk_entry){ .size = 1 }; /* it is there: more is asked of nobody */
		if (fetched.fd[i] >= 0)
			st = disk_entry_of(fetched.fd[i], &fetched.entry[i]);
	}
	if (st != ST_OK)
		kept_fetch_end();
	return st;
}

/* ---- files ---- */

static enum status kept_open(void *ctx, const char *path, enum disk_mode mode, int *ret_fd)
{
	struct arena            *a CLEANUP(arena_free) = arena_new(NULL);
	struct keeper_open_reply reply = { .fd = -1 };
	struct kept_name         n;
	enum part                part = part_of(path);
	enum status              st;

	if (part < PARTS && fetched.fd[part] >= 0 && (mode == DISK_UPDATE || mode == DISK_OPEN)) {
		*ret_fd = fetched.fd[part];
		fetched.fd[part] = -1;
		return ST_OK;
	}
	if (part < PARTS && !fetched.there[part]) /* it may be made */
		kept_fetch_end();
	st = name_of(ctx, path, &n);
	if (st == ST_OK && n.above)
		st = ST_DENIED;
	if (st == ST_OK)
		st = ask(ctx, IPC_KEEPER_OPEN, &(struct keeper_open_request){ token_of(&n), n.name, (enum keeper_open)mode }, a, &reply);
	if (st == ST_OK && reply.fd < 0)
		st = ST_TEMP;
	if (st == ST_OK)
		*ret_fd = reply.fd;
	return st;
}

static enum status kept_look(void *ctx, const char *path, struct disk_entry *ret)
{
	struct arena            *a CLEANUP(arena_free) = arena_new(NULL);
	struct keeper_look_reply reply = { 0 };
	struct kept_name         n;
	enum part                part = part_of(path);
	enum status              st;

	if (part < PARTS && fetched.there[part])
		*ret = fetched.entry[part];
	if (part < PARTS)
		return fetched.there[part] ? ST_OK : ST_NOT_FOUND;
	st = name_of(ctx, path, &n);
	if (st == ST_OK && n.above)
		st = ST_DENIED;
	if (st == ST_OK)
		st = ask(ctx, IPC_KEEPER_LOOK, &(struct keeper_look_request){ token_of(&n), n.name }, a, &reply);
	if (st == ST_OK)
		*ret = (struct disk_entry){ reply.device, reply.inode, reply.size, reply.directory };
	return st;
}

static enum status kept_change(void *ctx, enum disk_change what, const char *path, const char *to)
{
	static const enum keeper_change as[] = {
		[DISK_REMOVE] = KEEPER_REMOVE, [DISK_RENAME] = KEEPER_RENAME, [DISK_MAKE_DIR] = KEEPER_MAKE_DIR, [DISK_SYNC_DIR] = KEEPER_SYNC_DIR,
	};
	struct arena    *a CLEANUP(arena_free) = arena_new(NULL);
	struct kept_name n, other = { .name = STR_NONE };
	enum status      st = name_of(ctx, path, &n);

	kept_fetch_end();
	if (st == ST_OK && n.above)
		return what == DISK_SYNC_DIR ? ST_OK : what == DISK_MAKE_DIR ? ST_EXISTS : ST_DENIED;
	if (st == ST_OK && to)
		st = name_of(ctx, to, &other);
	if (st != ST_OK)
		return st;
	return ask(ctx, IPC_KEEPER_CHANGE, &(struct keeper_change_request){ token_of(&n), n.name, other.name, as[what] }, a, NULL);
}

/* Page by page. */
static enum status kept_list(void *ctx, const char *path, disk_list_fn *fn, void *arg)
{
	char             after[STORE_PATH_MAX] = "";
	struct kept_name n;
	enum status      st = name_of(ctx, path, &n);
	bool             more = true;

	if (st == ST_OK && (n.above || !str_eq(n.name, STR("content"))))
		st = ST_DENIED;
	while (st == ST_OK && more) {
		struct arena            *a CLEANUP(arena_free) = arena_new(NULL);
		struct keeper_list_reply reply = { 0 };

		st = ask(ctx, IPC_KEEPER_LIST, &(struct keeper_list_request){ token_of(&n), str_of(after) }, a, &reply);
		more = st == ST_OK && reply.entry_count == KEEPER_LIST_MAX;
		for (size_t i = 0; st == ST_OK && i < reply.entry_count; i++)
			if (!str_to_c(reply.entries[i].name, after, sizeof(after)) || !fn(arg, after, reply.entries[i].mtime_ms))
				return ST_OK;
	}
	return st;
}

static enum status kept_space(void *ctx, uint64_t *ret_free, uint64_t *ret_total)
{
	struct arena             *a CLEANUP(arena_free) = arena_new(NULL);
	struct keeper_space_reply reply = { 0 };
	enum status               st = ask(ctx, IPC_KEEPER_SPACE, NULL, a, &reply);

	if (st == ST_OK) {
		*ret_free = reply.left;
		*ret_total = reply.total;
	}
	return st;
}

static const struct disk_keeper by_keeper = { kept_open, kept_look, kept_change, kept_list, kept_space, kept_fetch, kept_fetch_end };

enum status store_new_kept(struct ipc *ipc, const struct store_options *options, struct store **ret)
{
	struct store *s;
	enum status   st = store_new(DISK_KEPT, options, &s);

	if (st != ST_OK)
		return st;
	s->keeper = ipc;
	disk_keep(&by_keeper, s);
	*ret = s;
	return ST_OK;
}
