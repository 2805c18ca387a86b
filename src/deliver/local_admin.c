/* deliver/local_admin.c - see local_admin.h. */
#include "deliver/local_admin.h"

#include <stdio.h>

#include "base/log.h"
#include "deliver/local_used.h"
#include "ipc/msg_local.h"
#include "store/store_keep.h"
#include "store/store_mend.h"
#include "store/store_salvage.h"
#include "store/store_undelete.h"

/* Without a server nobody hears: what the account holds is counted by the next delivery. */
static void announce(const struct local_admin *l, uint64_t account, uint64_t modseq)
{
	if (!l->ipc)
		return;
	ipc_bus_send(l->ipc, account, IPC_BUS_MAIL, modseq);
	local_used_tell(l->ipc, l->store, account);
}

/* ---- undelete ---- */

static enum status undelete(const struct local_admin *l, struct ipc_request *r, struct local_undelete_reply *ret)
{
	const struct local_undelete_request *q = r->body;
	const struct store_undelete          u = { .mailbox = q->mailbox, .into = q->into, .since_ms = q->since_ms, .until_ms = q->until_ms,
						   .list = q->list, .max_rows = LIMIT_LIST_PAGE };
	struct store_undeleted               got;
	struct store_account                *a;
	enum status                          st = store_there(l->store, q->account) ? store_open(l->store, q->account, &a) : ST_NOT_FOUND;

	if (st != ST_OK)
		return st;
	st = store_undelete(a, &u, r->arena, &got);
	store_close(&a);
	if (st != ST_OK)
		return st;
	ret->count = got.count;
	ret->size = got.size;
	ret->nameless = got.nameless;
	ret->rows = ARENA_ARRAY(r->arena, struct local_undeleted, got.row_count);
	for (size_t i = 0; i < got.row_count; i++) {
		const struct store_undeleted_row *row = &got.rows[i];

		ret->rows[ret->row_count++] = (struct local_undeleted){ row->mailbox, row->uid, row->new_uid, row->gone_ms, row->size, row->from,
									row->subject };
	}
	if (!q->list && got.count > 0)
		announce(l, q->account, got.modseq);
	return ST_OK;
}

static void on_undelete(void *ctx, struct ipc_request *r)
{
	struct local_undelete_reply reply = { 0 };
	enum status                 st = undelete(ctx, r, &reply);

	ipc_reply(r, st, &reply);
}

/* ---- fsck ---- */

struct report {
	struct arena             *arena;
	struct local_fsck_reply  *reply;
	struct local_finding      rows[LIMIT_LIST_PAGE];
	bool                      unreadable; /* A13 was told */
};

static void on_told(void *arg, enum store_mend_kind kind, const char *invariant, struct str text)
{
	struct report           *p = arg;
	struct local_fsck_reply *r = p->reply;

	r->broken += kind == STORE_MEND_BROKEN;
	r->fixed += kind == STORE_MEND_FIXED;
	r->moved += kind == STORE_MEND_MOVED;
	r->lost += kind == STORE_MEND_LOST;
	/* What is lost has a place kept for it: of an account with many breaks that is what must be known. */
	if (r->finding_count >= LEN(p->rows) || (kind == STORE_MEND_BROKEN && r->finding_count >= LEN(p->rows) / 4)) {
		r->more = true;
		return;
	}
	p->rows[r->finding_count++] = (struct local_finding){ (uint32_t)kind, str_of(invariant),
							      arena_dup(p->arena, str_first(text, LIMIT_FINDING)) };
}

static void on_found(void *arg, const char *invariant, struct str text)
{
	struct report *p = arg;

	p->unreadable |= str_eq(str_of(invariant), STR("A13"));
	on_told(p, STORE_MEND_BROKEN, invariant, text);
}

/* Where something is broken rows may be lost, and a file that no row names may be their message. */
static enum status orphans(const struct local_admin *l, struct store_account *a, const struct local_fsck_request *q, uint64_t breaks,
			   struct report *p)
{
	struct store_orphans found = { 0 };
	enum status          st = store_orphans_count(a, &found);
	char                 text[120];

	if (st != ST_OK)
		return st;
	if (breaks > 0 && found.loose > 0) {
		st = store_keep_begin(l->store, q->account);
		found.kept += found.loose;
	}
	if (st == ST_OK && found.kept > 0 && !q->salvage) {
		snprintf(text, sizeof(text), "%llu files that no row names are kept: --salvage brings them into Recovered",
			 (unsigned long long)found.kept);
		on_told(p, STORE_MEND_BROKEN, "A8", str_of(text));
	}
	return st;
}

/* What a repair in place can do; ST_CORRUPT: it cannot. */
static enum status mend(struct store_account *a, const struct local_fsck_request *q, uint64_t breaks, uint64_t *ret_changes,
			struct report *p)
{
	uint64_t    moved = 0;
	enum status st = breaks > 0 ? store_mend(a, on_told, p, ret_changes) : ST_OK;

	if (st == ST_OK && q->salvage)
		st = store_adopt(a, on_told, p, &moved);
	*ret_changes += moved;
	return st == ST_OK && breaks == 0 && !q->salvage ? store_clean(a) : st;
}

static enum status fsck(const struct local_admin *l, const struct local_fsck_request *q, struct report *p)
{
	struct store_account *a;
	struct store_info     info;
	uint64_t              breaks = 0, changes = 0;
	enum status           st = store_open(l->store, q->account, &a);

	if (st != ST_OK)
		return st == ST_EXISTS /* the account's row is gone, and not its mailboxes */ ? ST_CORRUPT : st;
	st = store_check(a, on_found, p, &breaks);
	if (st == ST_OK && p->unreadable)
		st = ST_CORRUPT;
	if (st == ST_OK)
		st = orphans(l, a, q, breaks, p);
	if (st == ST_OK && (q->repair || q->salvage))
		st = mend(a, q, breaks, &changes, p);
	if (st == ST_OK && changes > 0) {
		p->reply->left = 0;
		st = store_check(a, NULL, NULL, &p->reply->left);
		if (st == ST_OK && store_info(a, &info) == ST_OK)
			announce(l, q->account, info.modseq);
	}
	store_close(&a);
	return st;
}

static enum status salvage(const struct local_admin *l, const struct local_fsck_request *q, struct report *p)
{
	struct local_fsck_reply *r = p->reply;
	struct store_salvaged    got;
	enum status              st;

	/* What was told of the old database says nothing of the new one. */
	r->finding_count = 0;
	r->more = false;
	r->fixed = r->moved = r->lost = r->left = 0;
	r->broken = 1;
	st = store_salvage(l->store, q->account, on_told, p, &got);
	if (st != ST_OK)
		return st;
	r->salvaged = true;
	r->kept = got.kept;
	r->aside = got.aside;
	log_warn("account was salvaged and is used again", LOG_U64("account", q->account), LOG_U64("kept", got.kept),
		 LOG_U64("moved", got.moved), LOG_U64("lost", got.lost), LOG_U64("damaged", got.aside));
	announce(l, q->account, got.modseq);
	return ST_OK;
}

/* A database that cannot be read where it is: A13. One that is set aside and cannot be repaired comes here too. */
static enum status fsck_or_salvage(const struct local_admin *l, const struct local_fsck_request *q, struct report *p)
{
	enum status st = fsck(l, q, p);

	if (st == ST_SUSPECT)
		st = store_repair(l->store, q->account) == ST_CORRUPT ? ST_CORRUPT : ST_SUSPECT;
	if (st != ST_CORRUPT)
		return st;
	if (q->salvage)
		return salvage(l, q, p);
	on_told(p, STORE_MEND_BROKEN, "A13", STR("the database cannot be read: --salvage makes a new one of what can be"));
	return store_keep_if_any(l->store, q->account);
}

static enum status fsck_start(const struct local_admin *l, const struct local_fsck_request *q, struct report *p)
{
	if (store_there(l->store, q->account))
		return fsck_or_salvage(l, q, p);
	if (!store_contents_there(l->store, q->account)) {
		p->reply->empty = true;
		return ST_OK;
	}
	if (q->salvage)
		return salvage(l, q, p);
	on_told(p, STORE_MEND_BROKEN, "A13", STR("there is no database, and contents are there"));
	return ST_OK;
}

static void on_fsck(void *ctx, struct ipc_request *r)
{
	const struct local_fsck_request *q = r->body;
	struct local_fsck_reply          reply = { 0 };
	struct report                   *p = ARENA_NEW(r->arena, struct report);
	enum status                      st;

	p->arena = r->arena;
	p->reply = &reply;
	st = fsck_start(ctx, q, p);
	reply.findings = p->rows;
	if (reply.broken > 0)
		log_info("account checked", LOG_U64("account", q->account), LOG_U64("broken", reply.broken), LOG_U64("fixed", reply.fixed),
			 LOG_U64("lost", reply.lost));
	ipc_reply(r, st, &reply);
}

const struct ipc_row local_admin_rows[] = {
	{ IPC_LOCAL_UNDELETE, on_undelete, LOCAL_ADMIN_POOL },
	{ IPC_LOCAL_FSCK, on_fsck, LOCAL_ADMIN_POOL },
};
const size_t local_admin_row_count = LEN(local_admin_rows);
