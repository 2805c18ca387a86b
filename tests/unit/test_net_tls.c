/* net/net_tls.h: TLS as server (by the rig's protocol) and as client; SMTP smuggling and STARTTLS injection over both. */
#include "net_client.h"
#include "net_rig.h"

#include <sched.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static const struct net_limits no_limits;

/* ---- certificates ---- */

struct made {
	EVP_PKEY *key;
	X509     *cert;
	char     *cert_pem, *key_pem;
};

static char *pem_text(BIO *bio)
{
	char *p, *copy;
	long  n = BIO_get_mem_data(bio, &p);

	copy = calloc(1, (size_t)n + 1);
	memcpy(copy, p, (size_t)n);
	BIO_free(bio);
	return copy;
}

static void extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* Self-signed, or signed by `ca`; `names` as in "DNS:a,IP:127.0.0.1". */
static struct made make(const char *names, const struct made *ca, bool is_ca)
{
	struct made m = { .key = EVP_EC_gen("P-256"), .cert = X509_new() };
	BIO        *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());

	X509_set_version(m.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(m.cert), ca ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(m.cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(m.cert), 3600);
	X509_set_pubkey(m.cert, m.key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(m.cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)(is_ca ? "test authority" : "test server"), -1, -1, 0);
	X509_set_issuer_name(m.cert, X509_get_subject_name(ca ? ca->cert : m.cert));
	if (is_ca)
		extension(m.cert, NID_basic_constraints, "critical,CA:TRUE");
	else
		extension(m.cert, NID_subject_alt_name, names);
	assert_true(X509_sign(m.cert, ca ? ca->key : m.key, EVP_sha256()) > 0);
	PEM_write_bio_X509(cert_bio, m.cert);
	PEM_write_bio_PrivateKey(key_bio, m.key, NULL, NULL, 0, NULL, NULL);
	m.cert_pem = pem_text(cert_bio);
	m.key_pem = pem_text(key_bio);
	return m;
}

static void made_free(struct made *m)
{
	EVP_PKEY_free(m->key);
	X509_free(m->cert);
	free(m->cert_pem);
	free(m->key_pem);
}

static struct made ca, one, two;

static int setup(void **state)
{
	(void)state;
	net_tls_preload();
	ca = make(NULL, NULL, true);
	one = make("DNS:one.example,DNS:*.wild.example,IP:127.0.0.1", &ca, false);
	two = make("DNS:two.example", &ca, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&ca);
	made_free(&one);
	made_free(&two);
	return 0;
}

static struct net_tls *server(void)
{
	struct net_tls *tls = NULL;
	const char     *why = NULL;

	assert_int_equal(net_tls_server(str_of(one.cert_pem), str_of(one.key_pem), &tls, &why), ST_OK);
	assert_int_equal(net_tls_server_add(tls, str_of(two.cert_pem), str_of(two.key_pem), &why), ST_OK);
	return tls;
}

static void rig_tls(struct rig *rig, const struct net_limits *limits)
{
	struct net_tls *tls = server();

	rig_new(rig, limits, tls);
	net_tls_free(&tls);
}

static void test_bad_pem(void **state)
{
	struct net_tls *tls = NULL;
	const char     *why = NULL;

	(void)state;
	assert_int_equal(net_tls_server(STR(""), STR(""), &tls, &why), ST_INVALID);
	assert_non_null(why);
	assert_int_equal(net_tls_server(str_of(one.cert_pem), STR("-----BEGIN"), &tls, &why), ST_INVALID);
	assert_int_equal(net_tls_server(str_of(one.cert_pem), str_of(two.key_pem), &tls, &why), ST_INVALID);
	assert_string_equal(why, "the private key does not belong to the certificate");
	assert_int_equal(net_tls_trust(STR("nothing"), &why), ST_INVALID);
	assert_null(tls);
}

/* ---- client streams ---- */

static void say(struct net_stream *s, const char *text)
{
	assert_int_equal(net_stream_write(s, str_of(text), 5000), ST_OK);
}

static void hear(struct net_stream *s, const char *want)
{
	struct buf line;

	buf_init(&line, 2000);
	assert_int_equal(net_stream_line(s, &line, 5000), ST_OK);
	assert_str(buf_str(&line), str_of(want));
	buf_done(&line);
}

static void hear_end(struct net_stream *s)
{
	struct buf line;

	buf_init(&line, 2000);
	assert_int_equal(net_stream_line(s, &line, 5000), ST_CLOSED);
	buf_done(&line);
}

static struct net_stream *implicit(struct rig *rig)
{
	struct net_stream *s = net_stream_new(rig_connect(rig->tls_port));
	const char        *why = NULL;

	assert_int_equal(client_tls(s, "one.example", false, 5000, &why), ST_OK);
	hear(s, "hello");
	return s;
}

static void test_stream(void **state)
{
	static const struct {
		const char *name;
		bool        trust, verify;
		enum status st;
	} cases[] = {
		{ "one.example", false, false, ST_OK },     { NULL, false, false, ST_OK },
		{ "one.example", false, true, ST_DENIED }, /* no authorities yet */
		{ "one.example", true, true, ST_OK },       { "two.example", true, true, ST_OK }, /* SNI */
		{ "a.wild.example", true, true, ST_OK },    { "127.0.0.1", true, true, ST_OK },
		{ "b.a.wild.example", true, true, ST_DENIED }, { "three.example", true, true, ST_DENIED },
		{ "127.0.0.2", true, true, ST_DENIED },     { NULL, true, true, ST_DENIED },
		{ "three.example", true, false, ST_OK },
	};
	struct rig  rig;
	const char *why;

	(void)state;
	rig_tls(&rig, &no_limits);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct net_stream *s = net_stream_new(rig_connect(rig.tls_port));

		if (cases[i].trust)
			assert_int_equal(net_tls_trust(str_of(ca.cert_pem), &why), ST_OK);
		why = NULL;
		assert_int_equal(client_tls(s, cases[i].name, cases[i].verify, 5000, &why), cases[i].st);
		if (cases[i].st == ST_OK) {
			hear(s, "hello");
			say(s, "INFO\r\nQUIT\r\n");
			hear(s, "TLSv1.3 127.0.0.1");
			hear(s, "bye");
			hear_end(s);
			assert_string_equal(net_stream_tls_version(s), "TLSv1.3");
		} else {
			assert_non_null(why);
		}
		net_stream_free(&s);
	}
	rig_done(&rig);
}

static void test_stream_limits(void **state)
{
	struct rig         rig;
	struct net_stream *s;
	struct buf         line;
	const char        *why;

	(void)state;
	rig_tls(&rig, &no_limits);
	buf_init(&line, 50);
	s = net_stream_new(rig_connect(rig.port));
	hear(s, "hello");
	assert_int_equal(net_stream_line(s, &line, 20), ST_TEMP);
	say(s, "BIG 60\r\n");
	assert_int_equal(net_stream_line(s, &line, 5000), ST_LIMIT);
	net_stream_free(&s);
	s = net_stream_new(rig_connect(rig.port)); /* its greeting is clear text, so a handshake fails, and does not hang */
	assert_int_equal(client_tls(s, NULL, false, 5000, &why), ST_CLOSED);
	net_stream_free(&s);
	s = net_stream_new(rig_connect(rig.port)); /* pending clear text before TLS */
	say(s, "ECHO x\r\n");
	hear(s, "hello");
	while (!net_stream_pending(s)) {
		say(s, "ECHO a\r\nECHO b\r\n");
		assert_int_equal(net_stream_line(s, &line, 5000), ST_OK);
	}
	assert_int_equal(client_tls(s, NULL, false, 5000, &why), ST_INVALID);
	net_stream_free(&s);
	buf_done(&line);
	rig_done(&rig);
}

/* ---- the server's side ---- */

static void test_starttls(void **state)
{
	struct rig         rig;
	struct net_stream *s;
	const char        *why;

	(void)state;
	rig_tls(&rig, &no_limits);
	s = net_stream_new(rig_connect(rig.port));
	hear(s, "hello");
	say(s, "STARTTLS\r\n");
	hear(s, "go");
	assert_false(net_stream_pending(s));
	assert_int_equal(client_tls(s, "one.example", false, 5000, &why), ST_OK);
	say(s, "INFO\r\nSTARTTLS\r\nQUIT\r\n");
	hear(s, "TLSv1.3 127.0.0.1");
	hear(s, "what?"); /* not possible any more */
	hear(s, "bye");
	hear_end(s);
	net_stream_free(&s);
	rig_done(&rig);
}

/* Whatever stands behind STARTTLS in the same read, or a half line before and the rest inside TLS, is never answered. */
static void test_injection(void **state)
{
	static const char *const tails[] = { "ECHO evil\r\n", "E", "\r\n", "ECHO ", "\n", "\r" };
	struct rig               rig;

	(void)state;
	rig_tls(&rig, &no_limits);
	for (size_t i = 0; i < LEN(tails); i++) {
		struct net_stream *s = net_stream_new(rig_connect(rig.port));
		const char        *why;
		char               text[64];

		hear(s, "hello");
		snprintf(text, sizeof(text), "STARTTLS\r\n%s", tails[i]);
		say(s, text);
		hear(s, "go");
		assert_int_not_equal(client_tls(s, NULL, false, 5000, &why), ST_OK);
		net_stream_free(&s);
	}
	rig_done(&rig);
}

/* After a reload new connections get the new certificate, live ones go on. */
static void test_replace(void **state)
{
	struct made        other = make("DNS:three.example", &ca, false);
	struct net_tls    *tls = server(), *fresh = NULL;
	struct net_stream *s, *old;
	struct rig         rig;
	const char        *why;
	int                half;

	(void)state;
	assert_int_equal(net_tls_trust(str_of(ca.cert_pem), &why), ST_OK);
	rig_new(&rig, &no_limits, tls);
	old = implicit(&rig);
	assert_int_equal(net_tls_server(str_of(other.cert_pem), str_of(other.key_pem), &fresh, &why), ST_OK);
	net_tls_free(&tls);
	half = rig_connect(rig.tls_port);
	rig_send(half, STR("\x16\x03\x01")); /* began with the old one, ends with it */
	net_set_tls(rig.net, fresh);
	net_tls_free(&fresh);
	s = net_stream_new(rig_connect(rig.tls_port));
	assert_int_equal(client_tls(s, "three.example", true, 5000, &why), ST_OK);
	hear(s, "hello");
	net_stream_free(&s);
	s = net_stream_new(rig_connect(rig.tls_port));
	assert_int_equal(client_tls(s, "two.example", true, 5000, &why), ST_DENIED);
	net_stream_free(&s);
	say(old, "ECHO x\r\n");
	hear(old, "=x");
	net_stream_free(&old);
	close(half);
	rig_done(&rig);
	made_free(&other);
}

/* Versions: 1.2 and 1.3 work, 1.1 does not; a session comes back by its ticket. */
static void test_versions(void **state)
{
	static const struct {
		int  version;
		bool ok;
	} cases[] = { { TLS1_1_VERSION, false }, { TLS1_2_VERSION, true }, { TLS1_3_VERSION, true } };
	struct rig rig;

	(void)state;
	rig_tls(&rig, &no_limits);
	for (size_t i = 0; i < LEN(cases); i++) {
		SSL_CTX     *ctx = SSL_CTX_new(TLS_client_method());
		SSL_SESSION *session = NULL;

		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, cases[i].version);
		SSL_CTX_set_max_proto_version(ctx, cases[i].version);
		for (int round = 0; round < 2; round++) {
			SSL *ssl = SSL_new(ctx);
			int  fd = rig_connect(rig.tls_port), n = 0;
			char text[100];

			SSL_set_fd(ssl, fd);
			if (session)
				SSL_set_session(ssl, session);
			assert_int_equal(SSL_connect(ssl) == 1, cases[i].ok);
			if (cases[i].ok) {
				assert_int_equal(SSL_session_reused(ssl), round);
				assert_int_equal(SSL_read(ssl, text, sizeof(text)), 7);
				SSL_write(ssl, "QUIT\r\n", 6);
				assert_int_equal(SSL_read(ssl, text, sizeof(text)), 5);
				n = SSL_read(ssl, text, sizeof(text));
				assert_int_equal(SSL_get_error(ssl, n), SSL_ERROR_ZERO_RETURN); /* close_notify */
				SSL_SESSION_free(session);
				session = SSL_get1_session(ssl);
				SSL_shutdown(ssl);
			}
			SSL_free(ssl);
			close(fd);
		}
		SSL_SESSION_free(session);
		SSL_CTX_free(ctx);
	}
	rig_done(&rig);
}

static void test_handshake_deadline(void **state)
{
	struct net_limits limits = { .handshake_ms = 30 };
	struct rig        rig;
	int               fd;

	(void)state;
	rig_tls(&rig, &limits);
	fd = rig_connect(rig.tls_port);
	rig_send(fd, STR("\x16\x03\x01"));
	rig_expect(fd, "");
	close(fd);
	fd = rig_connect(rig.tls_port);
	rig_send(fd, STR("EHLO x\r\n")); /* no TLS: an alert may come, then the end */
	for (char c; recv(fd, &c, 1, 0) > 0;)
		continue;
	close(fd);
	assert_int_equal(rig.sessions, 0);
	rig_done(&rig);
}

/* Much input and output over TLS, and wakes between. */
static void test_bulk(void **state)
{
	struct rig         rig;
	struct net_stream *s;
	struct net_conn   *c;
	struct buf         text, line;

	(void)state;
	rig_tls(&rig, &no_limits);
	s = implicit(&rig);
	buf_init(&text, 2 * MIB);
	buf_init(&line, 2 * MIB);
	for (int i = 0; i < 20000; i++)
		buf_addf(&text, "..line %d of a message over TLS\r\n", i);
	say(s, "DATA\r\n");
	assert_int_equal(net_stream_write(s, buf_str(&text), 5000), ST_OK);
	say(s, ".\r\nIDLE\r\n");
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(net_stream_line(s, &line, 5000), ST_OK);
		if (i == 19999)
			assert_str(buf_str(&line), STR(".line 19999 of a message over TLS"));
	}
	hear(s, "");
	hear(s, "idle");
	c = rig_take_last(&rig);
	for (int i = 0; i < 20; i++) {
		net_wake(c);
		hear(s, "woken");
		say(s, "ECHO x\r\n");
		hear(s, "=x");
	}
	net_unref(&c);
	say(s, "BIG 1000000\r\n");
	assert_int_equal(net_stream_line(s, &line, 5000), ST_OK);
	assert_int_equal(line.n, 1000000);
	buf_done(&text);
	buf_done(&line);
	net_stream_free(&s);
	rig_done(&rig);
}

/* ---- smuggling, 1.8 A ---- */

static const struct {
	struct str in;
	bool       bare;
} smuggled[] = {
	{ STR("a\n.\nECHO evil\r\n.\r\n"), true },       { STR("a\n.\rECHO evil\r\n.\r\n"), true },
	{ STR("a\r.\nECHO evil\r\n.\r\n"), true },       { STR("a\r.\rECHO evil\r\n.\r\n"), true },
	{ STR("a\n.\r\nECHO evil\r\n.\r\n"), true },     { STR("a\r.\r\nECHO evil\r\n.\r\n"), true },
	{ STR("a\r\n.\nECHO evil\r\n.\r\n"), true },     { STR("a\r\n.\rECHO evil\r\n.\r\n"), true },
	{ STR("a\r\n\0.\r\nECHO evil\r\n.\r\n"), true }, { STR("a\r\n.\r\r\nECHO evil\r\n.\r\n"), true },
	{ STR("a\r\r\n.\r\r\nECHO evil\r\n.\r\n"), true }, { STR("a\r\nECHO no evil\r\n.\r\n"), false },
};

/* One D reply, then the marker's: nothing of the data was a command. The echo of the data may hold anything up to its end. */
static void check_one(struct net_stream *s, size_t i, bool normalise)
{
	struct buf line;
	bool       bare = smuggled[i].bare && (!normalise || memchr(smuggled[i].in.p, 0, smuggled[i].in.n));
	unsigned   replies = 0;

	buf_init(&line, 4000);
	say(s, "ECHO marker\r\n");
	do {
		assert_int_equal(net_stream_line(s, &line, 5000), ST_OK);
		if (str_starts(buf_str(&line), STR("D"))) {
			replies++;
			assert_int_equal(str_search(buf_str(&line), STR(" bare ")) > 0, bare);
		}
		assert_false(str_starts(buf_str(&line), STR("=evil")));
	} while (!str_eq(buf_str(&line), STR("=marker")));
	assert_int_equal(replies, 1);
	buf_done(&line);
}

static void smuggle(struct rig *rig, bool tls)
{
	struct net_stream *s = net_stream_new(rig_connect(tls ? rig->tls_port : rig->port));
	const char        *why;

	if (tls)
		assert_int_equal(client_tls(s, NULL, false, 5000, &why), ST_OK);
	hear(s, "hello");
	for (size_t i = 0; i < LEN(smuggled); i++) {
		struct str in = smuggled[i].in;

		for (size_t split = 0; split <= in.n; split++) {
			say(s, "DATA\r\n");
			assert_int_equal(net_stream_write(s, str_first(in, split), 5000), ST_OK);
			sched_yield(); /* so the parts mostly are read apart; test_net_frame proves how a split is framed */
			assert_int_equal(net_stream_write(s, str_from(in, split), 5000), ST_OK);
			check_one(s, i, rig->normalise);
		}
		say(s, "DATA\r\n");
		for (size_t k = 0; k < in.n; k++)
			assert_int_equal(net_stream_write(s, str_sub(in, k, 1), 5000), ST_OK);
		check_one(s, i, rig->normalise);
	}
	net_stream_free(&s);
}

static void test_smuggling(void **state)
{
	struct rig rig;

	(void)state;
	rig_tls(&rig, &no_limits);
	for (int normalise = 0; normalise < 2; normalise++) {
		rig.normalise = normalise;
		smuggle(&rig, false);
		smuggle(&rig, true);
	}
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_pem),   cmocka_unit_test(test_stream),   cmocka_unit_test(test_stream_limits),
		cmocka_unit_test(test_starttls),  cmocka_unit_test(test_injection), cmocka_unit_test(test_versions),
		cmocka_unit_test(test_handshake_deadline), cmocka_unit_test(test_bulk), cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_replace),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
