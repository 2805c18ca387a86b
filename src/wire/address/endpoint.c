/* wire/address/endpoint.c - grammar and contract are in endpoint.h. */
#include "wire/address/endpoint.h"

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
