/* imap/imap_cmd_session.c - NOOP, CHECK, LOGOUT, UNAUTHENTICATE, ID, NAMESPACE, STARTTLS. */
#include "base/log.h"
#include "imap/imap_session.h"

/* Also CHECK: what is acknowledged is on disk already. The dispatcher tells what changed. */
enum imap_next imap_cmd_noop(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	return imap_ok(s, "Done");
}

enum imap_next imap_cmd_logout(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_put(s, STR("* BYE Logging out\r\n"));
	imap_ok(s, "Good bye");
	s->end = "logout";
	return IMAP_NEXT_CLOSE;
}

/* RFC 8437: as behind the greeting, but what encrypts and compresses the connection stays. Failed sign-ins stay counted too: who holds
 * one account must not get to try others for ever. */
enum imap_next imap_cmd_unauthenticate(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_account_back(s);
	imap_enter(s, IMAP_NOT_AUTH);
	imap_account_leave(s);
	return imap_ok(s, "Sign in again");
}

/* id-params = NIL / "(" [string SP nstring *(SP string SP nstring)] ")"; what the client says is kept for nothing. */
static bool id_params(struct imap_lex *x)
{
	struct str field, value;
	unsigned   pairs = 0;

	if (imap_lex_word(x, STR("NIL")))
		return imap_lex_end(x);
	if (!imap_lex_char(x, '('))
		return false;
	if (imap_lex_peek(x) != ')') {
		do {
			/* RFC 2971 §3.3: at most 30 pairs, names of 30 octets, values of 1024 */
			if (++pairs > 30 || !imap_lex_string(x, &field) || field.n > 30 || !imap_lex_sp(x) ||
			    !imap_lex_nstring(x, &value) || value.n > 1024)
				return false;
		} while (imap_lex_sp(x));
	}
	return imap_lex_char(x, ')') && imap_lex_end(x);
}

enum imap_next imap_cmd_id(struct imap_session *s, struct imap_command *c)
{
	if (!id_params(&c->x))
		return imap_bad(s, "Syntax: ID NIL, or ID (\"name\" \"value\" ...)");
	/* The version is nobody's business before sign-in. */
	imap_put(s, s->state == IMAP_NOT_AUTH
			    ? STR("* ID (\"name\" \"Postrider\")\r\n")
			    : STR("* ID (\"name\" \"Postrider\" \"version\" \"" POSTRIDER_VERSION "\")\r\n"));
	return imap_ok(s, "Nice to meet you");
}

enum imap_next imap_cmd_namespace(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_put(s, STR("* NAMESPACE ((\"\" \"/\")) ((\"" IMAP_OTHERS "\" \"/\")) NIL\r\n"));
	return imap_ok(s, "That is all");
}

enum imap_next imap_cmd_starttls(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	if (s->info->tls)
		return imap_bad(s, "TLS is active already");
	if (!net_tls_possible(s->conn))
		return imap_bad(s, "TLS is not available");
	imap_ok(s, "Begin TLS now");
	return IMAP_NEXT_TLS;
}
