/* trust/trust_store.c - the file, and its policies; see trust_store.h. */
#include "trust/trust_store.h"

#include <stdlib.h>

#include "base/log.h"
#include "sys/clock.h"
#include "trust/trust_store_in.h"
#include "wire/sts/sts_policy.h"

static const char *const steps[] = {
	"CREATE TABLE sts ("
	" domain TEXT PRIMARY KEY NOT NULL,"
	" id TEXT NOT NULL,"
	" policy TEXT NOT NULL," /* as sts_policy_print */
	" fetched_ms INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX sts_by_time ON sts (fetched_ms);"
	"CREATE TABLE tlsrpt_policy ("
	" id INTEGER PRIMARY KEY NOT NULL,"
	" day INTEGER NOT NULL," /* since 1970-01-01, UTC */
	" domain TEXT NOT NULL,"
	" policy INTEGER NOT NULL," /* enum tlsrpt_policy */
	" text TEXT NOT NULL,"
	" successes INTEGER NOT NULL,"
	" failures INTEGER NOT NULL"
	");"
	"CREATE INDEX tlsrpt_policy_by_day ON tlsrpt_policy (day, domain);"
	"CREATE TABLE tlsrpt_failure ("
	" policy INTEGER NOT NULL," /* tlsrpt_policy.id */
	" result INTEGER NOT NULL," /* enum tlsrpt_result */
	" sending_ip TEXT NOT NULL,"
	" mx_host TEXT NOT NULL,"
	" mx_helo TEXT NOT NULL,"
	" receiving_ip TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" count INTEGER NOT NULL,"
	" PRIMARY KEY (policy, result, sending_ip, mx_host, mx_helo, receiving_ip, reason)"
	") WITHOUT ROWID;",
};
static const struct db_schema schema = { steps, LEN(steps) };

/* ---- open, close ---- */

static enum status one_u64(struct db *db, const char *sql, uint64_t *ret_a, uint64_t *ret_b)
{
	struct db_stmt *s = db_sql(db, sql);
	enum status     st = db_step(s);

	if (st == ST_OK) {
		*ret_a = db_u64(s, 0);
		if (ret_b)
			*ret_b = db_u64(s, 1);
	}
	db_done(s);
	return st;
}

enum status trust_store_count(struct trust_store *t)
{
	enum status st = one_u64(t->db, "SELECT count(*), coalesce(sum(length(policy)), 0) FROM sts", &t->policies, &t->policy_octets);

	return st != ST_OK ? st : one_u64(t->db, "SELECT (SELECT count(*) FROM tlsrpt_policy) + (SELECT count(*) FROM tlsrpt_failure)", &t->rows, NULL);
}

static enum status store_open(struct trust_store *t)
{
	const struct db_options options = { .schema = &schema, .create = true };
	enum status             st = db_open(t->options.path, &options, &t->db);

	if (st != ST_SUSPECT)
		return st;
	st = db_repair(t->options.path);
	return st == ST_OK ? db_open(t->options.path, &options, &t->db) : st;
}

struct trust_store *trust_store_open(const struct trust_store_options *options)
{
	struct trust_store *t = calloc(1, sizeof(*t));
	enum status         st;

	CHECK(t); /* out of memory */
	t->options = *options;
	t->options.path = options->path ? options->path : "auth/trust.db";
	t->options.wall_ms = options->wall_ms ? options->wall_ms : clock_wall_ms;
	t->options.policies_max = options->policies_max ? options->policies_max : LIMIT_STS_STORED;
	t->options.rows_max = options->rows_max ? options->rows_max : LIMIT_TLSRPT_STORED;
	pthread_mutex_init(&t->lock, NULL);
	st = store_open(t);
	if (st == ST_OK)
		st = trust_store_count(t);
	if (st != ST_OK) {
		log_error("policies and TLS results of other domains are not kept", LOG_C("path", t->options.path), LOG_ST("status", st));
		if (t->db)
			db_close(&t->db);
	}
	return t;
}

void trust_store_close(struct trust_store **pt)
{
	struct trust_store *t = *pt;

	if (!t)
		return;
	*pt = NULL;
	pthread_mutex_lock(&t->lock);
	if (t->db)
		db_close(&t->db);
	pthread_mutex_unlock(&t->lock);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

enum status trust_store_end(struct trust_store *t, enum status st)
{
	if (st == ST_OK)
		st = db_commit(t->db);
	else
		db_rollback(t->db);
	if (st == ST_OK)
		st = db_sync(t->db);
	/* After a failure the counts in memory may be those of what was undone. */
	if (st != ST_OK && trust_store_count(t) != ST_OK)
		log_debug("trust.db cannot be read", LOG_ST("status", st));
	return st;
}

/* ---- policies ---- */

static enum status get(struct trust_store *t, struct str domain, struct arena *a, struct auth_sts *ret)
{
	struct db_stmt *s = db_sql(t->db, "SELECT id, policy, fetched_ms FROM sts WHERE domain = ?1");
	enum status     st;

	db_bind_str(s, 1, domain);
	st = db_step(s);
	if (st == ST_OK)
		*ret = (struct auth_sts){ .domain = domain, .id = arena_dup(a, db_str(s, 0)), .policy = arena_dup(a, db_str(s, 1)),
					  .fetched_ms = db_i64(s, 2) };
	db_done(s);
	return st;
}

enum status trust_sts_get(struct trust_store *t, struct str domain, struct arena *a, struct auth_sts *ret)
{
	enum status st = ST_NOT_FOUND; /* without a database nothing is kept */

	pthread_mutex_lock(&t->lock);
	if (t->db)
		st = get(t, domain, a, ret);
	pthread_mutex_unlock(&t->lock);
	return st;
}

/* Its octets; 0: there is none. */
static enum status old_octets(struct trust_store *t, struct str domain, uint64_t *ret)
{
	struct db_stmt *s = db_sql(t->db, "SELECT length(policy) FROM sts WHERE domain = ?1");
	enum status     st;

	db_bind_str(s, 1, domain);
	st = db_step(s);
	*ret = st == ST_OK ? db_u64(s, 0) : 0;
	return rows_end(s, st == ST_OK ? ST_NOT_FOUND : st);
}

/* The one fetched first goes. */
static enum status drop_oldest(struct trust_store *t)
{
	struct arena   *a CLEANUP(arena_free) = arena_new(NULL);
	struct db_stmt *s = db_sql(t->db, "SELECT domain, length(policy) FROM sts ORDER BY fetched_ms LIMIT 1");
	enum status     st = db_step(s);
	struct str      domain = st == ST_OK ? arena_dup(a, db_str(s, 0)) : STR("");
	uint64_t        octets = st == ST_OK ? db_u64(s, 1) : 0;

	db_done(s);
	if (st != ST_OK)
		return st;
	s = db_sql(t->db, "DELETE FROM sts WHERE domain = ?1");
	db_bind_str(s, 1, domain);
	st = db_run(s);
	t->policies--;
	t->policy_octets -= octets;
	return st;
}

static enum status put(struct trust_store *t, const struct auth_sts *sts)
{
	struct db_stmt *s;
	uint64_t        old = 0;
	enum status     st = old_octets(t, sts->domain, &old);

	if (st != ST_OK)
		return st;
	s = db_sql(t->db, "INSERT OR REPLACE INTO sts (domain, id, policy, fetched_ms) VALUES (?1, ?2, ?3, ?4)");
	db_bind_str(s, 1, sts->domain);
	db_bind_str(s, 2, sts->id);
	db_bind_str(s, 3, sts->policy);
	db_bind_i64(s, 4, sts->fetched_ms);
	st = db_run(s);
	t->policies += old == 0;
	t->policy_octets += sts->policy.n - old;
	while (st == ST_OK && (t->policies > t->options.policies_max || t->policy_octets > LIMIT_STS_STORED_OCTETS))
		st = drop_oldest(t);
	return st;
}

enum status trust_sts_put(struct trust_store *t, const struct auth_sts *sts)
{
	struct sts_policy ignored;
	enum status       st = ST_TEMP;

	if (sts->domain.n == 0 || sts->id.n == 0 || sts_policy_parse(sts->policy, &ignored) != STS_POLICY_OK)
		return ST_INVALID;
	pthread_mutex_lock(&t->lock);
	if (t->db && (st = db_begin_write(t->db)) == ST_OK)
		st = trust_store_end(t, put(t, sts));
	pthread_mutex_unlock(&t->lock);
	return st;
}
