/* tests/unit/net_client.h - the common wishes of a client handshake. */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "net/net_tls.h"

/* SNI, and proved by the authorities for that name or not at all. */
static inline enum status client_tls(struct net_stream *s, const char *name, bool verify, unsigned timeout_ms, const char **ret_why)
{
	struct net_tls_want want = { .sni = str_of(name ? name : ""), .verify = verify ? NET_VERIFY_PKI : NET_VERIFY_NONE, .name_count = name != NULL };
	struct net_tls_got  got;
	enum status         st;

	want.names[0] = want.sni;
	st = net_stream_tls(s, &want, timeout_ms, &got);
	*ret_why = got.why;
	return st;
}

#endif
