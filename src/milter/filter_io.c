/* milter/filter_io.c - see filter_io.h. */
#include "milter/filter_io.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "sys/clock.h"

#define READ_OCTETS ((size_t)64 * KIB)

static enum status wait_for(int fd, short events, int64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int           got;

	do {
		int64_t left = until_ms - clock_mono_ms();

		if (left <= 0)
			return ST_TEMP;
		got = poll(&p, 1, (int)MIN(left, (int64_t)INT32_MAX));
	} while (got < 0 && errno == EINTR);
	return got > 0 ? ST_OK : got == 0 ? ST_TEMP : ST_CLOSED;
}

static bool is_later(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

enum status filter_io_send(int fd, struct str octets, int64_t until_ms)
{
	while (octets.n > 0) {
		ssize_t     put = send(fd, octets.p, octets.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		enum status st;

		if (put < 0 && !is_later(errno))
			return ST_CLOSED;
		octets = str_from(octets, put > 0 ? (size_t)put : 0);
		st = put > 0 ? ST_OK : wait_for(fd, POLLOUT, until_ms);
		if (st == ST_OK && octets.n > 0 && clock_mono_ms() >= until_ms)
			st = ST_TEMP; /* it takes an octet now and then */
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}

enum status filter_io_receive(int fd, struct buf *in, int64_t until_ms)
{
	size_t room = MIN(in->max - in->n, READ_OCTETS);
	char  *p = room > 0 ? buf_room(in, room) : NULL;

	if (!p)
		return ST_LIMIT;
	for (;;) {
		ssize_t     got;
		enum status st = wait_for(fd, POLLIN, until_ms);

		if (st != ST_OK)
			return st;
		got = recv(fd, p, room, MSG_DONTWAIT);
		if (got > 0) {
			buf_commit(in, (size_t)got);
			return ST_OK;
		}
		if (got == 0 || !is_later(errno))
			return ST_CLOSED;
	}
}

bool filter_io_quiet(int fd)
{
	char    c;
	ssize_t got = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return got < 0 && is_later(errno);
}
