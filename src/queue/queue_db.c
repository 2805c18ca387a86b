/* queue/queue_db.c - the tables (docs/formats/queue.md) and the statements on them. Writer thread only. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"

#define AWAY_MAX_MS  ((int64_t)24 * 3600 * 1000)    /* longest time that a restart is believed to have taken */
#define WALL_MAX_MS  ((int64_t)1 << 46)             /* a wall clock beyond is not believed at all */

static const char schema_1[] =
	"CREATE TABLE message(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, due INTEGER, base INTEGER NOT NULL,"
	" pinned INTEGER NOT NULL, attempts INTEGER NOT NULL, stalls INTEGER NOT NULL, crashes INTEGER NOT NULL,"
	" last INTEGER NOT NULL, reason TEXT NOT NULL, file INTEGER NOT NULL, flags INTEGER NOT NULL, account INTEGER NOT NULL,"
	" received INTEGER NOT NULL, entered INTEGER NOT NULL, size INTEGER NOT NULL, sender TEXT NOT NULL,"
	" session TEXT NOT NULL, peer TEXT NOT NULL, hash BLOB NOT NULL);"
	"CREATE INDEX message_due ON message(due) WHERE due IS NOT NULL;"
	"CREATE INDEX message_pin ON message(base) WHERE pinned = 1;"
	"CREATE TABLE rcpt(message INTEGER NOT NULL, n INTEGER NOT NULL, state INTEGER NOT NULL, fixed INTEGER NOT NULL,"
	" account INTEGER NOT NULL, attempts INTEGER NOT NULL, last INTEGER NOT NULL, address TEXT NOT NULL, target TEXT NOT NULL,"
	" code TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY(message, n)) WITHOUT ROWID;"
	"CREATE TABLE content(message INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE txids(batch INTEGER PRIMARY KEY, at INTEGER NOT NULL, wall INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;";

/* What a sender may ask for. Most ask for nothing: an octet for each column, 4 in a message and 2 in a recipient. */
static const char schema_envelope[] =
	"ALTER TABLE message ADD COLUMN envid TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE message ADD COLUMN deliver_by INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE rcpt ADD COLUMN notify INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE rcpt ADD COLUMN orcpt TEXT NOT NULL DEFAULT '';"
	"DROP INDEX message_due;"
	"CREATE INDEX message_due ON message(priority, due) WHERE due IS NOT NULL;";

/* Where a target goes, and under which reverse-path, if not the message's: known when it was resolved. */
static const char schema_way[] = "ALTER TABLE rcpt ADD COLUMN relay TEXT NOT NULL DEFAULT '';"
			       "ALTER TABLE rcpt ADD COLUMN sender TEXT NOT NULL DEFAULT '';";

/* Whose turn it is among senders (queue_line.h); what was there before is one lane, in order. And what a start, or a look at a large
 * message's file, must not search the whole table for. */
static const char schema_lane[] = "ALTER TABLE message ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;"
				"DROP INDEX message_due;"
				"CREATE INDEX message_due ON message(priority, lane, due) WHERE due IS NOT NULL;"
				"CREATE INDEX message_held ON message(state) WHERE state = 2;"
				"CREATE INDEX message_file ON message(file) WHERE file <> 0;";

/* What the name of a target's destination says beside its next hop (queue_site_way), so that administrators find its mail. */
static const char schema_site[] = "ALTER TABLE rcpt ADD COLUMN way TEXT NOT NULL DEFAULT '';";

static const char *const  steps[] = { schema_1, schema_envelope, schema_way, schema_lane, schema_site };
static const struct db_schema schema = { steps, LEN(steps) };

const struct db_options queue_db_options = { .schema = &schema, .create = true, .page_size = 8192, .cache_kib = 16384, .checkpoint_pages = 16000 };
const struct db_options queue_db_read_options = { .schema = &schema, .cache_kib = 512 };

/* ---- numbers of table meta ---- */

static enum status meta_get(struct queue *q, struct str name, int64_t *value)
{
	static const char sql[] = "SELECT value FROM meta WHERE name = ?1";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	db_bind_str(s, 1, name);
	st = db_step(s);
	if (st == ST_OK)
		*value = db_i64(s, 0);
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status meta_set(struct queue *q, struct str name, int64_t value)
{
	static const char sql[] = "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)";
	struct db_stmt   *s = db_sql(q->db, sql);

	db_bind_str(s, 1, name);
	db_bind_i64(s, 2, value);
	return db_run(s);
}

/* Ids are used after the block they belong to is durable, and a block is never given out twice (Q1). */
enum status queue_db_ids(struct queue *q)
{
	if (q->next_id < q->reserved_id)
		return ST_OK;
	q->reserved_want = q->next_id + QUEUE_ID_BLOCK;
	return meta_set(q, STR("next_id"), (int64_t)q->reserved_want);
}

/* ---- transaction ids: one row per batch, so that taking a message costs no row for it ---- */

#define TXID_ROW (QUEUE_TXID_OCTETS + 8) /* the id, then the message, big-endian */

void queue_db_txid_put(struct queue *q, struct str txid, uint64_t message)
{
	queue_txids_add(&q->txids, txid, message);
	q->txid_added++;
	buf_add(&q->txid_batch, txid);
	buf_add_be(&q->txid_batch, message, 8);
	CHECK(!q->txid_batch.over);
}

enum status queue_db_txids(struct queue *q)
{
	static const char sql[] = "INSERT INTO txids(batch, at, wall, data) VALUES(?1, ?2, ?3, ?4)";
	struct db_stmt   *s;

	if (q->txid_batch.n == 0)
		return ST_OK;
	s = db_sql(q->db, sql);
	db_bind_u64(s, 1, q->next_id); /* above all ids of the batch, and of those before */
	db_bind_i64(s, 2, queue_now(q));
	db_bind_i64(s, 3, q->o.wall_ms());
	db_bind_blob(s, 4, buf_str(&q->txid_batch));
	return db_run(s);
}

/* Forget rows that are old, or too many. *ret_count: how many ids they held. */
enum status queue_db_txids_trim(struct queue *q, uint64_t *ret_count)
{
	static const char sql_oldest[] = "SELECT batch, at, length(data) FROM txids ORDER BY batch LIMIT 64";
	static const char sql_drop[] = "DELETE FROM txids WHERE batch <= ?1";
	int64_t           late = queue_now(q) - q->o.txid_keep_ms;
	uint64_t          held = queue_txids_count(&q->txids), count = 0, last = 0;
	struct db_stmt   *s = db_sql(q->db, sql_oldest);
	enum status       st;

	while ((st = db_step(s)) == ST_OK && (db_i64(s, 1) < late || held - count > q->o.txid_max)) {
		count += db_u64(s, 2) / TXID_ROW;
		last = db_u64(s, 0);
	}
	db_done(s);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	*ret_count = count;
	if (last == 0)
		return ST_OK;
	s = db_sql(q->db, sql_drop);
	db_bind_u64(s, 1, last);
	return db_run(s);
}

static enum status txids_load(struct queue *q, int64_t *at, int64_t *wall)
{
	static const char sql[] = "SELECT at, wall, data FROM txids ORDER BY batch";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st;

	while ((st = db_step(s)) == ST_OK) {
		struct str data = db_str(s, 2);

		if (db_i64(s, 0) > *at) {
			*at = db_i64(s, 0);
			*wall = db_i64(s, 1);
		}
		for (; data.n >= TXID_ROW; data = str_from(data, TXID_ROW)) {
			uint64_t message = 0;

			for (size_t i = QUEUE_TXID_OCTETS; i < TXID_ROW; i++)
				message = message << 8 | (uint8_t)data.p[i];
			queue_txids_add(&q->txids, str_first(data, QUEUE_TXID_OCTETS), message);
		}
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- after opening ---- */

/* Queue time goes on where it stood, plus the time away as far as the wall clock is believed. */
static void clock_resume(struct queue *q, int64_t at, int64_t wall)
{
	int64_t now = q->o.wall_ms(), away = now - wall;

	if (at == 0)
		at = now > 0 ? now : 1; /* a new queue: about wall time, to read well */
	else if (away > 0)
		at += MIN(away, AWAY_MAX_MS);
	atomic_store(&q->clock_base, at - q->o.mono_ms());
}

static enum status count(struct queue *q, const char *sql, uint64_t *ret)
{
	struct db_stmt *s = db_sql(q->db, sql);
	enum status     st = db_step(s);

	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

/* From the indexes: once what was under way is due again, every message has a time or is held (Q6). */
static enum status counts_load(struct queue *q)
{
	static const char sql_due[] = "SELECT count(*) FROM message WHERE due IS NOT NULL";
	static const char sql_held[] = "SELECT count(*) FROM message WHERE state = 2";
	uint64_t          due = 0, held = 0;
	enum status       st = count(q, sql_due, &due);

	if (st == ST_OK)
		st = count(q, sql_held, &held);
	atomic_store(&q->messages, due + held);
	atomic_store(&q->held, held);
	return st;
}

/* What was under way when the last process ended is due now, and its delivery ids are pinned (Q5). Of those below `from` all have a time. */
static enum status rounds_reset(struct queue *q, int64_t from)
{
	static const char sql[] = "UPDATE message SET due = ?1, pinned = base <> 0 WHERE id >= ?2 AND due IS NULL AND state = 0";
	struct db_stmt   *s = db_sql(q->db, sql);

	db_bind_i64(s, 1, queue_now(q));
	db_bind_i64(s, 2, from);
	return db_run(s);
}

/* Every message without a time is above the smallest that is in memory, or not known to be synced yet: a later one's row has no time only
 * from when it was taken on. What stands here is a bound, true for ever: it may be old. */
static enum status rounds_note(struct queue *q)
{
	uint64_t   from = q->synced_id;
	struct str key;
	void      *m;
	size_t     at = 0;

	pthread_mutex_lock(&q->lock);
	while (map_next(&q->active, &at, &key, &m))
		from = MIN(from, ((const struct queue_msg *)m)->id);
	pthread_mutex_unlock(&q->lock);
	return meta_set(q, STR("rounds"), (int64_t)from);
}

enum status queue_db_tick(struct queue *q)
{
	enum status st = meta_set(q, STR("clock"), queue_now(q));

	if (st == ST_OK)
		st = rounds_note(q);
	return st == ST_OK ? meta_set(q, STR("wall"), q->o.wall_ms()) : st;
}

static enum status recover(struct queue *q)
{
	int64_t     at = 0, wall = 0, reserved = 1, rounds = 0, by_wall = q->o.wall_ms();
	enum status st = meta_get(q, STR("clock"), &at);

	if (st == ST_OK)
		st = meta_get(q, STR("wall"), &wall);
	if (st == ST_OK)
		st = txids_load(q, &at, &wall);
	if (st == ST_OK)
		st = meta_get(q, STR("next_id"), &reserved);
	if (st == ST_OK)
		st = meta_get(q, STR("rounds"), &rounds);
	if (st != ST_OK)
		return st;
	clock_resume(q, at, wall);
	/* Above the wall clock too: a queue restored from a backup must not give ids again that accounts remember. */
	by_wall = MIN(MAX(by_wall, 0), WALL_MAX_MS) << 16;
	q->next_id = (uint64_t)MAX(reserved, by_wall);
	q->synced_id = q->next_id; /* nothing was taken yet */
	q->reserved_id = 0;
	st = rounds_reset(q, rounds);
	if (st == ST_OK)
		st = counts_load(q);
	if (st == ST_OK)
		st = queue_dues_load(q);
	if (st == ST_OK)
		st = queue_db_ids(q);
	return st == ST_OK ? queue_db_tick(q) : st;
}

enum status queue_db_recover(struct queue *q)
{
	enum status st = db_begin_write(q->db);

	if (st != ST_OK)
		return st;
	st = recover(q);
	if (st != ST_OK) {
		db_rollback(q->db);
		return st;
	}
	st = db_commit(q->db);
	if (st == ST_OK)
		st = db_sync(q->db);
	if (st == ST_OK)
		q->reserved_id = q->reserved_want;
	q->pins_on_disk = true;
	return st;
}

/* ---- messages ---- */

static struct str text_of(struct str s)
{
	return s.n ? s : STR(""); /* never NULL */
}

static enum status insert_rcpts(struct queue *q, const struct queue_msg *m)
{
	static const char sql[] = "INSERT INTO rcpt(message, n, state, fixed, account, attempts, last, address, target, code, answer, notify, orcpt)"
				  " VALUES(?1, ?2, 0, 0, 0, 0, 0, ?3, '', '', '', ?4, ?5)";
	enum status       st = ST_OK;

	for (size_t i = 0; i < m->rcpt_count && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(q->db, sql);

		db_bind_u64(s, 1, m->id);
		db_bind_u64(s, 2, i);
		db_bind_str(s, 3, m->rcpts[i].address);
		db_bind_u64(s, 4, m->rcpts[i].notify);
		db_bind_str(s, 5, text_of(m->rcpts[i].orcpt));
		st = db_run(s);
	}
	return st;
}

static enum status insert_content(struct queue *q, uint64_t id, struct str content)
{
	static const char sql[] = "INSERT INTO content(message, data) VALUES(?1, ?2)";
	struct db_stmt   *s = db_sql(q->db, sql);

	db_bind_u64(s, 1, id);
	db_bind_blob(s, 2, content);
	return db_run(s);
}

enum status queue_db_insert(struct queue *q, const struct queue_msg *m, struct str content, bool windowed)
{
	static const char sql[] =
		"INSERT INTO message(id, state, due, base, pinned, attempts, stalls, crashes, last, reason, file, flags, account, received,"
		" entered, size, sender, session, peer, hash, envid, deliver_by, priority, warned, lane)"
		" VALUES(?1, ?14, ?2, ?15, ?3, 0, 0, 0, 0, ?16, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?17, ?18, ?19, 0, ?20)";
	struct db_stmt *s = db_sql(q->db, sql);
	enum status     st;

	db_bind_u64(s, 1, m->id);
	if (windowed || m->held)
		db_bind_null(s, 2);
	else
		db_bind_i64(s, 2, m->entered);
	db_bind_u64(s, 3, !windowed && m->base);
	db_bind_u64(s, 4, m->file);
	db_bind_u64(s, 5, m->flags);
	db_bind_u64(s, 6, m->account);
	db_bind_i64(s, 7, m->received_ms);
	db_bind_i64(s, 8, m->entered);
	db_bind_u64(s, 9, m->size);
	db_bind_str(s, 10, m->from);
	db_bind_str(s, 11, m->session);
	db_bind_str(s, 12, m->peer);
	db_bind_blob(s, 13, str_n(m->hash, sizeof(m->hash)));
	db_bind_u64(s, 14, m->held ? QUEUE_HELD : QUEUE_WAITING);
	db_bind_u64(s, 15, m->base);
	db_bind_str(s, 16, text_of(m->reason));
	db_bind_str(s, 17, text_of(m->envid));
	db_bind_i64(s, 18, m->deliver_by);
	db_bind_i64(s, 19, m->priority);
	db_bind_u64(s, 20, m->lane);
	st = db_run(s);
	if (st == ST_OK)
		st = insert_rcpts(q, m);
	return st == ST_OK && m->file == 0 ? insert_content(q, m->id, content) : st;
}

enum status queue_db_delete(struct queue *q, uint64_t id)
{
	static const char *const sql[] = {
		"DELETE FROM message WHERE id = ?1",
		"DELETE FROM rcpt WHERE message = ?1",
		"DELETE FROM content WHERE message = ?1",
	};
	enum status st = ST_OK;

	for (size_t i = 0; i < LEN(sql) && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(q->db, sql[i]);

		db_bind_u64(s, 1, id);
		st = db_run(s);
	}
	return st;
}

/* The smallest delivery id that a message on disk may repeat. */
enum status queue_db_pin(struct queue *q, uint64_t *ret)
{
	static const char sql[] = "SELECT base FROM message WHERE pinned = 1 ORDER BY base LIMIT 1";
	struct db_stmt   *s = db_sql(q->db, sql);
	enum status       st = db_step(s);

	*ret = st == ST_OK ? db_u64(s, 0) : UINT64_MAX;
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
