/* imap/imap_capability.c - what we can do, and what the client may switch on: CAPABILITY, ENABLE (RFC 9051 §6.1.1, §6.3.1; RFC 5161). */
#include "imap/imap_session.h"

enum when {                   /* bit mask: all must hold */
	    BEFORE = 1u << 0, /* sign-in */
	    AFTER = 1u << 1,
	    NO_TLS = 1u << 2, /* and it could be started */
	    MAY_NOT = 1u << 3, /* be signed in now */
};

static const struct {
	const char *name;
	unsigned    when;
	const char *rfc;
} capabilities[] = {
	{ "IMAP4rev1", 0, "RFC 3501" },
	{ "SASL-IR", BEFORE, "RFC 4959" },
	{ "LITERAL+", 0, "RFC 7888" },
	{ "ID", 0, "RFC 2971" },
	{ "ENABLE", 0, "RFC 5161" },
	{ "STARTTLS", BEFORE | NO_TLS, "RFC 9051 §6.2.1" },
	{ "LOGINDISABLED", BEFORE | MAY_NOT, "RFC 9051 §7.2.2" },
	{ "IDLE", AFTER, "RFC 2177" },
	{ "NAMESPACE", AFTER, "RFC 2342" },
	{ "CHILDREN", AFTER, "RFC 3348" },
	{ "SPECIAL-USE", AFTER, "RFC 6154" },
	{ "UNSELECT", AFTER, "RFC 3691" },
	{ "UIDPLUS", AFTER, "RFC 4315" },
	{ "MOVE", AFTER, "RFC 6851" },
	{ "STATUS=SIZE", AFTER, "RFC 8438" },
	{ "WITHIN", AFTER, "RFC 5032" },
	{ "ACL", AFTER, "RFC 4314" },
	{ "RIGHTS=kxte", AFTER, "RFC 4314 §5.1.1" },
	{ "QUOTA", AFTER, "RFC 9208" },
	{ "QUOTA=RES-STORAGE", AFTER, "RFC 9208" },
	{ "QUOTA=RES-MESSAGE", AFTER, "RFC 9208" },
};

void imap_capability_put(struct imap_session *s)
{
	unsigned now = 0;

	now |= s->state == IMAP_NOT_AUTH ? BEFORE : AFTER;
	now |= net_tls_possible(s->conn) ? NO_TLS : 0;
	now |= imap_may_sign_in(s) ? 0 : MAY_NOT;
	imap_put(s, STR("CAPABILITY"));
	for (size_t i = 0; i < LEN(capabilities); i++)
		if ((capabilities[i].when & now) == capabilities[i].when)
			imap_putf(s, " %s", capabilities[i].name);
	if (s->state == IMAP_NOT_AUTH)
		imap_mechanisms_put(s);
}

enum imap_next imap_cmd_capability(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_put(s, STR("* "));
	imap_capability_put(s);
	imap_put(s, STR("\r\n"));
	return imap_ok(s, "That is all");
}

enum imap_next imap_cmd_enable(struct imap_session *s, struct imap_command *c)
{
	struct str name;

	do {
		if (!imap_lex_atom(&c->x, &name))
			return imap_bad(s, "Syntax: ENABLE name ...");
	} while (imap_lex_sp(&c->x));
	if (!imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: ENABLE name ...");
	/* RFC 5161 §3.1: what can be enabled and was not yet; there is nothing of that kind here. */
	imap_put(s, STR("* ENABLED\r\n"));
	return imap_ok(s, "Done");
}
