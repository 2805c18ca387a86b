/* role/role_dns.c - the resolver: libunbound, with its answers' DNSSEC states kept apart. */
#include "dns/dns.h"
#include "role/role.h"
#include "sys/sandbox.h"

static bool prepare(struct role *r, const char **ret_why)
{
	const struct config *c = r->config;
	struct dns          *dns;

	if (dns_open(&(struct dns_options){ .forward = c->dns_forward, .anchor_file = c->dns_anchor.n > 0 ? c->dns_anchor.p : NULL }, &dns, ret_why) != ST_OK)
		return false;
	r->self = dns;
	return true;
}

static bool start(struct role *r, const char **ret_why)
{
	dns_start(r->self);
	ipc_serve(r->ipc, dns_rows, dns_row_count, r->self);
	(void)ret_why;
	return true;
}

const struct role_def role_dns = {
	.id = ROLE_DNS,
	.needs = SANDBOX_OUT,
	.user = "dns",
	.prepare = prepare,
	.start = start,
};
