/* directory/directory_alias.c - add, remove and list aliases; see directory.h. */
#include "base/log.h"
#include "directory/directory_walk.h"

/* The canonical name of an alias, and its domain: "@domain", or an address of ours. Holds `admin`. */
static enum status alias_name(struct directory *d, struct str from, struct arena *a, struct str *ret_name,
			      struct dir_domain **ret_domain)
{
	struct address_canon canon;
	struct dir_domain   *dom;
	struct str           domain = from;

	if (str_skip_char(&domain, '@')) {
		if (address_domain(domain, &canon) != ADDRESS_OK)
			return ST_INVALID;
		dom = map_find(&d->domains, address_text(&canon));
		*ret_name = arena_printf(a, "@%.*s", STR_FMT(address_text(&canon)));
	} else {
		if (dir_canon(d, from, &canon, &dom) != ADDRESS_OK)
			return ST_INVALID;
		*ret_name = arena_dup(a, address_text(&canon));
	}
	if (dom != NULL && dom->kind != AUTH_DOMAIN_LOCAL) {
		log_info("a domain that is relayed has no aliases", LOG_STR("domain", dom->name));
		return ST_DENIED;
	}
	*ret_domain = dom;
	return dom != NULL ? ST_OK : ST_NOT_FOUND;
}

/* Canonical, each once. */
static enum status alias_targets(struct directory *d, const struct auth_alias *q, struct arena *a, struct str *ret,
				 size_t *ret_count)
{
	struct map  seen;
	size_t      count = 0;
	enum status st = ST_OK;

	map_init(&seen);
	for (size_t i = 0; i < q->to_count && st == ST_OK; i++) {
		struct address_canon canon;
		struct dir_domain   *dom;

		if (dir_canon(d, q->to[i].address, &canon, &dom) != ADDRESS_OK)
			st = ST_INVALID;
		else if (map_put(&seen, address_text(&canon), ret) == NULL)
			ret[count++] = arena_dup(a, address_text(&canon));
	}
	map_done(&seen);
	*ret_count = count;
	return st;
}

/* Canonical, in `a`. */
static enum status alias_rules(struct directory *d, const struct auth_policy *rules, size_t count, struct arena *a,
			       struct dir_rule **ret)
{
	struct dir_rule *r = ARENA_ARRAY(a, struct dir_rule, count);

	if (count > LIMIT_ALIAS_RULES)
		return ST_INVALID;
	for (size_t i = 0; i < count; i++) {
		struct address_canon canon;
		struct dir_domain   *dom;

		r[i] = (struct dir_rule){ .rule = rules[i].rule, .address = STR("") };
		if (rules[i].rule != AUTH_RULE_ADDRESS)
			continue;
		if (dir_canon(d, rules[i].address, &canon, &dom) != ADDRESS_OK)
			return ST_INVALID;
		r[i].address = arena_dup(a, address_text(&canon));
	}
	*ret = r;
	return ST_OK;
}

/* Inside a transaction: these rules, in place of those there are. */
static enum status rules_write(struct directory *d, struct str name, const struct dir_rule *rules, size_t count)
{
	struct db_stmt *s = db_sql(d->db, "DELETE FROM policy WHERE name = ?1");
	enum status     st;

	db_bind_str(s, 1, name);
	st = db_run(s);
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		s = db_sql(d->db, "INSERT INTO policy (name, position, rule, address) VALUES (?1, ?2, ?3, ?4)");
		db_bind_str(s, 1, name);
		db_bind_u64(s, 2, i);
		db_bind_u64(s, 3, rules[i].rule);
		db_bind_str(s, 4, rules[i].address);
		st = db_run(s);
	}
	return st;
}

static enum status alias_may(struct directory *d, struct dir_alias *al)
{
	bool keeps_copy = false;

	for (size_t i = 0; i < al->count; i++)
		keeps_copy |= str_eq(al->to[i], al->from);
	if (dir_account_in_use(map_find(&d->accounts, al->from)) && !keeps_copy) {
		log_info("alias not added: there is an account of this name, which must be among the targets",
			 LOG_STR("from", al->from));
		return ST_EXISTS;
	}
	return dir_alias_check(d, al);
}

/* In place of one of the same name, if there is one. */
static enum status alias_write(struct directory *d, const struct dir_alias *al)
{
	enum status     st = db_begin_write(d->db);
	struct db_stmt *old;

	if (st != ST_OK)
		return st;
	old = db_sql(d->db, "DELETE FROM alias WHERE name = ?1");
	db_bind_str(old, 1, al->from);
	st = db_run(old);
	for (size_t i = 0; i < al->count && st == ST_OK; i++) {
		struct db_stmt *s =
			db_sql(d->db, "INSERT INTO alias (name, position, domain, target) VALUES (?1, ?2, ?3, ?4)");

		db_bind_str(s, 1, al->from);
		db_bind_u64(s, 2, i);
		db_bind_str(s, 3, al->domain->name);
		db_bind_str(s, 4, al->to[i]);
		st = db_run(s);
	}
	if (st == ST_OK)
		st = rules_write(d, al->from, al->rules, al->rule_count);
	return dir_commit(d, st);
}

/* `old`: the alias that it replaces, or NULL. */
static enum status alias_put(struct directory *d, struct dir_alias *al, struct dir_alias *old)
{
	enum status st = alias_may(d, al);

	if (st == ST_OK)
		st = alias_write(d, al);
	if (st != ST_OK) {
		dir_alias_free(al);
		return st;
	}
	pthread_rwlock_wrlock(&d->lock);
	if (old != NULL)
		dir_alias_drop(d, old);
	dir_alias_put(d, al);
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

static enum status alias_add(struct directory *d, const struct auth_alias *q, struct arena *a)
{
	struct str        *to = ARENA_ARRAY(a, struct str, q->to_count), name;
	struct dir_domain *dom;
	struct dir_alias  *al;
	struct dir_rule   *rules;
	size_t             count;
	enum status        st = alias_name(d, q->from, a, &name, &dom);

	if (st == ST_OK)
		st = alias_targets(d, q, a, to, &count);
	if (st == ST_OK)
		st = alias_rules(d, q->rules, q->rule_count, a, &rules);
	if (st == ST_OK && map_find(&d->aliases, name) != NULL)
		st = ST_EXISTS;
	if (st != ST_OK)
		return st;
	al = dir_alias_new(name, to, count, dom);
	dir_alias_set_rules(al, rules, q->rule_count);
	return alias_put(d, al, NULL);
}

static enum status alias_change(struct directory *d, const struct auth_alias *q, struct arena *a)
{
	struct str        *to = ARENA_ARRAY(a, struct str, q->to_count), name;
	struct dir_domain *dom;
	struct dir_alias  *al, *old;
	size_t             count;
	enum status        st = alias_name(d, q->from, a, &name, &dom);

	if (st == ST_OK)
		st = alias_targets(d, q, a, to, &count);
	if (st != ST_OK)
		return st;
	old = map_find(&d->aliases, name);
	if (old == NULL)
		return ST_NOT_FOUND;
	al = dir_alias_new(name, to, count, dom);
	dir_alias_set_rules(al, old->rules, old->rule_count);
	return alias_put(d, al, old);
}

static enum status locked(struct directory *d, const struct auth_alias *q,
			  enum status (*fn)(struct directory *d, const struct auth_alias *q, struct arena *a))
{
	struct arena *a;
	enum status   st;

	if (q->to_count == 0 || q->to_count > LIMIT_ALIAS_TARGETS)
		return ST_INVALID;
	a = arena_new(NULL);
	pthread_mutex_lock(&d->admin);
	st = fn(d, q, a);
	pthread_mutex_unlock(&d->admin);
	arena_free(&a);
	return st;
}

enum status directory_alias_add(struct directory *d, const struct auth_alias *q)
{
	return locked(d, q, alias_add);
}

enum status directory_alias_change(struct directory *d, const struct auth_alias *q)
{
	return locked(d, q, alias_change);
}

static enum status alias_policy(struct directory *d, const struct auth_alias_policy_request *q, struct arena *a)
{
	struct dir_domain *dom;
	struct dir_alias  *al;
	struct dir_rule   *rules;
	struct str         name;
	enum status        st = alias_name(d, q->from, a, &name, &dom);

	if (st == ST_OK && map_find(&d->aliases, name) == NULL)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = alias_rules(d, q->rules, q->rule_count, a, &rules);
	if (st == ST_OK)
		st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	al = map_find(&d->aliases, name);
	st = dir_commit(d, rules_write(d, name, rules, q->rule_count));
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		dir_alias_set_rules(al, rules, q->rule_count);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

enum status directory_alias_policy(struct directory *d, const struct auth_alias_policy_request *q)
{
	struct arena *a = arena_new(NULL);
	enum status   st;

	pthread_mutex_lock(&d->admin);
	st = alias_policy(d, q, a);
	pthread_mutex_unlock(&d->admin);
	arena_free(&a);
	return st;
}

static enum status alias_delete(struct directory *d, struct dir_alias *al)
{
	enum status     st;
	struct db_stmt *s;

	if (al == NULL)
		return ST_NOT_FOUND;
	st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "DELETE FROM alias WHERE name = ?1");
	db_bind_str(s, 1, al->from);
	st = db_run(s);
	if (st == ST_OK)
		st = rules_write(d, al->from, NULL, 0);
	st = dir_commit(d, st);
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		dir_alias_drop(d, al);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

enum status directory_alias_remove(struct directory *d, const struct auth_alias_remove_request *q)
{
	struct arena      *a = arena_new(NULL);
	struct dir_domain *dom;
	struct str         name;
	enum status        st;

	pthread_mutex_lock(&d->admin);
	st = alias_name(d, q->from, a, &name, &dom);
	if (st == ST_OK)
		st = alias_delete(d, map_find(&d->aliases, name));
	pthread_mutex_unlock(&d->admin);
	arena_free(&a);
	return st;
}

/* Octets of the row in an answer, about. */
static size_t row_add(struct arena *a, const struct dir_alias *al, struct auth_alias *ret)
{
	size_t octets = al->from.n;

	*ret = (struct auth_alias){ arena_dup(a, al->from), ARENA_ARRAY(a, struct auth_name, al->count), al->count,
				    ARENA_ARRAY(a, struct auth_policy, al->rule_count), al->rule_count };
	for (size_t i = 0; i < al->rule_count; i++) {
		ret->rules[i] = (struct auth_policy){ al->rules[i].rule, arena_dup(a, al->rules[i].address) };
		octets += al->rules[i].address.n + 8;
	}
	for (size_t i = 0; i < al->count; i++) {
		ret->to[i].address = arena_dup(a, al->to[i]);
		octets += al->to[i].n + 8;
	}
	return octets;
}

enum status directory_alias_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
				 struct auth_alias_list_reply *ret)
{
	struct auth_alias_list_reply r = { .aliases = ARENA_ARRAY(a, struct auth_alias, LIMIT_LIST_PAGE) };
	struct address_canon         domain = { 0 };
	struct db_stmt              *s;
	size_t                       octets = 0;
	enum status                  st;

	if (q->domain.n > 0 && address_domain(q->domain, &domain) != ADDRESS_OK)
		return ST_INVALID;
	pthread_mutex_lock(&d->admin);
	s = db_sql(
		d->db,
		"SELECT name FROM alias WHERE name > ?1 AND position = 0 AND (?2 = '' OR domain = ?2) ORDER BY name");
	db_bind_str(s, 1, q->after);
	db_bind_str(s, 2, address_text(&domain));
	while ((st = db_step(s)) == ST_OK && r.alias_count < LIMIT_LIST_PAGE && octets < LIMIT_LIST_OCTETS) {
		struct dir_alias *al = map_find(&d->aliases, db_str(s, 0));

		if (al != NULL) /* else committed, but never confirmed: see dir_commit */
			octets += row_add(a, al, &r.aliases[r.alias_count++]);
	}
	db_done(s);
	pthread_mutex_unlock(&d->admin);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	r.more = st == ST_OK;
	*ret = r;
	return ST_OK;
}
