/* trust/trust_sts.h - decisions about MTA-STS policies, RFC 8461 §4.1, §5. Pure. Tests: tests/unit/test_trust_sts.c. */
#ifndef TRUST_TRUST_STS_H
#define TRUST_TRUST_STS_H

#include "base/str.h"

/* Is a host (A-labels, with or without a final dot) named by one of the mx patterns? "*.example.com" stands for exactly one label in place of
 * the star, RFC 8461 §4.1. Letter case does not count. */
bool trust_sts_matches(struct str pattern, struct str host);

enum trust_sts_age {
	TRUST_STS_FRESH,
	TRUST_STS_DUE,     /* is used, and fetched anew meanwhile: RFC 8461 §3.3, §10.2 */
	TRUST_STS_EXPIRED, /* not used any more */
};
/* Of a policy that was fetched `age_ms` ago; less than 0 (a clock was set back): as if just now. */
enum trust_sts_age trust_sts_age(int64_t age_ms, uint32_t max_age_s);

#endif
