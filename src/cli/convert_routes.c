/* cli/convert_routes.c - how mail goes out becomes rules of routes; see convert.h.
 *
 * Parameters that are about all mail (relayhost with credentials, TLS level, source address, HELO, limits) make one rule for everything. A rule
 * that has a command already is changed by a second one: 'route add', then 'route set'.
 *
 * Passwords are in none of the results: the script reads them from the file that Postfix has, when it is run.
 */
#include <string.h>

#include "cli/convert.h"
#include "directory/directory_rule.h"
#include "wire/text/text_postfix.h"

#define WORDS 32u

struct rule {
	const char *to, *from; /* NULL: everything */
	const char *words[WORDS]; /* "--via", "x" ... */
	size_t      count;
	const char *file, *key; /* of the password; NULL: none */
};

static void word_add(struct rule *r, const char *option, const char *value)
{
	CHECK(r->count + 2 <= LEN(r->words));
	r->words[r->count++] = option;
	r->words[r->count++] = value;
}

static void rule_command(struct convert *c, const struct rule *r)
{
	struct str  name = arena_printf(c->a, "%s\n%s", r->to ? r->to : "*", r->from ? r->from : "*");
	bool        again = map_put(&c->routes, name, c) != NULL;
	const char *words[WORDS + 16];
	size_t      n = 0;

	words[n++] = r->file ? "login" : "p";
	if (r->file) {
		words[n++] = r->file;
		words[n++] = r->key;
	}
	words[n++] = "route";
	words[n++] = again ? "set" : "add";
	if (r->to) {
		words[n++] = "--to";
		words[n++] = r->to;
	}
	if (r->from) {
		words[n++] = "--from";
		words[n++] = r->from;
	}
	for (size_t i = 0; i < r->count; i++)
		words[n++] = r->words[i];
	words[n] = NULL;
	convert_command(c, words);
}

/* "user@domain", "domain", "@domain", ".domain", "*" as our pattern; NULL: it is none. */
static const char *pattern(struct convert *c, struct str key)
{
	struct str stored;

	return key.n > 0 && dir_route_pattern(key, false, c->a, &stored) ? arena_cstr(c->a, dir_route_shown(stored)) : NULL;
}

/* ---- credentials ---- */

static bool sasl_on(struct convert *c)
{
	return str_ieq(convert_value(c, "smtp_sasl_auth_enable"), STR("yes"));
}

/* The path of a map that is a text file. */
static struct str map_path(struct str map)
{
	struct str type, path;

	(void)str_skip(&map, STR("proxy:"));
	return map.n > 0 && map.p[0] == '/' ? map : str_cut(map, ':', &type, &path) ? path : STR("");
}

/* The user of a key of the password maps, and where its password is. */
static bool login_find(struct convert *c, struct str key, struct rule *r)
{
	struct str maps = convert_value(c, "smtp_sasl_password_maps"), map;

	while (sasl_on(c) && text_postfix_word(&maps, &map)) {
		struct convert_row *rows;
		size_t              count;
		struct str          user, password, path = map_path(map);

		if (path.n == 0 || path.p[0] != '/' || convert_table(c, map, &rows, &count) != NULL)
			continue;
		for (size_t i = 0; i < count; i++) {
			if (!str_ieq(rows[i].key, key) || !str_cut(rows[i].value, ':', &user, &password) || user.n == 0 || str_has_ctl(rows[i].value))
				continue;
			r->file = arena_cstr(c->a, path);
			r->key = arena_cstr(c->a, rows[i].key);
			word_add(r, "--user", arena_cstr(c->a, user));
			r->words[r->count++] = "--password-stdin";
			return true;
		}
	}
	return false;
}

/* By the next hop as it is written, or its host alone (postconf(5), smtp_sasl_password_maps). */
static bool login_of_hop(struct convert *c, struct str hop, struct rule *r)
{
	struct str host = hop, rest;

	if (login_find(c, hop, r))
		return true;
	if (str_skip_char(&host, '['))
		(void)str_cut(host, ']', &host, &rest);
	else
		(void)str_cut(host, ':', &host, &rest);
	return login_find(c, host, r);
}

void convert_passwords(struct convert *c, const char *name, struct str value)
{
	struct str map, rest = value;

	while (text_postfix_word(&rest, &map)) {
		struct convert_row *rows;
		size_t              count;
		const char         *why = convert_table(c, map, &rows, &count);

		if (!why && !str_starts(map_path(map), STR("/")))
			why = "passwords are read from text files alone";
		if (!sasl_on(c))
			convert_say(c, CONVERT_DEFAULT, name, map, "smtp_sasl_auth_enable is not on: it is not used");
		else if (why)
			convert_say(c, CONVERT_LOST, name, map, "%s", why);
		else
			convert_say(c, CONVERT_KEPT, name, map, "for the hosts that are routed to; the commands read the passwords there when they are run");
	}
}

/* ---- next hops ---- */

/* Credentials are for one host: with them it is not asked for its MX. */
static bool via_add(struct convert *c, struct rule *r, struct str hop, const char *before)
{
	bool       login = before[0] == '\0' || strcmp(before, "smtps:") == 0 ? login_of_hop(c, hop, r) : false;
	struct str via;

	if (login && !convert_host_port(c, hop, before[0] ? "465" : "25", &via))
		return false;
	if (login)
		via = arena_printf(c->a, "%s%.*s", before, STR_FMT(via));
	else if (!convert_next_hop(c, hop, before, &via))
		return false;
	word_add(r, "--via", arena_cstr(c->a, via));
	return true;
}

/* The right side of transport(5): "transport:nexthop". False: it has no equivalent. */
static bool transport_add(struct convert *c, struct rule *r, struct str value)
{
	struct str transport, hop;

	if (convert_pipe_hop(c, value, &hop)) {
		word_add(r, "--via", arena_cstr(c->a, hop));
		return true;
	}
	if (!str_cut(value, ':', &transport, &hop)) {
		transport = value;
		hop = STR("");
	}
	if (str_eq(transport, STR("lmtp")))
		return str_skip(&hop, STR("inet:")) && via_add(c, r, hop, "lmtp:");
	if (transport.n > 0 && !str_eq(transport, STR("smtp")) && !str_eq(transport, STR("relay")))
		return false;
	if (hop.n > 0)
		return via_add(c, r, hop, "");
	word_add(r, "--via", "direct");
	return transport.n > 0;
}

static void row_lost_say(struct convert *c, const char *name, const struct convert_row *row)
{
	struct str service = row->value, hop;

	(void)str_cut(row->value, ':', &service, &hop);
	if (convert_pipe_find(c, service))
		convert_say(c, CONVERT_LOST, name, row->key, "its pipe cannot be kept: see master.cf %.*s", STR_FMT(cli_text(c->a, service)));
	else
		convert_say(c, CONVERT_LOST, name, row->key, "mail goes out by smtp, relay or lmtp, to a host or by MX, or into a pipe: this is something else");
}

void convert_transport(struct convert *c, const char *name, struct str value)
{
	struct str map, rest = value;

	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "outside mail goes by MX");
	while (text_postfix_word(&rest, &map)) {
		struct convert_row *rows;
		size_t              count, used = 0, kept = 0;
		const char         *why = convert_table(c, map, &rows, &count);

		if (why) {
			convert_say(c, CONVERT_LOST, name, map, "%s", why);
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			struct rule r = { .to = pattern(c, rows[i].key) };

			if (map_find(&c->domains, rows[i].key)) {
				used++;
			} else if (r.to && transport_add(c, &r, rows[i].value)) {
				/* "*" comes before the relayhost, whose credentials are for no other host. */
				if (strcmp(r.to, "*") == 0 && convert_route_all(c) && !r.file)
					word_add(&r, "--unset", "login");
				rule_command(c, &r);
				kept++;
			} else {
				row_lost_say(c, name, &rows[i]);
			}
		}
		if (used + kept > 0)
			convert_say(c, CONVERT_KEPT, name, map, "%zu route%s: 'route add', and %zu of domains above", kept, kept == 1 ? "" : "s", used);
		else if (count == 0)
			convert_say(c, CONVERT_DEFAULT, name, map, "is empty");
	}
}

/* sender_dependent_relayhost_maps: "user@domain" or "@domain" to a next hop. */
static bool sender_rule(struct convert *c, const struct convert_row *row)
{
	bool        own = str_ieq(convert_value(c, "smtp_sender_dependent_authentication"), STR("yes"));
	struct rule r = { .from = pattern(c, row->key) };
	struct str  via;

	if (!r.from || str_find(row->key, '@') < 0)
		return false;
	if (own && login_find(c, row->key, &r)) {
		if (!convert_host_port(c, row->value, "25", &via))
			return false;
		word_add(&r, "--via", arena_cstr(c->a, via));
	} else if (!via_add(c, &r, row->value, "")) {
		return false;
	}
	rule_command(c, &r);
	return true;
}

void convert_sender_relay(struct convert *c, const char *name, struct str value)
{
	struct str map, rest = value;

	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "no rule by the sender");
	while (text_postfix_word(&rest, &map)) {
		struct convert_row *rows;
		size_t              count, kept = 0;
		const char         *why = convert_table(c, map, &rows, &count);

		if (why)
			convert_say(c, CONVERT_LOST, name, map, "%s", why);
		for (size_t i = 0; !why && i < count; i++) {
			if (str_eq(rows[i].value, STR("DUNNO")))
				continue;
			if (sender_rule(c, &rows[i]))
				kept++;
			else
				convert_say(c, CONVERT_LOST, name, rows[i].key, "is no address or @domain, or its host is none");
		}
		if (!why)
			convert_say(c, CONVERT_KEPT, name, map, "%zu rule%s: 'route add --from'", kept, kept == 1 ? "" : "s");
	}
}

/* ---- TLS ---- */

/* NULL: no equivalent; "": so by default. */
static const char *tls_of(struct str level)
{
	static const struct {
		struct str  level;
		const char *word;
	} levels[] = {
		{ STR(""), "" },        { STR("may"), "" },           { STR("dane"), "" },          { STR("none"), "never" },
		{ STR("encrypt"), "encrypt" }, { STR("dane-only"), "dane" }, { STR("verify"), "verify" }, { STR("secure"), "verify" },
	};

	for (size_t i = 0; i < LEN(levels); i++)
		if (str_ieq(level, levels[i].level))
			return levels[i].word;
	return NULL;
}

void convert_tls_policy(struct convert *c, const char *name, struct str value)
{
	struct str map, rest = value;

	while (text_postfix_word(&rest, &map)) {
		struct convert_row *rows;
		size_t              count, kept = 0;
		const char         *why = convert_table(c, map, &rows, &count);

		if (why)
			convert_say(c, CONVERT_LOST, name, map, "%s", why);
		for (size_t i = 0; !why && i < count; i++) {
			struct rule r = { .to = pattern(c, rows[i].key) };
			struct str  level, more;
			const char *tls;

			(void)text_postfix_entry(rows[i].value, &level, &more);
			tls = tls_of(level);
			if (!r.to || str_find(rows[i].key, '@') >= 0 || !tls) {
				convert_say(c, CONVERT_LOST, name, rows[i].key, "a rule of TLS is for a recipient's domain, and says never, may, encrypt, dane or verify");
				continue;
			}
			word_add(&r, "--tls", *tls ? tls : str_ieq(level, STR("may")) ? "may" : "domain");
			rule_command(c, &r);
			kept++;
			if (more.n > 0)
				convert_say(c, CONVERT_LOST, name, rows[i].key, "options behind the level are not known: a certificate is for the host's name");
		}
		if (kept > 0)
			convert_say(c, CONVERT_KEPT, name, map, "%zu rule%s: 'route add --tls'", kept, kept == 1 ? "" : "s");
	}
}

/* ---- for all mail ---- */

/* One address of each family that is none of "any". */
static void sources_add(struct convert *c, struct rule *r)
{
	static const char *const names[] = { "smtp_bind_address", "smtp_bind_address6" };

	for (size_t i = 0; i < LEN(names); i++) {
		struct str value = convert_value(c, names[i]);

		if (str_skip_char(&value, '[') && value.n > 0)
			value.n--;
		if (value.n > 0 && !str_eq(value, STR("0.0.0.0")) && !str_eq(value, STR("::")))
			word_add(r, "--source", arena_cstr(c->a, value));
	}
}

static struct str either(struct convert *c, const char *special, const char *general)
{
	return convert_is_set(c, special) ? convert_value(c, special) : convert_is_set(c, general) ? convert_value(c, general) : STR("");
}

static void limits_add(struct convert *c, struct rule *r)
{
	struct str limit = either(c, "smtp_destination_concurrency_limit", "default_destination_concurrency_limit");
	struct str delay = either(c, "smtp_destination_rate_delay", "default_destination_rate_delay");
	uint32_t   n;

	if (str_to_u32(limit, &n) && n > 0 && n <= LIMIT_ROUTE_CONNECTIONS)
		word_add(r, "--connections", arena_cstr(c->a, limit));
	if (delay.n > 0 && ascii_is_digit(delay.p[delay.n - 1]))
		delay = arena_printf(c->a, "%.*ss", STR_FMT(delay));
	if (delay.n > 0 && delay.p[0] != '0')
		word_add(r, "--rate", arena_printf(c->a, "1/%.*s", STR_FMT(delay)).p);
}

/* relayhost with credentials goes with the rule; without, it is the setting. */
static bool relay_login(struct convert *c, struct rule *r)
{
	bool       wrapped = str_ieq(convert_value(c, "smtp_tls_wrappermode"), STR("yes"));
	struct str rest = convert_value(c, "relayhost"), hop, more;

	if (!text_postfix_word(&rest, &hop) || text_postfix_word(&rest, &more))
		return false;
	if (!login_of_hop(c, hop, &(struct rule){ 0 }))
		return false;
	if (via_add(c, r, hop, wrapped ? "smtps:" : ""))
		return true;
	*r = (struct rule){ 0 };
	return false;
}

/* True: the rule for all mail has the relayhost. The rule is made when it is asked for the first time. */
bool convert_route_all(struct convert *c)
{
	const char *tls = tls_of(convert_value(c, "smtp_tls_security_level"));
	struct rule r = { 0 };
	struct str  helo = convert_value(c, "smtp_helo_name");

	if (c->route_all)
		return c->route_all_login;
	c->route_all = true;
	c->route_all_login = relay_login(c, &r);
	if (tls && *tls && !(c->route_all_login && strcmp(tls, "never") == 0))
		word_add(&r, "--tls", tls);
	sources_add(c, &r);
	if (helo.n > 0 && !str_eq(helo, convert_value(c, "myhostname")))
		word_add(&r, "--helo", arena_cstr(c->a, helo));
	limits_add(c, &r);
	if (r.count > 0)
		rule_command(c, &r);
	return c->route_all_login;
}

void convert_route_default(struct convert *c, const char *name, struct str value)
{
	(void)convert_route_all(c);
	if (value.n == 0)
		convert_say(c, CONVERT_DEFAULT, name, value, "is not set");
	else
		convert_say(c, CONVERT_KEPT, name, value, "in the rule for all mail: 'route add'");
}

void convert_tls_level(struct convert *c, const char *name, struct str value)
{
	const char *tls = tls_of(value);
	bool        login = convert_route_all(c);

	if (!tls)
		convert_say(c, CONVERT_LOST, name, value, "is no rule of TLS that we have: 'route add --tls'");
	else if (login && (!*tls || strcmp(tls, "never") == 0))
		convert_say(c, CONVERT_KEPT, name, value, "the relayhost must prove its name, as there are credentials for it; 'route set --tls encrypt' if it cannot");
	else if (*tls)
		convert_say(c, CONVERT_KEPT, name, value, "in the rule for all mail: 'route add --tls %s'", tls);
	else
		convert_say(c, CONVERT_DEFAULT, name, value, "TLS is used wherever it is offered, and verified where the domain says so");
}
