/* guard/guard_ip.h - where a peer is: its address and its network as numbers, and lists of networks.
 *
 * A place is what is counted, limited and banned: an IPv4 address, an IPv4 /24, an IPv6 /64 (whoever has one address of it has all),
 * or an IPv6 /48. All four kinds share one 64-bit number without meeting: of IPv6, nothing below 0002::/16 is in use.
 *
 *   0000:ffff:a.b.c.d   IPv4 address         0001:<48 bits>   IPv6 /48
 *   0000:fffe:a.b.c.0   IPv4 /24             all others       IPv6 /64
 *
 * Pure.
 */
#ifndef GUARD_GUARD_IP_H
#define GUARD_GUARD_IP_H

#include "base/buf.h"
#include "base/limits.h"
#include "wire/address/cidr.h"

#define GUARD_PLACE_TEXT ((size_t)64)

struct guard_ip {
	uint8_t  octets[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint64_t address, network; /* places; never 0 */
	bool     v4, loopback;
};

/* False: `text` is no address. A zone ("%eth0") does not matter. */
MUST_CHECK bool guard_ip_parse(struct str text, struct guard_ip *ret);

/* "192.0.2.1", "2001:db8::1" (its /64), "192.0.2.0/24", "2001:db8::/48", "2001:db8::/64"; no other length. */
MUST_CHECK bool guard_place_parse(struct str text, uint64_t *ret);
/* The same back; the slice is in `ret`. */
struct str guard_place_print(uint64_t place, char ret[GUARD_PLACE_TEXT]);
/* Is it one of the two wide kinds? */
bool guard_place_wide(uint64_t place);
/* The wide place around a narrow one; a wide one is its own. */
uint64_t guard_place_around(uint64_t place);

/* A list of networks of any length. */
struct guard_cidrs {
	struct cidr item[LIMIT_CIDRS];
	size_t      count;
};
/* "192.0.2.0/24, 2001:db8::/32, 198.51.100.7"; "" is no network. False: something in it is no network, or too many. */
MUST_CHECK bool guard_cidrs_parse(struct str text, struct guard_cidrs *ret);
bool            guard_cidrs_have(const struct guard_cidrs *c, const uint8_t octets[16]);

#endif
