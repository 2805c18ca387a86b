/* wire/smtp/smtp_reply.h - replies of the server.
 *
 * Grammar, RFC 5321 §4.2 and RFC 2034 §4:
 *   Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *   textstring begins with the enhanced status code (RFC 3463), where the reply has one
 *
 * Pure, no allocation. Tests: tests/unit/test_smtp_wire.c.
 */
#ifndef WIRE_SMTP_SMTP_REPLY_H
#define WIRE_SMTP_SMTP_REPLY_H

#include "base/str.h"

#define SMTP_REPLY_LINE ((size_t)512) /* RFC 5321 §4.5.3.1.5, with CRLF */

struct smtp_reply {
	unsigned    code;
	const char *enhanced; /* "2.1.0"; NULL: none (greeting, EHLO, 334, 354) */
	const char *text;     /* constant text: nothing a peer sent */
};

/* An enhanced code of the grammar (RFC 3463 §2) that may stand with `code`: of its class. */
bool smtp_enhanced_valid(struct str s, unsigned code);

/* One line into `out` (SMTP_REPLY_LINE octets); returns it. `last`: no line follows. Text that is too long is cut; control and
 * 8-bit octets in it become "?", so no text can begin a line of its own. */
struct str smtp_reply_line(char *out, unsigned code, const char *enhanced, struct str text, bool last);

#endif
