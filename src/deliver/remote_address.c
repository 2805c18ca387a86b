/* deliver/remote_address.c - contract is in remote_address.h. */
#include "deliver/remote_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "deliver/remote.h"

bool remote_address_parse(struct str ip, unsigned port, struct remote_address *ret)
{
	struct remote_address a = { 0 };
	struct sockaddr_in    v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6   v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	if (!str_to_c(ip, a.text, sizeof(a.text)))
		return false;
	if (inet_pton(AF_INET, a.text, &v4.sin_addr) == 1) {
		memcpy(&a.sa, &v4, sizeof(v4));
		a.sa_n = sizeof(v4);
	} else if (inet_pton(AF_INET6, a.text, &v6.sin6_addr) == 1) {
		memcpy(&a.sa, &v6, sizeof(v6));
		a.sa_n = sizeof(v6);
	} else {
		return false;
	}
	*ret = a;
	return true;
}

bool remote_address_literal(struct str literal, unsigned port, struct remote_address *ret)
{
	if (!str_skip_char(&literal, '[') || literal.n == 0 || literal.p[literal.n - 1] != ']')
		return false;
	literal = str_first(literal, literal.n - 1);
	/* RFC 5321 §4.1.3: the tag is what tells IPv6 from a General-address-literal. */
	if (str_skip(&literal, STR("IPv6:")))
		return str_find(literal, ':') >= 0 && remote_address_parse(literal, port, ret);
	return str_find(literal, ':') < 0 && remote_address_parse(literal, port, ret);
}

static enum remote_address_use use_v4(uint32_t ip)
{
	if (ip >> 24 == 127 || ip >> 24 == 0)
		return REMOTE_ADDRESS_SELF;
	if (ip >> 16 == 0xa9fe || ip >> 28 >= 0xe) /* 169.254/16; 224/4 and 240/4 */
		return REMOTE_ADDRESS_REFUSED;
	return REMOTE_ADDRESS_FINE;
}

/* The IPv4 address inside a mapped (::ffff:0:0/96), compatible (::/96) or NAT64 (64:ff9b::/96) one. */
static bool embedded_v4(const struct in6_addr *ip, uint32_t *ret)
{
	static const uint8_t prefixes[][12] = {
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff },
		{ 0 },
		{ 0, 0x64, 0xff, 0x9b },
	};

	for (size_t i = 0; i < LEN(prefixes); i++)
		if (memcmp(ip->s6_addr, prefixes[i], sizeof(prefixes[i])) == 0) {
			uint32_t v4;

			memcpy(&v4, ip->s6_addr + 12, sizeof(v4));
			*ret = ntohl(v4);
			return true;
		}
	return false;
}

static enum remote_address_use use_v6(const struct in6_addr *ip)
{
	uint32_t v4;

	if (IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_UNSPECIFIED(ip))
		return REMOTE_ADDRESS_SELF;
	if (IN6_IS_ADDR_MULTICAST(ip) || IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_SITELOCAL(ip))
		return REMOTE_ADDRESS_REFUSED;
	return embedded_v4(ip, &v4) ? use_v4(v4) : REMOTE_ADDRESS_FINE;
}

static bool same_ip(const struct remote_address *a, const struct remote_address *b)
{
	struct sockaddr_in  a4, b4;
	struct sockaddr_in6 a6, b6;

	if (a->sa.ss_family != b->sa.ss_family)
		return false;
	if (a->sa.ss_family == AF_INET) {
		memcpy(&a4, &a->sa, sizeof(a4));
		memcpy(&b4, &b->sa, sizeof(b4));
		return a4.sin_addr.s_addr == b4.sin_addr.s_addr;
	}
	memcpy(&a6, &a->sa, sizeof(a6));
	memcpy(&b6, &b->sa, sizeof(b6));
	return memcmp(&a6.sin6_addr, &b6.sin6_addr, sizeof(a6.sin6_addr)) == 0;
}

static bool is_own(const struct remote_settings *settings, const struct remote_address *address)
{
	for (size_t i = 0; i < settings->own_count; i++) {
		struct remote_address own;

		if (remote_address_parse(settings->own[i], 0, &own) && same_ip(&own, address))
			return true;
	}
	return false;
}

enum remote_address_use remote_address_use(const struct remote_settings *settings, const struct remote_address *address)
{
	struct sockaddr_in  v4;
	struct sockaddr_in6 v6;

	if (settings->lab)
		return REMOTE_ADDRESS_FINE;
	if (is_own(settings, address))
		return REMOTE_ADDRESS_SELF;
	if (address->sa.ss_family == AF_INET) {
		memcpy(&v4, &address->sa, sizeof(v4));
		return use_v4(ntohl(v4.sin_addr.s_addr));
	}
	memcpy(&v6, &address->sa, sizeof(v6));
	return use_v6(&v6.sin6_addr);
}
