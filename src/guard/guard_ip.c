/* guard/guard_ip.c - see guard_ip.h. */
#include "guard/guard_ip.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_ONE  ((uint64_t)0xffff << 32)
#define V4_WIDE ((uint64_t)0xfffe << 32)
#define V6_WIDE ((uint64_t)1 << 48)

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static uint64_t number(const uint8_t *octets, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | octets[i];
	return v;
}

bool guard_ip_parse(struct str text, struct guard_ip *ret)
{
	struct guard_ip ip = { 0 };

	str_cut(text, '%', &text, &(struct str){ 0 });
	if (!cidr_address_parse(text, ip.octets))
		return false;
	ip.v4 = memcmp(ip.octets, mapped, sizeof(mapped)) == 0;
	if (ip.v4) {
		ip.address = V4_ONE | number(ip.octets + 12, 4);
		ip.loopback = ip.octets[12] == 127;
	} else {
		ip.address = number(ip.octets, 8);
		ip.loopback = ip.address == 0 && number(ip.octets + 8, 8) == 1;
		if (ip.address >> 48 < 2) /* not in use, but for ::1: whatever it claims, it is no other kind of place */
			ip.address = 1;
	}
	ip.network = guard_place_around(ip.address);
	*ret = ip;
	return true;
}

bool guard_place_wide(uint64_t place)
{
	return place >> 32 == V4_WIDE >> 32 || place >> 48 == V6_WIDE >> 48;
}

uint64_t guard_place_around(uint64_t place)
{
	if (guard_place_wide(place))
		return place;
	if (place >> 32 == V4_ONE >> 32)
		return V4_WIDE | (place & 0xffffff00u);
	return V6_WIDE | place >> 16;
}

bool guard_place_parse(struct str text, uint64_t *ret)
{
	struct guard_ip ip;
	struct str      address, length;
	bool            given = str_cut(text, '/', &address, &length);
	uint32_t        bits = 0;

	if (!guard_ip_parse(address, &ip) || (given && !str_to_u32(length, &bits)))
		return false;
	if (!given || bits == (ip.v4 ? 32 : 64))
		*ret = ip.address;
	else if (bits == (ip.v4 ? 24 : 48))
		*ret = ip.network;
	else
		return false;
	return true;
}

struct str guard_place_print(uint64_t place, char ret[GUARD_PLACE_TEXT])
{
	bool        v4 = place >> 48 == 0 && place >> 33 == V4_WIDE >> 33, wide = guard_place_wide(place);
	uint8_t     octets[16] = { 0 };
	const char *length = v4 ? wide ? "/24" : "" : wide ? "/48" : "/64";

	if (wide && !v4)
		place <<= 16;
	for (size_t i = 0; i < 8; i++)
		octets[i] = (uint8_t)(place >> (56 - 8 * i));
	CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? octets + 4 : octets, ret, GUARD_PLACE_TEXT - 4));
	memcpy(ret + strlen(ret), length, strlen(length) + 1);
	return str_of(ret);
}

bool guard_cidrs_parse(struct str text, struct guard_cidrs *ret)
{
	*ret = (struct guard_cidrs){ 0 };
	return cidr_array_parse(text, ret->item, LEN(ret->item), &ret->count, &(struct str){ 0 });
}

bool guard_cidrs_have(const struct guard_cidrs *c, const uint8_t octets[16])
{
	for (size_t i = 0; i < c->count; i++)
		if (cidr_has(&c->item[i], octets))
			return true;
	return false;
}
