/* directory/directory_walk.c - see directory_walk.h. */
#include "directory/directory_walk.h"

#include <string.h>

#include "directory/srs.h"

enum mark { UNSEEN, ON_PATH, DONE };

/* What an address of ours leads to: an alias, an account, the sender behind an address of SRS, or nothing. */
struct match {
	struct dir_alias    *alias;
	struct dir_account  *account;
	const char          *how; /* for the dry run */
};

enum address_err dir_canon(struct directory *d, struct str address, struct address_canon *ret, struct dir_domain **ret_domain)
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
	err = address_canon(&parsed, dom != NULL && dom->kind == AUTH_DOMAIN_LOCAL, ret);
	if (err == ADDRESS_OK)
		*ret_domain = dom;
	return err;
}

static struct dir_alias *alias_find(const struct dir_walk *w, struct str from)
{
	if (w->extra != NULL && str_eq(w->extra->from, from))
		return w->extra;
	return map_find(&w->d->aliases, from);
}

static struct dir_account *account_find(const struct dir_walk *w, struct str address)
{
	struct dir_account *acc = map_find(&w->d->accounts, address);

	return dir_account_in_use(acc) ? acc : NULL;
}

static bool named(const struct dir_walk *w, struct str address, const char *how, struct match *ret)
{
	*ret = (struct match){ .alias = alias_find(w, address), .how = how };
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

static struct match match_of(const struct dir_walk *w, const struct address_canon *address, const struct dir_domain *dom)
{
	struct match         m;
	struct address_canon base;
	bool                 has_base = address_base(address, str_of(w->d->separators), &base);
	bool                 postmaster;

	if (named(w, address_text(address), "name", &m) || (has_base && named(w, address_text(&base), "subaddress", &m)))
		return m;
	postmaster = str_eq(address_local(has_base ? &base : address), STR("postmaster"));
	if (postmaster && dom->first != NULL)
		return (struct match){ .account = dom->first, .how = "postmaster" };
	if (w->extra != NULL && w->extra->domain == dom && w->extra->from.p[0] == '@')
		return (struct match){ .alias = w->extra, .how = "catch-all" };
	if (dom->catch_all != NULL)
		return (struct match){ .alias = dom->catch_all, .how = "catch-all" };
	return (struct match){ .account = postmaster ? first_anywhere(w->d) : NULL, .how = "postmaster" };
}

/* ---- targets ---- */

static enum status target_add(struct dir_walk *w, const struct auth_target *target)
{
	struct auth_target *more;

	if (w->mapped && map_find(&w->taken, target->address) != NULL)
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
	more = &w->targets[w->count++];
	*more = *target;
	more->address = arena_dup(w->a, target->address);
	more->relay = arena_dup(w->a, target->relay);
	more->hop = dir_hop_dup(w->a, &target->hop);
	more->from = arena_dup(w->a, target->from);
	if (w->mapped)
		map_put(&w->taken, more->address, w);
	return ST_OK;
}

static enum status account_add(struct dir_walk *w, struct dir_account *acc)
{
	struct auth_quota_reply quota;
	bool                    full;

	dir_quota_of(acc, &quota);
	/* A total that seems to be used up is a limit of each account too: the next delivery finds out whether it is. */
	full = (quota.quota_octets > 0 || quota.quota_messages > 0) && atomic_load(&acc->full_until_ms) > dir_mono_ms(w->d);
	w->open |= !acc->disabled && !full;
	w->full |= !acc->disabled && full;
	dir_say(w, "account", "%.*s%s%s", STR_FMT(acc->address), acc->disabled ? ", disabled: takes no new mail" : "",
		full ? ", over its quota: takes no new mail for now" : "");
	if (quota.quota_octets > 0)
		dir_say(w, "quota", "%llu octets", (unsigned long long)quota.quota_octets);
	if (quota.quota_messages > 0)
		dir_say(w, "quota", "%llu messages", (unsigned long long)quota.quota_messages);
	return target_add(w, &(struct auth_target){ .account = acc->id,
						    .address = acc->address,
						    .quota_octets = quota.quota_octets,
						    .quota_messages = quota.quota_messages,
						    .quota_shared = quota.quota_shared });
}

/* Forwarded by us: under a reverse-path of ours, unless it is null or ours anyhow. */
static void forward_from(struct dir_walk *w, struct auth_target *t, struct address_canon *space)
{
	t->forward = w->via != NULL;
	if (!t->forward || w->null_path || w->from.n == 0)
		return;
	if (w->from_ours) {
		dir_say(w, "srs", "the reverse-path is of a domain of ours, and stays");
	} else if (srs_forward(w->d->srs_key, &w->from, w->via->name, dir_wall_ms(w->d), space)) {
		t->from = address_text(space);
		dir_say(w, "srs", "goes out with the reverse-path %.*s", STR_FMT(t->from));
	} else {
		dir_say(w, "srs", "the reverse-path is too long to be rewritten, and stays");
	}
}

static enum status foreign_add(struct dir_walk *w, struct str address)
{
	struct auth_target   t = { .address = address };
	struct address_canon from;

	w->open = true;
	dir_say(w, "outside", "%.*s%s", STR_FMT(address), w->via != NULL ? ", forwarded" : "");
	forward_from(w, &t, &from);
	dir_way(w, &t, NULL);
	return target_add(w, &t);
}

static enum status relay_add(struct dir_walk *w, struct str address, const struct dir_domain *dom)
{
	struct auth_target t = { .address = address };

	w->open = true;
	dir_say(w, "relay", "%.*s is taken for %s%.*s", STR_FMT(dom->name), dom->relay.n > 0 ? "" : "better MX hosts of the domain",
		STR_FMT(dom->relay));
	dir_way(w, &t, dom);
	return target_add(w, &t);
}

/* ---- walking ---- */

static enum mark mark_get(const struct dir_walk *w, const struct dir_alias *al)
{
	return (enum mark)(uintptr_t)map_find(&w->marks, al->from);
}

static void mark_set(struct dir_walk *w, const struct dir_alias *al, enum mark mark)
{
	map_put(&w->marks, al->from, (void *)(uintptr_t)mark);
}

static void maps_init(struct dir_walk *w)
{
	if (w->mapped)
		return;
	map_init(&w->marks);
	map_init(&w->taken);
	w->mapped = true;
}

static enum status walk_targets(struct dir_walk *w, struct dir_alias *al, struct dir_account *own)
{
	struct dir_domain *outer = w->via;
	enum status        st = ST_OK;

	w->depth++;
	for (size_t i = 0; i < al->count && st == ST_OK; i++) {
		w->via = al->domain;
		if (++w->steps > LIMIT_ALIAS_STEPS)
			st = ST_LIMIT;
		/* An alias that names itself means the account; when that is gone, nobody. */
		else if (str_eq(al->to[i], al->from))
			st = own != NULL ? account_add(w, own) : ST_OK;
		else
			st = dir_walk_address(w, al->to[i]);
	}
	w->via = outer;
	w->depth--;
	return st;
}

enum status dir_walk_alias(struct dir_walk *w, struct dir_alias *al)
{
	struct dir_account *own = account_find(w, al->from);
	enum status         st;
	enum mark           mark;

	maps_init(w);
	mark = mark_get(w, al);
	if (mark == DONE)
		return ST_OK;
	if (mark == ON_PATH)
		return own != NULL ? account_add(w, own) : ST_LIMIT;
	if (w->depth == LIMIT_ALIAS_DEPTH)
		return ST_LIMIT;
	dir_say(w, "alias", "%.*s leads to %zu address%s", STR_FMT(al->from), al->count, al->count == 1 ? "" : "es");
	if (w->writer != NULL && al->rule_count > 0 && !dir_policy_admits(w, al))
		w->refused = true;
	mark_set(w, al, ON_PATH);
	st = walk_targets(w, al, own);
	mark_set(w, al, DONE);
	return st;
}

/* Back to the sender of what we have forwarded; only reports go that way. ST_OK and no target: it is nobody's. */
static enum status walk_srs(struct dir_walk *w, struct str address)
{
	struct address_canon exact, to; /* `exact` is not folded: the sender's name keeps its case */
	struct auth_target   t = { 0 };
	struct dir_domain   *dom;
	enum srs_err         err;

	if (address_canon_of(address, false, &exact) != ADDRESS_OK)
		return ST_INVALID;
	err = srs_reverse(w->d->srs_key, &exact, dir_wall_ms(w->d), w->srs_days, &to);
	if (err != SRS_OK || !w->null_path) {
		dir_say(w, "srs", "the address is %s%s", err != SRS_OK ? srs_err_text(err) : "right",
			w->null_path ? "" : "; only reports (null reverse-path) go back through it");
		return ST_OK;
	}
	dir_say(w, "srs", "leads back to %.*s", STR_FMT(address_text(&to)));
	w->open = true;
	t.address = address_text(&to);
	if (dir_canon(w->d, t.address, &exact, &dom) == ADDRESS_OK)
		dir_way(w, &t, dom);
	return target_add(w, &t);
}

enum status dir_walk_address(struct dir_walk *w, struct str address)
{
	struct address_canon canon;
	struct dir_domain   *dom;
	struct match         m;

	if (dir_canon(w->d, address, &canon, &dom) != ADDRESS_OK)
		return ST_INVALID;
	if (dom == NULL)
		return foreign_add(w, address_text(&canon));
	if (dom->kind == AUTH_DOMAIN_RELAY)
		return relay_add(w, address_text(&canon), dom);
	if (srs_is(&canon) && !named(w, address_text(&canon), "name", &m))
		return walk_srs(w, address);
	m = match_of(w, &canon, dom);
	if (m.alias == NULL && m.account == NULL) {
		dir_say(w, "unknown", "%.*s: there is nobody of this name", STR_FMT(address_text(&canon)));
		return ST_OK;
	}
	if (!str_eq(str_of(m.how), STR("name")))
		dir_say(w, m.how, "%.*s is taken by %.*s", STR_FMT(address_text(&canon)),
			STR_FMT(m.alias != NULL ? m.alias->from : m.account->address));
	return m.alias != NULL ? dir_walk_alias(w, m.alias) : account_add(w, m.account);
}

enum status dir_walk_recipient(struct dir_walk *w, struct str address)
{
	struct address_canon canon, to;
	struct dir_domain   *dom;

	if (!dir_rewrite(w->d, 1, address, &to))
		return dir_walk_address(w, address);
	if (dir_canon(w->d, address, &canon, &dom) != ADDRESS_OK)
		return ST_INVALID;
	dir_say(w, "rewrite", "%.*s becomes %.*s", STR_FMT(address_text(&canon)), STR_FMT(address_text(&to)));
	/* If it was ours and the new one is not, then it is we who forward it. */
	w->via = dom != NULL && dom->kind == AUTH_DOMAIN_LOCAL ? dom : NULL;
	return dir_walk_address(w, address_text(&to));
}

void dir_walk_init(struct dir_walk *w, struct directory *d, struct arena *a, struct str from)
{
	struct dir_domain *dom = NULL;

	*w = (struct dir_walk){ .d = d, .a = a, .null_path = from.n == 0, .srs_days = SRS_DAYS };
	if (from.n > 0 && dir_canon(d, from, &w->from, &dom) != ADDRESS_OK)
		w->from.n = 0;
	w->from_ours = dom != NULL && dom->kind == AUTH_DOMAIN_LOCAL;
}

void dir_walk_done(struct dir_walk *w)
{
	if (!w->mapped)
		return;
	map_done(&w->marks);
	map_done(&w->taken);
}

/* Any circle through `al` comes back to it from one of its targets. */
enum status dir_alias_check(struct directory *d, struct dir_alias *al)
{
	struct dir_walk w;
	enum status     st;

	dir_walk_init(&w, d, arena_new(NULL), STR_NONE);
	w.extra = al;
	st = dir_walk_alias(&w, al);
	dir_walk_done(&w);
	arena_free(&w.a);
	return st;
}
