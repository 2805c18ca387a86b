/* cli/cmd_alias.c - alias import, and newaliases: the directory is made to match an aliases(5) file.
 *
 * All of the file is read and checked before anything changes. Then the differences are made, one alias at a time; if one of them fails, those before
 * are undone, so that a run makes all or nothing of what it announces; after a crash the next run does the rest. What an earlier
 * run made and the file no longer has is removed: a record of that is kept in the data directory. Aliases made by hand are not touched
 * unless the file names them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/map.h"
#include "cli/alias_file.h"
#include "sys/dir.h"
#include "sys/fd.h"

#define RECORD_MAX (LIMIT_ALIAS_LINES * 64)

enum change { CHANGE_NONE, CHANGE_ADD, CHANGE_REPLACE, CHANGE_REMOVE };

struct step {
	enum change             what;
	const struct auth_alias *before, *after; /* what was there, what is to be */
};

struct import {
	struct cli        *c;
	struct str         domain;
	struct alias_file  file;
	struct auth_alias *there; /* the domain's, now */
	size_t             there_count, there_room;
	struct map         by_name; /* of `there` */
	struct step       *steps;
	size_t             step_count;
	struct str         record; /* names of the last run, one a line */
};

/* ---- what is there ---- */

/* The mail domain of this host: its name, or the nearest domain above it that is ours. */
static int domain_default(struct cli *c, struct str *ret)
{
	struct auth_list_request q = { .after = STR("") };
	struct str               name = c->config.submit_domain.n ? c->config.submit_domain : c->config.hostname, label;
	struct str               best = STR_NONE;
	bool                     more = c->config.submit_domain.n == 0;

	while (more) {
		struct auth_domain_list_reply page = { 0 };
		int                           code = cli_ask(c, IPC_AUTH_DOMAIN_LIST, &q, &page, "domains");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.domain_count; i++) {
			struct str d = q.after = page.domains[i].name, at = name;

			while (!str_ieq(at, d) && str_cut(at, '.', &label, &at))
				;
			if (str_ieq(at, d) && d.n > best.n)
				best = d;
		}
		more = page.more && page.domain_count > 0;
	}
	*ret = best.n > 0 ? best : name;
	return CLI_OK;
}

static void there_add(struct import *m, const struct auth_alias *a)
{
	if (m->there_count == m->there_room) {
		struct auth_alias *more = ARENA_ARRAY(m->c->arena, struct auth_alias, m->there_room * 2 + 64);

		if (m->there_count > 0)
			memcpy(more, m->there, m->there_count * sizeof(*more));
		m->there = more;
		m->there_room = m->there_room * 2 + 64;
	}
	m->there[m->there_count++] = *a;
}

static int there_load(struct import *m)
{
	struct auth_list_request q = { .after = STR(""), .domain = m->domain };
	bool                     more = true;

	while (more) {
		struct auth_alias_list_reply page = { 0 };
		int                          code = cli_ask(m->c, IPC_AUTH_ALIAS_LIST, &q, &page, "aliases");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.alias_count; i++) {
			there_add(m, &page.aliases[i]);
			q.after = page.aliases[i].from;
		}
		more = page.more && page.alias_count > 0;
	}
	for (size_t i = 0; i < m->there_count; i++)
		map_put(&m->by_name, m->there[i].from, &m->there[i]);
	return CLI_OK;
}

/* ---- the record of the last run ---- */

static const char *record_name(struct import *m)
{
	return arena_printf(m->c->arena, "aliases.%.*s", STR_FMT(m->domain)).p;
}

static void record_load(struct import *m)
{
	CLEANUP(fd_close) int data = open(arena_cstr(m->c->arena, m->c->config.data), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (data < 0 || str_find(m->domain, '/') >= 0 || file_read(m->c->arena, data, record_name(m), RECORD_MAX, &m->record) != ST_OK)
		m->record = STR_NONE;
}

static void record_save(struct import *m)
{
	CLEANUP(fd_close) int data = open(arena_cstr(m->c->arena, m->c->config.data), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct buf            out;

	buf_init(&out, RECORD_MAX);
	for (size_t i = 0; i < m->file.count; i++) {
		buf_add(&out, m->file.aliases[i].from);
		buf_add_char(&out, '\n');
	}
	if (data < 0 || out.over || str_find(m->domain, '/') >= 0 || file_replace(data, record_name(m), 0600, buf_str(&out)) != ST_OK)
		fprintf(stderr, "postrider: which aliases came from the file could not be noted: when one leaves it, use 'postrider alias remove'\n");
	buf_done(&out);
}

/* ---- what is to be done ---- */

static bool same_targets(const struct auth_alias *a, const struct auth_alias *b)
{
	bool same = a->to_count == b->to_count;

	for (size_t i = 0; i < a->to_count && same; i++) {
		bool found = false;

		for (size_t k = 0; k < b->to_count && !found; k++)
			found = str_ieq(a->to[i].address, b->to[k].address);
		same = found;
	}
	return same;
}

static void plan(struct import *m)
{
	struct map wanted;
	struct str rest = m->record, name;

	map_init(&wanted);
	m->steps = ARENA_ARRAY(m->c->arena, struct step, m->file.count + m->there_count);
	for (size_t i = 0; i < m->file.count; i++) {
		const struct auth_alias *a = &m->file.aliases[i], *b = map_find(&m->by_name, a->from);

		map_put(&wanted, a->from, m);
		if (!b || !same_targets(a, b))
			m->steps[m->step_count++] = (struct step){ b ? CHANGE_REPLACE : CHANGE_ADD, b, a };
	}
	while (rest.n > 0) {
		struct auth_alias *b;

		str_cut(rest, '\n', &name, &rest);
		b = map_find(&m->by_name, name);
		if (b && !map_find(&wanted, name)) {
			m->steps[m->step_count++] = (struct step){ CHANGE_REMOVE, b, NULL };
			map_put(&wanted, name, m); /* once, should the record name it twice */
		}
	}
	map_done(&wanted);
}

static int put(struct cli *c, const struct auth_alias *a)
{
	return cli_ask(c, IPC_AUTH_ALIAS_ADD, a, NULL, arena_cstr(c->arena, a->from));
}

static int take(struct cli *c, const struct auth_alias *a)
{
	return cli_ask(c, IPC_AUTH_ALIAS_REMOVE, &(struct auth_alias_remove_request){ a->from }, NULL, arena_cstr(c->arena, a->from));
}

/* What is changed is never away meanwhile, and who may write to it stays as it is. */
static int move(struct cli *c, const struct auth_alias *from, const struct auth_alias *to)
{
	if (!from)
		return put(c, to);
	return to ? cli_ask(c, IPC_AUTH_ALIAS_CHANGE, to, NULL, arena_cstr(c->arena, to->from)) : take(c, from);
}

static int step_do(struct cli *c, const struct step *s)
{
	return move(c, s->before, s->after);
}

static void step_undo(struct cli *c, const struct step *s)
{
	if (move(c, s->after, s->before) != CLI_OK)
		cli_error(c, CLI_FAILED, "this could not be undone");
}

static int steps_do(struct import *m)
{
	for (size_t i = 0; i < m->step_count; i++) {
		int code = step_do(m->c, &m->steps[i]);

		if (code == CLI_OK)
			continue;
		while (i-- > 0)
			step_undo(m->c, &m->steps[i]);
		if (code == CLI_NOT_FOUND)
			return cli_error(m->c, code, "%.*s is no domain of ours: 'postrider domain add' it, or use --domain or the setting submit.domain",
					 STR_FMT(m->domain));
		return cli_error(m->c, code, "nothing was changed");
	}
	return CLI_OK;
}

/* ---- what is said ---- */

static const char *const change_words[] = { "", "added", "changed", "removed" };

static void report_json(struct import *m, json_t *o)
{
	json_t *changes = json_array(), *refused = json_array();

	for (size_t i = 0; i < m->step_count; i++) {
		const struct step *s = &m->steps[i];

		json_array_append_new(changes, json_pack("{s:o, s:s}", "alias", cli_json_str(s->after ? s->after->from : s->before->from), "change",
							 change_words[s->what]));
	}
	for (size_t i = 0; i < m->file.refusal_count; i++) {
		const struct alias_refusal *r = &m->file.refusals[i];

		json_array_append_new(refused, json_pack("{s:s, s:I, s:o, s:s}", "file", r->file, "line", (json_int_t)r->line, "what",
							 cli_json_str(r->what), "why", r->why));
	}
	json_object_set_new(o, "changes", changes);
	json_object_set_new(o, "refused", refused);
}

static int report(struct import *m)
{
	size_t counts[LEN(change_words)] = { 0 };

	for (size_t i = 0; i < m->step_count; i++)
		counts[m->steps[i].what]++;
	if (m->c->json) {
		json_t *o = json_pack("{s:i, s:o, s:I}", "v", 1, "domain", cli_json_str(m->domain), "aliases", (json_int_t)m->file.count);

		report_json(m, o);
		return cli_print_json(o);
	}
	for (size_t i = 0; i < m->step_count; i++) {
		const struct step *s = &m->steps[i];

		printf("%s %.*s\n", change_words[s->what], STR_FMT(s->after ? s->after->from : s->before->from));
	}
	for (size_t i = 0; i < m->file.refusal_count; i++) {
		const struct alias_refusal *r = &m->file.refusals[i];

		fprintf(stderr, "%s:%u: refused: %.*s: %s\n", r->file, r->line, STR_FMT(cli_text(m->c->arena, r->what)), r->why);
	}
	printf("%zu aliases at %.*s: %zu added, %zu changed, %zu removed, %zu lines or targets refused\n", m->file.count, STR_FMT(m->domain),
	       counts[CHANGE_ADD], counts[CHANGE_REPLACE], counts[CHANGE_REMOVE], m->file.refusal_count);
	return CLI_OK;
}

int cmd_alias_import(struct cli *c)
{
	const char   *domain = cli_option(c, "domain");
	struct import m = { .c = c, .domain = str_of(domain) };
	int           code = cli_config(c);

	if (code == CLI_OK && !domain)
		code = domain_default(c, &m.domain);
	if (code == CLI_OK)
		code = alias_file_load(c, c->args[0], m.domain, &m.file);
	if (code != CLI_OK)
		return code;
	map_init(&m.by_name);
	code = there_load(&m);
	if (code == CLI_OK) {
		record_load(&m);
		plan(&m);
		code = steps_do(&m);
	}
	if (code == CLI_OK) {
		record_save(&m);
		code = report(&m);
	}
	map_done(&m.by_name);
	return code;
}
