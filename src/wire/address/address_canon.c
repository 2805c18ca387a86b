/* wire/address/address_canon.c - unquote, fold and quote a local part; see address.h. */
#include <idn2.h>
#include <string.h>

#include "wire/address/address_local.h"

#define RUN_MAX ((size_t)250) /* longer runs cannot be a label anyway */

void address_local_unquote(struct str local, struct local_text *ret)
{
	bool quoted = local.n >= 2 && local.p[0] == '"';

	CHECK(local.n <= sizeof(ret->p));
	ret->n = 0;
	if (quoted)
		local = str_sub(local, 1, local.n - 2);
	for (size_t i = 0; i < local.n; i++) {
		if (quoted && local.p[i] == '\\' && i + 1 < local.n)
			i++;
		ret->p[ret->n++] = local.p[i];
	}
}

static bool add(struct local_text *t, struct str s)
{
	if (s.n > sizeof(t->p) - t->n)
		return false;
	if (s.n > 0)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
	return true;
}

static bool is_run(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c > 127;
}

/* A run that maps to anything but letters and digits (a look-alike of "@" or ".") stays as it was. */
static bool run_fold(struct local_text *t, struct str run)
{
	char     in[RUN_MAX + 1], *mapped = NULL;
	uint8_t *a = NULL;
	bool     ok = !str_is_ascii(run) && str_to_c(run, in, sizeof(in)) &&
		  idn2_lookup_u8((const uint8_t *)in, &a, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
		  idn2_to_unicode_8z8z((const char *)a, &mapped, 0) == IDN2_OK;
	bool fits;

	for (const char *p = mapped; ok && *p != '\0'; p++)
		ok = is_run(*p);
	fits = add(t, ok ? str_of(mapped) : run);
	idn2_free(mapped);
	idn2_free(a);
	return fits;
}

bool address_local_fold(const struct local_text *in, struct local_text *ret)
{
	struct local_text lower;
	struct str        s;

	lower.n = in->n;
	for (size_t i = 0; i < in->n; i++)
		lower.p[i] = ascii_lower(in->p[i]);
	ret->n = 0;
	s = str_n(lower.p, lower.n);
	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && is_run(s.p[n]))
			n++;
		if (!(n > 0 ? run_fold(ret, str_first(s, n)) : add(ret, str_first(s, 1))))
			return false;
		s = str_from(s, n > 0 ? n : 1);
	}
	return true;
}

bool address_compose(struct str local, struct str domain, struct address_canon *ret)
{
	bool   quote = !address_is_dot_string(local);
	size_t n = 0, escapes = 0;

	for (size_t i = 0; i < local.n; i++)
		escapes += local.p[i] == '"' || local.p[i] == '\\';
	ret->local_n = local.n + (quote ? 2 + escapes : 0);
	ret->n = ret->local_n + 1 + domain.n;
	if (ret->local_n > LIMIT_LOCAL_PART || ret->n > sizeof(ret->text))
		return false;
	if (quote)
		ret->text[n++] = '"';
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			ret->text[n++] = '\\';
		ret->text[n++] = local.p[i];
	}
	if (quote)
		ret->text[n++] = '"';
	ret->text[n++] = '@';
	memcpy(ret->text + n, domain.p, domain.n);
	return true;
}

enum address_err address_canon(const struct address *a, bool fold, struct address_canon *ret)
{
	struct address_canon domain, out;
	struct local_text    local, folded;
	enum address_err err = a->literal ? address_literal(a->domain, &domain) : address_domain(a->domain, &domain);

	if (err != ADDRESS_OK)
		return err;
	address_local_unquote(a->local, &local);
	if (fold && !address_local_fold(&local, &folded))
		return ADDRESS_LENGTH;
	if (fold)
		local = folded;
	if (!address_compose(str_n(local.p, local.n), address_text(&domain), &out))
		return ADDRESS_LENGTH;
	*ret = out;
	return ADDRESS_OK;
}

enum address_err address_canon_of(struct str s, bool fold, struct address_canon *ret)
{
	struct address   a;
	enum address_err err = address_parse(s, true, &a);

	return err == ADDRESS_OK ? address_canon(&a, fold, ret) : err;
}

bool address_base(const struct address_canon *a, struct str separators, struct address_canon *ret)
{
	struct local_text    local;
	struct address_canon out;
	struct str           user;
	size_t               at = 1; /* so that "+x" has a user */

	address_local_unquote(address_local(a), &local);
	while (at < local.n && str_find(separators, local.p[at]) < 0)
		at++;
	if (at >= local.n)
		return false;
	user = str_first(str_n(local.p, local.n), at);
	if (!address_compose(user, address_domain_of(a), &out))
		return false;
	*ret = out;
	return true;
}
