/* wire/sasl/sasl_scram.h - the messages of SCRAM, after base64 (RFC 5802 §7; the same for every hash, RFC 7677).
 *
 * Grammar, from the client:
 *   client-first = gs2-header bare                     gs2-header = ("n" / "y" / "p=" cb-name) "," ["a=" saslname] ","
 *   bare         = "n=" saslname ",r=" nonce ["," extensions]
 *   client-final = "c=" base64 ",r=" nonce ["," extensions] ",p=" base64
 * and from us:
 *   server-first = "r=" nonce ",s=" base64 ",i=" number
 *   server-final = "v=" base64
 *
 * A bare message that begins with "m=" asks for an extension that nobody has defined, and is refused (§5.1). Other
 * extensions are optional, and ignored. A saslname has "=2C" for "," and "=3D" for "="; any other "=" is an error.
 *
 * Limits: LIMIT_SASL_NONCE, LIMIT_USER for a name.
 *
 * Pure. Tests: tests/unit/test_sasl_wire.c, tests/fuzz/fuzz_sasl.c.
 */
#ifndef WIRE_SASL_SASL_SCRAM_H
#define WIRE_SASL_SASL_SCRAM_H

#include "base/buf.h"

struct sasl_gs2 { /* RFC 5801 §4: also at the head of OAUTHBEARER */
	char       flag;    /* 'n': no channel binding; 'y': the client could, and thinks we cannot; 'p': used */
	struct str binding; /* cb-name, with 'p' only */
	struct str authzid; /* encoded; empty: none */
	struct str text;    /* all of it, as sent */
};

struct sasl_scram_first { /* slices borrow from the message */
	struct sasl_gs2 gs2;
	struct str      bare, user, nonce; /* user: encoded */
};

struct sasl_scram_final {
	struct str binding; /* base64 of gs2-header and channel binding data */
	struct str nonce;
	struct str unproved; /* client-final-message-without-proof */
	struct str proof;    /* base64 */
};

/* Take a gs2-header off the front of *in. */
MUST_CHECK bool sasl_gs2_take(struct str *in, struct sasl_gs2 *ret);

/* All of the message or nothing; *ret is written only when it is true. */
MUST_CHECK bool sasl_scram_first_parse(struct str message, struct sasl_scram_first *ret);
MUST_CHECK bool sasl_scram_bare_parse(struct str bare, struct str *ret_user, struct str *ret_nonce);
MUST_CHECK bool sasl_scram_final_parse(struct str message, struct sasl_scram_final *ret);

/* A name without its encoding, appended. False, with nothing appended: not a saslname, no UTF-8, or too long. */
MUST_CHECK bool sasl_name_decode(struct str name, struct buf *out);

void sasl_scram_server_first(struct str client_nonce, struct str server_nonce, struct str salt, uint32_t iterations,
			     struct buf *out);
void sasl_scram_server_final(struct str signature, struct buf *out);

#endif
