/* imap/imap_cmd_idle.c - IDLE (RFC 2177): the client waits, we tell what changes.
 *
 *   AUTH, SELECTED --IDLE--> idling --DONE--> as before          anything but DONE ends it with BAD
 *
 * The watch is set before the first look, so nothing that happens in between is missed; and the first look tells what
 * happened before. While idling the session holds no view, handle or output buffer. Nothing is sent to keep the
 * connection warm: it would wake telephones.
 */
#include "imap/imap_cmd_notify.h"

enum imap_next imap_cmd_idle(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	if (!s->watch.at) /* NOTIFY may have set it */
		imap_notify_add(s->env->notify, &s->watch, s->account_id, s->conn);
	imap_put(s, STR("+ idling\r\n"));
	if (s->state == IMAP_SELECTED && imap_notice_sync(s, true) != ST_OK) {
		imap_idle_done(s);
		return imap_no(
			s,
			"[UNAVAILABLE] The mailbox cannot be read any more"); /* and the dispatcher ends the session */
	}
	imap_notice_tell(s);
	imap_view_drop(s);
	s->mode = IMAP_MODE_IDLE;
	return IMAP_NEXT_WAIT;
}

void imap_idle_done(struct imap_session *s)
{
	if (!imap_notice_on(s))
		imap_notify_remove(s->env->notify, &s->watch);
}

void imap_idle_wake(struct imap_session *s)
{
	struct arena *kept = s->arena;

	if (s->mode != IMAP_MODE_IDLE || (s->state != IMAP_SELECTED && !imap_notice_on(s)))
		return;
	s->arena = arena_new(NULL); /* the command's own lives as long as the IDLE */
	if (s->state == IMAP_SELECTED && imap_notice_sync(s, true) != ST_OK) {
		imap_put(s, STR("* BYE [UNAVAILABLE] The mailbox cannot be read any more, connect again\r\n"));
		s->end = "mailbox lost";
		s->broken = true;
	}
	imap_notice_tell(s);
	imap_view_drop(s);
	imap_flush(s);
	arena_free(&s->arena);
	s->arena = kept;
}

enum imap_next imap_idle_line(struct imap_session *s, struct str line)
{
	imap_idle_done(s);
	s->reply = (struct imap_reply){ 0 };
	if (str_ieq(line, STR("DONE")))
		imap_ok(s, "Idled");
	else
		imap_bad(s, "DONE was expected");
	imap_finish(s, true);
	return IMAP_NEXT_REPLY;
}
