/* smtp/smtp_cmd_xclient.c - XCLIENT: a trusted proxy says for whom it speaks (Postfix, XCLIENT_README).
 *
 *   NEW, READY --XCLIENT, 220--> NEW        refused: nothing changes
 *
 * From then on the session is the named client's: its address is in the log, in Received, and in all limits, and it has no more rights than it
 * would have had by connecting itself. LOGIN is information for the log, never a sign-in: a proxy that is believed about an address is
 * not thereby believed about a password that nobody here has seen, and a mistake in the list of trusted addresses must not open every mailbox.
 * NAME and HELO are not used either: we look names up ourselves, and the client gives its HELO again after the new greeting.
 */
#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/smtp/smtp_xclient.h"

enum smtp_next smtp_cmd_xclient(struct smtp_session *s, struct str arg)
{
	static const struct smtp_reply bad = { 501, "5.5.4", "Bad attribute or value" };
	static const struct smtp_reply too_many = { 421, "4.7.0", "Too many connections of this client, try again later" };
	char                           via[sizeof(s->info->peer)];
	struct smtp_xclient            x;

	if (!smtp_xclient_parse(arg, &x))
		return smtp_answer(s, &bad);
	CHECK(str_to_c(str_of(s->info->peer), via, sizeof(via)));
	smtp_guard_note(s, true); /* of the proxy */
	s->xclient = true;
	if ((x.known & SMTP_XCLIENT_ADDR) && !net_peer_set(s->conn, x.address, x.port))
		return smtp_end(s, &too_many, "too many connections");
	log_info("client named by xclient", LOG_C("session", s->info->id), LOG_C("via", via), LOG_C("peer", s->info->peer),
		 LOG_C("name", x.name), LOG_C("helo", x.helo), LOG_C("login", x.login));
	buf_clear(&s->hello);
	s->esmtp = false;
	smtp_enter(s, SMTP_STATE_NEW);
	return smtp_guard_begin(s); /* is the client welcome? */
}
