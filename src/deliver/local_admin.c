/* deliver/local_admin.c - see local_admin.h. */
#include "deliver/local_admin.h"

#include "base/log.h"
#include "ipc/msg_local.h"
#include "store/store_mend.h"
#include "store/store_undelete.h"

static void announce(const struct local_admin *l, uint64_t account, uint64_t modseq)
{
	if (l->ipc)
		ipc_bus_send(l->ipc, account, IPC_BUS_MAIL, modseq);
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
	enum store_mend_kind      kind; /* of what on_found is told */
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
	on_told(arg, STORE_MEND_BROKEN, invariant, text);
}

static enum status fsck(const struct local_admin *l, const struct local_fsck_request *q, struct report *p)
{
	struct store_account *a;
	struct store_info     info;
	uint64_t              breaks = 0, changes = 0;
	enum status           st = store_open(l->store, q->account, &a);

	if (st == ST_CORRUPT || st == ST_EXISTS) { /* EXISTS: the account's row is gone, and not its mailboxes */
		on_told(p, STORE_MEND_BROKEN, "A13", STR("the database cannot be opened"));
		return ST_OK;
	}
	if (st != ST_OK)
		return st;
	st = store_check(a, on_found, p, &breaks);
	if (st == ST_OK && q->repair && breaks > 0)
		st = store_mend(a, on_told, p, &changes);
	/* Where something was broken, rows may be lost, and a file that no row names may be their message. */
	if (st == ST_OK && q->repair && breaks == 0)
		st = store_clean(a);
	if (st == ST_CORRUPT && q->repair) {
		on_told(p, STORE_MEND_BROKEN, "A13", STR("the database cannot be repaired where it is"));
		st = ST_OK;
	} else if (st == ST_OK && changes > 0) {
		p->reply->left = 0;
		st = store_check(a, NULL, NULL, &p->reply->left);
		if (st == ST_OK && store_info(a, &info) == ST_OK)
			announce(l, q->account, info.modseq);
	}
	store_close(&a);
	return st;
}

static enum status fsck_start(const struct local_admin *l, const struct local_fsck_request *q, struct report *p)
{
	if (!store_there(l->store, q->account)) {
		p->reply->empty = true;
		return ST_OK;
	}
	return fsck(l, q, p);
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
