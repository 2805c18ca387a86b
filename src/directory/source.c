/* directory/source.c - see source.h. */
#include "directory/source.h"

#include "guard/guard_ip.h"

struct source source_of(struct str peer)
{
	struct guard_ip ip;

	if (!guard_ip_parse(peer, &ip))
		return (struct source){ .network = str_hash(peer) };
	return (struct source){ .network = ip.address, .loopback = ip.loopback };
}
