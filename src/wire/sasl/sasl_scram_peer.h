/* wire/sasl/sasl_scram_peer.h - what a server says in SCRAM, as its client reads it, and how a client writes a name (RFC 5802 §7).
 *
 *   server-first = "r=" nonce ",s=" base64 ",i=" posit-number ["," extensions]
 *   server-final = ( "v=" base64 / "e=" value ) ["," extensions]
 *
 * "m=" in front asks for an extension that nobody has defined: refused (§5.1). Other extensions are ignored.
 *
 * Pure. Tests: tests/unit/test_sasl_client.c, tests/fuzz/fuzz_sasl_client.c.
 */
#ifndef WIRE_SASL_SASL_SCRAM_PEER_H
#define WIRE_SASL_SASL_SCRAM_PEER_H

#include "base/buf.h"

struct sasl_scram_server { /* slices borrow from the message */
	struct str nonce;
	struct str salt; /* base64, not empty */
	uint32_t   iterations;
};

/* All of the message or nothing. The nonce has LIMIT_SASL_NONCE octets at most; whether it begins with ours is the caller's to look. */
MUST_CHECK bool sasl_scram_server_first_parse(struct str message, struct sasl_scram_server *ret);
/* Signature in base64, or the server's word for what is wrong; the other one is empty. */
MUST_CHECK bool sasl_scram_server_final_parse(struct str message, struct str *ret_signature, struct str *ret_error);
/* A saslname: "=2C" for ",", "=3D" for "=". */
void sasl_name_encode(struct str name, struct buf *out);

#endif
