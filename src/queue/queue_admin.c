/* queue/queue_admin.c - what administrators see. Listings read with a handle of their own, page by page. */
#include <string.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue/queue_site.h"
#include "queue/queue_why.h"

/* ---- reading ---- */

/* The shared handle for listings, under its lock; NULL if it cannot be opened now. */
struct db *queue_reader_take(struct queue *q)
{
	pthread_mutex_lock(&q->read_lock);
	if (!q->read_db && db_open(q->path, &queue_db_read_options, &q->read_db) != ST_OK) {
		q->read_db = NULL;
		pthread_mutex_unlock(&q->read_lock);
	}
	return q->read_db;
}

void queue_reader_give(struct queue *q)
{
	pthread_mutex_unlock(&q->read_lock);
}

/* ?2 in the sender, ?3 in a recipient or where it leads; "" for all. */
#define FILTERS                                                                                       \
	" AND (?2 = '' OR instr(lower(m.sender), lower(?2)) > 0)"                                     \
	" AND (?3 = '' OR EXISTS(SELECT 1 FROM rcpt r WHERE r.message = m.id AND"                     \
	"      (instr(lower(r.address), lower(?3)) > 0 OR instr(lower(r.target), lower(?3)) > 0)))"

const char queue_pick_sql[] = "SELECT m.id, m.file, m.state, m.entered, m.priority, m.lane FROM message m WHERE m.id > ?4 AND m.id <= ?1" FILTERS
			      " ORDER BY m.id";

#define ENTRY_COLUMNS "m.id, m.state, m.due, m.sender, m.size, m.received, m.reason," \
	" (SELECT count(*) FROM rcpt r WHERE r.message = m.id AND r.state = 0)"

static void entry_read(struct queue *q, struct db_stmt *s, struct arena *a, struct queue_entry *e)
{
	*e = (struct queue_entry){
		.id = db_u64(s, 0),
		.state = db_u64(s, 1) == QUEUE_HELD ? QUEUE_HELD : QUEUE_WAITING,
		.from = arena_dup(a, db_str(s, 3)),
		.size = db_u64(s, 4),
		.rcpts_left = db_u64(s, 7),
		.received_ms = db_i64(s, 5),
		.next_ms = db_null(s, 2) ? 0 : queue_wall(q, db_i64(s, 2)),
		.reason = arena_dup(a, str_first(db_str(s, 6), QUEUE_REASON_MAX)),
	};
	if (e->state == QUEUE_WAITING && queue_active_find(q, e->id))
		e->state = QUEUE_ACTIVE;
}

enum status queue_list(struct queue *q, const struct queue_list_request *r, struct arena *a, struct queue_list_reply *ret)
{
	static const char sql[] =
		"SELECT " ENTRY_COLUMNS " FROM message m WHERE m.id > ?1" FILTERS
		" AND (?4 = '' OR instr(lower(m.reason), lower(?4)) > 0) AND (?5 = 0 OR m.received < ?5)"
		" AND (?6 = '' OR EXISTS(SELECT 1 FROM rcpt r WHERE r.message = m.id AND r.state = 0 AND " QUEUE_SITE_IS_SQL("?7", "?6") "))"
		" ORDER BY m.id";
	struct db              *db = queue_reader_take(q);
	struct db_stmt         *s;
	struct queue_list_reply page = { .entries = ARENA_ARRAY(a, struct queue_entry, LIMIT_LIST_PAGE) };
	enum status             st;

	if (!db)
		return ST_TEMP;
	s = db_sql(db, sql);
	db_bind_u64(s, 1, r->after);
	db_bind_str(s, 2, r->from.n ? r->from : STR(""));
	db_bind_str(s, 3, r->to.n ? r->to : STR(""));
	db_bind_str(s, 4, r->reason.n ? r->reason : STR(""));
	db_bind_i64(s, 5, r->before_ms);
	db_bind_str(s, 6, r->site.n ? r->site : STR(""));
	db_bind_str(s, 7, queue_relay_setting(q));
	while ((st = db_step(s)) == ST_OK && page.entry_count < LIMIT_LIST_PAGE)
		entry_read(q, s, a, &page.entries[page.entry_count++]);
	page.more = st == ST_OK;
	db_done(s);
	queue_reader_give(q);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	*ret = page;
	return ST_OK;
}

/* The enhanced code, unless the words have it in them. */
static struct str explain(struct arena *a, struct str code, struct str answer)
{
	answer = str_first(answer, 2 * QUEUE_REASON_MAX);
	if (code.n == 0 || (answer.n >= code.n && memmem(answer.p, answer.n, code.p, code.n)))
		return arena_dup(a, answer);
	return arena_printf(a, "%.*s %.*s", STR_FMT(code), STR_FMT(answer));
}

static struct queue_show_rcpt rcpt_read(struct db_stmt *s, struct arena *a, int64_t next_ms)
{
	return (struct queue_show_rcpt){
		.site = db_u64(s, 9) ? STR("") : arena_dup(a, db_str(s, 10)),
		.address = arena_dup(a, db_str(s, 0)),
		.target = arena_dup(a, db_str(s, 1)),
		.state = (enum queue_rcpt_state)MIN(db_u64(s, 2), QUEUE_RCPT_STATE_LAST),
		.attempts = (uint32_t)db_u64(s, 3),
		.last_ms = db_i64(s, 4),
		.next_ms = db_u64(s, 2) == QUEUE_RCPT_PENDING ? next_ms : 0,
		.answer = explain(a, db_str(s, 5), db_str(s, 6)),
		.notify = (uint32_t)db_u64(s, 7),
		.orcpt = arena_dup(a, db_str(s, 8)),
	};
}

/* Where its destination stands with the scheduler. */
static void site_fill(struct queue *q, struct arena *a, struct queue_show_rcpt *r)
{
	struct queue_site_row s;

	if (r->state != QUEUE_RCPT_PENDING || r->site.n == 0 || queue_site_find(q, r->site, a, &s) != ST_OK)
		return;
	r->site_known = true;
	r->site_state = s.state;
	r->site_now = s.now;
	r->site_limit = s.limit;
	r->site_waiting = s.waiting;
	r->site_since_ms = s.since_ms;
	r->site_until_ms = s.until_ms;
	r->site_next_ms = s.next_ms;
}

/* As many as an answer takes. */
static enum status show_rcpts(struct queue *q, struct db *db, uint64_t id, const struct queue_waits *w, struct arena *a, struct queue_show_reply *ret)
{
	static const char sql[] =
		"SELECT address, target, state, attempts, last, code, answer, notify, orcpt, account, " QUEUE_SITE_SQL("?2") " FROM rcpt r WHERE message = ?1 ORDER BY n";
	struct db_stmt *s = db_sql(db, sql);
	size_t          octets = 0;
	enum status     st;

	ret->rcpts = ARENA_ARRAY(a, struct queue_show_rcpt, LIMIT_RCPTS);
	db_bind_u64(s, 1, id);
	db_bind_str(s, 2, queue_relay_setting(q));
	while ((st = db_step(s)) == ST_OK && ret->rcpt_count < LIMIT_RCPTS && octets < LIMIT_LIST_OCTETS) {
		struct queue_show_rcpt *r = &ret->rcpts[ret->rcpt_count++];

		*r = rcpt_read(s, a, ret->entry.next_ms);
		site_fill(q, a, r);
		r->why = queue_why(a, w, r);
		octets += r->address.n + r->target.n + r->answer.n + r->orcpt.n + r->site.n + r->why.n + 128;
	}
	ret->more = st == ST_OK;
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status show(struct queue *q, struct db *db, uint64_t id, struct arena *a, struct queue_show_reply *ret)
{
	static const char sql[] = "SELECT " ENTRY_COLUMNS ", m.session, m.peer, m.envid, m.flags, m.priority, m.deliver_by, m.entered,"
				  " m.attempts, m.stalls, m.crashes, m.warned, m.last"
				  " FROM message m WHERE m.id = ?1";
	struct db_stmt    *s = db_sql(db, sql);
	struct queue_waits w = { 0 };
	enum status        st;

	db_bind_u64(s, 1, id);
	st = db_step(s);
	if (st == ST_OK) {
		entry_read(q, s, a, &ret->entry);
		ret->session = arena_dup(a, db_str(s, 8));
		ret->peer = arena_dup(a, db_str(s, 9));
		ret->envid = arena_dup(a, db_str(s, 10));
		ret->flags = (uint32_t)db_u64(s, 11);
		ret->priority = db_i64(s, 12);
		ret->deliver_by_ms = db_i64(s, 13) ? queue_wall(q, db_i64(s, 13)) : 0;
		ret->begins_ms = db_i64(s, 14) > queue_now(q) ? queue_wall(q, db_i64(s, 14)) : 0;
		ret->expires_ms = queue_wall(q, db_i64(s, 14) + queue_live(q).expire_ms);
		ret->attempts = (uint32_t)db_u64(s, 15);
		ret->stalls = (uint32_t)db_u64(s, 16);
		ret->crashes = (uint32_t)db_u64(s, 17);
		w = (struct queue_waits){ .show = ret, .due = db_null(s, 2) ? 0 : db_i64(s, 2), .deliver_by = db_i64(s, 13), .entered = db_i64(s, 14),
					  .warned = (uint32_t)db_u64(s, 18), .last_ms = db_i64(s, 19), .delay_warning_ms = queue_live(q).delay_warning_ms };
	}
	db_done(s);
	return st == ST_OK ? show_rcpts(q, db, id, &w, a, ret) : st;
}

enum status queue_show(struct queue *q, uint64_t id, struct arena *a, struct queue_show_reply *ret)
{
	struct queue_show_reply one = { 0 };
	struct db              *db = queue_reader_take(q);
	enum status             st;

	if (!db)
		return ST_TEMP;
	st = db_begin_read(db);
	if (st == ST_OK) {
		st = show(q, db, id, a, &one);
		if (st == ST_OK)
			st = db_commit(db);
		else
			db_rollback(db);
	}
	queue_reader_give(q);
	if (st == ST_OK)
		*ret = one;
	return st;
}

enum status queue_stats(struct queue *q, struct queue_stats_reply *ret)
{
	*ret = (struct queue_stats_reply){
		.messages = atomic_load(&q->messages),
		.held = atomic_load(&q->held),
		.in_flight = atomic_load(&q->in_flight),
		.submitted = atomic_load(&q->submitted),
		.delivered = atomic_load(&q->delivered),
		.bounced = atomic_load(&q->bounced),
		.full = queue_full(q),
		.suspect = atomic_load(&q->suspect),
	};
	return ST_OK;
}

/* ---- requests ---- */

static void on_list(void *ctx, struct ipc_request *r)
{
	struct queue_list_reply reply = { 0 };
	enum status             st = queue_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, &reply);
}

static void on_show(void *ctx, struct ipc_request *r)
{
	const struct queue_id_request *body = r->body;
	struct queue_show_reply        reply = { 0 };
	enum status                    st = queue_show(ctx, body->id, r->arena, &reply);

	ipc_reply(r, st, &reply);
}

static void on_stats(void *ctx, struct ipc_request *r)
{
	struct queue_stats_reply reply = { 0 };
	enum status              st = queue_stats(ctx, &reply);

	ipc_reply(r, st, &reply);
}

static void usage_done(void *arg, enum status st, const void *reply)
{
	ipc_reply(arg, st, reply);
}

static void on_usage(void *ctx, struct ipc_request *r)
{
	struct queue                     *q = ctx;
	const struct local_usage_request *body = r->body;

	ipc_start(q->ipc, ROLE_LOCAL, body->account, IPC_LOCAL_USAGE, body, usage_done, r);
}

static void purge_done(void *arg, enum status st, const void *reply)
{
	(void)reply;
	ipc_reply(arg, st, NULL);
}

static void on_purge(void *ctx, struct ipc_request *r)
{
	struct queue                     *q = ctx;
	const struct queue_purge_request *body = r->body;
	struct local_purge_request        request = { body->account };

	if (!q->ipc) { /* the server was stopped since the command looked for it */
		ipc_reply(r, ST_CLOSED, NULL);
		return;
	}
	ipc_start(q->ipc, ROLE_LOCAL, body->account, IPC_LOCAL_PURGE, &request, purge_done, r);
}

const struct ipc_row queue_rows[] = {
	{ IPC_QUEUE_SUBMIT, queue_submit, 0 },
	{ IPC_QUEUE_KNOWN, queue_known, 0 },
	{ IPC_QUEUE_SPOOL, queue_spool, 0 },
	{ IPC_QUEUE_LIST, on_list, QUEUE_POOL },
	{ IPC_QUEUE_SHOW, on_show, QUEUE_POOL },
	{ IPC_QUEUE_RETRY, queue_on_retry, QUEUE_POOL },
	{ IPC_QUEUE_REMOVE, queue_on_remove, QUEUE_POOL },
	{ IPC_QUEUE_HOLD, queue_on_hold, QUEUE_POOL },
	{ IPC_QUEUE_RELEASE, queue_on_release, QUEUE_POOL },
	{ IPC_QUEUE_STATS, on_stats, 0 },
	{ IPC_QUEUE_REDIRECT, queue_on_redirect, QUEUE_POOL },
	{ IPC_QUEUE_EDIT, queue_on_edit, QUEUE_POOL },
	{ IPC_QUEUE_BOUNCE, queue_on_bounce, QUEUE_POOL },
	{ IPC_QUEUE_SHAPE, queue_on_shape, QUEUE_POOL },
	{ IPC_QUEUE_SITES, queue_on_sites, QUEUE_POOL },
	{ IPC_QUEUE_FLUSH, queue_on_flush, QUEUE_POOL },
	{ IPC_QUEUE_TRACE, queue_event_take, 0 },
	{ IPC_QUEUE_TRACE_FIND, queue_event_find, QUEUE_POOL },
	{ IPC_QUEUE_USAGE, on_usage, 0 },
	{ IPC_QUEUE_PURGE_ACCOUNT, on_purge, 0 },
};
const size_t queue_row_count = LEN(queue_rows);
