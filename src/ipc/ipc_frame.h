/* ipc/ipc_frame.h - one message on a stream socket, with descriptors beside it.
 *
 *   offset octets
 *        0      4  length of the payload, at most LIMIT_IPC_FRAME
 *        4      2  message, enum ipc_msg_id
 *        6      1  version of the sender, IPC_VERSION
 *        7      1  flags: 1 = reply; bits 4-5: descriptors
 *        8      8  number of the request, chosen by the asker
 *       16      4  status of a reply, enum status
 *       20      -  payload, see ipc_codec.h
 *
 * Big-endian. Length, descriptors and flags are checked before anything is believed.
 */
#ifndef IPC_IPC_FRAME_H
#define IPC_IPC_FRAME_H

#include "ipc/ipc_codec.h"

#define IPC_HEADER 20u

struct ipc_frame {
	uint32_t      type;
	unsigned      version;
	bool          reply;
	uint64_t      number;
	enum status   status;
	struct str    payload; /* borrows from the reader until its next call */
	struct ipc_fds fds;    /* the receiver's now */
};

#define IPC_STALL_MS 30000 /* a peer that reads nothing for so long counts as lost */

/* Build a frame with ipc_frame_begin (alone in the buffer) or ipc_frame_next (behind others; returns where it starts), encode the payload
 * behind, then ipc_frame_end. ST_LIMIT: it is too large. */
void ipc_frame_begin(struct buf *out);
size_t ipc_frame_next(struct buf *out);
MUST_CHECK enum status ipc_frame_end(struct buf *out, size_t at, const struct ipc_frame *head, const struct ipc_fds *fds);
/* Send what the socket takes now of *rest; the descriptors go with its first octet, then *fds is NULL. ST_OK: all of it; ST_AGAIN;
 * ST_CLOSED. */
MUST_CHECK enum status ipc_frame_put(int fd, struct str *rest, const struct ipc_fds **fds);
/* Wait until the socket takes more. ST_TEMP: not for IPC_STALL_MS. */
MUST_CHECK enum status ipc_frame_wait(int fd);
/* End a frame and send it whole; the caller serialises. ST_CLOSED, ST_LIMIT, or ST_TEMP if the peer reads nothing. */
MUST_CHECK enum status ipc_frame_send(int fd, struct buf *out, const struct ipc_frame *head, const struct ipc_fds *fds);

/* A finished frame on a SEQPACKET socket, where it goes whole or not at all, for who may not wait: ST_OK, ST_AGAIN, ST_CLOSED. */
MUST_CHECK enum status ipc_packet_send(int fd, struct str packet, const struct ipc_fds *fds);

struct ipc_reader {
	int            fd;
	int            flags; /* for recvmsg: MSG_DONTWAIT makes next() answer ST_AGAIN instead of waiting */
	struct buf     in;
	size_t         used; /* octets at the start that belong to frames already returned */
	struct ipc_fds fds;  /* received, not yet claimed by a frame */
};

void ipc_reader_init(struct ipc_reader *r, int fd);
void ipc_reader_done(struct ipc_reader *r); /* closes unclaimed descriptors, not the socket */
/* Wait for the next frame. ST_CLOSED: the peer is gone; ST_CORRUPT: it does not speak the format. */
MUST_CHECK enum status ipc_reader_next(struct ipc_reader *r, struct ipc_frame *ret);
/* The next frame is here already, at least its header and length say so. */
bool ipc_reader_pending(const struct ipc_reader *r);

void ipc_fds_close(struct ipc_fds *fds);

#endif
