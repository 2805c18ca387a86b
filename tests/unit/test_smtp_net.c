/* tests/unit/test_smtp_net.c - the SMTP session over the real net, on loopback: what depends on where packets and TLS records
 * are cut, and what must not cross from clear into TLS. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_client.h"
#include "net/net_tls.h"
#include "smtp_server.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

static struct smtp_server server;

static int setup(void **state)
{
	(void)state;
	smtp_server_start(&server);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	smtp_server_stop(&server);
	return 0;
}

/* ---- clients ---- */

static int dial(enum smtp_kind kind)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(server.port[kind]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0); /* each send is a segment */
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void say(int fd, struct str s)
{
	if (s.n > 0)
		assert_int_equal(send(fd, s.p, s.n, MSG_NOSIGNAL), (ssize_t)s.n);
}

/* The code of a whole reply; 0 at the end of the connection. */
static unsigned hear(int fd)
{
	char   line[1024];
	size_t n;

	do {
		for (n = 0; n < sizeof(line); n++) {
			if (recv(fd, line + n, 1, 0) != 1)
				return 0;
			if (line[n] == '\n')
				break;
		}
		assert_true(n > 4 && n < sizeof(line));
	} while (line[3] == '-');
	return (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 + (unsigned)(line[2] - '0');
}

static unsigned talk(int fd, const char *line)
{
	say(fd, str_of(line));
	return hear(fd);
}

/* As many pieces as octets, or two pieces. */
static void say_cut(int fd, struct str s, size_t cut)
{
	say(fd, str_first(s, cut));
	say(fd, str_from(s, cut));
}

static int hello(enum smtp_kind kind)
{
	int fd = dial(kind);

	assert_int_equal(hear(fd), 220);
	assert_int_equal(talk(fd, "EHLO client.example\r\n"), 250);
	return fd;
}

/* ---- tests ---- */

/* papers 1.8 A, CVE-2023-51764/5/6: cut at every octet, in segments. One reply per message, and the commands inside never run. */
static void test_smuggling(void **state)
{
	static const struct str markers[] = {
		RAW("\n.\n"),       RAW("\n.\r\n"),         RAW("\r\n.\n"),        RAW("\r.\r"),         RAW("\r.\r\n"),
		RAW("\r\n.\r"),     RAW("\r\n.\r\r\n"),     RAW("\r\n\0.\r\n"),    RAW("\n.\r"),         RAW("\r\r\n.\r\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < LEN(markers); i++) {
		int        fd = hello(SMTP_KIND_RELAY);
		struct buf data;

		buf_init(&data, KIB);
		buf_add(&data, STR("S: x\r\n\r\nx"));
		buf_add(&data, markers[i]);
		buf_add(&data, STR("MAIL FROM:<e@far.example>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\nx\r\n.\r\n"));
		for (size_t cut = 0; cut < data.n; cut++) {
			assert_int_equal(talk(fd, "MAIL FROM:<x@far.example>\r\n"), 250);
			assert_int_equal(talk(fd, "RCPT TO:<alice@demo.test>\r\n"), 250);
			assert_int_equal(talk(fd, "DATA\r\n"), 354);
			say_cut(fd, buf_str(&data), cut);
			assert_int_equal(hear(fd), 554);
		}
		assert_int_equal(talk(fd, "QUIT\r\n"), 221);
		assert_int_equal(hear(fd), 0);
		close(fd);
		buf_done(&data);
	}
	assert_int_equal(server.ask.submits, 0);
}

/* A whole dialogue, cut in two at every octet of the group and of the data. */
static void test_cuts(void **state)
{
	static const struct str group = RAW("MAIL FROM:<x@far.example>\r\nRCPT TO:<alice@demo.test>\r\nDATA\r\n");
	static const struct str data = RAW("S: x\r\n\r\n..a\r\n.b\r\n\r\n.\r\n");
	int                     fd = hello(SMTP_KIND_RELAY);
	unsigned                before = server.ask.submits;

	(void)state;
	for (size_t cut = 0; cut <= group.n; cut++) {
		say_cut(fd, group, cut);
		assert_int_equal(hear(fd), 250);
		assert_int_equal(hear(fd), 250);
		assert_int_equal(hear(fd), 354);
		say_cut(fd, data, cut % data.n);
		assert_int_equal(hear(fd), 250);
		assert_true(str_iends(buf_str(&server.ask.content), STR("S: x\r\n\r\n.a\r\nb\r\n\r\n")));
	}
	assert_int_equal(server.ask.submits, before + group.n + 1);
	assert_int_equal(talk(fd, "QUIT\r\n"), 221);
	close(fd);
}

/* papers 1.8 B: of what was sent in clear behind STARTTLS, nothing is ever answered. */
static void test_injection(void **state)
{
	static const struct str tail = RAW("STARTTLS\r\nNOOP\r\nRSET\r\n");

	(void)state;
	for (size_t n = 11; n <= tail.n; n++) {
		for (int late = 0; late < 2; late++) {
			int      fd = hello(SMTP_KIND_RELAY);
			char     rest[64];
			ssize_t  got;

			if (late) { /* 220 first, then octets that are no handshake */
				assert_int_equal(talk(fd, "STARTTLS\r\n"), 220);
				say(fd, str_sub(tail, 10, n - 10));
				shutdown(fd, SHUT_WR);
			} else {
				say(fd, str_first(tail, n));
				assert_int_equal(hear(fd), 554);
			}
			got = recv(fd, rest, sizeof(rest), 0);
			assert_true(got <= 0 || (late && rest[0] == 21)); /* a TLS alert at most, RFC 8446 §5.1 */
			close(fd);
		}
	}
}

static void stream_say(struct net_stream *s, const char *text)
{
	for (; *text; text++) /* each octet is a TLS record */
		assert_int_equal(net_stream_write(s, str_n(text, 1), 5000), ST_OK);
}

static void stream_hear(struct net_stream *s, unsigned code)
{
	struct buf line;
	uint32_t   got;

	buf_init(&line, 2000);
	do {
		assert_int_equal(net_stream_line(s, &line, 5000), ST_OK);
	} while (line.n > 3 && line.p[3] == '-');
	assert_true(str_to_u32(str_first(buf_str(&line), 3), &got));
	assert_int_equal(got, code);
	buf_done(&line);
}

static void test_tls(void **state)
{
	static const struct {
		const char *say;
		unsigned    code;
	} rows[] = {
		{ "MAIL FROM:<alice@demo.test>\r\n", 530 },
		{ "EHLO client.example\r\n", 250 },
		{ "STARTTLS\r\n", 503 },
		{ "AUTH PLAIN\r\n", 334 },
		{ "AGFsaWNlQGRlbW8udGVzdABwYXNzd29yZA==\r\n", 235 },
		{ "MAIL FROM:<alice@demo.test>\r\n", 250 },
		{ "RCPT TO:<x@far.example>\r\n", 250 },
		{ "DATA\r\n", 354 },
		{ "From: alice@demo.test\r\n\r\n..\r\n.\r\n", 250 },
		{ "QUIT\r\n", 221 },
	};
	struct net_stream *s = net_stream_new(dial(SMTP_KIND_SUBMISSION));
	const char        *why = NULL;

	(void)state;
	stream_hear(s, 220);
	stream_say(s, "EHLO client.example\r\n");
	stream_hear(s, 250);
	stream_say(s, "AUTH PLAIN AGFsaWNlQGRlbW8udGVzdABwYXNzd29yZA==\r\n");
	stream_hear(s, 538);
	stream_say(s, "STARTTLS\r\n");
	stream_hear(s, 220);
	assert_int_equal(client_tls(s, "mx.demo.test", false, 5000, &why), ST_OK);
	for (size_t i = 0; i < LEN(rows); i++) {
		stream_say(s, rows[i].say);
		stream_hear(s, rows[i].code);
	}
	assert_true(str_search(buf_str(&server.ask.content), STR(" tls TLS_")) > 0);
	assert_true(str_iends(buf_str(&server.ask.content), STR("\r\n\r\n.\r\n")));
	net_stream_free(&s);
}

/* RFC 5321 §3.1. Whoever has sent before the server accepted is seen; later it is a race that only the peer loses. */
static void test_early(void **state)
{
	int      fd = dial(SMTP_KIND_RELAY);
	unsigned code;

	(void)state;
	say(fd, STR("EHLO client.example\r\n"));
	code = hear(fd);
	assert_true(code == 554 || code == 220);
	assert_int_equal(hear(fd), code == 554 ? 0 : 250);
	close(fd);
}

/* More replies are held back than there are threads: others are served meanwhile, and what is behind a held one waits. */
static void test_held_back(void **state)
{
	int  held[12], fd;
	char octet;

	(void)state;
	for (size_t i = 0; i < LEN(held); i++) {
		held[i] = hello(SMTP_KIND_RELAY);
		assert_int_equal(talk(held[i], "MAIL FROM:<x@far.example>\r\n"), 250);
		say(held[i], STR("RCPT TO:<stuck@demo.test>\r\nNOOP\r\n"));
	}
	fd = hello(SMTP_KIND_RELAY);
	assert_int_equal(talk(fd, "MAIL FROM:<x@far.example>\r\n"), 250);
	assert_int_equal(talk(fd, "RCPT TO:<slow@demo.test>\r\n"), 250);
	assert_int_equal(talk(fd, "NOOP\r\n"), 250);
	for (size_t i = 0; i < LEN(held); i++) {
		assert_int_equal(recv(held[i], &octet, 1, MSG_DONTWAIT), -1);
		close(held[i]);
	}
	close(fd);
}

/* A dialogue by chunks, each octet a segment of its own; in TLS each a record. */
static void test_chunks(void **state)
{
	static const char  said[] = "MAIL FROM:<x@far.example>\r\nRCPT TO:<alice@demo.test>\r\nBDAT 12\r\nS: x\r\n\r\n.\r\n\rBDAT 5 LAST\r\n\n.\r\nzNOOP\r\n";
	static const unsigned codes[] = { 250, 250, 250, 250, 250 };
	struct net_stream *s;
	const char        *why = NULL;
	int                fd = hello(SMTP_KIND_RELAY);

	(void)state;
	for (size_t i = 0; i < sizeof(said) - 1; i++)
		say(fd, str_n(said + i, 1));
	for (size_t i = 0; i < LEN(codes); i++)
		assert_int_equal(hear(fd), codes[i]);
	assert_true(str_iends(buf_str(&server.ask.content), STR("\r\nS: x\r\n\r\n.\r\n\r\n.\r\nz\r\n")));
	close(fd);

	s = net_stream_new(dial(SMTP_KIND_RELAY));
	stream_hear(s, 220);
	stream_say(s, "EHLO client.example\r\n");
	stream_hear(s, 250);
	stream_say(s, "STARTTLS\r\n");
	stream_hear(s, 220);
	assert_int_equal(client_tls(s, "mx.demo.test", false, 5000, &why), ST_OK);
	stream_say(s, "EHLO client.example\r\n");
	stream_hear(s, 250);
	buf_clear(&server.ask.content);
	stream_say(s, said);
	for (size_t i = 0; i < LEN(codes); i++)
		stream_hear(s, codes[i]);
	assert_true(str_iends(buf_str(&server.ask.content), STR("\r\nS: x\r\n\r\n.\r\n\r\n.\r\nz\r\n")));
	net_stream_free(&s);
}

/* ---- waiting for queue ---- */

/* A message that queue has and does not answer yet; the n-th. */
static int submitted(struct smtp_server *s, unsigned n)
{
	int fd = hello(SMTP_KIND_RELAY);

	assert_int_equal(talk(fd, "MAIL FROM:<x@far.example>\r\n"), 250);
	assert_int_equal(talk(fd, "RCPT TO:<alice@demo.test>\r\n"), 250);
	assert_int_equal(talk(fd, "DATA\r\n"), 354);
	say(fd, STR("S: x\r\n\r\nx\r\n.\r\nNOOP\r\n"));
	while (s->ask.held_count < n)
		usleep(1000);
	return fd;
}

/* Far more sessions than threads wait for an answer, and others are served meanwhile. What was pipelined behind comes after it. */
static void test_waiting_sessions(void **state)
{
	int fd[20], other;

	(void)state;
	server.ask.hold = true;
	for (unsigned i = 0; i < LEN(fd); i++)
		fd[i] = submitted(&server, i + 1);
	close(fd[7]); /* gone, and its answer comes nevertheless */
	other = hello(SMTP_KIND_RELAY);
	assert_int_equal(talk(other, "NOOP\r\n"), 250);
	fake_ask_answer(&server.ask);
	for (unsigned i = 0; i < LEN(fd); i++) {
		if (i == 7)
			continue;
		assert_int_equal(hear(fd[i]), 250);
		assert_int_equal(hear(fd[i]), 250);
		assert_int_equal(talk(fd[i], "QUIT\r\n"), 221);
		close(fd[i]);
	}
	close(other);
}

static void *drain_main(void *arg)
{
	net_drain(((struct smtp_server *)arg)->net, 60000);
	return NULL;
}

/* A process that ends says what became of the message first. The last test: the server is drained. */
static void test_waiting_drain(void **state)
{
	pthread_t thread;
	int       fd, other;
	unsigned  code;

	(void)state;
	server.ask.hold = true;
	other = hello(SMTP_KIND_RELAY); /* first: the newest connection is told first */
	fd = submitted(&server, 1);
	assert_int_equal(pthread_create(&thread, NULL, drain_main, &server), 0);
	assert_int_equal(hear(other), 421);
	fake_ask_answer(&server.ask);
	assert_int_equal(hear(fd), 250);
	code = hear(fd);
	assert_int_equal(code == 250 ? hear(fd) : code, 421); /* NOOP may have been faster than the drain */
	assert_int_equal(hear(fd), 0);
	close(fd);
	close(other);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smuggling), cmocka_unit_test(test_cuts),  cmocka_unit_test(test_injection),
		cmocka_unit_test(test_tls),       cmocka_unit_test(test_early), cmocka_unit_test(test_held_back), cmocka_unit_test(test_chunks), cmocka_unit_test(test_waiting_sessions),
		cmocka_unit_test(test_waiting_drain),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
