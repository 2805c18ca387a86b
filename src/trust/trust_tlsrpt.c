/* trust/trust_tlsrpt.c - TLS results by day, domain, policy and kind of failure; see trust_store.h and docs/formats/trust.md.
 *
 * What a stranger can make many of (domains, policies, names in failures) is bounded per domain and day and as a whole; what is over is
 * still counted, with less said about it.
 */
#include "base/log.h"
#include "trust/trust_store_in.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static uint32_t today(const struct trust_store *t)
{
	return (uint32_t)(MAX(t->options.wall_ms(), (int64_t)0) / DAY_MS);
}

/* ---- noting ---- */

static enum status purge(struct trust_store *t, uint32_t day)
{
	static const char *const sql[] = {
		"DELETE FROM tlsrpt_failure WHERE policy IN (SELECT id FROM tlsrpt_policy WHERE day < ?1)",
		"DELETE FROM tlsrpt_policy WHERE day < ?1",
	};
	enum status st = ST_OK;

	if (t->purged_day == day)
		return ST_OK;
	for (size_t i = 0; st == ST_OK && i < LEN(sql); i++) {
		struct db_stmt *s = db_sql(t->db, sql[i]);

		db_bind_u64(s, 1, day > LIMIT_TLSRPT_DAYS ? day - LIMIT_TLSRPT_DAYS : 0);
		st = db_run(s);
		if (st == ST_OK)
			t->rows -= MIN(db_changed(t->db), t->rows);
	}
	if (st == ST_OK)
		t->purged_day = day;
	return st;
}

/* ST_NOT_FOUND: no such row yet; *ret_others: how many policies the domain has on that day. */
static enum status policy_find(struct trust_store *t, const struct tlsrpt_row *r, uint64_t *ret_id, uint64_t *ret_others)
{
	struct db_stmt *s = db_sql(t->db, "SELECT id, policy, text FROM tlsrpt_policy WHERE day = ?1 AND domain = ?2");
	enum status     st;

	*ret_id = *ret_others = 0;
	db_bind_u64(s, 1, r->day);
	db_bind_str(s, 2, r->domain);
	while ((st = db_step(s)) == ST_OK) {
		++*ret_others;
		if (db_u64(s, 1) == (uint64_t)r->policy && str_eq(db_str(s, 2), r->policy_text))
			*ret_id = db_u64(s, 0);
	}
	st = rows_end(s, st);
	return st == ST_OK && *ret_id == 0 ? ST_NOT_FOUND : st;
}

static enum status policy_add(struct trust_store *t, const struct tlsrpt_row *r, uint64_t *ret_id)
{
	struct db_stmt *s =
		db_sql(t->db, "INSERT INTO tlsrpt_policy (day, domain, policy, text, successes, failures) VALUES (?1, ?2, ?3, ?4, 0, 0)");
	enum status st;

	db_bind_u64(s, 1, r->day);
	db_bind_str(s, 2, r->domain);
	db_bind_u64(s, 3, (uint64_t)r->policy);
	db_bind_str(s, 4, r->policy_text);
	st = db_run(s);
	*ret_id = db_last_id(t->db);
	t->rows++;
	return st;
}

/* Of the policy, or of what it is folded into. */
static enum status policy_get(struct trust_store *t, struct tlsrpt_row *r, uint64_t *ret_id)
{
	uint64_t    others;
	enum status st = policy_find(t, r, ret_id, &others);

	if (st == ST_NOT_FOUND && others >= LIMIT_TLSRPT_POLICIES) {
		r->policy_text = STR("");
		st = policy_find(t, r, ret_id, &others);
	}
	if (st == ST_NOT_FOUND && others == 0 && t->rows >= t->options.rows_max) {
		r->domain = STR(TLSRPT_OTHER);
		r->policy_text = STR("");
		st = policy_find(t, r, ret_id, &others);
	}
	return st == ST_NOT_FOUND ? policy_add(t, r, ret_id) : st;
}

static enum status policy_count(struct trust_store *t, uint64_t id, const struct tlsrpt_failure *f)
{
	struct db_stmt *s = db_sql(t->db, "UPDATE tlsrpt_policy SET successes = successes + ?2, failures = failures + ?3 WHERE id = ?1");

	db_bind_u64(s, 1, id);
	db_bind_u64(s, 2, f->result == TLSRPT_SUCCESS ? f->count : 0);
	db_bind_u64(s, 3, f->result == TLSRPT_SUCCESS ? 0 : f->count);
	return db_run(s);
}

static void failure_bind(struct db_stmt *s, uint64_t policy, const struct tlsrpt_failure *f)
{
	db_bind_u64(s, 1, policy);
	db_bind_u64(s, 2, (uint64_t)f->result);
	db_bind_str(s, 3, f->sending_ip);
	db_bind_str(s, 4, f->mx_host);
	db_bind_str(s, 5, f->mx_helo);
	db_bind_str(s, 6, f->receiving_ip);
	db_bind_str(s, 7, f->reason);
	db_bind_u64(s, 8, f->count);
}

/* *ret: the row was there. */
static enum status failure_add(struct trust_store *t, uint64_t policy, const struct tlsrpt_failure *f, bool *ret)
{
	struct db_stmt *s = db_sql(t->db, "UPDATE tlsrpt_failure SET count = count + ?8 WHERE policy = ?1 AND result = ?2 AND sending_ip = ?3"
					  " AND mx_host = ?4 AND mx_helo = ?5 AND receiving_ip = ?6 AND reason = ?7");
	enum status st;

	failure_bind(s, policy, f);
	st = db_run(s);
	*ret = st == ST_OK && db_changed(t->db) > 0;
	return st;
}

static enum status failures_of_day(struct trust_store *t, const struct tlsrpt_row *r, uint64_t *ret)
{
	struct db_stmt *s = db_sql(t->db, "SELECT count(*) FROM tlsrpt_failure WHERE policy IN"
					  " (SELECT id FROM tlsrpt_policy WHERE day = ?1 AND domain = ?2)");
	enum status st;

	db_bind_u64(s, 1, r->day);
	db_bind_str(s, 2, r->domain);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

static enum status failure_count(struct trust_store *t, const struct tlsrpt_row *r, uint64_t policy)
{
	struct tlsrpt_failure f = r->f;
	uint64_t              others = 0;
	bool                  there;
	enum status           st = failure_add(t, policy, &f, &there);
	struct db_stmt       *s;

	if (st != ST_OK || there)
		return st;
	st = failures_of_day(t, r, &others);
	if (st == ST_OK && (others >= LIMIT_TLSRPT_FAILURES || t->rows >= t->options.rows_max)) {
		f = (struct tlsrpt_failure){ .result = f.result, .count = f.count };
		f.sending_ip = f.mx_host = f.mx_helo = f.receiving_ip = f.reason = STR("");
		st = failure_add(t, policy, &f, &there);
	}
	if (st != ST_OK || there)
		return st;
	s = db_sql(t->db, "INSERT INTO tlsrpt_failure (policy, result, sending_ip, mx_host, mx_helo, receiving_ip, reason, count)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
	failure_bind(s, policy, &f);
	t->rows++;
	return db_run(s);
}

static enum status note_row(struct trust_store *t, const struct tlsrpt_row *row, uint32_t day)
{
	struct tlsrpt_row r = *row;
	uint64_t          id;
	enum status       st;

	if (r.day + LIMIT_TLSRPT_DAYS < day || r.day > day + 1 || r.domain.n == 0 || r.f.count > UINT32_MAX)
		return ST_OK;
	st = policy_get(t, &r, &id);
	if (st == ST_OK)
		st = policy_count(t, id, &r.f);
	if (st == ST_OK && r.f.result != TLSRPT_SUCCESS)
		st = failure_count(t, &r, id);
	return st;
}

enum status trust_tlsrpt_note(struct trust_store *t, const struct auth_tlsrpt_note_request *q)
{
	const uint32_t day = today(t);
	enum status    st = ST_TEMP;

	pthread_mutex_lock(&t->lock);
	if (t->db && (st = db_begin_write(t->db)) == ST_OK) {
		st = purge(t, day);
		for (size_t i = 0; st == ST_OK && i < q->row_count; i++)
			st = note_row(t, &q->rows[i], day);
		st = trust_store_end(t, st);
	}
	pthread_mutex_unlock(&t->lock);
	return st;
}

/* ---- telling ---- */

static enum status list(struct trust_store *t, const struct auth_tlsrpt_list_request *q, struct arena *a, struct auth_tlsrpt_list_reply *ret)
{
	struct db_stmt *s = db_sql(t->db, "SELECT domain, sum(successes), sum(failures) FROM tlsrpt_policy WHERE day = ?1 AND domain > ?2"
					  " GROUP BY domain ORDER BY domain LIMIT ?3");
	enum status st;

	ret->domains = ARENA_ARRAY(a, struct tlsrpt_domain, LIMIT_LIST_PAGE);
	db_bind_u64(s, 1, q->day);
	db_bind_str(s, 2, q->after);
	db_bind_u64(s, 3, LIMIT_LIST_PAGE + 1);
	while ((st = db_step(s)) == ST_OK && !ret->more) {
		ret->more = ret->domain_count == LIMIT_LIST_PAGE;
		if (!ret->more)
			ret->domains[ret->domain_count++] = (struct tlsrpt_domain){ arena_dup(a, db_str(s, 0)), db_u64(s, 1), db_u64(s, 2) };
	}
	return rows_end(s, st == ST_OK ? ST_NOT_FOUND : st);
}

enum status trust_tlsrpt_list(struct trust_store *t, const struct auth_tlsrpt_list_request *q, struct arena *a, struct auth_tlsrpt_list_reply *ret)
{
	enum status st = ST_TEMP;

	*ret = (struct auth_tlsrpt_list_reply){ 0 };
	pthread_mutex_lock(&t->lock);
	if (t->db)
		st = list(t, q, a, ret);
	pthread_mutex_unlock(&t->lock);
	return st;
}

static enum status failures_read(struct trust_store *t, uint64_t policy, struct arena *a, struct tlsrpt_report *ret)
{
	struct db_stmt *s = db_sql(t->db, "SELECT result, count, sending_ip, mx_host, mx_helo, receiving_ip, reason FROM tlsrpt_failure"
					  " WHERE policy = ?1 ORDER BY result, sending_ip, mx_host, mx_helo, receiving_ip, reason LIMIT ?2");
	const size_t most = LIMIT_TLSRPT_FAILURES + TLSRPT_RESULT_LAST;
	enum status  st;

	ret->failures = ARENA_ARRAY(a, struct tlsrpt_failure, most);
	db_bind_u64(s, 1, policy);
	db_bind_u64(s, 2, most);
	while ((st = db_step(s)) == ST_OK) {
		struct tlsrpt_failure *f = &ret->failures[ret->failure_count];

		if (db_u64(s, 0) > TLSRPT_RESULT_LAST || ret->failure_count == most)
			continue; /* of a newer program */
		*f = (struct tlsrpt_failure){ .result = (enum tlsrpt_result)db_u64(s, 0), .count = db_u64(s, 1) };
		f->sending_ip = arena_dup(a, db_str(s, 2));
		f->mx_host = arena_dup(a, db_str(s, 3));
		f->mx_helo = arena_dup(a, db_str(s, 4));
		f->receiving_ip = arena_dup(a, db_str(s, 5));
		f->reason = arena_dup(a, db_str(s, 6));
		ret->failure_count++;
	}
	return rows_end(s, st);
}

static enum status show(struct trust_store *t, const struct auth_tlsrpt_show_request *q, struct arena *a, struct auth_tlsrpt_show_reply *ret)
{
	const size_t    most = LIMIT_TLSRPT_POLICIES + TLSRPT_POLICY_LAST + 1;
	uint64_t       *ids = ARENA_ARRAY(a, uint64_t, most);
	struct db_stmt *s = db_sql(t->db, "SELECT id, policy, text, successes, failures FROM tlsrpt_policy WHERE day = ?1 AND domain = ?2"
					  " ORDER BY id LIMIT ?3");
	enum status     st;

	ret->policies = ARENA_ARRAY(a, struct tlsrpt_report, most);
	db_bind_u64(s, 1, q->day);
	db_bind_str(s, 2, q->domain);
	db_bind_u64(s, 3, most);
	while ((st = db_step(s)) == ST_OK) {
		if (db_u64(s, 1) > TLSRPT_POLICY_LAST || ret->policy_count == most)
			continue; /* of a newer program */
		ids[ret->policy_count] = db_u64(s, 0);
		ret->policies[ret->policy_count++] = (struct tlsrpt_report){ .policy = (enum tlsrpt_policy)db_u64(s, 1),
									     .policy_text = arena_dup(a, db_str(s, 2)),
									     .successes = db_u64(s, 3), .failures_total = db_u64(s, 4) };
	}
	st = rows_end(s, st);
	for (size_t i = 0; st == ST_OK && i < ret->policy_count; i++)
		st = failures_read(t, ids[i], a, &ret->policies[i]);
	return st == ST_OK && ret->policy_count == 0 ? ST_NOT_FOUND : st;
}

enum status trust_tlsrpt_show(struct trust_store *t, const struct auth_tlsrpt_show_request *q, struct arena *a, struct auth_tlsrpt_show_reply *ret)
{
	enum status st = ST_TEMP;

	*ret = (struct auth_tlsrpt_show_reply){ 0 };
	pthread_mutex_lock(&t->lock);
	if (t->db && (st = db_begin_read(t->db)) == ST_OK) {
		st = show(t, q, a, ret);
		db_rollback(t->db);
	}
	pthread_mutex_unlock(&t->lock);
	return st;
}

/* ---- messages ---- */

static void on_sts_get(void *ctx, struct ipc_request *r)
{
	const struct auth_sts_get_request *q = r->body;
	struct auth_sts                    reply;
	enum status                        st = trust_sts_get(ctx, q->domain, r->arena, &reply);

	ipc_reply(r, st, &reply);
}

static void on_sts_put(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, trust_sts_put(ctx, r->body), NULL);
}

static void on_note(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, trust_tlsrpt_note(ctx, r->body), NULL);
}

static void on_list(void *ctx, struct ipc_request *r)
{
	struct auth_tlsrpt_list_reply reply;
	enum status                   st = trust_tlsrpt_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, &reply);
}

static void on_show(void *ctx, struct ipc_request *r)
{
	struct auth_tlsrpt_show_reply reply;
	enum status                   st = trust_tlsrpt_show(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, &reply);
}

const struct ipc_row trust_rows[] = {
	{ IPC_AUTH_STS_GET, on_sts_get, TRUST_POOL },
	{ IPC_AUTH_STS_PUT, on_sts_put, TRUST_POOL },
	{ IPC_AUTH_TLSRPT_NOTE, on_note, TRUST_POOL },
	{ IPC_AUTH_TLSRPT_LIST, on_list, TRUST_POOL },
	{ IPC_AUTH_TLSRPT_SHOW, on_show, TRUST_POOL },
};
const size_t trust_row_count = LEN(trust_rows);
