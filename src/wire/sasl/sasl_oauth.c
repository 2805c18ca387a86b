/* wire/sasl/sasl_oauth.c - grammar and contract are in sasl_oauth.h. */
#include "wire/sasl/sasl_oauth.h"

#include "base/limits.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/sasl/sasl_scram.h"

#define SEPARATOR '\001'

const struct str sasl_oauthbearer_error = STR("{\"status\":\"invalid_token\",\"scope\":\"mail\"}");
const struct str sasl_xoauth2_error = STR("{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}");

static bool token_valid(struct str s)
{
	size_t n = s.n;

	while (n > 0 && s.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!ascii_is_alnum(s.p[i]) && str_find(STR("-._~+/"), s.p[i]) < 0)
			return false;
	return n > 0 && s.n <= LIMIT_BEARER;
}

/* RFC 6750 §2.1: "Bearer" 1*SP b64token; the scheme in any letter case. */
static bool bearer_parse(struct str value, struct str *ret_token)
{
	if (!str_skip(&value, STR("Bearer ")))
		return false;
	while (str_skip_char(&value, ' '))
		continue;
	*ret_token = value;
	return token_valid(value);
}

/* kvpair = key "=" value kvsep; key = 1*ALPHA; value = *(VCHAR / SP / HTAB / CR / LF) */
static bool pair_take(struct str *in, struct str *ret_key, struct str *ret_value)
{
	struct str pair;

	if (!str_cut(*in, SEPARATOR, &pair, in) || !str_cut(pair, '=', ret_key, ret_value) || ret_key->n == 0)
		return false;
	for (size_t i = 0; i < ret_key->n; i++)
		if (!ascii_is_alpha(ret_key->p[i]))
			return false;
	for (size_t i = 0; i < ret_value->n; i++) {
		unsigned char c = (unsigned char)ret_value->p[i];

		if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c > '~')
			return false;
	}
	return true;
}

bool sasl_oauthbearer_parse(struct str message, struct sasl_oauth *ret)
{
	struct sasl_oauth m = { 0 };
	struct sasl_gs2   gs2;
	struct str        key, value;
	bool              has_auth = false;

	/* There is no variant with channel binding that "p" could be for. */
	if (!sasl_gs2_take(&message, &gs2) || gs2.flag == 'p' || !str_skip_char(&message, SEPARATOR))
		return false;
	while (!str_eq(message, STR("\001"))) {
		if (!pair_take(&message, &key, &value))
			return false;
		if (!str_ieq(key, STR("auth")))
			continue;
		if (has_auth || (value.n > 0 && !bearer_parse(value, &m.token)))
			return false;
		has_auth = true;
	}
	m.user = gs2.authzid;
	*ret = m;
	return true;
}

bool sasl_xoauth2_parse(struct str message, struct sasl_oauth *ret)
{
	struct sasl_oauth m;
	struct str        value;

	if (!str_skip(&message, STR("user=")) || !str_cut(message, SEPARATOR, &m.user, &message) ||
	    !sasl_text_valid(m.user, LIMIT_USER) || !str_skip(&message, STR("auth=")) ||
	    !str_cut(message, SEPARATOR, &value, &message) || !bearer_parse(value, &m.token) ||
	    !str_eq(message, STR("\001")))
		return false;
	*ret = m;
	return true;
}
