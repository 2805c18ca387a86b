/* wire/sasl/sasl_plain.c - grammar and contract are in sasl_plain.h. */
#include "wire/sasl/sasl_plain.h"

#include "base/limits.h"

bool sasl_text_valid(struct str s, size_t limit)
{
	return s.n > 0 && s.n <= limit && str_find(s, '\0') < 0 && str_is_utf8(s);
}

bool sasl_plain_parse(struct str message, struct sasl_plain *ret)
{
	struct sasl_plain m;
	struct str        rest;

	/* A third NUL would stand in the password, which sasl_text_valid refuses. */
	if (!str_cut(message, '\0', &m.authzid, &rest) || !str_cut(rest, '\0', &m.user, &m.password))
		return false;
	if ((m.authzid.n > 0 && !sasl_text_valid(m.authzid, LIMIT_USER)) || !sasl_text_valid(m.user, LIMIT_USER) ||
	    !sasl_text_valid(m.password, LIMIT_PASSWORD))
		return false;
	*ret = m;
	return true;
}
