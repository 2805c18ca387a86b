/* directory/directory_rewrite.c - rules of rewriting: canonical addresses, and masquerading.
 *
 * The most special rule counts: the address, then its "@domain", then ".domain" from the longest to the shortest. One rule, once:
 * what it makes is not looked at again, so nothing goes in circles.
 */
#include "base/log.h"
#include "directory/directory_walk.h"
#include "wire/address/address_local.h"

static struct dir_rewrite *find(const struct directory *d, unsigned scope, char mark, struct str name)
{
	char key[LIMIT_DOMAIN + 1];

	if (name.n > LIMIT_DOMAIN)
		return NULL;
	key[0] = mark;
	for (size_t i = 0; i < name.n; i++)
		key[i + 1] = name.p[i];
	return map_find(&d->rewrites[scope], str_n(key, name.n + 1));
}

static struct dir_rewrite *rule_of(const struct directory *d, unsigned scope, const struct address_canon *folded)
{
	struct str          domain = address_domain_of(folded), label;
	struct dir_rewrite *rule = map_find(&d->rewrites[scope], address_text(folded));

	if (rule == NULL)
		rule = find(d, scope, '@', domain);
	while (rule == NULL && str_cut(domain, '.', &label, &domain))
		rule = find(d, scope, '.', domain);
	return rule;
}

bool dir_rewrite(const struct directory *d, unsigned scope, struct str address, struct address_canon *ret)
{
	struct address_canon      folded, exact, out;
	const struct dir_rewrite *rule;
	struct local_text         local;

	if (d->rewrites[scope].count == 0 || address_canon_of(address, true, &folded) != ADDRESS_OK ||
	    address_canon_of(address, false, &exact) != ADDRESS_OK)
		return false;
	rule = rule_of(d, scope, &folded);
	if (rule == NULL)
		return false;
	address_local_unquote(address_local(&exact), &local);
	if (rule->to.p[0] != '@' ? address_canon_of(rule->to, false, &out) != ADDRESS_OK
				 : !address_compose(str_n(local.p, local.n), str_from(rule->to, 1), &out))
		return false;
	if (str_eq(address_text(&out), address_text(&exact)))
		return false;
	*ret = out;
	return true;
}

enum status directory_rewrite(struct directory *d, const struct auth_rewrite_request *q, struct arena *a,
			      struct auth_rewrite_reply *ret)
{
	struct auth_rewrite_reply r = { ARENA_ARRAY(a, struct auth_rewritten, q->address_count), q->address_count, false };
	struct address_canon      to;

	pthread_rwlock_rdlock(&d->lock);
	r.none = d->rewrites[0].count == 0 && d->rewrites[1].count == 0;
	for (size_t i = 0; i < q->address_count; i++)
		r.addresses[i].address =
			dir_rewrite(d, q->addresses[i].recipient, q->addresses[i].address, &to) ? arena_dup(a, address_text(&to)) : STR("");
	pthread_rwlock_unlock(&d->lock);
	*ret = r;
	return ST_OK;
}

/* ---- administrators ---- */

/* "@domain" or ".domain", canonical. */
static enum status domain_name(struct str text, struct arena *a, struct str *ret)
{
	struct address_canon canon;

	if (address_domain(str_from(text, 1), &canon) != ADDRESS_OK)
		return ST_INVALID;
	*ret = arena_printf(a, "%c%.*s", text.p[0], STR_FMT(address_text(&canon)));
	return ST_OK;
}

static enum status name(struct str text, bool from, struct arena *a, struct str *ret)
{
	struct address_canon canon;

	if (text.n > 0 && (text.p[0] == '@' || (from && text.p[0] == '.')))
		return domain_name(text, a, ret);
	if (address_canon_of(text, from, &canon) != ADDRESS_OK)
		return ST_INVALID;
	*ret = arena_dup(a, address_text(&canon));
	return ST_OK;
}

static bool scope_valid(uint32_t scope)
{
	return scope > 0 && scope <= (AUTH_SCOPE_SENDER | AUTH_SCOPE_RECIPIENT);
}

static bool in_scope(uint32_t scope, unsigned i)
{
	return (scope >> i & 1) != 0;
}

static enum status rule_write(struct directory *d, struct str from, struct str to, uint32_t scope)
{
	enum status st = db_begin_write(d->db);

	if (st != ST_OK)
		return st;
	for (unsigned i = 0; i < DIR_SCOPES && st == ST_OK; i++) {
		struct db_stmt *s;

		if (!in_scope(scope, i))
			continue;
		s = db_sql(d->db, "INSERT INTO rewrite (source, scope, target) VALUES (?1, ?2, ?3)");
		db_bind_str(s, 1, from);
		db_bind_u64(s, 2, 1u << i);
		db_bind_str(s, 3, to);
		st = db_run(s);
	}
	return dir_commit(d, st);
}

static enum status rule_add(struct directory *d, const struct auth_rewrite_rule *q, struct str from, struct str to)
{
	enum status st;

	for (unsigned i = 0; i < DIR_SCOPES; i++) {
		if (in_scope(q->scope, i) && map_find(&d->rewrites[i], from) != NULL)
			return ST_EXISTS;
		if (d->rewrites[i].count >= LIMIT_REWRITE_RULES)
			return ST_LIMIT;
	}
	st = rule_write(d, from, to, q->scope);
	if (st != ST_OK)
		return st;
	pthread_rwlock_wrlock(&d->lock);
	for (unsigned i = 0; i < DIR_SCOPES; i++) {
		if (in_scope(q->scope, i))
			dir_rewrite_put(d, i, from, to);
	}
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

enum status directory_rewrite_add(struct directory *d, const struct auth_rewrite_rule *q)
{
	struct arena *a = arena_new(NULL);
	struct str    from, to;
	enum status   st = scope_valid(q->scope) ? name(q->from, true, a, &from) : ST_INVALID;

	if (st == ST_OK)
		st = name(q->to, false, a, &to);
	/* All of a domain's hosts as one mailbox is nobody's wish; as one domain it is. */
	if (st == ST_OK && from.p[0] == '.' && to.p[0] != '@')
		st = ST_INVALID;
	pthread_mutex_lock(&d->admin);
	if (st == ST_OK)
		st = rule_add(d, q, from, to);
	pthread_mutex_unlock(&d->admin);
	arena_free(&a);
	return st;
}

static enum status rule_remove(struct directory *d, struct str from, uint32_t scope)
{
	struct db_stmt *s;
	enum status     st;
	bool            any = false;

	for (unsigned i = 0; i < DIR_SCOPES; i++)
		any = any || (in_scope(scope, i) && map_find(&d->rewrites[i], from) != NULL);
	st = any ? db_begin_write(d->db) : ST_NOT_FOUND;
	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "DELETE FROM rewrite WHERE source = ?1 AND (scope & ?2) <> 0");
	db_bind_str(s, 1, from);
	db_bind_u64(s, 2, scope);
	st = dir_commit(d, db_run(s));
	if (st != ST_OK)
		return st;
	pthread_rwlock_wrlock(&d->lock);
	for (unsigned i = 0; i < DIR_SCOPES; i++) {
		struct dir_rewrite *rule = in_scope(scope, i) ? map_find(&d->rewrites[i], from) : NULL;

		if (rule != NULL)
			dir_rewrite_drop(d, i, rule);
	}
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

enum status directory_rewrite_remove(struct directory *d, const struct auth_rewrite_rule *q)
{
	struct arena *a = arena_new(NULL);
	struct str    from;
	enum status   st = scope_valid(q->scope) ? name(q->from, true, a, &from) : ST_INVALID;

	pthread_mutex_lock(&d->admin);
	if (st == ST_OK)
		st = rule_remove(d, from, q->scope);
	pthread_mutex_unlock(&d->admin);
	arena_free(&a);
	return st;
}

enum status directory_rewrite_list(struct directory *d, const struct auth_rewrite_list_request *q, struct arena *a,
				   struct auth_rewrite_list_reply *ret)
{
	struct auth_rewrite_list_reply r = { .rules = ARENA_ARRAY(a, struct auth_rewrite_rule, LIMIT_LIST_PAGE) };
	struct db_stmt                *s;
	size_t                         octets = 0;
	enum status                    st;

	pthread_mutex_lock(&d->admin);
	s = db_sql(d->db, "SELECT source, scope, target FROM rewrite WHERE (source, scope) > (?1, ?2) ORDER BY source, scope");
	db_bind_str(s, 1, q->after);
	db_bind_u64(s, 2, q->after_scope);
	while ((st = db_step(s)) == ST_OK && r.rule_count < LIMIT_LIST_PAGE && octets < LIMIT_LIST_OCTETS) {
		struct auth_rewrite_rule *rule = &r.rules[r.rule_count++];

		*rule = (struct auth_rewrite_rule){ arena_dup(a, db_str(s, 0)), arena_dup(a, db_str(s, 2)), (uint32_t)db_u64(s, 1) };
		octets += rule->from.n + rule->to.n + 16;
	}
	db_done(s);
	pthread_mutex_unlock(&d->admin);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	r.more = st == ST_OK;
	*ret = r;
	return ST_OK;
}
