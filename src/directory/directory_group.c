/* directory/directory_group.c - groups of accounts, which entries of access name as "$name". By id, so new names of accounts change nothing. */
#include "directory/directory_walk.h"

/* Letters, digits, "-", "_", "."; folded. */
static bool name_fold(struct str name, char ret[LIMIT_GROUP_NAME], struct str *ret_name)
{
	if (name.n == 0 || name.n > LIMIT_GROUP_NAME)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
			return false;
		ret[i] = c;
	}
	*ret_name = str_n(ret, name.n);
	return true;
}

enum status dir_group_find(struct directory *d, struct str name, uint64_t *ret)
{
	struct db_stmt *s = db_sql(d->db, "SELECT id FROM team WHERE name = ?1");
	char            folded[LIMIT_GROUP_NAME];
	enum status     st;

	if (!name_fold(name, folded, &name))
		return ST_INVALID;
	db_bind_str(s, 1, name);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

/* Rows of one number in ?1 (if the text has it). */
static enum status count(struct directory *d, const char *sql, uint64_t id, uint64_t *ret)
{
	struct db_stmt *s = db_sql(d->db, sql);
	enum status     st;

	if (id > 0)
		db_bind_u64(s, 1, id);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

static enum status group_make(struct directory *d, struct str name, uint64_t *ret)
{
	struct db_stmt *s;
	char            folded[LIMIT_GROUP_NAME];
	uint64_t        groups = 0;
	enum status     st = count(d, "SELECT count(*) FROM team", 0, &groups);

	if (st == ST_OK && groups >= LIMIT_GROUPS)
		st = ST_LIMIT;
	if (st != ST_OK)
		return st;
	CHECK(name_fold(name, folded, &name));
	s = db_sql(d->db, "INSERT INTO team (name) VALUES (?1)");
	db_bind_str(s, 1, name);
	st = db_run(s);
	*ret = db_last_id(d->db);
	return st;
}

static enum status member_add(struct directory *d, uint64_t group, uint64_t account)
{
	struct db_stmt *s;
	uint64_t        members = 0;
	enum status     st = count(d, "SELECT count(*) FROM member WHERE team = ?1", group, &members);

	if (st == ST_OK && members >= LIMIT_GROUP_MEMBERS)
		st = ST_LIMIT;
	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "INSERT OR IGNORE INTO member VALUES (?1, ?2)");
	db_bind_u64(s, 1, group);
	db_bind_u64(s, 2, account);
	st = db_run(s);
	return st == ST_OK && db_changed(d->db) == 0 ? ST_EXISTS : st;
}

static enum status add(struct directory *d, const struct auth_group_request *q)
{
	uint64_t    group = 0, account = 0;
	enum status st = dir_group_find(d, q->name, &group);

	if (st == ST_OK && q->member.n == 0)
		return ST_EXISTS;
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	st = q->member.n > 0 ? dir_account_find(d, q->member, &account) : ST_OK;
	if (st == ST_OK)
		st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	if (group == 0)
		st = group_make(d, q->name, &group);
	if (st == ST_OK && account > 0)
		st = member_add(d, group, account);
	return dir_commit(d, st);
}

enum status directory_group_add(struct directory *d, const struct auth_group_request *q)
{
	enum status st;

	pthread_mutex_lock(&d->admin);
	st = add(d, q);
	pthread_mutex_unlock(&d->admin);
	return st;
}

static enum status run_u64(struct directory *d, const char *sql, uint64_t a, uint64_t b)
{
	struct db_stmt *s = db_sql(d->db, sql);

	db_bind_u64(s, 1, a);
	if (b > 0)
		db_bind_u64(s, 2, b);
	return db_run(s);
}

static enum status remove_it(struct directory *d, const struct auth_group_request *q)
{
	uint64_t    group = 0, account = 0;
	enum status st = dir_group_find(d, q->name, &group);

	if (st == ST_OK && q->member.n > 0)
		st = dir_account_find(d, q->member, &account);
	if (st == ST_OK)
		st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	if (account > 0) {
		st = run_u64(d, "DELETE FROM member WHERE team = ?1 AND account = ?2", group, account);
		if (st == ST_OK && db_changed(d->db) == 0)
			st = ST_NOT_FOUND;
		return dir_commit(d, st);
	}
	st = run_u64(d, "DELETE FROM member WHERE team = ?1", group, 0);
	if (st == ST_OK)
		st = run_u64(d, "DELETE FROM share WHERE kind = 2 AND subject = ?1", group, 0); /* AUTH_SUBJECT_GROUP */
	if (st == ST_OK)
		st = run_u64(d, "DELETE FROM team WHERE id = ?1", group, 0);
	return dir_commit(d, st);
}

enum status directory_group_remove(struct directory *d, const struct auth_group_request *q)
{
	enum status st;

	pthread_mutex_lock(&d->admin);
	st = remove_it(d, q);
	pthread_mutex_unlock(&d->admin);
	return st;
}

static enum status list(struct directory *d, const struct auth_group_request *q, struct arena *a, struct auth_group_list_reply *r)
{
	struct db_stmt *s;
	uint64_t        group = 0;
	enum status     st = q->name.n > 0 ? dir_group_find(d, q->name, &group) : ST_OK;

	if (st != ST_OK)
		return st;
	r->names = ARENA_ARRAY(a, struct auth_name, LIMIT_GROUP_MEMBERS);
	s = group > 0 ? db_sql(d->db, "SELECT a.address, a.id FROM member m JOIN account a ON a.id = m.account WHERE m.team = ?1 ORDER BY 1") :
			db_sql(d->db, "SELECT name, 0 FROM team ORDER BY 1");
	if (group > 0)
		db_bind_u64(s, 1, group);
	while (r->name_count < LIMIT_GROUP_MEMBERS && (st = db_step(s)) == ST_OK) {
		if (group > 0 && !dir_account_in_use(map_find_u64(&d->ids, db_u64(s, 1))))
			continue;
		r->names[r->name_count++].address = arena_dup(a, db_str(s, 0));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status directory_group_list(struct directory *d, const struct auth_group_request *q, struct arena *a, struct auth_group_list_reply *ret)
{
	struct auth_group_list_reply r = { 0 };
	enum status                  st;

	pthread_mutex_lock(&d->admin);
	st = list(d, q, a, &r);
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		*ret = r;
	return st;
}
