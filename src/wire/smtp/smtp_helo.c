/* wire/smtp/smtp_helo.c - grammar and contract are in smtp_helo.h. */
#include "wire/smtp/smtp_helo.h"

#include "base/limits.h"
#include "wire/address/address.h"

static bool word_octet(char c)
{
	return c > 32 && c < 127 && str_find(STR("()<>[]:;@\\,\""), c) < 0;
}

static bool literal_octet(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == ':';
}

static bool all(struct str s, bool (*octet)(char))
{
	for (size_t i = 0; i < s.n; i++)
		if (!octet(s.p[i]))
			return false;
	return s.n > 0;
}

bool smtp_helo_valid(struct str arg, bool lenient)
{
	struct address_canon canon;
	struct str           inner = arg;

	if (arg.n > LIMIT_DOMAIN)
		return false;
	if (str_skip_char(&inner, '[')) {
		if (address_literal(arg, &canon) == ADDRESS_OK)
			return true;
		return lenient && inner.n > 0 && inner.p[inner.n - 1] == ']' &&
		       all(str_first(inner, inner.n - 1), literal_octet);
	}
	return address_domain_is_ascii(arg) || (lenient && all(arg, word_octet));
}
