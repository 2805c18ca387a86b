/* wire/smtp/smtp_xclient.h - the argument of XCLIENT: for whom a trusted peer speaks (Postfix, XCLIENT_README).
 *
 * Grammar:
 *   xclient   = 1*( SP attribute "=" value )
 *   attribute = "NAME" / "ADDR" / "PORT" / "PROTO" / "HELO" / "LOGIN" / "DESTADDR" / "DESTPORT"     any letter case, each once
 *   value     = "[UNAVAILABLE]" / "[TEMPUNAVAIL]" / xtext
 *   ADDR      = IPv4 address / "IPV6:" IPv6 address
 *
 * NAME, HELO and LOGIN are decoded, printable and at most LIMIT_XCLIENT octets. They are for the log alone.
 *
 * Pure. Tests: tests/unit/test_smtp_envelope.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_XCLIENT_H
#define WIRE_SMTP_SMTP_XCLIENT_H

#include "base/limits.h"
#include "base/str.h"

#define SMTP_XCLIENT_ATTRIBUTES "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

enum smtp_xclient_bit { /* bit mask */
	SMTP_XCLIENT_NAME = 1u << 0,
	SMTP_XCLIENT_ADDR = 1u << 1,
	SMTP_XCLIENT_PORT = 1u << 2,
	SMTP_XCLIENT_PROTO = 1u << 3,
	SMTP_XCLIENT_HELO = 1u << 4,
	SMTP_XCLIENT_LOGIN = 1u << 5,
	SMTP_XCLIENT_DESTADDR = 1u << 6,
	SMTP_XCLIENT_DESTPORT = 1u << 7,
};

struct smtp_xclient {
	unsigned given;   /* mask of enum smtp_xclient_bit: named, whatever the value */
	unsigned known;   /* mask: with a value that is neither [UNAVAILABLE] nor [TEMPUNAVAIL] */
	char     address[LIMIT_IP_TEXT]; /* as inet_ntop prints it */
	uint16_t port;
	char     name[LIMIT_XCLIENT + 1], helo[LIMIT_XCLIENT + 1], login[LIMIT_XCLIENT + 1];
};

/* false: not the grammar, or an attribute that is not known; *ret is then undefined. */
MUST_CHECK bool smtp_xclient_parse(struct str arg, struct smtp_xclient *ret);

#endif
