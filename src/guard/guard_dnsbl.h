/* guard/guard_dnsbl.h - lists of addresses in DNS (RFC 5782), with weights: the setting guard.dnsbl, names to ask, answers.
 *
 *   list    = item *("," item)                       spaces around everything but inside a pattern
 *   item    = zone ["=" (weight / pattern ["*" weight])]
 *   weight  = ["-"] 1*3DIGIT                         not 0; at most 100; without one it is 1. Less than 0: a list of good hosts
 *   pattern = field "." field "." field "." field    the answers that count; without one: all of 127.0.0.0/8
 *   field   = number / "[" range *(";" range) "]"    range = number ["-" number], 0 to 255
 *
 *   zen.example=3, list.example=127.0.0.[2-4]*2, wl.example=-5
 *
 * Answers outside 127.0.0.0/8 never count (a lapsed domain that answers everything), nor those in 127.255.255.0/24, by which lists
 * say that they do not answer us.
 *
 * Pure: no I/O, no allocation. Tests: tests/unit/test_guard_dnsbl.c, tests/fuzz/fuzz_guard_dnsbl.c.
 */
#ifndef GUARD_GUARD_DNSBL_H
#define GUARD_GUARD_DNSBL_H

#include "guard/guard_ip.h"

#define GUARD_ZONE_NAME ((size_t)186)  /* with 64 octets of nibbles, still a name (RFC 1035 §2.3.4) */

struct guard_zone {
	char     name[GUARD_ZONE_NAME + 1]; /* lower case, without the final dot */
	int      weight;
	bool     pattern;
	bool     again; /* an earlier item has the same name: one question serves both */
	uint64_t fields[4][4]; /* which numbers: 256 bits each */
};

struct guard_zones {
	struct guard_zone item[LIMIT_GUARD_ZONES];
	unsigned          count;
};

/* False: *ret_at is the item that is wrong (a slice of text). */
MUST_CHECK bool guard_zones_parse(struct str text, struct guard_zones *ret, struct str *ret_at);

/* "1.2.0.192.zen.example", "b.a. ... .8.b.d.0.1.0.0.2.zen.example". */
void guard_zone_question(const struct guard_zone *z, const struct guard_ip *ip, struct buf *out);

/* What a list has answered: IPv4 addresses as numbers. */
struct guard_listing {
	uint32_t answers[LIMIT_GUARD_ANSWERS];
	unsigned count;
};
/* Add one, as text; what does not count is left out. */
void guard_listing_add(struct guard_listing *l, struct str answer);
bool guard_zone_match(const struct guard_zone *z, const struct guard_listing *l);

#endif
