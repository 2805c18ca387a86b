/* cli/cli.c - parsing the command line by the table, and what all commands share; see cli.h. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli_main.h"
#include "role/config_pipe.h"
#include "wire/text/text_quantity.h"

/* ---- help ---- */

static void print_synopsis(FILE *to, const struct cli_command *k)
{
	fprintf(to, "postrider %s%s%s%s%s", k->group, k->name ? " " : "", k->name ? k->name : "", *k->usage ? " " : "", k->usage);
}

static void help_command(FILE *to, const struct cli_command *k)
{
	fprintf(to, "usage: ");
	print_synopsis(to, k);
	fprintf(to, "\n\n%s.\n\nAlso: --config FILE (%s), --json, --help\n\nExamples:\n", k->summary, CLI_CONFIG_PATH);
	for (const char *line = k->examples; *line;) {
		size_t n = strcspn(line, "\n");
		fprintf(to, "  %.*s\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

/* Of one group, or of all: NULL. */
static void list_commands(FILE *to, const char *group)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *k = &cli_commands[i];

		if (k->hidden || (group && strcmp(group, k->group) != 0))
			continue;
		fprintf(to, "  %-10s %-11s %s\n", k->group, k->name ? k->name : "", k->summary);
	}
}

static void help_all(FILE *to)
{
	fprintf(to, "Postrider %s, a complete mail system.\n\nusage: postrider COMMAND ... [--config FILE] [--json] [--help]\n\n", POSTRIDER_VERSION);
	list_commands(to, NULL);
	fprintf(to, "\nStart with:  postrider demo        Help for one:  postrider COMMAND --help\n"
		    "Exit codes:  0 ok, 1 failed, 2 usage, 3 not found, 4 exists, 5 denied, 69 no server, 75 try later\n");
}

/* ---- parsing ---- */

static const struct cli_command *command_find(const char *group, const char *name)
{
	for (size_t i = 0; i < cli_command_count; i++)
		if (strcmp(cli_commands[i].group, group) == 0 &&
		    (!cli_commands[i].name || (name && strcmp(cli_commands[i].name, name) == 0)))
			return &cli_commands[i];
	return NULL;
}

/* 2: may have a value; 1: takes one; 0: does not; -1: unknown. */
static int option_kind(const struct cli_command *k, const char *name, size_t n)
{
	for (size_t i = 0; i < LEN(k->options) && k->options[i]; i++) {
		size_t m = strcspn(k->options[i], "=?");
		if (m == n && strncmp(k->options[i], name, n) == 0)
			return k->options[i][m] == '=' ? 1 : k->options[i][m] == '?' ? 2 : 0;
	}
	return -1;
}

static int usage_error(const struct cli *c, const char *what, const char *which)
{
	fprintf(stderr, "postrider: %s%s\n", what, which);
	if (c->command)
		help_command(stderr, c->command);
	else
		fprintf(stderr, "'postrider --help' lists the commands\n");
	return CLI_USAGE;
}

/* One "--name", "--name=value" or "--name value"; *i advances over a value. */
static int option_take(struct cli *c, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2, *value = strchr(name, '=');
	size_t      n = value ? (size_t)(value++ - name) : strlen(name);
	bool        config = n == 6 && strncmp(name, "config", n) == 0;
	int         kind = config ? 1 : option_kind(c->command, name, n);

	if (n == 4 && strncmp(name, "json", n) == 0 && !value) {
		c->json = true;
		return CLI_OK;
	}
	if (kind < 0 || (kind == 0 && value) || c->option_count == LEN(c->options))
		return usage_error(c, "unknown option ", argv[*i]);
	if (!value && *i + 1 < argc && (kind == 1 || (kind == 2 && argv[*i + 1][0] != '-')))
		value = argv[++*i];
	if (kind == 1 && !value)
		return usage_error(c, "a value is missing behind ", argv[argc - 1]);
	if (config) {
		c->config_path = value;
		return CLI_OK;
	}
	c->options[c->option_count].name = arena_cstr(c->arena, str_n(name, n));
	c->options[c->option_count++].value = value ? value : "";
	return CLI_OK;
}

static int parse(struct cli *c, int argc, char **argv, int at)
{
	for (int i = at; i < argc; i++) {
		bool literal = i > at && strcmp(argv[i - 1], "--") == 0;

		if (!literal && strcmp(argv[i], "--") == 0)
			continue;
		if (!literal && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
			help_command(stdout, c->command);
			return -1;
		}
		if (!literal && argv[i][0] == '-' && argv[i][1] == '-') {
			int code = option_take(c, argc, argv, &i);
			if (code != CLI_OK)
				return code;
		} else if (c->arg_count == MIN(c->command->args_max, CLI_ARGS_MAX)) {
			return usage_error(c, "too many arguments: ", argv[i]);
		} else {
			c->args[c->arg_count++] = argv[i];
		}
	}
	return c->arg_count < c->command->args_min ? usage_error(c, "an argument is missing", "") : CLI_OK;
}

static bool group_known(const char *group)
{
	for (size_t i = 0; i < cli_command_count; i++)
		if (strcmp(cli_commands[i].group, group) == 0)
			return true;
	return false;
}

/* "postrider queue", "postrider queue --help", "postrider queue lisst": what there is. */
static int no_command(const struct cli *c, const char *group, const char *name)
{
	const bool help = name && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0);
	FILE      *to = help ? stdout : stderr;

	if (!group_known(group))
		return usage_error(c, "unknown command: ", group);
	if (!help && name && *name != '-')
		fprintf(to, "postrider: unknown command: %s %s\n", group, name);
	list_commands(to, group);
	fprintf(to, "\nHelp for one:  postrider %s COMMAND --help\n", group);
	return help ? CLI_OK : CLI_USAGE;
}

/* The program was started by a name of its own: sendmail, mailq, newaliases. */
static const struct cli_command *by_name(const char *program)
{
	const char                *slash = strrchr(program, '/');
	const struct cli_command *k = command_find(slash ? slash + 1 : program, NULL);

	return k && k->raw ? k : NULL;
}

/* The command that argv names, with its arguments. */
static int run(struct cli *c, int argc, char **argv)
{
	const char *group = argc > 1 ? argv[1] : "--help";
	int         code;

	c->command = argc > 0 ? by_name(argv[0]) : NULL;
	if (c->command)
		return c->command->raw(c, argc, argv);

	if (strcmp(group, "--help") == 0 || strcmp(group, "-h") == 0 || strcmp(group, "help") == 0) {
		help_all(argc > 1 ? stdout : stderr);
		return argc > 1 ? CLI_OK : CLI_USAGE;
	}
	if (strcmp(group, "--version") == 0) {
		printf("postrider %s\n", POSTRIDER_VERSION);
		return CLI_OK;
	}
	c->command = command_find(group, argc > 2 ? argv[2] : NULL);
	if (!c->command)
		return no_command(c, group, argc > 2 ? argv[2] : NULL);
	if (c->command->raw)
		return c->command->raw(c, argc - 1, argv + 1);
	code = parse(c, argc, argv, c->command->name ? 3 : 2);
	return code == CLI_OK ? c->command->run(c) : code == -1 ? CLI_OK : code;
}

int cli_main(int argc, char **argv)
{
	struct cli c = { .config_path = CLI_CONFIG_PATH, .arena = arena_new_secret(NULL) };
	int        code = run(&c, argc, argv);

	if (fflush(stdout) != 0 && code == CLI_OK)
		code = CLI_FAILED;
	arena_free(&c.arena);
	return code;
}

/* ---- shared by the commands ---- */

const char *cli_option(const struct cli *c, const char *name)
{
	for (unsigned i = 0; i < c->option_count; i++)
		if (strcmp(c->options[i].name, name) == 0)
			return c->options[i].value;
	return NULL;
}

int cli_config(struct cli *c)
{
	struct buf  errors;
	enum status st;

	if (c->config_loaded)
		return CLI_OK;
	buf_init(&errors, 64 * KIB);
	st = config_load(c->config_path, c->arena, &c->config, &errors);
	if (st != ST_OK)
		fprintf(stderr, "%.*s", STR_FMT(buf_str(&errors)));
	buf_done(&errors);
	c->config_loaded = st == ST_OK;
	return st == ST_OK ? CLI_OK : st == ST_NOT_FOUND ? CLI_NOT_FOUND : st == ST_DENIED ? CLI_DENIED : CLI_FAILED;
}

int cli_error(const struct cli *c, int code, const char *fmt, ...)
{
	char    text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "postrider: %s\n", text);
	if (c->json)
		cli_print_json(json_pack("{s:i, s:o, s:i}", "v", 1, "error", cli_json_str(str_of(text)), "code", code));
	return code;
}

int cli_fail(const struct cli *c, enum status st, const char *subject)
{
	static const struct {
		int         code;
		const char *text;
	} of[ST_COUNT] = {
		[ST_OK] = { CLI_OK, "ok" },
		[ST_AGAIN] = { CLI_TRY_LATER, "not now, try again" },
		[ST_NOT_FOUND] = { CLI_NOT_FOUND, "there is none" },
		[ST_EXISTS] = { CLI_EXISTS, "exists already" },
		[ST_DENIED] = { CLI_DENIED, "not allowed" },
		[ST_LIMIT] = { CLI_FAILED, "over a limit" },
		[ST_TEMP] = { CLI_TRY_LATER, "the server did not answer in time, try again" },
		[ST_IO] = { CLI_FAILED, "the system refused, see the log" },
		[ST_CORRUPT] = { CLI_FAILED, "stored data is damaged, see the log" },
		[ST_FULL] = { CLI_TRY_LATER, "no space left on the disk" },
		[ST_SUSPECT] = { CLI_TRY_LATER, "its database is set aside after a failed write, see the log" },
		[ST_VERSION] = { CLI_FAILED, "was written by a newer version of Postrider" },
		[ST_INVALID] = { CLI_USAGE, "not a valid value" },
		[ST_CLOSED] = { CLI_NO_SERVER, "no server is running" },
		[ST_BUSY] = { CLI_TRY_LATER, "busy, try again" },
		[ST_QUOTA] = { CLI_FAILED, "over its quota" },
	};

	return cli_error(c, of[st].code, "%s: %s", subject, of[st].text);
}

bool cli_pipe_missing(struct cli *c, struct str hop)
{
	return str_starts(hop, STR("pipe:")) && cli_config(c) == CLI_OK && !config_pipe_hop(&c->config, hop);
}

void cli_pipe_warn(struct cli *c, struct str hop)
{
	if (cli_pipe_missing(c, hop))
		fprintf(stderr, "postrider: %.*s: the configuration has no such pipe; mail for it waits until it has\n", STR_FMT(hop));
}

int cli_done(const struct cli *c, const char *text, const char *subject)
{
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:s, s:o}", "v", 1, "done", text, "subject", cli_json_str(str_of(subject))));
	printf("%s: %s\n", subject, text);
	return CLI_OK;
}

/* RFC 8259 lets DEL and the C1 controls stand as they are, and a terminal would obey them. */
static bool print_escaped(const char *p)
{
	for (; *p; p++) {
		bool c1 = (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0;

		if (c1 || *p == 127)
			printf("\\u%04x", (unsigned)(unsigned char)(c1 ? *++p : *p));
		else
			putchar(*p);
	}
	return putchar('\n') == '\n' && !ferror(stdout);
}

int cli_print_json(json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	int   code = text && print_escaped(text) ? CLI_OK : CLI_FAILED;

	free(text);
	json_decref(object);
	return code;
}

json_t *cli_json_str(struct str s)
{
	struct buf clean;
	json_t    *j;

	if (str_is_utf8(s))
		return json_stringn_nocheck(s.p ? s.p : "", s.n);
	buf_init(&clean, s.n * 3);
	for (size_t i = 0; i < s.n; i++)
		buf_add(&clean, (unsigned char)s.p[i] < 128 ? str_sub(s, i, 1) : STR("\xef\xbf\xbd"));
	j = json_stringn_nocheck(clean.p, clean.n);
	buf_done(&clean);
	return j;
}

struct str cli_text(struct arena *a, struct str s)
{
	bool   utf8 = str_is_utf8(s);
	char  *p = arena_alloc(a, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool          c1 = utf8 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0;

		p[n++] = c < ' ' || c == 127 || (c > 127 && !utf8) || c1 ? '?' : (char)c;
		i += c1;
	}
	return str_n(p, n);
}

struct str cli_time(struct arena *a, int64_t ms)
{
	time_t    s = (time_t)(ms / 1000);
	struct tm tm;
	char      text[40];

	if (ms == 0 || !gmtime_r(&s, &tm))
		return STR("-");
	return arena_dup(a, str_n(text, strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm)));
}

struct str cli_size(struct arena *a, uint64_t octets)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double                   v = (double)octets;
	size_t                   u = 0;

	while (v >= 1000 && u + 1 < LEN(units)) {
		v /= 1000;
		u++;
	}
	return arena_printf(a, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

bool cli_parse_time(const char *text, uint64_t *ret_s)
{
	struct str s = str_of(text);

	return s.n > 0 && !ascii_is_digit(s.p[s.n - 1]) && text_seconds_parse(s, ret_s);
}

bool cli_input(struct cli *c, size_t max, struct str *ret)
{
	char   *p = arena_alloc(c->arena, max + 1);
	ssize_t got = 1;
	size_t  n = 0;

	for (; got > 0 && n <= max; n += (size_t)MAX(got, 0))
		got = read(STDIN_FILENO, p + n, max + 1 - n);
	*ret = str_n(p, n);
	return got >= 0 && n > 0 && n <= max;
}

static bool line_read(struct arena *a, struct str *ret)
{
	char line[LIMIT_PASSWORD + 2];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	*ret = arena_dup(a, str_chomp(str_of(line)));
	explicit_bzero(line, sizeof(line));
	return true;
}

static bool ask_hidden(struct arena *a, const char *prompt, struct str *ret)
{
	struct termios seen, hidden;
	bool           ok;

	if (tcgetattr(0, &seen) < 0)
		return false;
	hidden = seen;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fprintf(stderr, "%s", prompt);
	tcsetattr(0, TCSAFLUSH, &hidden);
	ok = line_read(a, ret);
	tcsetattr(0, TCSAFLUSH, &seen);
	fprintf(stderr, "\n");
	return ok;
}

int cli_password(struct cli *c, struct str *ret)
{
	struct str again = STR_NONE;

	if (cli_option(c, "password-stdin")) {
		if (!line_read(c->arena, ret) || ret->n == 0)
			return cli_error(c, CLI_USAGE, "standard input holds no password");
		return CLI_OK;
	}
	if (!isatty(0))
		return cli_error(c, CLI_USAGE, "no terminal to ask for the password: use --password-stdin");
	if (!ask_hidden(c->arena, "Password: ", ret) || !ask_hidden(c->arena, "Again: ", &again))
		return CLI_FAILED;
	if (!str_eq(*ret, again) || ret->n == 0)
		return cli_error(c, CLI_USAGE, ret->n ? "the two are not alike" : "an empty password is not allowed");
	return CLI_OK;
}
