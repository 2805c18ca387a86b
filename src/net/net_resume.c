/* net/net_resume.c - TLS sessions of servers, kept by clients to resume them; contract in net_tls.h.
 *
 * A session is kept under the digest of all that made it good: the caller's key, and whom the handshake had to be made with. Nothing is kept of
 * a handshake that was to be verified and was not. A TLS 1.3 ticket is used once (RFC 8446 §C.4), so a server has several places; a new
 * session takes an empty place, or the oldest, of the few that its digest may have.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "base/limits.h"
#include "net/net_tls_int.h"
#include "net/net_verify.h"
#include "sys/clock.h"

#define PLACES 4u /* of one digest */
#define AGE_MS ((int64_t)3600 * 1000)
#define DIGEST 32

struct kept {
	unsigned char digest[DIGEST];
	SSL_SESSION  *session; /* NULL: empty */
	uint8_t       usage;   /* of the TLSA record that proved the server when it began; 0: none did */
	int64_t       since_ms;
};

struct origin { /* of a TLS object: where its sessions go */
	unsigned char digest[DIGEST];
	uint64_t      epoch;
	uint8_t       usage; /* of the session that was offered */
};

static struct {
	pthread_mutex_t lock;
	uint64_t        epoch; /* what began before net_resume_forget is not kept after it */
	struct kept     kept[LIMIT_TLS_RESUME / PLACES * PLACES];
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int            origin_index = -1;
static pthread_once_t origin_once = PTHREAD_ONCE_INIT;

static void origin_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	OPENSSL_free(ptr);
}

static void origin_make(void)
{
	origin_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, origin_free);
	CHECK(origin_index >= 0);
}

/* One field, so that no two sequences of fields have the same octets. */
static bool add(EVP_MD_CTX *md, const void *p, size_t n)
{
	return EVP_DigestUpdate(md, &n, sizeof(n)) == 1 && EVP_DigestUpdate(md, p ? p : "", n) == 1;
}

static bool digest_make(unsigned char digest[DIGEST], const char *key, const struct net_tls_want *want)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool        ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && add(md, key, strlen(key)) && add(md, want->sni.p, want->sni.n) &&
		  add(md, &want->verify, sizeof(want->verify));

	for (size_t i = 0; ok && i < want->name_count; i++)
		ok = add(md, want->names[i].p, want->names[i].n);
	for (size_t i = 0; ok && i < want->tlsa_count; i++) {
		const struct net_tlsa *t = &want->tlsa[i];
		const uint8_t          kind[] = { t->usage, t->selector, t->matching };

		ok = add(md, kind, sizeof(kind)) && add(md, t->data.p, t->data.n);
	}
	ok = ok && EVP_DigestFinal_ex(md, digest, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

static struct kept *places(const unsigned char *digest)
{
	uint64_t hash;

	memcpy(&hash, digest, sizeof(hash));
	return &cache.kept[hash % (LEN(cache.kept) / PLACES) * PLACES];
}

/* The youngest one; a ticket that is to be used once is taken out. A reference, or NULL. */
static SSL_SESSION *take(const unsigned char *digest, uint8_t *ret_usage)
{
	struct kept *p = places(digest), *best = NULL;
	SSL_SESSION *found = NULL;

	pthread_mutex_lock(&cache.lock);
	for (unsigned i = 0; i < PLACES; i++)
		if (p[i].session && memcmp(p[i].digest, digest, DIGEST) == 0 && clock_mono_ms() - p[i].since_ms < AGE_MS &&
		    (!best || p[i].since_ms > best->since_ms))
			best = &p[i];
	if (best) {
		found = best->session;
		*ret_usage = best->usage;
		if (SSL_SESSION_get_protocol_version(found) >= TLS1_3_VERSION)
			best->session = NULL;
		else
			SSL_SESSION_up_ref(found);
	}
	pthread_mutex_unlock(&cache.lock);
	return found;
}

/* OpenSSL's callback: 1 says that the reference is ours now. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct origin *o = SSL_get_ex_data(ssl, origin_index);
	struct kept         *p, *place;
	SSL_SESSION         *old = NULL;

	if (!o || !SSL_SESSION_is_resumable(session) ||
	    (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) != X509_V_OK))
		return 0;
	p = place = places(o->digest);
	pthread_mutex_lock(&cache.lock);
	if (o->epoch != cache.epoch) {
		pthread_mutex_unlock(&cache.lock);
		return 0;
	}
	for (unsigned i = 1; i < PLACES && place->session; i++)
		if (!p[i].session || p[i].since_ms < place->since_ms)
			place = &p[i];
	old = place->session;
	place->session = session;
	place->since_ms = clock_mono_ms();
	place->usage = net_verify_usage(ssl);
	memcpy(place->digest, o->digest, DIGEST);
	pthread_mutex_unlock(&cache.lock);
	SSL_SESSION_free(old);
	return 1;
}

void net_resume_ctx(SSL_CTX *ctx)
{
	pthread_once(&origin_once, origin_make);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
}

void net_resume_offer(SSL *ssl, const char *key, const struct net_tls_want *want)
{
	struct origin *o = OPENSSL_zalloc(sizeof(*o));
	SSL_SESSION   *session;

	CHECK(o);
	pthread_mutex_lock(&cache.lock);
	o->epoch = cache.epoch;
	pthread_mutex_unlock(&cache.lock);
	if (!digest_make(o->digest, key, want) || SSL_set_ex_data(ssl, origin_index, o) != 1) {
		OPENSSL_free(o);
		return;
	}
	session = take(o->digest, &o->usage);
	if (session)
		(void)SSL_set_session(ssl, session); /* refused: a full handshake */
	SSL_SESSION_free(session);
	ERR_clear_error();
}

uint8_t net_resume_usage(SSL *ssl)
{
	const struct origin *o = SSL_get_ex_data(ssl, origin_index);

	CHECK(o && SSL_session_reused(ssl));
	return o->usage;
}

void net_resume_forget(void)
{
	pthread_mutex_lock(&cache.lock);
	cache.epoch++;
	for (size_t i = 0; i < LEN(cache.kept); i++) {
		SSL_SESSION_free(cache.kept[i].session);
		cache.kept[i].session = NULL;
	}
	pthread_mutex_unlock(&cache.lock);
}
