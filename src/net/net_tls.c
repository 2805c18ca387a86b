/* net/net_tls.c - server contexts: certificates, SNI, tickets; what both sides have in common.
 *
 * Tickets (RFC 5077, RFC 8446 §4.6.1) instead of a session cache: the peer keeps its session. Their keys live in memory only and
 * change every TICKET_S; a ticket is taken for up to two periods. A ticket of another process gives a full handshake.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "net/net_tls.h"
#include "net/net_tls_int.h"

#define TICKET_S (12 * 3600)

struct ticket_key {
	unsigned char name[16], aes[32], mac[32];
	time_t        made; /* CLOCK_MONOTONIC seconds; 0: not yet */
};

struct net_tls {
	_Atomic unsigned  refs;
	pthread_mutex_t   lock;                 /* the rest */
	SSL_CTX          *ctx[LIMIT_TLS_CERTS]; /* [0] when no name matches */
	unsigned          count;
	struct ticket_key now, before;
};

void net_tls_preload(void)
{
	unsigned char octets[16];
	SSL_CTX      *server, *client;

	CHECK(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG,
	                       NULL) == 1);
	/* Contexts fetch ciphers, digests and groups; the first random octets set the generators up. */
	server = SSL_CTX_new(TLS_server_method());
	client = SSL_CTX_new(TLS_client_method());
	CHECK(server && client && RAND_bytes(octets, sizeof(octets)) == 1 && RAND_priv_bytes(octets, sizeof(octets)) == 1);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}

void net_tls_ctx_common(SSL_CTX *ctx)
{
	CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
}

/* ---- tickets ---- */

static time_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + 1;
}

static bool key_make(struct ticket_key *k, time_t now)
{
	k->made = now;
	return RAND_bytes(k->name, sizeof(k->name)) == 1 && RAND_priv_bytes(k->aes, sizeof(k->aes)) == 1 &&
	       RAND_priv_bytes(k->mac, sizeof(k->mac)) == 1;
}

/* With tls->lock. */
static bool keys_rotate(struct net_tls *tls)
{
	time_t now = seconds();

	if (tls->now.made && now - tls->now.made < TICKET_S)
		return true;
	tls->before = tls->now;
	return key_make(&tls->now, now);
}

/* Copy the key to use; 0: none, 1: the present one, 2: the one before, renew the ticket (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)). */
static int key_choose(struct net_tls *tls, const unsigned char *name, bool encrypt, struct ticket_key *ret)
{
	int found = 0;

	pthread_mutex_lock(&tls->lock);
	if (!keys_rotate(tls)) {
		found = -1;
	} else if (encrypt || memcmp(name, tls->now.name, sizeof(tls->now.name)) == 0) {
		*ret = tls->now;
		found = 1;
	} else if (tls->before.made && seconds() - tls->before.made < (time_t)2 * TICKET_S &&
	           memcmp(name, tls->before.name, sizeof(tls->before.name)) == 0) {
		*ret = tls->before;
		found = 2;
	}
	pthread_mutex_unlock(&tls->lock);
	return found;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	struct net_tls   *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key k;
	int               found = key_choose(tls, name, encrypt, &k);
	OSSL_PARAM        params[3];

	if (found <= 0)
		return found;
	if (encrypt) {
		memcpy(name, k.name, sizeof(k.name));
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			found = -1;
	}
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k.mac, sizeof(k.mac));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k.aes, iv, encrypt) != 1 ||
	    EVP_MAC_CTX_set_params(mac, params) != 1)
		found = -1;
	OPENSSL_cleanse(&k, sizeof(k));
	return found;
}

/* ---- SNI ---- */

static bool ctx_has_name(SSL_CTX *ctx, const char *name)
{
	return X509_check_host(SSL_CTX_get0_certificate(ctx), name, 0, 0, NULL) == 1;
}

/* RFC 6066 §3: an unknown name is no error, it gets the first certificate. */
static int on_servername(SSL *ssl, int *alert, void *arg)
{
	struct net_tls *tls = arg;
	const char     *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	int             ret = SSL_TLSEXT_ERR_NOACK;

	(void)alert;
	pthread_mutex_lock(&tls->lock);
	for (unsigned i = 0; name && i < tls->count; i++) {
		if (!ctx_has_name(tls->ctx[i], name))
			continue;
		SSL_set_SSL_CTX(ssl, tls->ctx[i]);
		ret = SSL_TLSEXT_ERR_OK;
		break;
	}
	pthread_mutex_unlock(&tls->lock);
	return ret;
}

/* ---- certificates ---- */

static BIO *pem_bio(struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p ? pem.p : "", (int)MIN(pem.n, LIMIT_TLS_PEM));

	CHECK(bio);
	return bio;
}

static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

/* The first certificate is the server's, what follows is its chain. */
static const char *load_chain(SSL_CTX *ctx, struct str pem)
{
	BIO        *bio = pem_bio(pem);
	X509       *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	const char *why = NULL;

	if (!cert)
		why = "no certificate in the PEM text";
	else if (SSL_CTX_use_certificate(ctx, cert) != 1)
		why = "the certificate cannot be used (its key may be too weak)";
	X509_free(cert);
	while (!why && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			why = "a certificate of the chain cannot be used";
		}
	}
	BIO_free(bio);
	return why;
}

static const char *load_key(SSL_CTX *ctx, struct str pem)
{
	BIO        *bio = pem_bio(pem);
	EVP_PKEY   *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	const char *why = NULL;

	if (!key)
		why = "no private key in the PEM text, or it has a password";
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		why = "the private key does not belong to the certificate";
	EVP_PKEY_free(key);
	BIO_free(bio);
	return why;
}

static enum status ctx_make(struct net_tls *tls, struct str cert_pem, struct str key_pem, SSL_CTX **ret, const char **ret_why)
{
	SSL_CTX    *ctx = SSL_CTX_new(TLS_server_method());
	const char *why;

	CHECK(ctx);
	net_tls_ctx_common(ctx);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_app_data(ctx, tls);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"net", 3);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_servername);
	SSL_CTX_set_tlsext_servername_arg(ctx, tls);
	why = cert_pem.n > LIMIT_TLS_PEM || key_pem.n > LIMIT_TLS_PEM ? "the PEM text is too long" : load_chain(ctx, cert_pem);
	why = why ? why : load_key(ctx, key_pem);
	ERR_clear_error();
	if (!why) {
		*ret = ctx;
		return ST_OK;
	}
	SSL_CTX_free(ctx);
	*ret_why = why;
	return ST_INVALID;
}

enum status net_tls_server_add(struct net_tls *tls, struct str cert_pem, struct str key_pem, const char **ret_why)
{
	SSL_CTX    *ctx = NULL;
	enum status st = ctx_make(tls, cert_pem, key_pem, &ctx, ret_why);

	if (st != ST_OK)
		return st;
	pthread_mutex_lock(&tls->lock);
	if (tls->count < LIMIT_TLS_CERTS) {
		tls->ctx[tls->count++] = ctx;
		ctx = NULL;
	}
	pthread_mutex_unlock(&tls->lock);
	if (!ctx)
		return ST_OK;
	SSL_CTX_free(ctx);
	*ret_why = "too many certificates";
	return ST_LIMIT;
}

enum status net_tls_server(struct str cert_pem, struct str key_pem, struct net_tls **ret, const char **ret_why)
{
	struct net_tls *tls = calloc(1, sizeof(*tls));
	enum status     st;

	CHECK(tls);
	atomic_init(&tls->refs, 1);
	pthread_mutex_init(&tls->lock, NULL);
	st = net_tls_server_add(tls, cert_pem, key_pem, ret_why);
	if (st == ST_OK)
		*ret = tls;
	else
		net_tls_free(&tls);
	return st;
}

SSL_CTX *net_tls_ctx(struct net_tls *tls)
{
	SSL_CTX *ctx;

	pthread_mutex_lock(&tls->lock);
	ctx = tls->ctx[0];
	SSL_CTX_up_ref(ctx);
	pthread_mutex_unlock(&tls->lock);
	return ctx;
}

struct net_tls *net_tls_ref(struct net_tls *tls)
{
	atomic_fetch_add(&tls->refs, 1);
	return tls;
}

void net_tls_free(struct net_tls **tp)
{
	struct net_tls *tls = *tp;

	*tp = NULL;
	if (!tls || atomic_fetch_sub(&tls->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < tls->count; i++)
		SSL_CTX_free(tls->ctx[i]);
	pthread_mutex_destroy(&tls->lock);
	OPENSSL_cleanse(tls, sizeof(*tls));
	free(tls);
}
