/* directory/directory_policy.c - who may write to a list; and setting it. See docs/concepts/addresses.md.
 *
 * Anybody can write any reverse-path, so from a stranger it proves nothing about an address of ours: MEMBERS, DOMAIN and
 * addresses in our domains count for who is signed in, or for a peer that the configuration trusts. An ADDRESS elsewhere
 * counts by the reverse-path, for what that is worth. The null reverse-path is admitted by no rule.
 */
#include "directory/directory_walk.h"

static bool is_local(const struct dir_domain *dom)
{
	return dom != NULL && dom->kind == AUTH_DOMAIN_LOCAL;
}

/* The writer's account, or a trusted peer's reverse-path, is among the targets, followed to the end. */
static bool is_member(struct dir_walk *w, const struct dir_alias *al, const struct dir_account *writer)
{
	struct dir_walk sub;
	struct arena   *a = arena_new(NULL);
	bool            found = false;

	dir_walk_init(&sub, w->d, a, STR_NONE);
	sub.steps = w->steps; /* lists in lists: the work in all is bounded */
	if (dir_walk_alias(&sub, (struct dir_alias *)(uintptr_t)al) == ST_OK)
		for (size_t i = 0; i < sub.count && !found; i++)
			found = (writer != NULL && sub.targets[i].account == writer->id) ||
				(w->writer->trusted && str_eq(sub.targets[i].address, address_text(&w->from)));
	w->steps = MIN(sub.steps, LIMIT_ALIAS_STEPS);
	dir_walk_done(&sub);
	arena_free(&a);
	return found;
}

static bool is_address(struct dir_walk *w, struct str address, const struct dir_account *writer)
{
	struct address_canon canon;
	struct dir_domain   *dom;

	if (dir_canon(w->d, address, &canon, &dom) != ADDRESS_OK)
		return false;
	if (writer != NULL && str_eq(writer->address, address_text(&canon)))
		return true;
	if (is_local(dom) && writer == NULL && !w->writer->trusted)
		return false;
	return str_eq(address_text(&canon), address_text(&w->from));
}

static bool admits(struct dir_walk *w, const struct dir_alias *al, const struct dir_rule *rule, const struct dir_account *writer)
{
	const struct dir_account *named;

	switch (rule->rule) {
	case AUTH_RULE_MEMBERS: return (writer != NULL || w->writer->trusted) && is_member(w, al, writer);
	case AUTH_RULE_DOMAIN:
		named = w->writer->trusted ? map_find(&w->d->accounts, address_text(&w->from)) : NULL;
		return (writer != NULL && writer->domain == al->domain) ||
		       (dir_account_in_use(named) && named->domain == al->domain);
	case AUTH_RULE_ADDRESS: return is_address(w, rule->address, writer);
	}
	return false;
}

static const char *rule_text(const struct dir_rule *rule)
{
	switch (rule->rule) {
	case AUTH_RULE_MEMBERS: return "its members";
	case AUTH_RULE_DOMAIN: return "accounts of its domain";
	case AUTH_RULE_ADDRESS: break;
	}
	return "";
}

bool dir_policy_admits(struct dir_walk *w, const struct dir_alias *al)
{
	const struct dir_account *writer = w->writer->account != 0 ? map_find_u64(&w->d->ids, w->writer->account) : NULL;
	bool                      ok = false;

	if (!dir_account_in_use(writer))
		writer = NULL;
	for (size_t i = 0; i < al->rule_count; i++) {
		const struct dir_rule *rule = &al->rules[i];
		bool                   one = !w->null_path && w->from.n > 0 && admits(w, al, rule, writer);

		dir_say(w, "policy", "%.*s is open to %s%.*s%s", STR_FMT(al->from), rule_text(rule), STR_FMT(rule->address),
			one ? ": this sender" : "");
		ok = ok || one;
	}
	if (!ok)
		dir_say(w, "policy", "%.*s is closed to this sender", STR_FMT(al->from));
	return ok;
}
