/* http/http_trust.c - see http_trust.h. */
#include "http/http_trust.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

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

X509_STORE *http_trust_get(struct str pem)
{
	X509_STORE *store;

	pthread_mutex_lock(&last.lock);
	if (!last.pem.p || !str_eq(last.pem, pem))
		replace(pem);
	store = last.store;
	if (store)
		X509_STORE_up_ref(store);
	pthread_mutex_unlock(&last.lock);
	return store;
}
