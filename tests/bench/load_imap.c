/* load_imap - hold many IMAP connections over TLS; one thread, epoll.
 *
 *   load_imap --port P --connections N --accounts FILE [--mode select|idle|status] [--expect M] [--parallel C]
 *
 * FILE has a line "user password" per account; they are used in turn. At most C connections are being opened at once.
 *   select  LOGIN, SELECT INBOX, then nothing
 *   idle    the same, then IDLE
 *   status  LOGIN, STATUS INBOX (MESSAGES), LOGOUT
 * When all are there it prints {"ready": N, "seconds": s}, and goes on until stdin ends. With --expect, in idle mode, it
 * ends when the mailboxes have grown by M messages in all, as told by EXISTS, and prints {"grown": M, "at": monotonic seconds}. In
 * status mode it prints {"messages": sum over all}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { MODE_SELECT, MODE_IDLE, MODE_STATUS };
enum state { HANDSHAKE, GREETING, LOGIN, SELECT, IDLE, READY, GONE };

struct conn {
	enum state    state;
	int           fd;
	SSL          *ssl;
	char         *in; /* an unfinished line; NULL when there is none */
	unsigned      in_n;
	unsigned      account;
	unsigned long exists;
};

static struct {
	unsigned           port, connections, parallel;
	unsigned long      expect, grown, messages;
	enum mode          mode;
	char             **users, **passwords;
	unsigned           account_count;
	struct conn       *conns;
	unsigned           opened, ready;
	int                epoll;
	SSL_CTX           *tls;
	double             began;
	bool               told;
	struct sockaddr_in to;
} run = { .connections = 1, .parallel = 64 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "load_imap: %s: %s\n", what, detail);
	exit(1);
}

static void read_accounts(const char *path)
{
	FILE *f = fopen(path, "r");
	char  line[1000], user[500], password[500];

	if (!f)
		die(path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%499s %499s", user, password) != 2)
			continue;
		run.users     = realloc(run.users, (run.account_count + 1) * sizeof(char *));
		run.passwords = realloc(run.passwords, (run.account_count + 1) * sizeof(char *));
		run.users[run.account_count]       = strdup(user);
		run.passwords[run.account_count++] = strdup(password);
	}
	fclose(f);
	if (run.account_count == 0)
		die(path, "no accounts");
}

static void conn_open(struct conn *c, unsigned account)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };

	*c    = (struct conn){ .account = account, .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	if (c->fd < 0)
		die("socket", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&run.to, sizeof(run.to)) != 0 && errno != EINPROGRESS)
		die("connect", strerror(errno));
	c->ssl = SSL_new(run.tls);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll_ctl", strerror(errno));
	run.opened++;
}

static void open_more(void)
{
	while (run.opened < run.connections && run.opened - run.ready < run.parallel)
		conn_open(&run.conns[run.opened], run.opened % run.account_count);
}

__attribute__((format(printf, 2, 3))) static void say(struct conn *c, const char *fmt, ...)
{
	char    line[1200];
	va_list args;
	int     n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	/* A command is far smaller than the socket's buffer. */
	if (SSL_write(c->ssl, line, n) != n)
		die("write", "does not go out");
}

static void conn_ready(struct conn *c)
{
	c->state = READY;
	run.ready++;
	open_more();
}

static void untagged(struct conn *c, const char *line)
{
	unsigned long n;
	const char   *p;

	if (sscanf(line, "* %lu EXISTS", &n) == 1 && strstr(line, "EXISTS")) {
		if (c->state >= IDLE && n > c->exists)
			run.grown += n - c->exists;
		c->exists = n;
	} else if (c->state == SELECT && run.mode == MODE_STATUS && (p = strstr(line, "MESSAGES "))) {
		run.messages += strtoul(p + 9, NULL, 10);
	} else if (strncmp(line, "* BYE", 5) == 0 && c->state != READY) {
		die("server says", line);
	}
}

static void conn_line(struct conn *c, const char *line)
{
	if (c->state == GREETING && strncmp(line, "* OK", 4) == 0) {
		c->state = LOGIN;
		say(c, "a LOGIN \"%s\" \"%s\"\r\n", run.users[c->account], run.passwords[c->account]);
	} else if (line[0] == '*') {
		untagged(c, line);
	} else if (line[0] == '+' && c->state == IDLE) {
		conn_ready(c);
	} else if (strncmp(line, "a OK", 4) == 0 && c->state == LOGIN) {
		c->state = SELECT;
		say(c, "b %s\r\n", run.mode == MODE_STATUS ? "STATUS INBOX (MESSAGES)" : "SELECT INBOX");
	} else if (strncmp(line, "b OK", 4) == 0 && c->state == SELECT) {
		if (run.mode == MODE_IDLE) {
			c->state = IDLE;
			say(c, "c IDLE\r\n");
			return;
		}
		if (run.mode == MODE_STATUS)
			say(c, "c LOGOUT\r\n");
		conn_ready(c);
	} else if (c->state != READY) {
		die("unexpected", line);
	}
}

static void conn_close(struct conn *c)
{
	if (c->state != READY || run.mode != MODE_STATUS)
		die("connection lost", run.users[c->account]);
	SSL_free(c->ssl);
	close(c->fd);
	c->state = GONE;
}

static void conn_input(struct conn *c, const char *p, size_t n)
{
	c->in = realloc(c->in, c->in_n + n + 1);
	memcpy(c->in + c->in_n, p, n);
	c->in_n += (unsigned)n;
	c->in[c->in_n] = '\0';
	for (char *end; (end = memchr(c->in, '\n', c->in_n));) {
		size_t used = (size_t)(end - c->in) + 1;

		*end = '\0';
		conn_line(c, c->in);
		memmove(c->in, c->in + used, c->in_n - used + 1);
		c->in_n -= (unsigned)used;
	}
	if (c->in_n == 0) {
		free(c->in);
		c->in = NULL;
	}
}

static void conn_event(struct conn *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	char               text[8192];
	int                got;

	if (c->state == HANDSHAKE) {
		got = SSL_do_handshake(c->ssl);
		if (got != 1 && SSL_get_error(c->ssl, got) != SSL_ERROR_WANT_READ && SSL_get_error(c->ssl, got) != SSL_ERROR_WANT_WRITE)
			die("handshake", ERR_error_string(ERR_get_error(), NULL));
		if (got == 1)
			c->state = GREETING;
		/* From the first answer on the socket takes what we write. */
		epoll_ctl(run.epoll, EPOLL_CTL_MOD, c->fd, &e);
	}
	while (c->state != HANDSHAKE && c->state != GONE) {
		got = SSL_read(c->ssl, text, sizeof(text));
		if (got > 0)
			conn_input(c, text, (size_t)got);
		else if (SSL_get_error(c->ssl, got) == SSL_ERROR_WANT_READ)
			return;
		else
			conn_close(c);
	}
}

/* True when there is nothing more to do. */
static bool tell(void)
{
	if (!run.told && run.ready == run.connections) {
		run.told = true;
		if (run.mode == MODE_STATUS)
			printf("{\"messages\": %lu}\n", run.messages);
		else
			printf("{\"ready\": %u, \"seconds\": %.3f}\n", run.ready, now() - run.began);
		fflush(stdout);
		if (run.mode == MODE_STATUS)
			return true;
	}
	if (run.expect > 0 && run.grown >= run.expect) {
		printf("{\"grown\": %lu, \"at\": %.6f}\n", run.grown, now());
		return true;
	}
	return false;
}

static void options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "port", 1, NULL, 'p' }, { "connections", 1, NULL, 'n' }, { "accounts", 1, NULL, 'a' }, { "mode", 1, NULL, 'm' },
		{ "expect", 1, NULL, 'e' }, { "parallel", 1, NULL, 'c' },  { NULL, 0, NULL, 0 },
	};
	static const char *const modes[] = { "select", "idle", "status" };
	int                      c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'p': run.port = (unsigned)atoi(optarg); break;
		case 'n': run.connections = (unsigned)atoi(optarg); break;
		case 'a': read_accounts(optarg); break;
		case 'e': run.expect = strtoul(optarg, NULL, 10); break;
		case 'c': run.parallel = (unsigned)atoi(optarg); break;
		case 'm':
			for (unsigned i = 0; i < 3; i++)
				if (strcmp(optarg, modes[i]) == 0)
					run.mode = (enum mode)i;
			break;
		default: exit(2);
		}
	}
	if (run.port == 0 || run.account_count == 0 || run.connections == 0) {
		fprintf(stderr, "usage: load_imap --port P --accounts FILE [--connections N] [--mode select|idle|status]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event in = { .events = EPOLLIN, .data.ptr = NULL };

	options(argc, argv);
	run.to          = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)run.port) };
	run.to.sin_addr = (struct in_addr){ htonl(INADDR_LOOPBACK) };
	run.tls         = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(run.tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
	run.conns = calloc(run.connections, sizeof(*run.conns));
	run.epoll = epoll_create1(0);
	run.began = now();
	(void)epoll_ctl(run.epoll, EPOLL_CTL_ADD, 0, &in); /* fails on a file: then only a signal ends it */
	open_more();
	while (!tell()) {
		struct epoll_event events[64];
		int                n = epoll_wait(run.epoll, events, 64, 120000);

		if (n == 0 && !run.told)
			die("nothing happened for two minutes", "");
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				conn_event(events[i].data.ptr);
			else if (read(0, (char[64]){ 0 }, 64) <= 0)
				return 0;
		}
	}
	return 0;
}
