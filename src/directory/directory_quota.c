/* directory/directory_quota.c - what accounts may hold: their own limit, their domain's default, and the domain's total.
 *
 * The store keeps the limits; it knows of one account only. So a total becomes a limit of each account: what it holds, and what is left of
 * the total. That holds as far as what the accounts hold is known here, which queue tells of the accounts of such domains behind each
 * delivery, imap behind what its sessions add and remove, and local behind what it removes and restores itself. Deliveries that are under way
 * together may go over it by what they bring.
 */
#include "directory/directory_int.h"

static uint64_t in_effect(uint64_t own, uint64_t of_domain)
{
	uint64_t v = own > 0 ? own : of_domain;

	return v == AUTH_QUOTA_NONE ? 0 : v;
}

void dir_quota_set_of(const struct dir_account *acc, struct auth_quota_reply *ret)
{
	const struct dir_quota *q = &acc->domain->quota;

	*ret = (struct auth_quota_reply){
		.quota_octets = in_effect(acc->quota_octets, q->account_octets),
		.quota_messages = in_effect(acc->quota_messages, q->account_messages),
		.quota_shared = q->total_octets > 0 || q->total_messages > 0,
	};
}

/* `limit`, or less if the total leaves less; never 0, which is none. */
static uint64_t within(uint64_t limit, uint64_t total, uint64_t used_by_all, uint64_t used)
{
	uint64_t left = total > used_by_all ? total - used_by_all : 0, most = MAX(used + left, (uint64_t)1);

	if (total == 0)
		return limit;
	return limit > 0 ? MIN(limit, most) : most;
}

void dir_quota_of(const struct dir_account *acc, struct auth_quota_reply *ret)
{
	const struct dir_domain *dom = acc->domain;

	dir_quota_set_of(acc, ret);
	ret->quota_octets = within(ret->quota_octets, dom->quota.total_octets, dom->used_octets, acc->used_octets);
	ret->quota_messages = within(ret->quota_messages, dom->quota.total_messages, dom->used_messages, acc->used_messages);
}

enum status directory_quota(struct directory *d, const struct auth_quota_request *q, struct auth_quota_reply *ret)
{
	struct dir_account *acc;

	pthread_rwlock_rdlock(&d->lock);
	acc = map_find_u64(&d->ids, q->account);
	if (acc != NULL)
		dir_quota_of(acc, ret);
	pthread_rwlock_unlock(&d->lock);
	return acc != NULL ? ST_OK : ST_NOT_FOUND;
}

/* ---- what accounts hold ---- */

enum status dir_used_load(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT account, octets, messages FROM used");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		struct dir_account *acc = map_find_u64(&d->ids, db_u64(s, 0));

		if (acc == NULL)
			continue;
		acc->used_octets = db_u64(s, 1);
		acc->used_messages = db_u64(s, 2);
		acc->domain->used_octets += acc->used_octets;
		acc->domain->used_messages += acc->used_messages;
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status used_write(struct directory *d, const struct auth_used_request *q)
{
	struct db_stmt *s;
	enum status     st = db_begin_write(d->db);

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "INSERT OR REPLACE INTO used VALUES (?1, ?2, ?3)");
	db_bind_u64(s, 1, q->account);
	db_bind_u64(s, 2, q->octets);
	db_bind_u64(s, 3, q->messages);
	st = db_run(s);
	if (st == ST_OK)
		return db_commit(d->db);
	db_rollback(d->db);
	return st;
}

static void used_set(struct directory *d, struct dir_account *acc, uint64_t octets, uint64_t messages)
{
	pthread_rwlock_wrlock(&d->lock);
	acc->domain->used_octets += octets - acc->used_octets;
	acc->domain->used_messages += messages - acc->used_messages;
	acc->used_octets = octets;
	acc->used_messages = messages;
	pthread_rwlock_unlock(&d->lock);
}

/* Sums of 2^20 accounts stay in 64 bits. */
#define USED_MAX (UINT64_C(1) << 43)

enum status directory_used(struct directory *d, const struct auth_used_request *q)
{
	struct dir_account *acc;
	enum status         st = ST_OK;

	if (q->octets > USED_MAX || q->messages > USED_MAX)
		return ST_INVALID;
	pthread_mutex_lock(&d->admin);
	acc = map_find_u64(&d->ids, q->account);
	if (acc == NULL)
		st = ST_NOT_FOUND;
	else if (acc->used_octets != q->octets || acc->used_messages != q->messages)
		st = used_write(d, q);
	if (st == ST_OK)
		used_set(d, acc, q->octets, q->messages);
	pthread_mutex_unlock(&d->admin);
	return st;
}

/* ---- administrators ---- */

static struct dir_quota changed(const struct dir_domain *dom, const struct auth_domain_quota_request *q)
{
	struct dir_quota now = dom->quota;

	if (q->given & AUTH_DOMAIN_ACCOUNT_OCTETS)
		now.account_octets = q->account_octets;
	if (q->given & AUTH_DOMAIN_ACCOUNT_MESSAGES)
		now.account_messages = q->account_messages;
	if (q->given & AUTH_DOMAIN_TOTAL_OCTETS)
		now.total_octets = q->total_octets;
	if (q->given & AUTH_DOMAIN_TOTAL_MESSAGES)
		now.total_messages = q->total_messages;
	return now;
}

static enum status quota_write(struct directory *d, struct str name, const struct dir_quota *q)
{
	const uint64_t  values[] = { q->account_octets, q->account_messages, q->total_octets, q->total_messages };
	struct db_stmt *s;
	enum status     st;

	for (size_t i = 0; i < LEN(values); i++)
		if (values[i] > INT64_MAX)
			return ST_INVALID;
	st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "UPDATE domain SET account_octets = ?2, account_messages = ?3, total_octets = ?4, total_messages = ?5"
			  " WHERE name = ?1");
	db_bind_str(s, 1, name);
	for (size_t i = 0; i < LEN(values); i++)
		db_bind_u64(s, (int)i + 2, values[i]);
	return dir_commit(d, db_run(s));
}

static void full_forget(struct directory *d, const struct dir_domain *dom)
{
	struct str key;
	void      *value;

	for (size_t at = 0; map_next(&d->accounts, &at, &key, &value);)
		if (((struct dir_account *)value)->domain == dom)
			atomic_store(&((struct dir_account *)value)->full_until_ms, 0); /* the next delivery finds out */
}

static enum status domain_quota(struct directory *d, struct dir_domain *dom, const struct auth_domain_quota_request *q)
{
	struct dir_quota now;
	enum status      st;

	if (dom == NULL)
		return ST_NOT_FOUND;
	if (dom->kind != AUTH_DOMAIN_LOCAL)
		return ST_DENIED;
	now = changed(dom, q);
	st = quota_write(d, dom->name, &now);
	if (st != ST_OK)
		return st;
	pthread_rwlock_wrlock(&d->lock);
	dom->quota = now;
	full_forget(d, dom);
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

enum status directory_domain_quota(struct directory *d, const struct auth_domain_quota_request *q)
{
	struct address_canon name;
	enum status          st;

	if (address_domain(q->name, &name) != ADDRESS_OK)
		return ST_INVALID;
	pthread_mutex_lock(&d->admin);
	st = domain_quota(d, map_find(&d->domains, address_text(&name)), q);
	pthread_mutex_unlock(&d->admin);
	return st;
}
