/* imap/imap_compress.c - COMPRESS=DEFLATE (RFC 4978). The octets are net/net_deflate.c's.
 *
 * After sign-in only, and where sign-in is allowed: under TLS, or in clear where that is (the lab). Who mixes secrets and chosen text
 * in one compressed stream can be watched (CRIME); a password is never in it.
 */
#include "imap/imap_session.h"

bool imap_may_compress(const struct imap_session *s)
{
	return s->state != IMAP_NOT_AUTH && (s->info->tls || s->set->allow_plain) && !net_compressing(s->conn);
}

enum imap_next imap_cmd_compress(struct imap_session *s, struct imap_command *c)
{
	struct str algorithm;

	if (!imap_lex_atom(&c->x, &algorithm) || !imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: COMPRESS DEFLATE");
	if (!str_ieq(algorithm, STR("DEFLATE")))
		return imap_bad(s, "DEFLATE is the only algorithm");
	if (net_compressing(s->conn))
		return imap_no(s, "[COMPRESSIONACTIVE] DEFLATE is on already");
	if (!imap_may_compress(s))
		return imap_no(s, "[PRIVACYREQUIRED] Only under TLS");
	imap_ok(s, "DEFLATE from here on");
	return IMAP_NEXT_COMPRESS;
}
