/* wire/smtp/smtp_verb.c - grammar and contract are in smtp_verb.h. */
#include "wire/smtp/smtp_verb.h"

bool smtp_verb_split(struct str line, struct str *ret_verb, struct str *ret_arg)
{
	size_t n = 0;

	while (line.n > 0 && ascii_is_wsp(line.p[line.n - 1]))
		line.n--;
	while (n < line.n && ascii_is_alpha(line.p[n]))
		n++;
	if (n == 0 || (n < line.n && line.p[n] != ' ') || str_has_ctl(line))
		return false;
	*ret_verb = str_first(line, n);
	*ret_arg = str_from(line, n + 1);
	return true;
}

bool smtp_verb_is_http(struct str line)
{
	/* RFC 9110 §9.3, RFC 5789; PRI begins an HTTP/2 connection (RFC 9113 §3.4). */
	static const struct str methods[] = {
		STR("GET"),   STR("HEAD"),    STR("POST"),  STR("PUT"),   STR("DELETE"),
		STR("TRACE"), STR("CONNECT"), STR("PATCH"), STR("OPTIONS"), STR("PRI"),
	};
	struct str word, rest;

	if (!str_cut(line, ' ', &word, &rest))
		return false;
	for (size_t i = 0; i < LEN(methods); i++)
		if (str_eq(word, methods[i]))
			return true;
	return false;
}
