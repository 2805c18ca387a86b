/* wire/sasl/sasl_scram_peer.c - grammar and contract are in sasl_scram_peer.h. */
#include "wire/sasl/sasl_scram_peer.h"

#include "base/limits.h"

/* Up to the next comma, which is taken too, and begins with `name` "=". */
static bool take(struct str *in, char name, struct str *ret)
{
	struct str one;

	(void)str_cut(*in, ',', &one, in);
	if (one.n < 3 || one.p[0] != name || one.p[1] != '=')
		return false;
	*ret = str_from(one, 2);
	return true;
}

/* Whatever stands behind the last attribute that we know. */
static bool rest_valid(struct str message, struct str rest)
{
	return message.n <= LIMIT_SASL_MESSAGE && str_is_utf8(message) && !str_has_ctl(message) && (rest.n > 0 || message.p[message.n - 1] != ',');
}

static bool nonce_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n <= LIMIT_SASL_NONCE;
}

bool sasl_scram_server_first_parse(struct str message, struct sasl_scram_server *ret)
{
	struct sasl_scram_server m = { 0 };
	struct str               in = message, number;

	if (!take(&in, 'r', &m.nonce) || !take(&in, 's', &m.salt) || !take(&in, 'i', &number) || !rest_valid(message, in))
		return false;
	if (!nonce_valid(m.nonce) || number.p[0] == '0' || !str_to_u32(number, &m.iterations))
		return false;
	*ret = m;
	return true;
}

bool sasl_scram_server_final_parse(struct str message, struct str *ret_signature, struct str *ret_error)
{
	struct str in = message, value;
	bool       right = str_starts(message, STR("v="));

	if (!take(&in, right ? 'v' : 'e', &value) || !rest_valid(message, in))
		return false;
	*ret_signature = right ? value : STR("");
	*ret_error = right ? STR("") : value;
	return true;
}

void sasl_name_encode(struct str name, struct buf *out)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == ',')
			buf_add(out, STR("=2C"));
		else if (name.p[i] == '=')
			buf_add(out, STR("=3D"));
		else
			buf_add_char(out, name.p[i]);
	}
}
