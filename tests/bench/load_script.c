/* load_script - one or more IMAP or POP3 clients that run a script of commands, one thread each; says how long each line took.
 *
 *   load_script --port P --user U --password W --script FILE [--connections N] [--repeat R] [--max M] [--accounts A --from F] [--tls] [--pop3]
 *
 * FILE has a command per line, without tag; a line "name = command" gives it a name by which times are added up. In a command
 *   %r          a number from 1 to M, another each time
 *   %c          a number from 1 to M, ascending: 1, 2, ...
 *   <path>      at the end: a literal with the octets of that file (LITERAL+)
 * LOGIN, or USER and PASS, come from the program, before the script; a connection that the script closes (LOGOUT, QUIT) is made anew for the
 * next round. Connection i of N signs in as U with "%" in it replaced by F + i modulo A; the next time i + N.
 *
 * Prints JSON: {"seconds": of all, "lines": {name: {"n", "seconds", "octets", "p50_ms", "p99_ms"}}}. A line that is refused ends the program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX   4096
#define BUFFER      (256 * 1024)
#define COMMAND_MAX (64 * 1024)

struct line {
	char  *name, *text, *literal;
	size_t literal_n;
};

struct sample {
	unsigned line;
	double   seconds;
};

struct client {
	unsigned       number; /* goes on by `connections` with each sign-in */
	int            fd;
	SSL           *ssl;
	unsigned       tag;
	uint64_t       random, ascending;
	char          *in;
	size_t         in_n; /* octets of `in` that were read and belong to no answer yet */
	struct sample *samples;
	size_t         sample_count, sample_cap;
	uint64_t       octets[LINES_MAX];
};

static struct {
	unsigned    port, connections, repeat, accounts, from, max;
	bool        tls, pop3;
	const char *user, *password;
	struct line lines[LINES_MAX];
	unsigned    line_count;
	SSL_CTX    *context;
} run = { .connections = 1, .repeat = 1, .accounts = 1, .max = 1 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "load_script: %s: %s\n", what, detail);
	_exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("memory", strerror(errno));
	return p;
}

/* ---- the script ---- */

static void literal_read(struct line *l)
{
	char  *open = strrchr(l->text, '<'), *path;
	size_t n = strlen(l->text);
	FILE  *f;

	if (!open || n == 0 || l->text[n - 1] != '>' || open[1] != '/')
		return;
	path = must(strndup(open + 1, n - (size_t)(open - l->text) - 2));
	*open = '\0';
	f = fopen(path, "rb");
	if (!f)
		die(path, strerror(errno));
	fseek(f, 0, SEEK_END);
	l->literal_n = (size_t)ftell(f);
	rewind(f);
	l->literal = must(malloc(l->literal_n + 1));
	if (fread(l->literal, 1, l->literal_n, f) != l->literal_n)
		die(path, "short");
	fclose(f);
	free(path);
}

static void script_read(const char *path)
{
	FILE  *f = fopen(path, "r");
	char  *text = NULL, *sep;
	size_t cap = 0;
	ssize_t n;

	if (!f)
		die(path, strerror(errno));
	while ((n = getline(&text, &cap, f)) > 0 && run.line_count < LINES_MAX) {
		struct line *l = &run.lines[run.line_count++];

		text[strcspn(text, "\r\n")] = '\0';
		sep = strstr(text, " = ");
		l->name = must(sep ? strndup(text, (size_t)(sep - text)) : strdup(text));
		l->text = must(strdup(sep ? sep + 3 : text));
		literal_read(l);
	}
	free(text);
	fclose(f);
}

/* ---- a connection ---- */

static void put(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = c->ssl ? SSL_write(c->ssl, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);

		if (done <= 0)
			die("write", strerror(errno));
		p += done;
		n -= (size_t)done;
	}
}

static size_t get(struct client *c)
{
	ssize_t n = c->ssl ? SSL_read(c->ssl, c->in + c->in_n, (int)(BUFFER - c->in_n)) : recv(c->fd, c->in + c->in_n, BUFFER - c->in_n, 0);

	if (n <= 0)
		die("the connection ended", "");
	c->in_n += (size_t)n;
	return (size_t)n;
}

/* Read until an answer ends: a line that starts with `tag` (IMAP), or, `many`, a line with a dot. What is in front of the last line is thrown away. */
static uint64_t answer(struct client *c, const char *tag, bool many)
{
	size_t   tag_n = strlen(tag);
	uint64_t octets = 0;

	c->in_n = 0;
	for (;;) {
		size_t n = get(c), at;

		octets += n;
		if (c->in[c->in_n - 1] == '\n') {
			for (at = c->in_n - 1; at > 0 && c->in[at - 1] != '\n'; at--)
				;
			if (c->in_n - at > tag_n && memcmp(c->in + at, tag, tag_n) == 0)
				break;
			if (many && c->in[0] == '-' && octets < 600)
				die("refused", c->in);
		}
		/* Keep the unfinished line. */
		if (c->in_n > BUFFER / 2) {
			memmove(c->in, c->in + c->in_n - 4096, 4096);
			c->in_n = 4096;
		}
	}
	return octets;
}

static void check(struct client *c, const char *tag, const char *ok, const char *command)
{
	char  *at = c->in_n > 0 ? c->in + c->in_n - 1 : c->in;
	size_t tag_n = strlen(tag);

	while (at > c->in && at[-1] != '\n')
		at--;
	if (strncmp(at + tag_n, ok, strlen(ok)) != 0) {
		c->in[c->in_n - 1] = '\0';
		fprintf(stderr, "load_script: %s: ", command);
		die("refused", at);
	}
}

static void expand(struct client *c, const char *text, char *out, size_t n)
{
	size_t k = 0;

	for (; *text && k + 24 < n; text++) {
		if (text[0] == '%' && text[1] == 'r') {
			c->random = c->random * 6364136223846793005u + 1442695040888963407u;
			k += (size_t)sprintf(out + k, "%u", (unsigned)(c->random >> 33) % run.max + 1);
			text++;
		} else if (text[0] == '%' && text[1] == 'c') {
			k += (size_t)sprintf(out + k, "%u", (unsigned)(c->ascending++ % run.max) + 1);
			text++;
		} else {
			out[k++] = *text;
		}
	}
	out[k] = '\0';
}

static bool has_many_lines(const char *command)
{
	return strncasecmp(command, "RETR", 4) == 0 || strncasecmp(command, "TOP", 3) == 0 || strcasecmp(command, "LIST") == 0 ||
	       strcasecmp(command, "UIDL") == 0 || strcasecmp(command, "CAPA") == 0;
}

static uint64_t command(struct client *c, const struct line *l)
{
	char     text[COMMAND_MAX], head[COMMAND_MAX + 100], tag[32];
	uint64_t octets;

	expand(c, l->text, text, sizeof(text));
	if (run.pop3) {
		bool many = has_many_lines(text);

		snprintf(head, sizeof(head), "%s\r\n", text);
		put(c, head, strlen(head));
		octets = answer(c, many ? "." : "+OK", many);
		return octets;
	}
	snprintf(tag, sizeof(tag), "t%u ", ++c->tag);
	if (l->literal)
		snprintf(head, sizeof(head), "%s%s{%zu+}\r\n", tag, text, l->literal_n);
	else
		snprintf(head, sizeof(head), "%s%s\r\n", tag, text);
	put(c, head, strlen(head));
	if (l->literal) {
		put(c, l->literal, l->literal_n);
		put(c, "\r\n", 2);
	}
	octets = answer(c, tag, false);
	check(c, tag, "OK", text);
	return octets;
}

static void sign_in(struct client *c)
{
	char        user[300], text[700];
	const char *mark = strchr(run.user, '%');
	struct line l = { .text = text };

	if (mark)
		snprintf(user, sizeof(user), "%.*s%u%s", (int)(mark - run.user), run.user, c->number % run.accounts + run.from, mark + 1);
	else
		snprintf(user, sizeof(user), "%s", run.user);
	if (run.pop3) {
		snprintf(text, sizeof(text), "USER %s", user);
		command(c, &l);
		snprintf(text, sizeof(text), "PASS %s", run.password);
	} else {
		snprintf(text, sizeof(text), "LOGIN %s %s", user, run.password);
	}
	command(c, &l);
	c->number += run.connections;
}

static void connect_to(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)run.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int          on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect", strerror(errno));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (run.tls) {
		c->ssl = SSL_new(run.context);
		SSL_set_fd(c->ssl, c->fd);
		if (SSL_connect(c->ssl) != 1)
			die("tls", "no handshake");
	}
	answer(c, run.pop3 ? "+OK" : "* OK", false);
	sign_in(c);
}

static void disconnect(struct client *c)
{
	if (c->ssl)
		SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static bool closes(const struct line *l)
{
	return strcasecmp(l->text, "LOGOUT") == 0 || strcasecmp(l->text, "QUIT") == 0;
}

static void *client(void *arg)
{
	struct client *c = arg;

	for (unsigned i = 0; i < run.repeat; i++) {
		for (unsigned k = 0; k < run.line_count; k++) {
			double began = now();

			if (c->fd < 0)
				connect_to(c);
			c->octets[k] += command(c, &run.lines[k]);
			if (closes(&run.lines[k]))
				disconnect(c);
			if (c->sample_count == c->sample_cap) {
				c->sample_cap = c->sample_cap ? c->sample_cap * 2 : 1024;
				c->samples = must(realloc(c->samples, c->sample_cap * sizeof(*c->samples)));
			}
			c->samples[c->sample_count++] = (struct sample){ k, now() - began };
		}
	}
	disconnect(c);
	return NULL;
}

/* ---- the result ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void name_print(const struct client *clients, unsigned first)
{
	const char *name = run.lines[first].name;
	double     *values = NULL, sum = 0;
	size_t      n = 0, cap = 0;
	uint64_t    octets = 0;

	for (unsigned i = 0; i < run.connections; i++) {
		for (unsigned k = 0; k < run.line_count; k++)
			octets += strcmp(run.lines[k].name, name) == 0 ? clients[i].octets[k] : 0;
		for (size_t j = 0; j < clients[i].sample_count; j++) {
			if (strcmp(run.lines[clients[i].samples[j].line].name, name) != 0)
				continue;
			if (n == cap)
				values = must(realloc(values, (cap = cap ? cap * 2 : 1024) * sizeof(*values)));
			sum += values[n++] = clients[i].samples[j].seconds;
		}
	}
	qsort(values, n, sizeof(*values), by_value);
	printf("%s\"", first ? ", " : "");
	for (; *name; name++)
		printf(*name == '"' || *name == '\\' ? "\\%c" : "%c", *name);
	printf("\": {\"n\": %zu, \"seconds\": %.6f, \"octets\": %llu, \"p50_ms\": %.4f, \"p99_ms\": %.4f}", n, sum, (unsigned long long)octets,
	       values[n / 2] * 1e3, values[n * 99 / 100] * 1e3);
	free(values);
}

static void options_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },     { "user", required_argument, NULL, 'u' },   { "password", required_argument, NULL, 'w' },
		{ "script", required_argument, NULL, 's' },   { "connections", required_argument, NULL, 'c' }, { "repeat", required_argument, NULL, 'r' },
		{ "accounts", required_argument, NULL, 'a' }, { "max", required_argument, NULL, 'm' },    { "tls", no_argument, NULL, 't' },
		{ "pop3", no_argument, NULL, '3' },           { "from", required_argument, NULL, 'f' },        { 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'p': run.port = (unsigned)atoi(optarg); break;
		case 'u': run.user = optarg; break;
		case 'w': run.password = optarg; break;
		case 's': script_read(optarg); break;
		case 'c': run.connections = (unsigned)atoi(optarg); break;
		case 'r': run.repeat = (unsigned)atoi(optarg); break;
		case 'a': run.accounts = (unsigned)atoi(optarg); break;
		case 'm': run.max = (unsigned)atoi(optarg); break;
		case 't': run.tls = true; break;
		case 'f': run.from = (unsigned)atoi(optarg); break;
		case '3': run.pop3 = true; break;
		default: die("usage", "see the head of load_script.c");
		}
	}
	if (!run.port || !run.user || !run.password || !run.line_count || !run.connections || !run.max || !run.accounts)
		die("usage", "see the head of load_script.c");
}

int main(int argc, char **argv)
{
	struct client *clients;
	pthread_t     *threads;
	double         began, seconds;

	options_read(argc, argv);
	run.context = SSL_CTX_new(TLS_client_method());
	clients = must(calloc(run.connections, sizeof(*clients)));
	threads = must(calloc(run.connections, sizeof(*threads)));
	for (unsigned i = 0; i < run.connections; i++) {
		clients[i] = (struct client){ .number = i, .fd = -1, .random = i + 1, .in = must(malloc(BUFFER)) };
		if (!closes(&run.lines[run.line_count - 1]))
			connect_to(&clients[i]);
	}
	began = now();
	for (unsigned i = 0; i < run.connections; i++)
		if (pthread_create(&threads[i], NULL, client, &clients[i]) != 0)
			die("thread", strerror(errno));
	for (unsigned i = 0; i < run.connections; i++)
		pthread_join(threads[i], NULL);
	seconds = now() - began;
	printf("{\"seconds\": %.6f, \"lines\": {", seconds);
	for (unsigned k = 0; k < run.line_count; k++) {
		bool before = false;

		for (unsigned j = 0; j < k && !before; j++)
			before = strcmp(run.lines[j].name, run.lines[k].name) == 0;
		if (!before)
			name_print(clients, k);
	}
	printf("}}\n");
	return 0;
}
