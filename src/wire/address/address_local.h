/* wire/address/address_local.h - the octets a local part stands for: for whoever takes one apart, or makes one. */
#ifndef WIRE_ADDRESS_ADDRESS_LOCAL_H
#define WIRE_ADDRESS_ADDRESS_LOCAL_H

#include "wire/address/address.h"

/* The octets of a local part without quotes and backslashes: at most LIMIT_LOCAL_PART. */
struct local_text {
	size_t n;
	char   p[LIMIT_LOCAL_PART];
};

bool address_is_atext(char c); /* RFC 5322 §3.2.3 with UTF8-non-ascii, RFC 6531 §3.3 */
bool address_is_dot_string(struct str s);
void address_local_unquote(struct str local, struct local_text *ret);
/* False: longer than the limit when folded. */
bool address_local_fold(const struct local_text *in, struct local_text *ret);
/* The canonical address of a local part without quotes, and a canonical domain. False: too long; *ret is then undefined. */
MUST_CHECK bool address_compose(struct str local, struct str domain, struct address_canon *ret);

#endif
