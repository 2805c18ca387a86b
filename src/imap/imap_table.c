/* imap/imap_table.c - the commands, and the one place where order and privilege are checked. */
#include "base/log.h"
#include "imap/imap_cmd_notify.h"

static const struct imap_row rows[] = {
	/* any state */
	{ STR("CAPABILITY"), imap_cmd_capability, IMAP_IN_ANY, IMAP_ARGS_NONE, 0, "RFC 9051 §6.1.1" },
	{ STR("NOOP"), imap_cmd_noop, IMAP_IN_ANY, IMAP_ARGS_NONE, 0, "RFC 9051 §6.1.2" },
	{ STR("LOGOUT"), imap_cmd_logout, IMAP_IN_ANY, IMAP_ARGS_NONE, IMAP_CMD_QUIET, "RFC 9051 §6.1.3" },
	{ STR("ID"), imap_cmd_id, IMAP_IN_ANY, IMAP_ARGS_SOME, 0, "RFC 2971" },
	/* before sign-in */
	{ STR("STARTTLS"), imap_cmd_starttls, IMAP_IN(IMAP_NOT_AUTH), IMAP_ARGS_NONE, 0, "RFC 9051 §6.2.1" },
	{ STR("AUTHENTICATE"), imap_cmd_authenticate, IMAP_IN(IMAP_NOT_AUTH), IMAP_ARGS_SOME, 0, "RFC 9051 §6.2.2" },
	{ STR("LOGIN"), imap_cmd_login, IMAP_IN(IMAP_NOT_AUTH), IMAP_ARGS_SOME, 0, "RFC 9051 §6.2.3" },
	/* signed in */
	{ STR("UNAUTHENTICATE"), imap_cmd_unauthenticate, IMAP_IN_LOGGED, IMAP_ARGS_NONE, IMAP_CMD_QUIET, "RFC 8437" },
	{ STR("ENABLE"), imap_cmd_enable, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.1" },
	{ STR("SELECT"), imap_cmd_select, IMAP_IN_LOGGED, IMAP_ARGS_SOME, IMAP_CMD_QUIET, "RFC 9051 §6.3.2" },
	{ STR("EXAMINE"), imap_cmd_examine, IMAP_IN_LOGGED, IMAP_ARGS_SOME, IMAP_CMD_QUIET, "RFC 9051 §6.3.3" },
	{ STR("CREATE"), imap_cmd_create, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.4" },
	{ STR("DELETE"), imap_cmd_delete, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.5" },
	{ STR("RENAME"), imap_cmd_rename, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.6" },
	{ STR("SUBSCRIBE"), imap_cmd_subscribe, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.7" },
	{ STR("UNSUBSCRIBE"), imap_cmd_unsubscribe, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.8" },
	{ STR("LIST"), imap_cmd_list, IMAP_IN_LOGGED, IMAP_ARGS_SOME, IMAP_CMD_BULK, "RFC 9051 §6.3.9" },
	{ STR("LSUB"), imap_cmd_lsub, IMAP_IN_LOGGED, IMAP_ARGS_SOME, IMAP_CMD_BULK, "RFC 3501 §6.3.9" },
	{ STR("NAMESPACE"), imap_cmd_namespace, IMAP_IN_LOGGED, IMAP_ARGS_NONE, 0, "RFC 9051 §6.3.10" },
	{ STR("STATUS"), imap_cmd_status, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.11" },
	{ STR("APPEND"), imap_cmd_append, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 9051 §6.3.12" },
	{ STR("COMPRESS"), imap_cmd_compress, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 4978" },
	{ STR("IDLE"), imap_cmd_idle, IMAP_IN_LOGGED, IMAP_ARGS_NONE, 0, "RFC 9051 §6.3.13" },
	{ STR("NOTIFY"), imap_cmd_notify, IMAP_IN_LOGGED, IMAP_ARGS_SOME, IMAP_CMD_BULK, "RFC 5465" },
	{ STR("GETMETADATA"), imap_cmd_getmetadata, IMAP_IN_LOGGED, IMAP_ARGS_SOME, IMAP_CMD_BULK, "RFC 5464" },
	{ STR("SETMETADATA"), imap_cmd_setmetadata, IMAP_IN_LOGGED, IMAP_ARGS_SOME, 0, "RFC 5464" },
	/* a mailbox is selected */
	{ STR("CLOSE"), imap_cmd_close, IMAP_IN_BOX, IMAP_ARGS_NONE, IMAP_CMD_QUIET, "RFC 9051 §6.4.1" },
	{ STR("UNSELECT"), imap_cmd_unselect, IMAP_IN_BOX, IMAP_ARGS_NONE, IMAP_CMD_QUIET, "RFC 9051 §6.4.2" },
	{ STR("CHECK"), imap_cmd_noop, IMAP_IN_BOX, IMAP_ARGS_NONE, 0, "RFC 3501 §6.4.1" },
	{ STR("EXPUNGE"), imap_cmd_expunge, IMAP_IN_BOX, IMAP_ARGS_MAYBE, IMAP_CMD_UID | IMAP_CMD_WRITES,
	  "RFC 9051 §6.4.3" },
	{ STR("SEARCH"), imap_cmd_search, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID | IMAP_CMD_NUMBERS | IMAP_CMD_BULK,
	  "RFC 9051 §6.4.4" },
	{ STR("FETCH"), imap_cmd_fetch, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID | IMAP_CMD_NUMBERS | IMAP_CMD_BULK,
	  "RFC 9051 §6.4.5" },
	{ STR("STORE"), imap_cmd_store, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID | IMAP_CMD_NUMBERS | IMAP_CMD_WRITES,
	  "RFC 9051 §6.4.6" },
	{ STR("REPLACE"), imap_cmd_replace, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID | IMAP_CMD_WRITES, "RFC 8508" },
	{ STR("COPY"), imap_cmd_copy, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID, "RFC 9051 §6.4.7" },
	{ STR("MOVE"), imap_cmd_move, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID | IMAP_CMD_WRITES, "RFC 9051 §6.4.8" },
	{ STR("SORT"), imap_cmd_sort, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID | IMAP_CMD_NUMBERS | IMAP_CMD_BULK, "RFC 5256 §3" },
	{ STR("THREAD"), imap_cmd_thread, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_UID | IMAP_CMD_NUMBERS | IMAP_CMD_BULK, "RFC 5256 §3" },
	{ STR("CANCELUPDATE"), imap_cmd_cancelupdate, IMAP_IN_BOX, IMAP_ARGS_SOME, 0, "RFC 5267 §4.5" },
	{ STR("UIDBATCHES"), imap_cmd_uidbatches, IMAP_IN_BOX, IMAP_ARGS_SOME, IMAP_CMD_BULK, "RFC 10022 §3.1" },
	{ STR("ESEARCH"), imap_cmd_esearch, IMAP_IN_LOGGED, IMAP_ARGS_SOME, IMAP_CMD_NUMBERS | IMAP_CMD_BULK, "RFC 7377 §2" },
};

const struct imap_row *imap_row_find(struct str name)
{
	for (size_t i = 0; i < LEN(rows); i++)
		if (str_ieq(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static enum imap_next wrong_state(struct imap_session *s, const struct imap_row *row)
{
	if (s->state == IMAP_NOT_AUTH)
		return imap_bad(s, "Sign in first");
	return row->states == IMAP_IN_BOX ? imap_bad(s, "Select a mailbox first")
					  : imap_bad(s, "You have signed in already");
}

static enum imap_next refusal(struct imap_session *s, const struct imap_row *row, const struct imap_command *c)
{
	if (!row || (c->uid && !(row->flags & IMAP_CMD_UID)))
		return imap_bad(s, "Unknown command");
	if (!(row->states & IMAP_IN(s->state)))
		return wrong_state(s, row);
	if (row->args != IMAP_ARGS_MAYBE && c->args != (row->args == IMAP_ARGS_SOME))
		return c->args ? imap_bad(s, "The command takes no arguments") : imap_bad(s, "Arguments are missing");
	if ((s->enabled & IMAP_ENABLED_UIDONLY) && (row->flags & IMAP_CMD_UID) && row->args == IMAP_ARGS_SOME && !c->uid)
		return imap_bad(s, "[UIDREQUIRED] Message numbers are not used any more"); /* RFC 9586 §3 */
	if ((row->flags & IMAP_CMD_WRITES) && s->box.read_only)
		return imap_no(s, "[READ-ONLY] The mailbox was opened by EXAMINE");
	if ((row->flags & IMAP_CMD_BULK) && !imap_out_room(s, LIMIT_IMAP_WORK / 2))
		return imap_full(s);
	return IMAP_NEXT_WAIT;
}

bool imap_command_legal(struct imap_session *s, const struct imap_row *row, const struct imap_command *c)
{
	return refusal(s, row, c) == IMAP_NEXT_WAIT;
}

static const struct str words[] = { STR(""), STR("OK"), STR("NO"), STR("BAD") };

static void tagged(struct imap_session *s)
{
	if (s->reply.kind == IMAP_REPLY_NONE)
		return;
	imap_limit_tell(s);
	if (s->tag.n > 0)
		imap_put(s, s->tag);
	else
		imap_put(s, STR("*"));
	imap_putf(s, " %.*s ", STR_FMT(words[s->reply.kind]));
	if (s->reply.highest && s->reply.kind == IMAP_REPLY_OK && s->state == IMAP_SELECTED) {
		s->box.seen = s->box.highest;
		imap_putf(s, "[HIGHESTMODSEQ %llu] ", (unsigned long long)s->box.highest);
	}
	imap_put(s, s->reply.text);
	imap_put(s, STR("\r\n"));
	s->errors = s->reply.kind == IMAP_REPLY_BAD ? s->errors + 1 : 0;
}

void imap_finish(struct imap_session *s, bool expunge)
{
	if (s->state == IMAP_SELECTED && s->reply.kind != IMAP_REPLY_BAD &&
	    imap_notice_sync(s, expunge) != ST_OK) {
		imap_put(s, STR("* BYE [UNAVAILABLE] The mailbox cannot be read any more, connect again\r\n"));
		s->end = "mailbox lost";
		s->broken = true;
		return;
	}
	imap_notice_tell(s);
	tagged(s);
}

enum imap_next imap_dispatch(struct imap_session *s, struct str text)
{
	struct imap_command    c;
	const struct imap_row *row;
	enum imap_next         next;

	s->reply = (struct imap_reply){ 0 };
	s->limited = 0;
	s->commands++;
	if (!imap_command_parse(text, s->arena, &c)) {
		s->tag = c.tag;
		imap_bad(s, "Malformed command");
		tagged(s);
		return IMAP_NEXT_REPLY;
	}
	s->tag = arena_dup(s->arena, c.tag); /* the text may be wiped, or the answer come later */
	row = imap_row_find(c.name);
	next = imap_command_legal(s, row, &c) ? row->handler(s, &c) : IMAP_NEXT_REPLY;
	log_debug("imap command", LOG_C("session", s->info->id), LOG_STR("name", row ? row->name : STR("unknown")),
		  LOG_U64("uid", c.uid), LOG_STR("answer", words[s->reply.kind]));
	if (next == IMAP_NEXT_WAIT)
		return next;
	if (row && (row->flags & IMAP_CMD_QUIET))
		tagged(s);
	else
		imap_finish(s, !row || !(row->flags & IMAP_CMD_NUMBERS) || c.uid);
	return next;
}
