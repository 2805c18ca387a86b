/* db/db_stmt.c - prepared statements: a table per handle, by the address of the text. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/db_internal.h"

static unsigned place_of(const char *text)
{
	return (unsigned)(((uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15)) >> 56) & (DB_STMTS_MAX - 1);
}

static void stmt_free(struct db_stmt *s)
{
	sqlite3_finalize(s->stmt);
	free(s);
}

void db_stmts_drop(struct db *db)
{
	for (unsigned i = 0; i < DB_STMTS_MAX; i++) {
		if (db->stmts[i])
			stmt_free(db->stmts[i]);
		db->stmts[i] = NULL;
	}
	db->stmt_count = 0;
}

void db_forget(struct db *db)
{
	CHECK(db->txn == DB_TXN_NONE);
	db_stmts_drop(db);
}

static void put(struct db *db, struct db_stmt *s)
{
	unsigned at = place_of(s->text);

	while (db->stmts[at])
		at = (at + 1) % DB_STMTS_MAX;
	db->stmts[at] = s;
	db->stmt_count++;
}

struct db_stmt *db_sql(struct db *db, const char *text)
{
	struct db_stmt *s;
	int             rc;

	db_heap_begin();
	for (unsigned at = place_of(text); (s = db->stmts[at]) != NULL; at = (at + 1) % DB_STMTS_MAX) {
		if (s->text == text) {
			sqlite3_reset(s->stmt);
			return s;
		}
	}
	CHECK(db->stmt_count < DB_STMTS_MAX - 1);
	s = calloc(1, sizeof(*s));
	CHECK(s);
	s->text = text;
	s->db = db;
	rc = sqlite3_prepare_v3(db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
	/* The schema cannot be read (damaged, out of space): every step will say so. Otherwise the text is wrong. */
	if (rc != SQLITE_OK) {
		enum status st = db_result(db, rc);

		log_debug("statement not prepared", LOG_ST("status", st));
	}
	put(db, s);
	return s;
}

void db_bind_u64(struct db_stmt *s, int at, uint64_t v)
{
	sqlite3_bind_int64(s->stmt, at, (sqlite3_int64)v);
}

void db_bind_i64(struct db_stmt *s, int at, int64_t v)
{
	sqlite3_bind_int64(s->stmt, at, v);
}

void db_bind_str(struct db_stmt *s, int at, struct str v)
{
	sqlite3_bind_text64(s->stmt, at, v.p ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_blob(struct db_stmt *s, int at, struct str v)
{
	sqlite3_bind_blob64(s->stmt, at, v.p ? v.p : "", v.n, SQLITE_STATIC);
}

void db_bind_null(struct db_stmt *s, int at)
{
	sqlite3_bind_null(s->stmt, at);
}

enum status db_step(struct db_stmt *s)
{
	int rc;

	if (!s->stmt) { /* could not be prepared: try again now */
		rc = sqlite3_prepare_v3(s->db->sql, s->text, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
		if (rc != SQLITE_OK)
			return db_result(s->db, rc);
		return ST_TEMP; /* its parameters were lost */
	}
	rc = sqlite3_step(s->stmt);
	return rc == SQLITE_ROW ? ST_OK : rc == SQLITE_DONE ? ST_NOT_FOUND : db_result(s->db, rc);
}

uint64_t db_u64(struct db_stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(s->stmt, column);
}

int64_t db_i64(struct db_stmt *s, int column)
{
	return sqlite3_column_int64(s->stmt, column);
}

struct str db_str(struct db_stmt *s, int column)
{
	const void *p = sqlite3_column_blob(s->stmt, column);

	return str_n(p, (size_t)sqlite3_column_bytes(s->stmt, column));
}

bool db_null(struct db_stmt *s, int column)
{
	return sqlite3_column_type(s->stmt, column) == SQLITE_NULL;
}

void db_done(struct db_stmt *s)
{
	sqlite3_reset(s->stmt);
}

/* ---- each() ---- */

static sqlite3_value *value_at(struct db_values *v, int i)
{
	return ((sqlite3_value **)(void *)v)[i];
}

uint64_t   db_value_u64(struct db_values *v, int i) { return (uint64_t)sqlite3_value_int64(value_at(v, i)); }
int64_t    db_value_i64(struct db_values *v, int i) { return sqlite3_value_int64(value_at(v, i)); }
bool       db_value_null(struct db_values *v, int i) { return sqlite3_value_type(value_at(v, i)) == SQLITE_NULL; }

struct str db_value_str(struct db_values *v, int i)
{
	const void *p = sqlite3_value_blob(value_at(v, i));

	return str_n(p, (size_t)sqlite3_value_bytes(value_at(v, i)));
}

static void each_row(sqlite3_context *c, int n, sqlite3_value **values)
{
	struct db *db = sqlite3_user_data(c);

	(void)n;
	CHECK(db->each.fn);
	if (db->each.st == ST_OK)
		db->each.st = db->each.fn(db->each.arg, (struct db_values *)(void *)values);
	if (db->each.st != ST_OK)
		sqlite3_result_error_code(c, SQLITE_ABORT);
}

static void each_end(sqlite3_context *c)
{
	sqlite3_result_null(c);
}

enum status db_each_init(struct db *db)
{
	return db_result(db, sqlite3_create_function(db->sql, "each", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, db, NULL, each_row, each_end));
}

enum status db_each(struct db_stmt *s, db_each_fn *fn, void *arg)
{
	struct db  *db = s->db;
	enum status st, own;
	int         rc;

	db->each.fn = fn;
	db->each.arg = arg;
	db->each.st = ST_OK;
	rc = s->stmt ? sqlite3_step(s->stmt) : SQLITE_ROW;
	own = db->each.st;
	db->each.fn = NULL;
	if (!s->stmt)
		st = db_step(s); /* says what is wrong */
	else if (own != ST_OK)
		st = own;
	else
		st = rc == SQLITE_ROW ? ST_OK : db_result(db, rc);
	db_done(s);
	return st;
}

enum status db_run(struct db_stmt *s)
{
	enum status st = db_step(s);

	db_done(s);
	CHECK(st != ST_OK); /* a row: then it is no db_run statement */
	return st == ST_NOT_FOUND ? ST_OK : st;
}

uint64_t db_changed(struct db *db)
{
	return (uint64_t)sqlite3_changes64(db->sql);
}

uint64_t db_last_id(struct db *db)
{
	return (uint64_t)sqlite3_last_insert_rowid(db->sql);
}
