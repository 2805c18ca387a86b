/* wire/sasl/sasl_prep.c - contract in sasl_prep.h. */
#include "wire/sasl/sasl_prep.h"

#include <stringprep.h>
#include <string.h>

#include "base/limits.h"

#define ROOM (4 * LIMIT_PASSWORD) /* a compatibility form may be longer */

struct str sasl_prep(struct str password, struct arena *a)
{
	char  *p;
	size_t n;

	/* RFC 4013 §2.2: of ASCII nothing is mapped. */
	if (str_is_ascii(password) || password.n > LIMIT_PASSWORD || !str_is_utf8(password) ||
	    str_find(password, '\0') >= 0)
		return password;
	p = arena_alloc(a, ROOM);
	memcpy(p, password.p, password.n);
	/* Unassigned code points are refused: a later Unicode might map them (RFC 3454 §7, "stored strings"). */
	if (stringprep(p, ROOM, STRINGPREP_NO_UNASSIGNED, stringprep_saslprep) != STRINGPREP_OK)
		return password;
	n = strlen(p);
	return n > 0 && n <= LIMIT_PASSWORD ? str_n(p, n) : password;
}
