/* wire/smtp/smtp_caps.h - what a server offers in its reply to EHLO.
 *
 * Grammar, RFC 5321 §4.1.1.1:
 *   ehlo-ok-rsp = Domain [ SP ehlo-greet ] *( LF ehlo-keyword *( SP ehlo-param ) )
 * (lines as smtp_reply_in.text joins them). Unknown keywords and those with bad parameters count as not offered.
 *
 * Pure: no I/O, no allocation. Tests: tests/unit/test_smtp_answer.c, tests/fuzz/fuzz_smtp_answer.c.
 */
#ifndef WIRE_SMTP_SMTP_CAPS_H
#define WIRE_SMTP_SMTP_CAPS_H

#include "wire/sasl/sasl_offer.h"

enum smtp_cap {                                /* bit mask */
		SMTP_CAP_STARTTLS = 1u << 0,   /* RFC 3207 */
		SMTP_CAP_PIPELINING = 1u << 1, /* RFC 2920 */
		SMTP_CAP_SIZE = 1u << 2,       /* RFC 1870 */
		SMTP_CAP_8BITMIME = 1u << 3,   /* RFC 6152 */
		SMTP_CAP_SMTPUTF8 = 1u << 4,   /* RFC 6531 */
		SMTP_CAP_DSN = 1u << 5,        /* RFC 3461 */
		SMTP_CAP_DELIVERBY = 1u << 6,  /* RFC 2852 */
		SMTP_CAP_MT_PRIORITY = 1u << 7, /* RFC 6710 */
		SMTP_CAP_REQUIRETLS = 1u << 8, /* RFC 8689 */
		SMTP_CAP_CHUNKING = 1u << 9,   /* RFC 3030 */
		SMTP_CAP_LIMITS = 1u << 10,    /* RFC 9422 */
		SMTP_CAP_AUTH = 1u << 11,      /* RFC 4954 */
};

struct smtp_caps {
	struct str name;        /* what the server calls itself; borrows from the text */
	unsigned   offered;     /* mask of enum smtp_cap */
	uint64_t   size_octets; /* largest message; 0: no limit told */
	uint64_t   by_min_s;    /* DELIVERBY: least time for BY=...R; 0: none told */
	uint32_t   mail_max, rcpt_max, rcpt_domain_max; /* LIMITS: transactions of a session; recipients of one, their domains; 0: none told */
	unsigned   auth;        /* mask of enum sasl_offer */
};

/* `text`: the lines of a 250 reply to EHLO. */
void smtp_caps_parse(struct str text, struct smtp_caps *ret);

#endif
