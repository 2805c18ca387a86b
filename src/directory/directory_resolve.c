/* directory/directory_resolve.c - where does mail for an address go? The order is in directory.h.
 *
 * Aliases are walked depth first. An alias is UNSEEN, then ON_PATH while its targets are walked, then DONE. A target
 * that is DONE is a diamond and adds nothing; one that is ON_PATH closes a circle, unless it is also an account, which
 * then stands for itself ("alice" to alice and bob, "bob" to bob and alice).
 */
#include <string.h>

#include "directory/directory_int.h"

enum mark { UNSEEN, ON_PATH, DONE };

struct walk {
	struct directory   *d;
	struct arena       *a;
	struct dir_alias   *extra;  /* one that is about to be added, or NULL */
	bool                mapped; /* the maps are set up: an alias was met, so there may be several targets */
	struct map          marks;  /* alias name to enum mark */
	struct map          taken;  /* target addresses */
	struct auth_target *targets;
	size_t              count, room;
	unsigned            depth, steps;
	bool                open; /* a target that is not a disabled account */
};

/* What an address of ours leads to: an alias, an account, or neither. */
struct match {
	struct dir_alias   *alias;
	struct dir_account *account;
};

enum address_err dir_canon(struct directory *d, struct str address, struct address_canon *ret,
			   struct dir_domain **ret_domain)
{
	struct address       parsed;
	struct address_canon name;
	struct dir_domain   *dom;
	enum address_err     err = address_parse(address, true, &parsed);

	if (err == ADDRESS_OK)
		err = parsed.literal ? address_literal(parsed.domain, &name) : address_domain(parsed.domain, &name);
	if (err != ADDRESS_OK)
		return err;
	dom = map_find(&d->domains, address_text(&name));
	err = address_canon(&parsed, dom != NULL, ret);
	if (err == ADDRESS_OK)
		*ret_domain = dom;
	return err;
}

static struct dir_alias *alias_find(const struct walk *w, struct str from)
{
	if (w->extra != NULL && str_eq(w->extra->from, from))
		return w->extra;
	return map_find(&w->d->aliases, from);
}

static struct dir_account *account_find(const struct walk *w, struct str address)
{
	struct dir_account *acc = map_find(&w->d->accounts, address);

	return dir_account_in_use(acc) ? acc : NULL;
}

static bool named(const struct walk *w, struct str address, struct match *ret)
{
	*ret = (struct match){ .alias = alias_find(w, address) };
	if (ret->alias == NULL)
		ret->account = account_find(w, address);
	return ret->alias != NULL || ret->account != NULL;
}

static struct dir_account *first_anywhere(const struct directory *d)
{
	struct dir_account *first = NULL;
	struct str          key;
	void               *value;

	for (size_t at = 0; map_next(&d->domains, &at, &key, &value);) {
		struct dir_account *acc = ((struct dir_domain *)value)->first;

		if (acc != NULL && (first == NULL || acc->id < first->id))
			first = acc;
	}
	return first;
}

static struct match match_of(const struct walk *w, const struct address_canon *address, const struct dir_domain *dom)
{
	struct match         m;
	struct address_canon base;
	bool                 has_base = address_base(address, w->d->options.separator, &base);
	bool                 postmaster;

	if (named(w, address_text(address), &m) || (has_base && named(w, address_text(&base), &m)))
		return m;
	postmaster = str_eq(address_local(has_base ? &base : address), STR("postmaster"));
	if (postmaster && dom->first != NULL)
		return (struct match){ .account = dom->first };
	if (w->extra != NULL && w->extra->domain == dom && w->extra->from.p[0] == '@')
		return (struct match){ .alias = w->extra };
	if (dom->catch_all != NULL)
		return (struct match){ .alias = dom->catch_all };
	return (struct match){ .account = postmaster ? first_anywhere(w->d) : NULL };
}

static enum status target_add(struct walk *w, uint64_t account, struct str address, bool open)
{
	struct auth_target *more;

	w->open |= open;
	if (w->mapped && map_find(&w->taken, address) != NULL)
		return ST_OK;
	if (w->count == LIMIT_ALIAS_TARGETS)
		return ST_LIMIT;
	if (w->count == w->room) {
		more = ARENA_ARRAY(w->a, struct auth_target, w->room * 2 + 1);
		if (w->count > 0)
			memcpy(more, w->targets, w->count * sizeof(*more));
		w->targets = more;
		w->room = w->room * 2 + 1;
	}
	w->targets[w->count++] = (struct auth_target){ .account = account, .address = arena_dup(w->a, address) };
	if (w->mapped)
		map_put(&w->taken, address, w);
	return ST_OK;
}

static enum status account_add(struct walk *w, const struct dir_account *acc)
{
	return target_add(w, acc->id, acc->address, !acc->disabled);
}

static enum mark mark_get(const struct walk *w, const struct dir_alias *al)
{
	return (enum mark)(uintptr_t)map_find(&w->marks, al->from);
}

static void mark_set(struct walk *w, const struct dir_alias *al, enum mark mark)
{
	map_put(&w->marks, al->from, (void *)(uintptr_t)mark);
}

static enum status walk_address(struct walk *w, struct str address);

static void maps_init(struct walk *w)
{
	if (w->mapped)
		return;
	map_init(&w->marks);
	map_init(&w->taken);
	w->mapped = true;
}

static enum status walk_alias(struct walk *w, struct dir_alias *al)
{
	struct dir_account *own = account_find(w, al->from);
	enum status         st = ST_OK;
	enum mark           mark;

	maps_init(w);
	mark = mark_get(w, al);
	if (mark == DONE)
		return ST_OK;
	if (mark == ON_PATH)
		return own != NULL ? account_add(w, own) : ST_LIMIT;
	if (w->depth == LIMIT_ALIAS_DEPTH)
		return ST_LIMIT;
	mark_set(w, al, ON_PATH);
	w->depth++;
	for (size_t i = 0; i < al->count && st == ST_OK; i++) {
		if (++w->steps > LIMIT_ALIAS_STEPS)
			st = ST_LIMIT;
		/* An alias that names itself means the account; when that is gone, nobody. */
		else if (str_eq(al->to[i], al->from))
			st = own != NULL ? account_add(w, own) : ST_OK;
		else
			st = walk_address(w, al->to[i]);
	}
	w->depth--;
	mark_set(w, al, DONE);
	return st;
}

/* ST_OK also when it leads to nobody: other targets may. */
static enum status walk_address(struct walk *w, struct str address)
{
	struct address_canon canon;
	struct dir_domain   *dom;
	struct match         m;

	if (dir_canon(w->d, address, &canon, &dom) != ADDRESS_OK)
		return ST_INVALID;
	if (dom == NULL)
		return target_add(w, 0, address_text(&canon), true);
	m = match_of(w, &canon, dom);
	if (m.alias != NULL)
		return walk_alias(w, m.alias);
	return m.account != NULL ? account_add(w, m.account) : ST_OK;
}

static void walk_init(struct walk *w, struct directory *d, struct arena *a)
{
	*w = (struct walk){ .d = d, .a = a };
}

static void walk_done(struct walk *w)
{
	if (!w->mapped)
		return;
	map_done(&w->marks);
	map_done(&w->taken);
}

enum status directory_resolve(struct directory *d, struct str address, struct arena *a, struct auth_resolve_reply *ret)
{
	struct walk w;
	enum status st;

	walk_init(&w, d, a);
	pthread_rwlock_rdlock(&d->lock);
	st = walk_address(&w, address);
	pthread_rwlock_unlock(&d->lock);
	walk_done(&w);
	if (st == ST_OK && w.count == 0)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		*ret = (struct auth_resolve_reply){ w.targets, w.count };
	return st;
}

/* Of an alias or account of ours, which is what nearly every recipient is. */
static enum status rcpt_own(struct walk *w, struct str address, enum auth_rcpt_kind *ret)
{
	enum status st = walk_address(w, address);

	if (st == ST_LIMIT) {
		*ret = AUTH_RCPT_CLOSED; /* a mistake that somebody will repair: not "unknown" */
		return ST_OK;
	}
	if (st == ST_OK)
		*ret = w->count == 0 ? AUTH_RCPT_UNKNOWN : w->open ? AUTH_RCPT_LOCAL : AUTH_RCPT_CLOSED;
	return st;
}

enum status directory_rcpt(struct directory *d, struct str address, enum auth_rcpt_kind *ret)
{
	struct address_canon canon;
	struct dir_domain   *dom;
	struct walk          w;
	enum status          st = ST_OK;

	walk_init(&w, d, arena_new(NULL));
	pthread_rwlock_rdlock(&d->lock);
	if (dir_canon(d, address, &canon, &dom) != ADDRESS_OK)
		st = ST_INVALID;
	else if (dom == NULL)
		*ret = AUTH_RCPT_FOREIGN;
	else
		st = rcpt_own(&w, address, ret);
	pthread_rwlock_unlock(&d->lock);
	walk_done(&w);
	arena_free(&w.a);
	return st;
}

enum status directory_sender(struct directory *d, uint64_t account, struct str address)
{
	struct dir_account *acc;
	struct walk         w;
	bool                ok;

	walk_init(&w, d, arena_new(NULL));
	pthread_rwlock_rdlock(&d->lock);
	acc = map_find_u64(&d->ids, account);
	ok = dir_account_in_use(acc) && !acc->disabled && walk_address(&w, address) == ST_OK;
	pthread_rwlock_unlock(&d->lock);
	for (size_t i = 0; ok && i < w.count; i++) {
		if (w.targets[i].account == account)
			break;
		ok = i + 1 < w.count;
	}
	ok = ok && w.count > 0;
	walk_done(&w);
	arena_free(&w.a);
	return ok ? ST_OK : ST_DENIED;
}

/* Any circle through `al` comes back to it from one of its targets. */
enum status dir_alias_check(struct directory *d, struct dir_alias *al)
{
	struct walk w;
	enum status st;

	walk_init(&w, d, arena_new(NULL));
	w.extra = al;
	st = walk_alias(&w, al);
	walk_done(&w);
	arena_free(&w.a);
	return st;
}
