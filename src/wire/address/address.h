/* wire/address/address.h - mailboxes: the grammar, and the one form in which two of them are compared.
 *
 * Grammar, RFC 5321 §4.1.2, §4.1.3 and RFC 6531 §3.3:
 *   Mailbox          = Local-part "@" ( Domain / address-literal )
 *   Local-part       = Dot-string / Quoted-string
 *   Dot-string       = Atom *("."  Atom)                       Atom = 1*atext
 *   Quoted-string    = DQUOTE *QcontentSMTP DQUOTE
 *   QcontentSMTP     = qtextSMTP / quoted-pairSMTP
 *   qtextSMTP        = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
 *   quoted-pairSMTP  = %d92 %d32-126
 *   Domain           = sub-domain *("." sub-domain)
 *   sub-domain       = Let-dig [Ldh-str] / U-label
 *   address-literal  = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"
 *
 * Stricter than the grammar, on purpose: a domain whose last label is only digits is refused (it would be read as an
 * address by somebody), so are numbers with leading zeros in an IPv4 literal, literals of other families (none is
 * registered), and the C1 controls (U+0080-U+009F). A final dot is not in the grammar. "%" and "!" are plain atext:
 * they never route.
 *
 * Canonical form: the domain in A-labels and lower case (UTS #46 non-transitional mapping, then the checks above), an
 * IPv6 literal as inet_ntop prints it; the local part quoted only if it must be, and folded if `fold` says so, which is
 * right for our own domains only (RFC 5321 §2.4). Folding: ASCII to lower case; runs of letters and digits with UTF-8
 * in them as IDNA maps a label (lower case, NFKC); runs that IDNA does not know keep their UTF-8. Canonising twice
 * changes nothing.
 *
 * Pure: no I/O, no clock, no globals (libidn2 allocates and frees within a call). Thread-safe.
 * Tests: tests/unit/test_address.c, tests/fuzz/fuzz_address_canon.c.
 */
#ifndef WIRE_ADDRESS_ADDRESS_H
#define WIRE_ADDRESS_ADDRESS_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"

enum address_err {
	ADDRESS_OK,
	ADDRESS_SYNTAX, /* not a Mailbox */
	ADDRESS_LENGTH, /* local part, domain, label or the whole too long */
	ADDRESS_UTF8,   /* octets over 127 that are not allowed here, or are no UTF-8 */
	ADDRESS_DOMAIN, /* the domain is no domain name: IDNA refuses a label, or it ends in a number */
};

/* Slices borrow from the parsed text. */
struct address {
	struct str local;   /* as written, with its quotes */
	struct str domain;  /* as written; a literal with its brackets */
	bool       quoted;  /* local is a Quoted-string */
	bool       literal; /* domain is an address-literal */
	bool       utf8;    /* octets over 127 anywhere: needs SMTPUTF8 */
};

/* A canonical address (or domain, with local_n == 0 and no "@") with its storage. */
struct address_canon {
	size_t n, local_n; /* text is local part, "@", domain */
	char   text[LIMIT_ADDRESS];
};

/* All of `s` is a Mailbox. utf8_allowed: RFC 6531 (SMTPUTF8 was given). Checks the domain's grammar, but not a U-label
 * against IDNA, which canonising does. *ret is written only on ADDRESS_OK. */
MUST_CHECK enum address_err address_parse(struct str s, bool utf8_allowed, struct address *ret);

/* The canonical form of a parsed address. */
MUST_CHECK enum address_err address_canon(const struct address *a, bool fold, struct address_canon *ret);
/* Both in one, UTF-8 allowed. */
MUST_CHECK enum address_err address_canon_of(struct str s, bool fold, struct address_canon *ret);

/* The canonical form of a domain name alone, in U-labels or A-labels, any case. Literals are refused. */
MUST_CHECK enum address_err address_domain(struct str domain, struct address_canon *ret);
/* RFC 6531 §3.2: an address of which only the domain is not ASCII, with its domain in A-labels, as every host takes it; another
 * one as it is. */
struct str address_ascii(struct arena *a, struct str address);
/* The canonical form of "[192.0.2.1]" and "[IPv6:2001:db8::1]". */
MUST_CHECK enum address_err address_literal(struct str literal, struct address_canon *ret);

/* A sub-domain per label, no octet over 127, not ending in a number: as it stands in DNS and EHLO. Pure syntax, any
 * case. */
bool address_domain_is_ascii(struct str domain);

/* Take the subaddress off (RFC 5233 §1): "user+detail@d" gives "user@d"; the cut is at the first of the `separators`
 * that leaves a user. False if there is none; *ret is then untouched. `a` must be canonical. */
MUST_CHECK bool address_base(const struct address_canon *a, struct str separators, struct address_canon *ret);

static inline struct str address_text(const struct address_canon *a)
{
	return (struct str){ a->text, a->n };
}
/* Without the final dot that names in DNS may have. */
static inline struct str address_without_dot(struct str domain)
{
	return domain.n > 0 && domain.p[domain.n - 1] == '.' ? str_first(domain, domain.n - 1) : domain;
}
static inline struct str address_local(const struct address_canon *a)
{
	return (struct str){ a->text, a->local_n };
}
static inline struct str address_domain_of(const struct address_canon *a)
{
	return str_from(address_text(a), a->local_n > 0 ? a->local_n + 1 : 0);
}

/* "syntax", "length" ...: for logs. */
const char *address_err_name(enum address_err err);

#endif
