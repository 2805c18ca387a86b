/* wire/address/cidr.h - addresses and networks of a setting: who is trusted.
 *
 * Grammar, RFC 4632 §3.1 and RFC 4291 §2.3:
 *   list    = [ network *( sep network ) ]        sep = white space, or one "," with or without it
 *   network = address [ "/" 1*3DIGIT ]            address: IPv4 or IPv6, without brackets
 *
 * Bits behind the prefix must be zero: "10.0.0.1/8" is a mistake, not a network. An IPv4-mapped IPv6 address ("::ffff:192.0.2.1")
 * is that IPv4 address, in a list and when it is looked for.
 *
 * Pure. Tests: tests/unit/test_cidr.c, tests/fuzz/fuzz_proxy.c.
 */
#ifndef WIRE_ADDRESS_CIDR_H
#define WIRE_ADDRESS_CIDR_H

#include "base/arena.h"

struct cidr {
	uint8_t octets[16]; /* IPv4: ::ffff:a.b.c.d */
	uint8_t bits;       /* of 128 */
};

struct cidr_list {
	struct cidr *items;
	size_t       count;
};

/* One network. *ret is written only if it is true. */
MUST_CHECK bool cidr_parse(struct str text, struct cidr *ret);
/* At most `cap` of them. On false *ret_bad is the part that is none, or one too many. */
MUST_CHECK bool cidr_array_parse(struct str text, struct cidr *items, size_t cap, size_t *ret_count, struct str *ret_bad);
/* The same for LIMIT_CIDRS; the items live in `a`. */
MUST_CHECK bool cidr_list_parse(struct str text, struct arena *a, struct cidr_list *ret, struct str *ret_bad);

/* One address as sixteen octets, IPv4 as ::ffff:a.b.c.d. What is in `ret` counts only if it is true. */
MUST_CHECK bool cidr_address_parse(struct str text, uint8_t ret[16]);

/* IPv4 as ::ffff:a.b.c.d. */
bool cidr_has(const struct cidr *c, const uint8_t octets[16]);
/* The address means something on this host or in a private network alone: unspecified, loopback, private (RFC 1918, RFC 4193, RFC 6598), link-local.
 * Text that is no address is not such a one. */
bool cidr_inside(struct str address);
/* `address` as text is inside one of them. Text that is no address ("local", "") is in none. */
bool cidr_list_has(const struct cidr_list *list, struct str address);

#endif
