/* dns/dns_answer.c - see dns_answer.h. */
#include "dns/dns_answer.h"

#include <arpa/inet.h>
#include <string.h>

#define NAME_MAX_TEXT ((size_t)253) /* RFC 1035 §2.3.4, as text without the final dot */
#define LABEL_MAX     ((size_t)63)

static bool name_octet(char c)
{
	return c > 32 && c < 127 && c != '\\' && c != '"';
}

/* Take a name off *in; compression pointers cannot occur here and are refused (the two highest bits of a length). */
static bool name_take(struct str *in, struct arena *a, struct str *ret)
{
	char  *text = arena_alloc(a, NAME_MAX_TEXT);
	size_t n = 0;
	char   len;

	while (str_take(in, &len)) {
		struct str label = str_first(*in, (unsigned char)len);

		if (len == 0) {
			*ret = str_n(text, n);
			return true;
		}
		if ((unsigned char)len > LABEL_MAX || label.n < (unsigned char)len ||
		    n + label.n + (n > 0) > NAME_MAX_TEXT)
			return false;
		if (n > 0)
			text[n++] = '.';
		for (size_t i = 0; i < label.n; i++) {
			if (!name_octet(label.p[i]) || label.p[i] == '.')
				return false;
			text[n++] = ascii_lower(label.p[i]);
		}
		*in = str_from(*in, label.n);
	}
	return false;
}

static bool name_whole(struct str in, struct arena *a, struct str *ret)
{
	return name_take(&in, a, ret) && in.n == 0;
}

static bool address(struct str in, int family, size_t octets, struct arena *a, struct str *ret)
{
	char *text = arena_alloc(a, INET6_ADDRSTRLEN);

	if (in.n != octets || inet_ntop(family, in.p, text, INET6_ADDRSTRLEN) == NULL)
		return false;
	*ret = str_of(text);
	return true;
}

static bool mx(struct str in, struct arena *a, struct dns_record *r)
{
	char high, low;

	if (!str_take(&in, &high) || !str_take(&in, &low))
		return false;
	r->preference = (uint32_t)(unsigned char)high << 8 | (unsigned char)low;
	return name_whole(in, a, &r->data);
}

/* RFC 2782 */
static bool srv(struct str in, struct arena *a, struct str *ret)
{
	unsigned   numbers[3];
	struct str target;
	char       high, low;

	for (size_t i = 0; i < LEN(numbers); i++) {
		if (!str_take(&in, &high) || !str_take(&in, &low))
			return false;
		numbers[i] = (unsigned)(unsigned char)high << 8 | (unsigned char)low;
	}
	if (!name_whole(in, a, &target))
		return false;
	*ret = arena_printf(a, "%u %u %u %.*s", numbers[0], numbers[1], numbers[2], STR_FMT(target));
	return true;
}

/* RFC 7208 §3.3: the character-strings of one record are joined without a space. */
static bool txt(struct str in, struct arena *a, struct str *ret)
{
	char  *text = arena_alloc(a, in.n);
	size_t n = 0;
	char   len;

	if (in.n == 0)
		return false;
	while (str_take(&in, &len)) {
		struct str piece = str_first(in, (unsigned char)len);

		if (piece.n < (unsigned char)len)
			return false;
		if (piece.n > 0)
			memcpy(text + n, piece.p, piece.n);
		n += piece.n;
		in = str_from(in, piece.n);
	}
	*ret = str_n(text, n);
	return n <= LIMIT_DNS_DATA;
}

/* Usage, selector, matching type, and at least one octet to match. */
static bool tlsa(struct str in, struct arena *a, struct str *ret)
{
	if (in.n < 4 || in.n > LIMIT_DNS_DATA)
		return false;
	*ret = arena_dup(a, in);
	return true;
}

bool dns_rdata_decode(enum dns_type type, struct str rdata, struct arena *a, struct dns_record *ret)
{
	struct dns_record r = { 0 };
	bool              ok = false;

	if (rdata.n > UINT16_MAX)
		return false;
	switch (type) {
	case DNS_A: ok = address(rdata, AF_INET, 4, a, &r.data); break;
	case DNS_AAAA: ok = address(rdata, AF_INET6, 16, a, &r.data); break;
	case DNS_MX: ok = mx(rdata, a, &r); break;
	case DNS_CNAME:
	case DNS_PTR: ok = name_whole(rdata, a, &r.data); break;
	case DNS_TXT: ok = txt(rdata, a, &r.data); break;
	case DNS_SRV: ok = srv(rdata, a, &r.data); break;
	case DNS_TLSA: ok = tlsa(rdata, a, &r.data); break;
	}
	if (ok)
		*ret = r;
	return ok;
}

bool dns_name_check(struct str name, struct str *ret)
{
	size_t label = 0;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > NAME_MAX_TEXT)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '.' ? label == 0 : !name_octet(name.p[i]))
			return false;
		label = name.p[i] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	*ret = name;
	return label > 0;
}

static bool ends_in_number(struct str name)
{
	struct str before, last;

	str_rcut(name, '.', &before, &last);
	for (size_t i = 0; i < last.n; i++) {
		if (!ascii_is_digit(last.p[i]))
			return false;
	}
	return true;
}

enum status dns_local(struct str name, enum dns_type type, struct arena *a, struct dns_lookup_reply *ret)
{
	struct dns_lookup_reply r = { .security = DNS_INSECURE };

	if (ends_in_number(name)) {
		r.rcode = DNS_NXDOMAIN;
	} else if (!str_ieq(name, STR("localhost")) && !str_iends(name, STR(".localhost"))) {
		return ST_NOT_FOUND;
	} else if (type == DNS_A || type == DNS_AAAA) {
		r.rcode = DNS_NOERROR;
		r.records = ARENA_NEW(a, struct dns_record);
		r.records[0].data = type == DNS_A ? STR("127.0.0.1") : STR("::1");
		r.record_count = 1;
	} else {
		r.rcode = DNS_NODATA;
	}
	*ret = r;
	return ST_OK;
}
