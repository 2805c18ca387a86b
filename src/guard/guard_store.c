/* guard/guard_store.c - guard.db: what is remembered over a restart. Nothing in it is needed: without it, newcomers wait once more. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "guard/guard_int.h"
#include "sys/random.h"

#define BATCH 1024u

static const char *const steps[] = {
	"CREATE TABLE secret (value BLOB NOT NULL);"
	/* kind: enum guard_memory; slot: place in the table in memory, so there are never more rows than slots */
	"CREATE TABLE memo ("
	" kind INTEGER NOT NULL,"
	" slot INTEGER NOT NULL,"
	" a INTEGER NOT NULL,"
	" b INTEGER NOT NULL,"
	" first_ms INTEGER NOT NULL,"
	" last_ms INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" PRIMARY KEY (kind, slot)"
	") WITHOUT ROWID;"
	"CREATE TABLE ban ("
	" place INTEGER PRIMARY KEY NOT NULL,"
	" since_ms INTEGER NOT NULL,"
	" until_ms INTEGER NOT NULL,"
	" count INTEGER NOT NULL,"
	" manual INTEGER NOT NULL,"
	" reason TEXT NOT NULL"
	");",
};
static const struct db_schema schema = { steps, LEN(steps) };

/* ---- reading ---- */

/* The row's end is the loop's end; anything else is a failure. */
static enum status rows_end(struct db_stmt *s, enum status st)
{
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Read, or made and written. */
static enum status load_secret(struct guard *g)
{
	struct db_stmt *s = db_sql(g->db, "SELECT value FROM secret LIMIT 1");
	enum status     st = db_step(s);
	bool            have = st == ST_OK && db_str(s, 0).n == sizeof(g->secret);

	if (have)
		memcpy(g->secret, db_str(s, 0).p, sizeof(g->secret));
	db_done(s);
	if (have || (st != ST_OK && st != ST_NOT_FOUND))
		return st;
	st = db_begin_write(g->db);
	if (st == ST_OK)
		st = db_run(db_sql(g->db, "DELETE FROM secret"));
	if (st == ST_OK) {
		s = db_sql(g->db, "INSERT INTO secret (value) VALUES (?1)");
		db_bind_blob(s, 1, str_n(g->secret, sizeof(g->secret)));
		st = db_run(s);
	}
	if (st == ST_OK)
		return db_commit(g->db);
	db_rollback(g->db);
	return st;
}

static enum status load_memos(struct guard *g)
{
	struct db_stmt *s = db_sql(g->db, "SELECT kind, slot, a, b, first_ms, last_ms, n FROM memo");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		uint64_t          kind = db_u64(s, 0);
		struct guard_memo row = {
			.a = db_u64(s, 2), .b = db_u64(s, 3), .first_ms = db_i64(s, 4), .last_ms = db_i64(s, 5), .n = (uint32_t)db_u64(s, 6)
		};

		if (kind < GUARD_MEMORIES)
			(void)guard_memos_load(&g->memos[kind], db_u64(s, 1), &row);
	}
	return rows_end(s, st);
}

static enum status load_bans(struct guard *g)
{
	struct db_stmt *s = db_sql(g->db, "SELECT place, since_ms, until_ms, count, manual, reason FROM ban LIMIT 10000");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		struct guard_ban b = {
			.place = db_u64(s, 0), .since_ms = db_i64(s, 1), .until_ms = db_i64(s, 2), .count = (uint32_t)db_u64(s, 3), .manual = db_u64(s, 4) != 0
		};

		if (b.until_ms > guard_wall(g) && str_to_c(str_first(db_str(s, 5), LIMIT_GUARD_REASON), b.reason, sizeof(b.reason)))
			guard_ban_put(g, &b);
	}
	g->bans_changed = false;
	return rows_end(s, st);
}

static enum status store_open(struct guard *g)
{
	const struct db_options options = { .schema = &schema, .create = true };
	enum status             st = db_open(g->options.path, &options, &g->db);

	if (st != ST_SUSPECT)
		return st;
	st = db_repair(g->options.path);
	return st == ST_OK ? db_open(g->options.path, &options, &g->db) : st;
}

void guard_store_open(struct guard *g)
{
	enum status st;

	random_octets(g->secret, sizeof(g->secret));
	if (g->options.path[0] == '\0')
		return;
	st = store_open(g);
	if (st == ST_OK)
		st = load_secret(g);
	if (st == ST_OK)
		st = load_memos(g);
	if (st == ST_OK)
		st = load_bans(g);
	if (st == ST_OK)
		return;
	log_error("limits and bans are not remembered over a restart", LOG_C("path", g->options.path), LOG_ST("status", st));
	guard_store_close(g);
}

void guard_store_close(struct guard *g)
{
	if (g->db != NULL)
		db_close(&g->db);
}

/* ---- writing ---- */

static enum status write_memo(struct guard *g, unsigned kind, uint64_t slot, const struct guard_memo *m)
{
	struct db_stmt *s;

	if ((m->a | m->b) == 0) {
		s = db_sql(g->db, "DELETE FROM memo WHERE kind = ?1 AND slot = ?2");
		db_bind_u64(s, 1, kind);
		db_bind_u64(s, 2, slot);
		return db_run(s);
	}
	s = db_sql(g->db, "INSERT OR REPLACE INTO memo (kind, slot, a, b, first_ms, last_ms, n) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
	db_bind_u64(s, 1, kind);
	db_bind_u64(s, 2, slot);
	db_bind_u64(s, 3, m->a);
	db_bind_u64(s, 4, m->b);
	db_bind_i64(s, 5, m->first_ms);
	db_bind_i64(s, 6, m->last_ms);
	db_bind_u64(s, 7, m->n);
	return db_run(s);
}

/* Rows that could not be written are to be written again. */
static void memos_again(struct guard *g, unsigned kind, const uint64_t *slots, size_t n)
{
	guard_lock(g);
	for (size_t i = 0; i < n; i++)
		guard_memos_touch(&g->memos[kind], &g->memos[kind].rows[slots[i]]);
	guard_unlock(g);
}

static enum status save_batch(struct guard *g, unsigned kind, const struct guard_memo *rows, const uint64_t *slots, size_t n)
{
	enum status st = db_begin_write(g->db);

	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = write_memo(g, kind, slots[i], &rows[i]);
	if (st == ST_OK)
		st = db_commit(g->db);
	else
		db_rollback(g->db);
	if (st != ST_OK)
		memos_again(g, kind, slots, n);
	return st;
}

static enum status save_memos(struct guard *g, unsigned kind, struct arena *a)
{
	struct guard_memo *rows = ARENA_ARRAY(a, struct guard_memo, BATCH);
	uint64_t          *slots = ARENA_ARRAY(a, uint64_t, BATCH);
	enum status        st = ST_OK;
	size_t             at = 0, n;

	do {
		guard_lock(g);
		n = guard_memos_take(&g->memos[kind], &at, rows, slots, BATCH);
		guard_unlock(g);
		if (n > 0)
			st = save_batch(g, kind, rows, slots, n);
	} while (st == ST_OK && n > 0);
	return st;
}

/* A copy of all bans if they changed; the count, or SIZE_MAX. */
static size_t bans_copy(struct guard *g, struct arena *a, struct guard_ban **ret)
{
	size_t n = 0, at = 0;
	void  *value;

	guard_lock(g);
	if (!g->bans_changed) {
		guard_unlock(g);
		return SIZE_MAX;
	}
	*ret = ARENA_ARRAY(a, struct guard_ban, g->bans.count);
	while (map_next(&g->bans, &at, &(struct str){ 0 }, &value))
		(*ret)[n++] = *(struct guard_ban *)value;
	g->bans_changed = false;
	guard_unlock(g);
	return n;
}

static enum status write_ban(struct guard *g, const struct guard_ban *b)
{
	struct db_stmt *s =
		db_sql(g->db, "INSERT INTO ban (place, since_ms, until_ms, count, manual, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");

	db_bind_u64(s, 1, b->place);
	db_bind_i64(s, 2, b->since_ms);
	db_bind_i64(s, 3, b->until_ms);
	db_bind_u64(s, 4, b->count);
	db_bind_u64(s, 5, b->manual);
	db_bind_str(s, 6, str_of(b->reason));
	return db_run(s);
}

/* They are few: all of them anew. */
static enum status save_bans(struct guard *g, struct arena *a)
{
	struct guard_ban *bans = NULL;
	size_t            n = bans_copy(g, a, &bans);
	enum status       st;

	if (n == SIZE_MAX)
		return ST_OK;
	st = db_begin_write(g->db);
	if (st == ST_OK)
		st = db_run(db_sql(g->db, "DELETE FROM ban"));
	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = write_ban(g, &bans[i]);
	if (st == ST_OK)
		st = db_commit(g->db);
	else
		db_rollback(g->db);
	if (st != ST_OK) {
		guard_lock(g);
		g->bans_changed = true;
		guard_unlock(g);
	}
	return st;
}

enum status guard_save(struct guard *g)
{
	struct arena *a = arena_new(NULL);
	enum status   st = ST_OK;

	pthread_mutex_lock(&g->saving);
	if (g->db != NULL) {
		st = save_bans(g, a);
		for (unsigned i = 0; st == ST_OK && i < GUARD_MEMORIES; i++)
			st = save_memos(g, i, arena_new(a));
		if (st == ST_OK && db_unsynced(g->db))
			st = db_sync(g->db);
		if (st != ST_OK && !g->save_failed)
			log_warn("limits and bans cannot be saved for now", LOG_C("path", g->options.path), LOG_ST("status", st));
		g->save_failed = st != ST_OK;
	}
	pthread_mutex_unlock(&g->saving);
	arena_free(&a);
	return st;
}
