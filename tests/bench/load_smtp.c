/* load_smtp - send many messages over SMTP and measure; one thread, epoll.
 *
 *   load_smtp --port P --sessions N --messages M --size OCTETS --rcpts FILE [--rcpts-per-message K] [--reconnect] [--host A]
 *             [--from ADDRESS] [--auth BASE64] [--lmtp]
 *
 * Each of N sessions says EHLO once, then sends message after message: MAIL, RCPT and DATA in one packet (RFC 2920), the content with its
 * dot in the next, as mail servers do. --reconnect opens a connection for each message instead. Recipients are taken in turn from FILE, one address a line.
 * No two messages are equal. --auth is the initial response of AUTH PLAIN, said in clear. --lmtp says LHLO, and waits for an
 * answer to the dot for each recipient (RFC 2033).
 *
 * Prints one JSON object: seconds from the first connect to the last reply; latency of a transaction, from MAIL to the
 * reply to the dot, and of its durable part, from the dot to that reply; with --reconnect also from connect to that reply. Exit status 1 if
 * any message was not accepted.
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

enum state { GREETING, EHLO, AUTH, ENVELOPE, CONTENT, QUIT };

struct session {
	enum state state;
	int        fd;
	unsigned   replies; /* still to come in this state */
	unsigned   message; /* number of the one being sent */
	bool       failed;  /* a reply in this transaction was no success */
	double     opened, began, dot;
	char       in[4096];
	size_t     in_n;
	char      *out; /* what could not be written yet */
	size_t     out_n, out_at;
};

static struct {
	unsigned           port, sessions, messages, per_message;
	size_t             size;
	bool               reconnect, lmtp;
	const char        *from, *auth;
	char             **rcpts;
	unsigned           rcpt_count;
	char              *body;
	size_t             body_n;
	int                epoll;
	unsigned           next, done, errors, open;
	double            *transaction_ms, *dot_ms, *session_ms;
	char               last_error[200];
	struct sockaddr_in to;
} run = { .sessions = 1, .messages = 100, .per_message = 1, .size = 10240, .from = "load@example.org" };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "load_smtp: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Lines of words that no two runs of a compressor find equal. */
static void make_body(void)
{
	uint64_t x = 88172645463325252u;
	char    *p = run.body = malloc(run.size + 100);

	while ((size_t)(p - run.body) < run.size) {
		for (unsigned i = 0; i < 70; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			*p++ = "abcdefghijklmnopqrstuvwxyz     "[x % 31];
		}
		*p++ = '\r';
		*p++ = '\n';
	}
	memcpy(p, ".\r\n", 3);
	run.body_n = (size_t)(p - run.body) + 3;
}

static void read_rcpts(const char *path)
{
	FILE *f = fopen(path, "r");
	char  line[600];

	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		run.rcpts = realloc(run.rcpts, (run.rcpt_count + 1) * sizeof(*run.rcpts));
		run.rcpts[run.rcpt_count++] = strdup(line);
	}
	fclose(f);
	if (run.rcpt_count == 0)
		die("no recipients");
}

static void watch(struct session *s, int op)
{
	struct epoll_event e = { .events = EPOLLIN | (s->out_n > 0 ? EPOLLOUT : 0u), .data.ptr = s };

	if (epoll_ctl(run.epoll, op, s->fd, &e) != 0)
		die("epoll_ctl");
}

static void session_open(struct session *s)
{
	s->opened = now();
	s->fd     = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		die("socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(s->fd, (struct sockaddr *)&run.to, sizeof(run.to)) != 0 && errno != EINPROGRESS)
		die("connect");
	s->state   = GREETING;
	s->replies = 1;
	s->in_n    = 0;
	watch(s, EPOLL_CTL_ADD);
	run.open++;
}

static void session_end(struct session *s)
{
	close(s->fd);
	free(s->out);
	s->out   = NULL;
	s->out_n = 0;
	run.open--;
}

static void send_now(struct session *s, const char *p, size_t n)
{
	ssize_t got = send(s->fd, p, n, MSG_NOSIGNAL);

	if (got < 0 && errno != EAGAIN)
		return; /* the next read says so */
	if (got < 0)
		got = 0;
	if ((size_t)got == n)
		return;
	s->out_n  = n - (size_t)got;
	s->out_at = 0;
	s->out    = realloc(s->out, s->out_n);
	memcpy(s->out, p + got, s->out_n);
	watch(s, EPOLL_CTL_MOD);
}

static void send_rest(struct session *s)
{
	ssize_t got = send(s->fd, s->out + s->out_at, s->out_n, MSG_NOSIGNAL);

	if (got > 0) {
		s->out_at += (size_t)got;
		s->out_n -= (size_t)got;
	}
	if (s->out_n == 0)
		watch(s, EPOLL_CTL_MOD);
}

static void send_envelope(struct session *s)
{
	static char text[64 * 1024];
	size_t      n;

	if (run.next == run.messages) {
		s->state   = QUIT;
		s->replies = 1;
		send_now(s, "QUIT\r\n", 6);
		return;
	}
	s->message = run.next++;
	s->began   = now();
	s->failed  = false;
	n          = (size_t)snprintf(text, sizeof(text), "MAIL FROM:<%s>\r\n", run.from);
	for (unsigned i = 0; i < run.per_message; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "RCPT TO:<%s>\r\n",
				      run.rcpts[(s->message * run.per_message + i) % run.rcpt_count]);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "DATA\r\n");
	s->state   = ENVELOPE;
	s->replies = run.per_message + 2;
	send_now(s, text, n);
}

static void send_content(struct session *s)
{
	static char *text;
	size_t       n;

	if (!text)
		text = malloc(run.body_n + 1000);
	n = (size_t)snprintf(text, 1000,
			     "From: Load <%s>\r\nTo: you\r\nSubject: message %u\r\n"
			     "Date: Sat, 01 Aug 2026 12:00:00 +0000\r\nMessage-ID: <%u.%d@example.org>\r\n"
			     "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nNumber %u\r\n",
			     run.from, s->message, s->message, (int)getpid(), s->message);
	memcpy(text + n, run.body, run.body_n);
	s->state   = CONTENT;
	s->replies = run.lmtp ? run.per_message : 1;
	s->dot     = now();
	send_now(s, text, n + run.body_n);
}

static void message_done(struct session *s)
{
	double t = now();

	run.session_ms[run.done]     = (t - s->opened) * 1e3;
	run.transaction_ms[run.done] = (t - s->began) * 1e3;
	run.dot_ms[run.done++]       = (t - s->dot) * 1e3;
	run.errors += s->failed;
	if (run.reconnect && run.next < run.messages) {
		send_now(s, "QUIT\r\n", 6);
		session_end(s);
		session_open(s);
		return;
	}
	send_envelope(s);
}

static void send_auth(struct session *s)
{
	char text[600];

	s->state   = AUTH;
	s->replies = 1;
	send_now(s, text, (size_t)snprintf(text, sizeof(text), "AUTH PLAIN %.500s\r\n", run.auth));
}

/* All replies of a state have come. */
static void advance(struct session *s)
{
	switch (s->state) {
	case GREETING:
		s->state   = EHLO;
		s->replies = 1;
		send_now(s, run.lmtp ? "LHLO load.example.org\r\n" : "EHLO load.example.org\r\n", 23);
		break;
	case EHLO:     run.auth ? send_auth(s) : send_envelope(s); break;
	case AUTH:     send_envelope(s); break;
	case ENVELOPE: send_content(s); break;
	case CONTENT:  message_done(s); break;
	case QUIT:     session_end(s); break;
	}
}

static void reply_line(struct session *s, const char *line)
{
	if (line[0] != '2' && line[0] != '3') {
		s->failed = true;
		snprintf(run.last_error, sizeof(run.last_error), "%.180s", line);
		if (s->state != CONTENT) { /* nothing sensible to go on with */
			fprintf(stderr, "load_smtp: refused: %s\n", line);
			exit(1);
		}
	}
	if (strlen(line) > 3 && line[3] == '-')
		return;
	if (--s->replies == 0)
		advance(s);
}

static void readable(struct session *s)
{
	ssize_t got = recv(s->fd, s->in + s->in_n, sizeof(s->in) - s->in_n - 1, 0);
	char   *end;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		if (s->state == QUIT) {
			session_end(s);
			return;
		}
		fprintf(stderr, "load_smtp: connection lost in state %d: %s\n", (int)s->state, got < 0 ? strerror(errno) : "closed");
		exit(1);
	}
	s->in_n += (size_t)got;
	s->in[s->in_n] = '\0';
	while (s->in_n > 0 && (end = memchr(s->in, '\n', s->in_n))) {
		char   line[600];
		size_t n = (size_t)(end - s->in) + 1;

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(s->in, "\r\n"), s->in);
		memmove(s->in, s->in + n, s->in_n - n + 1);
		s->in_n -= n;
		reply_line(s, line);
	}
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_latency(const char *name, double *ms)
{
	qsort(ms, run.done, sizeof(*ms), order);
	printf(", \"%s\": {\"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f, \"max\": %.3f}", name, ms[run.done / 2],
	       ms[run.done * 95ull / 100], ms[run.done * 99ull / 100], ms[run.done - 1]);
}

static void options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "port", 1, NULL, 'p' },  { "sessions", 1, NULL, 's' },          { "messages", 1, NULL, 'm' }, { "size", 1, NULL, 'z' },
		{ "rcpts", 1, NULL, 'r' }, { "rcpts-per-message", 1, NULL, 'k' }, { "reconnect", 0, NULL, 'c' },
		{ "host", 1, NULL, 'h' },  { "from", 1, NULL, 'f' },              { "auth", 1, NULL, 'a' },     { "lmtp", 0, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'p': run.port = (unsigned)atoi(optarg); break;
		case 's': run.sessions = (unsigned)atoi(optarg); break;
		case 'm': run.messages = (unsigned)atoi(optarg); break;
		case 'z': run.size = (size_t)atol(optarg); break;
		case 'r': read_rcpts(optarg); break;
		case 'k': run.per_message = (unsigned)atoi(optarg); break;
		case 'f': run.from = optarg; break;
		case 'a': run.auth = optarg; break;
		case 'c': run.reconnect = true; break;
		case 'l': run.lmtp = true; break;
		case 'h': run.to.sin_addr.s_addr = inet_addr(optarg); break;
		default:  exit(2);
		}
	}
	if (run.port == 0 || run.rcpt_count == 0 || run.per_message == 0 || run.per_message > 100 || run.messages == 0) {
		fprintf(stderr, "usage: load_smtp --port P --rcpts FILE [--sessions N] [--messages M] [--size OCTETS]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct session *sessions;
	double          began, seconds;

	run.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	options(argc, argv);
	make_body();
	run.to.sin_family  = AF_INET;
	run.to.sin_port    = htons((uint16_t)run.port);
	run.transaction_ms = calloc(run.messages, sizeof(double));
	run.dot_ms         = calloc(run.messages, sizeof(double));
	run.session_ms     = calloc(run.messages, sizeof(double));
	run.epoll          = epoll_create1(0);
	sessions           = calloc(run.sessions, sizeof(*sessions));
	began              = now();
	for (unsigned i = 0; i < run.sessions; i++)
		session_open(&sessions[i]);
	while (run.done < run.messages) {
		struct epoll_event events[64];
		int                n = epoll_wait(run.epoll, events, 64, 60000);

		if (n == 0) {
			fprintf(stderr, "load_smtp: nothing happened for a minute\n");
			exit(1);
		}
		for (int i = 0; i < n; i++) {
			struct session *s = events[i].data.ptr;

			if ((events[i].events & EPOLLOUT) && s->out_n > 0)
				send_rest(s);
			if (events[i].events & ~(unsigned)EPOLLOUT)
				readable(s);
		}
	}
	seconds = now() - began;
	printf("{\"messages\": %u, \"errors\": %u, \"seconds\": %.4f, \"rate\": %.2f, \"began\": %.6f", run.done, run.errors,
	       seconds, run.done / seconds, began);
	print_latency("transaction_ms", run.transaction_ms);
	print_latency("dot_ms", run.dot_ms);
	if (run.reconnect)
		print_latency("session_ms", run.session_ms);
	printf(", \"last_error\": \"");
	for (const char *p = run.last_error; *p; p++)
		putchar(*p == '"' || *p == '\\' || *p < ' ' ? '?' : *p);
	printf("\"}\n");
	return run.errors > 0;
}
