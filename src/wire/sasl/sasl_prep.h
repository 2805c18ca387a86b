/* wire/sasl/sasl_prep.h - the form in which passwords are compared: SASLprep (RFC 4013).
 *
 * Keyboards make the same character in several ways (composed or not, wide or not); SASLprep makes them one. ASCII is left
 * as it is. What SASLprep has no form for (controls, characters newer than Unicode 3.2, mixed directions) is compared as it
 * was sent: a password is never refused for its letters. Whoever makes a hash or a verifier and whoever checks one uses this
 * same function.
 *
 * Pure, but for libidn's own heap. Tests: tests/unit/test_sasl_wire.c, tests/fuzz/fuzz_sasl.c.
 */
#ifndef WIRE_SASL_SASL_PREP_H
#define WIRE_SASL_SASL_PREP_H

#include "base/arena.h"

/* `password` itself, or its prepared form in `a` (a wiping arena). At most LIMIT_PASSWORD octets, or it is left as it is. */
struct str sasl_prep(struct str password, struct arena *a);

#endif
