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

/* Send one frame whole; the caller serialises. Build it with ipc_frame_begin, encode the payload behind, then send. ST_CLOSED,
 * ST_LIMIT, or ST_TEMP if the peer reads nothing for 30 s. */
void ipc_frame_begin(struct buf *out);
MUST_CHECK enum status ipc_frame_send(int fd, struct buf *out, const struct ipc_frame *head, const struct ipc_fds *fds);

/* The same for who may not wait, on a SEQPACKET socket, where a frame goes whole or not at all: complete the header, ST_OK or ST_LIMIT; then
 * send, ST_OK, ST_AGAIN (the socket is full), ST_CLOSED. */
MUST_CHECK enum status ipc_frame_seal(struct buf *out, const struct ipc_frame *head, const struct ipc_fds *fds);
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

void ipc_fds_close(struct ipc_fds *fds);

#endif
