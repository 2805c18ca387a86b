/* wire/address/address.c - the grammar of Mailbox; see address.h. */
#include "wire/address/address.h"

#include "wire/address/address_local.h"

bool address_is_atext(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c > 127 ||
	       (c != '\0' && str_find(STR("!#$%&'*+-/=?^_`{|}~"), c) >= 0);
}

bool address_is_dot_string(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? i == 0 || s.p[i - 1] == '.' : !address_is_atext(s.p[i]))
			return false;
	}
	return s.n > 0 && s.p[s.n - 1] != '.';
}

/* Well-formed, and without C1 controls, which are C2 80 .. C2 9F. */
static bool utf8_usable(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++) {
		if ((unsigned char)s.p[i] == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
			return false;
	}
	return str_is_utf8(s);
}

/* Octets of the Quoted-string at the start of `s`, or 0. */
static size_t quoted_string(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\' && (++i == s.n || (unsigned char)s.p[i] > 126))
			return 0;
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
			return 0;
	}
	return 0;
}

/* sub-domain = Let-dig [Ldh-str]; octets over 127 pass as part of a U-label. */
static bool sub_domain(struct str label)
{
	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && (unsigned char)label.p[i] < 128)
			return false;
	}
	return true;
}

static enum address_err domain_syntax(struct str domain)
{
	struct str label, rest = domain;

	if (domain.n > LIMIT_DOMAIN)
		return ADDRESS_LENGTH;
	while (str_cut(rest, '.', &label, &rest)) {
		if (!sub_domain(label))
			return ADDRESS_SYNTAX;
	}
	if (!sub_domain(label))
		return ADDRESS_SYNTAX;
	for (size_t i = 0; i < label.n; i++) {
		if (!ascii_is_digit(label.p[i]))
			return ADDRESS_OK;
	}
	return ADDRESS_DOMAIN;
}

bool address_domain_is_ascii(struct str domain)
{
	return str_is_ascii(domain) && domain_syntax(domain) == ADDRESS_OK;
}

enum address_err address_parse(struct str s, bool utf8_allowed, struct address *ret)
{
	struct address       a = { .utf8 = !str_is_ascii(s) };
	struct address_canon literal;
	enum address_err     err;
	ptrdiff_t            at;

	if (s.n > LIMIT_ADDRESS)
		return ADDRESS_LENGTH;
	if (a.utf8 && (!utf8_allowed || !utf8_usable(s)))
		return ADDRESS_UTF8;
	a.quoted = s.n > 0 && s.p[0] == '"';
	at = a.quoted ? (ptrdiff_t)quoted_string(s) : str_find(s, '@');
	if (at <= 0 || (size_t)at >= s.n || s.p[at] != '@')
		return ADDRESS_SYNTAX;
	a.local = str_first(s, (size_t)at);
	a.domain = str_from(s, (size_t)at + 1);
	if (!a.quoted && !address_is_dot_string(a.local))
		return ADDRESS_SYNTAX;
	if (a.local.n > LIMIT_LOCAL_PART)
		return ADDRESS_LENGTH;
	a.literal = a.domain.n > 0 && a.domain.p[0] == '[';
	err = a.literal ? address_literal(a.domain, &literal) : domain_syntax(a.domain);
	if (err == ADDRESS_OK)
		*ret = a;
	return err;
}

const char *address_err_name(enum address_err err)
{
	static const char *const names[] = {
		[ADDRESS_OK] = "ok",     [ADDRESS_SYNTAX] = "syntax", [ADDRESS_LENGTH] = "length",
		[ADDRESS_UTF8] = "utf8", [ADDRESS_DOMAIN] = "domain",
	};

	return (size_t)err < LEN(names) ? names[err] : "?";
}
