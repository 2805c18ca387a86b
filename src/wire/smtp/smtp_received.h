/* wire/smtp/smtp_received.h - the trace field.
 *
 * Grammar, RFC 5321 §4.4, RFC 3848 and RFC 6531 §4.3 (with), RFC 8314 §4.3 (tls):
 *   Received: from HELO ([PEER])
 *           by HOST with ESMTPSA id ID
 *           for <RCPT> tls CIPHER;
 *           Sat, 21 Nov 2026 08:00:00 +0000
 *
 * Pure. Tests: tests/unit/test_smtp_wire.c.
 */
#ifndef WIRE_SMTP_SMTP_RECEIVED_H
#define WIRE_SMTP_SMTP_RECEIVED_H

#include "base/buf.h"

struct smtp_received {
	struct str helo;   /* passed smtp_helo_valid */
	struct str peer;   /* IP address as text */
	struct str host;   /* our name */
	struct str id;
	struct str rcpt;   /* only if it is the only recipient (others must not read of each other); else n == 0 */
	struct str cipher; /* n == 0 in clear */
	bool       esmtp, tls, signed_in, utf8, lmtp;
	int64_t    when_ms; /* since 1970-01-01 UTC */
};

/* Append the field with its CRLF. */
void smtp_received_print(struct buf *out, const struct smtp_received *r);

/* The one of a local program: "Received: by HOST (Postrider, from uid 1000)" CRLF HT "id ID; DATE" CRLF. */
void smtp_received_local_print(struct buf *out, struct str host, uint32_t uid, struct str id, int64_t when_ms);

#endif
