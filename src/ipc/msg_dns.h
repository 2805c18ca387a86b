/* ipc/msg_dns.h - what dns is asked.
 *
 * IPC_DNS_LOOKUP; and IPC_DNS_SHOW, the same for administrators. The four states of an answer (RFC 4033 §5, RFC 7672 §2.1.1) are kept
 * apart. ST_OK: it was had, and is SECURE or INSECURE, see rcode.
 * ST_CORRUPT: it is bogus, its signatures do not hold; somebody may be lying. Anything else, mostly ST_TEMP: there was none (timeout,
 * SERVFAIL, REFUSED, records that cannot be read). Without an answer mail is deferred, never bounced, and no protection is given up.
 */
#ifndef IPC_MSG_DNS_H
#define IPC_MSG_DNS_H

#include "base/limits.h"
#include "base/str.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52, DNS_TYPE_LAST = DNS_TLSA };
enum dns_rcode { DNS_NOERROR, DNS_NODATA, DNS_NXDOMAIN, DNS_RCODE_LAST = DNS_NXDOMAIN };
enum dns_security { DNS_INSECURE, DNS_SECURE, DNS_SECURITY_LAST = DNS_SECURE }; /* of the whole: each CNAME on the way, and the (lack of) records at its end */

#define LIMIT_DNS_RECORDS ((size_t)100)  /* in one answer; the rest is dropped */
#define LIMIT_DNS_DATA    ((size_t)4096) /* of one record, as given here */

struct dns_lookup_request {
	struct str    name; /* A-labels, with or without the final dot */
	enum dns_type type;
};
struct dns_record {
	uint32_t   preference; /* MX */
	struct str data;       /* A, AAAA: address as text; MX, CNAME, PTR: name without the final dot ("" for the root); TXT: joined; TLSA: raw;
			      * SRV: "priority weight port target", the target likewise */
};
struct dns_lookup_reply {
	enum dns_rcode     rcode;
	enum dns_security  security;
	uint32_t           ttl_s;
	struct dns_record *records;
	size_t             record_count;
	struct str         canonical; /* the name at the end of CNAMEs, without the final dot; "": the name asked is no alias, or CNAME was asked */
};

#endif
