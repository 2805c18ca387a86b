/* wire/smtp/smtp_mail.h - the argument of MAIL: reverse-path and ESMTP parameters.
 *
 * Grammar, RFC 5321 §4.1.1.2 and §4.1.2:
 *   mail            = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
 *   Reverse-path    = Path / "<>"
 *   Mail-parameters = esmtp-param *(SP esmtp-param)
 *
 * lenient_space: spaces between "FROM:" and the path are skipped.
 *
 * Pure: no I/O, no allocation, no clock, no globals.
 * Tests: tests/unit/test_smtp_wire.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_MAIL_H
#define WIRE_SMTP_SMTP_MAIL_H

#include "base/str.h"

enum smtp_param {                    /* bit mask */
	SMTP_PARAM_SIZE = 1u << 0,     /* RFC 1870 §3 */
	SMTP_PARAM_BODY = 1u << 1,     /* RFC 6152 §2 */
	SMTP_PARAM_SMTPUTF8 = 1u << 2, /* RFC 6531 §3.4 */
	SMTP_PARAM_AUTH = 1u << 3,     /* RFC 4954 §5: checked, then ignored: we trust no peer's word for it */
};

/* Slices borrow from the parsed line and live no longer than it does. */
struct smtp_mail {
	struct str path;        /* without "<>"; n == 0: null reverse-path */
	uint64_t   size_octets; /* 0 unless SMTP_PARAM_SIZE is in given */
	bool       body_8bit;   /* BODY=8BITMIME */
	unsigned   given;       /* mask of enum smtp_param */
};

enum smtp_mail_err {
	SMTP_MAIL_OK,
	SMTP_MAIL_SYNTAX,  /* not the grammar above */
	SMTP_MAIL_ADDRESS, /* path is not a Mailbox, RFC 5321 §4.1.2 */
	SMTP_MAIL_UTF8,    /* octets over 127 in the path without SMTPUTF8, RFC 6531 §3.4 */
	SMTP_MAIL_UNKNOWN, /* parameter not announced in EHLO */
	SMTP_MAIL_VALUE,   /* parameter repeated, or bad value */
};

/* Parse `arg`, the octets after "MAIL " without CRLF; `announced` is the mask offered in EHLO. *ret is written only when
 * SMTP_MAIL_OK is returned. */
MUST_CHECK enum smtp_mail_err smtp_mail_parse(struct str arg, unsigned announced, bool lenient_space, struct smtp_mail *ret);

#endif
