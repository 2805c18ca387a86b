/* dns/dns_setup.h - libunbound as dns.c uses it: settings, forwarder, trust anchors. Reads files, so it comes before the sandbox. */
#ifndef DNS_DNS_SETUP_H
#define DNS_DNS_SETUP_H

#include <unbound.h>

#include "base/limits.h"
#include "dns/dns.h"

struct dns_anchor {
	char owner[LIMIT_DOMAIN + 2]; /* of the first key, "." for the root; "": there is none, nothing is validated */
};

/* As dns_open(). */
MUST_CHECK enum status dns_setup(const struct dns_options *options, struct ub_ctx **ret, struct dns_anchor *ret_anchor, const char **ret_why);

#endif
