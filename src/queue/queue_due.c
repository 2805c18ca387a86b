/* queue/queue_due.c - what waits and matches is due now: a page of messages in each operation, so that those who submit come between, however many
 * wait.
 */
#include "queue/queue_in.h"

#define PAGE_MESSAGES 1000u /* in one operation */

struct page {
	struct queue_op         op;
	const struct queue_due *due;
	uint64_t                after, upto; /* ids; what comes in meanwhile is due anyway */
	uint64_t                last;        /* of this page, 0: there was none */
	uint64_t                count;
};

enum status queue_page_end(struct queue *q, uint64_t after, uint64_t upto, uint64_t most, uint64_t *ret)
{
	static const char sql[] = "SELECT coalesce(max(id), 0) FROM (SELECT id FROM message WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3)";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	db_bind_u64(s, 1, after);
	db_bind_u64(s, 2, upto);
	db_bind_u64(s, 3, most);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

static enum status page_due(struct queue *q, struct page *p)
{
	struct db_stmt *s = db_sql(q->db, p->due->sql);
	enum status     st;

	db_bind_i64(s, 1, queue_now(q));
	db_bind_u64(s, 2, p->after);
	db_bind_u64(s, 3, p->last);
	db_bind_str(s, 4, p->due->what);
	db_bind_str(s, 5, queue_relay_setting(q));
	st = db_run(s);
	p->count = st == ST_OK ? db_changed(q->db) : 0;
	return st;
}

static enum status page_apply(struct queue *q, struct queue_op *op)
{
	struct page *p = CONTAINER_OF(op, struct page, op);
	enum status  st;

	p->count = 0;
	p->upto = p->upto ? p->upto : q->next_id;
	st = queue_page_end(q, p->after, p->upto, PAGE_MESSAGES, &p->last);
	return st == ST_OK && p->last ? page_due(q, p) : st;
}

static void page_finish(struct queue *q, struct queue_op *op, enum status st)
{
	if (st == ST_OK && CONTAINER_OF(op, struct page, op)->count > 0)
		queue_dues_all(&q->dues, queue_now(q));
}

enum status queue_due_all(struct queue *q, struct queue_due *d)
{
	struct page p = { .op = { .apply = page_apply, .finish = page_finish }, .due = d };
	enum status st;

	d->count = 0;
	do {
		st = queue_perform(q, &p.op);
		if (st == ST_OK)
			d->count += p.count;
		p.after = p.last;
	} while (st == ST_OK && p.last);
	return d->count ? ST_OK : st; /* as far as it came */
}
