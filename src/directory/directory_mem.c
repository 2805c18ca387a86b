/* directory/directory_mem.c - domains, accounts and aliases in memory; see directory_int.h. */
#include <stdlib.h>
#include <string.h>

#include "directory/directory_int.h"
#include "directory/directory_sign.h"

struct str dir_keep(struct str s)
{
	char *p = malloc(s.n + 1);

	CHECK(p != NULL);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return str_n(p, s.n);
}

static void drop(struct str *s)
{
	free((void *)(uintptr_t)s->p);
	*s = STR_NONE;
}

static void *fresh(size_t n)
{
	void *p = calloc(1, n);

	CHECK(p != NULL);
	return p;
}

void dir_mem_init(struct directory *d)
{
	map_init(&d->domains);
	map_init(&d->accounts);
	map_init(&d->aliases);
	map_init(&d->ids);
	map_init(&d->credentials);
	map_init(&d->delegates);
	dir_routes_init(&d->routes);
	for (size_t i = 0; i < DIR_SCOPES; i++)
		map_init(&d->rewrites[i]);
}

static void account_free(struct dir_account *acc)
{
	drop(&acc->address);
	drop(&acc->hash);
	free(acc);
}

static void domain_free(struct dir_domain *dom)
{
	drop(&dom->name);
	drop(&dom->relay);
	dir_keys_drop(dom);
	free(dom);
}

static void rewrite_free(struct dir_rewrite *rule)
{
	drop(&rule->from);
	drop(&rule->to);
	free(rule);
}

void dir_mem_done(struct directory *d)
{
	struct str key;
	void      *value;

	for (size_t at = 0; map_next(&d->accounts, &at, &key, &value);)
		account_free(value);
	for (size_t at = 0; map_next(&d->aliases, &at, &key, &value);)
		dir_alias_free(value);
	dir_credential_forget(d, 0);
	for (size_t at = 0; map_next(&d->domains, &at, &key, &value);)
		domain_free(value);
	for (size_t i = 0; i < DIR_SCOPES; i++) {
		for (size_t at = 0; map_next(&d->rewrites[i], &at, &key, &value);)
			rewrite_free(value);
		map_done(&d->rewrites[i]);
	}
	dir_routes_done(&d->routes);
	map_done(&d->delegates);
	map_done(&d->domains);
	map_done(&d->accounts);
	map_done(&d->aliases);
	map_done(&d->ids);
	map_done(&d->credentials);
}

void dir_domain_put(struct directory *d, const struct dir_domain *row)
{
	struct dir_domain *dom = fresh(sizeof(*dom));

	dom->name = dir_keep(row->name);
	dom->created_ms = row->created_ms;
	dom->kind = row->kind;
	dom->relay = dir_keep(row->relay);
	dom->verify = row->verify;
	dom->keyed = row->keyed;
	dom->quota = row->quota;
	CHECK(map_put(&d->domains, dom->name, dom) == NULL);
}

void dir_domain_drop(struct directory *d, struct dir_domain *dom)
{
	struct str key;
	void      *value;

	CHECK(dom->rows == 0);
	for (size_t at = 0; map_next(&d->aliases, &at, &key, &value);) {
		if (((struct dir_alias *)value)->domain == dom)
			dir_alias_drop(d, value);
	}
	map_remove(&d->domains, dom->name);
	domain_free(dom);
}

static bool can_be_first(const struct dir_account *acc)
{
	return acc->removed_ms == 0 && !acc->disabled;
}

/* acc was added, or has changed, or goes: is dom->first still right? A search is needed only if it was this one. */
static void first_update(struct directory *d, struct dir_domain *dom, struct dir_account *acc, bool gone)
{
	struct str key;
	void      *value;

	if (!gone && can_be_first(acc)) {
		if (dom->first == NULL || acc->id < dom->first->id)
			dom->first = acc;
		return;
	}
	if (dom->first != acc)
		return;
	dom->first = NULL;
	for (size_t at = 0; map_next(&d->accounts, &at, &key, &value);) {
		struct dir_account *other = value;

		if (other != acc && other->domain == dom && can_be_first(other) &&
		    (dom->first == NULL || other->id < dom->first->id))
			dom->first = other;
	}
}

void dir_account_put(struct directory *d, const struct dir_account *row)
{
	struct dir_account *acc = fresh(sizeof(*acc));

	*acc = *row;
	acc->address = dir_keep(row->address);
	acc->hash = dir_keep(row->hash);
	acc->generation = ++d->generation;
	acc->domain->rows++;
	acc->domain->accounts += acc->removed_ms == 0;
	acc->domain->used_octets += acc->used_octets;
	acc->domain->used_messages += acc->used_messages;
	CHECK(map_put(&d->accounts, acc->address, acc) == NULL);
	CHECK(map_put_u64(&d->ids, acc->id, acc) == NULL);
	first_update(d, acc->domain, acc, false);
}

void dir_account_drop(struct directory *d, struct dir_account *acc)
{
	acc->domain->rows--;
	acc->domain->used_octets -= acc->used_octets;
	acc->domain->used_messages -= acc->used_messages;
	acc->domain->accounts -= acc->removed_ms == 0;
	map_remove(&d->accounts, acc->address);
	map_remove_u64(&d->ids, acc->id);
	first_update(d, acc->domain, acc, true);
	account_free(acc);
}

static void retarget(struct directory *d, struct str from, struct str to)
{
	struct str key;
	void      *value;

	for (size_t at = 0; map_next(&d->aliases, &at, &key, &value);) {
		struct dir_alias *al = value;

		for (size_t i = 0; i < al->count; i++) {
			if (!str_eq(al->to[i], from))
				continue;
			drop(&al->to[i]);
			al->to[i] = dir_keep(to);
		}
		for (size_t i = 0; i < al->rule_count; i++) {
			if (al->rules[i].rule != AUTH_RULE_ADDRESS || !str_eq(al->rules[i].address, from))
				continue;
			drop(&al->rules[i].address);
			al->rules[i].address = dir_keep(to);
		}
	}
}

void dir_account_rename(struct directory *d, struct dir_account *acc, struct str address, struct dir_domain *dom)
{
	struct dir_account row = *acc;
	uint64_t           generation = acc->generation;

	retarget(d, acc->address, address);
	row.hash = dir_keep(row.hash);
	row.address = address;
	row.domain = dom;
	dir_account_drop(d, acc);
	dir_account_put(d, &row);
	((struct dir_account *)map_find_u64(&d->ids, row.id))->generation = generation;
	drop(&row.hash);
}

void dir_account_set_hash(struct dir_account *acc, struct str hash, const struct scram_keys *scram)
{
	drop(&acc->hash);
	acc->hash = dir_keep(hash);
	acc->scram = *scram;
}

void dir_account_set_state(struct directory *d, struct dir_account *acc, bool disabled, int64_t removed_ms)
{
	acc->domain->accounts -= acc->removed_ms == 0;
	acc->disabled = disabled;
	acc->removed_ms = removed_ms;
	acc->generation = ++d->generation;
	acc->domain->accounts += acc->removed_ms == 0;
	first_update(d, acc->domain, acc, false);
}

struct dir_alias *dir_alias_new(struct str from, const struct str *to, size_t count, struct dir_domain *dom)
{
	struct dir_alias *al = fresh(sizeof(*al));

	al->from = dir_keep(from);
	al->domain = dom;
	al->count = count;
	al->to = fresh(sizeof(*al->to) * (count + 1));
	for (size_t i = 0; i < count; i++)
		al->to[i] = dir_keep(to[i]);
	return al;
}

static void rules_free(struct dir_alias *al)
{
	for (size_t i = 0; i < al->rule_count; i++)
		drop(&al->rules[i].address);
	free(al->rules);
	al->rules = NULL;
	al->rule_count = 0;
}

void dir_alias_set_rules(struct dir_alias *al, const struct dir_rule *rules, size_t count)
{
	struct dir_rule *copy = fresh(sizeof(*copy) * (count + 1));

	for (size_t i = 0; i < count; i++)
		copy[i] = (struct dir_rule){ rules[i].rule, dir_keep(rules[i].address) };
	rules_free(al);
	al->rules = copy;
	al->rule_count = count;
}

void dir_alias_free(struct dir_alias *al)
{
	rules_free(al);
	for (size_t i = 0; i < al->count; i++)
		drop(&al->to[i]);
	free(al->to);
	drop(&al->from);
	free(al);
}

void dir_alias_put(struct directory *d, struct dir_alias *al)
{
	CHECK(map_put(&d->aliases, al->from, al) == NULL);
	al->domain->aliases++;
	if (al->from.p[0] == '@')
		al->domain->catch_all = al;
}

void dir_alias_drop(struct directory *d, struct dir_alias *al)
{
	map_remove(&d->aliases, al->from);
	al->domain->aliases--;
	if (al->domain->catch_all == al)
		al->domain->catch_all = NULL;
	dir_alias_free(al);
}

void dir_rewrite_put(struct directory *d, unsigned scope, struct str from, struct str to)
{
	struct dir_rewrite *rule = fresh(sizeof(*rule));

	*rule = (struct dir_rewrite){ dir_keep(from), dir_keep(to) };
	CHECK(map_put(&d->rewrites[scope], rule->from, rule) == NULL);
}

void dir_rewrite_drop(struct directory *d, unsigned scope, struct dir_rewrite *rule)
{
	map_remove(&d->rewrites[scope], rule->from);
	rewrite_free(rule);
}

/* ---- what accounts lend ---- */

struct delegate_key {
	uint64_t owner, user;
};

static struct str delegate_text(const struct delegate_key *key)
{
	return str_n(key, sizeof(*key));
}

void dir_delegate_put(struct directory *d, uint64_t owner, uint64_t user, enum auth_right right)
{
	const struct delegate_key key = { owner, user };

	map_put(&d->delegates, delegate_text(&key), (void *)(uintptr_t)(right + 1));
}

void dir_delegate_drop(struct directory *d, uint64_t owner, uint64_t user)
{
	const struct delegate_key key = { owner, user };

	map_remove(&d->delegates, delegate_text(&key));
}

bool dir_delegate_find(const struct directory *d, uint64_t owner, uint64_t user, enum auth_right *ret)
{
	const struct delegate_key key = { owner, user };
	uintptr_t                 value = (uintptr_t)map_find(&d->delegates, delegate_text(&key));

	if (value == 0)
		return false;
	*ret = (enum auth_right)(value - 1);
	return true;
}

void dir_delegates_forget(struct directory *d, uint64_t account)
{
	struct delegate_key k;
	struct str          key;
	void               *value;

	for (size_t at = 0; map_next(&d->delegates, &at, &key, &value);) {
		memcpy(&k, key.p, sizeof(k));
		if (k.owner == account || k.user == account)
			dir_delegate_drop(d, k.owner, k.user);
	}
}
