/* pop3/pop3_table.c - the commands, and the one place where order, arguments and message numbers are checked. */
#include "base/log.h"
#include "pop3/pop3_session.h"

static const struct pop3_def defs[] = {
	/* any state */
	{ STR("CAPA"), pop3_cmd_capa, POP3_IN_ANY, POP3_ARGS_NONE, 0, "RFC 2449 §5" },
	{ STR("QUIT"), pop3_cmd_quit, POP3_IN_ANY, POP3_ARGS_NONE, 0, "RFC 1939 §4, §6" },
	/* before sign-in */
	{ STR("STLS"), pop3_cmd_stls, POP3_IN_BEFORE, POP3_ARGS_NONE, 0, "RFC 2595 §4" },
	{ STR("UTF8"), pop3_cmd_utf8, POP3_IN_BEFORE, POP3_ARGS_NONE, 0, "RFC 6856 §2.1" },
	{ STR("USER"), pop3_cmd_user, POP3_IN_BEFORE, POP3_ARGS_TEXT, 0, "RFC 1939 §7" },
	{ STR("PASS"), pop3_cmd_pass, POP3_IN_BEFORE, POP3_ARGS_TEXT, 0, "RFC 1939 §7" },
	{ STR("AUTH"), pop3_cmd_auth, POP3_IN_BEFORE, POP3_ARGS_MAYBE_TEXT, 0, "RFC 5034 §4" },
	/* signed in */
	{ STR("STAT"), pop3_cmd_stat, POP3_IN_MAIL, POP3_ARGS_NONE, POP3_CMD_BULK, "RFC 1939 §5" },
	{ STR("LIST"), pop3_cmd_list, POP3_IN_MAIL, POP3_ARGS_MAYBE_MESSAGE, POP3_CMD_BULK, "RFC 1939 §5" },
	{ STR("UIDL"), pop3_cmd_uidl, POP3_IN_MAIL, POP3_ARGS_MAYBE_MESSAGE, POP3_CMD_BULK, "RFC 1939 §7" },
	{ STR("RETR"), pop3_cmd_retr, POP3_IN_MAIL, POP3_ARGS_MESSAGE, POP3_CMD_BULK, "RFC 1939 §5" },
	{ STR("TOP"), pop3_cmd_top, POP3_IN_MAIL, POP3_ARGS_MESSAGE_LINES, POP3_CMD_BULK, "RFC 1939 §7" },
	{ STR("DELE"), pop3_cmd_dele, POP3_IN_MAIL, POP3_ARGS_MESSAGE, 0, "RFC 1939 §5" },
	{ STR("NOOP"), pop3_cmd_noop, POP3_IN_MAIL, POP3_ARGS_NONE, 0, "RFC 1939 §5" },
	{ STR("RSET"), pop3_cmd_rset, POP3_IN_MAIL, POP3_ARGS_NONE, 0, "RFC 1939 §5" },
};

static const struct pop3_def *find(struct str name)
{
	for (size_t i = 0; i < LEN(defs); i++)
		if (str_ieq(defs[i].name, name))
			return &defs[i];
	return NULL;
}

/* false: the answer is given. */
static bool message_find(struct pop3_session *s, uint32_t number, struct pop3_call *call)
{
	if (number == 0 || number > s->drop.count) {
		pop3_err(s, "No such message: there are %u", s->drop.count);
		return false;
	}
	if (s->drop.rows[number - 1].flags & POP3_ROW_MARKED) {
		pop3_err(s, "Message %u is marked as deleted", number);
		return false;
	}
	call->number = number;
	call->row = &s->drop.rows[number - 1];
	return true;
}

static bool numbers_take(struct pop3_session *s, const struct pop3_def *def, struct str arg, struct pop3_call *call)
{
	uint32_t numbers[2] = { 0 };
	unsigned want = def->args == POP3_ARGS_MESSAGE_LINES ? 2 : 1, count;

	if (def->args == POP3_ARGS_MAYBE_MESSAGE && str_trim(arg).n == 0)
		return true;
	if (!pop3_numbers(arg, want, numbers, &count) || count != want) {
		pop3_bad(s, want == 2 ? "Syntax: %.*s message lines" : "Syntax: %.*s message", STR_FMT(def->name));
		return false;
	}
	/* One less than what stands for all: more lines no message has. */
	call->lines = MIN(numbers[1], POP3_LINES_ALL - 1);
	return message_find(s, numbers[0], call);
}

static bool args_take(struct pop3_session *s, const struct pop3_def *def, struct str arg, struct pop3_call *call)
{
	switch (def->args) {
	case POP3_ARGS_NONE:
		if (str_trim(arg).n > 0)
			pop3_bad(s, "The command takes no arguments");
		return str_trim(arg).n == 0;
	case POP3_ARGS_TEXT:
		if (arg.n == 0)
			pop3_bad(s, "An argument is missing");
		call->text = arg;
		return arg.n > 0;
	case POP3_ARGS_MAYBE_TEXT: call->text = arg; return true;
	default: return numbers_take(s, def, arg, call);
	}
}

static enum pop3_next run(struct pop3_session *s, const struct pop3_def *def, struct str arg)
{
	struct pop3_call call = { 0 };

	if (!def)
		return pop3_bad(s, "Unknown command");
	if (!(def->states & POP3_IN(s->state)))
		return s->state == POP3_AUTHORIZATION ? pop3_bad(s, "Sign in first") : pop3_bad(s, "You have signed in already");
	if (!args_take(s, def, arg, &call))
		return POP3_NEXT_COMMAND;
	if ((def->flags & POP3_CMD_BULK) && !pop3_work_take(s, LIMIT_POP3_WORK))
		return pop3_full(s);
	return def->handler(s, &call);
}

enum pop3_next pop3_dispatch(struct pop3_session *s, struct str line)
{
	struct pop3_command    c;
	const struct pop3_def *def = NULL;
	bool                   whole = pop3_command_parse(line, &c);
	enum pop3_next         next;

	s->commands++;
	if (whole)
		def = find(c.keyword);
	/* RFC 1939 §7: PASS comes right behind USER. */
	if (!def || def->handler != pop3_cmd_pass)
		pop3_secret_done(s);
	next = run(s, def, whole ? c.arg : STR_NONE);
	log_debug("pop3 command", LOG_C("session", s->info->id), LOG_STR("name", def ? def->name : STR("unknown")));
	return next;
}
