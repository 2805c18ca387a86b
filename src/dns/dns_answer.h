/* dns/dns_answer.h - names and record data, which are whatever a stranger wrote.
 *
 * Pure. Tests: tests/unit/test_dns_answer.c, tests/fuzz/fuzz_dns_rdata.c.
 */
#ifndef DNS_DNS_ANSWER_H
#define DNS_DNS_ANSWER_H

#include "base/arena.h"
#include "base/status.h"
#include "ipc/msg_dns.h"

/* One record's data in wire format (RFC 1035 §3.3, RFC 3596, RFC 6698 §2.1) without compression. False: malformed, or
 * over LIMIT_DNS_DATA; names with octets that no host or service name has (blanks, controls, "." inside a label, over
 * 126) are malformed too. Names come in lower case. The data lives in `a`. */
MUST_CHECK bool dns_rdata_decode(enum dns_type type, struct str rdata, struct arena *a, struct dns_record *ret);

/* A name that may be asked: labels of 1-63 printable ASCII octets without backslash and quotes, 253 at most in all,
 * with or without the final dot, which *ret is without. */
MUST_CHECK bool dns_name_check(struct str name, struct str *ret);

/* Names that have their answer here. ST_OK: *ret is filled, its parts live in `a`; ST_NOT_FOUND: the network must be
 * asked. */
MUST_CHECK enum status dns_local(struct str name, enum dns_type type, struct arena *a, struct dns_lookup_reply *ret);

#endif
