/* smtp/smtp_cmd_hello.c - EHLO, HELO, LHLO, STARTTLS, HELP: what the two sides say about themselves (RFC 5321 §4.1.1.1, RFC 3207).
 *
 *   any state --EHLO/HELO/LHLO, valid--> READY, transaction gone      invalid: nothing changes
 *   READY --STARTTLS--> TLS --handshake--> NEW
 */
#include "smtp/smtp_session.h"
#include "wire/smtp/smtp_helo.h"

static const struct smtp_reply bad_name = { 501, "5.5.4", "Argument must be a domain name or an address literal" };

static bool hello(struct smtp_session *s, struct str arg, bool esmtp)
{
	if (!smtp_helo_valid(arg, s->set->lenient_helo))
		return false;
	smtp_tx_reset(s); /* RFC 5321 §4.1.4: as if RSET had been given */
	s->chunks_failed = false;
	buf_clear(&s->hello);
	CHECK(buf_add(&s->hello, arg));
	s->esmtp = esmtp;
	smtp_enter(s, SMTP_STATE_READY);
	return true;
}

enum smtp_next smtp_cmd_helo(struct smtp_session *s, struct str arg)
{
	if (!hello(s, arg, false))
		return smtp_answer(s, &bad_name);
	smtp_write_line(s, 250, NULL, s->set->hostname, true);
	return SMTP_NEXT_LINE;
}

enum smtp_next smtp_cmd_ehlo(struct smtp_session *s, struct str arg)
{
	const struct smtp_extension *last = &smtp_extensions[smtp_extension_count - 1];

	if (!hello(s, arg, true))
		return smtp_answer(s, &bad_name);
	smtp_write_line(s, 250, NULL, s->set->hostname, false);
	for (const struct smtp_extension *e = smtp_extensions; e <= last; e++) {
		char       text[SMTP_REPLY_LINE];
		struct buf b = { .p = text, .cap = sizeof(text), .max = sizeof(text) - 1 };

		if (e->offered && !e->offered(s))
			continue;
		buf_add(&b, str_of(e->keyword));
		if (e->value)
			e->value(s, &b);
		smtp_write_line(s, 250, NULL, buf_str(&b), e == last); /* the last row is always offered */
	}
	return SMTP_NEXT_LINE;
}

enum smtp_next smtp_cmd_starttls(struct smtp_session *s, struct str arg)
{
	static const struct smtp_reply go = { 220, "2.0.0", "Begin TLS" };

	(void)arg;
	buf_clear(&s->hello);
	s->esmtp = false;
	smtp_enter(s, SMTP_STATE_TLS);
	smtp_answer(s, &go);
	return SMTP_NEXT_TLS;
}

enum smtp_next smtp_cmd_help(struct smtp_session *s, struct str arg)
{
	static const struct smtp_reply    no_topic = { 504, "5.5.4", "No help on that; HELP alone lists the commands" };
	const struct smtp_command        *c;

	if (arg.n > 0) {
		c = smtp_command_find(arg);
		if (!c)
			return smtp_answer(s, &no_topic);
		smtp_write_line(s, 214, "2.0.0", str_of(c->syntax), true);
		return SMTP_NEXT_LINE;
	}
	for (size_t i = 0; i < smtp_command_count; i++)
		smtp_write_line(s, 214, "2.0.0", str_of(smtp_commands[i].syntax), i + 1 == smtp_command_count);
	return SMTP_NEXT_LINE;
}
