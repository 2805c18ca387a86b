/* store/store_keyword.c - keywords of an account, and subscriptions: names with nothing behind them. */
#include "store/store_internal.h"

enum status store_keyword_list(struct store_account *a, struct arena *arena, struct str **ret, size_t *ret_count)
{
	struct db_stmt *s = db_sql(a->db, "SELECT number, name FROM keyword WHERE account = ?1 ORDER BY number");
	struct str     *names = ARENA_ARRAY(arena, struct str, LIMIT_KEYWORDS);
	size_t          n = 0;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	while ((st = db_step(s)) == ST_OK && n < LIMIT_KEYWORDS && db_u64(s, 0) == n)
		names[n++] = arena_dup(arena, db_str(s, 1));
	db_done(s);
	if (st == ST_OK)
		return ST_CORRUPT;
	if (st != ST_NOT_FOUND)
		return st;
	*ret = names;
	*ret_count = n;
	return ST_OK;
}

/* RFC 9051 §9: flag-keyword = atom. */
static bool keyword_valid(struct str name)
{
	if (name.n == 0 || name.n > LIMIT_KEYWORD)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= ' ' || c >= 0x7f || str_find(STR("(){%*\"\\]"), (char)c) >= 0)
			return false;
	}
	return true;
}

static enum status make(struct store_account *a, size_t number, struct str name)
{
	struct db_stmt *s;
	enum status     st;

	if (number >= LIMIT_KEYWORDS)
		return ST_LIMIT;
	s = db_sql(a->db, "INSERT INTO keyword VALUES (?1, ?2, ?3)");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, number);
	db_bind_str(s, 3, name);
	st = db_run(s);
	return st == ST_OK ? store_txn_change(a, CHANGE_KEYWORD, number, CHANGE_CREATED, NULL, 0) : st;
}

enum status store_keyword_bits(struct store_account *a, const struct str *names, size_t count, bool make_missing,
			       struct store_keywords *ret, bool *ret_new)
{
	struct arena *arena     CLEANUP(arena_free) = NULL;
	struct str           *known;
	size_t                n, made = 0;
	enum status           st;

	*ret = (struct store_keywords){ 0 };
	if (count == 0)
		return ST_OK;
	arena = arena_new(NULL);
	st = store_keyword_list(a, arena, &known, &n);
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		size_t at = 0;

		if (!keyword_valid(names[i]))
			return ST_INVALID;
		while (at < n && !str_ieq(known[at], names[i]))
			at++;
		if (at == n && !make_missing)
			continue;
		if (at == n) {
			st = make(a, n, names[i]);
			if (st != ST_OK)
				return st;
			known[n++] = names[i];
			made++;
		}
		ret->bits[at / 64] |= UINT64_C(1) << at % 64;
	}
	if (st == ST_OK && ret_new && made > 0)
		*ret_new = true;
	return st;
}

/* ---- subscriptions ---- */

static enum status subscriptions_count(struct store_account *a, uint64_t *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT count(*) FROM subscription WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

static enum status subscribe(struct store_account *a, struct str name, bool on)
{
	struct db_stmt *s;
	uint64_t        count = 0;
	enum status     st = subscriptions_count(a, &count);

	if (st == ST_OK && on && count >= LIMIT_MAILBOXES)
		st = ST_LIMIT;
	if (st != ST_OK)
		return st;
	s = on ? db_sql(a->db, "INSERT INTO subscription VALUES (?1, ?2) ON CONFLICT DO NOTHING") :
		 db_sql(a->db, "DELETE FROM subscription WHERE account = ?1 AND name = ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_str(s, 2, name);
	st = db_run(s);
	if (st == ST_OK && db_changed(a->db) > 0)
		st = store_txn_change_text(a, CHANGE_SUBSCRIPTION, 0, on ? CHANGE_CREATED : CHANGE_REMOVED, name);
	return st;
}

enum status store_subscribe(struct store_account *a, struct str name, bool on)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	enum status         st = store_name_normal(name, arena, &name);

	if (st == ST_OK)
		st = store_txn_begin(a, !on);
	return st == ST_OK ? store_txn_end(a, subscribe(a, name, on), true) : st;
}

enum status store_subscriptions(struct store_account *a, struct arena *arena, struct str **ret, size_t *ret_count)
{
	struct db_stmt *s = db_sql(a->db, "SELECT name FROM subscription WHERE account = ?1 ORDER BY name");
	uint64_t        max = 0;
	struct str     *names;
	size_t          n = 0;
	enum status     st = db_begin_read(a->db);

	if (st != ST_OK)
		return st;
	st = subscriptions_count(a, &max);
	names = ARENA_ARRAY(arena, struct str, max);
	db_bind_u64(s, 1, a->id);
	while (st == ST_OK && n < max && (st = db_step(s)) == ST_OK)
		names[n++] = arena_dup(arena, db_str(s, 0));
	db_done(s);
	db_rollback(a->db);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	*ret = names;
	*ret_count = n;
	return ST_OK;
}
