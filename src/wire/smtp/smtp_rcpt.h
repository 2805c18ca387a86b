/* wire/smtp/smtp_rcpt.h - the argument of RCPT: forward-path and ESMTP parameters.
 *
 * Grammar, RFC 5321 §4.1.1.3:
 *   rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
 *
 * No parameter is announced yet, so each one is SMTP_RCPT_UNKNOWN. "%" and "!" in the local part are plain characters of it,
 * quoted or not: they never route. lenient_space as in smtp_mail.h.
 *
 * Pure. Tests: tests/unit/test_smtp_wire.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_RCPT_H
#define WIRE_SMTP_SMTP_RCPT_H

#include "base/str.h"

struct smtp_rcpt {
	struct str path;       /* without "<>", borrowed from the line */
	bool       postmaster; /* "<Postmaster>", any letter case, without a domain */
};

enum smtp_rcpt_err {
	SMTP_RCPT_OK,
	SMTP_RCPT_SYNTAX,
	SMTP_RCPT_ADDRESS, /* not a Mailbox; "<>" too */
	SMTP_RCPT_UTF8,    /* octets over 127 without SMTPUTF8 on MAIL */
	SMTP_RCPT_UNKNOWN, /* parameter not announced */
};

/* `arg`: the octets after "RCPT ". *ret is written only on SMTP_RCPT_OK. */
MUST_CHECK enum smtp_rcpt_err smtp_rcpt_parse(struct str arg, bool utf8, bool lenient_space, struct smtp_rcpt *ret);

#endif
