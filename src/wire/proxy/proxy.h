/* wire/proxy/proxy.h - the PROXY protocol: the first octets of a connection that a load balancer has made for somebody.
 *
 * Format (haproxy.org, "The PROXY protocol, versions 1 & 2"):
 *   v1 = "PROXY" SP ( "UNKNOWN" *octet / ( "TCP4" / "TCP6" ) SP source SP destination SP port SP port ) CRLF
 *        107 octets at most, CRLF included; addresses as text of the family said, ports 0-65535 without leading zeros
 *   v2 = signature(12) version-command(1) family-protocol(1) length(2) block(length)
 *        version 2; command 0 LOCAL, 1 PROXY; family AF_INET, AF_INET6 with STREAM, or AF_UNSPEC; other families cannot be here
 *        block: addresses and ports (12 or 36 octets), then TLVs: type(1) length(2) value, to the block's very end
 *
 * The TLVs are skipped, but must add up. A block is at most LIMIT_PROXY_BLOCK octets.
 *
 * Pure: no I/O, no allocation. Tests: tests/unit/test_proxy.c, tests/fuzz/fuzz_proxy.c.
 */
#ifndef WIRE_PROXY_PROXY_H
#define WIRE_PROXY_PROXY_H

#include "base/limits.h"
#include "base/str.h"

struct proxy {
	bool     local;     /* no client is named: the rest but `unknown` is then 0 */
	bool     unknown;   /* local, by UNKNOWN or UNSPEC: there is a client, and who it is nobody says. Else (LOCAL) the proxy speaks for itself */
	bool     v6;
	uint8_t  source[16]; /* IPv4: the first four octets */
	uint16_t source_port;
};

enum proxy_result {
	PROXY_MORE,    /* the beginning of a header: more octets are needed */
	PROXY_DONE,
	PROXY_INVALID, /* no header, whatever may follow */
};

/* *ret and *ret_n (octets of the header: what follows is the client's) are written only with PROXY_DONE. */
MUST_CHECK enum proxy_result proxy_parse(struct str in, struct proxy *ret, size_t *ret_n);

#endif
