/* store/keeper_rows.c - see keeper_rows.h. */
#include "store/keeper_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"
#include "store/keeper_name.h"
#include "sys/clock.h"
#include "sys/disk.h"

#define TELL_MS   1000 /* refusals are logged no more often; each is counted */
#define LEAF_MAX  100
_Static_assert(KEEPER_READ == (int)DISK_READ && KEEPER_UPDATE == (int)DISK_UPDATE && KEEPER_OPEN == (int)DISK_OPEN && KEEPER_NEW == (int)DISK_NEW,
	       "the modes are those of sys/disk.h");

/* A name, resolved: `leaf` in the open directory `dir`. */
struct place {
	enum keeper_name kind;
	int              dir;
	char             shard[8], account[24], leaf[LEAF_MAX];
};

static void place_done(struct place *p)
{
	fd_close(&p->dir);
}

/* Nobody who asks properly is refused: it is a mistake of ours, or a process that is no longer ours. */
static enum status refuse(struct keeper *k, const struct ipc_request *r, const char *why)
{
	int64_t now = clock_mono_ms(), told = atomic_load(&k->told_ms);

	metric_add(METRIC_KEEPER_REFUSED, 1);
	if ((told == 0 || now - told >= TELL_MS) && atomic_compare_exchange_strong(&k->told_ms, &told, now))
		log_warn("a file was refused", LOG_C("peer", role_name(r->asker)), LOG_U64("instance", r->instance), LOG_C("why", why));
	return ST_DENIED;
}

/* Whose sign-in is it. */
static enum status account_of(struct keeper *k, const struct ipc_request *r, struct str token, uint64_t *ret)
{
	const struct session_side side = { r->asker, r->instance, r->life };
	struct session_token      t;

	if (!session_token_read(k->key, token, clock_mono_ms(), &t))
		return refuse(k, r, "no token of ours, or one that is over");
	if (!session_side_same(&t.side, &side) || t.account == 0 || t.account > INT64_MAX)
		return refuse(k, r, "a token of another process");
	*ret = t.account;
	return ST_OK;
}

/* Down from the accounts directory, one name after the other. */
static enum status walk(const struct keeper *k, const struct place *p, unsigned depth, int *ret_dir)
{
	const char *const names[] = { p->shard, p->account, "content" };
	int               at = -1, next;
	enum status       st = ST_OK;

	for (unsigned i = 0; i < depth && st == ST_OK; i++) {
		st = disk_open_dir(i == 0 ? k->accounts : at, names[i], &next);
		fd_close(&at);
		if (st == ST_OK)
			at = next;
	}
	*ret_dir = at;
	return st;
}

/* Token and name of a request; *p has the directory open in which the name stands. */
static enum status place_open(struct keeper *k, const struct ipc_request *r, struct str token, struct str name, struct place *p)
{
	uint64_t    account = 0;
	enum status st;

	*p = (struct place){ .dir = -1 };
	st = account_of(k, r, token, &account);
	if (st != ST_OK)
		return st;
	p->kind = keeper_name_of(name);
	if (p->kind == KEEPER_NAME_NONE)
		return refuse(k, r, "not a name of an account's file");
	snprintf(p->shard, sizeof(p->shard), "%02x", (unsigned)(account & 0xff));
	snprintf(p->account, sizeof(p->account), "%" PRIu64, account);
	if (p->kind == KEEPER_NAME_ACCOUNT) {
		snprintf(p->leaf, sizeof(p->leaf), "%s", p->account);
		return walk(k, p, 1, &p->dir);
	}
	str_skip(&name, STR("content/"));
	CHECK(str_to_c(name, p->leaf, sizeof(p->leaf)));
	return walk(k, p, p->kind == KEEPER_NAME_HASH || p->kind == KEEPER_NAME_TEMP || p->kind == KEEPER_NAME_KEEP ? 3 : 2, &p->dir);
}

static void on_open(void *ctx, struct ipc_request *r)
{
	const struct keeper_open_request *q = r->body;
	struct keeper_open_reply          reply = { .fd = -1 };
	struct place                      p CLEANUP(place_done);
	enum status                       st = place_open(ctx, r, q->token, q->name, &p);

	if (st == ST_OK && !keeper_name_may_open(p.kind, q->mode))
		st = refuse(ctx, r, "a file that is not opened so");
	if (st == ST_OK)
		st = disk_open_plain(p.dir, p.leaf, (enum disk_mode)q->mode, &reply.fd);
	if (st == ST_OK)
		metric_add(METRIC_KEEPER_OPENED, 1);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
	fd_close(&reply.fd);
}

static void on_look(void *ctx, struct ipc_request *r)
{
	const struct keeper_look_request *q = r->body;
	struct keeper_look_reply          reply = { 0 };
	struct disk_entry                 e;
	struct place                      p CLEANUP(place_done);
	enum status                       st = place_open(ctx, r, q->token, q->name, &p);

	if (st == ST_OK)
		st = disk_look(p.dir, p.leaf, &e);
	if (st == ST_OK)
		reply = (struct keeper_look_reply){ e.device, e.inode, e.size, e.directory };
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

/* One that is not there is none. */
static enum status open_if(const struct place *p, const char *name, int *ret_fd)
{
	enum status st = disk_open_plain(p->dir, name, DISK_UPDATE, ret_fd);

	if (st == ST_OK)
		metric_add(METRIC_KEEPER_OPENED, 1);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status look_for(const struct place *p, const char *name, bool *ret_there)
{
	enum status st = disk_look(p->dir, name, NULL);

	*ret_there = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static void on_set(void *ctx, struct ipc_request *r)
{
	const struct keeper_set_request *q = r->body;
	struct keeper_set_reply          reply = { .db = -1, .wal = -1, .shm = -1 };
	struct place                     p CLEANUP(place_done);
	enum status                      st = place_open(ctx, r, q->token, STR("mail.db"), &p);

	if (st == ST_OK)
		st = look_for(&p, "mail.db.suspect", &reply.suspect);
	if (st == ST_OK)
		st = open_if(&p, "mail.db", &reply.db);
	if (st == ST_OK)
		st = look_for(&p, "mail.db-journal", &reply.journal);
	if (st == ST_OK)
		st = open_if(&p, "mail.db-wal", &reply.wal);
	if (st == ST_OK)
		st = open_if(&p, "mail.db-shm", &reply.shm);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
	fd_close(&reply.db);
	fd_close(&reply.wal);
	fd_close(&reply.shm);
}

static enum status make_dir(struct keeper *k, struct place *p)
{
	enum status st;

	if (p->kind != KEEPER_NAME_ACCOUNT)
		return disk_make_dir(p->dir, p->leaf);
	st = disk_make_dir(k->accounts, p->shard);
	if (st != ST_OK && st != ST_EXISTS)
		return st;
	fd_close(&p->dir);
	st = walk(k, p, 1, &p->dir);
	return st == ST_OK ? disk_make_dir(p->dir, p->leaf) : st;
}

static enum status sync_one(struct keeper *k, const struct place *p, unsigned depth)
{
	int         dir CLEANUP(fd_close) = -1;
	enum status st = walk(k, p, depth, &dir);

	return st == ST_OK ? disk_sync_dir(dir, "") : st;
}

static enum status sync_dir(struct keeper *k, const struct place *p)
{
	enum status st;

	if (p->kind == KEEPER_NAME_CONTENT)
		return sync_one(k, p, 3);
	st = sync_one(k, p, 2);
	if (st == ST_OK)
		st = sync_one(k, p, 1);
	return st == ST_OK ? disk_sync_dir(k->accounts, "") : st;
}

static enum status rename_file(const struct place *p, struct str to)
{
	char leaf[LEAF_MAX];

	str_skip(&to, STR("content/"));
	CHECK(str_to_c(to, leaf, sizeof(leaf)));
	return disk_rename(p->dir, p->leaf, leaf);
}

static bool may_change(const struct keeper_change_request *q, enum keeper_name kind)
{
	switch (q->what) {
	case KEEPER_REMOVE:   return keeper_name_may_go(kind);
	case KEEPER_RENAME:   return keeper_name_may_become(q->name, q->to);
	case KEEPER_MAKE_DIR:
	case KEEPER_SYNC_DIR: return kind == KEEPER_NAME_ACCOUNT || kind == KEEPER_NAME_CONTENT;
	}
	return false;
}

static void on_change(void *ctx, struct ipc_request *r)
{
	const struct keeper_change_request *q = r->body;
	struct place                        p CLEANUP(place_done);
	enum status                         st = place_open(ctx, r, q->token, q->name, &p);
	bool                                first = st == ST_NOT_FOUND && q->what == KEEPER_MAKE_DIR && p.kind == KEEPER_NAME_ACCOUNT;

	if ((st == ST_OK || first) && !may_change(q, p.kind)) {
		st = refuse(ctx, r, "a name that is not changed so");
	} else if (st == ST_OK || first) {
		switch (q->what) {
		case KEEPER_REMOVE:   st = disk_remove(p.dir, p.leaf); break;
		case KEEPER_RENAME:   st = rename_file(&p, q->to); break;
		case KEEPER_MAKE_DIR: st = make_dir(ctx, &p); break;
		case KEEPER_SYNC_DIR: st = sync_dir(ctx, &p); break;
		}
	}
	ipc_reply(r, st, NULL);
}

/* ---- listing ---- */

struct listing {
	struct arena             *arena;
	struct str                after;
	struct keeper_list_entry *entries;
	size_t                    count, cap;
};

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct keeper_list_entry *)a)->name, ((const struct keeper_list_entry *)b)->name);
}

static bool list_add(void *arg, const char *name, int64_t mtime_ms)
{
	struct listing *l = arg;
	char            full[LEAF_MAX + 8];

	if (strlen(name) >= LEAF_MAX || str_cmp(str_of(name), l->after) <= 0)
		return true;
	snprintf(full, sizeof(full), "content/%s", name);
	if (keeper_name_of(str_of(full)) == KEEPER_NAME_NONE)
		return true; /* nothing of ours */
	if (l->count == l->cap) {
		struct keeper_list_entry *more = ARENA_ARRAY(l->arena, struct keeper_list_entry, l->cap ? 2 * l->cap : 256);

		if (l->count > 0)
			memcpy(more, l->entries, l->count * sizeof(*more));
		l->cap = l->cap ? 2 * l->cap : 256;
		l->entries = more;
	}
	l->entries[l->count++] = (struct keeper_list_entry){ arena_dup(l->arena, str_of(name)), mtime_ms };
	return true;
}

static void on_list(void *ctx, struct ipc_request *r)
{
	const struct keeper_list_request *q = r->body;
	struct listing                    l = { .arena = r->arena, .after = q->after };
	struct keeper_list_reply          reply;
	struct place                      p CLEANUP(place_done);
	enum status                       st = place_open(ctx, r, q->token, STR("content"), &p);
	int                               dir CLEANUP(fd_close) = -1;

	if (st == ST_OK)
		st = walk(ctx, &p, 3, &dir);
	if (st == ST_OK)
		st = disk_list(dir, "", list_add, &l);
	if (st == ST_OK && l.count > 1)
		qsort(l.entries, l.count, sizeof(*l.entries), by_name);
	reply = (struct keeper_list_reply){ l.entries, MIN(l.count, KEEPER_LIST_MAX) };
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_space(void *ctx, struct ipc_request *r)
{
	const struct keeper      *k = ctx;
	struct keeper_space_reply reply = { 0 };
	enum status               st = disk_space(k->accounts, &reply.left, &reply.total);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

const struct ipc_row keeper_rows[] = {
	{ IPC_KEEPER_OPEN, on_open, KEEPER_POOL },
	{ IPC_KEEPER_LOOK, on_look, KEEPER_POOL },
	{ IPC_KEEPER_SET, on_set, KEEPER_POOL },
	{ IPC_KEEPER_CHANGE, on_change, KEEPER_SYNC_POOL },
	{ IPC_KEEPER_LIST, on_list, KEEPER_SYNC_POOL },
	{ IPC_KEEPER_SPACE, on_space, 0 },
};
const size_t keeper_row_count = LEN(keeper_rows);
