/* queue/queue_wish.c - what administrators wish: retry, remove, hold, release. All go through the writer.
 *
 * A message in its round is not in the writer's hands: it is marked in memory, and the end of its round looks at the mark. Its rows
 * are taken away at once when it is removed, so that no crash brings it back.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_wish.h"
#include "wire/text/queue_id.h"

#define LOOK_MAX 1000u /* in one operation: strangers wait for the writer meanwhile */

static enum status pick(struct queue *q, struct wish *w)
{
	struct db_stmt *s;
	enum status     st;

	w->upto = w->upto ? w->upto : w->r->id ? w->r->id : q->next_id - 1;
	st = queue_page_end(q, w->after, w->upto, LOOK_MAX, &w->last);

	for (size_t i = 0; i < w->picked_count && w->forget; i++) /* of a batch that was rolled back */
		w->forget(&w->picked[i]);
	w->picked_count = 0;
	if (st != ST_OK || w->last == 0)
		return st;
	s = db_sql(q->db, queue_pick_sql);
	db_bind_u64(s, 1, w->last);
	db_bind_str(s, 2, w->r->from.n ? w->r->from : STR(""));
	db_bind_str(s, 3, w->r->to.n ? w->r->to : STR(""));
	db_bind_u64(s, 4, w->after);
	while ((st = db_step(s)) == ST_OK && w->picked_count < w->most)
		w->picked[w->picked_count++] =
			(struct picked){ .id = db_u64(s, 0),
					 .file = db_u64(s, 1),
					 .held = db_u64(s, 2) == QUEUE_HELD,
					 .entered = db_i64(s, 3),
					 .priority = (int32_t)db_i64(s, 4),
					 .lane = (uint32_t)db_u64(s, 5) };
	db_done(s);
	if (w->picked_count == w->most)
		w->last = w->picked[w->most - 1].id; /* the next operation goes on behind it */
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status wish_apply(struct queue *q, struct queue_op *op)
{
	struct wish *w = CONTAINER_OF(op, struct wish, op);
	enum status  st = pick(q, w);

	for (size_t i = 0; i < w->picked_count && st == ST_OK; i++)
		st = w->change(q, w, &w->picked[i]);
	return st;
}

static void wish_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct wish *w = CONTAINER_OF(op, struct wish, op);

	for (size_t i = 0; i < w->picked_count; i++)
		if (w->picked[i].did)
			w->changed(q, w, &w->picked[i], st == ST_OK);
}

static void count_one(struct wish *w, const struct picked *p, uint64_t *count)
{
	*count += p->did;
	w->recipients += p->did ? p->recipients : 0;
	w->busy += p->busy;
	if (p->busy && w->busy_ids && w->busy_id_count < LIMIT_QUEUE_BUSY)
		w->busy_ids[w->busy_id_count++].id = p->id;
}

/* One operation after the other until all were looked at. ST_OK though a later one failed: *ret_count tells how far it came. */
enum status queue_wish(struct queue *q, struct wish *w, uint64_t *ret_count)
{
	uint64_t    count = 0, seen = 0;
	size_t      found;
	enum status st;

	w->after = w->r->id ? w->r->id - 1 : 0;
	w->op = (struct queue_op){ .apply = wish_apply, .finish = wish_finish };
	w->most = w->most ? w->most : LOOK_MAX;
	w->picked = calloc(w->most, sizeof(*w->picked));
	CHECK(w->picked);
	do {
		w->picked_count = 0;
		w->last = 0;
		st = queue_perform(q, &w->op);
		found = st == ST_OK ? w->picked_count : 0;
		seen += found;
		for (size_t i = 0; i < found; i++)
			count_one(w, &w->picked[i], &count);
		w->after = w->last;
	} while (st == ST_OK && w->last && !w->r->id);
	free(w->picked);
	if (st != ST_OK && count == 0)
		return st;
	if (seen == 0 && w->r->id)
		return ST_NOT_FOUND;
	*ret_count = count;
	return ST_OK;
}

enum status queue_wish_told(struct queue *q, struct wish *w, struct queue_edit_reply *ret)
{
	enum status st;

	w->busy_ids = ret->busy_ids;
	st = queue_wish(q, w, &ret->count);
	ret->busy = w->busy;
	ret->busy_id_count = w->busy_id_count;
	ret->reports = w->reports;
	ret->recipients = w->recipients;
	ret->wrong = w->wrong;
	return st;
}

enum status queue_wish_means(struct queue *q, const struct wish *w, struct picked *p, bool *ret)
{
	static const char sql[] = "SELECT count(*), count(*) FILTER (WHERE " QUEUE_RCPT_MATCH_SQL("?2") ") FROM rcpt r WHERE message = ?1 AND state = 0";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	p->did = p->busy = *ret = false;
	db_bind_u64(s, 1, p->id);
	db_bind_str(s, 2, w->r->to.n ? w->r->to : STR(""));
	st = db_step(s);
	if (st == ST_OK) {
		p->recipients = db_u64(s, 1);
		p->whole = p->recipients == db_u64(s, 0);
		*ret = w->r->to.n == 0 || p->recipients > 0;
	}
	db_done(s);
	return st;
}

/* The message if it is in its round and what comes of that is not decided yet. Else its row says what is: the result may stand in it
 * while the message itself is still in memory, until the next sync. */
struct queue_msg *queue_under_way(struct queue *q, uint64_t id)
{
	struct queue_msg *m = queue_active_find(q, id);

	return m && !m->decided ? m : NULL;
}

/* ---- retry, release: due now ---- */

/* `at`: when it begins or began, if that is later. */
enum status queue_due_now(struct queue *q, uint64_t id, int64_t at)
{
	static const char sql[] = "UPDATE message SET state = 0, due = ?2, entered = min(entered, ?2), crashes = 0, reason = ?3 WHERE id = ?1";
	struct db_stmt   *s = db_sql(q->db, sql);
	int64_t           now = queue_now(q);

	db_bind_u64(s, 1, id);
	db_bind_i64(s, 2, MAX(at, now));
	db_bind_str(s, 3, at > now ? STR(QUEUE_HELD_BACK) : STR(""));
	return db_run(s);
}

/* One that is being tried this moment counts as done. */
static enum status retry_one(struct queue *q, struct wish *w, struct picked *p)
{
	(void)w;
	p->did = true;
	return queue_under_way(q, p->id) ? ST_OK : queue_due_now(q, p->id, 0);
}

/* All: but not what its sender wants held back. */
static enum status retry_any(struct queue *q, struct wish *w, struct picked *p)
{
	(void)w;
	p->did = p->held || p->entered <= queue_now(q);
	if (!p->did || queue_under_way(q, p->id))
		return ST_OK;
	return queue_due_now(q, p->id, p->entered);
}

/* A quarantine ends, not the time that the sender chose. */
static enum status release_one(struct queue *q, struct wish *w, struct picked *p)
{
	(void)w;
	p->did = p->held;
	return p->held ? queue_due_now(q, p->id, p->entered) : ST_OK;
}

void queue_due_end(struct queue *q, struct wish *w, struct picked *p, bool ok)
{
	(void)w;
	if (!ok)
		return;
	atomic_fetch_sub(&q->held, p->held);
	queue_dues_add(&q->dues, p->priority, p->lane, queue_now(q));
}

enum status queue_retry(struct queue *q, const struct queue_id_request *r, uint64_t *ret_count)
{
	struct wish w = { .r = r, .change = r->id ? retry_one : retry_any, .changed = queue_due_end };

	queue_sites_try(q->sites);
	return queue_wish(q, &w, ret_count);
}

enum status queue_release(struct queue *q, const struct queue_id_request *r, uint64_t *ret_count)
{
	struct wish w = { .r = r, .change = release_one, .changed = queue_due_end };

	return queue_wish(q, &w, ret_count);
}

/* ---- hold ---- */

static enum status hold_one(struct queue *q, struct wish *w, struct picked *p)
{
	static const char sql[] = "UPDATE message SET state = 2, due = NULL, reason = ?2 WHERE id = ?1";
	struct queue_msg *m = queue_under_way(q, p->id);
	struct db_stmt   *s;

	(void)w;
	p->did = !p->held;
	if (p->held)
		return ST_OK;
	if (m) {
		m->hold = true;
		return ST_OK;
	}
	s = db_sql(q->db, sql);
	db_bind_u64(s, 1, p->id);
	db_bind_str(s, 2, STR(QUEUE_HELD_BY_ADMIN));
	return db_run(s);
}

static void hold_end(struct queue *q, struct wish *w, struct picked *p, bool ok)
{
	struct queue_msg *m = queue_active_find(q, p->id);

	(void)w;
	if (m)
		m->hold = ok && m->hold;
	if (m || !ok)
		return;
	atomic_fetch_add(&q->held, 1);
	queue_event_held(q, p->id, STR(QUEUE_HELD_BY_ADMIN));
}

enum status queue_hold(struct queue *q, const struct queue_id_request *r, uint64_t *ret_count)
{
	struct wish w = { .r = r, .change = hold_one, .changed = hold_end };

	return queue_wish(q, &w, ret_count);
}

/* ---- remove ---- */

static enum status rcpts_remove(struct queue *q, uint64_t id, struct str to)
{
	static const char sql[] = "DELETE FROM rcpt AS r WHERE message = ?1 AND state = 0 AND " QUEUE_RCPT_MATCH_SQL("?2");
	struct db_stmt   *s = db_sql(q->db, sql);

	db_bind_u64(s, 1, id);
	db_bind_str(s, 2, to);
	return db_run(s);
}

/* All of it, also in its round; or some recipients, but only while their rows are all that there is of them. */
static enum status remove_one(struct queue *q, struct wish *w, struct picked *p)
{
	bool        meant;
	enum status st = queue_wish_means(q, w, p, &meant);

	if (!meant)
		return st;
	p->busy = !p->whole && queue_under_way(q, p->id);
	p->did = !p->busy;
	if (p->busy)
		return ST_OK;
	return p->whole ? queue_db_delete(q, p->id) : rcpts_remove(q, p->id, w->r->to);
}

/* A message in its round has lost its rows; when the round is over it is forgotten, and its file goes. */
static void remove_end(struct queue *q, struct wish *w, struct picked *p, bool ok)
{
	struct queue_msg *m = queue_active_find(q, p->id);

	if (!ok)
		return;
	log_info(p->whole ? "message removed by an administrator" : "recipients removed by an administrator", LOG_C("message", queue_id_text(p->id).p));
	if (!p->whole) {
		queue_event_edited(q, p->id, w->r->to, STR("recipients with this in their name were taken out by an administrator"));
		return;
	}
	q->pins_on_disk = true; /* look again */
	atomic_fetch_sub(&q->held, p->held);
	if (m) {
		atomic_store(&m->removed, true);
		return;
	}
	queue_event_removed(q, p->id);
	atomic_fetch_sub(&q->messages, 1);
	if (p->file)
		queue_file_remove(q, p->file);
}

enum status queue_remove(struct queue *q, const struct queue_id_request *r, struct queue_edit_reply *ret)
{
	struct wish w = { .r = r, .change = remove_one, .changed = remove_end };

	return queue_wish_told(q, &w, ret);
}

/* ---- requests ---- */

static void answer(struct ipc_request *r, void *q,
		   enum status (*wanted)(struct queue *q, const struct queue_id_request *r, uint64_t *ret_count))
{
	struct queue_count_reply reply = { 0 };
	enum status              st = wanted(q, r->body, &reply.count);

	ipc_reply(r, st, &reply);
}

void queue_on_retry(void *ctx, struct ipc_request *r)
{
	answer(r, ctx, queue_retry);
}

void queue_on_remove(void *ctx, struct ipc_request *r)
{
	struct queue_edit_reply reply = { .busy_ids = ARENA_ARRAY(r->arena, struct queue_edit_busy, LIMIT_QUEUE_BUSY) };
	enum status             st = queue_remove(ctx, r->body, &reply);

	ipc_reply(r, st, &reply);
}

void queue_on_hold(void *ctx, struct ipc_request *r)
{
	answer(r, ctx, queue_hold);
}

void queue_on_release(void *ctx, struct ipc_request *r)
{
	answer(r, ctx, queue_release);
}
