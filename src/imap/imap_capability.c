/* imap/imap_capability.c - what we can do, and what the client may switch on: CAPABILITY, ENABLE (RFC 9051 §6.1.1, §6.3.1; RFC 5161). */
#include "imap/imap_session.h"

enum when {                   /* bit mask: all must hold */
	    BEFORE = 1u << 0, /* sign-in */
	    AFTER = 1u << 1,
	    NO_TLS = 1u << 2, /* and it could be started */
	    MAY_NOT = 1u << 3, /* be signed in now */
	    DEFLATE = 1u << 4, /* may begin */
};

static const struct {
	const char *name;
	unsigned    when;
	const char *rfc;
} capabilities[] = {
	{ "IMAP4rev1", 0, "RFC 3501" },
	{ "IMAP4rev2", 0, "RFC 9051" },
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
	{ "CREATE-SPECIAL-USE", AFTER, "RFC 6154" },
	{ "LIST-EXTENDED", AFTER, "RFC 5258" },
	{ "LIST-STATUS", AFTER, "RFC 5819" },
	{ "METADATA", AFTER, "RFC 5464" },
	{ "LIST-METADATA", AFTER, "RFC 9590" },
	{ "OBJECTID", AFTER, "RFC 8474" },
	{ "NOTIFY", AFTER, "RFC 5465" },
	{ "UTF8=ACCEPT", AFTER, "RFC 9755" },
	{ "UNSELECT", AFTER, "RFC 3691" },
	{ "UIDPLUS", AFTER, "RFC 4315" },
	{ "MOVE", AFTER, "RFC 6851" },
	{ "BINARY", AFTER, "RFC 3516" },
	{ "MULTIAPPEND", AFTER, "RFC 3502" },
	{ "CATENATE", AFTER, "RFC 4469" },
	{ "REPLACE", AFTER, "RFC 8508" },
	{ "SAVEDATE", AFTER, "RFC 8514" },
	{ "PREVIEW", AFTER, "RFC 8970" },
	{ "STATUS=SIZE", AFTER, "RFC 8438" },
	{ "WITHIN", AFTER, "RFC 5032" },
	{ "COMPRESS=DEFLATE", AFTER | DEFLATE, "RFC 4978" },
	{ "ESEARCH", AFTER, "RFC 4731" },
	{ "SEARCHRES", AFTER, "RFC 5182" },
	{ "PARTIAL", AFTER, "RFC 9394" },
	{ "SORT", AFTER, "RFC 5256" },
	{ "SORT=DISPLAY", AFTER, "RFC 5957" },
	{ "ESORT", AFTER, "RFC 5267" },
	{ "CONTEXT=SEARCH", AFTER, "RFC 5267" },
	{ "CONTEXT=SORT", AFTER, "RFC 5267" },
	{ "THREAD=ORDEREDSUBJECT", AFTER, "RFC 5256" },
	{ "THREAD=REFERENCES", AFTER, "RFC 5256" },
	{ "THREAD=REFS", AFTER, "draft-ietf-morg-inthread" },
	{ "MULTISEARCH", AFTER, "RFC 7377" },
	{ "I18NLEVEL=1", AFTER, "RFC 5255" },
	{ "INPROGRESS", AFTER, "RFC 9585" },
	{ "CONDSTORE", AFTER, "RFC 7162" },
	{ "QRESYNC", AFTER, "RFC 7162" },
	{ "UIDONLY", AFTER, "RFC 9586" },
	{ "UIDBATCHES", AFTER, "RFC 10022" },
	{ "UNAUTHENTICATE", AFTER, "RFC 8437" },
};

void imap_capability_put(struct imap_session *s)
{
	unsigned now = 0;

	now |= s->state == IMAP_NOT_AUTH ? BEFORE : AFTER;
	now |= net_tls_possible(s->conn) ? NO_TLS : 0;
	now |= imap_may_sign_in(s) ? 0 : MAY_NOT;
	now |= imap_may_compress(s) ? DEFLATE : 0;
	imap_put(s, STR("CAPABILITY"));
	for (size_t i = 0; i < LEN(capabilities); i++)
		if ((capabilities[i].when & now) == capabilities[i].when)
			imap_putf(s, " %s", capabilities[i].name);
	if (s->state == IMAP_NOT_AUTH) {
		imap_mechanisms_put(s);
		return;
	}
	imap_putf(s, " APPENDLIMIT=%llu", (unsigned long long)s->set->message_octets); /* RFC 7889 §2: one limit for all mailboxes */
	imap_limit_announce(s);
}

enum imap_next imap_cmd_capability(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_put(s, STR("* "));
	imap_capability_put(s);
	imap_put(s, STR("\r\n"));
	return imap_ok(s, "That is all");
}

/* What ENABLE knows. */
static const struct {
	struct str  name;
	unsigned    bit, implies;
	const char *rfc;
} enables[] = {
	{ STR("CONDSTORE"), IMAP_ENABLED_CONDSTORE, 0, "RFC 7162 §3.1" },
	{ STR("QRESYNC"), IMAP_ENABLED_QRESYNC, IMAP_ENABLED_CONDSTORE, "RFC 7162 §3.2.3" },
	{ STR("UTF8=ACCEPT"), IMAP_ENABLED_UTF8, 0, "RFC 9755 §3" },
	{ STR("IMAP4rev2"), IMAP_ENABLED_REV2, 0, "RFC 9051 §6.3.1" },
	{ STR("UIDONLY"), IMAP_ENABLED_UIDONLY, 0, "RFC 9586 §3.1" },
};

void imap_enable(struct imap_session *s, unsigned bits)
{
	unsigned before = s->enabled;

	for (size_t i = 0; i < LEN(enables); i++)
		if (bits & enables[i].bit)
			bits |= enables[i].implies;
	s->enabled |= bits;
	if ((bits & ~before & IMAP_ENABLED_CONDSTORE) && s->state == IMAP_SELECTED)
		imap_put_highest(s);
}

static unsigned bit_of(struct str name)
{
	for (size_t i = 0; i < LEN(enables); i++)
		if (str_ieq(enables[i].name, name))
			return enables[i].bit;
	return 0; /* RFC 5161 §3.1: unknown names are no error */
}

enum imap_next imap_cmd_enable(struct imap_session *s, struct imap_command *c)
{
	struct str name;
	unsigned   bits = 0;

	do {
		if (!imap_lex_atom(&c->x, &name))
			return imap_bad(s, "Syntax: ENABLE name ...");
		bits |= bit_of(name);
	} while (imap_lex_sp(&c->x));
	if (!imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: ENABLE name ...");
	imap_put(s, STR("* ENABLED"));
	for (size_t i = 0; i < LEN(enables); i++)
		if (bits & ~s->enabled & enables[i].bit)
			imap_putf(s, " %.*s", STR_FMT(enables[i].name));
	imap_put(s, STR("\r\n"));
	imap_enable(s, bits);
	return imap_ok(s, "Done");
}
