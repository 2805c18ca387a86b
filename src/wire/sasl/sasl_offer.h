/* wire/sasl/sasl_offer.h - the mechanisms that a server offers and we know as its client.
 *
 *   offer = *( mechanism *SP )        RFC 4954 §3, after the keyword AUTH: names in any case
 *
 * Pure. Tests: tests/unit/test_sasl_client.c.
 */
#ifndef WIRE_SASL_SASL_OFFER_H
#define WIRE_SASL_SASL_OFFER_H

#include "base/str.h"

enum sasl_offer { /* bit mask */
	SASL_OFFER_SCRAM_SHA256_PLUS = 1u << 0, /* RFC 7677 */
	SASL_OFFER_SCRAM_SHA1_PLUS   = 1u << 1, /* RFC 5802 */
	SASL_OFFER_SCRAM_SHA256      = 1u << 2,
	SASL_OFFER_SCRAM_SHA1        = 1u << 3,
	SASL_OFFER_PLAIN             = 1u << 4, /* RFC 4616 */
	SASL_OFFER_LOGIN             = 1u << 5,
	SASL_OFFER_OAUTHBEARER       = 1u << 6, /* RFC 7628 */
	SASL_OFFER_XOAUTH2           = 1u << 7,
};

/* Unknown names are left out. */
unsigned sasl_offer_parse(struct str words);
/* "SCRAM-SHA-256", of one bit. */
struct str sasl_offer_name(enum sasl_offer one);

#endif
