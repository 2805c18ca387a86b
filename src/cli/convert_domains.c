/* cli/convert_domains.c - domains, accounts, aliases and rewriting become commands; see convert.h. */
#include <string.h>

#include "cli/convert.h"
#include "wire/address/address.h"
#include "wire/text/text_postfix.h"

/* A mail domain's name in canonical form; false for "localhost", addresses and nonsense. */
static bool domain_of(struct convert *c, struct str text, const char **ret)
{
	struct address_canon canon;

	if (str_find(text, '.') < 0 || str_iends(text, STR(".localdomain")) || str_istarts(text, STR("localhost.")) ||
	    address_domain(text, &canon) != ADDRESS_OK)
		return false;
	*ret = arena_cstr(c->a, address_text(&canon));
	return true;
}

static bool address_of(struct convert *c, struct str text, const char **ret)
{
	struct address parsed;
	struct str     whole = text;

	if (str_find(text, '@') < 0)
		whole = arena_printf(c->a, "%.*s@%.*s", STR_FMT(text), STR_FMT(convert_value(c, "myorigin")));
	if (address_parse(whole, true, &parsed) != ADDRESS_OK || whole.p[0] == '-') /* "-f@example.org" could pass for an option */
		return false;
	*ret = arena_cstr(c->a, whole);
	return true;
}

static void domain_add(struct convert *c, const char *domain)
{
	if (!map_put(&c->domains, str_of(domain), c))
		convert_command(c, (const char *const[]){ "p", "domain", "add", domain, NULL });
}

/* Is its domain one that a command above makes? */
static bool is_ours(struct convert *c, const char *address)
{
	struct str           local, domain;
	struct address_canon canon;

	str_rcut(str_of(address), '@', &local, &domain);
	return address_domain(domain, &canon) == ADDRESS_OK && map_find(&c->domains, address_text(&canon));
}

/* Words, and the keys of maps and the words of files among them. */
struct words {
	struct str *items;
	size_t      count;
	const char *lost; /* a map that was not read: why */
	struct str  lost_word;
};

static void word_add(struct convert *c, struct words *w, struct str word)
{
	if ((w->count & (w->count - 1)) == 0) { /* room for twice as many */
		struct str *more = ARENA_ARRAY(c->a, struct str, w->count ? w->count * 2 : 1);

		if (w->count > 0)
			memcpy(more, w->items, w->count * sizeof(*more));
		w->items = more;
	}
	w->items[w->count++] = word;
}

static void words_of(struct convert *c, struct str value, bool file_is_list, struct words *ret)
{
	struct str word;

	*ret = (struct words){ 0 };
	while (text_postfix_word(&value, &word)) {
		struct convert_row *rows;
		size_t              count;
		struct str          text, inner;

		if (!convert_is_map(word)) {
			word_add(c, ret, word);
		} else if (file_is_list && word.p[0] == '/') {
			if (!convert_file(c, word, &text)) {
				ret->lost = "the file cannot be read";
				ret->lost_word = word;
				continue;
			}
			while (text_postfix_word(&text, &inner))
				word_add(c, ret, inner);
		} else {
			const char *why = convert_table(c, word, &rows, &count);

			for (size_t i = 0; !why && i < count; i++)
				word_add(c, ret, rows[i].key);
			if (why) {
				ret->lost = why;
				ret->lost_word = word;
			}
		}
	}
}

static void lost_say(struct convert *c, const char *name, const struct words *w)
{
	if (w->lost)
		convert_say(c, CONVERT_LOST, name, w->lost_word, "%s", w->lost);
}

/* ---- domains ---- */

static void domains_add(struct convert *c, const char *name, struct str value, const char *whose)
{
	struct words w;
	const char  *domain;
	struct map   seen;
	size_t       count = 0;

	words_of(c, value, true, &w);
	map_init(&seen);
	for (size_t i = 0; i < w.count; i++)
		if (domain_of(c, w.items[i], &domain) && !map_put(&seen, str_of(domain), c)) {
			count++;
			domain_add(c, domain);
		}
	map_done(&seen);
	lost_say(c, name, &w);
	if (count > 0)
		convert_say(c, CONVERT_KEPT, name, value, "%zu domain%s: 'domain add'%s", count, count == 1 ? "" : "s", whose);
	else if (!w.lost)
		convert_say(c, CONVERT_DEFAULT, name, value, "names no mail domain; local programs reach the host's own users anyway");
}

void convert_mydestination(struct convert *c, const char *name, struct str value)
{
	domains_add(c, name, value, "; its users were users of the system: make an account for each ('account add USER@DOMAIN')");
}

void convert_virtual_domains(struct convert *c, const char *name, struct str value)
{
	domains_add(c, name, value, "");
}

void convert_relay_domains(struct convert *c, const char *name, struct str value)
{
	bool                known = convert_value(c, "relay_recipient_maps").n > 0;
	struct words        w;
	struct convert_row *routes = NULL;
	size_t              route_count = 0, count = 0;
	struct str          maps = convert_value(c, "transport_maps"), map;
	const char         *domain;

	if (text_postfix_word(&maps, &map) && convert_table(c, map, &routes, &route_count) != NULL)
		route_count = 0;
	words_of(c, value, true, &w);
	for (size_t i = 0; i < w.count; i++) {
		const char *words[12] = { "p", "domain", "add", NULL };
		size_t      n = 3;
		struct str  relay, via;

		if (!domain_of(c, w.items[i], &domain) || map_put(&c->domains, str_of(domain), c))
			continue;
		words[n++] = domain;
		words[n++] = "--relay";
		for (size_t k = 0; k < route_count; k++)
			if (str_ieq(routes[k].key, str_of(domain)) &&
			    (convert_pipe_hop(c, routes[k].value, &relay) ||
			     (str_cut(routes[k].value, ':', &relay, &via) && via.n > 0 && convert_next_hop(c, via, str_eq(relay, STR("lmtp")) ? "lmtp:" : "", &relay)))) {
				words[n++] = arena_cstr(c->a, relay);
				break;
			}
		if (known) {
			words[n++] = "--verify";
			words[n++] = "probe";
		}
		words[n] = NULL;
		convert_command(c, words);
		count++;
	}
	lost_say(c, name, &w);
	if (count > 0)
		convert_say(c, CONVERT_KEPT, name, value, "%zu domain%s: 'domain add --relay'%s", count, count == 1 ? "" : "s",
			    known ? " --verify probe: their host is asked for each recipient" : "");
	else if (!w.lost)
		convert_say(c, CONVERT_DEFAULT, name, value, "names no domain that is relayed for");
}

/* ---- accounts and aliases ---- */

void convert_virtual_mailboxes(struct convert *c, const char *name, struct str value)
{
	struct words w;
	const char  *address;
	size_t       count = 0, lost = 0;

	words_of(c, value, false, &w);
	for (size_t i = 0; i < w.count; i++) {
		if (w.items[i].n == 0 || w.items[i].p[0] == '@' || str_find(w.items[i], '@') < 0 || !address_of(c, w.items[i], &address) ||
		    !is_ours(c, address)) {
			lost++;
			continue;
		}
		if (map_put(&c->accounts, str_of(address), c))
			continue;
		convert_command(c, (const char *const[]){ "account", address, NULL });
		count++;
	}
	lost_say(c, name, &w);
	if (count > 0)
		convert_say(c, CONVERT_KEPT, name, value, "%zu account%s: 'account add', with new passwords; mail that is there is moved by IMAP", count,
			    count == 1 ? "" : "s");
	if (lost > 0)
		convert_say(c, CONVERT_LOST, name, value, "%zu key%s no address of a domain above", lost, lost == 1 ? " is" : "s are");
}

/* One alias; its targets are words, of which commands and files are lost. */
static bool alias_add(struct convert *c, const char *name, struct str key, struct str targets)
{
	const char *words[1024] = { "p", "alias", "add", NULL }, *from = NULL, *domain, *to;
	size_t      n = 4;
	struct str  word, at = key;

	if (str_skip_char(&at, '@')) {
		if (!domain_of(c, at, &domain))
			return false;
		from = arena_printf(c->a, "@%s", domain).p;
	} else if (!address_of(c, key, &from)) {
		return false;
	}
	if (!is_ours(c, from))
		return false;
	words[3] = from;
	while (text_postfix_word(&targets, &word)) {
		if (word.n > 0 && word.p[0] == '@') /* "@a  @b": the same name at another domain */
			return false;
		if (!address_of(c, word, &to) || n + 1 == LEN(words))
			convert_say(c, CONVERT_LOST, name, key, "target %.*s is no address", STR_FMT(word));
		else
			words[n++] = to;
	}
	if (n == 4)
		return false;
	words[n] = NULL;
	if (!map_put(&c->aliases, str_of(from), c))
		convert_command(c, words);
	return true;
}

static void alias_row(struct convert *c, const char *name, const struct convert_row *r, size_t *kept, size_t *lost)
{
	struct str  target = r->value;
	const char *domain, *to;

	if (r->key.n > 0 && r->key.p[0] == '@' && str_skip_char(&target, '@') && domain_of(c, str_from(r->key, 1), &domain) && domain_of(c, target, &to)) {
		convert_command(c, (const char *const[]){ "p", "rewrite", "add", arena_cstr(c->a, r->key), arena_cstr(c->a, r->value), "--recipient", NULL });
		++*kept;
	} else if (str_find(r->key, '@') < 0 && domain_of(c, r->key, &domain)) {
		++*kept; /* a domain of aliases, added before */
	} else if (alias_add(c, name, r->key, r->value)) {
		++*kept;
	} else {
		++*lost;
		convert_say(c, CONVERT_LOST, name, r->key, "is no address of a domain above, or its target is none");
	}
}

void convert_virtual_aliases(struct convert *c, const char *name, struct str value)
{
	struct str map, rest = value;
	size_t     kept = 0, lost = 0;

	while (text_postfix_word(&rest, &map)) {
		struct convert_row *rows;
		size_t              count;
		const char         *why = convert_table(c, map, &rows, &count);

		if (why) {
			convert_say(c, CONVERT_LOST, name, map, "%s", why);
			lost++;
			continue;
		}
		for (size_t i = 0; i < count; i++) { /* "example.org  anything" */
			const char *domain;

			if (str_find(rows[i].key, '@') < 0 && domain_of(c, rows[i].key, &domain))
				domain_add(c, domain);
		}
		for (size_t i = 0; i < count; i++)
			alias_row(c, name, &rows[i], &kept, &lost);
	}
	if (kept > 0 || lost == 0)
		convert_say(c, CONVERT_KEPT, name, value, "%zu alias%s: 'alias add'", kept, kept == 1 ? "" : "es");
}

void convert_alias_maps(struct convert *c, const char *name, struct str value)
{
	struct str map, type, path, rest = value;

	if (strcmp(name, "alias_database") == 0) {
		convert_say(c, CONVERT_DEFAULT, name, value, "newaliases reads /etc/aliases itself; there is no database");
		return;
	}
	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "no aliases file; 'alias add' makes aliases");
	while (text_postfix_word(&rest, &map)) {
		struct convert_row *rows;
		size_t              count;
		const char         *why, *file;

		if (!str_cut(map, ':', &type, &path))
			path = map;
		why = convert_table(c, map, &rows, &count);
		file = arena_cstr(c->a, path);
		if (why && path.n > 0 && path.p[0] == '/' && strcmp(why, "its text file cannot be read") == 0)
			why = NULL; /* it may be there where the commands are run */
		if (why) {
			convert_say(c, CONVERT_LOST, name, map, "%s", why);
			continue;
		}
		convert_command(c, (const char *const[]){ "p", "alias", "import", file, NULL });
		convert_say(c, CONVERT_KEPT, name, map, "'alias import %s'; commands and files among its targets are refused and named then", file);
	}
}

void convert_luser(struct convert *c, const char *name, struct str value)
{
	const char *domain, *to;

	if (value.n == 0) {
		convert_say(c, CONVERT_DEFAULT, name, value, "unknown recipients are refused");
	} else if (domain_of(c, convert_value(c, "myorigin"), &domain) && map_find(&c->domains, str_of(domain)) && address_of(c, value, &to)) {
		convert_command(c, (const char *const[]){ "p", "alias", "add", arena_printf(c->a, "@%s", domain).p, to, NULL });
		convert_say(c, CONVERT_KEPT, name, value, "alias @%s, for all others of the domain", domain);
	} else {
		convert_say(c, CONVERT_LOST, name, value, "is no address, or the domain of the host (myorigin) is none of those above");
	}
}

/* ---- rewriting ---- */

static bool rewrite_side(struct convert *c, struct str text, const char **ret)
{
	const char *domain;
	struct str  at = text;

	if (str_skip_char(&at, '@')) {
		if (!domain_of(c, at, &domain))
			return false;
		*ret = arena_printf(c->a, "@%s", domain).p;
		return true;
	}
	return address_of(c, text, ret);
}

void convert_rewrite(struct convert *c, const char *name, struct str value)
{
	const char *side = strcmp(name, "recipient_canonical_maps") == 0 ? "--recipient" : strcmp(name, "canonical_maps") == 0 ? NULL : "--sender";
	struct str  map, rest = value;
	size_t      kept = 0;

	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "addresses are not rewritten");
	while (text_postfix_word(&rest, &map)) {
		struct convert_row *rows;
		size_t              count;
		const char         *why = convert_table(c, map, &rows, &count), *from, *to;

		if (why)
			convert_say(c, CONVERT_LOST, name, map, "%s", why);
		for (size_t i = 0; !why && i < count; i++) {
			if (!rewrite_side(c, rows[i].key, &from) || !rewrite_side(c, rows[i].value, &to)) {
				convert_say(c, CONVERT_LOST, name, rows[i].key, "is no address or @domain");
				continue;
			}
			convert_command(c, (const char *const[]){ "p", "rewrite", "add", from, to, side, NULL });
			kept++;
		}
	}
	if (kept > 0)
		convert_say(c, CONVERT_KEPT, name, value, "%zu rule%s: 'rewrite add%s%s'%s", kept, kept == 1 ? "" : "s", side ? " " : "", side ? side : "",
			    strcmp(name, "smtp_generic_maps") == 0 ? "; Postfix did that only for mail to other hosts" : "");
}

void convert_masquerade(struct convert *c, const char *name, struct str value)
{
	struct str  word, rest = value;
	const char *domain;

	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "addresses are not rewritten");
	while (text_postfix_word(&rest, &word)) {
		if (!domain_of(c, word, &domain)) {
			convert_say(c, CONVERT_LOST, name, word, "exceptions are not known to rules of rewriting");
			continue;
		}
		convert_command(c, (const char *const[]){ "p", "rewrite", "add", arena_printf(c->a, ".%s", domain).p, arena_printf(c->a, "@%s", domain).p,
							   "--sender", NULL });
		convert_say(c, CONVERT_KEPT, name, word, "'rewrite add .%s @%s --sender'", domain, domain);
	}
}
