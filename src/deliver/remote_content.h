/* deliver/remote_content.h - the octets of the message that is sent: in the request, or in a file. */
#ifndef DELIVER_REMOTE_CONTENT_H
#define DELIVER_REMOTE_CONTENT_H

#include "base/status.h"
#include "ipc/msg_remote.h"

#define REMOTE_CHUNK (32 * KIB)

struct remote_content {
	struct str memory; /* if fd is -1 */
	int        fd;     /* borrowed */
	uint64_t   size;
	bool       eight_bit, eight_bit_header; /* octets over 127 anywhere; in the header */
};

/* Look at `q`'s content; reads all of it once. ST_OK; ST_IO or ST_CORRUPT (shorter than q->size) when the file fails.
 */
MUST_CHECK enum status remote_content_open(struct remote_content *c, const struct remote_deliver_request *q);

/* The octets from `offset` on, at most REMOTE_CHUNK, fewer only at the end; `space` is room for them, which *ret may
 * or may not use. ST_OK, ST_IO, ST_CORRUPT. */
MUST_CHECK enum status remote_content_read(const struct remote_content *c, uint64_t offset, char space[REMOTE_CHUNK],
					   struct str *ret);

#endif
