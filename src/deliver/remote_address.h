/* deliver/remote_address.h - IP addresses that mail may be sent to.
 *
 * Without the setting `lab` a stranger's MX record cannot make us talk to ourselves or to services that trust this
 * host: refused are loopback, unspecified, multicast, broadcast, reserved and link-local addresses (the last hold
 * the metadata services of hosting providers), IPv4 ones also in their IPv6 forms, and those we listen on. Private
 * networks are allowed: mail inside them is ordinary.
 */
#ifndef DELIVER_REMOTE_ADDRESS_H
#define DELIVER_REMOTE_ADDRESS_H

#include <sys/socket.h>

#include "base/limits.h"
#include "base/str.h"

struct remote_settings;

struct remote_address {
	struct sockaddr_storage sa;
	socklen_t               sa_n;
	char                    text[LIMIT_IP_TEXT]; /* without port */
};

/* "192.0.2.1" or "2001:db8::1"; no zone. */
MUST_CHECK bool remote_address_parse(struct str ip, unsigned port, struct remote_address *ret);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", RFC 5321 §4.1.3. */
MUST_CHECK bool remote_address_literal(struct str literal, unsigned port, struct remote_address *ret);

enum remote_address_use {
	REMOTE_ADDRESS_FINE,
	REMOTE_ADDRESS_SELF,    /* loopback, unspecified, or one of ours */
	REMOTE_ADDRESS_REFUSED, /* another one that no mail goes to */
};
enum remote_address_use remote_address_use(const struct remote_settings *settings,
					   const struct remote_address  *address);

#endif
