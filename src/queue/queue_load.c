/* queue/queue_load.c - from the tables into memory: messages that are due. Writer thread only.
 *
 * Loading happens between batches in the thread that commits results, so it always sees a message either in its round
 * (in q->active) or as its last round left it.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "queue/queue_id.h"
#include "queue/queue_in.h"
#include "sys/disk.h"

#define REREAD_MS 30000 /* until what could not be read is tried again */

static const char sql_rcpts[] = "SELECT n, state, fixed, account, attempts, address, target, code, answer, notify, orcpt, relay, sender FROM rcpt"
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
	queue_msg_free(m);
}

/* Into memory and to the start; held if it is damaged, left alone if it cannot be read for another reason. False: no room. */
static bool load_one(struct queue *q, uint64_t id, uint64_t octets)
{
	struct queue_msg *m = queue_msg_new(q);
	enum status       st;

	m->id = id;
	if (!queue_msg_admit(m, octets)) {
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
	log_error("message is damaged, held", LOG_C("message", queue_id_text(id).p), LOG_ST("status", st));
	m->unreadable = true;
	queue_result_push(m);
	return true;
}

struct due {
	uint64_t id, octets;
};

/* Of one priority, as many as the page still takes. */
static enum status due_add(struct queue *q, int32_t priority, int64_t now, struct due *page, size_t *count)
{
	static const char sql[] = "SELECT id, size, file FROM message WHERE priority = ?2 AND due <= ?1 ORDER BY due, id";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st = ST_OK;

	db_bind_i64(s, 1, now);
	db_bind_i64(s, 2, priority);
	while (*count < QUEUE_LOAD_PAGE && (st = db_step(s)) == ST_OK)
		if (!queue_active_find(q, db_u64(s, 0)) && !map_find_u64(&q->unread, db_u64(s, 0)))
			page[(*count)++] = (struct due){ db_u64(s, 0), db_u64(s, 2) ? 0 : db_u64(s, 1) };
	db_done(s);
	return st;
}

/* One page of what is due, the highest priority first (RFC 6710), without what is in its round already or waits to be read again.
 * ST_OK: it is full; ST_NOT_FOUND: that is all. */
static enum status due_page(struct queue *q, int64_t now, struct due *page, size_t *ret_count)
{
	*ret_count = 0;
	for (int32_t p = QUEUE_PRIORITY_MAX + 1; queue_priority_next(q, &p);) {
		enum status st = due_add(q, p, now, page, ret_count);

		if (st != ST_NOT_FOUND)
			return st;
	}
	return ST_NOT_FOUND;
}

void queue_db_load_due(struct queue *q)
{
	struct due  page[QUEUE_LOAD_PAGE];
	int64_t     now = queue_now(q);
	size_t      count = 0;
	enum status st;

	q->more = false;
	if (q->unread.count > 0 && now >= q->reread) {
		map_done(&q->unread);
		map_init(&q->unread);
	}
	st = due_page(q, now, page, &count);
	for (size_t i = 0; i < count && !q->more; i++)
		q->more = !load_one(q, page[i].id, page[i].octets);
	if (st == ST_OK)
		q->more = true; /* a full page: there may be another */
	if ((st != ST_OK && st != ST_NOT_FOUND) || queue_db_next_due(q, now, &q->next_due) != ST_OK)
		log_error("queue cannot be read", LOG_ST("status", st));
	if (q->unread.count > 0)
		q->next_due = MIN(q->next_due, q->reread);
}
