/* load_sink - a mail host that takes everything and counts it; one thread, epoll.
 *
 *   load_sink --listen ADDRESS:PORT [--listen ADDRESS:PORT ...] [--think MS] [--chunking]
 *
 * Each line of standard input is a number of recipients: counting begins anew, and when so many are there one JSON object is printed: messages,
 * recipients, connections, the most at once, and the times (CLOCK_MONOTONIC) of the first and the last yes. A recipient whose local part begins with
 * "mark" is not counted: he gets a line of his own, {"mark": address, "at": time, "signed": is there a DKIM-Signature}. --think: so long before each yes, as hosts that sync need it.
 * Ends with its standard input. Prints "ready" when it listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS 16

struct session {
	int             fd;
	char            in[64 * 1024], out[32 * 1024], mark[256];
	size_t          in_n, out_n;
	unsigned        rcpts, marks;
	bool            data, line_start, closing, last_chunk, sign;
	size_t          chunk; /* octets of BDAT still to come */
	double          due;   /* thinking until then; 0: not */
	struct session *next;  /* of those who think, in the order of their turns */
};

static struct {
	int             epoll, listeners[LISTENERS];
	unsigned        listener_count;
	double          think_s;
	bool            chunking;
	struct session *first, *last;
	unsigned long   expect, messages, rcpts, connections, open, most;
	double          first_s, last_s;
} run;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "load_sink: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void say(struct session *s, const char *text)
{
	size_t n = strlen(text);

	if (s->out_n + n > sizeof(s->out))
		s->closing = true; /* a client that sends and never reads */
	else
		memcpy(s->out + s->out_n, text, n), s->out_n += n;
}

static void print_counts(void)
{
	printf("{\"messages\": %lu, \"recipients\": %lu, \"connections\": %lu, \"most\": %lu, \"first\": %.6f, \"last\": %.6f}\n", run.messages, run.rcpts,
	       run.connections, run.most, run.first_s, run.last_s);
	fflush(stdout);
}

/* The message is taken. */
static void taken(struct session *s)
{
	double t = now();

	say(s, "250 2.0.0 taken\r\n");
	if (s->marks > 0) {
		printf("{\"mark\": \"%s\", \"at\": %.6f, \"signed\": %s}\n", s->mark, t, s->sign ? "true" : "false");
		fflush(stdout);
	}
	if (s->rcpts > s->marks) {
		run.messages++;
		run.rcpts += s->rcpts - s->marks;
		if (run.first_s == 0)
			run.first_s = t;
		run.last_s = t;
	}
	if (run.expect > 0 && run.rcpts >= run.expect) {
		run.expect = 0;
		print_counts();
	}
	s->rcpts = s->marks = 0;
}

static void dot(struct session *s)
{
	s->data = false;
	if (run.think_s == 0) {
		taken(s);
		return;
	}
	s->due  = now() + run.think_s;
	s->next = NULL;
	*(run.first ? &run.last->next : &run.first) = s;
	run.last                                    = s;
}

static void rcpt(struct session *s, const char *line)
{
	const char *at = strchr(line, '<');

	s->rcpts++;
	if (at && strncasecmp(at + 1, "mark", 4) == 0) {
		s->marks++;
		snprintf(s->mark, sizeof(s->mark), "%.*s", (int)strcspn(at + 1, ">\"\\"), at + 1);
	}
	say(s, "250 2.1.5 ok\r\n");
}

static void command(struct session *s, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0) {
		say(s, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n");
		say(s, run.chunking ? "250-CHUNKING\r\n250 SIZE 100000000\r\n" : "250 SIZE 100000000\r\n");
	} else if (strncasecmp(line, "MAIL", 4) == 0 || strncasecmp(line, "RSET", 4) == 0) {
		s->rcpts = s->marks = 0;
		say(s, "250 2.1.0 ok\r\n");
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		rcpt(s, line);
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		s->data = s->line_start = s->rcpts > 0;
		s->sign = false;
		say(s, s->data ? "354 go on\r\n" : "554 5.5.1 no recipients\r\n");
	} else if (run.chunking && strncasecmp(line, "BDAT", 4) == 0) {
		s->chunk      = strtoul(line + 4, NULL, 10);
		s->last_chunk = strstr(line, "LAST") != NULL;
		if (s->chunk == 0 && s->last_chunk)
			dot(s);
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(s, "221 2.0.0 bye\r\n");
		s->closing = true;
	} else {
		say(s, strncasecmp(line, "HELO", 4) == 0 || strncasecmp(line, "NOOP", 4) == 0 ? "250 sink.test\r\n" : "500 5.5.1 what?\r\n");
	}
}

/* How many of the n octets at p were used up; 0: more are needed. */
static size_t consume(struct session *s, char *p, size_t n)
{
	char  *end;
	size_t used;

	if (s->chunk > 0) {
		used = n < s->chunk ? n : s->chunk;
		s->chunk -= used;
		if (s->chunk == 0 && s->last_chunk)
			dot(s);
		else if (s->chunk == 0)
			say(s, "250 2.0.0 more\r\n");
		return used;
	}
	end = memchr(p, '\n', n);
	if (!end) { /* a long line of content is passed by */
		used          = s->data && n > 1000 ? n : 0;
		s->line_start = s->line_start && used == 0;
		return used;
	}
	used = (size_t)(end - p) + 1;
	if (!s->data) {
		*end = '\0';
		command(s, p);
	} else if (s->line_start && used == 3 && memcmp(p, ".\r\n", 3) == 0) {
		dot(s);
	}
	s->sign       = s->sign || (s->data && strncasecmp(p, "DKIM-Signature:", 15) == 0);
	s->line_start = true;
	return used;
}

static void session_end(struct session *s)
{
	close(s->fd);
	run.open--;
	free(s);
}

/* All that has come, and the replies. False: it is over, and s is gone. */
static bool work(struct session *s)
{
	size_t at = 0, used;

	while (s->due == 0 && !s->closing && at < s->in_n && (used = consume(s, s->in + at, s->in_n - at)) > 0)
		at += used;
	memmove(s->in, s->in + at, s->in_n - at);
	s->in_n -= at;
	if (s->in_n == sizeof(s->in))
		s->closing = true;
	if (s->out_n > 0 && send(s->fd, s->out, s->out_n, MSG_NOSIGNAL) != (ssize_t)s->out_n)
		s->closing = true;
	s->out_n = 0;
	if (!s->closing)
		return true;
	if (s->due == 0)
		session_end(s);
	return false;
}

static void readable(struct session *s)
{
	ssize_t got;

	if (s->due != 0)
		return; /* level-triggered: it comes again; thinking times are short */
	got = recv(s->fd, s->in + s->in_n, sizeof(s->in) - s->in_n, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		session_end(s);
		return;
	}
	s->in_n += (size_t)got;
	(void)work(s);
}

static void accept_one(int listener)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct session    *s;
	int                fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		die("memory");
	s->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	e.data.ptr = s;
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll_ctl");
	run.connections++;
	run.open++;
	run.most = run.open > run.most ? run.open : run.most;
	say(s, "220 sink.test ESMTP\r\n");
	(void)work(s);
}

/* Those whose time has come; how long until the next, in ms for epoll_wait. */
static int think(void)
{
	double t = now();

	while (run.first && run.first->due <= t) {
		struct session *s = run.first;

		run.first = s->next;
		s->due    = 0;
		taken(s);
		(void)work(s);
	}
	return run.first ? 1 : -1;
}

static bool control(void)
{
	char    line[100];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n]      = '\0';
	run.expect   = strtoul(line, NULL, 10);
	run.messages = run.rcpts = run.connections = 0;
	run.most     = run.open;
	run.first_s = run.last_s = 0;
	printf("{\"counting\": %lu}\n", run.expect);
	fflush(stdout);
	return true;
}

static void listen_on(char *where)
{
	struct sockaddr_in a    = { .sin_family = AF_INET };
	char              *port = strrchr(where, ':');
	int                fd   = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (!port || run.listener_count == LISTENERS)
		die(where);
	*port             = '\0';
	a.sin_addr.s_addr = inet_addr(where);
	a.sin_port        = htons((uint16_t)atoi(port + 1));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4096) != 0)
		die(where);
	run.listeners[run.listener_count++] = fd;
}

static void watch(int fd, void *ptr)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = ptr };

	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll_ctl");
}

static void options(int argc, char **argv)
{
	static const struct option long_options[] = { { "listen", 1, NULL, 'l' }, { "think", 1, NULL, 't' }, { "chunking", 0, NULL, 'c' }, { NULL, 0, NULL, 0 } };
	int                        c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'l': listen_on(optarg); break;
		case 't': run.think_s = atof(optarg) / 1e3; break;
		case 'c': run.chunking = true; break;
		default:  exit(2);
		}
	}
	if (run.listener_count == 0) {
		fprintf(stderr, "usage: load_sink --listen ADDRESS:PORT ... [--think MS] [--chunking]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	run.epoll = epoll_create1(0);
	options(argc, argv);
	for (unsigned i = 0; i < run.listener_count; i++)
		watch(run.listeners[i], &run.listeners[i]);
	watch(STDIN_FILENO, &run);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[256];
		int                n = epoll_wait(run.epoll, events, 256, think());

		for (int i = 0; i < n; i++) {
			void *p = events[i].data.ptr;

			if (p == &run) {
				if (!control())
					return 0;
			} else if (p >= (void *)run.listeners && p < (void *)(run.listeners + LISTENERS)) {
				accept_one(*(int *)p);
			} else {
				readable(p);
			}
		}
	}
}
