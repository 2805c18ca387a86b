/* pop3/pop3_reply.c - answers, output, memory, and the account's handle: rule 1 of pop3_session.h lives here. */
#include <stdarg.h>
#include <stdio.h>

#include "pop3/pop3_session.h"

#define SPILL     (64 * KIB) /* output that is worth a write */
#define REPLY_MAX 512        /* RFC 2449 §4, with CRLF */

PRINTF_LIKE(3, 0)
static void line_put(struct pop3_session *s, const char *word, const char *fmt, va_list va)
{
	char text[REPLY_MAX];
	int  n = vsnprintf(text, sizeof(text), fmt, va);

	CHECK(n >= 0 && (size_t)n < sizeof(text) - sizeof("-ERR \r\n"));
	pop3_put(s, str_of(word));
	pop3_put(s, str_n(text, (size_t)n));
	pop3_put(s, STR("\r\n"));
}

#define REPLY(name, word, count)                                          \
	enum pop3_next name(struct pop3_session *s, const char *fmt, ...) \
	{                                                                 \
		va_list va;                                               \
		va_start(va, fmt);                                        \
		line_put(s, word, fmt, va);                               \
		va_end(va);                                               \
		s->errors = (count);                                      \
		return POP3_NEXT_COMMAND;                                 \
	}
REPLY(pop3_ok, "+OK ", 0)
REPLY(pop3_err, "-ERR ", 0)
REPLY(pop3_bad, "-ERR ", s->errors + 1)

/* Response codes: RFC 3206 §4. Nothing here is the fault of what the client said. */
static const char *const of_status[ST_COUNT] = {
	[ST_AGAIN] = "[SYS/TEMP] Try again later",
	[ST_NOT_FOUND] = "The message is gone: somebody else removed it",
	[ST_EXISTS] = "[SYS/TEMP] Try again later",
	[ST_DENIED] = "[SYS/PERM] Not allowed",
	[ST_LIMIT] = "[SYS/PERM] The mailbox holds more messages than POP3 can show; read it by IMAP",
	[ST_TEMP] = "[SYS/TEMP] Try again later",
	[ST_IO] = "[SYS/TEMP] Storage failed",
	[ST_CORRUPT] = "[SYS/PERM] Stored data is damaged",
	[ST_FULL] = "[SYS/TEMP] No space left",
	[ST_SUSPECT] = "[SYS/TEMP] The account is under repair",
	[ST_VERSION] = "[SYS/PERM] Stored by a newer program",
	[ST_INVALID] = "[SYS/PERM] Not a legal value",
	[ST_CLOSED] = "[SYS/TEMP] Try again later",
	[ST_BUSY] = "[SYS/TEMP] The server is full, try again later",
};

enum pop3_next pop3_failed(struct pop3_session *s, enum status st)
{
	CHECK(st != ST_OK && st < ST_COUNT && of_status[st]);
	return pop3_err(s, "%s", of_status[st]);
}

/* ---- output ---- */

void pop3_put(struct pop3_session *s, struct str text)
{
	if (!s->broken && !buf_add(&s->out, text))
		s->broken = true;
}

void pop3_putf(struct pop3_session *s, const char *fmt, ...)
{
	char    text[REPLY_MAX];
	va_list va;
	int     n;

	va_start(va, fmt);
	n = vsnprintf(text, sizeof(text), fmt, va);
	va_end(va);
	CHECK(n >= 0 && (size_t)n < sizeof(text));
	pop3_put(s, str_n(text, (size_t)n));
}

void pop3_flush(struct pop3_session *s)
{
	if (s->out.n == 0)
		return;
	/* The client may read slowly: nothing of the store is held meanwhile. */
	pop3_account_back(s);
	net_write(s->conn, buf_str(&s->out));
	buf_clear(&s->out);
}

bool pop3_spill(struct pop3_session *s)
{
	if (s->out.n < SPILL || s->broken)
		return !s->broken;
	pop3_flush(s);
	if (net_flush(s->conn) != ST_OK)
		s->broken = true;
	return !s->broken;
}

/* ---- memory ---- */

bool pop3_work_take(struct pop3_session *s, size_t octets)
{
	if (octets <= s->work)
		return true;
	if (!net_memory_take(net_of(s->conn), octets - s->work))
		return false;
	s->work = octets;
	return true;
}

void pop3_work_give(struct pop3_session *s)
{
	if (s->work > 0)
		net_memory_give(net_of(s->conn), s->work);
	s->work = 0;
}

enum pop3_next pop3_full(struct pop3_session *s)
{
	return pop3_failed(s, ST_BUSY);
}

/* ---- the account ---- */

enum status pop3_account(struct pop3_session *s, struct store_account **ret)
{
	enum status st = s->account ? ST_OK : store_open(s->env->store, s->account_id, &s->account);

	if (st == ST_OK)
		*ret = s->account;
	return st;
}

void pop3_account_back(struct pop3_session *s)
{
	store_close(&s->account);
}
