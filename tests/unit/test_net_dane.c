/* net/net_tls.h: handshakes with real certificates, proved by TLSA records. RFC 7671 §5, RFC 7672 §3.1, §3.2. */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "net/net_tls.h"

struct made {
	EVP_PKEY *key;
	X509     *cert;
};

static void extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* Valid until so many seconds from now; by `ca` or self-signed. */
static struct made make_with(EVP_PKEY *key, const char *names, const struct made *ca, bool is_ca, long until_s)
{
	static long serial;
	struct made m = { .key = key, .cert = X509_new() };

	X509_set_version(m.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(m.cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(m.cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(m.cert), until_s);
	X509_set_pubkey(m.cert, m.key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(m.cert), "CN", MBSTRING_ASC, (const unsigned char *)(is_ca ? "authority" : "server"), -1, -1, 0);
	X509_set_issuer_name(m.cert, X509_get_subject_name(ca ? ca->cert : m.cert));
	if (is_ca)
		extension(m.cert, NID_basic_constraints, "critical,CA:TRUE");
	else
		extension(m.cert, NID_subject_alt_name, names);
	assert_true(X509_sign(m.cert, ca ? ca->key : m.key, EVP_sha256()) > 0);
	return m;
}

static struct made make(const char *names, const struct made *ca, bool is_ca, long until_s)
{
	return make_with(EVP_EC_gen("P-256"), names, ca, is_ca, until_s);
}

static void made_free(struct made *m)
{
	X509_free(m->cert);
	EVP_PKEY_free(m->key);
}

/* ---- one handshake over a socket pair ---- */

struct server {
	SSL_CTX  *ctx;
	int       fd;
	pthread_t thread;
	bool      greets; /* reading that, a client gets its tickets */
	char      sni[300];
};

static void *server_main(void *arg)
{
	struct server *s = arg;
	SSL           *ssl = SSL_new(s->ctx);
	char           c;

	SSL_set_fd(ssl, s->fd);
	if (SSL_accept(ssl) == 1) {
		const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

		snprintf(s->sni, sizeof(s->sni), "%s", sni ? sni : "-");
		if (s->greets)
			(void)SSL_write(ssl, "220 x\r\n", 7);
		(void)SSL_read(ssl, &c, 1);
	}
	SSL_free(ssl);
	close(s->fd);
	return NULL;
}

static enum status shake(const struct made *cert, const struct made *chain, const struct net_tls_want *want, struct net_tls_got *got, char *sni)
{
	struct server      s = { .ctx = SSL_CTX_new(TLS_server_method()) };
	int                fds[2];
	struct net_stream *stream;
	enum status        st;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	SSL_CTX_set_security_level(s.ctx, 0); /* it is the client that judges */
	SSL_CTX_use_certificate(s.ctx, cert->cert);
	SSL_CTX_use_PrivateKey(s.ctx, cert->key);
	if (chain)
		SSL_CTX_add1_chain_cert(s.ctx, chain->cert);
	s.fd = fds[1];
	assert_int_equal(pthread_create(&s.thread, NULL, server_main, &s), 0);
	stream = net_stream_new(fds[0]);
	st = net_stream_tls(stream, want, 20000, got);
	net_stream_free(&stream);
	pthread_join(s.thread, NULL);
	SSL_CTX_free(s.ctx);
	snprintf(sni, 300, "%s", s.sni);
	return st;
}

/* ---- records ---- */

enum what { RIGHT, WRONG };

/* Of a certificate; the octets live until the process ends its test. */
static struct net_tlsa tlsa(unsigned usage, unsigned selector, unsigned matching, const struct made *m, enum what what, struct arena *a)
{
	unsigned char *der = NULL, hash[EVP_MAX_MD_SIZE];
	int            n = selector == 0 ? i2d_X509(m->cert, &der) : i2d_PUBKEY(m->key, &der);
	unsigned       hash_n = 0;
	struct str     data = arena_dup(a, str_n(der, (size_t)n));

	if (matching > 0) {
		EVP_Digest(der, (size_t)n, hash, &hash_n, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL);
		hash[0] ^= what == WRONG;
		data = arena_dup(a, str_n(hash, hash_n));
	}
	OPENSSL_free(der);
	return (struct net_tlsa){ (uint8_t)usage, (uint8_t)selector, (uint8_t)matching, data };
}

static struct made ca, other_ca, fine, expired, self, self_expired, weak;

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	net_tls_preload();
	ca = make(NULL, NULL, true, 3600);
	other_ca = make(NULL, NULL, true, 3600);
	fine = make("DNS:mx.test", &ca, false, 3600);
	expired = make("DNS:mx.test", &ca, false, -60);
	self = make("DNS:elsewhere.test", NULL, false, 3600);
	self_expired = make("DNS:elsewhere.test", NULL, false, -60);
	weak = make_with(EVP_RSA_gen(1024), "DNS:mx.test", &ca, false, 3600);
	return 0;
}

static int teardown(void **state)
{
	struct made *all[] = { &ca, &other_ca, &fine, &expired, &self, &self_expired, &weak };

	(void)state;
	for (size_t i = 0; i < LEN(all); i++)
		made_free(all[i]);
	return 0;
}

#define NAMES(...) { __VA_ARGS__ }

static void test_dane(void **state)
{
	const struct {
		const char        *name;
		const struct made *cert, *chain;
		struct {
			unsigned           usage, selector, matching;
			const struct made *of;
			enum what          what;
		} records[3];
		size_t         count;
		struct str     names[2];
		enum status    st;
		enum net_proof proof;
		enum net_fault fault;
	} cases[] = {
		{ "EE, key", &self, NULL, { { 3, 1, 1, &self, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_EE, 0 },
		{ "EE, SHA2-512", &self, NULL, { { 3, 1, 2, &self, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_EE, 0 },
		{ "EE, certificate", &self, NULL, { { 3, 0, 1, &self, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_EE, 0 },
		{ "EE, whole key", &self, NULL, { { 3, 1, 0, &self, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_EE, 0 },
		{ "EE, whole certificate", &self, NULL, { { 3, 0, 0, &self, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_EE, 0 },
		{ "EE, expired and of another name", &self_expired, NULL, { { 3, 1, 1, &self_expired, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_EE, 0 },
		{ "EE, wrong digest", &self, NULL, { { 3, 1, 1, &self, WRONG } }, 1, NAMES(STR("mx.test")), ST_DENIED, NET_PROOF_NONE, NET_FAULT_OTHER },
		{ "EE, one of two", &self, NULL, { { 3, 1, 1, &self, WRONG }, { 3, 1, 1, &self, RIGHT } }, 2, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_EE, 0 },
		{ "TA in the chain", &fine, &ca, { { 2, 0, 1, &ca, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_TA, 0 },
		{ "TA, key", &fine, &ca, { { 2, 1, 1, &ca, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_TA, 0 },
		{ "TA that is not sent, by digest", &fine, NULL, { { 2, 0, 1, &ca, RIGHT } }, 1, NAMES(STR("mx.test")), ST_DENIED, NET_PROOF_NONE, NET_FAULT_OTHER },
		{ "TA that is not sent, whole", &fine, NULL, { { 2, 0, 0, &ca, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_TA, 0 },
		{ "TA that is not sent, its key", &fine, NULL, { { 2, 1, 0, &ca, RIGHT } }, 1, NAMES(STR("mx.test")), ST_OK, NET_PROOF_DANE_TA, 0 },
		{ "TA, another authority", &fine, &ca, { { 2, 0, 1, &other_ca, RIGHT } }, 1, NAMES(STR("mx.test")), ST_DENIED, NET_PROOF_NONE, NET_FAULT_OTHER },
		{ "TA, expired", &expired, &ca, { { 2, 0, 1, &ca, RIGHT } }, 1, NAMES(STR("mx.test")), ST_DENIED, NET_PROOF_NONE, NET_FAULT_EXPIRED },
		{ "TA, another name", &fine, &ca, { { 2, 0, 1, &ca, RIGHT } }, 1, NAMES(STR("mx2.test")), ST_DENIED, NET_PROOF_NONE, NET_FAULT_NAME },
		{ "TA, the second name", &fine, &ca, { { 2, 0, 1, &ca, RIGHT } }, 1, NAMES(STR("base.test"), STR("mx.test")), ST_OK, NET_PROOF_DANE_TA, 0 },
		{ "TA does not fit, EE does", &fine, &ca, { { 2, 0, 1, &other_ca, RIGHT }, { 3, 1, 1, &fine, RIGHT } }, 2, NAMES(STR("mx.test")), ST_OK,
		  NET_PROOF_DANE_EE, 0 },
		{ "EE does not fit, TA does", &fine, &ca, { { 2, 0, 1, &ca, RIGHT }, { 3, 1, 1, &self, RIGHT } }, 2, NAMES(STR("mx.test")), ST_OK,
		  NET_PROOF_DANE_TA, 0 },
		{ "EE of an expired one beside a TA", &expired, &ca, { { 2, 0, 1, &ca, RIGHT }, { 3, 1, 1, &expired, RIGHT } }, 2, NAMES(STR("mx.test")), ST_OK,
		  NET_PROOF_DANE_EE, 0 },
		{ "no record", &self, NULL, { { 0 } }, 0, NAMES(STR("mx.test")), ST_DENIED, NET_PROOF_NONE, NET_FAULT_TLSA },
		{ "a web authority does not help", &fine, &ca, { { 3, 1, 1, &self, RIGHT } }, 1, NAMES(STR("mx.test")), ST_DENIED, NET_PROOF_NONE, NET_FAULT_OTHER },
	};
	const char    *why;
	BIO           *bio = BIO_new(BIO_s_mem());
	char          *pem;
	long           n;

	(void)state;
	PEM_write_bio_X509(bio, ca.cert);
	n = BIO_get_mem_data(bio, &pem);
	assert_int_equal(net_tls_trust(str_n(pem, (size_t)n), &why), ST_OK); /* the web trusts it: that must change nothing */
	BIO_free(bio);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct arena       *a = arena_new(NULL);
		struct net_tlsa     records[3];
		struct net_tls_want want = { .sni = cases[i].names[0], .verify = NET_VERIFY_DANE, .tlsa = records, .tlsa_count = cases[i].count };
		struct net_tls_got  got;
		char                sni[300];
		enum status         st;

		for (size_t k = 0; k < cases[i].count; k++)
			records[k] = tlsa(cases[i].records[k].usage, cases[i].records[k].selector, cases[i].records[k].matching, cases[i].records[k].of,
					  cases[i].records[k].what, a);
		while (want.name_count < 2 && cases[i].names[want.name_count].n > 0) {
			want.names[want.name_count] = cases[i].names[want.name_count];
			want.name_count++;
		}
		st = shake(cases[i].cert, cases[i].chain, &want, &got, sni);
		if (st != cases[i].st || got.proof != cases[i].proof || got.fault != cases[i].fault)
			print_error("case \"%s\": %s, proof %d, fault %d: %s\n", cases[i].name, status_name(st), got.proof, got.fault, got.why);
		assert_int_equal(st, cases[i].st);
		assert_int_equal(got.proof, cases[i].proof);
		assert_int_equal(got.fault, cases[i].fault);
		if (st == ST_OK)
			assert_str(str_of(sni), cases[i].names[0]);
		arena_free(&a);
	}
}

/* Without DANE: what is told, and what is refused. */
static void test_pki(void **state)
{
	const struct {
		const char        *name;
		const struct made *cert;
		enum net_verify    verify;
		struct str         want;
		enum status        st;
		enum net_proof     proof;
		enum net_fault     fault;
	} cases[] = {
		{ "anybody", &self_expired, NET_VERIFY_NONE, STR("mx.test"), ST_OK, NET_PROOF_NONE, 0 },
		{ "proved", &fine, NET_VERIFY_PKI, STR("mx.test"), ST_OK, NET_PROOF_PKI, 0 },
		{ "a name below", &fine, NET_VERIFY_PKI, STR(".test"), ST_OK, NET_PROOF_PKI, 0 },
		{ "not below", &fine, NET_VERIFY_PKI, STR(".mx.test"), ST_DENIED, NET_PROOF_NONE, NET_FAULT_NAME },
		{ "another name", &fine, NET_VERIFY_PKI, STR("mx2.test"), ST_DENIED, NET_PROOF_NONE, NET_FAULT_NAME },
		{ "expired", &expired, NET_VERIFY_PKI, STR("mx.test"), ST_DENIED, NET_PROOF_NONE, NET_FAULT_EXPIRED },
		{ "self-signed", &self, NET_VERIFY_PKI, STR("elsewhere.test"), ST_DENIED, NET_PROOF_NONE, NET_FAULT_UNTRUSTED },
		{ "tried, proved", &fine, NET_VERIFY_TRY, STR("mx.test"), ST_OK, NET_PROOF_PKI, 0 },
		{ "tried, another name", &fine, NET_VERIFY_TRY, STR("mx2.test"), ST_OK, NET_PROOF_NONE, NET_FAULT_NAME },
		{ "tried, expired", &expired, NET_VERIFY_TRY, STR("mx.test"), ST_OK, NET_PROOF_NONE, NET_FAULT_EXPIRED },
		{ "a key too short for PKI", &weak, NET_VERIFY_PKI, STR("mx.test"), ST_DENIED, NET_PROOF_NONE, NET_FAULT_OTHER },
		{ "tried, a key too short for PKI", &weak, NET_VERIFY_TRY, STR("mx.test"), ST_OK, NET_PROOF_NONE, NET_FAULT_OTHER },
		{ "anybody, of any key", &weak, NET_VERIFY_NONE, STR("mx.test"), ST_OK, NET_PROOF_NONE, 0 },
		{ "tried, self-signed", &self, NET_VERIFY_TRY, STR("elsewhere.test"), ST_OK, NET_PROOF_NONE, NET_FAULT_UNTRUSTED },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct net_tls_want want = { .sni = STR("mx.test"), .verify = cases[i].verify, .names = { cases[i].want }, .name_count = 1 };
		struct net_tls_got  got;
		char                sni[300];
		enum status         st = shake(cases[i].cert, NULL, &want, &got, sni);

		if (st != cases[i].st || got.proof != cases[i].proof || got.fault != cases[i].fault)
			print_error("case \"%s\": %s, proof %d, fault %d: %s\n", cases[i].name, status_name(st), got.proof, got.fault, got.why);
		assert_int_equal(st, cases[i].st);
		assert_int_equal(got.proof, cases[i].proof);
		assert_int_equal(got.fault, cases[i].fault);
	}
}

/* Twice to one server; the second time no certificate is looked at. What is told of the proof is the same, whichever record comes first. */
static void resume(int version, const struct net_tls_want *want, enum net_proof proof)
{
	struct server s = { .ctx = SSL_CTX_new(TLS_server_method()), .greets = true };
	struct buf    line;

	buf_init(&line, 100);
	SSL_CTX_set_max_proto_version(s.ctx, version);
	SSL_CTX_use_certificate(s.ctx, fine.cert);
	SSL_CTX_use_PrivateKey(s.ctx, fine.key);
	SSL_CTX_add1_chain_cert(s.ctx, ca.cert);
	for (int i = 0; i < 3; i++) {
		struct net_stream *stream;
		struct net_tls_got got;
		int                fds[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		s.fd = fds[1];
		assert_int_equal(pthread_create(&s.thread, NULL, server_main, &s), 0);
		stream = net_stream_new(fds[0]);
		net_stream_resume(stream, STR("mx.test"));
		assert_int_equal(net_stream_tls(stream, want, 20000, &got), ST_OK);
		assert_int_equal(net_stream_line(stream, &line, 20000), ST_OK);
		assert_int_equal(net_stream_tls_resumed(stream), i > 0);
		assert_int_equal(got.proof, proof);
		net_stream_free(&stream);
		pthread_join(s.thread, NULL);
	}
	SSL_CTX_free(s.ctx);
	buf_done(&line);
}

static void test_resumed(void **state)
{
	struct arena *a = arena_new(NULL);

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		const struct net_tlsa ee[] = { tlsa(2, 0, 1, &other_ca, RIGHT, a), tlsa(3, 1, 1, &fine, RIGHT, a) };
		const struct net_tlsa ta[] = { tlsa(3, 1, 1, &self, RIGHT, a), tlsa(2, 0, 1, &ca, RIGHT, a) };
		struct net_tls_want   want = { .sni = STR("mx.test"), .verify = NET_VERIFY_DANE, .names = { STR("mx.test") }, .name_count = 1 };

		want.tlsa_count = 2;
		want.tlsa = ee;
		resume(version, &want, NET_PROOF_DANE_EE);
		want.tlsa = ta;
		resume(version, &want, NET_PROOF_DANE_TA);
	}
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_dane), cmocka_unit_test(test_pki), cmocka_unit_test(test_resumed) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
