/* wire/mime/mime_header_from.c - is there one author whom everybody reads alike? See mime_header.h. */
#include "wire/address/address.h"
#include "wire/mime/mime_address.h"
#include "wire/mime/mime_header.h"

/* LDH with underscores and UTF-8, or a literal: what no other grammar gives a meaning to (a5 and a6: quotes, parentheses). */
static bool domain_plain(struct str domain)
{
	if (domain.n == 0 || domain.p[0] == '[')
		return domain.n > 0;
	for (size_t i = 0; i < domain.n; i++) {
		char c = domain.p[i];

		if (!ascii_is_alnum(c) && c != '-' && c != '.' && c != '_' && (unsigned char)c < 128)
			return false;
	}
	return true;
}

/* "a@b <a@b>", nothing else. */
static bool said_twice(struct str value)
{
	struct str     s = str_trim_ws(value), name, angle;
	struct address address;

	if (!str_cut(s, ' ', &name, &angle) || address_parse(name, true, &address) != ADDRESS_OK)
		return false;
	angle = str_trim_ws(angle);
	return angle.n == name.n + 2 && angle.p[0] == '<' && angle.p[angle.n - 1] == '>' && str_ieq(str_sub(angle, 1, name.n), name);
}

static bool no_domain(const struct mime_addresses *l)
{
	return l->count == 0 || (l->count == 1 && l->items[0].kind == MIME_ADDRESS_MAILBOX && l->items[0].domain.n == 0 && l->items[0].route.n == 0);
}

static enum mime_from list_check(const struct mime_addresses *l)
{
	struct str domain = STR_NONE;

	for (size_t i = 0; i < l->count; i++) {
		const struct mime_address *m = &l->items[i];

		if (m->kind != MIME_ADDRESS_MAILBOX)
			continue;
		if (m->route.n > 0 || m->local.n == 0 || !domain_plain(m->domain))
			return MIME_FROM_SYNTAX;
		if (domain.n > 0 && !str_ieq(domain, m->domain))
			return MIME_FROM_DOMAINS;
		domain = m->domain;
	}
	return MIME_FROM_OK;
}

enum mime_from mime_header_from(const struct mime_header *h, bool bounce, struct arena *a)
{
	struct mime_addresses list;
	struct str            value = h->value[MIME_HEADER_FROM];

	if (h->count[MIME_HEADER_FROM] == 0)
		return bounce && !h->leading_blank ? MIME_FROM_OK : MIME_FROM_MISSING;
	if (h->count[MIME_HEADER_FROM] > 1 || h->odd[MIME_HEADER_FROM] || h->leading_blank)
		return MIME_FROM_TWICE;
	mime_addresses_parse(value, a, &list);
	if (bounce && no_domain(&list))
		return MIME_FROM_OK;
	if (list.count == 0 || list.limit || (list.malformed && !said_twice(value)))
		return MIME_FROM_SYNTAX;
	return list_check(&list);
}
