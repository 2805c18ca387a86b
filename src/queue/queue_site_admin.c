/* queue/queue_site_admin.c - what administrators see of destinations, and how they end a dead time; see queue_site.h. */
#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"
#include "queue/queue_site.h"

_Static_assert((int)QUEUE_SITE_OPEN == (int)QUEUE_SITE_KIND_OPEN && (int)QUEUE_SITE_STATE_LAST == (int)QUEUE_SITE_KIND_LAST, "states of the channel are ours");

static struct queue_site_row row_of(const struct queue_site_info *s)
{
	return (struct queue_site_row){
		.name = s->name,
		.last_answer = s->last_answer,
		.state = (enum queue_site_kind)s->state,
		.now = s->now,
		.limit = s->limit,
		.ceiling = s->ceiling,
		.waiting = s->waiting,
		.rate = s->rate,
		.rate_s = s->rate_s,
		.delivered = s->delivered,
		.deferred = s->deferred,
		.refused = s->refused,
		.since_ms = s->since_ms,
		.until_ms = s->until_ms,
		.last_ms = s->last_ms,
		.next_ms = s->next_ms,
	};
}

/* ---- a dead time ends ---- */

struct again {
	struct queue_op op;
	struct str      hop;
	uint64_t        count;
};

/* What its sender holds back stays. */
static enum status again_apply(struct queue *q, struct queue_op *op)
{
	static const char sql[] =
		"UPDATE message SET due = ?1 WHERE state = 0 AND due > ?1 AND entered <= ?1 AND EXISTS(SELECT 1 FROM rcpt r WHERE r.message = message.id AND r.state = 0"
		" AND r.account = 0 AND lower(" QUEUE_SITE_SQL("?3") ") = lower(?2))";
	struct again   *a = CONTAINER_OF(op, struct again, op);
	struct db_stmt *s = db_sql(q->db, sql);
	enum status     st;

	db_bind_i64(s, 1, queue_now(q));
	db_bind_str(s, 2, a->hop);
	db_bind_str(s, 3, queue_relay_setting(q));
	st = db_run(s);
	a->count = st == ST_OK ? db_changed(q->db) : 0;
	return st;
}

static void again_finish(struct queue *q, struct queue_op *op, enum status st)
{
	if (st == ST_OK && CONTAINER_OF(op, struct again, op)->count > 0)
		queue_dues_all(&q->dues, queue_now(q));
}

/* "smtp.example.net:587 from 192.0.2.1 as 7": rows know the next hop alone. */
static struct str hop_of(struct str name)
{
	struct str hop, rest;

	str_cut(name, ' ', &hop, &rest);
	return hop;
}

static enum status retry(struct queue *q, struct str name, uint64_t *ret_due)
{
	struct again a = { .op = { .apply = again_apply, .finish = again_finish }, .hop = hop_of(name) };
	enum status  st;

	queue_site_try(q->sites, name);
	st = queue_perform(q, &a.op);
	*ret_due = a.count;
	log_info("destination is tried again, an administrator wants it", LOG_STR("site", name), LOG_U64("messages", a.count));
	return st;
}

/* ---- requests ---- */

static enum status one(struct queue *q, const struct queue_sites_request *r, struct arena *a, struct queue_sites_reply *ret)
{
	struct queue_site_info info;
	enum status            st = ST_OK;

	if (r->retry)
		st = retry(q, r->name, &ret->due);
	if (st == ST_OK)
		st = queue_site_find(q, r->name, a, &info);
	if (st == ST_NOT_FOUND && ret->due > 0)
		return ST_OK; /* forgotten since; its mail was there */
	if (st == ST_OK)
		ret->sites[ret->site_count++] = row_of(&info);
	return st;
}

static void all(struct queue *q, const struct queue_sites_request *r, struct arena *a, struct queue_sites_reply *ret)
{
	struct queue_sites_page page;
	size_t                  octets = 0;

	queue_sites(q, r->after, LIMIT_LIST_PAGE, a, &page);
	ret->more = page.more;
	for (size_t i = 0; i < page.site_count; i++) {
		if (octets > LIMIT_LIST_OCTETS) {
			ret->more = true;
			return;
		}
		ret->sites[ret->site_count++] = row_of(&page.sites[i]);
		octets += page.sites[i].name.n + page.sites[i].last_answer.n + sizeof(struct queue_site_row);
	}
}

void queue_on_sites(void *ctx, struct ipc_request *r)
{
	struct queue                     *q = ctx;
	const struct queue_sites_request *body = r->body;
	struct queue_sites_reply          reply = { .sites = ARENA_ARRAY(r->arena, struct queue_site_row, LIMIT_LIST_PAGE) };
	enum status                       st = ST_OK;

	if (body->retry && body->name.n == 0)
		st = ST_INVALID;
	else if (body->name.n > 0)
		st = one(q, body, r->arena, &reply);
	else
		all(q, body, r->arena, &reply);
	ipc_reply(r, st, &reply);
}
