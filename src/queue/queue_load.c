/* queue/queue_load.c - from the tables into memory: messages that are due. Writer thread only.
 *
 * Loading happens between batches in the thread that commits results, so it always sees a message either in its round
 * (in q->active) or as its last round left it.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/disk.h"
#include "wire/text/queue_id.h"

#define REREAD_MS 30000 /* until what could not be read is tried again */
#define FULL_MS   100   /* until it is looked again whether they fit into memory */

static const char sql_rcpts[] = "SELECT n, state, fixed, account, attempts, address, target, code, answer, notify, orcpt, relay, sender, way FROM rcpt"
				" WHERE message = ?1"
				" ORDER BY n";

static void rcpt_read(struct queue_msg *m, struct db_stmt *s, struct queue_rcpt_row *r)
{
	*r = (struct queue_rcpt_row){
		.n = (uint32_t)db_u64(s, 0),
		.final = db_u64(s, 1) != QUEUE_RCPT_PENDING,
		.done = db_u64(s, 1) == QUEUE_RCPT_DONE,
		.fixed = db_u64(s, 2) != 0,
		.account = db_u64(s, 3),
		.attempts = (uint32_t)db_u64(s, 4),
		.address = arena_dup(m->arena, db_str(s, 5)),
		.target = arena_dup(m->arena, db_str(s, 6)),
		.code = arena_dup(m->arena, db_str(s, 7)),
		.answer = arena_dup(m->arena, db_str(s, 8)),
		.notify = (uint32_t)db_u64(s, 9),
		.orcpt = arena_dup(m->arena, db_str(s, 10)),
		.relay = arena_dup(m->arena, db_str(s, 11)),
		.sender = arena_dup(m->arena, db_str(s, 12)),
		.way = arena_dup(m->arena, db_str(s, 13)),
	};
	m->next_n = r->n + 1;
}

static enum status rcpts_load(struct queue *q, struct queue_msg *m)
{
	static const char sql_count[] = "SELECT count(*) FROM rcpt WHERE message = ?1";
	struct db_stmt   *s = db_sql(q->db, sql_count);
	enum status       st;
	size_t            count;

	db_bind_u64(s, 1, m->id);
	st = db_step(s);
	count = st == ST_OK ? (size_t)db_u64(s, 0) : 0;
	db_done(s);
	if (st != ST_OK)
		return st;
	m->rcpts = ARENA_ARRAY(m->arena, struct queue_rcpt_row, count);
	s = db_sql(q->db, sql_rcpts);
	db_bind_u64(s, 1, m->id);
	while ((st = db_step(s)) == ST_OK && m->rcpt_count < count)
		rcpt_read(m, s, &m->rcpts[m->rcpt_count++]);
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* It has lain on a disk. From here on it is in memory, and nobody looks at the hash again. */
static bool content_whole(const struct queue_msg *m, struct str data)
{
	uint8_t hash[QUEUE_SHA256];

	CHECK(EVP_Digest(data.p, data.n, hash, NULL, EVP_sha256(), NULL));
	return data.n == m->size && memcmp(hash, m->hash, sizeof(hash)) == 0;
}

static enum status content_load(struct queue *q, struct queue_msg *m)
{
	static const char sql[] = "SELECT data FROM content WHERE message = ?1";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	db_bind_u64(s, 1, m->id);
	st = db_step(s);
	if (st == ST_OK && content_whole(m, db_str(s, 0)))
		queue_msg_content(m, db_str(s, 0));
	else if (st == ST_OK || st == ST_NOT_FOUND)
		st = ST_CORRUPT;
	db_done(s);
	return st;
}

/* Of a large message, enough of its head to count its hops. */
enum status queue_head_load(struct queue *q, struct queue_msg *m)
{
	int         fd CLEANUP(fd_close) = -1;
	char        head[QUEUE_HEAD_MAX];
	size_t      n = 0;
	enum status st = queue_file_open(q, m->file, &fd);

	if (st == ST_OK)
		st = disk_read_at(fd, head, sizeof(head), 0, &n);
	if (st == ST_OK)
		m->hops = queue_hops(str_n(head, n));
	return st == ST_NOT_FOUND ? ST_CORRUPT : st;
}

static const char sql_message[] =
	"SELECT id, base, attempts, stalls, crashes, file, flags, account, received, entered, size, sender, session, peer, hash,"
	" envid, deliver_by, priority, warned"
	" FROM message WHERE id = ?1";

static enum status message_read(struct queue *q, struct queue_msg *m)
{
	struct db_stmt *s = db_sql(q->db, sql_message);
	enum status     st;

	db_bind_u64(s, 1, m->id);
	st = db_step(s);
	if (st == ST_OK) {
		struct str hash = db_str(s, 14);

		m->base = db_u64(s, 1);
		m->attempts = (uint32_t)db_u64(s, 2);
		m->stalls = (uint32_t)db_u64(s, 3);
		m->crashes = (uint32_t)db_u64(s, 4);
		m->file = db_u64(s, 5);
		m->flags = (uint32_t)db_u64(s, 6);
		m->account = db_u64(s, 7);
		m->received_ms = db_i64(s, 8);
		m->entered = db_i64(s, 9);
		m->size = db_u64(s, 10);
		m->from = arena_dup(m->arena, db_str(s, 11));
		m->session = arena_dup(m->arena, db_str(s, 12));
		m->peer = arena_dup(m->arena, db_str(s, 13));
		memcpy(m->hash, hash.p, MIN(hash.n, sizeof(m->hash)));
		m->envid = arena_dup(m->arena, db_str(s, 15));
		m->deliver_by = db_i64(s, 16);
		m->priority = (int32_t)db_i64(s, 17);
		m->warned = (uint32_t)db_u64(s, 18);
	}
	db_done(s);
	return st;
}

/* ST_CORRUPT: rows or content are not what they should be. */
enum status queue_message_load(struct queue *q, struct queue_msg *m)
{
	enum status st = message_read(q, m);

	if (st == ST_OK)
		st = rcpts_load(q, m);
	if (st == ST_OK)
		st = m->file ? queue_head_load(q, m) : content_load(q, m);
	return st;
}

static void load_later(struct queue *q, struct queue_msg *m, enum status st)
{
	log_error("message cannot be read now, tried again later", LOG_C("message", queue_id_text(m->id).p), LOG_ST("status", st));
	if (q->unread.count == 0)
		q->reread = queue_now(q) + REREAD_MS;
	map_put_u64(&q->unread, m->id, q);
	queue_dues_add(&q->dues, m->priority, m->lane, q->reread);
	queue_msg_free(m);
}

struct due {
	uint64_t id, octets;
	int32_t  priority;
	uint32_t lane;
};

/* Into memory and to the start; held if it is damaged, left alone if it cannot be read for another reason. False: no room. */
static bool load_one(struct queue *q, const struct due *due)
{
	struct queue_msg *m = queue_msg_new(q);
	enum status       st;

	m->id = due->id;
	m->priority = due->priority;
	m->lane = due->lane;
	if (!queue_msg_admit(m, due->octets)) {
		queue_msg_free(m);
		return false;
	}
	st = queue_message_load(q, m);
	if (st != ST_OK && st != ST_CORRUPT) {
		load_later(q, m, st);
		return true;
	}
	queue_active_add(q, m);
	if (m->base)
		queue_pin(q, m);
	if (st == ST_OK) {
		queue_ready(q, m);
		return true;
	}
	log_error("message is damaged, held", LOG_C("message", queue_id_text(due->id).p), LOG_ST("status", st));
	m->unreadable = true;
	queue_result_push(m);
	return true;
}

/* ---- which ---- */

struct page {
	struct due due[QUEUE_LOAD_PAGE];
	size_t     count;
};

/* The first of a lane that is due after a time; INT64_MAX: none. */
static enum status lane_next(struct queue *q, int32_t priority, uint32_t lane, int64_t after, int64_t *ret)
{
	static const char sql[] = "SELECT due FROM message WHERE priority = ?1 AND lane = ?2 AND due > ?3 ORDER BY due LIMIT 1";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	db_bind_i64(s, 1, priority);
	db_bind_u64(s, 2, lane);
	db_bind_i64(s, 3, after);
	st = db_step(s);
	*ret = st == ST_OK ? db_i64(s, 0) : INT64_MAX;
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Of one lane at most `share`, without what is in its round already or waits to be read again. When that is all that is due, the lane's
 * time is that of the next. */
static enum status lane_add(struct queue *q, int32_t priority, uint32_t lane, int64_t now, size_t share, struct page *page)
{
	static const char sql[] = "SELECT id, size, file FROM message WHERE priority = ?1 AND lane = ?2 AND due <= ?3 ORDER BY due, id";
	struct db_stmt   *s = db_sql(q->db, sql);
	size_t            end = MIN(page->count + share, QUEUE_LOAD_PAGE);
	bool              unread = false;
	int64_t           next;
	enum status       st = ST_OK;

	db_bind_i64(s, 1, priority);
	db_bind_u64(s, 2, lane);
	db_bind_i64(s, 3, now);
	while (page->count < end && (st = db_step(s)) == ST_OK) {
		uint64_t id = db_u64(s, 0);

		if (map_find_u64(&q->unread, id))
			unread = true;
		else if (!queue_active_find(q, id))
			page->due[page->count++] = (struct due){ id, db_u64(s, 2) ? 0 : db_u64(s, 1), priority, lane };
	}
	db_done(s);
	if (st != ST_NOT_FOUND)
		return st;
	st = lane_next(q, priority, lane, now, &next);
	if (st == ST_OK)
		queue_dues_set(&q->dues, priority, lane, unread ? MIN(next, q->reread) : next);
	return st;
}

static bool lane_due(const struct queue *q, int32_t priority, uint32_t lane, int64_t now)
{
	return queue_dues_get(&q->dues, priority, lane) <= now && queue_lane_room(q, lane);
}

/* Of one priority, the lanes in turn: each gives as much as makes the page full if all do. */
static enum status priority_add(struct queue *q, int32_t p, int64_t now, struct page *page)
{
	unsigned   *turn = &q->dues.turn[p + QUEUE_PRIORITY_MAX];
	size_t      lanes = 0;
	uint32_t    start = *turn % QUEUE_LANES, lane;
	enum status st = ST_OK;

	for (lane = 0; queue_dues_next(&q->dues, p, &lane); lane++)
		lanes += lane_due(q, p, lane, now);
	if (lanes == 0)
		return ST_OK;
	for (unsigned i = 0; i < QUEUE_LANES && st == ST_OK && page->count < QUEUE_LOAD_PAGE; i++) {
		lane = (start + i) % QUEUE_LANES;
		if (!lane_due(q, p, lane, now))
			continue;
		st = lane_add(q, p, lane, now, MAX(QUEUE_LOAD_PAGE / lanes, 1), page);
		*turn = lane + 1;
	}
	return st;
}

/* One page of what is due, the highest priority first (RFC 6710). */
static enum status page_fill(struct queue *q, int64_t now, struct page *page)
{
	enum status st = ST_OK;

	page->count = 0;
	for (int32_t p = QUEUE_PRIORITY_MAX; p >= -QUEUE_PRIORITY_MAX && st == ST_OK && page->count < QUEUE_LOAD_PAGE; p--)
		st = priority_add(q, p, now, page);
	return st;
}

void queue_db_load_due(struct queue *q)
{
	struct page page;
	int64_t     now = queue_now(q);
	size_t      loaded = 0;
	enum status st;

	if (q->unread.count > 0 && now >= q->reread) {
		map_done(&q->unread);
		map_init(&q->unread);
	}
	st = page_fill(q, now, &page);
	for (size_t i = 0; i < page.count; i++) {
		if (load_one(q, &page.due[i]))
			loaded++;
		else
			queue_dues_add(&q->dues, page.due[i].priority, page.due[i].lane, now);
	}
	if (loaded == 0 && page.count > 0)
		q->load_pause = now + FULL_MS; /* there is room, but not for messages of that size */
	if (st == ST_OK)
		return;
	log_error("queue cannot be read", LOG_ST("status", st));
	q->load_pause = now + REREAD_MS;
}

int64_t queue_load_next(const struct queue *q)
{
	int64_t next = INT64_MAX;

	for (int32_t p = -QUEUE_PRIORITY_MAX; p <= QUEUE_PRIORITY_MAX; p++)
		for (uint32_t lane = 0; queue_dues_next(&q->dues, p, &lane); lane++)
			if (queue_lane_room(q, lane))
				next = MIN(next, queue_dues_get(&q->dues, p, lane));
	return MAX(next, q->load_pause);
}

/* At the start: a look into the index for each priority and lane that is there. */
enum status queue_dues_load(struct queue *q)
{
	static const char sql[] = "SELECT lane, due FROM message WHERE priority = ?1 AND lane >= ?2 AND due IS NOT NULL ORDER BY lane, due LIMIT 1";
	enum status       st = ST_OK;

	queue_dues_init(&q->dues);
	for (int32_t p = -QUEUE_PRIORITY_MAX; p <= QUEUE_PRIORITY_MAX; p++) {
		for (uint64_t lane = 0; lane < QUEUE_LANES; lane++) {
			struct db_stmt *s = db_sql(q->db, sql);

			db_bind_i64(s, 1, p);
			db_bind_u64(s, 2, lane);
			st = db_step(s);
			lane = st == ST_OK ? db_u64(s, 0) : QUEUE_LANES;
			if (lane < QUEUE_LANES)
				queue_dues_set(&q->dues, p, (uint32_t)lane, db_i64(s, 1));
			db_done(s);
		}
		if (st != ST_OK && st != ST_NOT_FOUND)
			return st;
	}
	return ST_OK;
}
