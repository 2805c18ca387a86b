/* directory/directory_rules.c - rules of routes and their credentials: loaded, added, changed, removed, listed.
 *
 * Credentials never change: other ones are another row with another id. So an id says all to whoever keeps them or keeps a session that is
 * signed in with them. They stay in the database, and are read when remote asks; no list has them.
 */
#include "base/log.h"
#include "directory/directory_int.h"
#include "directory/directory_rule.h"

/* ---- rows ---- */

#define ROUTE_COLUMNS                                                                                                                    \
	"recipient, sender, given, via, tls, source4, source6, helo, login, connections, rate, rate_s,"                                  \
	" coalesce((SELECT user FROM login WHERE login.id = route.login), '')"

/* Slices borrow from the row. */
static bool row_read(struct db_stmt *s, struct auth_route_rule *ret)
{
	*ret = (struct auth_route_rule){
		.to = db_str(s, 0),
		.from = db_str(s, 1),
		.given = (uint32_t)db_u64(s, 2),
		.via = db_str(s, 3),
		.hop = { .tls = (enum hop_tls)db_u64(s, 4),
			 .source4 = db_str(s, 5),
			 .source6 = db_str(s, 6),
			 .helo = db_str(s, 7),
			 .login = db_u64(s, 8),
			 .connections = (uint32_t)db_u64(s, 9),
			 .rate = (uint32_t)db_u64(s, 10),
			 .rate_s = (uint32_t)db_u64(s, 11) },
		.user = db_str(s, 12),
	};
	return dir_route_wrong(ret) == NULL && ret->to.n <= LIMIT_ADDRESS && ret->from.n <= LIMIT_ADDRESS;
}

enum status dir_routes_load(struct directory *d)
{
	struct db_stmt        *s = db_sql(d->db, "SELECT " ROUTE_COLUMNS " FROM route");
	struct auth_route_rule rule;
	enum status            st;

	while ((st = db_step(s)) == ST_OK) {
		if (!row_read(s, &rule)) {
			st = ST_CORRUPT;
			break;
		}
		dir_route_put(&d->routes, &rule);
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status row_write(struct directory *d, const struct auth_route_rule *r)
{
	struct db_stmt *s = db_sql(d->db, "INSERT OR REPLACE INTO route (recipient, sender, given, via, tls, source4, source6, helo, login,"
					  " connections, rate, rate_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");

	db_bind_str(s, 1, r->to);
	db_bind_str(s, 2, r->from);
	db_bind_u64(s, 3, r->given);
	db_bind_str(s, 4, r->via);
	db_bind_u64(s, 5, r->hop.tls);
	db_bind_str(s, 6, r->hop.source4);
	db_bind_str(s, 7, r->hop.source6);
	db_bind_str(s, 8, r->hop.helo);
	db_bind_u64(s, 9, r->hop.login);
	db_bind_u64(s, 10, r->hop.connections);
	db_bind_u64(s, 11, r->hop.rate);
	db_bind_u64(s, 12, r->hop.rate_s);
	return db_run(s);
}

static enum status login_write(struct directory *d, const struct auth_login *l, uint64_t *ret_id)
{
	struct db_stmt *s = db_sql(d->db, "INSERT INTO login (kind, user, secret, endpoint, client, client_secret, scope)"
					  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
	enum status     st;

	db_bind_u64(s, 1, l->kind);
	db_bind_str(s, 2, l->user);
	db_bind_blob(s, 3, l->secret);
	db_bind_str(s, 4, l->endpoint);
	db_bind_str(s, 5, l->client);
	db_bind_blob(s, 6, l->client_secret);
	db_bind_str(s, 7, l->scope);
	st = db_run(s);
	*ret_id = db_last_id(d->db);
	return st;
}

static enum status login_delete(struct directory *d, uint64_t id)
{
	struct db_stmt *s = db_sql(d->db, "DELETE FROM login WHERE id = ?1");

	db_bind_u64(s, 1, id);
	return db_run(s);
}

/* ---- change ---- */

/* Its patterns, as stored, in `a`. */
static enum status patterns(struct directory *d, const struct auth_route_rule *q, struct arena *a, struct str *ret_to, struct str *ret_from)
{
	const struct dir_domain *dom;

	if (!dir_route_pattern(q->to, false, a, ret_to) || !dir_route_pattern(q->from, true, a, ret_from))
		return ST_INVALID;
	dom = map_find(&d->domains, str_from(*ret_to, (size_t)(str_rfind(*ret_to, '@') + 1)));
	return dom != NULL && dom->kind == AUTH_DOMAIN_LOCAL ? ST_DENIED : ST_OK;
}

/* What the rule becomes. */
static struct auth_route_rule merge(const struct auth_route_rule *old, const struct auth_route_change_request *q)
{
	const struct hop      *h = &q->rule.hop;
	struct auth_route_rule r = *old;
	uint32_t               given = q->rule.given, gone = q->unset | given;

	r.given = (old->given & ~q->unset) | given;
	if (gone & AUTH_ROUTE_VIA)
		r.via = given & AUTH_ROUTE_VIA ? q->rule.via : STR("");
	if (gone & AUTH_ROUTE_TLS)
		r.hop.tls = given & AUTH_ROUTE_TLS ? h->tls : HOP_TLS_DOMAIN;
	if (gone & AUTH_ROUTE_SOURCE) {
		r.hop.source4 = given & AUTH_ROUTE_SOURCE ? h->source4 : STR("");
		r.hop.source6 = given & AUTH_ROUTE_SOURCE ? h->source6 : STR("");
	}
	if (gone & AUTH_ROUTE_HELO)
		r.hop.helo = given & AUTH_ROUTE_HELO ? h->helo : STR("");
	if (gone & AUTH_ROUTE_LOGIN) {
		r.hop.login = 0;
		r.user = given & AUTH_ROUTE_LOGIN ? q->login.user : STR("");
	}
	if (gone & AUTH_ROUTE_CONNECTIONS)
		r.hop.connections = given & AUTH_ROUTE_CONNECTIONS ? h->connections : 0;
	if (gone & AUTH_ROUTE_RATE) {
		r.hop.rate = given & AUTH_ROUTE_RATE ? h->rate : 0;
		r.hop.rate_s = given & AUTH_ROUTE_RATE ? h->rate_s : 0;
	}
	return r;
}

static enum status change_write(struct directory *d, const struct auth_route_change_request *q, struct auth_route_rule *r, uint64_t old_login)
{
	enum status st = db_begin_write(d->db);

	if (st != ST_OK)
		return st;
	if (q->rule.given & AUTH_ROUTE_LOGIN)
		st = login_write(d, &q->login, &r->hop.login);
	if (st == ST_OK)
		st = row_write(d, r);
	if (st == ST_OK && old_login != 0 && old_login != r->hop.login)
		st = login_delete(d, old_login);
	return dir_commit(d, st);
}

static enum status change(struct directory *d, const struct auth_route_change_request *q, bool add, struct str to, struct str from)
{
	const struct auth_route_rule none = { .via = STR(""), .user = STR(""), .hop = { .source4 = STR(""), .source6 = STR(""), .helo = STR("") } };
	struct dir_route            *there = dir_route_find(&d->routes, to, from);
	struct auth_route_rule       r;
	enum status                  st;

	if (add && there != NULL)
		return ST_EXISTS;
	if (!add && there == NULL)
		return ST_NOT_FOUND;
	if (add && d->routes.rules.count >= LIMIT_ROUTES)
		return ST_LIMIT;
	r = merge(there != NULL ? &there->rule : &none, q);
	r.to = to;
	r.from = from;
	if (dir_route_wrong(&r) != NULL || ((q->rule.given & AUTH_ROUTE_LOGIN) && dir_login_wrong(&q->login) != NULL))
		return ST_INVALID;
	st = change_write(d, q, &r, there != NULL ? there->rule.hop.login : 0);
	if (st != ST_OK)
		return st;
	pthread_rwlock_wrlock(&d->lock);
	dir_route_put(&d->routes, &r);
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

static enum status change_locked(struct directory *d, const struct auth_route_change_request *q, bool add)
{
	struct arena *a = arena_new(NULL);
	struct str    to, from;
	enum status   st;

	pthread_mutex_lock(&d->admin);
	st = patterns(d, &q->rule, a, &to, &from);
	if (st == ST_OK)
		st = change(d, q, add, to, from);
	pthread_mutex_unlock(&d->admin);
	arena_free(&a);
	return st;
}

enum status directory_route_add(struct directory *d, const struct auth_route_change_request *q)
{
	return change_locked(d, q, true);
}

enum status directory_route_set(struct directory *d, const struct auth_route_change_request *q)
{
	return change_locked(d, q, false);
}

static enum status rule_remove(struct directory *d, struct dir_route *there)
{
	struct db_stmt *s;
	enum status     st = there != NULL ? db_begin_write(d->db) : ST_NOT_FOUND;

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "DELETE FROM route WHERE recipient = ?1 AND sender = ?2");
	db_bind_str(s, 1, there->rule.to);
	db_bind_str(s, 2, there->rule.from);
	st = db_run(s);
	if (st == ST_OK && there->rule.hop.login != 0)
		st = login_delete(d, there->rule.hop.login);
	st = dir_commit(d, st);
	if (st != ST_OK)
		return st;
	pthread_rwlock_wrlock(&d->lock);
	dir_route_drop(&d->routes, there);
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

enum status directory_route_remove(struct directory *d, const struct auth_route_change_request *q)
{
	struct arena *a = arena_new(NULL);
	struct str    to, from;
	enum status   st;

	pthread_mutex_lock(&d->admin);
	st = patterns(d, &q->rule, a, &to, &from);
	if (st == ST_OK || st == ST_DENIED) /* a domain that became ours since */
		st = rule_remove(d, dir_route_find(&d->routes, to, from));
	pthread_mutex_unlock(&d->admin);
	arena_free(&a);
	return st;
}

/* ---- list ---- */

static struct auth_route_rule rule_dup(struct arena *a, const struct auth_route_rule *r)
{
	struct auth_route_rule copy = *r;

	copy.to = arena_dup(a, dir_route_shown(r->to));
	copy.from = arena_dup(a, dir_route_shown(r->from));
	copy.via = arena_dup(a, r->via);
	copy.hop = dir_hop_dup(a, &r->hop);
	copy.user = arena_dup(a, r->user);
	return copy;
}

static struct str stored(struct str shown)
{
	return str_eq(shown, STR("*")) ? STR("") : shown;
}

enum status directory_route_list(struct directory *d, const struct auth_route_list_request *q, struct arena *a, struct auth_route_list_reply *ret)
{
	struct auth_route_list_reply r = { .rules = ARENA_ARRAY(a, struct auth_route_rule, LIMIT_LIST_PAGE) };
	struct auth_route_rule       row;
	struct db_stmt              *s;
	size_t                       octets = 0;
	enum status                  st;

	pthread_mutex_lock(&d->admin);
	/* Nothing is before the first: "" to "" is a rule too. */
	s = db_sql(d->db, "SELECT " ROUTE_COLUMNS " FROM route WHERE recipient >= ?1 AND (?3 OR (recipient, sender) > (?1, ?2)) ORDER BY recipient, sender");
	db_bind_str(s, 1, stored(q->after_to));
	db_bind_str(s, 2, stored(q->after_from));
	db_bind_u64(s, 3, q->after_to.n == 0);
	while ((st = db_step(s)) == ST_OK && r.rule_count < LIMIT_LIST_PAGE && octets < LIMIT_LIST_OCTETS) {
		if (!row_read(s, &row)) {
			st = ST_CORRUPT;
			break;
		}
		r.rules[r.rule_count++] = rule_dup(a, &row);
		octets += row.to.n + row.from.n + row.via.n + row.user.n + row.hop.helo.n + 200;
	}
	db_done(s);
	pthread_mutex_unlock(&d->admin);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	r.more = st == ST_OK;
	*ret = r;
	return ST_OK;
}

/* ---- credentials ---- */

enum status directory_hop_secret(struct directory *d, uint64_t login, struct arena *a, struct auth_login *ret)
{
	struct db_stmt *s;
	enum status     st;

	pthread_mutex_lock(&d->admin);
	s = db_sql(d->db, "SELECT kind, user, secret, endpoint, client, client_secret, scope FROM login WHERE id = ?1");
	db_bind_u64(s, 1, login);
	st = db_step(s);
	if (st == ST_OK && db_u64(s, 0) > AUTH_LOGIN_LAST)
		st = ST_CORRUPT;
	if (st == ST_OK)
		*ret = (struct auth_login){
			.kind = (enum auth_login_kind)db_u64(s, 0),
			.user = arena_dup(a, db_str(s, 1)),
			.secret = arena_dup(a, db_str(s, 2)),
			.endpoint = arena_dup(a, db_str(s, 3)),
			.client = arena_dup(a, db_str(s, 4)),
			.client_secret = arena_dup(a, db_str(s, 5)),
			.scope = arena_dup(a, db_str(s, 6)),
		};
	db_done(s);
	pthread_mutex_unlock(&d->admin);
	return st;
}
