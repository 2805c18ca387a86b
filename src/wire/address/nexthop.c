/* wire/address/nexthop.c - grammar and contract are in nexthop.h. */
#include "wire/address/nexthop.h"

#include "wire/address/cidr.h"
#include "wire/address/endpoint.h"

#define NAME_MAX_OCTETS ((size_t)253) /* RFC 1035 §2.3.4, as text without the final dot */
#define LABEL_MAX       ((size_t)63)

static bool label_valid(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return true;
}

static bool is_number(struct str label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_digit(label.p[i]))
			return false;
	return true;
}

/* *ret is without the final dot. */
static bool name_take(struct str name, struct str *ret)
{
	struct str label, rest = name;
	bool       more = true;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		rest = name = str_first(name, name.n - 1);
	if (name.n > NAME_MAX_OCTETS)
		return false;
	while (more) {
		more = str_cut(rest, '.', &label, &rest);
		if (!label_valid(label))
			return false;
	}
	*ret = name;
	return !is_number(label);
}

static bool host_take(struct str text, struct nexthop *n)
{
	uint8_t octets[16];

	n->address = cidr_address_parse(text, octets);
	if (n->address)
		n->host = text;
	return n->address || name_take(text, &n->host);
}

/* domain [ ":" port ] */
static bool mx_take(struct str text, struct nexthop *n)
{
	struct str domain, port;

	n->mx = true;
	if (!str_cut(text, ':', &domain, &port))
		return name_take(text, &n->host);
	return endpoint_parts(domain, port, &domain, &n->port) && !str_starts(text, STR("[")) && name_take(domain, &n->host);
}

bool nexthop_parse(struct str text, struct nexthop *ret)
{
	struct nexthop n = { 0 };
	struct str     host;

	if (str_skip(&text, STR("mx:"))) {
		if (!mx_take(text, &n))
			return false;
	} else {
		n.lmtp = str_skip(&text, STR("lmtp:"));
		n.smtps = !n.lmtp && str_skip(&text, STR("smtps:"));
		if (!endpoint_parse(text, &host, &n.port) || !host_take(host, &n))
			return false;
	}
	*ret = n;
	return true;
}

bool nexthop_take(struct str *list, struct nexthop *ret, struct str *ret_bad)
{
	struct str one, rest;

	*ret_bad = STR("");
	if (list->n == 0)
		return false;
	if (!str_cut(*list, ',', &one, &rest))
		rest = STR("");
	else if (rest.n == 0) /* a "," with nothing behind it */
		one = *list;
	one = str_trim_ws(one);
	if (!nexthop_parse(one, ret)) {
		*ret_bad = one.n > 0 ? one : STR(",");
		return false;
	}
	*list = rest;
	return true;
}

bool nexthops_valid(struct str list)
{
	struct nexthop n;
	struct str     bad = STR("");
	size_t         count = 0;

	while (count <= LIMIT_NEXTHOPS && nexthop_take(&list, &n, &bad))
		count++;
	return bad.n == 0 && count > 0 && count <= LIMIT_NEXTHOPS;
}

bool nexthops_or_pipe_valid(struct str text)
{
	struct str name, argument;

	return endpoint_pipe(text, &name, &argument) || nexthops_valid(text);
}
