/* net/net_binding.c over real TLS: both sides compute the same channel bindings; certificates of clients. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "net/net.h"
#include "net/net_tls.h"

/* The server says three lines in hexadecimal: exporter, end point, fingerprint. */
static void tell(struct net_conn *c, struct str octets)
{
	char       room[256];
	struct buf b = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	buf_add(&b, STR("="));
	buf_add_hex(&b, octets);
	buf_add_char(&b, '\n');
	net_write(c, buf_str(&b));
}

static void *open_session(void *ctx, struct net_conn *c)
{
	(void)ctx;
	return c;
}

static struct net_want handle(void *session, const struct net_ev *ev)
{
	struct net_conn *c = session;
	char             out[NET_BINDING_OCTETS];

	if (ev->kind == NET_EV_START) {
		tell(c, net_channel_binding(c, NET_BINDING_EXPORTER, out));
		tell(c, net_channel_binding(c, NET_BINDING_END_POINT, out));
		tell(c, net_peer_certificate(c, out));
	}
	return (struct net_want){ .kind = NET_WANT_CLOSE };
}

static void close_session(void *session)
{
	(void)session;
}

static bool asks;
static bool wants_certificate(void *ctx)
{
	(void)ctx;
	return asks;
}

static const struct net_proto proto = {
	.name = "binding", .open = open_session, .handle = handle, .close = close_session, .refused = "",
	.wants_certificate = wants_certificate,
};

struct made {
	EVP_PKEY *key;
	X509     *cert;
	char      cert_pem[4096], key_pem[4096];
};

static void pem(BIO *bio, char *out)
{
	char *p;
	long  n = BIO_get_mem_data(bio, &p);

	memcpy(out, p, (size_t)n);
	out[n] = '\0';
	BIO_free(bio);
}

static void make(struct made *m, EVP_PKEY *key, const EVP_MD *md, long days)
{
	BIO *cert = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());

	m->key = key;
	m->cert = X509_new();
	ASN1_INTEGER_set(X509_get_serialNumber(m->cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(m->cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(m->cert), days * 86400 - 3600);
	X509_set_pubkey(m->cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(m->cert), "CN", MBSTRING_ASC, (const unsigned char *)"x.test", -1, -1, 0);
	X509_set_issuer_name(m->cert, X509_get_subject_name(m->cert));
	assert_true(X509_sign(m->cert, key, md) > 0);
	PEM_write_bio_X509(cert, m->cert);
	PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
	pem(cert, m->cert_pem);
	pem(secret, m->key_pem);
}

static void made_free(struct made *m)
{
	EVP_PKEY_free(m->key);
	X509_free(m->cert);
}

struct server {
	struct net *net;
	uint16_t    port;
};

static void serve(struct server *s, const struct made *m, bool tls)
{
	static const struct net_limits limits;
	struct sockaddr_in             sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t                      n = sizeof(sa);
	int                            fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct net_tls                *t = NULL;
	const char                    *why;

	assert_true(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 10) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	s->port = ntohs(sa.sin_port);
	assert_int_equal(net_tls_server(str_of(m->cert_pem), str_of(m->key_pem), &t, &why), ST_OK);
	s->net = net_new(&limits);
	net_listen(s->net, fd, &proto, NULL, t, tls);
	net_tls_free(&t);
	net_run(s->net);
}

static void stop(struct server *s)
{
	net_drain(s->net, 100);
	net_free(&s->net);
}

struct heard {
	char   exporter[80], text[3][200];
	size_t lines;
	bool   resumed;
};

static void hex(const unsigned char *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* A client of OpenSSL alone; *session is used and replaced if not NULL. */
static void talk(const struct server *s, int version, const struct made *own, SSL_SESSION **session, struct heard *ret)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s->port) };
	SSL_CTX           *ctx = SSL_CTX_new(TLS_client_method());
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), got;
	unsigned char      binding[32];
	char               all[700] = "", *at = all;
	SSL               *ssl;

	*ret = (struct heard){ 0 };
	SSL_CTX_set_max_proto_version(ctx, version);
	if (own)
		assert_true(SSL_CTX_use_certificate(ctx, own->cert) == 1 && SSL_CTX_use_PrivateKey(ctx, own->key) == 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ssl = SSL_new(ctx);
	if (session && *session)
		SSL_set_session(ssl, *session);
	SSL_set_fd(ssl, fd);
	assert_int_equal(SSL_connect(ssl), 1);
	ret->resumed = SSL_session_reused(ssl);
	/* RFC 9266 §4: no context, which is an empty one in TLS 1.3 */
	assert_int_equal(SSL_export_keying_material(ssl, binding, 32, "EXPORTER-Channel-Binding", 24, (const unsigned char *)"", 0, 1), 1);
	hex(binding, 32, ret->exporter);
	while ((got = SSL_read(ssl, at, (int)(sizeof(all) - 1 - (size_t)(at - all)))) > 0)
		at += got;
	for (char *line = strtok(all, "\n"); line && ret->lines < 3; line = strtok(NULL, "\n"))
		snprintf(ret->text[ret->lines++], sizeof(ret->text[0]), "%s", line + 1);
	if (session) {
		SSL_SESSION_free(*session);
		*session = SSL_get1_session(ssl);
	}
	SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	assert_int_equal(ret->lines, 3);
}

static void test_exporter(void **state)
{
	struct made   m;
	struct server s;
	struct heard  one, two;

	(void)state;
	make(&m, EVP_EC_gen("P-256"), EVP_sha256(), 1);
	serve(&s, &m, true);
	talk(&s, TLS1_3_VERSION, NULL, NULL, &one);
	assert_string_equal(one.text[0], one.exporter);
	talk(&s, TLS1_3_VERSION, NULL, NULL, &two);
	assert_string_equal(two.text[0], two.exporter);
	assert_string_not_equal(one.exporter, two.exporter);
	assert_string_equal(one.text[1], two.text[1]);
	talk(&s, TLS1_2_VERSION, NULL, NULL, &two); /* not there */
	assert_string_equal(two.text[0], "");
	assert_string_equal(one.text[1], two.text[1]);
	stop(&s);
	made_free(&m);
}

/* RFC 5929 §4.1: the hash is the signature's, SHA-256 in place of what is broken. */
static void test_end_point(void **state)
{
	static const struct {
		const char *key, *md, *want; /* want NULL: undefined */
	} cases[] = {
		{ "EC", "SHA256", "SHA256" }, { "EC", "SHA384", "SHA384" }, { "EC", "SHA512", "SHA512" }, { "EC", "SHA1", "SHA256" },
		{ "RSA", "SHA256", "SHA256" }, { "ED25519", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		EVP_PKEY *key = strcmp(cases[i].key, "EC") == 0	   ? EVP_EC_gen("P-256")
				: strcmp(cases[i].key, "RSA") == 0 ? EVP_RSA_gen(2048)
								   : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		unsigned char out[EVP_MAX_MD_SIZE];
		char          want[2 * EVP_MAX_MD_SIZE + 1] = "";
		unsigned      n = 0;
		struct made   m;
		struct server s;
		struct heard  h;

		make(&m, key, cases[i].md ? EVP_get_digestbyname(cases[i].md) : NULL, 1);
		if (cases[i].want && X509_digest(m.cert, EVP_get_digestbyname(cases[i].want), out, &n))
			hex(out, n, want);
		serve(&s, &m, true);
		talk(&s, TLS1_3_VERSION, NULL, NULL, &h);
		assert_string_equal(h.text[1], want);
		stop(&s);
		made_free(&m);
	}
}

static void test_certificate(void **state)
{
	struct made   m, own, old;
	struct server s;
	struct heard  h;
	unsigned char out[32];
	char          want[65], want_old[65];
	SSL_SESSION  *session = NULL;

	(void)state;
	make(&m, EVP_EC_gen("P-256"), EVP_sha256(), 1);
	make(&own, EVP_EC_gen("P-256"), EVP_sha256(), 1);
	make(&old, EVP_EC_gen("P-256"), EVP_sha256(), 0); /* out of date */
	X509_digest(own.cert, EVP_sha256(), out, NULL);
	hex(out, 32, want);
	X509_digest(old.cert, EVP_sha256(), out, NULL);
	hex(out, 32, want_old);
	serve(&s, &m, true);
	asks = false;
	talk(&s, TLS1_3_VERSION, &own, NULL, &h); /* nobody asked */
	assert_string_equal(h.text[2], "");
	asks = true;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		talk(&s, version, NULL, NULL, &h); /* none: served all the same */
		assert_string_equal(h.text[2], "");
		talk(&s, version, &own, NULL, &h);
		assert_string_equal(h.text[2], want);
		talk(&s, version, &old, NULL, &h);
		assert_string_equal(h.text[2], want_old);
	}
	talk(&s, TLS1_3_VERSION, &own, &session, &h); /* a session that comes back brings it along */
	talk(&s, TLS1_3_VERSION, NULL, &session, &h);
	assert_true(h.resumed);
	assert_string_equal(h.text[2], want);
	assert_string_equal(h.text[0], h.exporter);
	SSL_SESSION_free(session);
	asks = false;
	stop(&s);
	serve(&s, &m, false); /* in clear nothing is known; the client must not try TLS here */
	{
		struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s.port) };
		int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char               text[64] = "";

		assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
		assert_true(recv(fd, text, 6, MSG_WAITALL) == 6);
		assert_memory_equal(text, "=\n=\n=\n", 6);
		close(fd);
	}
	stop(&s);
	made_free(&m);
	made_free(&own);
	made_free(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exporter), cmocka_unit_test(test_end_point), cmocka_unit_test(test_certificate),
	};
	net_tls_preload();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
