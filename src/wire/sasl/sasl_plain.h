/* wire/sasl/sasl_plain.h - what the PLAIN and LOGIN mechanisms carry, after base64.
 *
 * Grammar, RFC 4616 §2:
 *   message = [authzid] UTF8NUL authcid UTF8NUL passwd       each 1*SAFE: UTF-8 without NUL
 * LOGIN (draft-murchison-sasl-login-00): user name and password in two messages of their own.
 *
 * Limits: LIMIT_USER for authzid and authcid, LIMIT_PASSWORD. SASLprep is not applied: passwords are compared as sent.
 *
 * Pure. Tests: tests/unit/test_smtp_wire.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SASL_SASL_PLAIN_H
#define WIRE_SASL_SASL_PLAIN_H

#include "base/str.h"

struct sasl_plain { /* slices borrow from the message */
	struct str authzid, user, password;
};

/* All of `message`; *ret is written only when it is true. */
MUST_CHECK bool sasl_plain_parse(struct str message, struct sasl_plain *ret);

/* A user name or password as LOGIN carries it: not empty, UTF-8, no NUL, at most `limit` octets. */
bool sasl_text_valid(struct str s, size_t limit);

#endif
