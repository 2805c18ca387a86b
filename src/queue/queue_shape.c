/* queue/queue_shape.c - what waits, by destination and age: a page of messages at a time, so that no reading lasts long however many wait. */
#include "base/limits.h"
#include "queue/queue_in.h"

#define PAGE_MESSAGES 2000u /* one statement */

/* Up to 5 minutes, 10, 20, ... 1280, older. */
static size_t age_of(int64_t ms)
{
	size_t i = 0;

	for (int64_t limit = 5 * 60 * 1000; i < QUEUE_SHAPE_AGES - 1 && ms > limit; limit *= 2)
		i++;
	return i;
}

static uint64_t *age_at(struct queue_shape_row *r, size_t i)
{
	uint64_t *const ages[QUEUE_SHAPE_AGES] = { &r->ages0, &r->ages1, &r->ages2, &r->ages3, &r->ages4, &r->ages5, &r->ages6, &r->ages7, &r->ages8, &r->ages9 };

	return ages[i];
}

/* False: there is no room for another destination; the page ends before this message. */
static bool count_one(struct map *sites, struct arena *a, struct queue_shape_reply *ret, struct str site, int64_t age_ms, uint64_t n)
{
	struct queue_shape_row *row = map_find(sites, site);

	if (!row && ret->row_count == LIMIT_LIST_PAGE)
		return false;
	if (!row) {
		row = &ret->rows[ret->row_count++];
		row->site = arena_dup(a, site);
		map_put(sites, row->site, row);
	}
	*age_at(row, age_of(age_ms)) += n;
	return true;
}

/* Rows come by message. A page ends between two; only a message with very many destinations has some among the others. */
static enum status page_read(struct queue *q, struct db *db, uint64_t after, struct arena *a, struct map *sites, struct queue_shape_reply *ret)
{
	static const char sql[] =
		"SELECT m.id, m.received, CASE WHEN r.account <> 0 THEN '' ELSE " QUEUE_SITE_SQL("?3") " END AS site, count(*)"
		" FROM (SELECT id, received FROM message WHERE id > ?1 ORDER BY id LIMIT ?2) m JOIN rcpt r ON r.message = m.id AND r.state = 0"
		" GROUP BY m.id, site ORDER BY m.id";
	struct db_stmt *s = db_sql(db, sql);
	uint64_t        last = after;
	enum status     st;

	db_bind_u64(s, 1, after);
	db_bind_u64(s, 2, PAGE_MESSAGES);
	db_bind_str(s, 3, queue_relay_setting(q));
	while ((st = db_step(s)) == ST_OK) {
		if (db_u64(s, 0) != last) {
			last = db_u64(s, 0);
			if (ret->row_count + LIMIT_RCPTS / 4 > LIMIT_LIST_PAGE && ret->row_count > 0)
				break; /* enough of one page; the message is the next one's first */
			ret->after = last;
		}
		if (!count_one(sites, a, ret, str_first(db_str(s, 2), QUEUE_SITE_NAME_MAX), q->o.wall_ms() - db_i64(s, 1), db_u64(s, 3)))
			(void)count_one(sites, a, ret, STR("(others)"), q->o.wall_ms() - db_i64(s, 1), db_u64(s, 3));
	}
	ret->more = ret->after > after; /* the next page says that there is none */
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status queue_shape(struct queue *q, uint64_t after, struct arena *a, struct queue_shape_reply *ret)
{
	struct queue_shape_reply page = { .rows = ARENA_ARRAY(a, struct queue_shape_row, LIMIT_LIST_PAGE), .after = after };
	struct db               *db = queue_reader_take(q);
	struct map               sites;
	enum status              st;

	if (!db)
		return ST_TEMP;
	map_init(&sites);
	count_one(&sites, a, &page, STR("(others)"), 0, 0); /* has its place */
	st = page_read(q, db, after, a, &sites, &page);
	map_done(&sites);
	queue_reader_give(q);
	if (st == ST_OK)
		*ret = page;
	return st;
}

void queue_on_shape(void *ctx, struct ipc_request *r)
{
	const struct queue_shape_request *body = r->body;
	struct queue_shape_reply          reply = { 0 };
	enum status                       st = queue_shape(ctx, body->after, r->arena, &reply);

	ipc_reply(r, st, &reply);
}
