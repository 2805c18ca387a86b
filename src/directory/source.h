/* directory/source.h - the network a peer comes from: what limits are counted against.
 *
 * An IPv4 address is itself (also when mapped into IPv6); of an IPv6 address the first 64 bits count, because whoever
 * has one has all of them.
 */
#ifndef DIRECTORY_SOURCE_H
#define DIRECTORY_SOURCE_H

#include "base/str.h"

struct source {
	uint64_t network; /* equal for peers of one network */
	bool     loopback;
};

/* `peer` as text; text that is no address is a network of its own. */
struct source source_of(struct str peer);

#endif
