/* sasl/sasl_client.h - signing in at another server: SASL (RFC 4422), client side.
 *
 *   sasl_client_choose, sasl_client_new --> [sasl_client_initial] --> (sasl_client_step --SEND--> ...) --> the protocol's success or failure
 *
 * The strongest mechanism first of what both have: SCRAM with channel binding, SCRAM, then a password as it is, which only TLS may see. A
 * token is OAUTHBEARER or XOAUTH2, over TLS only.
 *
 * Nothing that the server says is believed before it is checked: a nonce that is not ours, too few or too many iterations, messages out of turn are
 * BROKEN; and a success counts only if sasl_client_proved(): a server that asked for a proof of the password must have given its own.
 *
 * What is secret lives in a wiping arena of the attempt. Knows no protocol: base64, "*" and replies are the caller's.
 * Tests: tests/unit/test_sasl_client.c, tests/fuzz/fuzz_sasl_client.c.
 */
#ifndef SASL_SASL_CLIENT_H
#define SASL_SASL_CLIENT_H

#include "base/buf.h"
#include "wire/sasl/sasl_offer.h"

#define SASL_CLIENT_ITERATIONS_MIN 4096u    /* RFC 7677 §4 */
#define SASL_CLIENT_ITERATIONS_MAX 1000000u /* about a second of one core */

/* Who signs in, and over what. Slices live as long as the attempt. */
struct sasl_client_side {
	struct str  user;
	struct str  secret; /* password or access token */
	bool        token;
	bool        tls;
	struct str  binding;      /* channel binding octets; "": there are none */
	const char *binding_name; /* "tls-exporter" */
	struct str  host;         /* OAUTHBEARER */
	uint32_t    port;
	struct str  nonce; /* for tests; "": a random one */
};

struct sasl_client;

/* The best of `offered`, mask of enum sasl_offer, that is not in `tried`; 0: none. */
unsigned sasl_client_choose(unsigned offered, const struct sasl_client_side *side, unsigned tried);

/* An attempt by one mechanism. `offered`: all that the server has, for what is said about channel binding (RFC 5802 §6). */
struct sasl_client *sasl_client_new(enum sasl_offer mechanism, unsigned offered, const struct sasl_client_side *side);
/* Wipes; NULL inside is fine. */
void sasl_client_free(struct sasl_client **x);

enum sasl_client_next {
	SASL_CLIENT_SEND,
	SASL_CLIENT_BROKEN, /* the server does not keep to the mechanism, or is not who it says: cancel */
};

/* The first message. False: the server speaks first. The result lives as long as x. */
bool sasl_client_initial(struct sasl_client *x, struct str *ret);
/* What to answer to a challenge, which may be of any octets. When the initial response was not sent, the first, empty challenge asks for it. */
MUST_CHECK enum sasl_client_next sasl_client_step(struct sasl_client *x, struct str challenge, struct str *ret);
/* The server says that we are in: may it be believed? */
bool sasl_client_proved(const struct sasl_client *x);
/* Why BROKEN or not proved: static text. */
const char *sasl_client_why(const struct sasl_client *x);

#endif
