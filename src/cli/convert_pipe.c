/* cli/convert_pipe.c - programs that take mail (pipe(8) in master.cf) become sections `pipe`; see convert.h.
 *
 *   name unix - n n - maxproc pipe [-o ...] flags=... user=... [attribute=value ...] argv=/path word ...
 *
 * Only those that transport_maps leads to: the master.cf that comes with Postfix has some that nobody uses. What a program would be told that we
 * have no word for (${sasl_username}) ends the conversion of that pipe: it would do something else.
 */
#include <string.h>

#include "cli/convert.h"
#include "role/config_setting.h"
#include "wire/address/endpoint.h"
#include "wire/text/text_postfix.h"

#define RUNS_DEFAULT 4u

/* ---- its words ---- */

/* "$name", "${name}", "$(name)" off `rest`, which begins behind the "$". */
static bool macro_take(struct str *rest, struct str *ret)
{
	const char close = rest->n > 0 && rest->p[0] == '{' ? '}' : rest->n > 0 && rest->p[0] == '(' ? ')' : '\0';
	size_t     n = 0;

	if (close)
		*rest = str_from(*rest, 1);
	while (n < rest->n && (ascii_is_alnum(rest->p[n]) || rest->p[n] == '_'))
		n++;
	*ret = str_first(*rest, n);
	*rest = str_from(*rest, n);
	return n > 0 && (!close || str_skip_char(rest, close));
}

/* Every macro as ${name}; false: one has a condition, or is none. */
static bool word_translate(struct str word, struct buf *out)
{
	struct str name;

	while (word.n > 0) {
		if (!str_skip_char(&word, '$')) {
			buf_add_char(out, word.p[0]);
			word = str_from(word, 1);
		} else if (str_skip_char(&word, '$')) {
			buf_add(out, STR("$$"));
		} else if (macro_take(&word, &name)) {
			buf_addf(out, "${%.*s}", STR_FMT(name));
		} else {
			return false;
		}
	}
	return !out->over;
}

static void next_word(struct str *rest, struct str *ret)
{
	*rest = str_trim_ws(*rest);
	if (rest->n > 0 && rest->p[0] == '{')
		text_postfix_word(rest, ret);
	else
		text_postfix_entry(*rest, ret, rest);
}

static void command_take(struct convert *c, struct convert_pipe *p, struct str words)
{
	struct str word;

	p->conf.command = ARENA_ARRAY(c->a, struct pipe_arg, LIMIT_PIPE_ARGS + 1);
	while (str_trim_ws(words).n > 0 && p->conf.command_count <= LIMIT_PIPE_ARGS) {
		struct buf text;

		next_word(&words, &word);
		buf_init(&text, LIMIT_PIPE_ARG);
		if (!word_translate(word, &text))
			p->why = "a word of its command has a condition, or is too long";
		p->conf.command[p->conf.command_count++].text = arena_dup(c->a, buf_str(&text));
		buf_done(&text);
	}
}

/* ---- its attributes ---- */

/* Said of what is used alone, so it is kept until that is known. */
static void lost(struct convert *c, struct convert_pipe *p, struct str what, const char *why)
{
	struct convert_pipe_lost *l = ARENA_NEW(c->a, struct convert_pipe_lost);

	*l = (struct convert_pipe_lost){ what, why, NULL };
	*p->lost_last = l;
	p->lost_last = &l->next;
}

static void attribute_lost(struct convert *c, struct convert_pipe *p, struct str name, struct str value, const char *why)
{
	lost(c, p, arena_printf(c->a, "%.*s=%.*s", STR_FMT(name), STR_FMT(value)), why);
}

/* "q" quotes local parts as the protocol does, "X" is about reports alone. */
static void flags_take(struct convert *c, struct convert_pipe *p, struct str value)
{
	char  *known = arena_alloc(c->a, value.n);
	size_t n = 0;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == 'q')
			attribute_lost(c, p, STR("flags"), STR("q"), "addresses are given as they are; a word that would begin with '-' is refused");
		else if (value.p[i] == 'X')
			attribute_lost(c, p, STR("flags"), STR("X"), "reports of success say that mail was passed on");
		else
			known[n++] = value.p[i];
	}
	p->conf.flags = str_n(known, n);
}

static void attribute_take(struct convert *c, struct convert_pipe *p, struct str name, struct str value)
{
	if (str_eq(name, STR("flags")))
		flags_take(c, p, value);
	else if (str_eq(name, STR("user")))
		attribute_lost(c, p, name, value, "programs run as the user postrider-pipe: give that one what this user may read and write");
	else if (str_eq(name, STR("eol")) && (str_eq(value, STR("\\r\\n")) || str_eq(value, STR("\\n"))))
		p->conf.crlf = str_eq(value, STR("\\r\\n"));
	else if (str_eq(name, STR("null_sender")) && str_eq(value, STR("MAILER-DAEMON")))
		return;
	else if (str_eq(name, STR("null_sender")))
		attribute_lost(c, p, name, value, "the empty sender is MAILER-DAEMON to programs");
	else if (str_eq(name, STR("size")))
		attribute_lost(c, p, name, value, "the setting message_size holds for all mail");
	else if (str_eq(name, STR("directory")) || str_eq(name, STR("chroot")))
		attribute_lost(c, p, name, value, "programs begin in /: let a script change it");
	else
		attribute_lost(c, p, name, value, "has no equivalent");
}

/* A number that main.cf has for this transport alone. */
static uint32_t limit_of(struct convert *c, const struct convert_pipe *p, const char *what, uint32_t fallback, uint32_t most)
{
	struct str text = convert_value(c, arena_printf(c->a, "%.*s%s", STR_FMT(p->conf.name), what).p);
	uint32_t   v;

	return str_to_u32(text, &v) && v > 0 ? MIN(v, most) : fallback;
}

/* "1000s", "10m", "1h", "1d", "1w"; seconds when there is no unit. */
static bool time_parse(struct str text, uint64_t *ret_s)
{
	static const uint64_t units[] = { 1, 60, 3600, 86400, 604800 };
	uint64_t              v;
	ptrdiff_t             unit;

	if (!str_take_u64(&text, &v) || text.n > 1 || v == 0 || v > UINT32_MAX)
		return false;
	unit = text.n > 0 ? str_find(STR("smhdw"), text.p[0]) : 0;
	if (unit < 0)
		return false;
	*ret_s = v * units[unit];
	return true;
}

/* How long a program may run: what is set for this pipe, by -o or in main.cf, else what is set for all commands. 0: nothing is set, and ours is Postfix's. */
static uint32_t time_of(struct convert *c, const struct convert_pipe *p, struct str option, struct str option_of_all)
{
	struct str own = convert_value(c, arena_printf(c->a, "%.*s_time_limit", STR_FMT(p->conf.name)).p), all = convert_value(c, "command_time_limit");
	uint64_t   s;

	own = option.n > 0 ? option : own;
	all = option_of_all.n > 0 ? option_of_all : all;
	if (!time_parse(own, &s) && !time_parse(all, &s))
		return 0;
	return (uint32_t)MIN(s, (uint64_t)LIMIT_PIPE_MS / 1000);
}

/* The rest of "-o name=value", "-oname=value" or "-o { name = value }", and other options of the process. */
static void option_take(struct convert *c, struct convert_pipe *p, struct str word, struct str *args, struct str *time, struct str *time_of_all)
{
	struct str option = word, name, value;

	if (!str_skip(&word, STR("-o"))) {
		lost(c, p, option, "has no equivalent");
		return;
	}
	if (word.n == 0)
		next_word(args, &word);
	if (!text_postfix_param(word, &name, &value))
		lost(c, p, arena_printf(c->a, "-o %.*s", STR_FMT(word)), "is no setting");
	else if (str_eq(name, STR("command_time_limit")))
		*time_of_all = value;
	else if (str_eq(name, arena_printf(c->a, "%.*s_time_limit", STR_FMT(p->conf.name))))
		*time = value;
	else
		lost(c, p, arena_printf(c->a, "-o %.*s=%.*s", STR_FMT(name), STR_FMT(value)), "other settings hold for all programs, or for none");
}

static void pipe_read(struct convert *c, const struct convert_service *s, struct convert_pipe *p)
{
	struct str args = s->args, time = STR(""), time_of_all = STR(""), word, name, value;
	uint32_t   most;

	*p = (struct convert_pipe){ .conf = { .name = s->name, .flags = STR("") }, .lost_last = &p->lost };
	while (!p->conf.command && (args = str_trim_ws(args)).n > 0) {
		if (str_skip(&args, STR("argv="))) {
			command_take(c, p, args);
			break;
		}
		next_word(&args, &word);
		if (str_starts(word, STR("-")))
			option_take(c, p, word, &args, &time, &time_of_all);
		else if (str_cut(word, '=', &name, &value))
			attribute_take(c, p, str_trim_ws(name), str_trim_ws(value));
		else
			lost(c, p, word, "is no attribute");
	}
	p->conf.recipients = limit_of(c, p, "_destination_recipient_limit", 1, LIMIT_PIPE_RCPTS);
	most = str_to_u32(s->limit, &most) && most > 0 ? most : RUNS_DEFAULT;
	p->conf.runs = MIN(limit_of(c, p, "_destination_concurrency_limit", most, LIMIT_PIPE_RUNS), LIMIT_PIPE_RUNS);
	p->conf.time_s = time_of(c, p, time, time_of_all);
	p->why = p->why ? p->why : pipe_conf_wrong(&p->conf);
	p->over = !p->why && c->pipes_kept == LIMIT_PIPES;
	p->why = p->over ? "there are as many pipes as there can be" : p->why;
	c->pipes_kept += p->why == NULL;
}

/* ---- which are used ---- */

static const struct convert_service *service_find(struct convert *c, struct str name)
{
	for (size_t i = 0; i < c->service_count; i++)
		if (str_eq(c->services[i].name, name) && str_eq(c->services[i].command, STR("pipe")))
			return &c->services[i];
	return NULL;
}

struct convert_pipe *convert_pipe_find(struct convert *c, struct str name)
{
	for (size_t i = 0; i < c->pipe_count; i++)
		if (str_eq(c->pipes[i].conf.name, name))
			return &c->pipes[i];
	return NULL;
}

bool convert_pipe_hop(struct convert *c, struct str value, struct str *ret)
{
	struct str                    name = value, next = STR("");
	const struct convert_service *s;
	struct convert_pipe          *p;

	(void)str_cut(value, ':', &name, &next);
	s = service_find(c, name);
	p = convert_pipe_find(c, name);
	if (s && !p) {
		p = &c->pipes[c->pipe_count++];
		pipe_read(c, s, p);
	}
	if (!p || p->why)
		return false;
	*ret = arena_printf(c->a, "pipe:%.*s%s%.*s", STR_FMT(name), next.n ? ":" : "", STR_FMT(next));
	return endpoint_pipe(*ret, &name, &next);
}

/* ---- said ---- */

void convert_pipe_say(struct convert *c, const struct convert_service *s)
{
	const struct convert_pipe *p = convert_pipe_find(c, s->name);
	const char                *shown = arena_printf(c->a, "master.cf %.*s", STR_FMT(s->name)).p;

	if (!p) {
		convert_say(c, CONVERT_DEFAULT, shown, s->command, "transport_maps leads nothing there; else it would be a section: pipe %.*s { command = {...} }",
			    STR_FMT(s->name));
		return;
	}
	if (p->over) {
		convert_say(c, CONVERT_LOST, shown, s->command, "%s, %zu: let one program do what several did, by ${nexthop} of pipe:NAME:NEXTHOP", p->why, LIMIT_PIPES);
		return;
	}
	if (p->why) {
		convert_say(c, CONVERT_LOST, shown, s->command, "%s; write it as a section: pipe %.*s { command = {...} }", p->why, STR_FMT(s->name));
		return;
	}
	convert_say(c, CONVERT_KEPT, shown, s->command, "section pipe %.*s", STR_FMT(s->name));
	for (const struct convert_pipe_lost *l = p->lost; l; l = l->next)
		convert_say(c, CONVERT_LOST, shown, l->what, "%s", l->why);
}

/* `of`: of what pipe. */
static void time_say(struct convert *c, const char *param, struct str value, const char *of)
{
	uint64_t s;

	if (!time_parse(value, &s))
		convert_say(c, CONVERT_LOST, param, value, "is no time that a program can have: set timeout of %s", of);
	else if (s > (uint64_t)LIMIT_PIPE_MS / 1000)
		convert_say(c, CONVERT_LOST, param, value, "setting timeout of %s: an hour is the most", of);
	else
		convert_say(c, CONVERT_KEPT, param, value, "setting timeout of %s", of);
}

bool convert_pipe_param(struct convert *c, const char *name, struct str value)
{
	static const struct {
		const char *end, *setting;
	} ends[] = { { "_destination_recipient_limit", "recipients" }, { "_destination_concurrency_limit", "runs" }, { "_time_limit", NULL } };

	if (strcmp(name, "command_time_limit") == 0 && c->pipes_kept > 0) {
		time_say(c, name, value, "each pipe that has none of its own");
		return true;
	}
	for (size_t i = 0; i < LEN(ends); i++) {
		struct str                 service = str_of(name);
		const struct convert_pipe *p;

		if (!str_iends(service, str_of(ends[i].end)))
			continue;
		service = str_first(service, service.n - strlen(ends[i].end));
		p = convert_pipe_find(c, service);
		if (!p || p->why)
			return false;
		if (ends[i].setting)
			convert_say(c, CONVERT_KEPT, name, value, "setting %s of pipe %.*s", ends[i].setting, STR_FMT(service));
		else
			time_say(c, name, value, arena_printf(c->a, "pipe %.*s", STR_FMT(service)).p);
		return true;
	}
	return false;
}

void convert_pipes_find(struct convert *c)
{
	struct str   maps = convert_value(c, "transport_maps"), map, unused;
	const size_t before = c->rows;

	c->pipes = ARENA_ARRAY(c->a, struct convert_pipe, c->service_count + 1);
	while (text_postfix_word(&maps, &map)) {
		struct convert_row *rows;
		size_t              count;

		if (convert_table(c, map, &rows, &count) != NULL)
			continue;
		for (size_t i = 0; i < count; i++)
			(void)!convert_pipe_hop(c, rows[i].value, &unused);
	}
	c->rows = before; /* they are read once more */
}

void convert_pipes_print(const struct convert *c, struct buf *out)
{
	for (size_t i = 0; i < c->pipe_count; i++) {
		const struct pipe_conf *p = &c->pipes[i].conf;

		if (c->pipes[i].why)
			continue;
		buf_addf(out, "pipe %.*s {\n\tcommand = {", STR_FMT(p->name));
		for (size_t k = 0; k < p->command_count; k++) {
			buf_add(out, k ? STR(", ") : STR(""));
			config_text_print(p->command[k].text, out);
		}
		buf_add(out, STR("}\n"));
		if (p->flags.n)
			buf_addf(out, "\tflags = \"%.*s\"\n", STR_FMT(p->flags));
		if (p->crlf)
			buf_add(out, STR("\tlines = crlf\n"));
		if (p->recipients > 1)
			buf_addf(out, "\trecipients = %u\n", p->recipients);
		if (p->runs != RUNS_DEFAULT)
			buf_addf(out, "\truns = %u\n", p->runs);
		if (p->time_s > 0)
			buf_addf(out, "\ttimeout = %us\n", p->time_s);
		buf_add(out, STR("}\n"));
	}
}
