/* cli/cmd_route_rule.c - route add, set, remove, list: rules of the ways out; docs/concepts/routes.md. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "directory/directory_hop.h"
#include "directory/directory_rule.h"
#include "wire/text/text_quantity.h"

#define OAUTH_MAX ((size_t)16 * KIB)

/* ---- options to a rule ---- */

static int take_via(struct cli *c, const char *value, struct auth_route_rule *r)
{
	(void)c;
	r->via = str_of(value);
	return CLI_OK;
}

static int take_tls(struct cli *c, const char *value, struct auth_route_rule *r)
{
	for (unsigned i = 0; i <= HOP_TLS_LAST; i++)
		if (strcmp(value, dir_route_tls_word((enum hop_tls)i)) == 0) {
			r->hop.tls = (enum hop_tls)i;
			return CLI_OK;
		}
	return cli_error(c, CLI_USAGE, "--tls %s: domain, never, may, encrypt, dane or verify", value);
}

/* Twice: an address of each family. */
static int take_source(struct cli *c, const char *value, struct auth_route_rule *r)
{
	struct str *to = strchr(value, ':') ? &r->hop.source6 : &r->hop.source4;

	if (to->n > 0)
		return cli_error(c, CLI_USAGE, "--source %s: one address of each family", value);
	*to = str_of(value);
	return CLI_OK;
}

static int take_helo(struct cli *c, const char *value, struct auth_route_rule *r)
{
	(void)c;
	r->hop.helo = str_of(value);
	return CLI_OK;
}

static int take_connections(struct cli *c, const char *value, struct auth_route_rule *r)
{
	return str_to_u32(str_of(value), &r->hop.connections) ? CLI_OK : cli_error(c, CLI_USAGE, "--connections %s: a number", value);
}

/* "100/1m" */
static int take_rate(struct cli *c, const char *value, struct auth_route_rule *r)
{
	struct str number, time;
	uint64_t   seconds;

	if (!str_cut(str_of(value), '/', &number, &time) || !str_to_u32(number, &r->hop.rate) || !cli_parse_time(arena_cstr(c->arena, time), &seconds) ||
	    seconds > LIMIT_ROUTE_RATE_S)
		return cli_error(c, CLI_USAGE, "--rate %s: messages in a time, such as 100/1m or 5000/1h, at most a day", value);
	r->hop.rate_s = (uint32_t)seconds;
	return CLI_OK;
}

static const struct {
	const char           *name;
	enum auth_route_given bit;
	int                 (*take)(struct cli *c, const char *value, struct auth_route_rule *r); /* NULL: not by an option of that name */
} attributes[] = {
	{ "via", AUTH_ROUTE_VIA, take_via },
	{ "tls", AUTH_ROUTE_TLS, take_tls },
	{ "source", AUTH_ROUTE_SOURCE, take_source },
	{ "helo", AUTH_ROUTE_HELO, take_helo },
	{ "connections", AUTH_ROUTE_CONNECTIONS, take_connections },
	{ "rate", AUTH_ROUTE_RATE, take_rate },
	{ "login", AUTH_ROUTE_LOGIN, NULL },
};

static int attributes_take(struct cli *c, struct auth_route_change_request *q)
{
	for (unsigned i = 0; i < c->option_count; i++)
		for (size_t k = 0; k < LEN(attributes); k++) {
			bool unset = strcmp(c->options[i].name, "unset") == 0 && strcmp(c->options[i].value, attributes[k].name) == 0;
			int  code;

			if (unset)
				q->unset |= attributes[k].bit;
			if (attributes[k].take == NULL || strcmp(c->options[i].name, attributes[k].name) != 0)
				continue;
			q->rule.given |= attributes[k].bit;
			code = attributes[k].take(c, c->options[i].value, &q->rule);
			if (code != CLI_OK)
				return code;
		}
	return CLI_OK;
}

static int unset_check(struct cli *c)
{
	for (unsigned i = 0; i < c->option_count; i++) {
		bool known = strcmp(c->options[i].name, "unset") != 0;

		for (size_t k = 0; k < LEN(attributes); k++)
			known = known || strcmp(c->options[i].value, attributes[k].name) == 0;
		if (!known)
			return cli_error(c, CLI_USAGE, "--unset %s: via, tls, source, helo, connections, rate or login", c->options[i].value);
	}
	return CLI_OK;
}

/* ---- credentials ---- */

/* Take a text off the object; "" if it is not there. */
static bool member(struct cli *c, json_t *o, const char *name, struct str *ret)
{
	json_t *value = json_object_get(o, name);

	*ret = STR("");
	if (value == NULL)
		return true;
	if (!json_is_string(value))
		return false;
	*ret = arena_dup(c->arena, str_n(json_string_value(value), json_string_length(value)));
	return json_object_del(o, name) == 0;
}

static int oauth_parse(struct cli *c, json_t *o, struct auth_login *l)
{
	struct str access, refresh;

	if (!json_is_object(o) || !member(c, o, "user", &l->user) || !member(c, o, "access_token", &access) || !member(c, o, "refresh_token", &refresh) ||
	    !member(c, o, "token_endpoint", &l->endpoint) || !member(c, o, "client_id", &l->client) || !member(c, o, "client_secret", &l->client_secret) ||
	    !member(c, o, "scope", &l->scope) || json_object_size(o) > 0 || (access.n > 0) == (refresh.n > 0))
		return cli_error(c, CLI_USAGE, "--oauth-stdin: standard input must be a JSON object with the texts user, token_endpoint, client_id, client_secret, "
					       "refresh_token and scope, or with user and access_token; and nothing else");
	l->kind = access.n > 0 ? AUTH_LOGIN_TOKEN : AUTH_LOGIN_REFRESH;
	l->secret = access.n > 0 ? access : refresh;
	return CLI_OK;
}

static int oauth_read(struct cli *c, struct auth_login *l)
{
	struct str text;
	json_t    *o;
	int        code;

	if (!cli_input(c, OAUTH_MAX, &text))
		return cli_error(c, CLI_USAGE, "standard input holds no credentials, or too much");
	o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	code = oauth_parse(c, o, l);
	json_decref(o);
	return code;
}

static int login_take(struct cli *c, struct auth_route_change_request *q)
{
	const char *user = cli_option(c, "user");
	bool        oauth = cli_option(c, "oauth-stdin") != NULL;
	const char *why;
	int         code;

	if (!user && !oauth && !cli_option(c, "password-stdin"))
		return CLI_OK;
	if (oauth ? user || cli_option(c, "password-stdin") : !user)
		return cli_error(c, CLI_USAGE, "credentials are --user NAME with a password (--password-stdin, or asked for), or --oauth-stdin");
	q->rule.given |= AUTH_ROUTE_LOGIN;
	if (oauth) {
		code = oauth_read(c, &q->login);
	} else {
		q->login.user = str_of(user);
		code = cli_password(c, &q->login.secret);
	}
	why = code == CLI_OK ? dir_login_wrong(&q->login) : NULL;
	return why ? cli_error(c, CLI_USAGE, "%s", why) : code;
}

/* ---- add, set, remove ---- */

static int patterns_take(struct cli *c, struct auth_route_rule *r)
{
	const char *to = cli_option(c, "to"), *from = cli_option(c, "from");
	struct str  canon;

	r->to = str_of(to ? to : "*");
	r->from = str_of(from ? from : "*");
	if (!dir_route_pattern(r->to, false, c->arena, &canon))
		return cli_error(c, CLI_USAGE, "--to %s: an address, DOMAIN, .DOMAIN (all below it) or *", to);
	if (!dir_route_pattern(r->from, true, c->arena, &canon))
		return cli_error(c, CLI_USAGE, "--from %s: an address, DOMAIN, .DOMAIN (all below it), <> (the null sender) or *", from);
	return CLI_OK;
}

static const char *subject(struct cli *c, const struct auth_route_rule *r)
{
	return arena_printf(c->arena, "rule to %.*s from %.*s", STR_FMT(r->to), STR_FMT(r->from)).p;
}

static int change(struct cli *c, enum ipc_msg_id id, struct auth_route_change_request *q, const char *done)
{
	int code = cli_ask(c, id, q, NULL, subject(c, &q->rule));

	if (code == CLI_DENIED && !c->json)
		fprintf(stderr, "postrider: mail for a domain of ours is delivered here; no rule sends it away\n");
	if (code == CLI_USAGE && id == IPC_AUTH_ROUTE_SET && !c->json)
		fprintf(stderr, "postrider: what would be left is no rule: keep or give something that belongs together,"
				" or take it away with 'postrider route remove'\n");
	if (code != CLI_OK)
		return code;
	if (q->rule.given & AUTH_ROUTE_VIA)
		cli_pipe_warn(c, q->rule.via);
	return cli_done(c, done, subject(c, &q->rule));
}

static int rule_read(struct cli *c, struct auth_route_change_request *q)
{
	int code = patterns_take(c, &q->rule);

	if (code == CLI_OK)
		code = unset_check(c);
	if (code == CLI_OK)
		code = attributes_take(c, q);
	return code == CLI_OK ? login_take(c, q) : code;
}

int cmd_route_add(struct cli *c)
{
	struct auth_route_change_request q = { 0 };
	const char                      *why;
	int                              code = rule_read(c, &q);

	if (code != CLI_OK)
		return code;
	why = dir_route_wrong(&q.rule);
	return why ? cli_error(c, CLI_USAGE, "%s: %s", subject(c, &q.rule), why) : change(c, IPC_AUTH_ROUTE_ADD, &q, "added");
}

int cmd_route_set(struct cli *c)
{
	struct auth_route_change_request q = { 0 };
	struct auth_route_rule           alone;
	const char                      *why = NULL;
	int                              code = rule_read(c, &q);

	if (code != CLI_OK)
		return code;
	if (q.rule.given == 0 && q.unset == 0)
		return cli_error(c, CLI_USAGE, "%s: nothing is to be changed", subject(c, &q.rule));
	alone = q.rule; /* what belongs together is judged with the rest of the rule, there */
	alone.given &= ~(uint32_t)AUTH_ROUTE_LOGIN;
	if (alone.given != 0)
		why = dir_route_wrong(&alone);
	return why ? cli_error(c, CLI_USAGE, "%s: %s", subject(c, &q.rule), why) : change(c, IPC_AUTH_ROUTE_SET, &q, "changed");
}

int cmd_route_remove(struct cli *c)
{
	struct auth_route_change_request q = { 0 };
	int                              code = patterns_take(c, &q.rule);

	return code == CLI_OK ? change(c, IPC_AUTH_ROUTE_REMOVE, &q, "removed") : code;
}

/* ---- list ---- */

static void rule_json(json_t *rows, const struct auth_route_rule *r)
{
	const struct hop *h = &r->hop;
	json_t           *o = json_pack("{s:o, s:o}", "to", cli_json_str(r->to), "from", cli_json_str(r->from));

	if (r->given & AUTH_ROUTE_VIA)
		json_object_set_new(o, "via", cli_json_str(r->via));
	if (r->given & AUTH_ROUTE_TLS)
		json_object_set_new(o, "tls", json_string(dir_route_tls_word(h->tls)));
	if (r->given & AUTH_ROUTE_SOURCE) {
		json_object_set_new(o, "source4", cli_json_str(h->source4));
		json_object_set_new(o, "source6", cli_json_str(h->source6));
	}
	if (r->given & AUTH_ROUTE_HELO)
		json_object_set_new(o, "helo", cli_json_str(h->helo));
	if (r->given & AUTH_ROUTE_LOGIN)
		json_object_set_new(o, "user", cli_json_str(r->user));
	if (r->given & AUTH_ROUTE_CONNECTIONS)
		json_object_set_new(o, "connections", json_integer(h->connections));
	if (r->given & AUTH_ROUTE_RATE)
		json_object_set_new(o, "rate", json_pack("{s:I, s:I}", "messages", (json_int_t)h->rate, "seconds", (json_int_t)h->rate_s));
	json_array_append_new(rows, o);
}

static void rule_text(struct cli *c, const struct auth_route_rule *r)
{
	const struct hop *h = &r->hop;

	printf("%-30.*s %-30.*s", STR_FMT(cli_text(c->arena, r->to)), STR_FMT(cli_text(c->arena, r->from)));
	if (r->given & AUTH_ROUTE_VIA)
		printf(" via %.*s", STR_FMT(cli_text(c->arena, r->via)));
	if (r->given & AUTH_ROUTE_LOGIN)
		printf(" user %.*s", STR_FMT(cli_text(c->arena, r->user)));
	if (r->given & AUTH_ROUTE_TLS)
		printf(" tls %s", dir_route_tls_word(h->tls));
	if (r->given & AUTH_ROUTE_SOURCE)
		printf(" source %.*s%s%.*s", STR_FMT(h->source4), h->source4.n && h->source6.n ? " " : "", STR_FMT(h->source6));
	if (r->given & AUTH_ROUTE_HELO)
		printf(" helo %.*s", STR_FMT(h->helo));
	if (r->given & AUTH_ROUTE_CONNECTIONS)
		printf(" connections %u", h->connections);
	if (r->given & AUTH_ROUTE_RATE)
		printf(" rate %u/%us", h->rate, h->rate_s);
	printf("\n");
}

int cmd_route_list(struct cli *c)
{
	struct auth_route_list_request q = { STR(""), STR("") };
	json_t                        *rows = c->json ? json_array() : NULL;
	bool                           more = true;

	if (!rows)
		printf("%-30s %-30s %s\n", "TO", "FROM", "ATTRIBUTES");
	while (more) {
		struct auth_route_list_reply page = { 0 };
		int                          code = cli_ask(c, IPC_AUTH_ROUTE_LIST, &q, &page, "routes");

		if (code != CLI_OK) {
			json_decref(rows);
			return code;
		}
		for (size_t i = 0; i < page.rule_count; i++) {
			if (rows)
				rule_json(rows, &page.rules[i]);
			else
				rule_text(c, &page.rules[i]);
			q.after_to = page.rules[i].to;
			q.after_from = page.rules[i].from;
		}
		more = page.more && page.rule_count > 0;
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "rules", rows)) : CLI_OK;
}
