/* directory/source.c - see source.h. */
#include "directory/source.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/limits.h"

#define V4_BASE ((uint64_t)0xffff << 32) /* 0000:ffff:... is no network that is in use */

static struct source v4(const uint8_t ip[4])
{
	uint32_t n = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];

	return (struct source){ .network = V4_BASE | n, .loopback = ip[0] == 127 };
}

struct source source_of(struct str peer)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t              ip[16];
	char                 text[LIMIT_IP_TEXT + 1];
	struct source        s = { 0 };

	str_cut(peer, '%', &peer, &(struct str){ 0 }); /* a zone does not matter */
	if (!str_to_c(peer, text, sizeof(text)))
		return (struct source){ .network = str_hash(peer) };
	if (inet_pton(AF_INET, text, ip) == 1)
		return v4(ip);
	if (inet_pton(AF_INET6, text, ip) != 1)
		return (struct source){ .network = str_hash(peer) };
	if (memcmp(ip, mapped, sizeof(mapped)) == 0)
		return v4(ip + 12);
	for (size_t i = 0; i < 8; i++)
		s.network = s.network << 8 | ip[i];
	s.loopback = IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)(const void *)ip);
	return s;
}
