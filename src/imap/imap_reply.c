/* imap/imap_reply.c - answers, output, and the account's handle: rule 1 of imap_session.h lives here. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap/imap_cmd_notify.h"
#include "sys/clock.h"
#include "wire/imap/imap_name.h"
#include "wire/imap/imap_print.h"

#define SPILL (64 * KIB) /* output that is worth a write */

PRINTF_LIKE(3, 0)
static enum imap_next reply(struct imap_session *s, enum imap_reply_kind kind, const char *fmt, va_list va)
{
	char text[600];
	int  n = vsnprintf(text, sizeof(text), fmt, va);

	/* Longer ones (COPYUID of a scattered set) are made in the arena by their handler and set s->reply themselves.
	 */
	CHECK(n >= 0 && (size_t)n < sizeof(text));
	s->reply.kind = kind;
	s->reply.text = arena_dup(s->arena, str_n(text, (size_t)n));
	return IMAP_NEXT_REPLY;
}

#define REPLY(name, kind)                                                 \
	enum imap_next name(struct imap_session *s, const char *fmt, ...) \
	{                                                                 \
		va_list        va;                                        \
		enum imap_next next;                                      \
		va_start(va, fmt);                                        \
		next = reply(s, kind, fmt, va);                           \
		va_end(va);                                               \
		return next;                                              \
	}
REPLY(imap_ok, IMAP_REPLY_OK)
REPLY(imap_no, IMAP_REPLY_NO)
REPLY(imap_bad, IMAP_REPLY_BAD)

/* Response codes: RFC 5530, RFC 9051 §7.1. */
static const char *const of_status[ST_COUNT] = {
	[ST_AGAIN] = "[UNAVAILABLE] Try again later",
	[ST_NOT_FOUND] = "[NONEXISTENT] No such mailbox",
	[ST_EXISTS] = "[ALREADYEXISTS] There is one of that name already",
	[ST_DENIED] = "[CANNOT] Not allowed",
	[ST_LIMIT] = "[LIMIT] A limit was reached",
	[ST_TEMP] = "[UNAVAILABLE] Try again later",
	[ST_IO] = "[SERVERBUG] Storage failed",
	[ST_CORRUPT] = "[CORRUPTION] Stored data is damaged",
	[ST_FULL] = "[OVERQUOTA] No space left",
	[ST_SUSPECT] = "[UNAVAILABLE] The account is under repair",
	[ST_VERSION] = "[UNAVAILABLE] Stored by a newer program",
	[ST_INVALID] = "[CANNOT] Not a legal value",
	[ST_CLOSED] = "[UNAVAILABLE] Try again later",
	[ST_BUSY] = "[INUSE] Held by somebody else",
	[ST_QUOTA] = "[OVERQUOTA] The quota would be exceeded",
};

enum imap_next imap_failed(struct imap_session *s, enum status st)
{
	CHECK(st != ST_OK && st < ST_COUNT && of_status[st]);
	/* RFC 5530: what somebody with other rights could do, beside what nobody can. */
	if (st == ST_DENIED && s->no_right) {
		s->no_right = false;
		return imap_no(s, "[NOPERM] You have no right to do that");
	}
	return imap_no(s, "%s", of_status[st]);
}

enum imap_next imap_bad_name(struct imap_session *s, bool too_long)
{
	return too_long ? imap_no(s, "[LIMIT] The mailbox name is too long or too deep")
			: imap_no(s, "[CANNOT] Not a legal mailbox name");
}

/* ---- output ---- */

void imap_put(struct imap_session *s, struct str text)
{
	if (s->broken)
		return;
	if (!imap_out_room(s, text.n)) {
		imap_out_over(s);
		return;
	}
	if (!buf_add(&s->out, text)) {
		s->broken = true;
		return;
	}
	if (!s->inside && text.n >= 2 && text.p[text.n - 1] == '\n')
		s->whole = s->out.n;
}

void imap_put_u64(struct imap_session *s, uint64_t v)
{
	char   p[20];
	size_t n = sizeof(p);

	do {
		p[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	imap_put(s, str_n(p + n, sizeof(p) - n));
}

void imap_inside(struct imap_session *s, bool inside)
{
	s->inside = inside;
	if (!inside)
		s->whole = s->out.n;
}

void imap_putf(struct imap_session *s, const char *fmt, ...)
{
	char    text[600];
	va_list va;
	int     n;

	va_start(va, fmt);
	n = vsnprintf(text, sizeof(text), fmt, va);
	va_end(va);
	CHECK(n >= 0 && (size_t)n < sizeof(text));
	imap_put(s, str_n(text, (size_t)n));
}

void imap_flush(struct imap_session *s)
{
	if (s->out.n == 0)
		return;
	/* The client may read slowly: nothing of the store is held meanwhile. */
	imap_account_back(s);
	net_write(s->conn, buf_str(&s->out));
	buf_clear(&s->out);
	s->whole = s->inside ? IMAP_NOT_WHOLE : 0;
}

bool imap_spill(struct imap_session *s)
{
	if (s->out.n < SPILL)
		return !s->broken;
	imap_flush(s);
	if (net_flush(s->conn) != ST_OK)
		s->broken = true;
	return !s->broken;
}

/* ---- the account ---- */

enum status imap_account(struct imap_session *s, struct store_account **ret)
{
	enum status st = s->account ? ST_OK : store_open(s->env->store, s->account_id, &s->account);

	if (st == ST_OK) {
		s->last_account = s->account_id;
		imap_quota_apply(s, s->account);
		*ret = s->account;
	}
	return st;
}

void imap_account_enter(struct imap_session *s, const struct auth_login_reply *login)
{
	CHECK(s->account_id == 0);
	s->account_id = login->account;
	s->user = strndup(login->address.p ? login->address.p : "", login->address.n);
	CHECK(s->user);
	s->until = clock_mono_ms() + s->set->session_ms;
	s->entry = store_enter(s->env->store, s->account_id, login->token);
}

void imap_account_leave(struct imap_session *s)
{
	CHECK(!s->account);
	imap_others_back(s, true);
	imap_shared_forget(s);
	s->saw_shared = false;
	imap_notify_remove(s->env->notify, &s->watch);
	imap_notice_done(s);
	store_leave(s->env->store, &s->entry);
	free(s->user);
	s->user = NULL;
	s->account_id = 0;
	s->quota = (struct auth_quota_reply){ 0 };
	s->quota_ms = 0;
}

void imap_account_back(struct imap_session *s)
{
	s->untidy |= s->account && store_untidy(s->account);
	store_close(&s->account);
	imap_others_back(s, false);
}

void imap_changed(struct imap_session *s, uint64_t modseq)
{
	if (s->last_account == s->account_id)
		imap_notice_own(s, modseq);
	s->env->ask->changed(s->env->ask_ctx, s->last_account, modseq);
}

void imap_put_name(struct imap_session *s, struct str name)
{
	if (imap_utf8(s) && !str_is_ascii(name))
		imap_print_utf8(&s->out, name);
	else
		imap_print_astring(&s->out, imap_name_wire(name, imap_utf8(s), s->arena));
}

void imap_put_list(struct imap_session *s, struct str attributes, struct str name, struct str old)
{
	imap_inside(s, true);
	imap_put(s, STR("* LIST ("));
	imap_put(s, attributes);
	imap_putf(s, ") \"%c\" ", IMAP_DELIMITER);
	imap_put_name(s, name);
	if (old.n > 0) {
		imap_put(s, STR(" (\"OLDNAME\" ("));
		imap_put_name(s, old);
		imap_put(s, STR("))"));
	}
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
}

bool imap_name_take(struct imap_session *s, struct imap_lex *x, struct str *ret)
{
	struct str given;

	return imap_name_take_given(s, x, ret, &given);
}

bool imap_name_take_given(struct imap_session *s, struct imap_lex *x, struct str *ret, struct str *ret_given)
{
	if (!imap_lex_astring(x, ret_given)) {
		imap_bad(s, "Expected a mailbox name");
		return false;
	}
	switch (imap_name_parse(*ret_given, imap_utf8(s), s->arena, ret)) {
	case IMAP_NAME_OK: return true;
	case IMAP_NAME_BAD: imap_bad_name(s, false); return false;
	case IMAP_NAME_LONG: imap_bad_name(s, true); return false;
	}
	return false;
}
