/* wire/sasl/sasl_scram.c - grammar and contract are in sasl_scram.h. */
#include "wire/sasl/sasl_scram.h"

#include "base/limits.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/text/text_base64.h"

/* Up to the next comma, which is taken too; *ret_more: there was one. False for nothing. */
static bool attribute_take(struct str *in, struct str *ret, bool *ret_more)
{
	*ret_more = str_cut(*in, ',', ret, in);
	return ret->n > 0;
}

/* nonce = 1*printable: %x21-7E without "," */
static bool nonce_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ',')
			return false;
	return s.n > 0;
}

static bool base64_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/' && s.p[i] != '=')
			return false;
	return s.n > 0;
}

/* extensions = attr-val *("," attr-val); attr-val = ALPHA "=" 1*value-char. None of them means anything to us. */
static bool extension_valid(struct str s)
{
	return s.n > 2 && ascii_is_alpha(s.p[0]) && s.p[1] == '=' && str_is_utf8(s) && str_find(s, '\0') < 0;
}

static bool extensions_valid(struct str s, bool more)
{
	struct str one;

	while (more)
		if (!attribute_take(&s, &one, &more) || !extension_valid(one))
			return false;
	return true;
}

static bool name_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ',' || (s.p[i] == '=' && !str_starts(str_from(s, i), STR("=2C")) &&
				      !str_starts(str_from(s, i), STR("=3D"))))
			return false;
	return sasl_text_valid(s, 3 * LIMIT_USER);
}

bool sasl_name_decode(struct str name, struct buf *out)
{
	size_t before = out->n;

	if (!name_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		bool encoded = name.p[i] == '=';
		char c = !encoded ? name.p[i] : name.p[i + 1] == '2' ? ',' : '=';

		if (out->n - before == LIMIT_USER || !buf_add_char(out, c)) {
			out->n = before;
			return false;
		}
		i += encoded ? 2 : 0;
	}
	return true;
}

static bool binding_name_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return s.n > 0;
}

bool sasl_gs2_take(struct str *in, struct sasl_gs2 *ret)
{
	struct sasl_gs2 g = { 0 };
	struct str      rest = *in, flag;
	bool            more;

	if (!attribute_take(&rest, &flag, &more) || !more)
		return false;
	g.flag = flag.p[0];
	if (str_skip(&flag, STR("p="))) {
		if (g.flag != 'p' || !binding_name_valid(flag))
			return false;
		g.binding = flag;
	} else if (!str_eq(flag, STR("n")) && !str_eq(flag, STR("y"))) {
		return false;
	}
	if (!str_cut(rest, ',', &g.authzid, &rest))
		return false;
	if (g.authzid.n > 0 && (!str_starts(g.authzid, STR("a=")) || !name_valid(str_from(g.authzid, 2))))
		return false;
	g.authzid = str_from(g.authzid, 2);
	g.text = str_first(*in, in->n - rest.n);
	*in = rest;
	*ret = g;
	return true;
}

bool sasl_scram_bare_parse(struct str bare, struct str *ret_user, struct str *ret_nonce)
{
	struct str user, nonce;
	bool       more;

	/* "m=", the mandatory extension, fails here too. */
	if (!attribute_take(&bare, &user, &more) || !more || !str_starts(user, STR("n=")) ||
	    !attribute_take(&bare, &nonce, &more) || !str_starts(nonce, STR("r=")))
		return false;
	user = str_from(user, 2);
	nonce = str_from(nonce, 2);
	if (!name_valid(user) || !nonce_valid(nonce) || nonce.n > LIMIT_SASL_NONCE / 2 || !extensions_valid(bare, more))
		return false;
	*ret_user = user;
	*ret_nonce = nonce;
	return true;
}

bool sasl_scram_first_parse(struct str message, struct sasl_scram_first *ret)
{
	struct sasl_scram_first m = { 0 };

	if (!sasl_gs2_take(&message, &m.gs2) || !sasl_scram_bare_parse(message, &m.user, &m.nonce))
		return false;
	m.bare = message;
	*ret = m;
	return true;
}

bool sasl_scram_final_parse(struct str message, struct sasl_scram_final *ret)
{
	struct sasl_scram_final m;
	struct str              rest;
	bool                    more;

	if (!str_rcut(message, ',', &m.unproved, &m.proof) || !str_starts(m.proof, STR("p=")))
		return false;
	rest = m.unproved;
	if (!attribute_take(&rest, &m.binding, &more) || !more || !str_starts(m.binding, STR("c=")) ||
	    !attribute_take(&rest, &m.nonce, &more) || !str_starts(m.nonce, STR("r=")))
		return false;
	m.proof = str_from(m.proof, 2);
	m.binding = str_from(m.binding, 2);
	m.nonce = str_from(m.nonce, 2);
	if (!base64_valid(m.proof) || !base64_valid(m.binding) || !nonce_valid(m.nonce) ||
	    m.nonce.n > LIMIT_SASL_NONCE || !extensions_valid(rest, more))
		return false;
	*ret = m;
	return true;
}

void sasl_scram_server_first(struct str client_nonce, struct str server_nonce, struct str salt, uint32_t iterations,
			     struct buf *out)
{
	buf_add(out, STR("r="));
	buf_add(out, client_nonce);
	buf_add(out, server_nonce);
	buf_add(out, STR(",s="));
	text_base64_encode(salt, out);
	buf_add(out, STR(",i="));
	buf_add_u64(out, iterations);
}

void sasl_scram_server_final(struct str signature, struct buf *out)
{
	buf_add(out, STR("v="));
	text_base64_encode(signature, out);
}
