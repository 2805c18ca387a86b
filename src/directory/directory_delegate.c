/* directory/directory_delegate.c - what an account lends another: its addresses as sender. By id, so a new name changes nothing. */
#include "directory/directory_walk.h"

enum status dir_account_find(struct directory *d, struct str address, uint64_t *ret)
{
	struct address_canon canon;
	struct dir_domain   *dom;
	struct dir_account  *acc;

	if (dir_canon(d, address, &canon, &dom) != ADDRESS_OK)
		return ST_INVALID;
	acc = map_find(&d->accounts, address_text(&canon));
	if (!dir_account_in_use(acc))
		return ST_NOT_FOUND;
	*ret = acc->id;
	return ST_OK;
}

static size_t count_of(struct directory *d, uint64_t owner)
{
	size_t     count = 0;
	uint64_t   k[2]; /* owner, user */
	struct str key;
	void      *value;

	for (size_t at = 0; map_next(&d->delegates, &at, &key, &value);) {
		__builtin_memcpy(k, key.p, sizeof(k));
		count += k[0] == owner;
	}
	return count;
}

static enum status both(struct directory *d, const struct auth_delegate *q, uint64_t *ret_owner, uint64_t *ret_user)
{
	enum status st = dir_account_find(d, q->owner, ret_owner);

	return st == ST_OK ? dir_account_find(d, q->user, ret_user) : st;
}

static enum status delegate_add(struct directory *d, const struct auth_delegate *q)
{
	uint64_t        owner = 0, user = 0;
	enum auth_right before;
	struct db_stmt *s;
	enum status     st = both(d, q, &owner, &user);

	if (st == ST_OK && owner == user)
		st = ST_INVALID;
	if (st == ST_OK && !dir_delegate_find(d, owner, user, &before) && count_of(d, owner) >= LIMIT_DELEGATES)
		st = ST_LIMIT;
	if (st == ST_OK)
		st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "INSERT OR REPLACE INTO delegate (owner, user, grants) VALUES (?1, ?2, ?3)");
	db_bind_u64(s, 1, owner);
	db_bind_u64(s, 2, user);
	db_bind_u64(s, 3, q->right);
	st = dir_commit(d, db_run(s));
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		dir_delegate_put(d, owner, user, q->right);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

enum status directory_delegate_add(struct directory *d, const struct auth_delegate *q)
{
	enum status st;

	pthread_mutex_lock(&d->admin);
	st = delegate_add(d, q);
	pthread_mutex_unlock(&d->admin);
	return st;
}

static enum status delegate_remove(struct directory *d, const struct auth_delegate *q)
{
	uint64_t        owner = 0, user = 0;
	enum auth_right right;
	struct db_stmt *s;
	enum status     st = both(d, q, &owner, &user);

	if (st == ST_OK && !dir_delegate_find(d, owner, user, &right))
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "DELETE FROM delegate WHERE owner = ?1 AND user = ?2");
	db_bind_u64(s, 1, owner);
	db_bind_u64(s, 2, user);
	st = dir_commit(d, db_run(s));
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		dir_delegate_drop(d, owner, user);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

enum status directory_delegate_remove(struct directory *d, const struct auth_delegate *q)
{
	enum status st;

	pthread_mutex_lock(&d->admin);
	st = delegate_remove(d, q);
	pthread_mutex_unlock(&d->admin);
	return st;
}

enum status directory_delegate_list(struct directory *d, const struct auth_delegate_list_request *q, struct arena *a,
				    struct auth_delegate_list_reply *ret)
{
	struct auth_delegate_list_reply r = { .delegates = ARENA_ARRAY(a, struct auth_delegate, LIMIT_DELEGATES) };
	struct dir_account             *own, *user;
	uint64_t                        owner = 0;
	struct db_stmt                 *s;
	enum status                     st;

	pthread_mutex_lock(&d->admin);
	st = dir_account_find(d, q->owner, &owner);
	if (st == ST_OK) {
		own = map_find_u64(&d->ids, owner);
		s = db_sql(d->db, "SELECT user, grants FROM delegate WHERE owner = ?1 ORDER BY user");
		db_bind_u64(s, 1, owner);
		while (r.delegate_count < LIMIT_DELEGATES && (st = db_step(s)) == ST_OK) {
			user = map_find_u64(&d->ids, db_u64(s, 0));
			if (dir_account_in_use(user))
				r.delegates[r.delegate_count++] = (struct auth_delegate){
					arena_dup(a, own->address), arena_dup(a, user->address), (enum auth_right)db_u64(s, 1)
				};
		}
		db_done(s);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		*ret = r;
	return st;
}
