/* tests/fuzz/fuzz_net_deflate.c - a connection that is compressed (net/net_deflate.c), through a real net over loopback.
 *
 * Octet 0: bit 0, the rest is what the peer sends as DEFLATE; else it is what it says, in clear on one connection and compressed on another, with the
 * flushes that octet 0 chooses, and both are answered alike. Octet 1: size of the pieces.
 *
 * What comes back can always be inflated, in its order and to its end, however the connection ends.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "net/net.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWER_MAX (64 * MIB)
#define INPUT_MAX  ((size_t)4096)

static struct net *net;
static struct sockaddr_in where;

/* ---- the server: it says what it was told ---- */

static bool sink(void *ctx, struct str octets)
{
	(void)ctx, (void)octets;
	return true;
}

static void *talk_open(void *ctx, struct net_conn *c)
{
	(void)ctx;
	return c;
}

static void talk_close(void *session)
{
	(void)session;
}

static struct net_want on_line(struct net_conn *c, struct str line)
{
	if (str_eq(line, STR("COMPRESS")) && !net_compressing(c)) {
		net_write(c, STR("yes\r\n"));
		return (struct net_want){ .kind = net_compress(c) == ST_OK ? NET_WANT_LINE : NET_WANT_CLOSE, .n = 100 };
	}
	if (line.n > 0 && line.p[0] == 'B') /* as many octets as the line is long */
		return (struct net_want){ .kind = NET_WANT_BYTES, .n = line.n, .sink = { sink, NULL } };
	net_write(c, line);
	net_write(c, STR("\r\n"));
	return (struct net_want){ .kind = NET_WANT_LINE, .n = 100 };
}

static struct net_want talk(void *session, const struct net_ev *ev)
{
	struct net_conn *c = session;

	switch (ev->kind) {
	case NET_EV_LINE: return on_line(c, ev->line);
	case NET_EV_START: break;
	case NET_EV_LONG: net_write(c, STR("long\r\n")); break;
	case NET_EV_BARE_EOL: net_write(c, STR("bare\r\n")); break;
	case NET_EV_DATA: net_printf(c, "%llu\r\n", (unsigned long long)ev->data_n); break;
	default: return (struct net_want){ .kind = NET_WANT_CLOSE };
	}
	return (struct net_want){ .kind = NET_WANT_LINE, .n = 100 };
}

static const struct net_proto proto = { .name = "talk", .open = talk_open, .handle = talk, .close = talk_close, .refused = "no\r\n", .strict_eol = true };

static void end(void)
{
	net_drain(net, 1000);
	net_free(&net);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct net_limits limits = { .threads = 2, .memory = 64 * MIB, .write_stall_ms = 10000, .unit_ms = 10000 };
	socklen_t n = sizeof(where);
	int       fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)argc, (void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	where = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&where, sizeof(where)) == 0 && listen(fd, 10) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&where, &n) == 0);
	net = net_new(&limits);
	CHECK(net != NULL);
	net_listen(net, fd, &proto, NULL, NULL, false);
	net_run(net);
	atexit(end);
	return 0;
}

/* ---- the peer ---- */

struct peer {
	int        fd;
	struct buf got;
	bool       gone;
};

static void peer_open(struct peer *p)
{
	struct linger now = { 1, 0 }; /* no port is kept behind */

	*p = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	buf_init(&p->got, ANSWER_MAX);
	CHECK(p->fd >= 0 && connect(p->fd, (struct sockaddr *)&where, sizeof(where)) == 0);
	CHECK(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
}

static void peer_read(struct peer *p)
{
	char    some[16384];
	ssize_t n = recv(p->fd, some, sizeof(some), MSG_DONTWAIT);

	if (n > 0)
		buf_add(&p->got, str_n(some, (size_t)n));
	else
		p->gone = true;
}

static void peer_send(struct peer *p, struct str octets)
{
	while (octets.n > 0 && !p->gone) {
		struct pollfd at = { .fd = p->fd, .events = POLLIN | POLLOUT };
		ssize_t       n;

		CHECK(poll(&at, 1, 20000) > 0);
		if (at.revents & POLLIN)
			peer_read(p);
		if (!(at.revents & POLLOUT))
			continue;
		n = send(p->fd, octets.p, octets.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			break;
		octets = str_from(octets, (size_t)n);
	}
}

/* To the end of what comes. */
static void peer_end(struct peer *p)
{
	shutdown(p->fd, SHUT_WR);
	while (!p->gone) {
		struct pollfd at = { .fd = p->fd, .events = POLLIN };

		CHECK(poll(&at, 1, 20000) > 0);
		peer_read(p);
	}
	close(p->fd);
}

static void peer_compress(struct peer *p)
{
	peer_send(p, STR("COMPRESS\r\n"));
	while (p->got.n < 5) {
		struct pollfd at = { .fd = p->fd, .events = POLLIN };

		CHECK(poll(&at, 1, 20000) > 0);
		peer_read(p);
		CHECK(!p->gone);
	}
	CHECK(str_eq(buf_str(&p->got), STR("yes\r\n")));
	buf_clear(&p->got);
}

/* What it was answered; nothing may stand behind the stream's end. */
static void inflate_all(struct str in, struct buf *out)
{
	z_stream z = { 0 };
	int      r = Z_OK;

	CHECK(inflateInit2(&z, -15) == Z_OK);
	z.next_in = (Bytef *)(uintptr_t)in.p;
	z.avail_in = (uInt)in.n;
	while (r == Z_OK && z.avail_in > 0) {
		char some[16384];

		z.next_out = (Bytef *)some;
		z.avail_out = sizeof(some);
		r = inflate(&z, Z_SYNC_FLUSH);
		buf_add(out, str_n(some, sizeof(some) - z.avail_out));
		CHECK(r == Z_OK || r == Z_STREAM_END || (r == Z_BUF_ERROR && z.avail_in == 0));
	}
	CHECK(z.avail_in == 0);
	inflateEnd(&z);
}

static void deflate_piece(z_stream *z, struct str piece, int flush, struct peer *p)
{
	char out[2 * INPUT_MAX + 100];

	z->next_in = (Bytef *)(uintptr_t)piece.p;
	z->avail_in = (uInt)piece.n;
	z->next_out = (Bytef *)out;
	z->avail_out = sizeof(out);
	CHECK(deflate(z, flush) != Z_STREAM_ERROR && z->avail_in == 0 && z->avail_out > 0);
	peer_send(p, str_n(out, sizeof(out) - z->avail_out));
}

static void say(struct peer *p, unsigned how, size_t piece, struct str what)
{
	static const int flushes[] = { Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_BLOCK };
	z_stream         z = { 0 };

	CHECK(deflateInit2(&z, (int)(how / 10 % 10), Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK);
	for (; what.n > 0; what = str_from(what, MIN(piece, what.n)))
		deflate_piece(&z, str_first(what, piece), flushes[how++ % LEN(flushes)], p);
	deflate_piece(&z, STR(""), Z_SYNC_FLUSH, p);
	deflateEnd(&z);
}

static void raw(size_t piece, struct str what)
{
	struct peer p;
	struct buf  answer;

	peer_open(&p);
	peer_compress(&p);
	for (; what.n > 0; what = str_from(what, MIN(piece, what.n)))
		peer_send(&p, str_first(what, piece));
	peer_end(&p);
	buf_init(&answer, ANSWER_MAX);
	inflate_all(buf_str(&p.got), &answer);
	buf_done(&answer);
	buf_done(&p.got);
}

static void alike(unsigned how, size_t piece, struct str what)
{
	struct peer clear, packed;
	struct buf  answer;

	peer_open(&clear);
	peer_send(&clear, what);
	peer_end(&clear);
	peer_open(&packed);
	peer_compress(&packed);
	say(&packed, how, piece, what);
	peer_end(&packed);
	buf_init(&answer, ANSWER_MAX);
	inflate_all(buf_str(&packed.got), &answer);
	CHECK(str_eq(buf_str(&answer), buf_str(&clear.got)));
	buf_done(&answer);
	buf_done(&clear.got);
	buf_done(&packed.got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t     piece;
	struct str what;

	if (size < 2)
		return 0;
	what = str_first(str_n(data + 2, size - 2), INPUT_MAX);
	piece = data[1] ? data[1] : INPUT_MAX;
	if (data[0] & 1)
		raw(piece, what);
	else if (str_search(what, STR("COMPRESS")) < 0)
		alike(data[0] / 2, piece, what);
	return 0;
}
