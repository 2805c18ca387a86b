/* directory/directory_load.c - rows into memory that stand beside domains, accounts and aliases; and the secrets. */
#include <string.h>

#include "directory/directory_int.h"
#include "sys/random.h"

/* The row's end is the loop's end; anything else is a failure. */
static enum status rows_end(struct db_stmt *s, enum status st)
{
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Rules one by one: each is put behind those that the alias has. A rule that is not understood must not leave a list open. */
static enum status load_policies(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT name, rule, address FROM policy ORDER BY name, position");
	struct arena   *a = arena_new(NULL);
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		struct dir_alias *al = map_find(&d->aliases, db_str(s, 0));
		struct dir_rule  *rules;

		if (al == NULL || db_u64(s, 1) > AUTH_RULE_LAST || al->rule_count == LIMIT_ALIAS_RULES) {
			st = ST_CORRUPT;
			break;
		}
		rules = ARENA_ARRAY(a, struct dir_rule, al->rule_count + 1);
		for (size_t i = 0; i < al->rule_count; i++)
			rules[i] = (struct dir_rule){ al->rules[i].rule, arena_dup(a, al->rules[i].address) };
		rules[al->rule_count] = (struct dir_rule){ (enum auth_rule)db_u64(s, 1), arena_dup(a, db_str(s, 2)) };
		dir_alias_set_rules(al, rules, al->rule_count + 1);
		arena_reset(a);
	}
	arena_free(&a);
	return rows_end(s, st);
}

static enum status load_delegates(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT owner, user, grants FROM delegate");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		if (db_u64(s, 2) > AUTH_RIGHT_LAST) {
			st = ST_CORRUPT;
			break;
		}
		dir_delegate_put(d, db_u64(s, 0), db_u64(s, 1), (enum auth_right)db_u64(s, 2));
	}
	return rows_end(s, st);
}

static enum status load_rewrites(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT source, scope, target FROM rewrite");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		if (db_u64(s, 1) != AUTH_SCOPE_SENDER && db_u64(s, 1) != AUTH_SCOPE_RECIPIENT) {
			st = ST_CORRUPT;
			break;
		}
		dir_rewrite_put(d, db_u64(s, 1) == AUTH_SCOPE_RECIPIENT, db_str(s, 0), db_str(s, 2));
	}
	return rows_end(s, st);
}

/* Made once: addresses of SRS must stay right over a restart. */
static enum status secret_make(struct directory *d)
{
	struct db_stmt *s;
	enum status     st = db_begin_write(d->db);

	if (st != ST_OK)
		return st;
	random_octets(d->srs_key, sizeof(d->srs_key));
	s = db_sql(d->db, "INSERT INTO secret (name, value) VALUES ('srs', ?1)");
	db_bind_blob(s, 1, str_n(d->srs_key, sizeof(d->srs_key)));
	return dir_commit(d, db_run(s));
}

static enum status load_secrets(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT value FROM secret WHERE name = 'srs'");
	enum status     st = db_step(s);
	struct str      value;

	if (st == ST_OK) {
		value = db_str(s, 0);
		if (value.n == sizeof(d->srs_key))
			memcpy(d->srs_key, value.p, value.n);
		else
			st = ST_CORRUPT;
	}
	db_done(s);
	return st == ST_NOT_FOUND ? secret_make(d) : st;
}

enum status dir_load_more(struct directory *d)
{
	static enum status (*const loads[])(struct directory *) = {
		load_policies, load_delegates, load_rewrites, dir_routes_load, load_secrets,
	};
	enum status st = ST_OK;

	for (size_t i = 0; i < LEN(loads) && st == ST_OK; i++)
		st = loads[i](d);
	return st;
}
