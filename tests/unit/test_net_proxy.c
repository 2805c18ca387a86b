/* tests/unit/test_net_proxy.c - the PROXY header in front of a connection: whole, cut at every octet, in front of TLS, and without. */
#include "net_client.h"
#include "net_rig.h"

#include "net/net_cert.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

static const struct net_limits no_limits;
static _Atomic int             mode; /* enum net_proxy */
static _Atomic unsigned        away;

static enum net_proxy asked(void *ctx, const char *peer)
{
	(void)ctx;
	assert_string_equal(peer, "127.0.0.1");
	return (enum net_proxy)mode;
}

static void turned_away(void *ctx, const struct net_info *info)
{
	(void)ctx;
	assert_string_equal(info->peer, "192.0.2.1"); /* the client, not the proxy */
	away++;
}

static struct net_proto proto;

static void start(struct rig *rig, const struct net_limits *limits, struct net_tls *tls)
{
	proto = rig_proto;
	proto.proxy = asked;
	proto.turned_away = turned_away;
	mode = NET_PROXY_WANTED;
	*rig = (struct rig){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	rig->net = net_new(limits);
	net_listen(rig->net, rig_listener(&rig->port), &proto, rig, tls, false);
	if (tls)
		net_listen(rig->net, rig_listener(&rig->tls_port), &proto, rig, tls, true);
	net_run(rig->net);
}

static const struct {
	struct str  header;
	const char *info;
} headers[] = {
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 4097 25\r\n"), "clear 192.0.2.1\r\n" },
	{ RAW("PROXY TCP6 2001:DB8::1 2001:db8::2 4097 25\r\n"), "clear 2001:db8::1\r\n" },
	{ RAW("PROXY TCP6 ::ffff:192.0.2.3 2001:db8::2 4097 25\r\n"), "clear 192.0.2.3\r\n" },
	{ RAW("PROXY UNKNOWN\r\n"), "clear 127.0.0.1 unnamed\r\n" },
	{ RAW(SIG "\x21\x11\x00\x14\xc0\x00\x02\x01\xc0\x00\x02\x02\x10\x01\x00\x19\x01\x00\x05smtp1"), "clear 192.0.2.1\r\n" },
	{ RAW(SIG "\x20\x00\x00\x00"), "clear 127.0.0.1\r\n" },
	{ RAW(SIG "\x21\x00\x00\x00"), "clear 127.0.0.1 unnamed\r\n" },
};

static void expect(int fd, const char *want)
{
	char line[2048];

	assert_str(rig_line_in(fd, line, sizeof(line)), str_of(want));
}

/* Header and first command in two segments, cut at each octet. Nothing is said before the header is there. */
static void test_cuts(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, &no_limits, NULL);
	for (size_t i = 0; i < LEN(headers); i++) {
		struct buf all;

		buf_init(&all, 1000);
		buf_add(&all, headers[i].header);
		buf_add(&all, STR("INFO\r\nQUIT\r\n"));
		for (size_t cut = 0; cut <= all.n; cut++) {
			int  fd = rig_connect(rig.port);
			char octet;

			rig_send(fd, str_first(buf_str(&all), cut));
			if (cut < headers[i].header.n)
				assert_int_equal(recv(fd, &octet, 1, MSG_DONTWAIT), -1);
			rig_send(fd, str_from(buf_str(&all), cut));
			expect(fd, "hello\r\n");
			expect(fd, headers[i].info);
			expect(fd, "bye\r\n");
			close(fd);
		}
		buf_done(&all);
	}
	rig_done(&rig);
}

static void test_octets(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, &no_limits, NULL);
	for (size_t i = 0; i < LEN(headers); i++) {
		int fd = rig_connect(rig.port);

		for (size_t at = 0; at < headers[i].header.n; at++)
			rig_send(fd, str_sub(headers[i].header, at, 1));
		expect(fd, "hello\r\n");
		rig_send(fd, STR("INFO\r\n"));
		expect(fd, headers[i].info);
		close(fd);
	}
	rig_done(&rig);
}

/* Dropped without a word: none of these is ever answered. */
static void test_dropped(void **state)
{
	static const struct str bad[] = {
		RAW("EHLO x\r\n"), RAW("PROXY TCP4 192.0.2.1\r\n"), RAW(SIG "\x21\x31\x00\x00"), RAW("\x16\x03\x01\x00\x05"), RAW("proxy unknown\r\n"),
		RAW("PROXY TCP4 999.0.2.1 192.0.2.2 1 2\r\n"),
	};
	struct rig rig;
	char       octet;

	(void)state;
	start(&rig, &no_limits, NULL);
	for (size_t i = 0; i < LEN(bad); i++) {
		int fd = rig_connect(rig.port);

		rig_send(fd, bad[i]);
		assert_true(recv(fd, &octet, 1, 0) <= 0);
		close(fd);
	}
	mode = NET_PROXY_REFUSED; /* who connects is no proxy of ours */
	for (size_t i = 0; i < 3; i++) {
		int fd = rig_connect(rig.port);

		(void)!send(fd, headers[0].header.p, headers[0].header.n, MSG_NOSIGNAL);
		assert_true(recv(fd, &octet, 1, 0) <= 0);
		close(fd);
	}
	assert_int_equal(rig.sessions, 0);
	mode = NET_PROXY_NONE; /* and where none is wanted, the header is no command */
	int fd = rig_connect(rig.port);

	expect(fd, "hello\r\n");
	rig_send(fd, STR("PROXY UNKNOWN\r\nINFO\r\n"));
	expect(fd, "what?\r\n");
	expect(fd, "clear 127.0.0.1\r\n");
	close(fd);
	rig_done(&rig);
}

/* Half a header, then nothing, or the end: it does not hold the drain up, and no session was made. */
static void test_half(void **state)
{
	struct rig rig;
	int        fd[20];

	(void)state;
	start(&rig, &no_limits, NULL);
	for (size_t i = 0; i < LEN(fd); i++) {
		fd[i] = rig_connect(rig.port);
		rig_send(fd[i], str_first(headers[i % LEN(headers)].header, i % 12 + 1));
		if (i % 2)
			shutdown(fd[i], SHUT_WR);
	}
	rig_done(&rig);
	assert_int_equal(rig.sessions, 0);
	for (size_t i = 0; i < LEN(fd); i++)
		close(fd[i]);
}

/* The limits are the client's: the proxy may have any number of connections, one client has not. */
static void test_limits(void **state)
{
	const struct net_limits limits = { .per_address = 2 };
	struct rig              rig;
	int                     fd[6];
	char                    header[100];

	(void)state;
	start(&rig, &limits, NULL);
	for (size_t i = 0; i < LEN(fd); i++) {
		fd[i] = rig_connect(rig.port);
		snprintf(header, sizeof(header), "PROXY TCP4 192.0.2.%zu 192.0.2.2 4097 25\r\n", i + 10);
		rig_send(fd[i], str_of(header));
		expect(fd[i], "hello\r\n");
	}
	for (size_t i = 0; i < 3; i++) {
		close(fd[i]);
		fd[i] = rig_connect(rig.port);
		rig_send(fd[i], headers[0].header);
		expect(fd[i], i < 2 ? "hello\r\n" : "refused\r\n");
	}
	expect(fd[2], "");
	rig_await(&rig, &rig.sessions, LEN(fd) + 2);
	assert_int_equal(away, 1);
	for (size_t i = 0; i < LEN(fd); i++)
		close(fd[i]);
	rig_done(&rig);
}

/* The handshake begins right behind the header, in the same segment; STARTTLS as ever. */
static void test_tls(void **state)
{
	struct net_tls *tls = NULL;
	struct buf      cert, key;
	const char     *why = NULL;
	struct rig      rig;

	(void)state;
	net_tls_preload();
	buf_init(&cert, 64 * KIB);
	buf_init(&key, 64 * KIB);
	assert_int_equal(net_cert_self_signed(STR("mx.test"), 1, &cert, &key), ST_OK);
	assert_int_equal(net_tls_server(buf_str(&cert), buf_str(&key), &tls, &why), ST_OK);
	start(&rig, &no_limits, tls);
	for (size_t i = 0; i < LEN(headers); i++) {
		int                fd = rig_connect(rig.tls_port);
		struct net_stream *s;
		struct buf         line;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 0 }, sizeof(int));
		setsockopt(fd, IPPROTO_TCP, TCP_CORK, &(int){ 1 }, sizeof(int)); /* header and ClientHello go together */
		rig_send(fd, headers[i].header);
		setsockopt(fd, IPPROTO_TCP, TCP_CORK, &(int){ i % 2 }, sizeof(int));
		s = net_stream_new(fd);
		assert_int_equal(client_tls(s, "mx.test", false, 20000, &why), ST_OK);
		buf_init(&line, 1000);
		assert_int_equal(net_stream_line(s, &line, 20000), ST_OK);
		assert_str(buf_str(&line), STR("hello"));
		assert_int_equal(net_stream_write(s, STR("INFO\r\n"), 20000), ST_OK);
		assert_int_equal(net_stream_line(s, &line, 20000), ST_OK);
		assert_true(str_starts(buf_str(&line), STR("TLSv1.3 ")));
		assert_str(str_from(buf_str(&line), 8), str_chomp(str_from(str_of(headers[i].info), 6)));
		buf_done(&line);
		net_stream_free(&s);
	}
	rig_done(&rig);
	net_tls_free(&tls);
	buf_done(&cert);
	buf_done(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts), cmocka_unit_test(test_octets), cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_half), cmocka_unit_test(test_limits), cmocka_unit_test(test_tls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
