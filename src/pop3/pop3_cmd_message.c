/* pop3/pop3_cmd_message.c - RETR, TOP, DELE, RSET (RFC 1939 §5, §7). */
#include "pop3/pop3_session.h"

/* true: it was sent whole; else *ret is what comes next, and an answer was given if one is possible. */
static bool send(struct pop3_session *s, const struct pop3_call *c, struct str head, uint32_t lines, enum pop3_next *ret)
{
	enum status st = pop3_content_put(s, c->row, head, lines);

	*ret = s->broken ? POP3_NEXT_CLOSE : POP3_NEXT_COMMAND;
	if (s->broken)
		s->end = st == ST_CLOSED ? "write failed" : "the message could not be read to its end";
	else if (st != ST_OK)
		pop3_failed(s, st);
	else
		s->errors = 0;
	return !s->broken && st == ST_OK;
}

/* What a client has fetched is \Seen to those that read the mailbox otherwise. */
enum pop3_next pop3_cmd_retr(struct pop3_session *s, const struct pop3_call *c)
{
	struct str     head = arena_printf(s->arena, "+OK %llu octets\r\n", (unsigned long long)pop3_size(s, c->row));
	enum pop3_next next;

	if (send(s, c, head, POP3_LINES_ALL, &next)) {
		s->retrieved++;
		pop3_drop_seen(s, c->row);
	}
	return next;
}

enum pop3_next pop3_cmd_top(struct pop3_session *s, const struct pop3_call *c)
{
	enum pop3_next next;

	(void)send(s, c, STR("+OK The beginning\r\n"), c->lines, &next);
	return next;
}

enum pop3_next pop3_cmd_dele(struct pop3_session *s, const struct pop3_call *c)
{
	c->row->flags |= POP3_ROW_MARKED;
	return pop3_ok(s, "Message %u will be removed at QUIT", c->number);
}

enum pop3_next pop3_cmd_rset(struct pop3_session *s, const struct pop3_call *c)
{
	(void)c;
	for (uint32_t i = 0; i < s->drop.count; i++)
		s->drop.rows[i].flags &= ~(uint32_t)POP3_ROW_MARKED;
	return pop3_ok(s, "%u messages, none is marked", s->drop.count);
}
