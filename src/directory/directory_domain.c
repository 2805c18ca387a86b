/* directory/directory_domain.c - add, remove and list domains; see directory.h. */
#include "base/log.h"
#include "directory/directory_int.h"
#include "directory/probe_known.h"
#include "wire/address/nexthop.h"

static enum status domain_insert(struct directory *d, const struct dir_domain *row)
{
	struct db_stmt *s;
	enum status     st = db_begin_write(d->db);

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "INSERT INTO domain (name, created_ms, kind, relay, verify) VALUES (?1, ?2, ?3, ?4, ?5)");
	db_bind_str(s, 1, row->name);
	db_bind_i64(s, 2, row->created_ms);
	db_bind_u64(s, 3, row->kind);
	db_bind_str(s, 4, row->relay);
	db_bind_u64(s, 5, row->verify);
	return dir_commit(d, db_run(s));
}

enum status directory_domain_add(struct directory *d, const struct auth_domain_request *q)
{
	struct address_canon name;
	struct dir_domain    row = {
		   .created_ms = dir_wall_ms(d), .kind = q->kind, .relay = q->relay, .verify = q->verify
	};
	enum status st;

	if (address_domain(q->name, &name) != ADDRESS_OK || (q->relay.n > 0 && !nexthops_or_pipe_valid(q->relay)) ||
	    (q->verify == AUTH_VERIFY_PROBE && str_starts(q->relay, STR("pipe:"))) || /* a program cannot be asked about recipients */
	    (q->kind == AUTH_DOMAIN_LOCAL && (q->relay.n > 0 || q->verify != AUTH_VERIFY_NONE)))
		return ST_INVALID;
	row.name = address_text(&name);
	pthread_mutex_lock(&d->admin);
	st = map_find(&d->domains, row.name) != NULL ? ST_EXISTS : domain_insert(d, &row);
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		dir_domain_put(d, &row);
		pthread_rwlock_unlock(&d->lock);
	}
	pthread_mutex_unlock(&d->admin);
	return st;
}

static enum status domain_delete(struct directory *d, struct str name)
{
	struct db_stmt *s;
	enum status     st = db_begin_write(d->db);

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "DELETE FROM alias WHERE domain = ?1");
	db_bind_str(s, 1, name);
	st = db_run(s);
	if (st == ST_OK) {
		/* policies have the names of their aliases */
		s = db_sql(d->db, "DELETE FROM policy WHERE name NOT IN (SELECT name FROM alias)");
		st = db_run(s);
	}
	if (st == ST_OK) {
		s = db_sql(d->db, "DELETE FROM dkim WHERE domain = ?1");
		db_bind_str(s, 1, name);
		st = db_run(s);
	}
	if (st == ST_OK) {
		s = db_sql(d->db, "DELETE FROM domain WHERE name = ?1");
		db_bind_str(s, 1, name);
		st = db_run(s);
	}
	return dir_commit(d, st);
}

static enum status domain_remove(struct directory *d, struct dir_domain *dom)
{
	enum status st;

	if (dom == NULL)
		return ST_NOT_FOUND;
	if (dom->rows > 0) {
		log_info("domain not removed: it has accounts; removed ones count until they are purged",
			 LOG_STR("domain", dom->name), LOG_U64("accounts", dom->accounts),
			 LOG_U64("removed", dom->rows - dom->accounts));
		return ST_DENIED;
	}
	st = domain_delete(d, dom->name);
	if (st != ST_OK)
		return st;
	pthread_rwlock_wrlock(&d->lock);
	probe_known_forget(d->probes, dom->name);
	dir_domain_drop(d, dom);
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

enum status directory_domain_remove(struct directory *d, const struct auth_domain_request *q)
{
	struct address_canon name;
	enum status          st;

	if (address_domain(q->name, &name) != ADDRESS_OK)
		return ST_INVALID;
	pthread_mutex_lock(&d->admin);
	st = domain_remove(d, map_find(&d->domains, address_text(&name)));
	pthread_mutex_unlock(&d->admin);
	return st;
}

enum status directory_domain_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
				  struct auth_domain_list_reply *ret)
{
	struct auth_domain_list_reply r = { .domains = ARENA_ARRAY(a, struct auth_domain, LIMIT_LIST_PAGE) };
	struct db_stmt               *s;
	enum status                   st;

	pthread_mutex_lock(&d->admin);
	s = db_sql(d->db, "SELECT name, created_ms FROM domain WHERE name > ?1 ORDER BY name");
	db_bind_str(s, 1, q->after);
	while ((st = db_step(s)) == ST_OK && r.domain_count < LIMIT_LIST_PAGE) {
		struct dir_domain  *dom = map_find(&d->domains, db_str(s, 0));
		struct auth_domain *row = &r.domains[r.domain_count];

		if (dom == NULL) /* committed, but never confirmed: see dir_commit */
			continue;
		*row = (struct auth_domain){ arena_dup(a, dom->name), dom->accounts, dom->aliases, dom->created_ms,
					     dom->kind, arena_dup(a, dom->relay), dom->verify,
					     dom->quota.account_octets, dom->quota.account_messages, dom->quota.total_octets,
					     dom->quota.total_messages, dom->used_octets, dom->used_messages };
		r.domain_count++;
	}
	db_done(s);
	pthread_mutex_unlock(&d->admin);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	r.more = st == ST_OK;
	*ret = r;
	return ST_OK;
}
