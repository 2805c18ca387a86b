/* pop3/pop3_cmd_session.c - CAPA, NOOP, QUIT, STLS, UTF8. */
#include "pop3/pop3_session.h"

enum when {                      /* bit mask: all must hold */
	BEFORE   = 1u << 0, /* sign-in */
	AFTER    = 1u << 1,
	NO_TLS   = 1u << 2, /* and it could be started */
	PASSWORD = 1u << 3, /* signing in is possible now */
};

static const struct {
	const char *name;
	unsigned    when;
	const char *rfc;
} capabilities[] = {
	{ "TOP", 0, "RFC 2449 §6.1" },
	{ "UIDL", 0, "RFC 2449 §6.8" },
	{ "RESP-CODES", 0, "RFC 2449 §6.4" },
	{ "AUTH-RESP-CODE", 0, "RFC 3206 §6" },
	{ "PIPELINING", 0, "RFC 2449 §6.6" },
	{ "EXPIRE NEVER", 0, "RFC 2449 §6.7" },
	{ "UTF8 USER", 0, "RFC 6856 §2" },
	{ "STLS", BEFORE | NO_TLS, "RFC 2595 §4" },
	{ "USER", BEFORE | PASSWORD, "RFC 2449 §6.2" },
	/* The version is nobody's business before sign-in. */
	{ "IMPLEMENTATION Postrider-" POSTRIDER_VERSION, AFTER, "RFC 2449 §6.9" },
};

enum pop3_next pop3_cmd_capa(struct pop3_session *s, const struct pop3_call *c)
{
	struct str mechanisms = s->state == POP3_AUTHORIZATION ? pop3_mechanisms(s) : STR_NONE;
	unsigned   now = s->state == POP3_AUTHORIZATION ? BEFORE : AFTER;

	(void)c;
	now |= net_tls_possible(s->conn) ? NO_TLS : 0;
	now |= pop3_may_sign_in(s) ? PASSWORD : 0;
	pop3_ok(s, "This is what can be done");
	for (size_t i = 0; i < LEN(capabilities); i++)
		if ((capabilities[i].when & now) == capabilities[i].when)
			pop3_putf(s, "%s\r\n", capabilities[i].name);
	if (mechanisms.n > 0)
		pop3_putf(s, "SASL%.*s\r\n", STR_FMT(mechanisms)); /* RFC 5034 §3 */
	pop3_put(s, STR(".\r\n"));
	return POP3_NEXT_COMMAND;
}

enum pop3_next pop3_cmd_noop(struct pop3_session *s, const struct pop3_call *c)
{
	(void)c;
	return pop3_ok(s, "Done");
}

/* In TRANSACTION this is the UPDATE state: what fails removes nothing, and the connection ends all the same (RFC 1939 §6). */
enum pop3_next pop3_cmd_quit(struct pop3_session *s, const struct pop3_call *c)
{
	enum status st = s->state == POP3_TRANSACTION ? pop3_drop_commit(s) : ST_OK;

	(void)c;
	s->end = st == ST_OK ? "quit" : "quit, nothing removed";
	if (st == ST_OK)
		pop3_ok(s, "Good bye");
	else
		pop3_failed(s, st);
	return POP3_NEXT_CLOSE;
}

enum pop3_next pop3_cmd_stls(struct pop3_session *s, const struct pop3_call *c)
{
	(void)c;
	if (s->info->tls)
		return pop3_bad(s, "TLS is active already");
	if (!net_tls_possible(s->conn))
		return pop3_bad(s, "TLS is not available");
	if (s->utf8) /* RFC 6856 §2.1 */
		return pop3_bad(s, "STLS comes before UTF8");
	pop3_ok(s, "Begin TLS now");
	return POP3_NEXT_TLS;
}

/* Names and passwords are UTF-8 anyway, and messages are sent as they are stored: it changes nothing here. */
enum pop3_next pop3_cmd_utf8(struct pop3_session *s, const struct pop3_call *c)
{
	(void)c;
	s->utf8 = true;
	return pop3_ok(s, "UTF-8 it is");
}
