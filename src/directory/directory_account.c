/* directory/directory_account.c - change, remove, expire and list accounts; see directory.h. Adding is in
 * directory_add.c. */
#include <sodium.h>

#include "base/log.h"
#include "directory/directory_walk.h"
#include "directory/verified.h"

#define PURGE_AGAIN_MS ((int64_t)31 * 24 * 3600 * 1000) /* longer than queue may keep a message */

/* The account of that address, removed or not. Holds `admin`. */
static enum status account_get(struct directory *d, struct str address, struct dir_account **ret)
{
	struct address_canon canon;
	struct dir_domain   *dom;
	struct dir_account  *acc;

	if (dir_canon(d, address, &canon, &dom) != ADDRESS_OK)
		return ST_INVALID;
	acc = map_find(&d->accounts, address_text(&canon));
	if (acc == NULL)
		return ST_NOT_FOUND;
	*ret = acc;
	return ST_OK;
}

/* One statement with the account's id as ?1 and one value, in a transaction of its own. */
static enum status update_u64(struct directory *d, const char *sql, uint64_t id, uint64_t value)
{
	enum status     st = db_begin_write(d->db);
	struct db_stmt *s;

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, sql);
	db_bind_u64(s, 1, id);
	db_bind_u64(s, 2, value);
	return dir_commit(d, db_run(s));
}

static enum status change_password(struct directory *d, struct dir_account *acc, struct str password)
{
	struct password_hash hash;
	struct scram_keys    scram;
	struct db_stmt      *s;
	enum status          st = dir_password_hash(d, password, &hash, &scram);

	if (st == ST_OK)
		st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "UPDATE account SET hash = ?2 WHERE id = ?1");
	db_bind_u64(s, 1, acc->id);
	db_bind_str(s, 2, str_n(hash.p, hash.n));
	st = db_run(s);
	if (st == ST_OK)
		st = dir_scram_write(d, acc->id, &scram);
	st = dir_commit(d, st);
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		dir_account_set_hash(acc, str_n(hash.p, hash.n), &scram);
		dir_account_set_state(d, acc, acc->disabled, acc->removed_ms);
		verified_drop(d->verified, acc->id);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

static enum status change_quota(struct directory *d, struct dir_account *acc, const char *sql, uint64_t *member, uint64_t value)
{
	enum status st;

	if (value > INT64_MAX)
		return ST_INVALID;
	st = update_u64(d, sql, acc->id, value);
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		*member = value;
		atomic_store(&acc->full_until_ms, 0); /* the next delivery finds out */
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

static void set_state(struct directory *d, struct dir_account *acc, bool disabled, int64_t removed_ms)
{
	pthread_rwlock_wrlock(&d->lock);
	dir_account_set_state(d, acc, disabled, removed_ms);
	verified_drop(d->verified, acc->id);
	pthread_rwlock_unlock(&d->lock);
}

static enum status change_disable(struct directory *d, struct dir_account *acc)
{
	enum status st = update_u64(d, "UPDATE account SET disabled = ?2 WHERE id = ?1", acc->id, 1);

	if (st == ST_OK)
		set_state(d, acc, true, acc->removed_ms);
	return st;
}

static bool alias_names_itself(const struct dir_alias *al)
{
	for (size_t i = 0; i < al->count; i++) {
		if (str_eq(al->to[i], al->from))
			return true;
	}
	return false;
}

static enum status change_enable(struct directory *d, struct dir_account *acc)
{
	struct dir_alias *al = map_find(&d->aliases, acc->address);
	enum status       st;

	if (acc->removed_ms != 0 && al != NULL && !alias_names_itself(al)) {
		log_info("account not restored: an alias has its name now", LOG_STR("address", acc->address));
		return ST_EXISTS;
	}
	st = update_u64(d, "UPDATE account SET disabled = ?2, removed_ms = 0 WHERE id = ?1", acc->id, 0);
	if (st == ST_OK)
		set_state(d, acc, false, 0);
	return st;
}

static enum status rename_rows(struct directory *d, const struct dir_account *acc, struct str address,
			       struct str domain)
{
	enum status     st = db_begin_write(d->db);
	struct db_stmt *s;

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "UPDATE account SET address = ?2, domain = ?3 WHERE id = ?1");
	db_bind_u64(s, 1, acc->id);
	db_bind_str(s, 2, address);
	db_bind_str(s, 3, domain);
	st = db_run(s);
	if (st == ST_OK) {
		s = db_sql(d->db, "UPDATE alias SET target = ?2 WHERE target = ?1");
		db_bind_str(s, 1, acc->address);
		db_bind_str(s, 2, address);
		st = db_run(s);
	}
	if (st == ST_OK) {
		s = db_sql(d->db, "UPDATE policy SET address = ?2 WHERE address = ?1");
		db_bind_str(s, 1, acc->address);
		db_bind_str(s, 2, address);
		st = db_run(s);
	}
	return dir_commit(d, st);
}

static enum status change_rename(struct directory *d, struct dir_account *acc, struct str new_address)
{
	struct address_canon canon;
	struct dir_domain   *dom;
	enum status          st;

	if (dir_canon(d, new_address, &canon, &dom) != ADDRESS_OK)
		return ST_INVALID;
	if (dom == NULL || dom->kind != AUTH_DOMAIN_LOCAL)
		return dom == NULL ? ST_NOT_FOUND : ST_DENIED;
	if (map_find(&d->accounts, address_text(&canon)) != NULL || map_find(&d->aliases, address_text(&canon)) != NULL)
		return ST_EXISTS;
	st = rename_rows(d, acc, address_text(&canon), dom->name);
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		dir_account_rename(d, acc, address_text(&canon), dom);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

static enum status change(struct directory *d, struct dir_account *acc, const struct auth_account_change_request *q)
{
	if (acc->removed_ms != 0 && q->what != AUTH_CHANGE_ENABLE)
		return ST_NOT_FOUND;
	switch (q->what) {
	case AUTH_CHANGE_PASSWORD: return change_password(d, acc, q->password);
	case AUTH_CHANGE_RENAME: return change_rename(d, acc, q->new_address);
	case AUTH_CHANGE_QUOTA:
		return change_quota(d, acc, "UPDATE account SET quota_octets = ?2 WHERE id = ?1", &acc->quota_octets, q->quota_octets);
	case AUTH_CHANGE_QUOTA_MESSAGES:
		return change_quota(d, acc, "UPDATE account SET quota_messages = ?2 WHERE id = ?1", &acc->quota_messages, q->quota_messages);
	case AUTH_CHANGE_DISABLE: return change_disable(d, acc);
	case AUTH_CHANGE_ENABLE: return change_enable(d, acc);
	}
	return ST_INVALID;
}

enum status directory_account_change(struct directory *d, const struct auth_account_change_request *q)
{
	struct dir_account *acc;
	enum status         st;

	pthread_mutex_lock(&d->admin);
	st = account_get(d, q->address, &acc);
	if (st == ST_OK)
		st = change(d, acc, q);
	pthread_mutex_unlock(&d->admin);
	return st;
}

/* From now on `gone` knows the id, until its mail is purged. */
static enum status purge_write(struct directory *d, uint64_t id)
{
	enum status     st = db_begin_write(d->db);
	struct db_stmt *s;

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "DELETE FROM account WHERE id = ?1");
	db_bind_u64(s, 1, id);
	st = db_run(s);
	if (st == ST_OK)
		st = dir_scram_write(d, id, &(struct scram_keys){ 0 });
	if (st == ST_OK) {
		s = db_sql(d->db, "DELETE FROM credential WHERE account = ?1");
		db_bind_u64(s, 1, id);
		st = db_run(s);
	}
	if (st == ST_OK) {
		s = db_sql(d->db, "DELETE FROM delegate WHERE owner = ?1 OR user = ?1");
		db_bind_u64(s, 1, id);
		st = db_run(s);
	}
	if (st == ST_OK) {
		s = db_sql(d->db, "DELETE FROM used WHERE account = ?1");
		db_bind_u64(s, 1, id);
		st = db_run(s);
	}
	if (st == ST_OK)
		st = dir_shares_forget(d, id);
	if (st == ST_OK) {
		s = db_sql(d->db, "INSERT INTO gone VALUES (?1, 0, 0)");
		db_bind_u64(s, 1, id);
		st = db_run(s);
	}
	return dir_commit(d, st);
}

static enum status purge(struct directory *d, struct dir_account *acc)
{
	enum status st = purge_write(d, acc->id);

	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		verified_drop(d->verified, acc->id);
		dir_credential_forget(d, acc->id);
		dir_delegates_forget(d, acc->id);
		dir_account_drop(d, acc);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

static enum status account_remove(struct directory *d, struct dir_account *acc, bool forget)
{
	int64_t     now_ms = MAX(dir_wall_ms(d), 1);
	enum status st;

	if (forget)
		return purge(d, acc);
	if (acc->removed_ms != 0)
		return ST_NOT_FOUND;
	st = update_u64(d, "UPDATE account SET removed_ms = ?2 WHERE id = ?1", acc->id, (uint64_t)now_ms);
	if (st == ST_OK)
		set_state(d, acc, acc->disabled, now_ms);
	return st;
}

enum status directory_account_remove(struct directory *d, const struct auth_account_remove_request *q,
				     struct auth_account_remove_reply *ret)
{
	struct dir_account *acc;
	uint64_t            id = 0;
	enum status         st;

	pthread_mutex_lock(&d->admin);
	st = account_get(d, q->address, &acc);
	if (st == ST_OK) {
		id = acc->id;
		st = account_remove(d, acc, q->purge);
	}
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		ret->account = id;
	return st;
}

/* Forget those whose retention has ended. */
static enum status expire(struct directory *d, struct arena *a)
{
	uint64_t   *ids = ARENA_ARRAY(a, uint64_t, LIMIT_LIST_PAGE);
	size_t      count = 0;
	int64_t     before_ms = dir_wall_ms(d) - d->options.retention_ms;
	enum status st = ST_OK;
	struct str  key;
	void       *value;

	for (size_t at = 0; count < LIMIT_LIST_PAGE && map_next(&d->accounts, &at, &key, &value);) {
		struct dir_account *acc = value;

		if (acc->removed_ms != 0 && acc->removed_ms <= before_ms)
			ids[count++] = acc->id;
	}
	for (size_t i = 0; i < count && st == ST_OK; i++)
		st = purge(d, map_find_u64(&d->ids, ids[i]));
	return st;
}

static enum status gone_list(struct directory *d, uint64_t *ids, size_t *ret_count)
{
	struct db_stmt *s = db_sql(d->db, "SELECT id FROM gone WHERE due_ms <= ?1 ORDER BY due_ms, id");
	enum status     st = ST_OK;
	size_t          count = 0;

	db_bind_i64(s, 1, dir_wall_ms(d));
	while (count < LIMIT_LIST_PAGE && (st = db_step(s)) == ST_OK)
		ids[count++] = db_u64(s, 0);
	db_done(s);
	*ret_count = count;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status directory_expire(struct directory *d, struct arena *a, uint64_t **ret_accounts, size_t *ret_count)
{
	uint64_t   *ids = ARENA_ARRAY(a, uint64_t, LIMIT_LIST_PAGE);
	size_t      count = 0;
	enum status st;

	pthread_mutex_lock(&d->admin);
	st = expire(d, a);
	if (st == ST_OK)
		st = gone_list(d, ids, &count);
	pthread_mutex_unlock(&d->admin);
	if (st != ST_OK)
		return st;
	*ret_accounts = ids;
	*ret_count = count;
	return ST_OK;
}

/* The last time: forget the id. The first: purge again when nothing in the queue can be older. */
static enum status purged(struct directory *d, uint64_t id)
{
	struct db_stmt *s = db_sql(d->db, "DELETE FROM gone WHERE id = ?1 AND last = 1");
	enum status     st;

	db_bind_u64(s, 1, id);
	st = db_run(s);
	if (st != ST_OK || db_changed(d->db) > 0)
		return st;
	s = db_sql(d->db, "UPDATE gone SET last = 1, due_ms = ?2 WHERE id = ?1");
	db_bind_u64(s, 1, id);
	db_bind_i64(s, 2, dir_wall_ms(d) + PURGE_AGAIN_MS);
	return db_run(s);
}

enum status directory_purged(struct directory *d, const struct auth_purged_request *q)
{
	enum status st;

	pthread_mutex_lock(&d->admin);
	st = db_begin_write(d->db);
	if (st == ST_OK) {
		for (size_t i = 0; i < q->account_count && st == ST_OK; i++)
			st = purged(d, q->accounts[i].account);
		st = dir_commit(d, st);
	}
	pthread_mutex_unlock(&d->admin);
	return st;
}

/* The next rows in order of address, of one domain or of all. */
static struct db_stmt *list_sql(struct directory *d, struct str after, struct str domain)
{
	struct db_stmt *s = domain.n == 0
				    ? db_sql(d->db, "SELECT address FROM account WHERE address > ?1 ORDER BY address")
				    : db_sql(d->db, "SELECT address FROM account WHERE domain = ?2 AND address > ?1"
						    " ORDER BY address");

	db_bind_str(s, 1, after);
	if (domain.n > 0)
		db_bind_str(s, 2, domain);
	return s;
}

enum status directory_account_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
				   struct auth_account_list_reply *ret)
{
	struct auth_account_list_reply r = { .accounts = ARENA_ARRAY(a, struct auth_account, LIMIT_LIST_PAGE) };
	struct address_canon           domain = { 0 };
	struct db_stmt                *s;
	enum status                    st;

	if (q->domain.n > 0 && address_domain(q->domain, &domain) != ADDRESS_OK)
		return ST_INVALID;
	pthread_mutex_lock(&d->admin);
	s = list_sql(d, q->after, address_text(&domain));
	while ((st = db_step(s)) == ST_OK && r.account_count < LIMIT_LIST_PAGE) {
		struct dir_account     *acc = map_find(&d->accounts, db_str(s, 0));
		struct auth_quota_reply quota;

		if (acc == NULL) /* committed, but never confirmed: see dir_commit */
			continue;
		dir_quota_set_of(acc, &quota);
		r.accounts[r.account_count++] = (struct auth_account){
			acc->id,          arena_dup(a, acc->address), acc->disabled,
			acc->removed_ms != 0, quota.quota_octets,     acc->created_ms,
			quota.quota_messages, acc->quota_octets > 0,  acc->quota_messages > 0,
		};
	}
	db_done(s);
	pthread_mutex_unlock(&d->admin);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	r.more = st == ST_OK;
	*ret = r;
	return ST_OK;
}
