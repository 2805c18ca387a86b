/* smtp/smtp_cmd_misc.c - RSET, NOOP, VRFY, QUIT (RFC 5321 §4.1.1.5, §4.1.1.9, §4.1.1.6, §4.1.1.10). */
#include "smtp/smtp_session.h"

enum smtp_next smtp_cmd_rset(struct smtp_session *s, struct str arg)
{
	static const struct smtp_reply ok = { 250, "2.0.0", "Transaction reset" };

	(void)arg;
	smtp_tx_reset(s);
	s->chunks_failed = false;
	if (s->state != SMTP_STATE_NEW)
		smtp_enter(s, SMTP_STATE_READY);
	return smtp_answer(s, &ok);
}

enum smtp_next smtp_cmd_noop(struct smtp_session *s, struct str arg)
{
	static const struct smtp_reply ok = { 250, "2.0.0", "OK" };

	(void)arg;
	return smtp_answer(s, &ok);
}

enum smtp_next smtp_cmd_vrfy(struct smtp_session *s, struct str arg)
{
	/* RFC 5321 §7.3: the same for everybody, whether there is such a mailbox or not. */
	static const struct smtp_reply perhaps = { 252, "2.0.0", "Not told; RCPT will say" };

	(void)arg;
	return smtp_answer(s, &perhaps);
}

enum smtp_next smtp_cmd_quit(struct smtp_session *s, struct str arg)
{
	static const struct smtp_reply bye = { 221, "2.0.0", "Bye" };

	(void)arg;
	return smtp_end(s, &bye, "quit");
}
