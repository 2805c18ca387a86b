/* role/master_outbox.h - what the master has to tell a process, in order and without ever waiting for it.
 *
 * The kernel's buffer of the channel takes a message as a rule. When it is full the message is kept, with descriptors of its own, and
 * sent when the channel is writable again. What is kept is bounded in count and octets; who lets it grow over that, or takes
 * nothing for long (since_ms), does not read.
 *
 *   EMPTY --channel is full--> WAITING (since_ms) --flush: all is sent--> EMPTY       a flush that sends some sets since_ms anew
 *
 * One thread. Tests: tests/unit/test_master_outbox.c.
 */
#ifndef ROLE_MASTER_OUTBOX_H
#define ROLE_MASTER_OUTBOX_H

#include "base/buf.h"
#include "role/role_msg.h"

#define MASTER_OUTBOX_MESSAGES ((unsigned)256)     /* kept for one process */
#define MASTER_OUTBOX_OCTETS   ((size_t)4 * MIB)

struct master_outbox {
	int                         fd; /* the channel: SEQPACKET; borrowed */
	struct master_outbox_item  *first, *last;
	unsigned                    count;
	size_t                      octets;
	int64_t                     since_ms; /* monotonic; while count > 0: when it was first full, or last took something */
};

void master_outbox_init(struct master_outbox *o, int fd);
void master_outbox_done(struct master_outbox *o); /* what waits is dropped; the channel stays open */

/* Sent or kept: ST_OK. ST_LIMIT: too much waits already, it is not kept. ST_CLOSED: the peer is gone. Descriptors in msg stay the caller's. */
MUST_CHECK enum status master_outbox_send(struct master_outbox *o, enum role_msg_id id, const void *msg);
/* The channel is writable: send what waits. ST_OK also if some still waits. */
MUST_CHECK enum status master_outbox_flush(struct master_outbox *o);

#endif
