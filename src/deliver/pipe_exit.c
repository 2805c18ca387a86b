/* deliver/pipe_exit.c - see pipe_exit.h. */
#include "deliver/pipe_exit.h"

#include <string.h>
#include <sysexits.h>

#include "base/limits.h"

/* What is our own trouble, or this machine's, is no reason to send mail back: a broken disk or configuration gets repaired. */
static const struct {
	int         code;
	const char *status, *text;
} meanings[] = {
	{ EX_USAGE, "5.3.0", "command line usage error" },
	{ EX_DATAERR, "5.6.0", "data format error" },
	{ EX_NOINPUT, "5.3.0", "cannot open input" },
	{ EX_NOUSER, "5.1.1", "user unknown" },
	{ EX_NOHOST, "5.1.2", "host unknown" },
	{ EX_UNAVAILABLE, "5.3.0", "service unavailable" },
	{ EX_SOFTWARE, "5.3.0", "internal software error" },
	{ EX_OSERR, "4.3.0", "system error" },
	{ EX_OSFILE, "4.3.0", "critical file of the system missing" },
	{ EX_CANTCREAT, "5.2.0", "cannot create output" },
	{ EX_IOERR, "4.3.0", "input or output error" },
	{ EX_TEMPFAIL, "4.3.0", "temporary failure" },
	{ EX_PROTOCOL, "5.5.0", "protocol error" },
	{ EX_NOPERM, "5.7.0", "permission denied" },
	{ EX_CONFIG, "4.3.5", "configuration error" },
	{ 126, "4.3.5", "it could not run another program" },
	{ 127, "4.3.5", "it could not find another program" },
};

/* Class "." subject "." detail, with 1 to 3 digits each, RFC 3463 §2; taken off *text. */
static bool status_take(struct str *text, struct str *ret)
{
	struct str rest = *text;
	uint64_t   part;
	size_t     before;

	if (rest.n < 5 || (rest.p[0] != '4' && rest.p[0] != '5'))
		return false;
	rest = str_from(rest, 1);
	for (int i = 0; i < 2; i++) {
		if (!str_skip_char(&rest, '.'))
			return false;
		before = rest.n;
		if (!str_take_u64(&rest, &part) || before - rest.n > 3)
			return false;
	}
	if (rest.n > 0 && rest.p[0] != ' ' && rest.p[0] != '\t')
		return false;
	*ret = str_first(*text, text->n - rest.n);
	*text = str_trim(rest);
	return true;
}

/* The first line that has something in it, without control characters, and as UTF-8. */
static struct str first_line(struct str output, struct arena *a)
{
	struct str line = STR(""), rest = output;
	char      *p;

	while (line.n == 0 && rest.n > 0) {
		str_cut(rest, '\n', &line, &rest);
		line = str_trim_ws(line);
	}
	line = str_first(line, LIMIT_REMOTE_ANSWER / 2);
	p = arena_alloc(a, line.n + 1);
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		p[i] = c < ' ' || c == 127 ? ' ' : line.p[i];
	}
	for (size_t i = 0; i < line.n && !str_is_utf8(str_n(p, line.n)); i++)
		if ((unsigned char)p[i] > 127)
			p[i] = '?';
	return str_n(p, line.n);
}

static void by_code(int code, struct pipe_verdict *ret)
{
	*ret = (struct pipe_verdict){ REMOTE_REFUSED, STR("5.3.0"), STR("unknown exit code") };
	for (size_t i = 0; i < LEN(meanings); i++)
		if (meanings[i].code == code) {
			ret->code = str_of(meanings[i].status);
			ret->text = str_of(meanings[i].text);
		}
	ret->result = ret->code.p[0] == '4' ? REMOTE_DEFERRED : REMOTE_REFUSED;
}

static void exited(const struct program_end *end, struct arena *a, struct pipe_verdict *ret)
{
	struct str said = first_line(end->output, a), status;

	if (end->number == 0) {
		*ret = (struct pipe_verdict){ REMOTE_DELIVERED, STR("2.0.0"), STR("The program took it") };
		if (said.n > 0)
			ret->text = arena_printf(a, "%.*s: %.*s", STR_FMT(ret->text), STR_FMT(said));
		return;
	}
	by_code(end->number, ret);
	if (status_take(&said, &status)) {
		ret->code = status;
		ret->result = status.p[0] == '4' ? REMOTE_DEFERRED : REMOTE_REFUSED;
	}
	ret->text = arena_printf(a, "The program ended with code %d, %.*s%s%.*s", end->number, STR_FMT(ret->text), said.n ? ": " : "", STR_FMT(said));
}

void pipe_verdict_of(const struct program_end *end, uint32_t time_s, struct arena *a, struct pipe_verdict *ret)
{
	*ret = (struct pipe_verdict){ REMOTE_DEFERRED, STR("4.3.0"), STR("") };
	switch (end->how) {
	case PROGRAM_EXITED:
		exited(end, a, ret);
		return;
	case PROGRAM_SIGNALLED:
		ret->text = arena_printf(a, "The program was ended by signal %d", end->number);
		return;
	case PROGRAM_LATE:
		ret->text = arena_printf(a, "The program did not end within %u s", time_s);
		return;
	case PROGRAM_CANCELLED:
		ret->text = STR("The program was ended with the server");
		return;
	case PROGRAM_NO_INPUT:
		ret->text = STR("The message cannot be read now");
		return;
	case PROGRAM_NOT_RUN:
		ret->code = STR("4.3.5");
		ret->text = arena_printf(a, "The program cannot be run: %s", strerrordesc_np(end->number) ? strerrordesc_np(end->number) : "unknown error");
		return;
	}
}
