/* wire/address/address_domain.c - one form for each domain and each address literal; see address.h. */
#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

#include "wire/address/address.h"

#define DOMAIN_TEXT ((size_t)253) /* RFC 1035 §2.3.4: 255 octets in a packet, two less as text */
#define LABEL_TEXT  ((size_t)63)

static void set(struct address_canon *ret, struct str text)
{
	ret->n = text.n;
	ret->local_n = 0;
	for (size_t i = 0; i < text.n; i++)
		ret->text[i] = ascii_lower(text.p[i]);
}

static enum address_err ascii_domain(struct str domain, struct address_canon *ret)
{
	struct str label, rest = domain;
	bool       more;

	if (domain.n > DOMAIN_TEXT)
		return ADDRESS_LENGTH;
	if (!address_domain_is_ascii(domain))
		return ADDRESS_DOMAIN;
	do {
		more = str_cut(rest, '.', &label, &rest);
		if (label.n > LABEL_TEXT)
			return ADDRESS_LENGTH;
	} while (more);
	set(ret, domain);
	return ADDRESS_OK;
}

/* A-labels that came as such are kept, known to IDNA or not: DNS has names that newer tables refuse. */
enum address_err address_domain(struct str domain, struct address_canon *ret)
{
	char             u[LIMIT_DOMAIN + 1];
	uint8_t         *a = NULL;
	enum address_err err;

	if (domain.n == 0)
		return ADDRESS_SYNTAX;
	if (domain.n > LIMIT_DOMAIN)
		return ADDRESS_LENGTH;
	if (str_is_ascii(domain))
		return ascii_domain(domain, ret);
	if (!str_is_utf8(domain))
		return ADDRESS_UTF8;
	if (!str_to_c(domain, u, sizeof(u)))
		return ADDRESS_SYNTAX;
	if (idn2_lookup_u8((const uint8_t *)u, &a, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return ADDRESS_DOMAIN;
	/* The mapping can make "/", "@" or "." out of look-alikes: what comes out is checked like any other name. */
	err = ascii_domain(str_of((const char *)a), ret);
	idn2_free(a);
	return err;
}

struct str address_ascii(struct arena *a, struct str address)
{
	struct address_canon canon;
	struct str           local, domain;

	if (str_is_ascii(address) || !str_rcut(address, '@', &local, &domain) || !str_is_ascii(local) ||
	    address_domain(domain, &canon) != ADDRESS_OK)
		return address;
	return arena_printf(a, "%.*s@%.*s", STR_FMT(local), STR_FMT(address_text(&canon)));
}

/* IPv4-address-literal = Snum 3("."  Snum), Snum = 1*3DIGIT up to 255: inet_pton refuses leading zeros too. */
enum address_err address_literal(struct str literal, struct address_canon *ret)
{
	char       text[INET6_ADDRSTRLEN + 1], out[INET6_ADDRSTRLEN];
	uint8_t    ip[16];
	struct str s = literal;
	bool       v6;

	if (s.n < 2 || !str_skip_char(&s, '[') || s.p[s.n - 1] != ']')
		return ADDRESS_SYNTAX;
	s.n--;
	v6 = str_skip(&s, STR("IPv6:"));
	if (!str_to_c(s, text, sizeof(text)) || inet_pton(v6 ? AF_INET6 : AF_INET, text, ip) != 1 ||
	    inet_ntop(v6 ? AF_INET6 : AF_INET, ip, out, sizeof(out)) == NULL)
		return ADDRESS_SYNTAX;
	set(ret, str_of(v6 ? "[IPv6:" : "["));
	if (v6)
		memcpy(ret->text, "[IPv6:", 6);
	memcpy(ret->text + ret->n, out, strlen(out));
	ret->n += strlen(out);
	ret->text[ret->n++] = ']';
	return ADDRESS_OK;
}
