/* cli/convert_source.c - main.cf, master.cf and tables as text; see convert.h. Files are opened, read and closed: nothing in them is run. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/convert.h"
#include "sys/fd.h"
#include "wire/text/text_logical.h"
#include "wire/text/text_postfix.h"

/* Postfix's own values that others are written in terms of. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{ "config_directory", "/etc/postfix" },
	{ "mail_name", "Postfix" },
	{ "mydestination", "$myhostname, localhost.$mydomain, localhost" },
	{ "myorigin", "$myhostname" },
	{ "relay_domains", "" },
	{ "virtual_alias_maps", "$virtual_maps" },
	{ "virtual_alias_domains", "$virtual_alias_maps" },
	{ "virtual_mailbox_domains", "$virtual_mailbox_maps" },
	{ "alias_maps", "hash:/etc/aliases" },
	{ "default_database_type", "hash" },
	{ "smtpd_client_restrictions", "" },
	{ "mynetworks", "127.0.0.0/8 [::1]/128" },
	{ "queue_directory", "/var/spool/postfix" },
	{ "data_directory", "/var/lib/postfix" },
	{ "proxy_interfaces", "" },
	{ "inet_interfaces", "all" },
};

/* ---- files ---- */

/* A plain file of bounded size; symbolic links are followed, as administrators of Postfix use them. */
static bool read_path(struct convert *c, const char *path, struct str *ret)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat           st;
	char                 *p;
	size_t                n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > LIMIT_POSTFIX_FILE)
		return false;
	p = arena_alloc(c->a, (size_t)st.st_size);
	if (fd_read(fd, p, (size_t)st.st_size, &n) != ST_OK)
		return false;
	*ret = str_n(p, n);
	return true;
}

bool convert_file(struct convert *c, struct str path, struct str *ret_text)
{
	struct str config = convert_value(c, "config_directory"), inside = path, before, base;
	bool       below = str_skip(&inside, config) && str_skip_char(&inside, '/');

	if (path.n == 0 || str_find(path, '\0') >= 0)
		return false;
	if (path.p[0] != '/')
		return read_path(c, arena_printf(c->a, "%s/%.*s", c->dir, STR_FMT(path)).p, ret_text);
	if (below)
		return read_path(c, arena_printf(c->a, "%s/%.*s", c->dir, STR_FMT(inside)).p, ret_text);
	str_rcut(path, '/', &before, &base);
	return read_path(c, arena_printf(c->a, "%s/%.*s", c->dir, STR_FMT(base)).p, ret_text) || read_path(c, arena_cstr(c->a, path), ret_text);
}

/* ---- main.cf ---- */

static bool lookup(void *ctx, struct str name, struct str *ret)
{
	struct convert             *c = ctx;
	const struct convert_param *p = map_find(&c->by_name, name);
	struct str                  host, label;

	if (p) {
		*ret = p->raw;
		return true;
	}
	if (str_eq(name, STR("myhostname"))) {
		*ret = c->cli->config.hostname;
		return ret->n > 0;
	}
	if (str_eq(name, STR("mydomain"))) {
		if (!lookup(ctx, STR("myhostname"), &host))
			host = STR("localhost");
		*ret = str_cut(host, '.', &label, ret) ? *ret : STR("localdomain");
		return true;
	}
	for (size_t i = 0; i < LEN(defaults); i++)
		if (str_eq(name, str_of(defaults[i].name))) {
			*ret = str_of(defaults[i].value);
			return true;
		}
	return false;
}

bool convert_expand(struct convert *c, struct str raw, struct str *ret)
{
	struct buf out;
	bool       ok;

	buf_init(&out, LIMIT_POSTFIX_VALUE);
	ok = text_postfix_expand(raw, lookup, c, &out);
	*ret = ok ? str_trim_ws(arena_dup(c->a, buf_str(&out))) : STR_NONE;
	buf_done(&out);
	return ok;
}

struct str convert_value(struct convert *c, const char *name)
{
	const struct convert_param *p = map_find(&c->by_name, str_of(name));
	struct str                  raw, value;

	if (p)
		return p->value;
	return lookup(c, str_of(name), &raw) && convert_expand(c, raw, &value) ? value : STR("");
}

bool convert_is_set(struct convert *c, const char *name)
{
	return map_find(&c->by_name, str_of(name)) != NULL;
}

/* The last line that sets a parameter counts. */
static void param_add(struct convert *c, struct str name, struct str raw, unsigned line)
{
	struct convert_param *p = map_find(&c->by_name, name);

	if (!p && c->param_count == LIMIT_POSTFIX_PARAMS)
		return;
	if (!p) {
		p = &c->params[c->param_count++];
		map_put(&c->by_name, name, p);
	}
	*p = (struct convert_param){ .name = name, .raw = raw, .line = line };
}

static int main_load(struct convert *c)
{
	struct str text, rest, line, name, value;
	unsigned   at, n = 0;

	if (!read_path(c, arena_printf(c->a, "%s/main.cf", c->dir).p, &text))
		return cli_error(c->cli, CLI_NOT_FOUND, "%s/main.cf cannot be read", c->dir);
	c->params = ARENA_ARRAY(c->a, struct convert_param, LIMIT_POSTFIX_PARAMS);
	for (rest = text; (line = text_logical_next(&rest, &n, c->a, &at)).n > 0;) {
		if (text_postfix_param(line, &name, &value))
			param_add(c, name, value, at);
		else
			convert_say(c, CONVERT_LOST, arena_printf(c->a, "line %u", at).p, str_first(line, 60), "is not NAME = VALUE");
	}
	for (size_t i = 0; i < c->param_count; i++)
		if (!convert_expand(c, c->params[i].raw, &c->params[i].value)) {
			c->params[i].value = c->params[i].raw;
			convert_say(c, CONVERT_LOST, arena_cstr(c->a, c->params[i].name), c->params[i].raw, "its variables go in circles, or are too long");
		}
	return CLI_OK;
}

/* ---- master.cf ---- */

/* service type private unpriv chroot wakeup maxproc command args */
static void service_add(struct convert *c, struct str line, unsigned at)
{
	struct convert_service *s = &c->services[c->service_count];
	struct str              column[8], rest = line, unused;

	for (size_t i = 0; i < LEN(column); i++)
		text_postfix_entry(rest, &column[i], &rest);
	text_postfix_entry(column[7], &column[7], &unused);
	*s = (struct convert_service){ column[0], column[1], column[7], column[6], rest, at };
	if (column[7].n > 0)
		c->service_count++;
}

static void master_load(struct convert *c)
{
	struct str text, line;
	unsigned   at, n = 0;

	c->services = ARENA_ARRAY(c->a, struct convert_service, LIMIT_POSTFIX_PARAMS + 1);
	if (!read_path(c, arena_printf(c->a, "%s/master.cf", c->dir).p, &text))
		return;
	while (c->service_count < LIMIT_POSTFIX_PARAMS && (line = text_logical_next(&text, &n, c->a, &at)).n > 0)
		service_add(c, line, at);
}

int convert_source_load(struct convert *c)
{
	int code = main_load(c);

	if (code == CLI_OK)
		master_load(c);
	return code;
}

/* ---- tables ---- */

bool convert_is_map(struct str word)
{
	struct str type, name;

	return (str_cut(word, ':', &type, &name) && type.n > 0 && name.n > 0 && type.p[0] != '[') || (word.n > 0 && word.p[0] == '/');
}

static const char *const text_types[] = { "hash", "btree", "texthash", "lmdb", "cdb", "dbm", "sdbm" };

static const struct {
	const char *type, *why;
} lost_types[] = {
	{ "pcre", "regular expressions have no equivalent" },
	{ "regexp", "regular expressions have no equivalent" },
	{ "ldap", "is looked up in LDAP, which is not read here" },
	{ "mysql", "is looked up in a database, which is not read here" },
	{ "pgsql", "is looked up in a database, which is not read here" },
	{ "sqlite", "is looked up in a database, which is not read here" },
	{ "mongodb", "is looked up in a database, which is not read here" },
	{ "memcache", "is looked up in another program" },
	{ "socketmap", "is looked up in another program" },
	{ "tcp", "is looked up in another program" },
	{ "unix", "is the list of system users, who get accounts by 'postrider account add'" },
	{ "proxy", "is a map inside a map" },
	{ "nis", "is looked up in NIS" },
	{ "netinfo", "is looked up in NetInfo" },
};

static const char *rows_of_text(struct convert *c, struct str text, struct convert_row **ret, size_t *ret_count)
{
	size_t     most = 1;
	struct str line;
	unsigned   at, n = 0;

	for (size_t i = 0; i < text.n; i++)
		most += text.p[i] == '\n';
	*ret = ARENA_ARRAY(c->a, struct convert_row, most);
	*ret_count = 0;
	while ((line = text_logical_next(&text, &n, c->a, &at)).n > 0) {
		struct convert_row *r = &(*ret)[(*ret_count)++];

		if (++c->rows > LIMIT_POSTFIX_ROWS)
			return "there are too many rows";
		text_postfix_entry(line, &r->key, &r->value);
	}
	return NULL;
}

/* inline:{ {key = value}, key2=value2 } */
static const char *rows_of_inline(struct convert *c, struct str text, struct convert_row **ret, size_t *ret_count)
{
	struct str words = text, word, name, value;

	if (text_postfix_word(&text, &word))
		words = word;
	*ret = ARENA_ARRAY(c->a, struct convert_row, words.n + 1);
	for (*ret_count = 0; text_postfix_word(&words, &word);) {
		if (!str_cut(word, '=', &name, &value))
			return "is not KEY = VALUE";
		(*ret)[(*ret_count)++] = (struct convert_row){ str_trim_ws(name), str_trim_ws(value) };
	}
	return NULL;
}

const char *convert_table(struct convert *c, struct str map, struct convert_row **ret, size_t *ret_count)
{
	struct str type = STR("hash"), name = map, text;

	str_skip(&map, STR("proxy:"));
	if (map.n > 0 && map.p[0] == '/')
		name = map;
	else if (!str_cut(map, ':', &type, &name))
		return "is no map";
	if (str_eq(type, STR("inline")))
		return rows_of_inline(c, name, ret, ret_count);
	for (size_t i = 0; i < LEN(lost_types); i++)
		if (str_eq(type, str_of(lost_types[i].type)))
			return lost_types[i].why;
	for (size_t i = 0; i < LEN(text_types); i++) {
		if (!str_eq(type, str_of(text_types[i])))
			continue;
		if (str_iends(name, STR(".db")))
			name = str_first(name, name.n - 3);
		return convert_file(c, name, &text) ? rows_of_text(c, text, ret, ret_count) : "its text file cannot be read";
	}
	return "this type of map is not known";
}
