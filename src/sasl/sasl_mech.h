/* sasl/sasl_mech.h - inside an exchange: what mechanisms share. For src/sasl alone. */
#ifndef SASL_SASL_MECH_H
#define SASL_SASL_MECH_H

#include "net/net_signin.h"
#include "sasl/sasl_exchange.h"

enum sasl_need { /* bit mask */
	SASL_NEED_TLS = 1u << 0,         /* always; the others only if clear text is not allowed */
	SASL_NEED_BINDING = 1u << 1,     /* channel binding */
	SASL_NEED_CERTIFICATE = 1u << 2, /* that somebody may sign in with */
};

struct sasl_mechanism {
	struct str  name;
	unsigned    needs;
	const char *greeting; /* the first challenge when there was no initial response */
	/* One message, decoded; it lives as long as x. */
	struct sasl_result (*answer)(struct sasl *x, struct str message);
	enum auth_scram_hash hash;
	const char          *rfc;
};
/* NULL: none of that name. */
const struct sasl_mechanism *sasl_mechanism_find(struct str name);
bool                         sasl_mechanism_possible(const struct sasl_mechanism *m, const struct sasl_side *side);

struct sasl_scram_state {
	struct str              user, gs2, binding, client_first, client_nonce, server_nonce;
	struct auth_login_reply login; /* signed in once the client has seen our signature */
};

struct sasl {
	struct arena                *arena; /* wiping; holds this too */
	struct sasl_side             side;
	const struct sasl_mechanism *mechanism; /* NULL: sasl_password */
	unsigned                     step;      /* messages that were answered before */
	bool                         failed;    /* it has, and is in the log; the client owes us one empty answer */
	struct str                   user;      /* LOGIN; who has failed */
	struct sasl_scram_state      scram;
};

/* How a step ends. */
struct sasl_result sasl_challenge(struct sasl *x, struct str octets);
struct sasl_result sasl_failure(enum sasl_failure why);
/* Denied, for a reason that is told in the log only. */
struct sasl_result sasl_deny(struct sasl *x, enum net_signin_reason reason, struct str user);
/* What auth has said, if not ST_OK. */
struct sasl_result sasl_refuse(struct sasl *x, enum status st, struct str user);
struct sasl_result sasl_success(struct sasl *x, const struct auth_login_reply *login);
/* User and password are text; ask auth. */
struct sasl_result sasl_verify(struct sasl *x, struct str user, struct str password);

/* The mechanisms' answer functions. */
struct sasl_result sasl_plain_answer(struct sasl *x, struct str message);
struct sasl_result sasl_login_answer(struct sasl *x, struct str message);
struct sasl_result sasl_scram_answer(struct sasl *x, struct str message);
struct sasl_result sasl_oauthbearer_answer(struct sasl *x, struct str message);
struct sasl_result sasl_xoauth2_answer(struct sasl *x, struct str message);
struct sasl_result sasl_external_answer(struct sasl *x, struct str message);

#endif
