/* deliver/remote_content.h - the octets of the message that is sent: header fields that are put before it, and the content, which is in
 * the request or in a file.
 *
 * What goes out is canonical, whatever is stored (wire/smtp/smtp_fold.h). Content that is so already, as what was taken by SMTP is, goes
 * as it stands.
 */
#ifndef DELIVER_REMOTE_CONTENT_H
#define DELIVER_REMOTE_CONTENT_H

#include "base/buf.h"
#include "base/status.h"
#include "ipc/msg_remote.h"
#include "wire/smtp/smtp_fold.h"
#include "wire/smtp/smtp_stuff.h"

#define REMOTE_CHUNK (32 * KIB)

struct remote_content {
	struct str prefix, memory; /* memory: if fd is -1 */
	int        fd;             /* borrowed */
	uint64_t   raw_octets;     /* prefix and content, as they are given */
	uint64_t   size;           /* as they go out; dots are not doubled */
	uint64_t   folded;         /* lines that are too long */
	bool       canonical;      /* they go out as they are given */
	bool       eight_bit, eight_bit_header; /* octets over 127 anywhere; in the header */
};

/* Look at `q`'s content; reads all of it once. ST_OK; ST_IO or ST_CORRUPT (shorter than q->size) when the file fails.
 */
MUST_CHECK enum status remote_content_open(struct remote_content *c, const struct remote_deliver_request *q);

/* As it is given: the octets from `offset` of c->raw_octets on, at most REMOTE_CHUNK, fewer only at the end of a part; `space` is room for
 * them. Needs prefix, memory, fd and raw_octets alone. ST_OK, ST_IO, ST_CORRUPT. */
MUST_CHECK enum status remote_content_read(const struct remote_content *c, uint64_t offset, char space[REMOTE_CHUNK], struct str *ret);

/* What is on its way out. */
struct remote_content_out {
	const struct remote_content *content;
	bool                         dots; /* for DATA: dots are doubled, and the last one is put behind it. For BDAT: neither */
	uint64_t                     at;
	struct smtp_fold             fold;
	struct smtp_stuff            stuff;
	struct buf                   folded;
	bool                         ended;
};

void remote_content_begin(struct remote_content_out *o, const struct remote_content *c, bool dots);
void remote_content_end(struct remote_content_out *o);
/* Append the next piece, made of at most REMOTE_CHUNK octets, to `out`, which must have room for twice as many and 4000 more; o->ended with
 * the last one. ST_OK, ST_IO, ST_CORRUPT. */
MUST_CHECK enum status remote_content_next(struct remote_content_out *o, struct buf *out);

#endif
