/* queue/queue_site_admin.c - what administrators see of destinations, and how they end a dead time; see queue_site.h. */
#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"
#include "queue/queue_site.h"

/* ---- a dead time ends ---- */

static enum status retry(struct queue *q, struct str name, uint64_t *ret_due)
{
	static const char sql[] = QUEUE_DUE_SQL("r.account = 0 AND lower(" QUEUE_SITE_SQL("?5") ") = lower(?4)");
	struct queue_due  due = { .sql = sql, .what = name };
	enum status       st;

	queue_site_try(q->sites, name);
	st = queue_due_all(q, &due);
	*ret_due = due.count;
	log_info("destination is tried again, an administrator wants it", LOG_STR("site", name), LOG_U64("messages", due.count));
	return st;
}

/* ---- requests ---- */

static enum status one(struct queue *q, const struct queue_sites_request *r, struct arena *a, struct queue_sites_reply *ret)
{
	enum status st = ST_OK;

	if (r->retry)
		st = retry(q, r->name, &ret->due);
	if (st == ST_OK)
		st = queue_site_find(q, r->name, a, &ret->sites[0]);
	if (st == ST_NOT_FOUND && ret->due > 0)
		return ST_OK; /* forgotten since; its mail was there */
	if (st == ST_OK)
		ret->site_count = 1;
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
		ret->sites[ret->site_count++] = page.sites[i];
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
