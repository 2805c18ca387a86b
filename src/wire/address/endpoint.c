/* wire/address/endpoint.c - grammar and contract are in endpoint.h. */
#include "wire/address/endpoint.h"

#include "base/limits.h"

bool endpoint_parts(struct str host, struct str port, struct str *ret_host, uint32_t *ret_port)
{
	uint32_t number;

	if (str_skip_char(&host, '[')) {
		if (host.n == 0 || host.p[host.n - 1] != ']')
			return false;
		host.n--;
	}
	if (host.n == 0 || !str_to_u32(port, &number) || number == 0 || number > UINT16_MAX)
		return false;
	*ret_host = host;
	*ret_port = number;
	return true;
}

bool endpoint_parse(struct str text, struct str *ret_host, uint32_t *ret_port)
{
	struct str host, port;

	return str_rcut(text, ':', &host, &port) && (str_starts(host, STR("[")) || str_find(host, ':') < 0) &&
	       endpoint_parts(host, port, ret_host, ret_port);
}

bool endpoint_pipe_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '_')
			return false;
	return name.n > 0 && name.n <= LIMIT_PIPE_NAME && name.p[0] != '-';
}

bool endpoint_pipe(struct str text, struct str *ret_name, struct str *ret_nexthop)
{
	struct str name, nexthop;
	bool       has;

	if (!str_skip(&text, STR("pipe:")))
		return false;
	has = str_cut(text, ':', &name, &nexthop);
	if (!endpoint_pipe_name(name) || (has && nexthop.n == 0) || nexthop.n > LIMIT_DOMAIN)
		return false;
	for (size_t i = 0; i < nexthop.n; i++)
		if (nexthop.p[i] <= ' ' || nexthop.p[i] > '~')
			return false;
	*ret_name = name;
	*ret_nexthop = nexthop;
	return true;
}
