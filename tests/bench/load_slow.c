/* load_slow - many SMTP peers that do next to nothing; one thread, epoll.
 *
 *   load_slow --port P [--tls-port P] --peers N --kind KIND [--rcpt ADDRESS] [--interval-ms MS]
 *
 *   command    an octet of a command at a time        handshake  an octet of a TLS ClientHello at a time (--tls-port)
 *   data       an octet of DATA at a time             idle       nothing after EHLO
 *   bdat       an octet of a BDAT chunk at a time     idle-tls   nothing after EHLO under TLS (--tls-port)
 *
 * Each peer sends one octet every MS (1000), all of them spread over that time. When all are at it, it prints a JSON object {"ready", "seconds"};
 * at the end of its standard input another: octets sent, and peers that the server closed ("lost"). Exit status 3: the server does not offer
 * BDAT. Peers have addresses of many networks (127.N.x.y).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define HELLO_LENGTH 517 /* of a usual ClientHello with its record header */

enum kind { COMMAND, DATA, BDAT, HANDSHAKE, IDLE, IDLE_TLS, KINDS };
static const char *const kind_names[KINDS] = { "command", "data", "bdat", "handshake", "idle", "idle-tls" };

struct peer {
	int      fd; /* -1: lost */
	unsigned sent;
};

static struct {
	unsigned     port, tls_port, peers, interval_ms;
	enum kind    kind;
	const char  *rcpt;
	struct peer *all;
	uint64_t     sent;
	unsigned     lost;
	SSL_CTX     *tls;
} run = { .peers = 100, .interval_ms = 1000, .kind = COMMAND, .rcpt = "alice@demo.test" };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "load_slow: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- up to where it gets slow ---- */

static int peer_connect(unsigned i)
{
	bool               tls = run.kind == HANDSHAKE || run.kind == IDLE_TLS;
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { htonl(0x7f000001 + ((i % 200) << 16) + i / 200) } };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr = { htonl(INADDR_LOOPBACK) },
				  .sin_port = htons((uint16_t)(tls ? run.tls_port : run.port)) };
	struct timeval     patience = { .tv_sec = 60 };
	int                fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	return fd;
}

static ssize_t peer_read(int fd, SSL *ssl, char *p, size_t n)
{
	return ssl ? SSL_read(ssl, p, (int)n) : recv(fd, p, n, 0);
}

/* Send `text`, then read until `replies` have come; the last one must begin with `code`. */
static void say(int fd, SSL *ssl, const char *text, unsigned replies, const char *code, char *in, size_t cap)
{
	size_t n = 0, at = 0;

	if (ssl ? SSL_write(ssl, text, (int)strlen(text)) <= 0 && text[0] : send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		die("send");
	while (replies > 0) {
		char   *end;
		ssize_t got = peer_read(fd, ssl, in + n, cap - n - 1);

		if (got <= 0)
			die("the server closed the connection");
		n += (size_t)got;
		in[n] = '\0';
		for (; replies > 0 && (end = strchr(in + at, '\n')); at = (size_t)(end - in) + 1) {
			bool last = in[at + 3] != '-';

			if (last && --replies == 0 && strncmp(in + at, code, 3) != 0) {
				fprintf(stderr, "load_slow: refused: %s", in + at);
				exit(1);
			}
		}
	}
}

static SSL *peer_tls(int fd)
{
	SSL *ssl = SSL_new(run.tls);

	if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		die("TLS");
	return ssl;
}

static int peer_open(unsigned i)
{
	char text[1000], in[8192];
	int  fd = peer_connect(i);
	SSL *ssl = NULL;

	if (run.kind == HANDSHAKE)
		return fd;
	if (run.kind == IDLE_TLS)
		ssl = peer_tls(fd);
	say(fd, ssl, "", 1, "220", in, sizeof(in));
	if (run.kind == COMMAND)
		return fd;
	say(fd, ssl, "EHLO slow.example.org\r\n", 1, "250", in, sizeof(in));
	if (run.kind == BDAT && !strstr(in, "CHUNKING"))
		exit(3);
	if (run.kind == DATA || run.kind == BDAT) {
		snprintf(text, sizeof(text), "MAIL FROM:<slow@example.org>\r\nRCPT TO:<%s>\r\n%s", run.rcpt, run.kind == DATA ? "DATA\r\n" : "");
		say(fd, NULL, text, run.kind == DATA ? 3 : 2, run.kind == DATA ? "354" : "250", in, sizeof(in));
	}
	if (run.kind == BDAT)
		say(fd, NULL, "BDAT 1000000 LAST\r\n", 0, "", in, sizeof(in));
	SSL_free(ssl); /* the connection stays as it is, and the memory of 10,000 clients is saved */
	return fd;
}

/* ---- slow ---- */

static char next_octet(const struct peer *p)
{
	static const unsigned char hello[] = { 22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3 };
	static const char          command[] = "EHLO ", header[] = "Subject: slow\r\n\r\n";

	switch (run.kind) {
	case COMMAND:   return p->sent < sizeof(command) - 1 ? command[p->sent] : 'a';
	case HANDSHAKE: return p->sent < sizeof(hello) ? (char)hello[p->sent] : (char)p->sent;
	default:        return p->sent < sizeof(header) - 1 ? header[p->sent] : p->sent % 60 == 58 ? '\r' : p->sent % 60 == 59 ? '\n' : 'x';
	}
}

static void peer_lost(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
	run.lost++;
}

static void peer_turn(struct peer *p)
{
	char octet = next_octet(p), in[512];

	if (p->fd < 0 || (run.kind == HANDSHAKE && p->sent >= HELLO_LENGTH - 1) || (run.kind == COMMAND && p->sent > 2000))
		return;
	if (send(p->fd, &octet, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
		p->sent++;
		run.sent++;
	} else if (errno != EAGAIN) {
		peer_lost(p);
		return;
	}
	if (p->sent % 8 == 0 && recv(p->fd, in, sizeof(in), MSG_DONTWAIT) == 0)
		peer_lost(p);
}

static bool asked_to_stop(int wait_ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char          c;

	return poll(&in, 1, wait_ms) > 0 && read(STDIN_FILENO, &c, 1) <= 0;
}

/* Every peer has its turn once in interval_ms. */
static void slow_down(void)
{
	double   per_second = run.peers * 1000.0 / run.interval_ms, began = now();
	uint64_t turns = 0;

	while (!asked_to_stop(1)) {
		uint64_t due = (uint64_t)((now() - began) * per_second);

		for (; turns < due; turns++)
			peer_turn(&run.all[turns % run.peers]);
	}
}

/* The server may not have closed any of them. */
static void stay_idle(void)
{
	while (!asked_to_stop(1000))
		continue;
	for (unsigned i = 0; i < run.peers; i++) {
		char    in[512];
		ssize_t got;

		while ((got = recv(run.all[i].fd, in, sizeof(in), MSG_DONTWAIT)) > 0)
			continue; /* session tickets */
		if (got == 0)
			run.lost++;
	}
}

/* ---- */

static void options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "port", 1, NULL, 'p' }, { "tls-port", 1, NULL, 't' },    { "peers", 1, NULL, 'n' }, { "kind", 1, NULL, 'k' },
		{ "rcpt", 1, NULL, 'r' }, { "interval-ms", 1, NULL, 'i' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'p': run.port = (unsigned)atoi(optarg); break;
		case 't': run.tls_port = (unsigned)atoi(optarg); break;
		case 'n': run.peers = (unsigned)atoi(optarg); break;
		case 'r': run.rcpt = optarg; break;
		case 'i': run.interval_ms = (unsigned)atoi(optarg); break;
		case 'k':
			for (run.kind = 0; run.kind < KINDS && strcmp(kind_names[run.kind], optarg) != 0; run.kind++)
				continue;
			break;
		default: exit(2);
		}
	}
	if (run.kind == KINDS || run.peers == 0 || run.interval_ms == 0 ||
	    (run.kind == HANDSHAKE || run.kind == IDLE_TLS ? run.tls_port : run.port) == 0) {
		fprintf(stderr, "usage: load_slow --port P --tls-port P --peers N --kind command|data|bdat|handshake|idle|idle-tls\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	double began = now();

	options(argc, argv);
	run.tls = SSL_CTX_new(TLS_client_method());
	run.all = calloc(run.peers, sizeof(*run.all));
	for (unsigned i = 0; i < run.peers; i++)
		run.all[i].fd = peer_open(i);
	printf("{\"ready\": %u, \"seconds\": %.3f}\n", run.peers, now() - began);
	fflush(stdout);
	if (run.kind == IDLE || run.kind == IDLE_TLS)
		stay_idle();
	else
		slow_down();
	printf("{\"sent\": %llu, \"lost\": %u}\n", (unsigned long long)run.sent, run.lost);
	return 0;
}
