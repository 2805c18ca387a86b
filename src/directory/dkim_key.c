/* directory/dkim_key.c - contract is in dkim_key.h. */
#include "directory/dkim_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "wire/dkim/dkim_field.h"

#define ED25519_OCTETS 32u

/* EVP_PKEY counts its references itself, atomically: ours is only another name for it. */
static EVP_PKEY *pkey(const struct dkim_key *k)
{
	return (EVP_PKEY *)(uintptr_t)k;
}

static enum status key_of(EVP_PKEY *p, struct dkim_key **ret)
{
	int  bits = p ? EVP_PKEY_get_bits(p) : 0;
	bool rsa = p && EVP_PKEY_is_a(p, "RSA");

	if (!p || !(rsa || EVP_PKEY_is_a(p, "ED25519")) || (rsa && (bits < (int)LIMIT_DKIM_RSA_MIN || bits > (int)LIMIT_DKIM_RSA_MAX))) {
		EVP_PKEY_free(p);
		return ST_INVALID;
	}
	*ret = (struct dkim_key *)(void *)p;
	return ST_OK;
}

enum status dkim_key_make(enum dkim_algorithm a, unsigned bits, struct dkim_key **ret)
{
	EVP_PKEY *p;

	if (a == DKIM_ED25519_SHA256) {
		p = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else if (bits < LIMIT_DKIM_RSA_MIN || bits > LIMIT_DKIM_RSA_MAX) {
		return ST_INVALID;
	} else {
		p = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	}
	return p ? key_of(p, ret) : ST_IO;
}

/* Asked for a password: there is none. */
static int no_password(char *p, int n, int writing, void *arg)
{
	(void)p, (void)n, (void)writing, (void)arg;
	return -1;
}

enum status dkim_key_read(struct str text, struct dkim_key **ret)
{
	const unsigned char *der = (const unsigned char *)text.p;
	BIO                 *bio;
	EVP_PKEY            *p;

	if (text.n == 0 || text.n > LIMIT_DKIM_SECRET)
		return ST_INVALID;
	if (str_search(text, STR("-----BEGIN")) < 0)
		return key_of(d2i_AutoPrivateKey(NULL, &der, (long)text.n), ret);
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	CHECK(bio);
	p = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	return key_of(p, ret);
}

struct dkim_key *dkim_key_ref(struct dkim_key *k)
{
	CHECK(EVP_PKEY_up_ref(pkey(k)) == 1);
	return k;
}

void dkim_key_free(struct dkim_key **k)
{
	EVP_PKEY_free(pkey(*k));
	*k = NULL;
}

enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *k)
{
	return EVP_PKEY_is_a(pkey(k), "RSA") ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
}

unsigned dkim_key_bits(const struct dkim_key *k)
{
	return (unsigned)EVP_PKEY_get_bits(pkey(k));
}

struct str dkim_key_secret(const struct dkim_key *k, struct arena *secret)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey(k));
	unsigned char       *der = NULL;
	int                  n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0;
	struct str           ret;

	CHECK(n > 0);
	ret = arena_dup(secret, str_n(der, (size_t)n));
	OPENSSL_clear_free(der, (size_t)n);
	PKCS8_PRIV_KEY_INFO_free(info);
	return ret;
}

void dkim_key_record(const struct dkim_key *k, struct buf *out)
{
	unsigned char  raw[ED25519_OCTETS];
	unsigned char *der = NULL;
	size_t         n = sizeof(raw);
	int            der_n;

	if (dkim_key_algorithm(k) == DKIM_ED25519_SHA256) {
		CHECK(EVP_PKEY_get_raw_public_key(pkey(k), raw, &n) == 1);
		dkim_record_print(DKIM_ED25519_SHA256, str_n(raw, n), out);
		return;
	}
	der_n = i2d_PUBKEY(pkey(k), &der);
	CHECK(der_n > 0);
	dkim_record_print(DKIM_RSA_SHA256, str_n(der, (size_t)der_n), out);
	OPENSSL_free(der);
}

/* RFC 8463 §3: Ed25519 signs the hash; RSA by PKCS#1 v1.5 hashes itself. */
enum status dkim_key_sign(const struct dkim_key *k, struct str input, struct buf *ret)
{
	bool           ed = dkim_key_algorithm(k) == DKIM_ED25519_SHA256;
	uint8_t        hash[DKIM_HASH];
	size_t         n = (size_t)EVP_PKEY_get_size(pkey(k));
	unsigned char *room = (unsigned char *)buf_room(ret, n);
	EVP_MD_CTX    *c = EVP_MD_CTX_new();
	bool           ok;

	CHECK(c && room);
	if (ed) {
		CHECK(EVP_Digest(input.p, input.n, hash, NULL, EVP_sha256(), NULL) == 1);
		input = str_n(hash, sizeof(hash));
	}
	ok = EVP_DigestSignInit(c, NULL, ed ? NULL : EVP_sha256(), NULL, pkey(k)) == 1 &&
	     EVP_DigestSign(c, room, &n, (const unsigned char *)input.p, input.n) == 1;
	EVP_MD_CTX_free(c);
	if (!ok)
		return ST_IO;
	buf_commit(ret, n);
	return ST_OK;
}
