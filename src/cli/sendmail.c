/* cli/sendmail.c - options of sendmail(8), as Postfix and Sendmail take them, and what they ask for.
 *
 * Sending by -t or with recipients; -bs speaks SMTP; -bp lists the queue; -bi makes the aliases; -q tries the queue again. Options that
 * only tuned Sendmail itself are taken and do nothing. What would start a server (-bd) is refused with a word.
 */
#include "cli/sendmail.h"

#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "sys/fd.h"
#include "wire/text/queue_id.h"

#define ALIASES "/etc/aliases"

int sendmail_error(const struct sendmail *m, int code, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", m->program);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

/* ---- options ---- */

enum mode { MODE_SEND, MODE_SMTP, MODE_MAILQ, MODE_NEWALIASES, MODE_FLUSH, MODE_HELP };

struct options {
	enum mode   mode;
	const char *flush_id; /* -qI */
};

static int mode_take(const struct sendmail *m, const char *value, enum mode *ret)
{
	switch (value[0]) {
	case 'm': *ret = MODE_SEND; return EX_OK;
	case 's': *ret = MODE_SMTP; return EX_OK;
	case 'p': *ret = MODE_MAILQ; return EX_OK;
	case 'i': *ret = MODE_NEWALIASES; return EX_OK;
	case 'd':
	case 'D':
	case 'l': return sendmail_error(m, EX_USAGE, "-b%s: the server is started by 'postrider serve'", value);
	case 'v': return sendmail_error(m, EX_USAGE, "-bv: 'postrider route ADDRESS' says where mail would go");
	default: return sendmail_error(m, EX_USAGE, "-b%s is not known", value);
	}
}

/* "never" alone, or a list of "success", "failure", "delay" (RFC 3461 §4.1). */
static int notify_take(struct sendmail *m, const char *value)
{
	static const struct {
		struct str name;
		uint32_t   bit;
	} names[] = {
		{ STR("never"), QUEUE_NOTIFY_NEVER },
		{ STR("success"), QUEUE_NOTIFY_SUCCESS },
		{ STR("failure"), QUEUE_NOTIFY_FAILURE },
		{ STR("delay"), QUEUE_NOTIFY_DELAY },
	};
	struct str rest = str_of(value), word;
	uint32_t   mask = 0;

	while (rest.n > 0) {
		uint32_t bit = 0;

		str_cut(rest, ',', &word, &rest);
		for (size_t i = 0; i < LEN(names); i++)
			if (str_ieq(str_trim(word), names[i].name))
				bit = names[i].bit;
		if (!bit)
			return sendmail_error(m, EX_USAGE, "-N %s: it is 'never', or of 'success', 'failure' and 'delay'", value);
		mask |= bit;
	}
	if (!mask || ((mask & QUEUE_NOTIFY_NEVER) && mask != QUEUE_NOTIFY_NEVER))
		return sendmail_error(m, EX_USAGE, "-N %s: 'never' stands alone", value);
	m->notify = mask;
	return EX_OK;
}

/* -o and -O: only dots matter; all else tuned Sendmail. */
static void old_option_take(struct sendmail *m, const char *value)
{
	if (strcmp(value, "i") == 0 || strcasecmp(value, "IgnoreDots") == 0 || strcasecmp(value, "IgnoreDots=true") == 0)
		m->keep_dots = true;
}

static int flush_take(const struct sendmail *m, const char *value, struct options *o)
{
	if (!value || !*value) {
		o->mode = MODE_FLUSH;
		return EX_OK;
	}
	if (value[0] == 'I') {
		o->mode = MODE_FLUSH;
		o->flush_id = value + 1;
		return EX_OK;
	}
	if (value[0] >= '0' && value[0] <= '9')
		return EX_OK; /* an interval, of a daemon */
	return sendmail_error(m, EX_USAGE, "-q%s: only -q and -qI<id> are known", value);
}

static int option_take(struct sendmail *m, int c, const char *value, struct options *o)
{
	switch (c) {
	case 't': m->header_rcpts = true; return EX_OK;
	case 'i': m->keep_dots = true; return EX_OK;
	case 'f':
	case 'r': m->from = value; return EX_OK;
	case 'F': m->full_name = value; return EX_OK;
	case 'b': return mode_take(m, value, &o->mode);
	case 'I': o->mode = MODE_NEWALIASES; return EX_OK;
	case 'q': return flush_take(m, value, o);
	case 'o':
	case 'O': old_option_take(m, value); return EX_OK;
	case 'N': return notify_take(m, value);
	case 'R':
		if (strcasecmp(value, "full") != 0 && strcasecmp(value, "hdrs") != 0)
			return sendmail_error(m, EX_USAGE, "-R %s: it is 'full' or 'hdrs'", value);
		m->ret_hdrs = strcasecmp(value, "hdrs") == 0;
		m->ret_full = !m->ret_hdrs;
		return EX_OK;
	case 'V':
		if (strlen(value) > LIMIT_ENVID)
			return sendmail_error(m, EX_USAGE, "-V: more than %zu octets", LIMIT_ENVID);
		m->envid = value;
		return EX_OK;
	case 'C': m->cli->config_path = value; return EX_OK;
	case 'v': m->verbose = true; return EX_OK;
	case '?': return sendmail_error(m, EX_USAGE, "'%s --help' lists the options", m->program);
	default: return EX_OK; /* A B e G h L m n p U X x c: nothing to do with us */
	}
}

/* Which of the long options that all commands take; others are no options of sendmail. */
static bool long_option_take(struct sendmail *m, int argc, char **argv, int *i, struct options *o)
{
	if (strcmp(argv[*i], "--config") == 0 && *i + 1 < argc) {
		m->cli->config_path = argv[++*i];
		return true;
	}
	if (strcmp(argv[*i], "--help") == 0) {
		o->mode = MODE_HELP;
		return true;
	}
	return false;
}

static int options_take(struct sendmail *m, int argc, char **argv, struct options *o)
{
	int first = 1, code = EX_OK, c;

	while (first < argc && long_option_take(m, argc, argv, &first, o))
		first++;
	optind = 1;
	opterr = 1;
	argv[first - 1] = argv[0];
	argc -= first - 1;
	argv += first - 1;
	while (code == EX_OK && (c = getopt(argc, argv, "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q::r:tvx")) != -1)
		code = option_take(m, c, optarg, o);
	for (int i = optind; code == EX_OK && i < argc; i++) {
		if (m->rcpt_count == LIMIT_RCPTS)
			return sendmail_error(m, EX_USAGE, "more than %zu recipients", LIMIT_RCPTS);
		m->rcpts[m->rcpt_count++].address = str_of(argv[i]);
	}
	return code;
}

static int help(void)
{
	printf("usage: sendmail [OPTION]... [RECIPIENT]...   a message from standard input\n\n"
	       "  -t        recipients from To, Cc and Bcc too\n  -i        a line of one dot does not end the message\n"
	       "  -f ADDR   sender of the envelope (also -r)\n  -F NAME   full name, for a From field that is missing\n"
	       "  -N WORDS  reports wanted: never, or of success, failure, delay\n  -R WORD   what they return: full or hdrs\n"
	       "  -V TEXT   envelope id in them\n  -v        say the queue id\n  -C FILE   configuration file\n"
	       "  -bm       send (the default)      -bs  speak SMTP on standard input\n"
	       "  -bp       list the queue (mailq)  -bi  make the aliases (newaliases)\n  -q        try the queue again (-qI<id>: one message)\n\n"
	       "Options that only tuned Sendmail are taken and do nothing. Exit codes: sysexits.h; see sendmail(8).\n");
	return EX_OK;
}

/* ---- sending ---- */

static void user_find(struct sendmail *m)
{
	const struct passwd *p = getpwuid(getuid());

	m->login = p ? arena_cstr(m->arena, str_of(p->pw_name)) : arena_printf(m->arena, "uid%u", (unsigned)getuid()).p;
	m->gecos = p ? arena_cstr(m->arena, str_of(p->pw_gecos)) : "";
}

/* The recipients of the command line, each of which may be a list, become addresses. */
static int arguments_take(struct sendmail *m, struct str domain)
{
	size_t             count = m->rcpt_count;
	struct queue_rcpt *given = ARENA_ARRAY(m->arena, struct queue_rcpt, count);
	int                code = EX_OK;

	if (count > 0)
		memcpy(given, m->rcpts, count * sizeof(*given));
	m->rcpt_count = 0;
	for (size_t i = 0; i < count && code == EX_OK; i++)
		code = sendmail_rcpts_add(m, given[i].address, domain);
	return code;
}

static int message_hand_over(struct sendmail *m, struct sendmail_server *s, const struct sendmail_input *in)
{
	struct buf header;
	struct str body, from;
	uint64_t   id = 0;
	int        code = arguments_take(m, s->open.domain);

	buf_init(&header, 2 * LIMIT_HEADER_BLOCK);
	if (code == EX_OK)
		code = sendmail_sender(m, s->open.domain, &from);
	if (code == EX_OK)
		code = sendmail_header(m, buf_str(&in->head), !in->rest, s->open.domain, &header, &body);
	if (code == EX_OK)
		code = sendmail_begin(m, s, from);
	if (code == EX_OK)
		code = sendmail_data(m, s, buf_str(&header));
	if (code == EX_OK)
		code = sendmail_data(m, s, STR("\r\n"));
	if (code == EX_OK)
		code = sendmail_data(m, s, body);
	if (code == EX_OK && in->rest)
		code = sendmail_rest(m, s, in->rest);
	if (code == EX_OK)
		code = sendmail_end(m, s, &id);
	if (code == EX_OK && m->verbose)
		fprintf(stderr, "%s: queued as %s\n", m->program, queue_id_text(id).p);
	buf_done(&header);
	return code;
}

static int message_send(struct sendmail *m)
{
	struct sendmail_input  in;
	struct sendmail_server s = { .fd = -1 };
	int                    code;

	if (m->rcpt_count == 0 && !m->header_rcpts)
		return sendmail_error(m, EX_USAGE, "name recipients, or use -t");
	sendmail_input_init(&in);
	code = sendmail_input_read(&in, stdin, m->keep_dots);
	if (code != EX_OK)
		code = sendmail_error(m, code, "the message cannot be read, or not be kept meanwhile");
	if (code == EX_OK)
		code = sendmail_connect(m, &s);
	if (code == EX_OK)
		code = message_hand_over(m, &s, &in);
	sendmail_disconnect(&s);
	sendmail_input_done(&in);
	return code;
}

/* ---- the queue ---- */

/* Codes of the other commands, as sysexits. */
static int sysexit_of(int code)
{
	switch (code) {
	case CLI_OK: return EX_OK;
	case CLI_USAGE: return EX_USAGE;
	case CLI_NOT_FOUND: return EX_DATAERR;
	case CLI_DENIED: return EX_NOPERM;
	case CLI_NO_SERVER: return EX_UNAVAILABLE;
	case CLI_TRY_LATER: return EX_TEMPFAIL;
	default: return EX_SOFTWARE;
	}
}

static int flush(struct sendmail *m, const char *id)
{
	struct queue_id_request  q = { .id = 0 };
	struct queue_count_reply r = { 0 };

	if (id && !queue_id_parse(str_of(id), &q.id))
		return sendmail_error(m, EX_USAGE, "-qI%s: that is no queue id", id);
	return sysexit_of(cli_ask(m->cli, IPC_QUEUE_RETRY, &q, &r, id ? id : "queue"));
}

int sendmail_newaliases(struct sendmail *m)
{
	m->cli->args[0] = ALIASES;
	m->cli->arg_count = 1;
	return sysexit_of(cmd_alias_import(m->cli));
}

static int run_mode(struct sendmail *m, const struct options *o)
{
	switch (o->mode) {
	case MODE_SEND: return message_send(m);
	case MODE_SMTP: return sendmail_smtp(m);
	case MODE_MAILQ: return sysexit_of(sendmail_mailq(m));
	case MODE_NEWALIASES: return sendmail_newaliases(m);
	case MODE_FLUSH: return flush(m, o->flush_id);
	case MODE_HELP: break;
	}
	return help();
}

int cmd_sendmail(struct cli *c, int argc, char **argv)
{
	struct sendmail *m = ARENA_NEW(c->arena, struct sendmail);
	struct options   o = { .mode = MODE_SEND };
	int              code;

	m->cli = c;
	m->arena = c->arena;
	m->program = c->command->group;
	if (strcmp(m->program, "mailq") == 0)
		o.mode = MODE_MAILQ;
	else if (strcmp(m->program, "newaliases") == 0)
		o.mode = MODE_NEWALIASES;
	code = options_take(m, argc, argv, &o);
	if (code != EX_OK)
		return code;
	user_find(m);
	return run_mode(m, &o);
}
