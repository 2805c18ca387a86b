/* tests/bench/bench_net.c - what the connection layer costs: requests per second and CPU per request of a line echo over
 * loopback, octets per idle connection, plain and TLS.
 *
 *   bench_net [seconds per run]
 *
 * The clients run in another process (one thread over all connections, epoll), so that the server's CPU time is its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/net.h"
#include "net/net_tls.h"

#define IDLE 1000

struct client {
	int  fd;
	SSL *ssl;
};

/* ---- the server ---- */

static void *echo_open(void *ctx, struct net_conn *c)
{
	(void)ctx;
	return c;
}

static struct net_want echo_handle(void *session, const struct net_ev *ev)
{
	struct net_conn *c = session;

	if (ev->kind == NET_EV_START)
		net_write(c, STR("hello\r\n"));
	if (ev->kind == NET_EV_LINE) {
		net_write(c, ev->line);
		net_write(c, STR("\r\n"));
	}
	return (struct net_want){ .kind = ev->kind == NET_EV_DRAIN ? NET_WANT_CLOSE : NET_WANT_LINE, .n = 1000, .timeout_ms = 300000 };
}

static void echo_close(void *session)
{
	(void)session;
}

static const struct net_proto echo = { .name = "echo", .open = echo_open, .handle = echo_handle, .close = echo_close,
				       .refused = "no\r\n", .strict_eol = true };

static int listener(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t          n = sizeof(a);
	int                fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 4096) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static char *pem_text(BIO *bio)
{
	char *p, *copy;
	long  n = BIO_get_mem_data(bio, &p);

	copy = calloc(1, (size_t)n + 1);
	memcpy(copy, p, (size_t)n);
	BIO_free(bio);
	return copy;
}

static struct net_tls *self_signed(void)
{
	EVP_PKEY       *key = EVP_EC_gen("P-256");
	X509           *cert = X509_new();
	BIO            *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
	char           *cert_pem, *key_pem;
	struct net_tls *tls = NULL;
	const char     *why;

	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
	PEM_write_bio_X509(cert_bio, cert);
	PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
	cert_pem = pem_text(cert_bio);
	key_pem = pem_text(key_bio);
	CHECK(net_tls_server(str_of(cert_pem), str_of(key_pem), &tls, &why) == ST_OK);
	free(cert_pem);
	free(key_pem);
	X509_free(cert);
	EVP_PKEY_free(key);
	return tls;
}

/* ---- clients ---- */

static void client_open(struct client *c, uint16_t port, SSL_CTX *ctx)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char               text[64];
	int                one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	c->ssl = NULL;
	CHECK(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (ctx) {
		c->ssl = SSL_new(ctx);
		SSL_set_fd(c->ssl, c->fd);
		CHECK(SSL_connect(c->ssl) == 1);
	}
	CHECK((c->ssl ? SSL_read(c->ssl, text, 64) : (int)recv(c->fd, text, 64, 0)) == 7);
}

static void client_send(struct client *c, const char *p, int n)
{
	CHECK((c->ssl ? SSL_write(c->ssl, p, n) : (int)send(c->fd, p, (size_t)n, 0)) == n);
}

static double wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* `depth` requests at a time on each of `n` connections; returns how many were answered. */
static uint64_t client_run(uint16_t port, bool tls, unsigned n, unsigned depth, double seconds)
{
	static const char  line[] = "NOOP of some twenty octets\r\n";
	SSL_CTX           *ctx = tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	struct client     *c = calloc(n, sizeof(*c));
	struct epoll_event ev = { .events = EPOLLIN }, got[64];
	int                ep = epoll_create1(0);
	size_t             len = sizeof(line) - 1;
	char              *batch = malloc(len * depth), in[65536];
	uint64_t           octets = 0, asked = 0;
	double             end;

	for (unsigned i = 0; i < depth; i++)
		memcpy(batch + i * len, line, len);
	for (unsigned i = 0; i < n; i++) {
		client_open(&c[i], port, ctx);
		ev.data.ptr = &c[i];
		epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &ev);
	}
	end = wall() + seconds;
	for (unsigned i = 0; i < n; i++, asked += depth)
		client_send(&c[i], batch, (int)(len * depth));
	while (octets < asked * len) {
		int  m = epoll_wait(ep, got, 64, -1);
		bool more = wall() < end;

		for (int i = 0; i < m; i++) {
			struct client *x = got[i].data.ptr;
			size_t         had = 0;

			while (had < len * depth) { /* the whole batch of this one */
				int k = x->ssl ? SSL_read(x->ssl, in, sizeof(in)) : (int)recv(x->fd, in, sizeof(in), 0);
				CHECK(k > 0);
				had += (size_t)k;
			}
			octets += had;
			if (more) {
				client_send(x, batch, (int)(len * depth));
				asked += depth;
			}
		}
	}
	for (unsigned i = 0; i < n; i++)
		close(c[i].fd);
	close(ep);
	return octets / len;
}

static void bench(uint16_t port, bool tls, unsigned n, unsigned depth, double seconds)
{
	struct rusage before, after;
	uint64_t      done = 0;
	double        cpu_s, wall_s;
	int           fds[2];
	pid_t         pid;

	CHECK(pipe(fds) == 0);
	getrusage(RUSAGE_SELF, &before);
	cpu_s = cpu();
	wall_s = wall();
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		done = client_run(port, tls, n, depth, seconds);
		CHECK(write(fds[1], &done, sizeof(done)) == sizeof(done));
		_exit(0);
	}
	CHECK(read(fds[0], &done, sizeof(done)) == sizeof(done));
	waitpid(pid, NULL, 0);
	cpu_s = cpu() - cpu_s;
	wall_s = wall() - wall_s;
	getrusage(RUSAGE_SELF, &after);
	close(fds[0]);
	close(fds[1]);
	printf("%-5s connections %3u depth %2u: %8.0f requests/s  %5.2f us CPU each  %.2f switches each\n", tls ? "TLS" : "plain", n,
	       depth, (double)done / wall_s, cpu_s / (double)done * 1e6,
	       (double)(after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw) / (double)done);
	fflush(stdout);
}

static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static size_t resident(void)
{
	FILE  *f = fopen("/proc/self/statm", "r");
	size_t total = 0, pages = 0;

	CHECK(f && fscanf(f, "%zu %zu", &total, &pages) == 2);
	fclose(f);
	return pages * 4096;
}

/* The clients are in another process; each has said one line and is idle. */
static void idle(struct net *net, uint16_t port, bool tls)
{
	size_t           heap_0 = heap(), rss_0 = resident();
	struct net_stats stats;
	int              to[2], from[2];
	char             c;
	pid_t            pid;

	CHECK(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		SSL_CTX       *ctx = tls ? SSL_CTX_new(TLS_client_method()) : NULL;
		struct client *all = calloc(IDLE, sizeof(*all));
		char           text[64];

		for (int i = 0; i < IDLE; i++) {
			client_open(&all[i], port, ctx);
			client_send(&all[i], "x\r\n", 3);
			CHECK((tls ? SSL_read(all[i].ssl, text, 64) : (int)recv(all[i].fd, text, 64, 0)) == 3);
		}
		CHECK(write(from[1], "r", 1) == 1 && read(to[0], &c, 1) == 1);
		_exit(0);
	}
	CHECK(read(from[0], &c, 1) == 1);
	usleep(100000);
	net_stats(net, &stats);
	printf("%-5s idle: %zu octets of heap, %zu resident, each of %u (%u threads)\n", tls ? "TLS" : "plain",
	       (heap() - heap_0) / IDLE, (resident() - rss_0) / IDLE, stats.connections, stats.threads);
	CHECK(write(to[1], "r", 1) == 1);
	waitpid(pid, NULL, 0);
	do
		net_stats(net, &stats);
	while (stats.connections > 0 && usleep(1000) == 0);
}

int main(int argc, char **argv)
{
	static const struct net_limits limits = { .threads = 100, .exempt_loopback = true };
	static const unsigned          counts[] = { 1, 20, 100 };
	double                         seconds = argc > 1 ? atof(argv[1]) : 1;
	struct rlimit                  files = { 4096, 4096 };
	struct net                    *net;
	struct net_tls                *tls;
	uint16_t                       port[2];

	setrlimit(RLIMIT_NOFILE, &files);
	mallopt(M_ARENA_MAX, 1); /* so that mallinfo2 sees all */
	net_tls_preload();
	tls = self_signed();
	net = net_new(&limits);
	CHECK(net);
	net_listen(net, listener(&port[0]), &echo, NULL, NULL, false);
	net_listen(net, listener(&port[1]), &echo, NULL, tls, true);
	net_tls_free(&tls);
	net_run(net);
	for (int t = 0; t < 2; t++) {
		idle(net, port[t], t);
		for (size_t i = 0; i < LEN(counts); i++) {
			bench(port[t], t, counts[i], 1, seconds);
			bench(port[t], t, counts[i], 20, seconds);
		}
	}
	net_drain(net, 0);
	net_free(&net);
	return 0;
}
