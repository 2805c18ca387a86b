/* trust/trust_sts.c - contract is in trust_sts.h. */
#include "trust/trust_sts.h"

#include "wire/address/address.h"

#define REFRESH_MS ((int64_t)24 * 3600 * 1000) /* RFC 8461 §10.2: suggested is daily; earlier if it would end before */

bool trust_sts_matches(struct str pattern, struct str host)
{
	struct str label;

	pattern = address_without_dot(pattern);
	host = address_without_dot(host);
	if (pattern.n == 0 || host.n == 0)
		return false;
	if (!str_skip(&pattern, STR("*.")))
		return str_ieq(pattern, host);
	return str_cut(host, '.', &label, &host) && label.n > 0 && str_ieq(pattern, host);
}

enum trust_sts_age trust_sts_age(int64_t age_ms, uint32_t max_age_s)
{
	const int64_t max_ms = (int64_t)max_age_s * 1000;

	if (age_ms < 0)
		age_ms = 0;
	if (age_ms >= max_ms)
		return TRUST_STS_EXPIRED;
	return age_ms >= REFRESH_MS || age_ms >= max_ms / 2 ? TRUST_STS_DUE : TRUST_STS_FRESH;
}
