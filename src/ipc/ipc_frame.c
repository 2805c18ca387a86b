/* ipc/ipc_frame.c - see ipc_frame.h. */
#include "ipc/ipc_frame.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "sys/fd.h"

#define READ_OCTETS   (160 * KIB) /* asked for at once; holds the largest packet of role_msg */
#define KEEP_OCTETS   (160 * KIB) /* input buffer kept between frames */

size_t ipc_frame_next(struct buf *out)
{
	size_t at = out->n;
	char  *head = buf_room(out, IPC_HEADER);

	CHECK(head);
	memset(head, 0, IPC_HEADER);
	buf_commit(out, IPC_HEADER);
	return at;
}

void ipc_frame_begin(struct buf *out)
{
	buf_clear(out);
	(void)ipc_frame_next(out);
}

static void put_be(char *p, uint64_t v, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		p[i] = (char)(v >> (8 * (octets - 1 - i)));
}

static uint64_t get_be(const char *p, unsigned octets)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static ssize_t send_some(int fd, struct str s, const struct ipc_fds *fds)
{
	struct iovec  iov = { .iov_base = (void *)(uintptr_t)s.p, .iov_len = s.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char           octets[CMSG_SPACE(sizeof(int) * LIMIT_IPC_FDS)];
	} control = { 0 };

	if (fds && fds->n > 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds->n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fds->n);
		memcpy(CMSG_DATA(c), fds->fd, sizeof(int) * fds->n);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum status ipc_frame_end(struct buf *out, size_t at, const struct ipc_frame *head, const struct ipc_fds *fds)
{
	char *p = out->p + at;

	if (out->over || out->n - at > LIMIT_IPC_FRAME + IPC_HEADER)
		return ST_LIMIT;
	put_be(p, out->n - at - IPC_HEADER, 4);
	put_be(p + 4, head->type, 2);
	put_be(p + 6, IPC_VERSION, 1);
	put_be(p + 7, (head->reply ? 1u : 0u) | (fds ? fds->n << 4 : 0u), 1);
	put_be(p + 8, head->number, 8);
	put_be(p + 16, head->status, 4);
	return ST_OK;
}

enum status ipc_frame_put(int fd, struct str *rest, const struct ipc_fds **fds)
{
	while (rest->n > 0) {
		ssize_t put = send_some(fd, *rest, *fds);

		if (put > 0) {
			*rest = str_from(*rest, (size_t)put);
			*fds = NULL;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return ST_AGAIN;
		} else if (errno != EINTR) {
			return ST_CLOSED;
		}
	}
	return ST_OK;
}

enum status ipc_packet_send(int fd, struct str packet, const struct ipc_fds *fds)
{
	return ipc_frame_put(fd, &packet, &fds);
}

enum status ipc_frame_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, IPC_STALL_MS) == 0 ? ST_TEMP : ST_OK;
}

enum status ipc_frame_send(int fd, struct buf *out, const struct ipc_frame *head, const struct ipc_fds *fds)
{
	enum status st = ipc_frame_end(out, 0, head, fds);
	struct str  rest = buf_str(out);

	while (st == ST_OK && (st = ipc_frame_put(fd, &rest, &fds)) == ST_AGAIN)
		st = ipc_frame_wait(fd);
	return st;
}

void ipc_reader_init(struct ipc_reader *r, int fd)
{
	*r = (struct ipc_reader){ .fd = fd };
	buf_init(&r->in, LIMIT_IPC_FRAME + IPC_HEADER + READ_OCTETS);
}

void ipc_fds_close(struct ipc_fds *fds)
{
	for (unsigned i = 0; i < fds->n; i++)
		fd_close(&fds->fd[i]);
	fds->n = 0;
}

void ipc_reader_done(struct ipc_reader *r)
{
	ipc_fds_close(&r->fds);
	buf_done(&r->in);
}

/* Keep what came beside the octets; more than a frame may carry is closed at once. */
static void take_fds(struct ipc_reader *r, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (r->fds.n < LEN(r->fds.fd))
				r->fds.fd[r->fds.n++] = fd;
			else
				fd_close(&fd);
		}
	}
}

static enum status read_more(struct ipc_reader *r)
{
	char         *room = buf_room(&r->in, READ_OCTETS);
	struct iovec  iov = { .iov_base = room, .iov_len = READ_OCTETS };
	union {
		struct cmsghdr align;
		char           octets[CMSG_SPACE(sizeof(int) * LIMIT_IPC_FDS)];
	} control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t       got;

	CHECK(room);
	got = recvmsg(r->fd, &msg, MSG_CMSG_CLOEXEC | r->flags);
	if (got < 0)
		return errno == EINTR ? ST_OK : errno == EAGAIN ? ST_AGAIN : ST_CLOSED;
	take_fds(r, &msg);
	if (got == 0)
		return ST_CLOSED;
	buf_commit(&r->in, (size_t)got);
	return ST_OK;
}

/* The frame at `used`, if it is complete. */
static enum status frame_at(struct ipc_reader *r, struct ipc_frame *ret)
{
	struct str in = str_from(buf_str(&r->in), r->used);
	uint64_t   n;
	unsigned   flags, fd_count;

	if (in.n < IPC_HEADER)
		return ST_AGAIN;
	n = get_be(in.p, 4);
	flags = (unsigned)get_be(in.p + 7, 1);
	fd_count = flags >> 4;
	if (n > LIMIT_IPC_FRAME || (flags & 0x0e) || fd_count > LIMIT_IPC_FDS || get_be(in.p + 16, 4) >= ST_COUNT)
		return ST_CORRUPT;
	if (in.n - IPC_HEADER < n)
		return ST_AGAIN;
	if (fd_count > r->fds.n)
		return ST_CORRUPT;
	*ret = (struct ipc_frame){
		.type = (uint32_t)get_be(in.p + 4, 2),
		.version = (unsigned)get_be(in.p + 6, 1),
		.reply = flags & 1,
		.number = get_be(in.p + 8, 8),
		.status = (enum status)get_be(in.p + 16, 4),
		.payload = str_sub(in, IPC_HEADER, (size_t)n),
		.fds = { .n = fd_count },
	};
	memcpy(ret->fds.fd, r->fds.fd, fd_count * sizeof(int));
	memmove(r->fds.fd, r->fds.fd + fd_count, (r->fds.n - fd_count) * sizeof(int));
	r->fds.n -= fd_count;
	r->used += IPC_HEADER + (size_t)n;
	return ST_OK;
}

bool ipc_reader_pending(const struct ipc_reader *r)
{
	struct str in = str_from(buf_str(&r->in), r->used);

	return in.n >= IPC_HEADER && in.n - IPC_HEADER >= get_be(in.p, 4);
}

enum status ipc_reader_next(struct ipc_reader *r, struct ipc_frame *ret)
{
	for (;;) {
		enum status st = frame_at(r, ret);

		if (st != ST_AGAIN)
			return st;
		buf_consume(&r->in, r->used);
		r->used = 0;
		buf_shrink(&r->in, KEEP_OCTETS * 2);
		st = read_more(r);
		if (st != ST_OK)
			return st;
	}
}
