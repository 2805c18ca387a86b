/* wire/smtp/smtp_rcpt.h - the argument of RCPT: forward-path and ESMTP parameters.
 *
 * Grammar, RFC 5321 §4.1.1.3:
 *   rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
 *
 *   NOTIFY="NEVER" / list of SUCCESS, FAILURE, DELAY with "," between    RFC 3461 §4.1: NEVER alone, each once
 *   ORCPT=orcpt, 500 octets                                              RFC 3461 §4.2, RFC 6533 §3: smtp_xtext.h
 *
 * Each parameter at most once. "%" and "!" in the local part are plain characters of it, quoted or not: they never route.
 * lenient_space as in smtp_mail.h.
 *
 * Pure. Tests: tests/unit/test_smtp_wire.c, tests/unit/test_smtp_envelope.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_RCPT_H
#define WIRE_SMTP_SMTP_RCPT_H

#include "wire/smtp/smtp_mail.h"

#define SMTP_ORCPT_MAX ((size_t)500)

enum smtp_notify { /* bit mask */
	SMTP_NOTIFY_NEVER = 1u << 0,
	SMTP_NOTIFY_SUCCESS = 1u << 1,
	SMTP_NOTIFY_FAILURE = 1u << 2,
	SMTP_NOTIFY_DELAY = 1u << 3,
};

struct smtp_rcpt {
	struct str path;       /* without "<>", borrowed from the line */
	bool       postmaster; /* "<Postmaster>", any letter case, without a domain */
	unsigned   notify;     /* mask of enum smtp_notify; 0: not given */
	struct str orcpt;      /* borrowed; smtp_orcpt_decode() takes it; n == 0: not given */
	unsigned   given;      /* mask of enum smtp_param */
};

enum smtp_rcpt_err {
	SMTP_RCPT_OK,
	SMTP_RCPT_SYNTAX,
	SMTP_RCPT_ADDRESS, /* not a Mailbox; "<>" too */
	SMTP_RCPT_UTF8,    /* octets over 127 without SMTPUTF8 on MAIL */
	SMTP_RCPT_UNKNOWN, /* parameter not announced */
	SMTP_RCPT_VALUE,   /* parameter repeated, or bad value */
};

/* `arg`: the octets after "RCPT "; `announced`: the mask offered in EHLO; utf8: SMTPUTF8 was given on MAIL. *ret is written only on
 * SMTP_RCPT_OK. */
MUST_CHECK enum smtp_rcpt_err smtp_rcpt_parse(struct str arg, unsigned announced, bool utf8, bool lenient_space,
					      struct smtp_rcpt *ret);

#endif
