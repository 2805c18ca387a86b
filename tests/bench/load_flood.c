/* load_flood - many SMTP clients that ask for what they do not get, as fast as they are answered; one thread, epoll.
 *
 *   load_flood --port P --kind names|recipients|passwords [--clients N] [--seconds S] [--batch B] [--rcpt ADDRESS]
 *
 *   names       RCPT to names that do not exist, B in one packet; a new connection when the server ends one
 *   recipients  RCPT to ADDRESS with another subaddress each time, never DATA
 *   passwords   AUTH PLAIN with a wrong password, on a submission port that takes it in clear (--lab)
 *
 * Prints one JSON object: commands answered by the first digit of the reply, connections, and commands a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { NAMES, RECIPIENTS, PASSWORDS, KINDS };
static const char *const kind_names[KINDS] = { "names", "recipients", "passwords" };

enum step { GREETING, EHLO, MAIL, FLOOD };

struct client {
	int       fd;
	enum step step;
	unsigned  replies; /* still to come of what was sent */
	char      in[64 * 1024];
	size_t    in_n;
};

static struct {
	unsigned           port, clients, batch, seconds;
	enum kind          kind;
	const char        *rcpt;
	int                epoll;
	uint64_t           answers[6], connections, number;
	struct sockaddr_in to;
	struct client     *all;
} run = { .clients = 50, .batch = 100, .seconds = 10, .rcpt = "alice@demo.test" };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "load_flood: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void client_open(struct client *c)
{
	uint32_t           i = (uint32_t)(c - run.all);
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { htonl(0x7f000001 + ((i % 200) << 16) + i / 200) } };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	*c    = (struct client){ .step = GREETING, .replies = 1 };
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0 || connect(c->fd, (struct sockaddr *)&run.to, sizeof(run.to)) != 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll_ctl");
	run.connections++;
}

static void client_again(struct client *c)
{
	close(c->fd);
	client_open(c);
}

/* A short command; what does not fit into the socket means that the server is gone, the next read says so. */
static void say(struct client *c, const char *text, size_t n, unsigned replies)
{
	c->replies = replies;
	if (send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n && errno != EPIPE && errno != ECONNRESET)
		die("send");
}

static void say_batch(struct client *c)
{
	static char text[256 * 1024];
	size_t      n = 0, at = strcspn(run.rcpt, "@");

	if (run.kind == PASSWORDS) {
		static const char wrong[] = "AUTH PLAIN AGFsaWNlQGRlbW8udGVzdAB3cm9uZw==\r\n"; /* alice@demo.test, wrong */
		say(c, wrong, sizeof(wrong) - 1, 1);
		return;
	}
	for (unsigned i = 0; i < run.batch && n < sizeof(text) - 300; i++, run.number++) {
		if (run.kind == NAMES)
			n += (size_t)snprintf(text + n, 300, "RCPT TO:<nobody-%llx%s>\r\n", (unsigned long long)(run.number * 2654435761u), run.rcpt + at);
		else
			n += (size_t)snprintf(text + n, 300, "RCPT TO:<%.*s+%llu%s>\r\n", (int)at, run.rcpt, (unsigned long long)run.number, run.rcpt + at);
	}
	say(c, text, n, run.batch);
}

static void advance(struct client *c)
{
	static const char hello[] = "EHLO flood.example.org\r\n", mail[] = "MAIL FROM:<flood@example.org>\r\n";

	switch (c->step) {
	case GREETING:
		c->step = EHLO;
		say(c, hello, sizeof(hello) - 1, 1);
		break;
	case EHLO:
		c->step = run.kind == PASSWORDS ? FLOOD : MAIL;
		if (c->step == FLOOD)
			say_batch(c);
		else
			say(c, mail, sizeof(mail) - 1, 1);
		break;
	case MAIL: c->step = FLOOD; say_batch(c); break;
	case FLOOD: say_batch(c); break;
	}
}

static void reply_line(struct client *c, const char *line)
{
	if (line[3] == '-')
		return;
	if (c->step == FLOOD && line[0] >= '0' && line[0] <= '5')
		run.answers[line[0] - '0']++;
	if (--c->replies == 0)
		advance(c);
}

static void readable(struct client *c)
{
	ssize_t got = recv(c->fd, c->in + c->in_n, sizeof(c->in) - c->in_n - 1, MSG_DONTWAIT);
	char   *at = c->in, *end;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		client_again(c);
		return;
	}
	c->in_n += (size_t)got;
	c->in[c->in_n] = '\0';
	for (; (end = strchr(at, '\n')); at = end + 1)
		if (end - at > 3)
			reply_line(c, at);
	c->in_n -= (size_t)(at - c->in);
	memmove(c->in, at, c->in_n + 1);
}

static void options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "port", 1, NULL, 'p' },    { "kind", 1, NULL, 'k' },  { "clients", 1, NULL, 'c' },
		{ "seconds", 1, NULL, 's' }, { "batch", 1, NULL, 'b' }, { "rcpt", 1, NULL, 'r' },    { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'p': run.port = (unsigned)atoi(optarg); break;
		case 'c': run.clients = (unsigned)atoi(optarg); break;
		case 's': run.seconds = (unsigned)atoi(optarg); break;
		case 'b': run.batch = (unsigned)atoi(optarg); break;
		case 'r': run.rcpt = optarg; break;
		case 'k':
			for (run.kind = 0; run.kind < KINDS && strcmp(kind_names[run.kind], optarg) != 0; run.kind++)
				continue;
			break;
		default: exit(2);
		}
	}
	if (run.kind == KINDS || run.port == 0 || run.clients == 0 || run.batch == 0 || run.batch > 700) {
		fprintf(stderr, "usage: load_flood --port P --kind names|recipients|passwords [--clients N] [--seconds S]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	double began;

	options(argc, argv);
	run.to    = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)run.port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	run.epoll = epoll_create1(0);
	run.all   = calloc(run.clients, sizeof(*run.all));
	for (unsigned i = 0; i < run.clients; i++)
		client_open(&run.all[i]);
	for (began = now(); now() - began < run.seconds;) {
		struct epoll_event events[64];
		int                n = epoll_wait(run.epoll, events, 64, 1000);

		for (int i = 0; i < n; i++)
			readable(events[i].data.ptr);
	}
	printf("{\"taken\": %llu, \"later\": %llu, \"refused\": %llu, \"connections\": %llu, \"rate\": %.1f}\n", (unsigned long long)run.answers[2],
	       (unsigned long long)run.answers[4], (unsigned long long)run.answers[5], (unsigned long long)run.connections,
	       (double)(run.answers[2] + run.answers[4] + run.answers[5]) / (now() - began));
	return 0;
}
