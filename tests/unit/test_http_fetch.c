/* http/http_fetch.h against a real HTTPS server, which behaves and misbehaves as told. */
#include "unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_fetch.h"
#include "sys/clock.h"

#define HOST "mta-sts.d.test"

/* ---- certificates ---- */

static EVP_PKEY  *ca_key, *other_key;
static X509      *ca, *other_ca;
static struct str ca_pem;

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

static X509 *certificate(EVP_PKEY *key, const char *name, long from_s, long to_s, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509       *cert = X509_new();
	char        san[300];

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	snprintf(san, sizeof(san), "DNS:%s", name);
	extend(cert, issuer ? NID_subject_alt_name : NID_basic_constraints, issuer ? san : "critical,CA:TRUE");
	X509_sign(cert, issuer_key, EVP_sha256());
	return cert;
}

static int setup(void **state)
{
	BIO  *b = BIO_new(BIO_s_mem());
	char *p;
	long  n;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	http_init();
	ca_key = EVP_EC_gen("P-256");
	other_key = EVP_EC_gen("P-256");
	ca = certificate(ca_key, "Test CA", -3600, 86400, NULL, ca_key);
	other_ca = certificate(other_key, "Other CA", -3600, 86400, NULL, other_key);
	PEM_write_bio_X509(b, ca);
	n = BIO_get_mem_data(b, &p);
	ca_pem = unit_exact(str_n(p, (size_t)n));
	BIO_free(b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	X509_free(ca);
	X509_free(other_ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
	unit_exact_free(ca_pem);
	return 0;
}

/* ---- the server ---- */

struct server {
	const char *answer;    /* sent behind the request's end; NULL: nothing at all */
	size_t      pad;       /* octets more */
	unsigned    drip_ms;   /* between two octets */
	const char *name;      /* in the certificate */
	bool        expired, untrusted, tls11, plain, mute;
	int         fd;
	unsigned    port;
	atomic_uint accepted;
	atomic_bool stop;
	char        request[8192]; /* of the last one */
	SSL_CTX    *ctx;
	pthread_t   thread;
};

static SSL_CTX *context(const struct server *s)
{
	SSL_CTX  *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509     *cert = certificate(key, s->name ? s->name : HOST, -3600, s->expired ? -60 : 3600, s->untrusted ? other_ca : ca,
				     s->untrusted ? other_key : ca_key);

	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	if (s->tls11) {
		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static void wait_gone(struct server *s, int fd)
{
	char c;

	while (!s->stop && recv(fd, &c, 1, MSG_DONTWAIT) != 0)
		usleep(5000);
}

static bool request_read(struct server *s, SSL *ssl)
{
	size_t n = 0;
	char  *end;

	for (;;) {
		int         got = SSL_read(ssl, s->request + n, (int)(sizeof(s->request) - 1 - n));
		const char *length;

		if (got <= 0)
			return false;
		n += (size_t)got;
		s->request[n] = '\0';
		end = strstr(s->request, "\r\n\r\n");
		length = strstr(s->request, "Content-Length: ");
		if (end && strlen(end + 4) >= (length ? strtoul(length + 16, NULL, 10) : 0))
			return true;
	}
}

static void serve_one(struct server *s, int fd)
{
	SSL        *ssl = SSL_new(s->ctx);
	const char *at = s->answer;

	SSL_set_fd(ssl, fd);
	if (s->mute) {
		wait_gone(s, fd);
	} else if (s->plain) {
		(void)!write(fd, "HTTP/1.1 200 OK\r\n\r\n", 19);
	} else if (SSL_accept(ssl) == 1 && request_read(s, ssl) && at) {
		for (; s->drip_ms > 0 && *at && !s->stop && SSL_write(ssl, at, 1) == 1; at++)
			usleep(s->drip_ms * 1000);
		if (*at)
			(void)SSL_write(ssl, at, (int)strlen(at));
		for (size_t i = 0; i < s->pad && SSL_write(ssl, "aaaaaaaaaaaaaaaa", 16) == 16; i += 16)
			continue;
		SSL_shutdown(ssl);
	} else if (!at) {
		wait_gone(s, fd);
	}
	SSL_free(ssl);
	close(fd);
}

static void *server_thread(void *arg)
{
	struct server *s = arg;

	while (!s->stop) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		int           fd = poll(&p, 1, 20) > 0 ? accept(s->fd, NULL, NULL) : -1;

		if (fd >= 0) {
			s->accepted++;
			serve_one(s, fd);
		}
	}
	return NULL;
}

static void server_start(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t          n = sizeof(a);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
	s->ctx = context(s);
	assert_int_equal(pthread_create(&s->thread, NULL, server_thread, s), 0);
}

static void server_stop(struct server *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
	close(s->fd);
	SSL_CTX_free(s->ctx);
}

/* ---- cases ---- */

#define TIMES_4(x)  x x x x
#define TIMES_64(x) TIMES_4(TIMES_4(TIMES_4(x)))
#define LONG_16K    TIMES_64(TIMES_64("aaaa"))
#define FIELDS_16K  TIMES_64(TIMES_64("x:\r\n"))

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"

static const struct str loopback[] = { STR("127.0.0.1") };

static struct http_request request(const struct server *s)
{
	return (struct http_request){
		.host = STR(HOST), .port = s->port, .path = STR("/.well-known/mta-sts.txt"), .addresses = loopback, .address_count = 1,
		.authorities = ca_pem, .max_octets = 1000, .total_ms = 5000,
	};
}

static size_t open_descriptors(void)
{
	DIR   *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct {
	const char      *name;
	struct server    server;
	unsigned         total_ms, connect_ms;
	enum http_result result;
	unsigned         status;
	const char      *body;
} cases[] = {
	{ "good", { .answer = OK_ANSWER }, 5000, 0, HTTP_OK, 200, "hello" },
	{ "chunked", { .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" }, 5000, 0, HTTP_OK, 200, "hello" },
	{ "empty", { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }, 5000, 0, HTTP_OK, 200, "" },
	{ "until the end", { .answer = "HTTP/1.0 200 OK\r\n\r\nhello" }, 5000, 0, HTTP_OK, 200, "hello" },
	{ "not decoded", { .answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello" }, 5000, 0, HTTP_OK, 200, "hello" },
	{ "404", { .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone" }, 5000, 0, HTTP_OK, 404, "gone" },
	{ "redirect", { .answer = "HTTP/1.1 301 Moved\r\nLocation: https://" HOST "/other\r\nContent-Length: 0\r\n\r\n" }, 5000, 0, HTTP_OK, 301, "" },
	{ "to http", { .answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n" }, 5000, 0, HTTP_OK, 302, "" },
	{ "wrong name", { .answer = OK_ANSWER, .name = "other.test" }, 5000, 0, HTTP_CERTIFICATE, 0, "" },
	{ "parent's name", { .answer = OK_ANSWER, .name = "d.test" }, 5000, 0, HTTP_CERTIFICATE, 0, "" },
	{ "wildcard", { .answer = OK_ANSWER, .name = "*.d.test" }, 5000, 0, HTTP_OK, 200, "hello" },
	{ "expired", { .answer = OK_ANSWER, .expired = true }, 5000, 0, HTTP_CERTIFICATE, 0, "" },
	{ "untrusted", { .answer = OK_ANSWER, .untrusted = true }, 5000, 0, HTTP_CERTIFICATE, 0, "" },
	{ "tls 1.1", { .answer = OK_ANSWER, .tls11 = true }, 5000, 0, HTTP_TLS, 0, "" },
	{ "no tls", { .plain = true }, 5000, 0, HTTP_TLS, 0, "" },
	{ "mute before tls", { .mute = true }, 5000, 300, HTTP_TIMEOUT, 0, "" },
	{ "mute after the request", { .answer = NULL }, 300, 0, HTTP_TIMEOUT, 0, "" },
	{ "slow drip", { .answer = OK_ANSWER, .drip_ms = 50 }, 600, 0, HTTP_TIMEOUT, 0, NULL },
	{ "large by length", { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", .pad = 1001 }, 5000, 0, HTTP_LARGE, 200, NULL },
	{ "large without", { .answer = "HTTP/1.1 200 OK\r\n\r\n", .pad = 100000 }, 5000, 0, HTTP_LARGE, 200, NULL },
	{ "just not large", { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", .pad = 1000 }, 5000, 0, HTTP_OK, 200, NULL },
	{ "endless header", { .answer = "HTTP/1.1 200 OK\r\nX: ", .pad = 1000000 }, 5000, 0, HTTP_LARGE, 200, NULL },
	{ "long header", { .answer = "HTTP/1.1 200 OK\r\nX: " LONG_16K LONG_16K LONG_16K "\r\n\r\n" }, 5000, 0, HTTP_LARGE, 200, NULL },
	{ "many fields", { .answer = "HTTP/1.1 200 OK\r\n" FIELDS_16K FIELDS_16K FIELDS_16K "\r\n" }, 5000, 0, HTTP_LARGE, 200, NULL },
	{ "no http", { .answer = "220 mx.test ESMTP\r\n" }, 5000, 0, HTTP_BROKEN, 0, NULL },
	{ "ends early", { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello" }, 5000, 0, HTTP_BROKEN, 200, NULL },
	{ "bad chunk", { .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello" }, 5000, 0, HTTP_BROKEN, 200, NULL },
	{ "huge length", { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n" }, 5000, 0, HTTP_LARGE, 200, NULL },
};

static void test_cases(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct server      *s = &cases[i].server;
		struct arena       *a = arena_new(NULL);
		struct http_request q;
		struct http_reply   reply;
		enum http_result    r;
		size_t              before;

		server_start(s);
		q = request(s);
		q.total_ms = cases[i].total_ms;
		q.connect_ms = cases[i].connect_ms;
		before = open_descriptors();
		r = http_fetch(&q, a, &reply);
		assert_true(open_descriptors() <= before + 1); /* the server's end may be open still */
		/* One connection: no redirect was followed, nothing was tried again. */
		if (r != cases[i].result || reply.status != cases[i].status || (reply.why.n == 0) != (r == HTTP_OK) || s->accepted != 1 ||
		    (cases[i].body && !str_eq(reply.body, str_of(cases[i].body)))) {
			print_error("%s: %s, status %u, %u connections, \"%.*s\", body \"%.*s\"\n", cases[i].name, http_result_name(r), reply.status,
				    s->accepted, STR_FMT(reply.why), STR_FMT(str_first(reply.body, 80)));
			wrong++;
		}
		server_stop(s);
		arena_free(&a);
	}
	assert_int_equal(wrong, 0);
}

static void test_what_is_sent(void **state)
{
	const struct str    headers[] = { STR("Authorization: Basic eDp5") };
	struct server       s = { .answer = OK_ANSWER };
	struct arena       *a = arena_new(NULL);
	struct http_request q;
	struct http_reply   reply;
	char                host[64];

	(void)state;
	server_start(&s);
	q = request(&s);
	assert_int_equal(http_fetch(&q, a, &reply), HTTP_OK);
	assert_str(reply.content_type, STR("text/plain; charset=utf-8"));
	assert_true(http_type_is(reply.content_type, STR("text/plain")));
	assert_ptr_equal(strstr(s.request, "GET /.well-known/mta-sts.txt HTTP/1.1\r\n"), s.request);
	snprintf(host, sizeof(host), "\r\nHost: " HOST ":%u\r\n", s.port);
	assert_non_null(strstr(s.request, host));
	assert_non_null(strstr(s.request, "\r\nUser-Agent: Postrider/"));
	assert_null(strstr(s.request, "Cookie"));
	assert_null(strstr(s.request, "Accept-Encoding"));
	assert_null(strstr(s.request, "Authorization"));
	q.post = true;
	q.body = STR("grant_type=refresh_token&x=%00");
	q.content_type = STR("application/x-www-form-urlencoded");
	q.headers = headers;
	q.header_count = 1;
	assert_int_equal(http_fetch(&q, a, &reply), HTTP_OK);
	assert_ptr_equal(strstr(s.request, "POST /.well-known/mta-sts.txt HTTP/1.1\r\n"), s.request);
	assert_non_null(strstr(s.request, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
	assert_non_null(strstr(s.request, "\r\nAuthorization: Basic eDp5\r\n"));
	assert_null(strstr(s.request, "Expect"));
	assert_non_null(strstr(s.request, "\r\n\r\ngrant_type=refresh_token&x=%00"));
	server_stop(&s);
	arena_free(&a);
}

/* Nothing of the environment counts: no proxy, no file. */
static void test_environment(void **state)
{
	struct server       s = { .answer = OK_ANSWER };
	struct arena       *a = arena_new(NULL);
	struct http_request q;
	struct http_reply   reply;

	(void)state;
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
	setenv("CURL_CA_BUNDLE", "/nowhere", 1);
	setenv("SSL_CERT_FILE", "/nowhere", 1);
	server_start(&s);
	q = request(&s);
	assert_int_equal(http_fetch(&q, a, &reply), HTTP_OK);
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
	server_stop(&s);
	arena_free(&a);
}

static void test_addresses(void **state)
{
	static const struct str both[] = { STR("::1"), STR("127.0.0.1") }, wrong[] = { STR("127.0.0.1,127.0.0.2") };
	struct server           s = { .answer = OK_ANSWER };
	struct arena           *a = arena_new(NULL);
	struct http_request     q;
	struct http_reply       reply;

	(void)state;
	server_start(&s);
	q = request(&s);
	q.addresses = both; /* nobody listens on the first */
	q.address_count = 2;
	assert_int_equal(http_fetch(&q, a, &reply), HTTP_OK);
	q.address_count = 0; /* and no resolver is asked */
	assert_int_equal(http_fetch(&q, a, &reply), HTTP_UNREACHABLE);
	q.addresses = wrong;
	q.address_count = 1;
	assert_int_equal(http_fetch(&q, a, &reply), HTTP_INVALID);
	q = request(&s);
	server_stop(&s);
	assert_int_equal(http_fetch(&q, a, &reply), HTTP_UNREACHABLE); /* refused */
	assert_true(reply.why.n > 0);
	arena_free(&a);
}

static void test_invalid(void **state)
{
	static const struct str injected[] = { STR("X: y\r\nHost: evil") };
	const struct {
		const char *host, *path;
	} rows[] = {
		{ "", "/" }, { "a b", "/" }, { "a/b", "/" }, { "a@b", "/" }, { "a:1", "/" }, { "[::1]", "/" }, { "d.test", "" }, { "d.test", "x" },
		{ "d.test", "/a b" }, { "d.test", "/a\r\nX: y" }, { "d.test", "/\xc3\xa4" },
	};
	struct arena     *a = arena_new(NULL);
	struct http_reply reply;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct http_request q = { .host = str_of(rows[i].host), .port = 1, .path = str_of(rows[i].path), .addresses = loopback,
						.address_count = 1, .authorities = ca_pem, .max_octets = 10 };

		if (http_fetch(&q, a, &reply) != HTTP_INVALID)
			fail_msg("\"%s\" \"%s\"", rows[i].host, rows[i].path);
	}
	assert_int_equal(http_fetch(&(struct http_request){ .host = STR("d.test"), .port = 1, .path = STR("/"), .addresses = loopback, .address_count = 1,
							    .authorities = ca_pem, .headers = injected, .header_count = 1 }, a, &reply), HTTP_INVALID);
	assert_int_equal(http_fetch(&(struct http_request){ .host = STR("d.test"), .port = 1, .path = STR("/"), .addresses = loopback, .address_count = 1,
							    .authorities = STR("") }, a, &reply), HTTP_CERTIFICATE);
	assert_int_equal(http_fetch(&(struct http_request){ .host = STR("d.test"), .port = 1, .path = STR("/"), .addresses = loopback, .address_count = 1,
							    .authorities = STR("-----BEGIN CERTIFICATE-----\nAAAA\n") }, a, &reply), HTTP_CERTIFICATE);
	arena_free(&a);
}

static void *one_of_many(void *arg)
{
	struct arena     *a = arena_new(NULL);
	struct http_reply reply;
	enum http_result  r = http_fetch(arg, a, &reply);

	arena_free(&a);
	return (void *)(uintptr_t)r;
}

static void test_many_at_once(void **state)
{
	struct server       s = { .answer = OK_ANSWER };
	struct http_request q;
	pthread_t           threads[12];
	void               *r;

	(void)state;
	server_start(&s);
	q = request(&s);
	q.total_ms = 20000;
	for (size_t i = 0; i < LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &q), 0);
	for (size_t i = 0; i < LEN(threads); i++) {
		pthread_join(threads[i], &r);
		assert_ptr_equal(r, (void *)(uintptr_t)HTTP_OK);
	}
	server_stop(&s);
}

static void test_type(void **state)
{
	(void)state;
	assert_true(http_type_is(STR("text/plain"), STR("text/plain")));
	assert_true(http_type_is(STR("TEXT/plain ; charset=x"), STR("text/plain")));
	assert_false(http_type_is(STR("text/plainer"), STR("text/plain")));
	assert_false(http_type_is(STR("x; text/plain"), STR("text/plain")));
	assert_false(http_type_is(STR(""), STR("text/plain")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),     cmocka_unit_test(test_what_is_sent),  cmocka_unit_test(test_environment),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_invalid),       cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_type),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
