/* net/net_authorities.c - see net_authorities.h. A struct net_authorities is an X509_STORE, which counts its references. */
#include "net/net_authorities.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static struct {
	pthread_mutex_t lock;
	struct str      pem; /* heap */
	X509_STORE     *store;
} last = { .lock = PTHREAD_MUTEX_INITIALIZER };

static X509_STORE *parse(struct str pem)
{
	X509_STORE *store = X509_STORE_new();
	BIO        *in = pem.n > 0 && pem.n < INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	X509       *cert;
	size_t      count = 0;

	CHECK(store); /* out of memory */
	while (in && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		count += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	ERR_clear_error();
	BIO_free(in);
	if (count == 0) {
		X509_STORE_free(store);
		return NULL;
	}
	return store;
}

/* Holds the lock. */
static void replace(struct str pem)
{
	char *p = malloc(pem.n + 1);

	CHECK(p); /* out of memory */
	memcpy(p, pem.p ? pem.p : "", pem.n);
	free((void *)(uintptr_t)last.pem.p);
	X509_STORE_free(last.store);
	last.pem = (struct str){ p, pem.n };
	last.store = parse(last.pem);
}

struct net_authorities *net_authorities_get(struct str pem)
{
	X509_STORE *store;

	pthread_mutex_lock(&last.lock);
	if (!last.pem.p || !str_eq(last.pem, pem))
		replace(pem);
	store = last.store;
	if (store)
		X509_STORE_up_ref(store);
	pthread_mutex_unlock(&last.lock);
	return (struct net_authorities *)store;
}

void net_authorities_put(struct net_authorities *a)
{
	X509_STORE_free((X509_STORE *)a);
}

void net_authorities_use(struct net_authorities *a, void *ssl_ctx)
{
	SSL_CTX_set1_cert_store(ssl_ctx, (X509_STORE *)a);
}
