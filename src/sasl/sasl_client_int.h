/* sasl/sasl_client_int.h - inside an attempt of the client. For src/sasl alone. */
#ifndef SASL_SASL_CLIENT_INT_H
#define SASL_SASL_CLIENT_INT_H

#include "base/arena.h"
#include "sasl/sasl_client.h"

struct sasl_client {
	struct arena            *arena; /* wiping; holds this too */
	struct sasl_client_side  side;
	enum sasl_offer          mechanism;
	bool                     plus_offered;
	unsigned                 step; /* messages that were sent */
	bool                     proved;
	const char              *why;
	/* SCRAM */
	struct str gs2, nonce, bare;
	uint8_t    signature[64]; /* the server's, as it must be */
	size_t     signature_n;
};

enum sasl_client_next sasl_client_broken(struct sasl_client *x, const char *why);

/* sasl_client_scram.c */
struct str            sasl_client_scram_first(struct sasl_client *x);
enum sasl_client_next sasl_client_scram_step(struct sasl_client *x, struct str challenge, struct str *ret);

#endif
