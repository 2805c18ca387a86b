/* ipc/msg_dns.h - what dns is asked.
 *
 * ST_OK: an answer was had, see rcode and security. ST_TEMP: none was (timeout, SERVFAIL, bogus with security BOGUS in the
 * log): defer, never bounce. IPC_DNS_LOOKUP; and IPC_DNS_SHOW, the same for administrators.
 */
#ifndef IPC_MSG_DNS_H
#define IPC_MSG_DNS_H

#include "base/limits.h"
#include "base/str.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52, DNS_TYPE_LAST = DNS_TLSA };
enum dns_rcode { DNS_NOERROR, DNS_NODATA, DNS_NXDOMAIN, DNS_RCODE_LAST = DNS_NXDOMAIN };
enum dns_security { DNS_INSECURE, DNS_SECURE, DNS_BOGUS, DNS_SECURITY_LAST = DNS_BOGUS };

#define LIMIT_DNS_RECORDS ((size_t)100)  /* in one answer; the rest is dropped */
#define LIMIT_DNS_DATA    ((size_t)4096) /* of one record, as given here */

struct dns_lookup_request {
	struct str    name; /* A-labels, with or without the final dot */
	enum dns_type type;
};
struct dns_record {
	uint32_t   preference; /* MX */
	struct str data;       /* A, AAAA: address as text; MX, CNAME, PTR: name without the final dot ("" for the root); TXT: joined; TLSA: raw */
};
struct dns_lookup_reply {
	enum dns_rcode     rcode;
	enum dns_security  security;
	uint32_t           ttl_s;
	struct dns_record *records;
	size_t             record_count;
};

#endif
