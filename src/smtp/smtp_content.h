/* smtp/smtp_content.h - the content of one message while it comes in: in memory, and from LIMIT_INLINE on in a spool file.
 *
 * Memory is reserved with net_memory_take before it is allocated and given back by smtp_content_done. The first LIMIT_INLINE octets stay
 * in memory until the content is complete or spilled, so that the header can be looked at and completed there.
 */
#ifndef SMTP_SMTP_CONTENT_H
#define SMTP_SMTP_CONTENT_H

#include "base/buf.h"
#include "net/net.h"

struct smtp_content {
	struct net *net;
	struct buf  memory;
	size_t      reserved;   /* taken from net for `memory` */
	int         spool;      /* -1: all is in memory */
	uint64_t    spooled;    /* octets in the spool file */
	uint64_t    peer_octets; /* what the peer sent, without what we added */
	bool        eight_bit;  /* an octet over 127 was seen */
	const struct smtp_reply *refusal; /* why the sink refused */
};

void smtp_content_init(struct smtp_content *c, struct net *net);
void smtp_content_done(struct smtp_content *c);

/* Reserve room for `octets` in memory in all; LIMIT_INLINE at most counts. false: the process is full. */
MUST_CHECK bool smtp_content_reserve(struct smtp_content *c, uint64_t octets);
/* Room for so many octets more in memory, past LIMIT_INLINE if need be: for a header that is rewritten, before the content is spilled or
 * complete. false: the process is full, or it would be over LIMIT_SMTP_REWRITE. */
MUST_CHECK bool smtp_content_grow(struct smtp_content *c, size_t octets);
/* Append in memory (at most smtp_content_room), or to the spool file. ST_OK, or what fd_write says. */
MUST_CHECK enum status smtp_content_add(struct smtp_content *c, struct str octets);
/* Octets that may still be added in memory; 0: it is time to spill. */
size_t smtp_content_room(const struct smtp_content *c);
/* From now on into `fd` (taken over), beginning with what is in memory, whose room is given back. */
MUST_CHECK enum status smtp_content_spill(struct smtp_content *c, int fd);

static inline uint64_t smtp_content_size(const struct smtp_content *c) { return c->spooled + c->memory.n; }

#endif
