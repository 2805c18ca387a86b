/* cli/alias_file.c - see alias_file.h. */
#include "cli/alias_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/map.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "wire/address/address.h"
#include "wire/mime/mime_qualify.h"
#include "wire/text/text_aliases.h"

struct load {
	struct cli        *c;
	struct str         domain;
	struct alias_file *ret;
	size_t             alias_room, refusal_room, octets;
	struct map         names; /* address to row number + 1 */
};

/* NULL, or why the file is not read. */
static const char *file_load(struct load *l, const char *path, struct str *ret)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat           st;
	char                 *p;
	size_t                n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return "cannot be opened (a symbolic link is not followed)";
	if (!S_ISREG(st.st_mode))
		return "is no plain file";
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return "belongs to another user";
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return "can be written by others";
	if (st.st_size < 0 || (uint64_t)st.st_size > LIMIT_ALIAS_FILE - MIN(l->octets, LIMIT_ALIAS_FILE))
		return "is too large";
	p = arena_alloc(l->c->arena, (size_t)st.st_size);
	if (fd_read(fd, p, (size_t)st.st_size, &n) != ST_OK)
		return "cannot be read";
	l->octets += n;
	*ret = str_n(p, n);
	return NULL;
}

static void refuse(struct load *l, const char *file, unsigned line, struct str what, const char *why)
{
	struct alias_file *f = l->ret;

	if (f->refusal_count == l->refusal_room) {
		struct alias_refusal *more = ARENA_ARRAY(l->c->arena, struct alias_refusal, l->refusal_room * 2 + 16);

		if (f->refusal_count > 0)
			memcpy(more, f->refusals, f->refusal_count * sizeof(*more));
		f->refusals = more;
		l->refusal_room = l->refusal_room * 2 + 16;
	}
	f->refusals[f->refusal_count++] = (struct alias_refusal){ file, line, what, why };
}

/* ---- targets ---- */

struct targets {
	struct auth_name *names;
	size_t            count;
};

static void target_add(struct load *l, struct targets *t, struct str address)
{
	for (size_t i = 0; i < t->count; i++)
		if (str_ieq(t->names[i].address, address))
			return;
	if (!t->names)
		t->names = ARENA_ARRAY(l->c->arena, struct auth_name, LIMIT_ALIAS_TARGETS + 1);
	if (t->count <= LIMIT_ALIAS_TARGETS)
		t->names[t->count++].address = address;
}

static bool address_add(struct load *l, struct targets *t, struct str text)
{
	struct mime_addresses list;
	struct address        parsed;

	if (!mime_addresses_local(text, l->c->arena, &list))
		return false;
	for (size_t i = 0; i < list.count; i++) {
		struct str address;

		if (list.items[i].kind != MIME_ADDRESS_MAILBOX)
			continue;
		address = mime_mailbox_text(&list.items[i], l->domain, l->c->arena);
		if (list.items[i].route.n > 0 || address_parse(address, true, &parsed) != ADDRESS_OK)
			return false;
		target_add(l, t, address);
	}
	return true;
}

static void values_add(struct load *l, struct targets *t, const char *file, const struct text_alias *line, unsigned depth);

static void include_add(struct load *l, struct targets *t, const char *file, unsigned at, struct str path, unsigned depth)
{
	const char       *name = arena_cstr(l->c->arena, path), *why;
	struct text_alias list;
	struct str        text;

	if (depth == LIMIT_ALIAS_INCLUDES) {
		refuse(l, file, at, path, "includes are nested too deep");
	} else if (name[0] != '/' || strlen(name) != path.n) {
		refuse(l, file, at, path, "an included file is named by its whole path");
	} else if ((why = file_load(l, name, &text)) != NULL) {
		refuse(l, file, at, path, why);
	} else {
		text_alias_list(text, l->c->arena, &list);
		list.line = 0;
		values_add(l, t, name, &list, depth + 1);
	}
}

static void values_add(struct load *l, struct targets *t, const char *file, const struct text_alias *line, unsigned depth)
{
	for (size_t i = 0; i < line->value_count; i++) {
		const struct text_alias_value *v = &line->values[i];

		switch (v->kind) {
		case TEXT_ALIAS_ADDRESS:
			if (!address_add(l, t, v->text))
				refuse(l, file, line->line, v->text, "is no address");
			break;
		case TEXT_ALIAS_INCLUDE: include_add(l, t, file, line->line, v->text, depth); break;
		case TEXT_ALIAS_COMMAND: refuse(l, file, line->line, v->text, "a command is never run"); break;
		case TEXT_ALIAS_FILE: refuse(l, file, line->line, v->text, "mail is never written to a file"); break;
		case TEXT_ALIAS_OTHER: refuse(l, file, line->line, v->text, "is not known"); break;
		}
	}
}

/* ---- lines ---- */

static void alias_add(struct load *l, struct str address, const struct targets *t)
{
	struct alias_file *f = l->ret;

	if (f->count == l->alias_room) {
		struct auth_alias *more = ARENA_ARRAY(l->c->arena, struct auth_alias, l->alias_room * 2 + 64);

		if (f->count > 0)
			memcpy(more, f->aliases, f->count * sizeof(*more));
		f->aliases = more;
		l->alias_room = l->alias_room * 2 + 64;
	}
	f->aliases[f->count++] = (struct auth_alias){ address, t->names, t->count };
	map_put(&l->names, address, f);
}

static void line_add(struct load *l, const char *file, const struct text_alias *line)
{
	struct targets       t = { 0 };
	struct targets       own = { 0 };
	struct address_canon canon;
	struct str           name;

	if (line->name.n > 0 && str_find(line->name, '@') < 0)
		target_add(l, &own, mime_mailbox_text(&(struct mime_address){ .local = line->name }, l->domain, l->c->arena));
	else if (line->name.n == 0 || !address_add(l, &own, line->name))
		own.count = 0;
	if (own.count != 1 || address_canon_of(own.names[0].address, true, &canon) != ADDRESS_OK) {
		refuse(l, file, line->line, line->name.n ? line->name : STR("this line"), "is not NAME: TARGET, ...");
		return;
	}
	name = arena_dup(l->c->arena, address_text(&canon));
	values_add(l, &t, file, line, 0);
	if (map_find(&l->names, name))
		refuse(l, file, line->line, name, "is there already, further up");
	else if (t.count > LIMIT_ALIAS_TARGETS)
		refuse(l, file, line->line, name, "has too many targets");
	else if (t.count == 0 || (t.count == 1 && str_ieq(t.names[0].address, name)))
		refuse(l, file, line->line, name, "has no target that is left");
	else if (l->ret->count >= LIMIT_ALIAS_LINES)
		refuse(l, file, line->line, name, "there are too many aliases");
	else
		alias_add(l, name, &t);
}

int alias_file_load(struct cli *c, const char *path, struct str domain, struct alias_file *ret)
{
	struct load       l = { .c = c, .domain = domain, .ret = ret };
	struct text_alias line;
	struct str        text;
	unsigned          at = 0;
	const char       *why = file_load(&l, path, &text);

	*ret = (struct alias_file){ 0 };
	if (why)
		return cli_error(c, access(path, F_OK) < 0 ? CLI_NOT_FOUND : CLI_DENIED, "%s: %s", path, why);
	map_init(&l.names);
	while (text_alias_next(&text, &at, c->arena, &line))
		line_add(&l, path, &line);
	map_done(&l.names);
	return CLI_OK;
}
