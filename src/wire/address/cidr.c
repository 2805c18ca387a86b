/* wire/address/cidr.c - grammar and contract are in cidr.h. */
#include "wire/address/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/limits.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* *ret_width: bits of the address as it is written. */
static bool address_octets(struct str text, uint8_t octets[static 16], unsigned *ret_width)
{
	char c[INET6_ADDRSTRLEN];

	if (!str_to_c(text, c, sizeof(c)))
		return false;
	memcpy(octets, mapped, sizeof(mapped));
	*ret_width = 32;
	if (inet_pton(AF_INET, c, octets + 12) == 1)
		return true;
	*ret_width = 128;
	return inet_pton(AF_INET6, c, octets) == 1;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool rest_is_zero(const struct cidr *c)
{
	for (unsigned bit = c->bits; bit < 128; bit++)
		if (c->octets[bit / 8] & 0x80u >> bit % 8)
			return false;
	return true;
}

bool cidr_parse(struct str text, struct cidr *ret)
{
	struct cidr c;
	struct str  address, prefix;
	unsigned    width;
	uint32_t    bits;
	bool        has_prefix = str_cut(text, '/', &address, &prefix);

	if (!address_octets(address, c.octets, &width))
		return false;
	bits = width;
	if (has_prefix && (prefix.n > 3 || !str_to_u32(prefix, &bits) || bits > width))
		return false;
	c.bits = (uint8_t)(128 - width + bits);
	if (!rest_is_zero(&c))
		return false;
	*ret = c;
	return true;
}

/* Up to a separator, and one separator behind it. */
static struct str word_take(struct str *text)
{
	struct str word;
	size_t     n = 0;

	while (n < text->n && text->p[n] != ',' && !ascii_is_wsp(text->p[n]))
		n++;
	word = str_first(*text, n);
	*text = str_trim(str_from(*text, n));
	if (str_skip_char(text, ','))
		*text = str_trim(*text);
	return word;
}

bool cidr_array_parse(struct str text, struct cidr *items, size_t cap, size_t *ret_count, struct str *ret_bad)
{
	text = str_trim(text);
	for (*ret_count = 0; text.n > 0; ++*ret_count) {
		*ret_bad = word_take(&text);
		if (*ret_count == cap || !cidr_parse(*ret_bad, &items[*ret_count]))
			return false;
	}
	return true;
}

bool cidr_list_parse(struct str text, struct arena *a, struct cidr_list *ret, struct str *ret_bad)
{
	struct cidr_list list = { .items = ARENA_ARRAY(a, struct cidr, LIMIT_CIDRS) };

	if (!cidr_array_parse(text, list.items, LIMIT_CIDRS, &list.count, ret_bad))
		return false;
	*ret = list;
	return true;
}

bool cidr_address_parse(struct str text, uint8_t ret[16])
{
	return address_octets(text, ret, &(unsigned){ 0 });
}

bool cidr_has(const struct cidr *c, const uint8_t octets[16])
{
	return same_prefix(octets, c->octets, c->bits);
}

bool cidr_inside(struct str address)
{
	static const struct cidr inside[] = {
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0 }, 104 },
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127 }, 104 },
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10 }, 104 },
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 172, 16 }, 108 },
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168 }, 112 },
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 100, 64 }, 106 },
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 169, 254 }, 112 },
		{ { 0 }, 127 }, /* "::" and "::1" */
		{ { 0xfc }, 7 },
		{ { 0xfe, 0x80 }, 10 },
	};
	uint8_t octets[16];

	if (!cidr_address_parse(address, octets))
		return false;
	for (size_t i = 0; i < LEN(inside); i++)
		if (cidr_has(&inside[i], octets))
			return true;
	return false;
}

bool cidr_list_has(const struct cidr_list *list, struct str address)
{
	uint8_t octets[16];

	if (list->count == 0 || !cidr_address_parse(address, octets))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (cidr_has(&list->items[i], octets))
			return true;
	return false;
}
