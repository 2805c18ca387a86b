/* wire/sasl/sasl_oauth.h - OAUTHBEARER (RFC 7628) and XOAUTH2 (the form that Google's clients send), after base64.
 *
 * Grammar:
 *   OAUTHBEARER = gs2-header ^A *(key "=" value ^A) ^A        key "auth" has "Bearer" SP token; host, port and others are ignored
 *   XOAUTH2     = "user=" name ^A "auth=Bearer " token ^A ^A
 *   token       = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="           RFC 6750 §2.1
 *
 * What is wrong with a token is told as JSON in one more challenge, which the client answers with nothing of meaning
 * (^A, or an empty message); then the exchange has failed.
 *
 * Limits: LIMIT_BEARER for a token, LIMIT_USER for a name.
 *
 * Pure. Tests: tests/unit/test_sasl_wire.c, tests/fuzz/fuzz_sasl.c.
 */
#ifndef WIRE_SASL_SASL_OAUTH_H
#define WIRE_SASL_SASL_OAUTH_H

#include "base/str.h"

struct sasl_oauth { /* slices borrow from the message */
	struct str user;  /* OAUTHBEARER: an encoded saslname (sasl_scram.h), may be empty */
	struct str token; /* empty: the client asks what it would need (RFC 7628 §4.3) */
};

/* All of the message or nothing; *ret is written only when it is true. */
MUST_CHECK bool sasl_oauthbearer_parse(struct str message, struct sasl_oauth *ret);
MUST_CHECK bool sasl_xoauth2_parse(struct str message, struct sasl_oauth *ret);

/* The challenges of a failure. */
extern const struct str sasl_oauthbearer_error, sasl_xoauth2_error;

#endif
