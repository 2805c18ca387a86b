/* imap/imap_cmd_quota.c - GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).
 *
 * There is one quota root for each account, and its name is "" for one's own; all mailboxes of the account are under it. Limits are
 * set by administrators with the command line, never here.
 */
#include "imap/imap_session.h"
#include "wire/imap/imap_print.h"

/* quota-response = "QUOTA" SP quota-root-name SP quota-list; without a resource where there is no limit (RFC 9208 §5.1). STORAGE is in KiB,
 * rounded up: something is never nothing. */
static enum status quota_line(struct imap_session *s)
{
	struct store_account *a;
	struct store_info     info;
	const char           *sep = "";
	enum status           st = imap_account(s, &a);

	if (st == ST_OK)
		st = store_info(a, &info);
	if (st != ST_OK)
		return st;
	imap_put(s, STR("* QUOTA \"\" ("));
	if (s->quota.quota_octets > 0) {
		imap_putf(s, "STORAGE %llu %llu", (unsigned long long)(info.size + 1023) / 1024, (unsigned long long)(s->quota.quota_octets + 1023) / 1024);
		sep = " ";
	}
	if (s->quota.quota_messages > 0)
		imap_putf(s, "%sMESSAGE %llu %llu", sep, (unsigned long long)info.messages, (unsigned long long)s->quota.quota_messages);
	imap_put(s, STR(")\r\n"));
	return ST_OK;
}

static void know_now(struct imap_session *s)
{
	s->quota_ms = 0;
	imap_quota_know(s);
}

enum imap_next imap_cmd_getquota(struct imap_session *s, struct imap_command *c)
{
	struct str  root;
	enum status st;

	if (!imap_lex_astring(&c->x, &root) || !imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: GETQUOTA root");
	if (root.n > 0)
		return imap_no(s, "[NONEXISTENT] No such quota root");
	know_now(s);
	st = quota_line(s);
	return st == ST_OK ? imap_ok(s, "That is all") : imap_failed(s, st);
}

/* A mailbox of one's own need not exist: the root is the one that it would have (RFC 9208 §4.1.2). That one of another does not exist is told to
 * nobody who may not look, so there each name must be one that may be read. */
enum imap_next imap_cmd_getquotaroot(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a;
	struct store_mailbox  m;
	struct str            name;
	enum status           st = ST_OK;

	if (!imap_name_take(s, &c->x, &name))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: GETQUOTAROOT mailbox");
	know_now(s);
	if (imap_is_foreign(name))
		st = imap_mailbox_find(s, name, IMAP_RIGHT_READ, &a, &m);
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_put(s, STR("* QUOTAROOT "));
	imap_put_name(s, name);
	if (imap_is_foreign(name)) { /* what others may hold is theirs to know: no root is told */
		imap_put(s, STR("\r\n"));
		return imap_ok(s, "That is all");
	}
	imap_put(s, STR(" \"\"\r\n"));
	st = quota_line(s);
	return st == ST_OK ? imap_ok(s, "That is all") : imap_failed(s, st);
}

/* "(" [resource-name SP number64 *(SP ...)] ")" */
static bool limits(struct imap_lex *x)
{
	struct str name;
	uint64_t   v;

	if (!imap_lex_char(x, '('))
		return false;
	if (imap_lex_peek(x) != ')') {
		do {
			if (!imap_lex_atom(x, &name) || !imap_lex_sp(x) || !imap_lex_number64(x, &v))
				return false;
		} while (imap_lex_sp(x));
	}
	return imap_lex_char(x, ')') && imap_lex_end(x);
}

/* RFC 9208 §4.1.3: without QUOTASET in the capabilities it may be refused always. */
enum imap_next imap_cmd_setquota(struct imap_session *s, struct imap_command *c)
{
	struct str root;

	if (!imap_lex_astring(&c->x, &root) || !imap_lex_sp(&c->x) || !limits(&c->x))
		return imap_bad(s, "Syntax: SETQUOTA root (resource limit ...)");
	return root.n > 0 ? imap_no(s, "[NONEXISTENT] No such quota root") :
			    imap_no(s, "[NOPERM] Limits are set by the administrator");
}
