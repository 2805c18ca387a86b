/* directory/directory_key.c - the DKIM keys of a domain: kept, made, changed; see directory.h. What signs is in directory_sign.c.
 *
 * A key is made before any lock is taken, because that takes a while. Its private part is in the table `dkim` and in memory, in the
 * library's form, and goes nowhere else.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "directory/directory_int.h"
#include "directory/directory_sign.h"
#include "wire/text/text_date.h"

/* ---- memory ---- */

static struct dir_key *find(const struct dir_domain *dom, struct str selector)
{
	struct dir_key *k = dom->keys;

	while (k != NULL && !str_ieq(str_of(k->selector), selector))
		k = k->next;
	return k;
}

static size_t count(const struct dir_domain *dom)
{
	size_t n = 0;

	for (const struct dir_key *k = dom->keys; k != NULL; k = k->next)
		n++;
	return n;
}

/* Behind the others; the reference is the list's from here on. */
static void put(struct dir_domain *dom, struct str selector, enum auth_key_state state, int64_t created_ms, struct dkim_key *key)
{
	struct dir_key *k = calloc(1, sizeof(*k)), **at = &dom->keys;

	CHECK(k != NULL && str_to_c(selector, k->selector, sizeof(k->selector)));
	k->state = state;
	k->created_ms = created_ms;
	k->key = key;
	while (*at != NULL)
		at = &(*at)->next;
	*at = k;
}

static void key_free(struct dir_key *k)
{
	dkim_key_free(&k->key);
	free(k);
}

void dir_keys_drop(struct dir_domain *dom)
{
	struct dir_key *k, *next;

	for (k = dom->keys; k != NULL; k = next) {
		next = k->next;
		key_free(k);
	}
	dom->keys = NULL;
}

static void take_out(struct dir_domain *dom, struct dir_key *k)
{
	struct dir_key **at = &dom->keys;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	key_free(k);
}

/* The one that signs with this algorithm, or NULL. */
static struct dir_key *active(const struct dir_domain *dom, enum dkim_algorithm a)
{
	struct dir_key *k = dom->keys;

	while (k != NULL && (k->state != AUTH_KEY_ACTIVE || dkim_key_algorithm(k->key) != a))
		k = k->next;
	return k;
}

/* ---- rows ---- */

enum status dir_keys_load(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT domain, selector, state, created_ms, secret FROM dkim ORDER BY domain, created_ms, algorithm, selector");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		struct dir_domain *dom = map_find(&d->domains, db_str(s, 0));
		struct str         selector = db_str(s, 1);
		struct dkim_key   *key;

		if (dom == NULL || selector.n == 0 || selector.n > LIMIT_DKIM_SELECTOR || db_u64(s, 2) > AUTH_KEY_STATE_LAST ||
		    dkim_key_read(db_str(s, 4), &key) != ST_OK) {
			st = ST_CORRUPT;
			break;
		}
		put(dom, selector, (enum auth_key_state)db_u64(s, 2), db_i64(s, 3), key);
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status state_write(struct directory *d, const struct dir_domain *dom, const char *selector, enum auth_key_state state)
{
	struct db_stmt *s = db_sql(d->db, "UPDATE dkim SET state = ?3 WHERE domain = ?1 AND selector = ?2");

	db_bind_str(s, 1, dom->name);
	db_bind_str(s, 2, str_of(selector));
	db_bind_u64(s, 3, state);
	return db_run(s);
}

static enum status row_write(struct directory *d, const struct dir_domain *dom, struct str selector, enum auth_key_state state,
			     const struct dkim_key *key)
{
	struct arena   *secret = arena_new_secret(NULL);
	struct db_stmt *s = db_sql(d->db, "INSERT INTO dkim (domain, selector, algorithm, state, created_ms, secret) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	enum status     st;

	db_bind_str(s, 1, dom->name);
	db_bind_str(s, 2, selector);
	db_bind_u64(s, 3, dkim_key_algorithm(key));
	db_bind_u64(s, 4, state);
	db_bind_i64(s, 5, dir_wall_ms(d));
	db_bind_blob(s, 6, dkim_key_secret(key, secret));
	st = db_run(s);
	arena_free(&secret);
	return st;
}

static enum status keyed_write(struct directory *d, const struct dir_domain *dom)
{
	struct db_stmt *s = db_sql(d->db, "UPDATE domain SET keyed = 1 WHERE name = ?1");

	db_bind_str(s, 1, dom->name);
	return db_run(s);
}

/* ---- adding ---- */

/* A label that a zone file takes as it is. */
static bool selector_valid(struct str s)
{
	bool ok = s.n > 0 && s.n <= LIMIT_DKIM_SELECTOR && s.p[0] != '-' && s.p[s.n - 1] != '-';

	for (size_t i = 0; ok && i < s.n; i++)
		ok = ascii_is_alnum(s.p[i]) || s.p[i] == '-' || s.p[i] == '_';
	return ok;
}

/* Algorithm and day, "r20261128", "e20261128"; further ones of that day: "r20261128b". False: the alphabet is used up. */
static bool selector_choose(struct directory *d, const struct dir_domain *dom, const struct dkim_key *key, struct buf *ret)
{
	char       day[40];
	struct buf b = { .p = day, .cap = sizeof(day), .max = sizeof(day) };

	text_rfc3339_write(dir_wall_ms(d), &b);
	for (char more = 'a'; more <= 'z'; more++) {
		buf_clear(ret);
		buf_addf(ret, "%c%.4s%.2s%.2s", dkim_key_algorithm(key) == DKIM_RSA_SHA256 ? 'r' : 'e', day, day + 5, day + 8);
		if (more > 'a')
			buf_add_char(ret, more);
		if (find(dom, buf_str(ret)) == NULL)
			return true;
	}
	return false;
}

struct fresh { /* a key that is added */
	char             name[LIMIT_DKIM_SELECTOR];
	struct buf       selector;
	struct dkim_key *key; /* NULL: the list has it now */
	struct dir_key  *former;
};

static void fresh_init(struct fresh *f)
{
	*f = (struct fresh){ .key = NULL };
	f->selector = (struct buf){ .p = f->name, .cap = sizeof(f->name), .max = sizeof(f->name) };
}

static enum status fresh_write(struct directory *d, const struct dir_domain *dom, const struct fresh *f, enum auth_key_state state)
{
	enum status st = row_write(d, dom, buf_str(&f->selector), state, f->key);

	return st == ST_OK && f->former != NULL ? state_write(d, dom, f->former->selector, AUTH_KEY_RETIRED) : st;
}

static void fresh_remember(struct directory *d, struct dir_domain *dom, struct fresh *f, enum auth_key_state state)
{
	if (f->former != NULL)
		f->former->state = AUTH_KEY_RETIRED;
	put(dom, buf_str(&f->selector), state, dir_wall_ms(d), f->key);
	f->key = NULL;
	dom->keyed = true;
	log_debug("DKIM key added", LOG_STR("domain", dom->name), LOG_STR("selector", buf_str(&f->selector)), LOG_U64("active", state == AUTH_KEY_ACTIVE));
}

/* Under `admin`. All of them or none, in one transaction. A selector that is empty is chosen. */
static enum status add_locked(struct directory *d, struct dir_domain *dom, struct fresh *f, size_t n, bool activate)
{
	const enum auth_key_state state = activate ? AUTH_KEY_ACTIVE : AUTH_KEY_NEW;
	enum status               st;

	if (count(dom) + n > LIMIT_DKIM_KEYS)
		return ST_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (f[i].selector.n == 0 && !selector_choose(d, dom, f[i].key, &f[i].selector))
			return ST_LIMIT;
		if (find(dom, buf_str(&f[i].selector)) != NULL)
			return ST_EXISTS;
		f[i].former = activate ? active(dom, dkim_key_algorithm(f[i].key)) : NULL;
	}
	st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < n && st == ST_OK; i++)
		st = fresh_write(d, dom, &f[i], state);
	if (st == ST_OK)
		st = keyed_write(d, dom);
	st = dir_commit(d, st);
	if (st != ST_OK)
		return st;
	pthread_rwlock_wrlock(&d->lock);
	for (size_t i = 0; i < n; i++)
		fresh_remember(d, dom, &f[i], state);
	pthread_rwlock_unlock(&d->lock);
	return ST_OK;
}

static void key_tell(const struct dir_key *k, struct arena *a, struct auth_key *ret)
{
	struct buf record = { .p = arena_alloc(a, LIMIT_DKIM_RECORD), .cap = LIMIT_DKIM_RECORD, .max = LIMIT_DKIM_RECORD };

	dkim_key_record(k->key, &record);
	*ret = (struct auth_key){ .selector = arena_dup(a, str_of(k->selector)),
				  .algorithm = dkim_key_algorithm(k->key),
				  .state = k->state,
				  .bits = dkim_key_bits(k->key),
				  .created_ms = k->created_ms,
				  .record = buf_str(&record) };
}

static struct dir_domain *domain_find(struct directory *d, struct str name)
{
	struct address_canon canon;

	return address_domain(name, &canon) == ADDRESS_OK ? map_find(&d->domains, address_text(&canon)) : NULL;
}

static bool domain_known(struct directory *d, struct str name)
{
	bool known;

	pthread_rwlock_rdlock(&d->lock);
	known = domain_find(d, name) != NULL;
	pthread_rwlock_unlock(&d->lock);
	return known;
}

enum status directory_key_add(struct directory *d, const struct auth_key_add_request *q, struct arena *a, struct auth_key *ret)
{
	struct fresh       f;
	struct dir_domain *dom;
	enum status        st;

	if (q->selector.n > 0 && !selector_valid(q->selector))
		return ST_INVALID;
	if (!domain_known(d, q->domain)) /* before a key is made in vain */
		return ST_NOT_FOUND;
	fresh_init(&f);
	st = q->secret.n > 0 ? dkim_key_read(q->secret, &f.key) : dkim_key_make(q->algorithm, q->bits ? q->bits : DKIM_RSA_BITS, &f.key);
	if (st != ST_OK)
		return st;
	buf_add(&f.selector, q->selector);
	pthread_mutex_lock(&d->admin);
	dom = domain_find(d, q->domain);
	st = dom == NULL ? ST_NOT_FOUND : add_locked(d, dom, &f, 1, q->activate);
	if (st == ST_OK)
		key_tell(find(dom, buf_str(&f.selector)), a, ret);
	pthread_mutex_unlock(&d->admin);
	dkim_key_free(&f.key);
	return st;
}

/* ---- the others ---- */

enum status directory_key_list(struct directory *d, const struct auth_key_list_request *q, struct arena *a, struct auth_key_list_reply *ret)
{
	struct auth_key_list_reply r = { .keys = ARENA_ARRAY(a, struct auth_key, LIMIT_DKIM_KEYS) };
	struct dir_domain         *dom;

	pthread_rwlock_rdlock(&d->lock);
	dom = domain_find(d, q->domain);
	if (dom != NULL)
		r.domain = arena_dup(a, dom->name);
	for (struct dir_key *k = dom != NULL ? dom->keys : NULL; k != NULL; k = k->next)
		key_tell(k, a, &r.keys[r.key_count++]);
	pthread_rwlock_unlock(&d->lock);
	if (dom == NULL)
		return ST_NOT_FOUND;
	*ret = r;
	return ST_OK;
}

static enum status row_delete(struct directory *d, const struct dir_domain *dom, const struct dir_key *k)
{
	struct db_stmt *s = db_sql(d->db, "DELETE FROM dkim WHERE domain = ?1 AND selector = ?2");

	db_bind_str(s, 1, dom->name);
	db_bind_str(s, 2, str_of(k->selector));
	return db_run(s);
}

static enum status change_write(struct directory *d, const struct dir_domain *dom, const struct dir_key *k, const struct dir_key *former,
				enum auth_key_change what)
{
	enum status st = db_begin_write(d->db);

	if (st != ST_OK)
		return st;
	switch (what) {
	case AUTH_KEY_ACTIVATE:
		if (former != NULL)
			st = state_write(d, dom, former->selector, AUTH_KEY_RETIRED);
		if (st == ST_OK)
			st = state_write(d, dom, k->selector, AUTH_KEY_ACTIVE);
		break;
	case AUTH_KEY_RETIRE: st = state_write(d, dom, k->selector, AUTH_KEY_RETIRED); break;
	case AUTH_KEY_REMOVE: st = row_delete(d, dom, k); break;
	}
	return dir_commit(d, st);
}

static void change_remember(struct directory *d, struct dir_domain *dom, struct dir_key *k, struct dir_key *former, enum auth_key_change what)
{
	pthread_rwlock_wrlock(&d->lock);
	if (former != NULL)
		former->state = AUTH_KEY_RETIRED;
	if (what == AUTH_KEY_REMOVE)
		take_out(dom, k);
	else
		k->state = what == AUTH_KEY_ACTIVATE ? AUTH_KEY_ACTIVE : AUTH_KEY_RETIRED;
	pthread_rwlock_unlock(&d->lock);
}

static enum status change_locked(struct directory *d, const struct auth_key_change_request *q)
{
	struct dir_domain *dom = domain_find(d, q->domain);
	struct dir_key    *k = dom != NULL ? find(dom, q->selector) : NULL, *former;
	enum status        st;

	if (k == NULL)
		return ST_NOT_FOUND;
	if (q->what == AUTH_KEY_REMOVE && k->state == AUTH_KEY_ACTIVE)
		return ST_DENIED;
	former = q->what == AUTH_KEY_ACTIVATE ? active(dom, dkim_key_algorithm(k->key)) : NULL;
	st = change_write(d, dom, k, former, q->what);
	if (st == ST_OK)
		change_remember(d, dom, k, former, q->what);
	return st;
}

enum status directory_key_change(struct directory *d, const struct auth_key_change_request *q)
{
	enum status st;

	pthread_mutex_lock(&d->admin);
	st = change_locked(d, q);
	pthread_mutex_unlock(&d->admin);
	return st;
}

/* ---- a pair for each domain ---- */

/* Somebody else was first: the completion and `domain add` may meet. What it made is enough, but the one who adds wants it active. */
static enum status pair_there(struct directory *d, struct dir_domain *dom, bool activate)
{
	enum status st = ST_OK;

	for (struct dir_key *k = dom->keys; k != NULL && activate && st == ST_OK; k = k->next)
		if (k->state == AUTH_KEY_NEW && active(dom, dkim_key_algorithm(k->key)) == NULL) {
			st = change_write(d, dom, k, NULL, AUTH_KEY_ACTIVATE);
			if (st == ST_OK)
				change_remember(d, dom, k, NULL, AUTH_KEY_ACTIVATE);
		}
	return st;
}

enum status directory_keys_make(struct directory *d, struct str domain, bool activate)
{
	struct fresh       pair[DKIM_ALGORITHM_LAST + 1];
	struct dir_domain *dom;
	enum status        st = domain_known(d, domain) ? ST_OK : ST_NOT_FOUND;

	for (size_t i = 0; i < LEN(pair); i++) {
		fresh_init(&pair[i]);
		if (st == ST_OK)
			st = dkim_key_make((enum dkim_algorithm)i, DKIM_RSA_BITS, &pair[i].key);
	}
	pthread_mutex_lock(&d->admin);
	dom = st == ST_OK ? domain_find(d, domain) : NULL;
	if (st == ST_OK)
		st = dom == NULL ? ST_NOT_FOUND : dom->keyed ? pair_there(d, dom, activate) : add_locked(d, dom, pair, LEN(pair), activate);
	pthread_mutex_unlock(&d->admin);
	for (size_t i = 0; i < LEN(pair); i++)
		dkim_key_free(&pair[i].key);
	return st;
}

/* The next domain that never had keys, behind `after`. False: there is none. */
static bool keyless_next(struct directory *d, struct arena *a, struct str *name)
{
	struct db_stmt *s;
	bool            found;

	pthread_mutex_lock(&d->admin);
	s = db_sql(d->db, "SELECT name FROM domain WHERE keyed = 0 AND kind = 0 AND name > ?1 ORDER BY name LIMIT 1");
	db_bind_str(s, 1, *name);
	found = db_step(s) == ST_OK;
	if (found)
		*name = arena_dup(a, db_str(s, 0));
	db_done(s);
	pthread_mutex_unlock(&d->admin);
	return found;
}

void dir_keys_complete(struct directory *d)
{
	struct arena *a = arena_new(NULL);
	struct str    name = STR("");

	while (!atomic_load(&d->closing) && keyless_next(d, a, &name)) {
		enum status st = directory_keys_make(d, name, false);

		if (st == ST_OK)
			log_info("a domain had no DKIM keys: publish these ('domain dns'), then activate them ('domain key activate')", LOG_STR("domain", name));
		else
			log_error("no DKIM keys could be made", LOG_STR("domain", name), LOG_ST("status", st));
	}
	arena_free(&a);
}
