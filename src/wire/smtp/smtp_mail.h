/* wire/smtp/smtp_mail.h - the argument of MAIL: reverse-path and ESMTP parameters.
 *
 * Grammar, RFC 5321 §4.1.1.2 and §4.1.2:
 *   mail            = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
 *   Reverse-path    = Path / "<>"
 *   Mail-parameters = esmtp-param *(SP esmtp-param)
 *
 *   SIZE=1*20DIGIT                           RFC 1870 §3
 *   BODY=7BIT / 8BITMIME                     RFC 6152 §2. Not BINARYMIME: see docs/rfc/deviations.md
 *   SMTPUTF8                                 RFC 6531 §3.4
 *   AUTH=xtext                               RFC 4954 §5
 *   RET=FULL / HDRS                          RFC 3461 §4.3
 *   ENVID=1*100 xtext                        RFC 3461 §4.4; decoded it is printable US-ASCII
 *   REQUIRETLS                               RFC 8689 §2
 *   BY=["+" / "-"]1*9DIGIT ";" ("N" / "R") ["T"]   RFC 2852 §4; with R the time is above 0
 *   HOLDFOR=1*9DIGIT, HOLDUNTIL=date-time    RFC 4865 §3 (RFC 3339 §5.6); only one of them
 *   MT-PRIORITY=["-"]DIGIT                   RFC 6710 §3
 *
 * Each at most once. lenient_space: spaces between "FROM:" and the path are skipped.
 *
 * Pure: no I/O, no allocation, no clock, no globals.
 * Tests: tests/unit/test_smtp_wire.c, tests/unit/test_smtp_envelope.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_MAIL_H
#define WIRE_SMTP_SMTP_MAIL_H

#include "base/str.h"

enum smtp_param {                    /* bit mask: of MAIL, then of RCPT */
	SMTP_PARAM_SIZE = 1u << 0,
	SMTP_PARAM_BODY = 1u << 1,
	SMTP_PARAM_SMTPUTF8 = 1u << 2,
	SMTP_PARAM_AUTH = 1u << 3,     /* checked, then ignored: we trust no peer's word for it */
	SMTP_PARAM_RET = 1u << 4,
	SMTP_PARAM_ENVID = 1u << 5,
	SMTP_PARAM_REQUIRETLS = 1u << 6,
	SMTP_PARAM_BY = 1u << 7,
	SMTP_PARAM_HOLDFOR = 1u << 8,
	SMTP_PARAM_HOLDUNTIL = 1u << 9,
	SMTP_PARAM_PRIORITY = 1u << 10,
	SMTP_PARAM_NOTIFY = 1u << 11, /* smtp_rcpt.h */
	SMTP_PARAM_ORCPT = 1u << 12,
	SMTP_PARAM_HOLD = SMTP_PARAM_HOLDFOR | SMTP_PARAM_HOLDUNTIL,
	SMTP_PARAM_DSN = SMTP_PARAM_RET | SMTP_PARAM_ENVID | SMTP_PARAM_NOTIFY | SMTP_PARAM_ORCPT,
};

/* Slices borrow from the parsed line and live no longer than it does. What is not in `given` is 0. */
struct smtp_mail {
	struct str path;          /* without "<>"; n == 0: null reverse-path */
	uint64_t   size_octets;
	bool       body_8bit;     /* BODY=8BITMIME */
	bool       ret_hdrs;      /* RET=HDRS */
	struct str envid;         /* smtp_xtext_decode() takes it */
	int64_t    by_s;          /* seconds from now; 0 and below only with by_notify */
	bool       by_notify;     /* N; else R */
	bool       by_trace;      /* T */
	uint32_t   hold_for_s;
	int64_t    hold_until_ms; /* since 1970-01-01 UTC */
	int        priority;      /* -9 to 9 */
	unsigned   given;         /* mask of enum smtp_param */
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
