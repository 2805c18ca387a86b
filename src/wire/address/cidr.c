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

static bool separator(char c)
{
	return ascii_is_wsp(c) || c == ',';
}

static struct str word_take(struct str *text)
{
	struct str word;
	size_t     n = 0;

	while (text->n > 0 && separator(text->p[0]))
		*text = str_from(*text, 1);
	while (n < text->n && !separator(text->p[n]))
		n++;
	word = str_first(*text, n);
	*text = str_from(*text, n);
	return word;
}

bool cidr_list_parse(struct str text, struct arena *a, struct cidr_list *ret, struct str *ret_bad)
{
	struct cidr_list list = { 0 };
	struct str       rest = text, word;

	while ((word = word_take(&rest)).n > 0)
		list.count++;
	*ret_bad = text;
	if (list.count > LIMIT_CIDRS)
		return false;
	list.items = ARENA_ARRAY(a, struct cidr, MAX(list.count, 1u));
	for (size_t i = 0; i < list.count; i++) {
		*ret_bad = word_take(&text);
		if (!cidr_parse(*ret_bad, &list.items[i]))
			return false;
	}
	*ret = list;
	return true;
}

bool cidr_list_has(const struct cidr_list *list, struct str address)
{
	uint8_t  octets[16];
	unsigned width;

	if (list->count == 0 || !address_octets(address, octets, &width))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (same_prefix(octets, list->items[i].octets, list->items[i].bits))
			return true;
	return false;
}
