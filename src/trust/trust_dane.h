/* trust/trust_dane.h - TLSA records: which can be used for mail, and what they say.
 *
 *   TLSA RDATA = usage(1) selector(1) matching(1) association data         RFC 6698 §2.1
 *   usage      2 DANE-TA: an authority that signs the chain, 3 DANE-EE: the server's own key. 0 and 1 lean on the web's authorities, which
 *              mail has no agreed set of: unusable, RFC 7672 §3.1.3
 *   selector   0 the certificate, 1 its public key
 *   matching   0 the thing itself, 1 SHA2-256, 2 SHA2-512
 *
 * Unusable is also: any other number, a digest of the wrong length, a certificate or key that cannot be read. Of the digests with one usage
 * and selector only the strongest count (digest agility, RFC 7671 §9), or a weak one would be as good as the strong.
 *
 * Pure. Tests: tests/unit/test_trust_dane.c, tests/fuzz/fuzz_trust_dane.c.
 */
#ifndef TRUST_TRUST_DANE_H
#define TRUST_TRUST_DANE_H

#include "base/arena.h"
#include "base/buf.h"
#include "ipc/msg_dns.h"
#include "net/net_tls.h"

enum trust_tlsa {
	TRUST_TLSA_USABLE,
	TRUST_TLSA_SHORT,    /* no usage, selector, matching type and at least one octet */
	TRUST_TLSA_USAGE,    /* 0, 1, or unknown */
	TRUST_TLSA_SELECTOR, /* unknown */
	TRUST_TLSA_MATCHING, /* unknown */
	TRUST_TLSA_DATA,     /* no digest of that kind, no certificate, no key */
};
/* *ret, which borrows from rdata, is filled unless SHORT. */
enum trust_tlsa trust_tlsa_parse(struct str rdata, struct net_tlsa *ret);

struct trust_dane {
	const struct net_tlsa *items; /* usable and effective, in a fixed order, each once */
	size_t                 count;
};

/* A whole answer's records; order does not matter. The items live in `a` and borrow from the records. */
void trust_dane_read(const struct dns_record *records, size_t count, struct arena *a, struct trust_dane *ret);

/* "3 1 1 0f0e...", one record a line, in the order given: for reports, RFC 8460 §4.4. False: `out` is full. */
bool trust_dane_print(const struct dns_record *records, size_t count, struct buf *out);

#endif
